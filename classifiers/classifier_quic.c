/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Client Initials and what came back. Only those up to the end of the ClientHello are opened, and
 * of the server's first datagrams only those that do not show what they are by their headers.
 */

#include <stdlib.h>
#include <string.h>

#include "classifiers/app/quic_crypto.h"
#include "classifiers/classifier.h"
#include "classifiers/tamper/quic_exchange.h"
#include "dataplane/reassembly.h"

#define PROTO_UDP 17
#define CRYPTO_BUDGET (4u << 20) /* bytes of unfinished hellos per thread */
#define SIZE_MIN 1200            /* RFC 9000 section 14.1 */
#define ATTEMPTS_FLOW 16         /* of one pair of ports; a client takes other ports each time */
#define PACKETS_MAX 64           /* of an attempt: by then it has come to something */

struct quic_shard {
	struct quic_crypto *crypto; /* NULL before the first Initial */
	bool refused;               /* by libcrypto: names stay unknown */
	struct reassembly_pool pool;
};

/* Of a flow while it is undecided. */
struct gather {
	struct quic_exchange *ex;  /* the attempt under way; NULL between two */
	struct reassembly hello;   /* CRYPTO bytes of the client */
	struct quic_cid dcid;      /* that Initials' keys come from: the first, or a Retry's */
	struct quic_cid scid;      /* the client's own */
	struct quic_keys keys;     /* of the client, valid with has_keys */
	bool has_keys;
	bool whole;                /* nothing more can come to the hello */
	bool read;                 /* some of it was read */
	bool reported;             /* the flow's facts are of this attempt */
	bool retried;
	uint8_t n_attempts;
};

struct quic_flow {
	struct gather *g;
};

static int shard_open(void *shard, const struct analysis_config *cfg)
{
	(void)cfg;
	struct quic_shard *s = shard;
	s->pool.budget = CRYPTO_BUDGET;
	return 0;
}

static void shard_close(void *shard)
{
	struct quic_shard *s = shard;
	quic_crypto_free(s->crypto);
}

/* Made late: every flow opens the classifier, and few captures of TCP hold QUIC. */
static bool keys_derive(struct quic_shard *s, uint32_t version, const struct quic_cid *dcid,
			enum dir dir, struct quic_keys *out)
{
	if (s->crypto == NULL && !s->refused)
		s->refused = quic_crypto_new(&s->crypto) != 0;
	return !s->refused && quic_keys_derive(s->crypto, version, dcid, dir, out) == 0;
}

static uint16_t more(uint16_t n)
{
	return n != UINT16_MAX ? n + 1 : n;
}

/* A datagram's packets. */
struct datagram {
	const struct packet *pkt;
	const struct headers *h;
	enum dir dir;
	struct cursor c;
	bool cut;
};

static struct datagram datagram_of(enum dir dir, const struct packet *pkt, const struct headers *h)
{
	return (struct datagram){
		.pkt = pkt,
		.h = h,
		.dir = dir,
		.c = cursor_of(h->payload, h->payload_caplen),
		.cut = h->payload_caplen < h->payload_len,
	};
}

/* What became of it, as far as its packets say; how long silence must last is for others. */
static void attempt_finish(struct gather *g, struct app_facts *facts)
{
	struct quic_exchange *q = g->ex;
	g->ex = NULL;
	if (q == NULL)
		return;
	if (!q->opened) { /* it only looked like one */
		exchange_free(&q->x);
		return;
	}
	bool open = q->x.end == ATTEMPT_UNKNOWN && q->n_answers == 0 && !q->went_on;
	if (open && q->n_initials != 0) {
		q->x.end = q->x.n_icmp != 0 ? ATTEMPT_REFUSED : ATTEMPT_SILENT;
		q->x.end_ns = q->last_ns;
	} else if (open && q->n_odd != 0) { /* after a Retry, the client did nothing more */
		bool retry = q->odd[q->n_odd - 1].what == QUIC_ODD_RETRY;
		q->x.end = retry ? ATTEMPT_OK : ATTEMPT_CLOSED;
		q->x.end_ns = q->x.events[q->odd[q->n_odd - 1].event].ts_ns;
	}
	exchange_done(&q->x, facts);
}

static void gather_free(struct gather *g, struct quic_shard *s)
{
	if (g->ex != NULL)
		exchange_free(&g->ex->x);
	reassembly_free(&g->hello, &s->pool);
	free(g);
}

/* What the report says of the flow: its first attempt that could be read. */
static bool facts_begin(struct app_facts *facts, const struct quic_packet *p)
{
	if (facts->quic == NULL)
		facts->quic = malloc(sizeof(*facts->quic));
	if (facts->quic == NULL)
		return false;
	*facts->quic = (struct quic_hello){.version = p->version, .dcid = p->dcid, .scid = p->scid};
	facts->app_proto = "quic";
	return true;
}

/* Initials of p's connection ID from now on: the first, or those after a Retry or a negotiation. */
static void attempt_keys(struct gather *g, struct quic_shard *s, uint32_t version,
			 const struct quic_cid *dcid)
{
	g->dcid = *dcid;
	g->has_keys = keys_derive(s, version, dcid, DIR_C2S, &g->keys);
}

/* The client's first Initial of an attempt. */
static bool attempt_begin(struct gather *g, struct quic_shard *s, const struct flow *f,
			  const struct quic_packet *p, struct app_facts *facts)
{
	struct quic_exchange *q = calloc(1, sizeof(*q));
	if (q == NULL)
		return false;
	g->reported = !facts->quic->opened && facts_begin(facts, p);
	exchange_init(&q->x, EXCHANGE_QUIC, f->key.ip_version == 6);
	q->x.name = q->sni;
	q->version = p->version;
	q->above = flow_port(f, DIR_C2S) > flow_port(f, DIR_S2C);
	g->ex = q;
	g->scid = p->scid;
	g->whole = g->read = false;
	g->n_attempts++;
	reassembly_free(&g->hello, &s->pool);
	reassembly_start(&g->hello, 0);
	attempt_keys(g, s, p->version, &p->dcid);
	return true;
}

/* The server wants it said otherwise: what is unanswered counts anew. */
static void attempt_restart(struct gather *g)
{
	struct quic_exchange *q = g->ex;
	q->n_initials = q->n_flights = q->n_answers = 0;
	q->x.end = ATTEMPT_UNKNOWN;
	q->x.end_ns = 0;
}

/* What the CRYPTO frames so far say. */
static void hello_read(struct gather *g, struct quic_shard *s, const struct datagram *d,
		       struct app_facts *facts)
{
	struct quic_exchange *q = g->ex;
	struct tls_client_hello tls;
	uint32_t len;
	const uint8_t *data = reassembly_data(&g->hello, &len);
	enum classify answer = data != NULL ? tls_quic_hello_read(data, len, &tls) : CLASSIFY_MORE;
	struct quic_hello *known = facts->quic;
	known->opened = true;
	if (data == NULL)
		return;
	g->whole = answer != CLASSIFY_MORE;
	if (answer == CLASSIFY_NEVER)
		return;
	if (g->reported) {
		known->has_tls = true;
		known->tls = tls;
	}
	if (tls.has_sni && q->sni[0] == '\0') {
		memcpy(q->sni, tls.sni, sizeof(q->sni));
		q->x.request_ns = d->pkt->ts_ns;
	}
	if (g->whole)
		reassembly_free(&g->hello, &s->pool);
}

/* The frames of an Initial that opened. */
static void initial_read(struct gather *g, struct quic_shard *s, const struct datagram *d,
			 const uint8_t *plain, size_t len, struct app_facts *facts)
{
	const struct quic_version *v = quic_version_find(g->ex->version);
	struct cursor c = cursor_of(plain, len);
	struct quic_frame frame;
	g->ex->opened = g->read = true;
	while (v != NULL && v->tls && quic_frame_next(&c, &frame))
		if (frame.type == QUIC_CRYPTO && frame.offset < REASSEMBLY_LIMIT)
			reassembly_add(&g->hello, &s->pool, (uint32_t)frame.offset, frame.data,
				       (uint32_t)frame.len, NULL);
	hello_read(g, s, d, facts);
}

/* Whether an Initial begins anew: not when it has the server's connection ID, after an answer. */
static bool is_other_attempt(const struct gather *g, const struct quic_packet *p)
{
	const struct quic_exchange *q = g->ex;
	return q == NULL || (q->n_answers == 0 && !quic_cid_equal(&p->dcid, &g->dcid) &&
			     !quic_cid_equal(&p->scid, &g->scid));
}

static void count_initial(struct quic_exchange *q, const struct datagram *d)
{
	uint64_t now = d->pkt->ts_ns;
	if (q->n_initials == 0)
		q->first_ns = now;
	if (q->n_initials == 0 || now >= q->last_ns + QUIC_FLIGHT_NS)
		q->n_flights = more(q->n_flights);
	q->n_initials = more(q->n_initials);
	q->last_ns = now > q->last_ns ? now : q->last_ns;
	if (d->h->payload_len > q->size)
		q->size = d->h->payload_len < UINT16_MAX ? (uint16_t)d->h->payload_len : UINT16_MAX;
	if (q->x.request_ns == 0)
		q->x.request_ns = now;
}

/* One Initial of the client. False: no memory, or too many attempts. */
static bool client_initial(struct gather *g, struct quic_shard *s, const struct flow *f,
			   const struct datagram *d, const struct quic_packet *p,
			   struct app_facts *facts)
{
	if (is_other_attempt(g, p)) {
		attempt_finish(g, facts);
		if (g->n_attempts == ATTEMPTS_FLOW || !attempt_begin(g, s, f, p, facts))
			return false;
	} else if (p->version != g->ex->version) { /* RFC 9368: the server had named versions */
		g->ex->version = p->version;
		g->scid = p->scid;
		attempt_restart(g);
		attempt_keys(g, s, p->version, &p->dcid);
	}
	if (!quic_cid_equal(&p->dcid, &g->dcid)) {
		/* It has the server's connection ID from an answer, captured or not. */
		g->ex->went_on = true;
		return true;
	}
	/* A header like this, padded as RFC 9000 wants, will do where bytes are cut off. */
	g->ex->opened |= (p->cut || p->kind == QUIC_RESERVED) && d->h->payload_len >= SIZE_MIN;
	if (!g->has_keys || g->whole)
		return true;
	size_t len;
	const uint8_t *plain = quic_initial_open(s->crypto, &g->keys, p, &len);
	if (plain != NULL)
		initial_read(g, s, d, plain, len, facts);
	return true;
}

/* False: nothing more is wanted of the flow. */
static bool client_datagram(struct gather *g, struct quic_shard *s, const struct flow *f,
			    struct datagram *d, struct app_facts *facts)
{
	struct quic_packet p;
	bool initial = false;
	while (quic_packet_next(&d->c, d->cut, &p)) {
		if (p.kind == QUIC_INITIAL || p.kind == QUIC_RESERVED) {
			if (!client_initial(g, s, f, d, &p, facts))
				return false;
			initial = true;
		} else if (g->ex != NULL && (p.kind == QUIC_HANDSHAKE ||
					     (p.kind == QUIC_SHORT && p.data == d->h->payload))) {
			/* Both need keys from the server's first flight. */
			g->ex->went_on = true;
		}
	}
	if (g->ex == NULL)
		return true;
	if (initial)
		count_initial(g->ex, d);
	g->ex->spread |= g->read && !g->whole;
	exchange_packet(&g->ex->x, DIR_C2S, d->pkt, d->h);
	return true;
}

static void note_odd(struct quic_exchange *q, int event, enum quic_odd what, uint64_t code)
{
	if (event < 0 || q->n_odd == QUIC_ODDS)
		return;
	q->odd[q->n_odd].event = (uint8_t)event;
	q->odd[q->n_odd].what = (uint8_t)what;
	q->odd[q->n_odd++].code = code;
}

static void answered(struct quic_exchange *q, enum attempt_end end, const struct datagram *d)
{
	if (q->x.end != ATTEMPT_OK)
		q->x.end = (uint8_t)end;
	if (q->x.end_ns == 0)
		q->x.end_ns = d->pkt->ts_ns;
}

/* An Initial that ends the attempt says nothing else than that. */
static void server_initial(struct gather *g, struct quic_shard *s, const struct datagram *d,
			   const struct quic_packet *p, int event)
{
	struct quic_exchange *q = g->ex;
	struct quic_keys keys;
	size_t len;
	const uint8_t *plain = NULL;
	if (keys_derive(s, p->version, &g->dcid, DIR_S2C, &keys))
		plain = quic_initial_open(s->crypto, &keys, p, &len);
	if (plain == NULL) {
		/* Cut by the capture its header must do; else its sender knows no keys. */
		if (p->cut)
			answered(q, ATTEMPT_OK, d);
		return;
	}
	struct cursor c = cursor_of(plain, len);
	struct quic_frame frame;
	bool closes = false, content = false;
	uint64_t code = 0;
	while (quic_frame_next(&c, &frame)) {
		content |= frame.type == QUIC_CRYPTO;
		closes |= frame.type == QUIC_CLOSE;
		code = frame.type == QUIC_CLOSE ? frame.code : code;
	}
	if (closes) {
		note_odd(q, event, QUIC_ODD_CLOSE, code);
		/* CRYPTO_ERROR, a TLS alert: RFC 9000 section 20.1. */
		answered(q, code >> 8 == 1 ? ATTEMPT_ALERT : ATTEMPT_CLOSED, d);
	} else if (content) {
		answered(q, ATTEMPT_OK, d);
	}
}

/* False: what the flow is for is known. */
static bool server_datagram(struct gather *g, struct quic_shard *s, struct datagram *d)
{
	struct quic_exchange *q = g->ex;
	struct quic_packet p, initial = {.kind = QUIC_SHORT};
	bool handshake = false;
	if (q == NULL)
		return true;
	int event = exchange_packet(&q->x, DIR_S2C, d->pkt, d->h);
	q->heard = true;
	q->n_answers = more(q->n_answers);
	while (quic_packet_next(&d->c, d->cut, &p)) {
		bool ours = quic_cid_equal(&p.dcid, &g->scid);
		handshake |= p.kind == QUIC_HANDSHAKE && ours;
		if (p.kind == QUIC_INITIAL && ours)
			initial = p;
		if (p.kind == QUIC_NEGOTIATION && ours) {
			note_odd(q, event, QUIC_ODD_NEGOTIATION, 0);
			if (quic_version_forces_negotiation(q->version))
				answered(q, ATTEMPT_OK, d); /* it was asked for */
		}
		if (p.kind == QUIC_RETRY && ours) {
			note_odd(q, event, QUIC_ODD_RETRY, 0);
			/* Its connection ID makes the next keys (RFC 9001 section 5.2). */
			if (!g->retried)
				attempt_keys(g, s, p.version, &p.scid);
			g->retried = true;
			attempt_restart(g);
		}
	}
	if (handshake)
		answered(q, ATTEMPT_OK, d);
	else if (initial.kind == QUIC_INITIAL)
		server_initial(g, s, d, &initial, event);
	bool known = q->x.end == ATTEMPT_OK && q->n_odd == 0;
	return !known && q->x.n_events + q->x.skipped < PACKETS_MAX;
}

/* The first datagram of a flow: a client's Initial, or what says that there is QUIC at all. */
static enum classify first_look(struct datagram d, struct app_facts *facts)
{
	struct quic_packet p;
	if (!quic_packet_next(&d.c, d.cut, &p) || p.kind == QUIC_SHORT ||
	    p.kind == QUIC_NEGOTIATION)
		return CLASSIFY_NEVER;
	facts->app_proto = "quic"; /* the version is a long number that few other datagrams have */
	if (d.dir != DIR_C2S || !facts_begin(facts, &p))
		return CLASSIFY_NEVER;
	bool opens = p.kind == QUIC_INITIAL || p.kind == QUIC_ZERO_RTT || p.kind == QUIC_RESERVED;
	return opens ? CLASSIFY_MORE : CLASSIFY_NEVER;
}

static enum classify packet(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h,
			    struct app_facts *facts, struct label *out)
{
	(void)out;
	struct quic_shard *s = shard;
	struct quic_flow *x = state;
	struct datagram d = datagram_of(dir, pkt, h);
	if (f->key.proto != PROTO_UDP)
		return CLASSIFY_NEVER;
	if (x->g == NULL) {
		if (first_look(d, facts) != CLASSIFY_MORE)
			return CLASSIFY_NEVER;
		x->g = calloc(1, sizeof(*x->g));
		if (x->g == NULL)
			return CLASSIFY_NEVER;
	}
	bool wanted = dir == DIR_C2S ? client_datagram(x->g, s, f, &d, facts)
				     : server_datagram(x->g, s, &d);
	return wanted ? CLASSIFY_MORE : CLASSIFY_DONE;
}

static void icmp(void *shard, void *state, const struct flow *f, enum dir dir,
		 const struct packet *pkt, const struct headers *h, struct app_facts *facts)
{
	(void)shard, (void)f, (void)pkt, (void)h, (void)facts;
	const struct quic_flow *x = state;
	if (dir == DIR_C2S && x->g != NULL && x->g->ex != NULL)
		x->g->ex->x.n_icmp = more(x->g->ex->x.n_icmp);
}

static void flow_end(void *shard, void *state, const struct flow *f, struct app_facts *facts,
		     struct label *out)
{
	(void)f, (void)out;
	struct quic_flow *x = state;
	if (x->g == NULL)
		return;
	attempt_finish(x->g, facts);
	gather_free(x->g, shard);
	x->g = NULL;
}

const struct classifier classifier_quic = {
	.name = "quic",
	.doc = "opens QUIC Initials (v1, v2, drafts): version, server name, ALPN, JA4",
	.shard_size = sizeof(struct quic_shard),
	.flow_size = sizeof(struct quic_flow),
	.shard_open = shard_open,
	.shard_close = shard_close,
	.packet_proto = PROTO_UDP,
	.packet = packet,
	.icmp = icmp,
	.flow_end = flow_end,
};
