/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/view.h"

#include <string.h>

#include "classifiers/app/vpn.h"
#include "classifiers/tamper/lateness.h"
#include "dataplane/seq.h"

#define MIRROR_NS 1000000000ull
#define DECOY_TTL 12       /* hops left: a forger's packet is made to arrive */

/*
 * The number before the client's first byte. A capture that lacks the SYN has the answer to it, or begins
 * with a ClientHello or request, which nothing but packet `at` came before.
 */
static bool client_begins(const struct view *v, const struct event *at, uint32_t *isn)
{
	const struct half *c = &v->ev->half[DIR_C2S];
	bool first = v->first_c2s < 0 || at->ts_ns - v->e[v->first_c2s].ts_ns < v->reorder_ns;
	bool asked = first && c->n_data != 0 && (v->flow->tls != NULL || v->flow->http != NULL);
	if (c->syn)
		*isn = c->isn;
	else if (v->synack >= 0)
		*isn = v->e[v->synack].ack - 1;
	else if (asked)
		*isn = c->first_seq - 1;
	return c->syn || v->synack >= 0 || asked;
}

/* A router says that it did not go on: time exceeded, RFC 792 and RFC 4443. */
static bool died_on_the_way(const struct view *v, const struct event *e)
{
	for (unsigned i = 0; i < v->ev->n_icmp; i++) {
		const struct icmp_note *n = &v->ev->more->icmp[i];
		if (n->type == (n->version == 4 ? 11 : 3) && n->quoted_dir == DIR_C2S &&
		    n->quoted_seq == e->seq && n->quoted_ip_id == e->ip_id && n->ts_ns >= e->ts_ns)
			return true;
	}
	return false;
}

/*
 * A RST of the client's that is not meant for the server: evasion tools clear a box's memory of the
 * connection with it (Bock et al., Geneva, CCS 2019, TCB teardown). It dies on the way, or has a number
 * from before the connection, which no receiver takes, and nobody writes who saw packets of it.
 */
static bool is_decoy(const struct view *v, const struct event *e)
{
	const struct half *c = &v->ev->half[DIR_C2S];
	unsigned usual = c->syn ? c->syn_ttl : c->ttl_max;
	uint32_t isn;
	return event_dir(e) == DIR_C2S &&
	       ((e->ttl <= DECOY_TTL && e->ttl + 20u < usual) ||
		(e->ttl + 20u < usual && died_on_the_way(v, e)) ||
		(e->seq != 0 && client_begins(v, e, &isn) && seq_lt(e->seq, isn)));
}

/* A bound on windows in use: what lies further ahead is no number of this connection. */
#define FAR_AHEAD (1 << 24)

static bool is_of(const struct half *s, uint32_t seq)
{
	return !s->syn || (seq_leq(s->isn, seq) && seq_diff(seq, s->next) <= FAR_AHEAD);
}

/*
 * A RST of an earlier connection on the same ports, late or shown once more: neither number is of this one.
 * It ends nothing (RFC 5961, section 3.2). Injectors that know no number write 0.
 */
static bool is_stray(const struct view *v, const struct event *e)
{
	const struct half *s = &v->ev->half[v->dir], *p = &v->ev->half[dir_other(v->dir)];
	bool acks = (e->flags & TCP_ACK) != 0;
	return s->syn && e->seq != 0 && !is_of(s, e->seq) && !(acks && p->syn && is_of(p, e->ack));
}

static void find_landmarks(struct view *v)
{
	v->syn = v->synack = v->handshake_ack = v->first_c2s = v->first_s2c = v->first_fin = -1;
	for (unsigned i = 0; i < v->n; i++) {
		const struct event *e = &v->e[i];
		bool s2c = event_dir(e) == DIR_S2C;
		if ((e->flags & TCP_RST) != 0) {
			/* With SYN, FIN or URG beside it, it is garbage that no forger sends either. */
			if (event_dir(e) == v->dir && v->n_rst < VIEW_RSTS && !is_decoy(v, e) &&
			    !is_stray(v, e) &&
			    (e->flags & (TCP_SYN | TCP_FIN | TCP_URG | EVENT_IGNORED)) == 0)
				v->rst[v->n_rst++] = (uint16_t)i;
			continue;
		}
		if ((e->flags & EVENT_IGNORED) != 0)
			continue;
		if ((e->flags & TCP_SYN) != 0) {
			if (s2c && v->synack < 0)
				v->synack = (int)i;
			if (!s2c && v->syn < 0)
				v->syn = (int)i;
			continue;
		}
		if (!s2c && v->handshake_ack < 0 && v->synack >= 0 && (e->flags & TCP_ACK) != 0)
			v->handshake_ack = (int)i;
		if (e->len != 0 && !s2c && v->first_c2s < 0)
			v->first_c2s = (int)i;
		if (e->len != 0 && s2c && v->first_s2c < 0)
			v->first_s2c = (int)i;
		if ((e->flags & TCP_FIN) != 0 && v->first_fin < 0)
			v->first_fin = (int)i;
	}
}

/* The first client packet that brings the stream up to seq, a probe only if no other does; -1. */
static int packet_reaching(const struct view *v, uint32_t seq)
{
	int probe = -1;
	for (unsigned i = 0; i < v->n; i++) {
		const struct event *e = &v->e[i];
		if (event_dir(e) != DIR_C2S || e->len == 0 || (e->flags & TCP_RST) != 0 ||
		    !seq_leq(seq, e->seq + e->len))
			continue;
		if ((e->bits & EVENT_PROBE) == 0)
			return (int)i;
		if (probe < 0)
			probe = (int)i;
	}
	return probe;
}

static void find_trigger(struct view *v)
{
	const struct half *c = &v->ev->half[DIR_C2S];
	const struct tls_client_hello *tls = v->flow->tls;
	const struct http_request *http = v->flow->http;

	v->trigger_event = v->first_c2s;
	if (c->n_data == 0)
		return;
	uint32_t start = c->syn ? c->isn + 1 : c->first_seq;
	uint32_t end = c->first_len;
	uint32_t name_end = 0;
	if (tls != NULL) {
		end = tls->hello_end != 0 ? tls->hello_end : end;
		if (tls->has_sni) {
			v->trigger = TRIGGER_SNI;
			v->trigger_value = tls->sni;
			name_end = tls->sni_end;
		} else {
			v->trigger = TRIGGER_PROTOCOL;
			v->trigger_value = "tls";
		}
	} else if (http != NULL) {
		end = http->head_end != 0 ? http->head_end : end;
		v->trigger = http->has_host ? TRIGGER_HOST : TRIGGER_NONE;
		v->trigger_value = http->has_host ? http->host : NULL;
		name_end = http->host_end;
	} else if (v->flow->vpn != NULL) {
		const char *name = vpn_proto_name[v->flow->vpn->proto];
		v->trigger = TRIGGER_PROTOCOL;
		v->trigger_value = name != NULL ? name : "fet";
	}
	/* Of other protocols the first message ends with the first pushed packet. */
	for (unsigned i = 0; tls == NULL && http == NULL && i < v->n; i++) {
		const struct event *e = &v->e[i];
		if (event_dir(e) == DIR_C2S && e->len != 0 && (e->flags & TCP_PSH) != 0) {
			end = e->seq + e->len - start;
			break;
		}
	}
	v->request_end = start + end;
	if (name_end != 0)
		v->trigger_event = packet_reaching(v, start + name_end);
}

bool view_is_own(const struct view *v, unsigned i)
{
	const struct event *e = &v->e[i];
	const struct half *s = &v->ev->half[v->dir], *p = &v->ev->half[dir_other(v->dir)];
	if (event_dir(e) != v->dir || (e->flags & (TCP_RST | TCP_SYN)) != 0 ||
	    (e->bits & EVENT_PROBE) != 0)
		return false;
	/* Payload without the negotiated timestamps is what a suspect looks like. */
	return !(s->ts_ok && p->ts_ok && (e->bits & EVENT_TS) == 0);
}

static uint64_t reorder(const struct view *v)
{
	uint64_t seen = v->ctx != NULL ? context_lateness(v->ctx) : 0;
	uint64_t here = (v->ev->found & EVIDENCE_RST) != 0 ? lateness_of(v->ev) : 0;
	seen = seen > here ? seen : here;
	return seen > VIEW_REORDER_NS ? seen : VIEW_REORDER_NS;
}

void view_build(struct view *v, const struct evidence *ev, const struct flow_record *flow,
		const struct context *ctx, enum dir dir)
{
	memset(v, 0, sizeof(*v));
	v->ev = ev;
	v->flow = flow;
	v->ctx = ctx;
	v->pair = ctx != NULL ? context_pair(ctx, &flow->client, &flow->server) : NULL;
	v->e = ev->events;
	v->n = ev->n_events;
	v->dir = dir;
	v->reorder_ns = reorder(v);
	find_landmarks(v);
	find_trigger(v);
	view_baseline(v, -1);
	v->own_rst = view_own_resets(v);
}

void view_build_exchange(struct view *v, const struct evidence *ev, const struct exchange *ex,
			 const struct flow_record *flow, const struct context *ctx)
{
	memset(v, 0, sizeof(*v));
	v->ev = ev;
	v->ex = ex;
	v->flow = flow;
	v->ctx = ctx;
	v->e = ev->events;
	v->n = ev->n_events;
	v->dir = DIR_S2C;
	v->reorder_ns = VIEW_REORDER_NS;
	find_landmarks(v);
	v->trigger_event = v->first_c2s;
	if (ex->name[0] != '\0') {
		v->trigger = ex->kind == EXCHANGE_DNS ? TRIGGER_QNAME : TRIGGER_QUIC_SNI;
		v->trigger_value = ex->name;
	} else if (ex->kind == EXCHANGE_QUIC) {
		v->trigger = TRIGGER_PROTOCOL;
		v->trigger_value = "quic";
	}
	if (ex->kind == EXCHANGE_VPN)
		v->trigger = TRIGGER_PROTOCOL;
	view_baseline(v, -1);
}

/* Whether packet i was sent again before packet `until`: then an answer's time is ambiguous (Karn). */
static bool sent_again(const struct view *v, unsigned i, unsigned until)
{
	for (unsigned k = i + 1; k < until; k++)
		if (event_dir(&v->e[k]) == event_dir(&v->e[i]) && v->e[k].seq == v->e[i].seq &&
		    event_seqlen(&v->e[k]) != 0 && (v->e[k].flags & TCP_RST) == 0)
			return true;
	return false;
}

static bool answers(const struct event *q, const struct event *a)
{
	return event_dir(a) != event_dir(q) && (a->flags & (TCP_RST | TCP_ACK)) == TCP_ACK &&
	       seq_leq(q->seq + event_seqlen(q), a->ack);
}

uint64_t view_min_rtt(const struct view *v, int except, bool with_syn)
{
	uint64_t best = UINT64_MAX;
	for (unsigned i = 0; i < v->n; i++) {
		const struct event *q = &v->e[i];
		if (event_dir(q) == v->dir || event_seqlen(q) == 0 ||
		    (q->flags & TCP_RST) != 0 || (q->bits & (EVENT_RETX | EVENT_PROBE)) != 0 ||
		    ((q->flags & TCP_SYN) != 0 && !with_syn))
			continue;
		for (unsigned k = i + 1; k < v->n; k++) {
			bool own = view_is_own(v, k) || (v->e[k].flags & TCP_SYN) != 0;
			/* A copy of the packet in question is no answer of its own. */
			bool copy = except >= 0 && v->e[except].len != 0 && v->e[k].len != 0 &&
				    v->e[k].seq == v->e[except].seq;
			if ((int)k == except || copy || !own || !answers(q, &v->e[k]))
				continue;
			/* Between a record's head and tail the first answer may be missing. */
			bool hole = v->ev->skipped_at > i && v->ev->skipped_at <= k;
			/* Behind the packet in question what acknowledges more answers something later. */
			hole |= except >= 0 && (unsigned)except < k && answers(q, &v->e[except]) &&
				v->e[k].ack != q->seq + event_seqlen(q);
			if (!sent_again(v, i, k) && !hole && v->e[k].ts_ns >= q->ts_ns &&
			    v->e[k].ts_ns - q->ts_ns < best)
				best = v->e[k].ts_ns - q->ts_ns;
			break;
		}
	}
	return best;
}

uint64_t view_server_rtt(const struct view *v)
{
	const struct server_habits *h =
		v->ctx == NULL || v->dir != DIR_S2C
			? NULL
			: context_server(v->ctx, &v->flow->server, v->flow->server_port,
					 v->flow->ip_version);
	return h != NULL ? h->min_rtt_ns : UINT64_MAX;
}

unsigned view_server_shakes(const struct view *v)
{
	const struct server_habits *h =
		v->ctx == NULL || v->dir != DIR_S2C
			? NULL
			: context_server(v->ctx, &v->flow->server, v->flow->server_port,
					 v->flow->ip_version);
	return h != NULL ? h->shakes : 0;
}

bool view_after_fin(const struct view *v, unsigned i)
{
	return v->first_fin >= 0 && v->first_fin < (int)i;
}

int view_last_sent(const struct view *v, unsigned i)
{
	for (int k = (int)i - 1; k >= 0; k--)
		if (event_dir(&v->e[k]) != v->dir && event_seqlen(&v->e[k]) != 0 &&
		    (v->e[k].flags & TCP_RST) == 0)
			return k;
	return -1;
}

bool view_mirrors_ipid(const struct view *v, unsigned i)
{
	const struct event *e = &v->e[i];
	int k = view_last_sent(v, i);
	if (k < 0 || v->ev->ipv6 || e->ip_id == 0 || e->ip_id != v->e[k].ip_id ||
	    e->ts_ns - v->e[k].ts_ns > MIRROR_NS || v->base.ipid == IPID_CONSTANT)
		return false;
	return v->base.ipid != IPID_COUNTER || view_ipid_off(v, i);
}

bool view_acked_before(const struct view *v, unsigned i, uint32_t *ack)
{
	bool any = false;
	for (unsigned k = 0; k < i; k++) {
		const struct event *e = &v->e[k];
		if (event_dir(e) == v->dir || (e->flags & (TCP_ACK | TCP_RST)) != TCP_ACK)
			continue;
		if (!any || seq_lt(*ack, e->ack))
			*ack = e->ack;
		any = true;
	}
	return any;
}

bool view_next_before(const struct view *v, unsigned i, uint32_t *next)
{
	bool any = false;
	for (unsigned k = 0; k < i; k++) {
		const struct event *e = &v->e[k];
		if (event_dir(e) != v->dir || (e->flags & TCP_RST) != 0)
			continue;
		uint32_t end = e->seq + event_seqlen(e);
		if (!any || seq_lt(*next, end))
			*next = end;
		any = true;
	}
	return any;
}

bool view_endpoint_like(const struct view *v, unsigned i)
{
	const struct event *e = &v->e[i];
	uint32_t ack = 0, next = 0;
	if (v->base.n == 0 || view_ttl_off(v, i, VIEW_TTL_TOLERANCE) || view_df_off(v, i))
		return false;
	return (view_acked_before(v, i, &ack) && e->seq == ack) ||
	       (view_next_before(v, i, &next) && e->seq == next) || view_after_fin(v, i);
}

bool view_overtook(const struct view *v, unsigned i, unsigned k)
{
	const struct event *r = &v->e[i], *e = &v->e[k];
	return k > i && (r->flags & TCP_RST) != 0 && (e->flags & TCP_RST) == 0 &&
	       event_dir(e) == event_dir(r) && e->ts_ns - r->ts_ns < v->reorder_ns &&
	       seq_lt(e->seq, r->seq);
}

#define REQUEST_MOST 65535   /* bytes: what is acknowledged beyond is another connection's */
#define BURST_NS 50000000ull /* what one packet drew: devices answer within milliseconds */

/* Of the client nothing was captured, but what it sent was acknowledged by then, or by the same burst. */
static bool acknowledged_unseen(const struct view *v, unsigned i)
{
	if (v->dir != DIR_S2C || v->synack < 0 || v->ev->half[DIR_C2S].seen)
		return false;
	uint32_t from = v->e[v->synack].ack;
	for (unsigned k = (unsigned)v->synack + 1; k < v->n; k++) {
		const struct event *e = &v->e[k];
		bool same = k <= i || ((e->flags & TCP_RST) != 0 && e->ts_ns - v->e[i].ts_ns < BURST_NS);
		if (same && (e->flags & TCP_ACK) != 0 && seq_lt(from, e->ack) &&
		    e->ack - from <= REQUEST_MOST)
			return true;
	}
	return false;
}

enum stage view_stage(const struct view *v, unsigned i)
{
	bool data = false, later = false;
	if (v->ex != NULL) /* a request without a handshake */
		return STAGE_POST_PSH;
	for (unsigned k = 0; k < v->n; k++) {
		const struct event *e = &v->e[k];
		if (e->len == 0 || (e->flags & TCP_RST) != 0 ||
		    (k >= i && !view_overtook(v, i, k)))
			continue;
		if (event_dir(e) == DIR_S2C || seq_lt(v->request_end, e->seq + e->len))
			later = true;
		data = true;
	}
	/* What the record left out came after the first data. */
	if (v->ev->skipped_at != 0 && v->ev->skipped_at <= i)
		later = true;
	if (later)
		return STAGE_LATER;
	if (data || (i < v->n && acknowledged_unseen(v, i)))
		return STAGE_POST_PSH;
	if (v->handshake_ack >= 0 && v->handshake_ack < (int)i)
		return STAGE_POST_ACK;
	return v->synack >= 0 && v->synack < (int)i ? STAGE_POST_SYN : STAGE_PRE_SYNACK;
}
