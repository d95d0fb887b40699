/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The 19 connection signatures of Sundara Raman et al., "Global, Passive Detection of Connection
 * Tampering" (SIGCOMM 2023), in its order: CF-01 to CF-19. Published for what a server
 * receives; here run for both directions, the server's being the mirror image.
 */

#include <stdlib.h>

#include "classifiers/tamper/signature.h"
#include "dataplane/seq.h"

#define REF "Sundara Raman et al., SIGCOMM 2023; blog.cloudflare.com/connection-tampering"

#define BURST_NS 50000000ull /* what one packet drew: devices answer within milliseconds */
#define TTL_APART 10

enum cf { CF_SYN = 1, CF_ACK, CF_PSH, CF_DATA };

/* What suspect resets of one direction there are, duplicates of a SPAN port left out. */
struct resets {
	unsigned rst, rstack;      /* without and with ACK */
	unsigned acks;             /* distinct acknowledgement fields of bare RSTs */
	bool ack_zero, ack_nonzero;
};

static struct resets count_resets(const struct view *v)
{
	struct resets r = {0};
	for (unsigned i = 0; i < v->n_rst; i++) {
		const struct event *e = &v->e[v->rst[i]];
		if (!view_is_suspect(v, i) || view_is_copy(v, i))
			continue;
		if ((e->flags & TCP_ACK) != 0) {
			r.rstack++;
			continue;
		}
		r.rst++;
		r.ack_zero |= e->ack == 0;
		r.ack_nonzero |= e->ack != 0;
		bool known = false;
		for (unsigned k = 0; k < i; k++)
			known |= view_is_suspect(v, k) && (v->e[v->rst[k]].flags & TCP_ACK) == 0 &&
				 v->e[v->rst[k]].ack == e->ack;
		r.acks += !known;
	}
	return r;
}

/*
 * What aborted with packet `full` refuses a packet that came after it: a round trip later, with the number
 * that this acknowledged, and stamped alike.
 */
static bool is_late_refusal(const struct view *v, unsigned full, unsigned i)
{
	const struct event *e = &v->e[i], *f = &v->e[full];
	uint64_t rtt = view_min_rtt(v, -1, true);
	if (e->ack != 0 || e->ttl != f->ttl || ((e->bits ^ f->bits) & EVENT_DF) != 0 ||
	    rtt == UINT64_MAX)
		return false;
	for (unsigned k = full + 1; k < i; k++)
		if (event_dir(&v->e[k]) != v->dir && (v->e[k].flags & (TCP_ACK | TCP_RST)) == TCP_ACK &&
		    v->e[k].ack == e->seq && (e->ts_ns - v->e[k].ts_ns) * 10 >= rtt * 8)
			return true;
	return false;
}

/* Linux': RST+ACK, then bare RSTs for what still arrives (IP-ID 0, DF, ack 0). */
static bool is_linux_refusal(const struct view *v, unsigned full, unsigned i)
{
	const struct event *e = &v->e[i];
	uint32_t ack;
	if (e->ip_id != 0 || e->ack != 0 || (!v->ev->ipv6 && (e->bits & EVENT_DF) == 0))
		return false;
	return e->seq == v->e[full].seq || (view_acked_before(v, i, &ack) && seq_leq(e->seq, ack));
}

/* One host aborted, and refused what still arrived. */
static bool is_abort(const struct view *v)
{
	unsigned first = 0;
	while (first < v->n_rst && (v->e[v->rst[first]].flags & TCP_ACK) == 0)
		first++;
	if (first == v->n_rst)
		return v->n_rst == 0;
	for (unsigned i = 0; i < v->n_rst; i++) {
		if ((v->e[v->rst[i]].flags & TCP_ACK) != 0)
			continue;
		if (i < first || (!is_linux_refusal(v, v->rst[first], v->rst[i]) &&
				  !is_late_refusal(v, v->rst[first], v->rst[i])))
			return false;
	}
	return true;
}

/* There is one: not all resets are their sender's own. */
static unsigned first_suspect(const struct view *v)
{
	unsigned i = 0;
	while (!view_is_suspect(v, i))
		i++;
	return i;
}

static void name_resets(const struct view *v, const struct resets *r, struct testimony *t)
{
	t->frame = v->e[v->rst[first_suspect(v)]].frame;
	for (unsigned i = 0; i < v->n_rst; i++)
		if (view_is_suspect(v, i))
			testimony_suspect(t, v->rst[i]);
	testimony_says(t, "%u RST, %u RST+ACK", r->rst, r->rstack);
}

static enum cf reset_stage(const struct view *v)
{
	switch (view_stage(v, v->rst[first_suspect(v)])) {
	case STAGE_PRE_SYNACK:
	case STAGE_POST_SYN:
		return CF_SYN;
	case STAGE_POST_ACK:
		return CF_ACK;
	case STAGE_POST_PSH:
		return CF_PSH;
	default:
		return CF_DATA;
	}
}

/* Which of the reset signatures fits; 0 none. They exclude one another. */
static unsigned classify(const struct view *v, const struct resets *r)
{
	enum cf stage = reset_stage(v);
	if (stage == CF_SYN)
		return r->rst != 0 && r->rstack != 0 ? 4 : r->rst != 0 ? 2 : 3;
	if (stage == CF_ACK) {
		if (r->rst != 0)
			return r->rst > 1 ? 7 : 6;
		return r->rstack > 1 ? 9 : 8;
	}
	if (stage == CF_DATA)
		return r->rst != 0 ? 18 : 19;
	if (r->rst != 0 && r->rstack != 0)
		return is_abort(v) ? 12 : 13;
	if (r->rstack != 0)
		return r->rstack > 1 ? 14 : 12;
	if (r->rst == 1)
		return 11;
	if (r->acks == 1)
		return 15;
	return r->ack_zero && r->ack_nonzero ? 17 : 16;
}

/* Neither the same host nor another stack at its distance: EV-TTL's strong difference, both ways. */
static bool apart(uint8_t a, uint8_t b)
{
	int ttl = abs(a - b), hops = abs((int)view_hops(a) - (int)view_hops(b));
	return ttl >= TTL_APART && hops >= TTL_APART;
}

/*
 * Two resets of one moment from different distances and with other habits of IP, and neither from where
 * the handshake came from. A balancer may abort beside its server, but one of them made the handshake.
 */
static bool has_two_stamps(const struct view *v)
{
	int home = v->dir == DIR_S2C ? v->synack : v->syn;
	for (unsigned i = 0; home >= 0 && i < v->n_rst; i++) {
		const struct event *a = &v->e[v->rst[i]];
		if (!view_is_suspect(v, i) || !apart(a->ttl, v->e[home].ttl))
			continue;
		for (unsigned k = i + 1; k < v->n_rst; k++) {
			const struct event *b = &v->e[v->rst[k]];
			bool ip = ((a->bits ^ b->bits) & EVENT_DF) != 0 ||
				  (a->ip_id == 0) != (b->ip_id == 0);
			if (view_is_suspect(v, k) && b->ts_ns - a->ts_ns <= BURST_NS && ip &&
			    apart(a->ttl, b->ttl) && apart(b->ttl, v->e[home].ttl))
				return true;
		}
	}
	return false;
}

/* The paper's counts of resets that one honest stack hardly makes weigh more beside other evidence. */
static enum grade grade_of(const struct view *v, unsigned number)
{
	if (number < 13 || number > 17)
		return GRADE_D1;
	bool hardly = number == 13 || number == 16 || number == 17;
	return hardly && has_two_stamps(v) ? GRADE_D3 : GRADE_D2;
}

static bool match_reset(const struct view *v, const struct signature *self, struct testimony *t)
{
	if (v->n_rst == 0)
		return false;
	struct resets r = count_resets(v);
	if (classify(v, &r) != self->param)
		return false;
	t->grade = grade_of(v, self->param);
	name_resets(v, &r, t);
	return true;
}

#define RESET(number, name, fact_, text, innocent)                                             \
	{                                                                                      \
		.id = name, .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET, .fact = fact_, \
		.summary = text, .benign = innocent, .refs = REF ", CF-" #number,              \
		.needs = NEED_RESET, .param = number, .match = match_reset,                    \
	}

const struct signature sig_cloudflare[] = {
	RESET(2, "syn-rst", FACT_STAGE, "SYN answered or followed by a bare RST",
	      "half-open scanners and happy-eyeballs clients that cancel a connection"),
	RESET(3, "syn-rstack", FACT_STAGE, "SYN answered or followed by a RST+ACK",
	      "a closed port; a firewall that rejects; a client that cancels"),
	RESET(4, "syn-rst-rstack", FACT_STAGE, "SYN followed by both a RST and a RST+ACK",
	      "a scanner behind a firewall"),
	RESET(6, "ack-rst", FACT_STAGE, "handshake complete, then one bare RST before any data",
	      "a client that gives up an unused connection"),
	RESET(7, "ack-rst-rst", FACT_STAGE, "handshake complete, then several bare RSTs",
	      "a closed socket answering each packet still in flight"),
	RESET(8, "ack-rstack", FACT_STAGE, "handshake complete, then one RST+ACK before any data",
	      "an overloaded server or load balancer; a pre-connected socket given up"),
	RESET(9, "ack-rstack-rstack", FACT_STAGE, "handshake complete, then several RST+ACKs",
	      "an overloaded server or load balancer"),
	RESET(11, "psh-rst", FACT_STAGE, "first request, then one bare RST",
	      "a program that closes with unread data; a user who cancels"),
	RESET(12, "psh-rstack", FACT_STAGE, "first request, then one RST+ACK",
	      "an abortive close by either program; a server that refuses the request"),
	RESET(13, "psh-rst-rstack", FACT_STAGE, "first request, then both RST and RST+ACK",
	      "an abortive close followed by resets for late packets"),
	RESET(14, "psh-rstack-rstack", FACT_STAGE, "first request, then several RST+ACKs",
	      "a server that aborts once for each packet in flight"),
	RESET(15, "psh-rst-eq-rst", FACT_STAGE, "first request, then bare RSTs with one ack field",
	      "a closed socket answering each packet still in flight"),
	RESET(16, "psh-rst-neq-rst", FACT_STAGE, "first request, then bare RSTs with several ack fields",
	      "none known of a single honest stack"),
	RESET(17, "psh-rst-rst0", FACT_STAGE,
	      "first request, then bare RSTs, some with ack field 0 and some without",
	      "two devices on the path that each close the connection"),
	RESET(18, "data-rst", FACT_STAGE, "several data packets, then a bare RST",
	      "any abort by user or program; late packets to a closed socket"),
	RESET(19, "data-rstack", FACT_STAGE, "several data packets, then a RST+ACK",
	      "any abort by user or program"),
	{.id = NULL},
};
