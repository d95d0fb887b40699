/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * VPN and tunnel protocols by their first messages, either way; of datagrams, how much handshake and
 * data went. A flow that begins otherwise is left after its first message, but for what STUN may
 * precede and what may be the data of a session that is older than the capture.
 */

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "classifiers/app/dtls.h"
#include "classifiers/app/fet.h"
#include "classifiers/app/vpn.h"
#include "classifiers/classifier.h"
#include "classifiers/inspector.h"
#include "classifiers/tamper/tunnel_rate.h"
#include "classifiers/tamper/vpn_exchange.h"
#include "dataplane/cursor.h"

#define OWN_BYTES 50 /* so long a payload without structure does not come twice */
#define NATT_PORT 4500
#define PRELUDE_MAX 32  /* datagrams of STUN before DTLS, and of what may be data */
#define STUN_HEADER 20u /* RFC 8489 section 5 */
#define STUN_COOKIE 0x2112a442u

/* Of a flow that may be one. */
struct vpn_track {
	struct vpn_first first[2]; /* the last initiation of either side; VPN_NONE: none */
	struct vpn_midway midway;  /* while nothing else is known */
	struct vpn_facts facts;
	struct tunnel_rate rate[2]; /* over UDP, by direction */
	struct vpn_exchange *ex;   /* over UDP; NULL: no memory, or not yet known */
};

struct vpn_flow {
	struct vpn_track *t;
	uint8_t prelude;
	bool asked;   /* of TCP: the client's first payload was seen */
	bool over;    /* same: it is something else */
};

static struct vpn_track *track_of(struct vpn_flow *x)
{
	if (x->t == NULL)
		x->t = calloc(1, sizeof(*x->t));
	return x->t;
}

static bool is_stun(const uint8_t *p, size_t len)
{
	return len >= STUN_HEADER && (p[0] & 0xc0) == 0 && load_be32(p + 4) == STUN_COOKIE;
}

static void recognised(struct vpn_track *t, enum dir dir, const struct vpn_first *first)
{
	t->first[dir] = *first;
	t->facts.proto = first->proto;
	t->facts.midway = false;
	t->facts.cookie |= first->cookie;
	memcpy(t->facts.variant, first->variant, sizeof(t->facts.variant));
}

static void saturate(uint32_t *n)
{
	*n += *n != UINT32_MAX;
}

static void count(struct vpn_facts *v, enum dir dir, enum vpn_kind kind, uint64_t now)
{
	if (kind == VPN_HANDSHAKE)
		saturate(&v->handshakes[dir]);
	if (kind == VPN_KEEPALIVE)
		saturate(&v->keepalives[dir]);
	if (kind != VPN_DATA)
		return;
	saturate(&v->data[dir]);
	if (v->first_data_ns == 0 || now < v->first_data_ns)
		v->first_data_ns = now;
	if (now > v->last_data_ns[dir])
		v->last_data_ns[dir] = now;
	v->complete |= v->both;
}

static void take_hello(const struct headers *h, struct app_facts *facts)
{
	struct tls_client_hello hello;
	/* The second, with a cookie, says the same; but a fragment says less. */
	if ((facts->tls != NULL && !facts->tls->truncated) ||
	    !dtls_hello_read(h->payload, h->payload_caplen, h->payload_len, &hello))
		return;
	if (facts->tls == NULL)
		facts->tls = malloc(sizeof(*facts->tls));
	if (facts->tls != NULL)
		*facts->tls = hello;
}

/* False: the flow is of another kind. */
static bool begin_midway(struct vpn_flow *x, const struct flow *f, enum dir dir,
			 const struct headers *h)
{
	if (x->t == NULL && is_stun(h->payload, h->payload_caplen))
		return x->prelude++ < PRELUDE_MAX;
	bool natt = flow_port(f, DIR_C2S) == NATT_PORT || flow_port(f, DIR_S2C) == NATT_PORT;
	struct vpn_midway none = {.proto = VPN_NONE}, *m = x->t != NULL ? &x->t->midway : &none;
	int fits = vpn_midway_next(m, (unsigned)dir, h->payload, h->payload_caplen, h->payload_len,
				   natt);
	if (fits < 0 || x->prelude++ >= PRELUDE_MAX || track_of(x) == NULL)
		return false;
	x->t->midway = *m;
	if (fits > 0) {
		x->t->facts.proto = m->proto;
		x->t->facts.midway = true;
		x->t->first[DIR_C2S].proto = x->t->first[DIR_S2C].proto = m->proto;
	}
	return true;
}

/* An initiation of either side: the first, a rekey, or another session on the same ports. */
static bool begin(struct vpn_flow *x, enum dir dir, const struct headers *h,
		  struct app_facts *facts)
{
	struct vpn_first first;
	if (!vpn_first_datagram(h->payload, h->payload_caplen, h->payload_len, &first) ||
	    track_of(x) == NULL)
		return false;
	struct vpn_facts *v = &x->t->facts;
	if (v->proto != VPN_NONE && !v->midway && v->proto != first.proto)
		return false;
	recognised(x->t, dir, &first);
	if (first.proto == VPN_DTLS)
		take_hello(h, facts);
	return true;
}

/* One more packet of a flow that is known, by what its reader said. */
static void note(struct vpn_track *t, const struct flow *f, enum dir dir, const struct packet *pkt,
		 const struct headers *h, struct vpn_said said)
{
	count(&t->facts, dir, said.kind, pkt->ts_ns);
	if (t->ex == NULL)
		t->ex = vpn_exchange_new(f->key.ip_version == 6);
	if (t->ex != NULL)
		vpn_exchange_packet(t->ex, dir, pkt, h, said);
}

/* PPTP's data has no ports: the flow is all of it between two hosts. */
static enum classify gre(struct vpn_flow *x, const struct flow *f, enum dir dir,
			 const struct packet *pkt, const struct headers *h)
{
	bool here = h->l3 != NULL && h->ip_hlen <= h->l3_caplen && h->ip_hlen <= h->ip_len &&
		    vpn_is_pptp_data(h->l3 + h->ip_hlen, h->l3_caplen - h->ip_hlen);
	if (!here && !(x->t != NULL && x->t->facts.proto == VPN_PPTP))
		return CLASSIFY_NEVER;
	if (!here || track_of(x) == NULL)
		return CLASSIFY_MORE;
	x->t->facts.proto = VPN_PPTP;
	x->t->facts.both |= dir == DIR_S2C;
	/* To those who note it all of GRE is payload, as there are no ports before it. */
	struct headers whole = *h;
	whole.payload = h->l3 + h->ip_hlen;
	whole.payload_caplen = h->l3_caplen - h->ip_hlen;
	whole.payload_len = h->ip_len - h->ip_hlen;
	note(x->t, f, dir, pkt, &whole, (struct vpn_said){false, dir == DIR_S2C, VPN_DATA});
	return CLASSIFY_MORE;
}

/* What its data says of a rate; the session's id may be the other direction's too. */
static void follow(struct vpn_track *t, struct tunnel_room *room, enum dir dir,
		   const struct packet *pkt, const struct headers *h)
{
	struct tunnel_number p = {.len = h->payload_len, .ts_ns = pkt->ts_ns, .frame = pkt->frame};
	if (vpn_data_number((enum vpn_proto)t->facts.proto, h->payload, h->payload_caplen,
			    h->payload_len, &p.id, &p.number))
		tunnel_rate_packet(&t->rate[dir], room, p);
}

static enum classify packet(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h,
			    struct app_facts *facts, struct label *out)
{
	(void)out;
	struct vpn_flow *x = state;
	if (f->key.proto == IPPROTO_GRE)
		return gre(x, f, dir, pkt, h);
	if (f->key.proto != IPPROTO_UDP)
		return CLASSIFY_NEVER;
	if (h->payload_caplen == 0)
		return x->t == NULL && x->prelude++ >= PRELUDE_MAX ? CLASSIFY_NEVER : CLASSIFY_MORE;
	bool begins = begin(x, dir, h, facts);
	bool known = x->t != NULL && x->t->facts.proto != VPN_NONE;
	if (!begins && !known)
		return begin_midway(x, f, dir, h) ? CLASSIFY_MORE : CLASSIFY_NEVER;
	const struct vpn_first *theirs = &x->t->first[dir_other(dir)];
	struct vpn_facts *v = &x->t->facts;
	bool answers = !v->midway && vpn_answer_datagram(h->payload, h->payload_caplen,
							  h->payload_len, theirs);
	v->both |= answers;
	enum vpn_kind kind;
	const struct vpn_first *any = theirs->proto != VPN_NONE ? theirs : &x->t->first[dir];
	kind = vpn_datagram_kind(h->payload, h->payload_caplen, h->payload_len, any);
	note(x->t, f, dir, pkt, h, (struct vpn_said){begins, answers, kind});
	if (kind == VPN_DATA || kind == VPN_KEEPALIVE)
		follow(x->t, shard, dir, pkt, h);
	return CLASSIFY_MORE;
}

/* The client's first payload, once, whole and known to be the first. */
static void first_payload(struct vpn_flow *x, const struct flow *f, const struct headers *h,
			  const uint8_t *data, size_t len)
{
	bool whole = h->payload_caplen == h->payload_len && len == h->payload_len;
	if (!x->asked && f->syn_seen[DIR_C2S] && whole && fet_is(data, len) && track_of(x) != NULL) {
		x->t->facts.fet = true;
		x->t->facts.payload = len >= OWN_BYTES ? XXH3_64bits(data, len) | 1 : 0;
	}
	x->asked = true;
}

static bool is_known(const struct vpn_flow *x)
{
	return x->t != NULL && x->t->facts.proto != VPN_NONE;
}

static enum classify client_stream(struct vpn_flow *x, const uint8_t *data, size_t len)
{
	struct vpn_first first;
	int fits = vpn_first_stream(data, len, &first);
	if (fits > 0 && track_of(x) != NULL) {
		recognised(x->t, DIR_C2S, &first);
		return CLASSIFY_DONE;
	}
	x->over = fits != 0;
	return x->over ? CLASSIFY_NEVER : CLASSIFY_MORE;
}

static enum classify server_stream(struct vpn_flow *x, const uint8_t *data, size_t len)
{
	struct vpn_first first;
	if (!is_known(x)) /* an SSH server may speak first */
		return vpn_first_stream(data, len, &first) >= 0 ? CLASSIFY_MORE : CLASSIFY_NEVER;
	int fits = vpn_answer_stream(data, len, &x->t->first[DIR_C2S]);
	if (fits == 0)
		return CLASSIFY_MORE;
	x->t->facts.both = fits > 0;
	return CLASSIFY_DONE;
}

static enum classify stream(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h, const uint8_t *data,
			    size_t len, struct app_facts *facts)
{
	(void)shard, (void)pkt, (void)facts;
	struct vpn_flow *x = state;
	if (x->over)
		return CLASSIFY_NEVER;
	if (dir == DIR_S2C)
		return server_stream(x, data, len);
	first_payload(x, f, h, data, len);
	return client_stream(x, data, len);
}

/* The server's banner came first, and nothing that made it grow after the client's. */
static void stream_end(void *shard, void *state, const struct flow *f, enum dir dir,
		       const uint8_t *data, size_t len, struct app_facts *facts)
{
	(void)shard, (void)f, (void)facts;
	struct vpn_flow *x = state;
	if (dir == DIR_S2C && is_known(x) &&
	    vpn_answer_stream(data, len, &x->t->first[DIR_C2S]) > 0)
		x->t->facts.both = true;
}

static void icmp(void *shard, void *state, const struct flow *f, enum dir dir,
		 const struct packet *pkt, const struct headers *h, struct app_facts *facts)
{
	(void)shard, (void)f, (void)pkt, (void)h, (void)facts;
	const struct vpn_flow *x = state;
	if (dir == DIR_C2S && x->t != NULL && x->t->ex != NULL && x->t->ex->x.n_icmp != UINT16_MAX)
		x->t->ex->x.n_icmp++;
}

/* Of the handshake; 0: there was none, or the clock was set back in it. */
static double round_trip_us(const struct vpn_exchange *x)
{
	bool known = x->answered && x->x.request_ns != 0 && x->x.end_ns > x->x.request_ns;
	return known ? (double)(x->x.end_ns - x->x.request_ns) / 1e3 : 0;
}

/* Of the two directions that which lost more. */
static void judge_rate(struct vpn_track *t, struct tunnel_room *room)
{
	enum dir d = t->rate[DIR_S2C].missing >= t->rate[DIR_C2S].missing ? DIR_S2C : DIR_C2S;
	struct rate_facts facts;
	if (t->ex != NULL && tunnel_rate_judge(&t->rate[d], round_trip_us(t->ex), &facts)) {
		t->ex->rate = facts;
		t->ex->rate.dir = (uint8_t)d;
	}
	for (d = DIR_C2S; d <= DIR_S2C; d++)
		tunnel_rate_free(&t->rate[d], room);
}

/* What only looks like one is left to others to name: see record_labels(). */
static void flow_end(void *shard, void *state, const struct flow *f, struct app_facts *facts,
		     struct label *out)
{
	(void)f, (void)out;
	struct vpn_flow *x = state;
	struct vpn_track *t = x->t;
	x->t = NULL;
	if (t == NULL)
		return;
	judge_rate(t, shard);
	vpn_exchange_finish(t->ex, &t->facts, facts);
	if (t->facts.proto != VPN_NONE || t->facts.fet)
		facts->vpn = malloc(sizeof(*facts->vpn));
	if (facts->vpn != NULL) {
		*facts->vpn = t->facts;
		/* SSTP is more than the HTTP that it begins like. */
		if (t->facts.both && (facts->app_proto == NULL || t->facts.proto == VPN_SSTP))
			facts->app_proto = vpn_proto_name[t->facts.proto];
	}
	free(t);
}

static int shard_open(void *shard, const struct analysis_config *cfg)
{
	struct tunnel_room *room = shard;
	room->off = cfg->no_throttling;
	return 0;
}

const struct classifier classifier_vpn = {
	.name = "vpn",
	.doc = "OpenVPN, WireGuard, IKE, L2TP, DTLS, PPTP, SSTP, SSH; fully encrypted data",
	.shard_size = sizeof(struct tunnel_room),
	.shard_open = shard_open,
	.flow_size = sizeof(struct vpn_flow),
	/* Over UDP, and PPTP's over GRE; of others it is told the first packet. */
	.packet_proto = IPPROTO_UDP,
	.packet = packet,
	.icmp = icmp,
	.stream = stream,
	.stream_end = stream_end,
	.flow_end = flow_end,
};
