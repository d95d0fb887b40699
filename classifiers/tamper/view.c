/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/view.h"

#include <string.h>

#include "classifiers/app/vpn.h"
#include "dataplane/seq.h"

#define MIRROR_NS 1000000000ull
#define DECOY_TTL 12       /* hops left: a forger's packet is made to arrive */
#define SAME_HOPS 2        /* between hosts of one site */
#define IPID_STEP_MAX 64   /* EV-IPID: a counter's step between two packets of one flow */

/*
 * A RST of the client's that is meant to die on the way: evasion tools clear a box's memory of the
 * connection with it (Bock et al., Geneva, CCS 2019, TCB teardown).
 */
static bool is_decoy(const struct view *v, const struct event *e)
{
	const struct half *c = &v->ev->half[DIR_C2S];
	return event_dir(e) == DIR_C2S && c->syn && e->ttl <= DECOY_TTL && e->ttl + 20 < c->syn_ttl;
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
			    (e->flags & (TCP_SYN | TCP_FIN | TCP_URG | EVENT_BAD_CHECKSUM)) == 0)
				v->rst[v->n_rst++] = (uint16_t)i;
			continue;
		}
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

/* The first client packet that brings the stream up to seq; -1. */
static int packet_reaching(const struct view *v, uint32_t seq)
{
	for (unsigned i = 0; i < v->n; i++)
		if (event_dir(&v->e[i]) == DIR_C2S && v->e[i].len != 0 &&
		    (v->e[i].flags & TCP_RST) == 0 &&
		    seq_leq(seq, v->e[i].seq + v->e[i].len))
			return (int)i;
	return -1;
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

static enum ipid_class ipid_classify(const struct view *v)
{
	unsigned n = 0, zero = 0, same = 0, steps = 0;
	uint16_t last = 0;
	for (unsigned i = 0; i < v->n; i++) {
		if (!view_is_own(v, i))
			continue;
		uint16_t id = v->e[i].ip_id;
		zero += id == 0;
		if (n != 0) {
			uint16_t step = (uint16_t)(id - last);
			same += step == 0;
			steps += step >= 1 && step <= IPID_STEP_MAX;
		}
		last = id;
		n++;
	}
	if (n < 2 || v->ev->ipv6)
		return IPID_UNKNOWN;
	if (zero == n)
		return IPID_ZERO;
	if (same == n - 1)
		return IPID_CONSTANT;
	if (steps == n - 1)
		return n >= 3 ? IPID_COUNTER : IPID_UNKNOWN;
	return n >= 3 && steps == 0 ? IPID_RANDOM : IPID_UNKNOWN;
}

static void baseline_take(struct baseline *b, uint8_t lo, uint8_t hi, uint8_t df)
{
	if (b->n == 0 || lo < b->ttl_lo)
		b->ttl_lo = lo;
	if (hi > b->ttl_hi)
		b->ttl_hi = hi;
	b->df |= df;
	b->n++;
}

static uint8_t event_df(const struct view *v, unsigned i)
{
	if (v->ev->ipv6 || (v->e[i].flags & EVENT_REASSEMBLED) != 0)
		return 0;
	return (v->e[i].bits & EVENT_DF) != 0 ? 2 : 1;
}

/* Other flows with the same server address and port stand in where this one shows too little. */
static void baseline_from_habits(struct view *v)
{
	if (v->ctx == NULL || v->dir != DIR_S2C)
		return;
	const struct server_habits *h = context_server(v->ctx, &v->flow->server,
						       v->flow->server_port, v->flow->ip_version);
	bool plain = false;
	for (unsigned i = 0; h != NULL && i < h->n; i++) {
		const struct habit *one = &h->habit[i];
		if (one->flow_id == v->flow->id || !one->trusted || (plain && one->foreign))
			continue;
		plain = !one->foreign;
		baseline_take(&v->base, h->habit[i].ttl_lo, h->habit[i].ttl_hi, h->habit[i].df);
		v->base.other_flows = true;
	}
}

static void baseline_elsewhere(struct view *v)
{
	if (v->base.n == 0)
		baseline_from_habits(v);
	int shake = v->dir == DIR_S2C ? v->synack : v->syn;
	/* Other flows may have met another host behind the same address, this one's handshake did not. */
	if (shake >= 0 && (v->base.n == 0 || v->base.other_flows)) {
		v->base.handshake_only = v->base.n == 0;
		baseline_take(&v->base, v->e[shake].ttl, v->e[shake].ttl,
			      event_df(v, (unsigned)shake));
	}
}

static void find_baseline(struct view *v, int except)
{
	v->base = (struct baseline){.n = 0};
	for (unsigned i = 0; i < v->n; i++)
		if (view_is_own(v, i) && (int)i != except)
			baseline_take(&v->base, v->e[i].ttl, v->e[i].ttl, event_df(v, i));
	v->base.ipid = ipid_classify(v);
	baseline_elsewhere(v);
}

struct view view_of_others(const struct view *v)
{
	struct view w = *v;
	w.base = (struct baseline){.n = 0};
	baseline_elsewhere(&w);
	return w;
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
	find_landmarks(v);
	find_trigger(v);
	find_baseline(v, -1);
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
	find_baseline(v, -1);
}

struct view view_without(const struct view *v, unsigned i)
{
	struct view w = *v;
	find_baseline(&w, (int)i);
	w.base.ipid = v->base.ipid;
	return w;
}

bool view_in_series(const struct view *v, unsigned i)
{
	struct view w = view_without(v, i);
	return w.base.n != 0 && view_is_own(v, i) && !view_ttl_off(&w, i, VIEW_TTL_TOLERANCE) &&
	       !view_df_off(&w, i);
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

bool view_ttl_off(const struct view *v, unsigned i, unsigned delta)
{
	if (v->base.n == 0)
		return false;
	int ttl = v->e[i].ttl;
	return ttl < (int)v->base.ttl_lo - (int)delta || ttl > (int)v->base.ttl_hi + (int)delta;
}

unsigned view_hops(unsigned ttl)
{
	return ttl <= 32 ? 32 - ttl : ttl <= 64 ? 64 - ttl : ttl <= 128 ? 128 - ttl : 255 - ttl;
}

bool view_as_far(const struct view *v, unsigned i)
{
	if (v->ev->n_probes != 0)
		return false;
	unsigned hops = view_hops(v->e[i].ttl);
	unsigned lo = view_hops(v->base.ttl_hi), hi = view_hops(v->base.ttl_lo);
	if (lo > hi)
		lo = hi = view_hops(v->base.ttl_lo);
	return hops + SAME_HOPS >= lo && hops <= hi + SAME_HOPS;
}

bool view_df_off(const struct view *v, unsigned i)
{
	uint8_t df = event_df(v, i);
	return v->base.n != 0 && df != 0 && (v->base.df & df) == 0;
}

/* The sender's own packets next to i, -1 where there is none or the record has a hole. */
static int own_neighbour(const struct view *v, unsigned i, int step)
{
	for (int k = (int)i + step; k >= 0 && k < (int)v->n; k += step) {
		if (v->ev->skipped_at != 0 &&
		    ((k < (int)v->ev->skipped_at) != ((int)i < (int)v->ev->skipped_at)))
			return -1;
		if (view_is_own(v, (unsigned)k))
			return k;
	}
	return -1;
}

/* Counted a little after packet k, which packet i may have overtaken on the way, or was by. */
static bool swapped_ids(const struct view *v, unsigned i, unsigned k)
{
	const struct event *a = &v->e[i < k ? i : k], *b = &v->e[i < k ? k : i];
	return b->ts_ns - a->ts_ns < VIEW_REORDER_NS &&
	       (uint16_t)(a->ip_id - b->ip_id) <= IPID_STEP_MAX;
}

bool view_ipid_off(const struct view *v, unsigned i)
{
	const struct event *e = &v->e[i];
	if (v->ev->ipv6)
		return false;
	/* Linux answers for a socket that is gone with IP-ID 0 and DF, whatever it counted before. */
	if ((e->flags & TCP_RST) != 0 && e->ip_id == 0 && (e->bits & EVENT_DF) != 0)
		return false;
	if (v->base.ipid == IPID_ZERO)
		return e->ip_id != 0;
	if (v->base.ipid != IPID_COUNTER)
		return false;
	int before = own_neighbour(v, i, -1), after = own_neighbour(v, i, 1);
	if (before >= 0 && (uint16_t)(e->ip_id - v->e[before].ip_id) <= IPID_STEP_MAX)
		return false;
	if (after >= 0 && (uint16_t)(v->e[after].ip_id - e->ip_id) <= IPID_STEP_MAX)
		return false;
	if ((before >= 0 && swapped_ids(v, i, (unsigned)before)) ||
	    (after >= 0 && swapped_ids(v, i, (unsigned)after)))
		return false;
	return before >= 0 || after >= 0;
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
	       event_dir(e) == event_dir(r) && e->ts_ns - r->ts_ns < VIEW_REORDER_NS &&
	       seq_lt(e->seq, r->seq);
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
	if (data)
		return STAGE_POST_PSH;
	if (v->handshake_ack >= 0 && v->handshake_ack < (int)i)
		return STAGE_POST_ACK;
	return v->synack >= 0 && v->synack < (int)i ? STAGE_POST_SYN : STAGE_PRE_SYNACK;
}
