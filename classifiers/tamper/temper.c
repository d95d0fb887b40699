/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/temper.h"

#include <string.h>

#define IDLE_CAP_NS 20000000000ull /* NATs and servers close what idles longer */
#define EXCHANGE_NS 2000000000ull
#define TWO_ODDITIES 4 /* points of two D2 */
#define SOON_NS 1000000000ull
#define KEPT_NS 1000000000ull /* a connection that is kept for another request */
#define PAIR_NS 5000000ull /* between two resets that one box sends both ways, queues included */

static void cap(struct judged_case *c, enum verdict most, const char *why)
{
	if (c->verdict > most) {
		c->verdict = most;
		c->cap_why = why;
	}
}

/*
 * Packet k and r have one window, that neither a closed socket says nor anything else of k's sender, and one
 * TTL: two hosts share them by chance alone.
 */
static bool is_stamped_as(const struct view *v, unsigned k, const struct event *r)
{
	const struct event *a = &v->e[k];
	for (unsigned i = 0; i < v->n; i++)
		if (event_dir(&v->e[i]) == v->dir && (v->e[i].flags & TCP_RST) == 0 &&
		    v->e[i].window == a->window)
			return false;
	return a->window != 0 && a->window == r->window && a->ttl == r->ttl && a->flags == r->flags;
}

bool temper_is_pair(const struct view *across, unsigned k, const struct event *r)
{
	const struct event *e = &across->e[k];
	uint64_t apart = e->ts_ns < r->ts_ns ? r->ts_ns - e->ts_ns : e->ts_ns - r->ts_ns;
	return (e->flags & TCP_RST) != 0 && event_dir(e) == across->dir && event_dir(r) != across->dir &&
	       apart < PAIR_NS && across->base.n != 0 &&
	       (is_stamped_as(across, k, r) || view_ttl_off(across, k, VIEW_TTL_TOLERANCE) ||
		view_df_off(across, k));
}

/*
 * The other side had already closed, so that this answers a packet out of state; but a box that resets both
 * sides at once is no side of it.
 */
static bool out_of_state(const struct view *v, const struct view *across, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if ((v->e[k].flags & TCP_RST) != 0 && event_dir(&v->e[k]) != v->dir &&
		    (across == NULL || !temper_is_pair(across, k, &v->e[i])))
			return true;
	return false;
}

/* The longest pause before the reset or before the packets of the two seconds that led to it. */
static uint64_t idle_before(const struct view *v, unsigned i)
{
	uint64_t longest = 0;
	for (unsigned k = i; k > 0 && v->e[i].ts_ns - v->e[k].ts_ns < EXCHANGE_NS; k--)
		if (v->e[k].ts_ns - v->e[k - 1].ts_ns > longest)
			longest = v->e[k].ts_ns - v->e[k - 1].ts_ns;
	return longest;
}

/*
 * Reset i came right behind the request that ended a pause, and the server's own stack refused that request a
 * round trip later: so it had closed before, as servers and their balancers do with what nobody uses, and the
 * reset was on its way. A box resets a server, if at all, behind the request.
 */
static bool crossed_request(const struct view *v, unsigned i)
{
	int q = view_last_sent(v, i);
	uint64_t rtt = view_min_rtt(v, (int)i, true);
	if (v->dir != DIR_S2C || q < 1 || v->e[q].len == 0 || rtt == UINT64_MAX ||
	    v->ev->half[DIR_S2C].n_data == 0 || v->e[q].ts_ns - v->e[q - 1].ts_ns < KEPT_NS)
		return false;
	for (unsigned k = i + 1; k < v->n; k++) {
		const struct event *e = &v->e[k];
		uint64_t dt = e->ts_ns - v->e[q].ts_ns;
		if (event_dir(e) == v->dir && (e->flags & (TCP_RST | TCP_ACK)) == TCP_RST &&
		    e->seq == v->e[q].ack && !view_df_off(v, k) &&
		    !view_ttl_off(v, k, VIEW_TTL_TOLERANCE))
			return dt * 10 >= rtt * 8 && dt <= 2 * rtt;
	}
	return false;
}

static bool has_row(const struct judged_case *c, const char *id)
{
	for (unsigned i = 0; i < c->n_rows; i++)
		if (strcmp(c->rows[i].sig->id, id) == 0)
			return true;
	return false;
}

/*
 * Seen at the server, a client that resets as soon as it was answered: what Cloudflare counts as
 * possibly tampered, and what a page closed at once looks like too.
 */
static bool early_client_reset(const struct view *v, unsigned i)
{
	const struct half *s = &v->ev->half[DIR_S2C];
	bool here = v->ctx == NULL || context_vantage(v->ctx, NULL, 0) == VANTAGE_SERVER;
	return v->dir == DIR_C2S && here && s->n_data != 0 &&
	       v->ev->half[DIR_C2S].first_len != 0 && v->e[i].ts_ns - s->first_data_ns < SOON_NS &&
	       v->ev->half[DIR_C2S].n_data == 1;
}

/*
 * A balancer or firewall that closes for its server, or a client's router for it, stamps otherwise, and
 * nothing else is odd; that its reset overtook the sender's data on the way is not.
 */
static bool only_header(const struct judged_case *c)
{
	for (unsigned i = 0; i < c->n_rows; i++)
		if (c->rows[i].t.grade >= GRADE_D2 && c->rows[i].sig->fact != FACT_HEADER &&
		    !(c->rows[i].t.grade == GRADE_D2 && c->rows[i].sig->fact == FACT_LATE))
			return false;
	return true;
}

/* Taken at the server, and every reset of it still has the TTL that its packets begin with. */
static bool is_at_its_sender(const struct view *v)
{
	if (v->ctx == NULL || context_vantage(v->ctx, NULL, 0) != VANTAGE_SERVER || v->base.n == 0)
		return false;
	bool fresh = true;
	for (unsigned k = 0; k < v->n_rst; k++) {
		uint8_t ttl = v->e[v->rst[k]].ttl;
		fresh &= (ttl == 64 || ttl == 128 || ttl == 255) && ttl == v->base.ttl_hi;
	}
	return fresh && v->base.ttl_lo == v->base.ttl_hi;
}

/* Whether a reset deserves a line at all, and how high it may go. */
static void temper_reset(const struct view *v, struct judged_case *c)
{
	unsigned i = (unsigned)c->first;
	bool refused = has_row(c, "reset-after-request");
	c->endpoint_like = true;
	for (unsigned k = 0; k < v->n_rst; k++)
		c->endpoint_like &= view_endpoint_like(v, v->rst[k]);
	bool local = v->dir == DIR_C2S && v->ctx != NULL &&
		     context_vantage(v->ctx, NULL, 0) == VANTAGE_CLIENT;
	if (local) {
		c->verdict = VERDICT_NONE; /* the client's own kernel, or its evasion tool's decoys */
		return;
	}
	if (v->dir == DIR_S2C && is_at_its_sender(v))
		cap(c, VERDICT_ANOMALY, "the capture was taken at the server, which sends such packets");
	if (c->best == GRADE_D4)
		return;
	/* The endpoint-RST whitelist; a request that was answered by a reset is still mentioned. */
	bool asked = !view_after_fin(v, i) &&
		     ((view_stage(v, i) == STAGE_POST_PSH && view_asked(v)) ||
		      early_client_reset(v, i));
	if (c->endpoint_like && c->best <= GRADE_D2) {
		c->verdict = refused ? VERDICT_ANOMALY : asked ? VERDICT_INCONCLUSIVE : VERDICT_NONE;
		c->cap_why = "the reset is what its sender itself would send";
	} else if (c->score < 2 && !asked) {
		c->verdict = VERDICT_NONE;
	}
	if (view_after_fin(v, i))
		cap(c, c->best == GRADE_D3 ? VERDICT_ANOMALY : VERDICT_NONE,
		    "the reset came after a FIN");
	if (out_of_state(v, c->across, i))
		cap(c, c->best == GRADE_D3 ? VERDICT_ANOMALY : VERDICT_NONE,
		    "the other side had reset the connection before");
	if (only_header(c))
		cap(c, VERDICT_ANOMALY, v->dir == DIR_S2C
			? "a balancer or firewall of the server's may close for it"
			: "the client's router may refuse for it what comes late");
	if (v->dir == DIR_S2C && v->synack < 0 && v->base.n == 0)
		cap(c, VERDICT_ANOMALY, "nothing shows that the port was ever open");
	if (crossed_request(v, i))
		cap(c, VERDICT_ANOMALY, "the server had closed before the request came, which it refused");
	if (idle_before(v, i) > IDLE_CAP_NS)
		cap(c, VERDICT_ANOMALY, "the connection had been idle for over 20 s");
}

/* What a resolver does of its own accord, at any of its sites, accuses nobody else. */
static void temper_dns(const struct view *v, struct judged_case *c)
{
	bool decisive = false, known = false, third_party = false, other = false, firm = false;
	for (unsigned i = 0; i < c->n_rows; i++) {
		const struct row *r = &c->rows[i];
		bool list = strcmp(r->sig->id, "dns-known-address") == 0;
		bool early = strcmp(r->sig->id, "dns-early") == 0;
		bool worded = r->sig->fact == FACT_SHAPE;
		decisive |= r->t.grade == GRADE_D4 && !list;
		known |= r->t.grade == GRADE_D4 && list;
		/* What it forges for its own users it may word otherwise than what it was told. */
		third_party |= r->t.grade >= GRADE_D2 && r->sig->fact != FACT_ADDRESS && !worded;
		other |= r->t.grade >= GRADE_D3 || (r->t.grade == GRADE_D2 && !early);
		firm |= !early && (r->t.grade >= GRADE_D3 ||
				   (r->t.grade == GRADE_D2 && r->sig->fact != FACT_ANSWERS));
	}
	/* Weak signs by themselves, and another route, are no news. */
	if (c->score < 2 || !other)
		c->verdict = VERDICT_NONE;
	/* Whose address it is, a list says; whether it is theirs here, where the capture was taken. */
	if (!decisive && known && context_country(v->flow)[0] == '\0')
		cap(c, VERDICT_LIKELY, "the country of the capture is not known");
	if (!decisive && !known && !third_party)
		cap(c, VERDICT_ANOMALY, "the server may answer so itself, or the name's owner");
	if (!firm)
		cap(c, VERDICT_ANOMALY, "servers of one address may answer a doubled query so");
}

void temper(const struct view *v, struct judged_case *c)
{
	bool named = false;
	for (unsigned i = 0; i < c->n_rows; i++)
		named |= c->rows[i].sig->names ||
			 (c->cause == CAUSE_RESET && c->rows[i].t.grade >= GRADE_D2);
	bool scanner = v->ctx != NULL && context_is_scanner(v->ctx, &v->flow->client,
							    v->flow->ip_version);
	/* An answer that came too soon and looks made up: each is common, both are not. */
	named |= c->cause == CAUSE_CONTENT && c->score >= TWO_ODDITIES;
	if (c->cause == CAUSE_RESET && c->first >= 0)
		temper_reset(v, c);
	else if (!named)
		c->verdict = VERDICT_NONE;
	if (c->cause == CAUSE_DNS)
		temper_dns(v, c);
	if (cause_is_absence(c->cause) && c->absent_lowered)
		cap(c, VERDICT_INCONCLUSIVE, "the capture cannot vouch for an absence");
	if (scanner && c->best < GRADE_D4)
		c->verdict = VERDICT_NONE;
	/* A SYN into a capture of one direction says nothing at all. */
	if (c->cause == CAUSE_SILENCE && c->absent_lowered && v->ev->half[DIR_C2S].n_data == 0)
		c->verdict = VERDICT_NONE;
}
