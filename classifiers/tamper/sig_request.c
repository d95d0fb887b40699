/* SPDX-License-Identifier: BSD-3-Clause */

/* What befalls a request as soon as its name was readable: TLS-RST-CH, FIN-INJ. */

#include "classifiers/tamper/signature.h"
#include "dataplane/seq.h"

#define SOON_NS 3000000000ull

/* By then the client had acknowledged data behind its request's number, captured or not. */
static bool was_answered(const struct view *v, unsigned rst)
{
	const struct event *q = &v->e[v->trigger_event], *r = &v->e[rst];
	for (unsigned k = (unsigned)v->trigger_event + 1; v->dir == DIR_S2C && k < v->n; k++) {
		const struct event *e = &v->e[k];
		if (event_dir(e) == DIR_C2S && (e->flags & (TCP_ACK | TCP_RST)) == TCP_ACK &&
		    e->ts_ns < r->ts_ns + v->reorder_ns && seq_lt(q->ack, e->ack) &&
		    seq_leq(e->ack, r->seq))
			return true;
	}
	return false;
}

/* Reset after a ClientHello or a request with a Host, before any byte of the server's. */
static bool match_request_reset(const struct view *v, const struct signature *self,
			      struct testimony *t)
{
	(void)self;
	if ((!view_asked(v) && v->flow->tls == NULL) || v->n_rst == 0 ||
	    v->trigger_event < 0)
		return false;
	uint64_t rtt = view_min_rtt(v, -1, true), soon = SOON_NS;
	if (rtt != UINT64_MAX && 3 * rtt > soon)
		soon = 3 * rtt;
	const struct event *q = &v->e[v->trigger_event];
	for (unsigned i = 0; i < v->n_rst; i++) {
		const struct event *r = &v->e[v->rst[i]];
		if (!view_is_suspect(v, i) || (int)v->rst[i] < v->trigger_event ||
		    r->ts_ns - q->ts_ns > soon ||
		    view_after_fin(v, v->rst[i]) ||
		    view_stage(v, v->rst[i]) != STAGE_POST_PSH || was_answered(v, v->rst[i]))
			continue;
		/* The client's own kernel ends a connection like this whenever its user does. */
		if (v->dir == DIR_C2S && (v->ctx == NULL ||
					  context_vantage(v->ctx, NULL, 0) == VANTAGE_CLIENT))
			continue;
		t->grade = GRADE_D2;
		t->frame = r->frame;
		testimony_suspect(t, v->rst[i]);
		testimony_says(t, "reset %.1f ms after the request",
			       (double)(r->ts_ns - q->ts_ns) / 1e6);
		testimony_expects(t, v->flow->tls != NULL ? "a ServerHello or an alert" : "an answer");
		return true;
	}
	return false;
}

/* A socket that is alive counts on with its IP-ID; one that is gone answers with 0. */
static bool continues_ipid(const struct view *v, unsigned i)
{
	for (int k = (int)i - 1; k >= 0; k--)
		if (view_is_own(v, (unsigned)k)) {
			uint16_t step = (uint16_t)(v->e[i].ip_id - v->e[k].ip_id);
			return v->ev->ipv6 || (step >= 1 && step <= VIEW_IPID_STEP);
		}
	return false;
}

/*
 * A box that turns the server's answer into a reset (TSPU, Xue et al., IMC 2022) leaves all else as it
 * was: the reset is the server's in TTL and IP-ID, and comes just when the answer would.
 */
static bool match_rewritten(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	uint64_t rtt = view_min_rtt(v, -1, true);
	if (v->dir != DIR_S2C || v->flow->tls == NULL || v->n_rst != 1 || v->synack < 0 ||
	    v->trigger_event < 0 || rtt == UINT64_MAX || v->base.n == 0 || v->first_s2c >= 0)
		return false;
	const struct event *r = &v->e[v->rst[0]], *q = &v->e[v->trigger_event];
	uint64_t dt = r->ts_ns - q->ts_ns;
	if ((r->flags & TCP_ACK) == 0 || r->seq != v->e[v->synack].seq + 1 ||
	    (int)v->rst[0] < v->trigger_event || dt < rtt || dt * 10 > rtt * 12 ||
	    v->base.handshake_only || v->base.other_flows || v->base.ttl_lo != v->base.ttl_hi ||
	    r->ttl != v->base.ttl_lo || view_df_off(v, v->rst[0]) || !continues_ipid(v, v->rst[0]))
		return false;
	t->grade = GRADE_D2;
	t->frame = r->frame;
	testimony_suspect(t, v->rst[0]);
	testimony_says(t, "the server's own stamps, %.1f ms after the request, a round trip being %.1f",
		       (double)dt / 1e6, (double)rtt / 1e6);
	testimony_expects(t, "a ServerHello at that time");
	return true;
}

/* FIN without data, then data behind it: the closer and the speaker are two. */
static bool match_data_after_fin(const struct view *v, const struct signature *self,
				 struct testimony *t)
{
	(void)self;
	for (unsigned i = 0; i < v->n; i++) {
		const struct event *f = &v->e[i];
		if (event_dir(f) != v->dir ||
		    (f->flags & (TCP_FIN | TCP_RST | TCP_SYN | EVENT_IGNORED)) != TCP_FIN)
			continue;
		uint64_t rtt = view_min_rtt(v, (int)i, true);
		struct view w = view_without(v, i);
		for (unsigned k = i + 1; k < v->n; k++) {
			const struct event *e = &v->e[k];
			uint64_t dt = e->ts_ns - f->ts_ns;
			if (event_dir(e) != v->dir || e->len < 2 || (e->bits & EVENT_RETX) != 0 ||
			    (e->flags & (TCP_RST | TCP_SYN | EVENT_IGNORED)) != 0 ||
			    seq_lt(e->seq, f->seq + f->len) || rtt == UINT64_MAX || dt < rtt / 2 ||
			    dt < v->reorder_ns ||
			    view_ttl_off(&w, k, 6) || view_df_off(&w, k))
				continue;
			bool unlike = view_ttl_off(&w, i, 6) || view_df_off(&w, i) ||
				      ((f->bits ^ e->bits) & (EVENT_TS | EVENT_DF)) != 0;
			t->grade = unlike ? GRADE_D4 : GRADE_D2;
			t->frame = e->frame;
			testimony_suspect(t, i);
			testimony_says(t, "%u bytes behind the FIN, %.1f ms later", e->len,
				       (double)dt / 1e6);
			testimony_expects(t, "nothing: a FIN is a sender's last number");
			return true;
		}
	}
	return false;
}

const struct signature sig_request[] = {
	{.id = "reset-after-request", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_STAGE, .names = true,
	 .summary = "the connection was reset after its first request, before the server answered",
	 .benign = "a server or load balancer that refuses this name or client",
	 .refs = "OONI, explorer.ooni.org/findings/108298926901 (Pakistan 2024)",
	 .match = match_request_reset},
	{.id = "rst-in-place-of-answer", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_STAGE, .names = true,
	 .summary = "a RST+ACK stamped as the server's next packet came when its ServerHello was due",
	 .benign = "a server that refuses this name or client",
	 .refs = "Xue et al., TSPU, IMC 2022",
	 .match = match_rewritten},
	{.id = "data-after-fin", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_LATE, .names = true,
	 .summary = "the sender went on with data behind a FIN in its name",
	 .benign = "a proxy that closes early", .refs = "RFC 9293 section 3.6; this project's rule",
	 .match = match_data_after_fin},
	{.id = NULL},
};
