/* SPDX-License-Identifier: BSD-3-Clause */

/* What ICMP errors say about a flow: refusals on the way, and probes that were answered too early. */

#include "classifiers/tamper/signature.h"
#include "dataplane/seq.h"

#include <stdio.h>
#include <string.h>

#define NEAR_NS 1000000000ull
#define ANSWER_NS 3000000000ull

static bool is_time_exceeded(const struct icmp_note *n)
{
	return n->version == 4 ? n->type == 11 : n->type == 3;
}

/* 3/{1,3,9,10,13} of RFC 792 and RFC 1812; ICMPv6 type 1: no route, prohibited, address, port. */
static bool is_refusal(const struct icmp_note *n)
{
	if (n->version == 6)
		return n->type == 1;
	return n->type == 3 && (n->code == 1 || n->code == 3 || n->code == 9 || n->code == 10 ||
				n->code == 13);
}

static bool same_addr(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* What note n says was packet i. */
static bool may_quote(const struct view *v, const struct icmp_note *n, unsigned i)
{
	const struct event *e = &v->e[i];
	return (enum dir)n->quoted_dir == event_dir(e) && e->seq == n->quoted_seq && e->ts_ns <= n->ts_ns &&
	       (v->ev->ipv6 || e->ip_id == n->quoted_ip_id);
}

/*
 * Without an IP-ID several packets fit: the last before the error, one with payload if there is one. Of what
 * died for its hops and what was given all of them, as after a decoy, it was the former.
 */
static int quoted_packet(const struct view *v, const struct icmp_note *n)
{
	int best = -1, fewer = -1;
	for (unsigned i = 0; i < v->n; i++)
		if (may_quote(v, n, i) && (best < 0 || v->e[i].len != 0 || v->e[best].len == 0))
			best = (int)i;
	for (unsigned i = 0; i < v->n && best >= 0 && is_time_exceeded(n); i++)
		if (may_quote(v, n, i) && v->e[i].ttl < v->e[best].ttl)
			fewer = (int)i;
	return fewer >= 0 && (v->e[best].bits & EVENT_PROBE) == 0 ? fewer : best;
}

static bool match_unreachable(const struct view *v, const struct signature *self,
			      struct testimony *t)
{
	(void)self;
	for (unsigned i = 0; i < v->ev->n_icmp; i++) {
		const struct icmp_note *n = &v->ev->more->icmp[i];
		int q = quoted_packet(v, n);
		if (v->dir != DIR_S2C || n->quoted_dir != DIR_C2S || !is_refusal(n) || q < 0 ||
		    same_addr(&n->from, &v->flow->server) || same_addr(&n->from, &v->flow->client) ||
		    n->ts_ns - v->e[q].ts_ns > NEAR_NS)
			continue;
		char from[64];
		t->grade = v->e[q].len != 0 ? GRADE_D2 : GRADE_D1;
		t->frame = n->frame;
		testimony_suspect(t, (unsigned)q);
		testimony_says(t, "ICMP type %u code %u from %s quotes frame %u", n->type, n->code,
			       ip_addr_format(&n->from, n->version, from, sizeof(from)),
			       v->e[q].frame);
		testimony_expects(t, "the packet to be delivered");
		return true;
	}
	return false;
}

/*
 * The probe's bytes had been sent with all hops before: decoys of evasion tools go between the true segments
 * and behind them, and what answers is the answer to those.
 */
static bool was_sent_before(const struct view *v, unsigned q)
{
	for (unsigned k = 0; k < q; k++) {
		const struct event *e = &v->e[k];
		if (event_dir(e) == DIR_C2S && e->len != 0 && (e->flags & TCP_RST) == 0 &&
		    (e->bits & EVENT_PROBE) == 0 && seq_lt(v->e[q].seq, e->seq + e->len))
			return true;
	}
	return false;
}

/* The server's packet that answered probe q before anybody sent that data again. */
static int answer_to(const struct view *v, unsigned q, bool want_rst)
{
	for (unsigned k = q + 1; k < v->n; k++) {
		const struct event *e = &v->e[k];
		if (e->ts_ns - v->e[q].ts_ns > ANSWER_NS)
			return -1;
		if (event_dir(e) == DIR_C2S && e->len != 0)
			return -1;
		if (event_dir(e) == DIR_C2S)
			continue;
		bool rst = (e->flags & TCP_RST) != 0;
		bool covers = (e->flags & TCP_ACK) == 0 ||
			      seq_leq(v->e[q].seq + v->e[q].len, e->ack);
		if (rst == want_rst && covers && (rst || e->len != 0))
			return (int)k;
	}
	return -1;
}

static bool match_probe(const struct view *v, const struct signature *self, struct testimony *t)
{
	for (unsigned i = 0; v->dir == DIR_S2C && i < v->ev->n_icmp; i++) {
		const struct icmp_note *n = &v->ev->more->icmp[i];
		int q = quoted_packet(v, n);
		if (n->quoted_dir != DIR_C2S || !is_time_exceeded(n) || q < 0 || v->e[q].len == 0 ||
		    (!v->ev->ipv6 && n->quoted_ip_id == 0) || was_sent_before(v, (unsigned)q))
			continue;
		int a = answer_to(v, (unsigned)q, self->cause == CAUSE_RESET);
		if (a < 0)
			continue;
		char from[64];
		t->grade = GRADE_D4;
		t->frame = n->frame;
		testimony_suspect(t, (unsigned)a);
		testimony_says(t, "%s says that frame %u died there, yet frame %u answers it",
			       ip_addr_format(&n->from, n->version, from, sizeof(from)),
			       v->e[q].frame, v->e[a].frame);
		testimony_expects(t, "no answer: the packet never reached the server");
		return true;
	}
	return false;
}

const struct signature sig_icmp[] = {
	{.id = "icmp-unreachable", .family = FAMILY_SILENT_DROP, .cause = CAUSE_SILENCE,
	 .fact = FACT_ICMP, .names = true,
	 .summary = "a host on the path refused the packet", .benign = "an ordinary access list",
	 .refs = "RFC 1812 section 5.2.7.1; Ablove et al., USENIX Security 2026",
	 .match = match_unreachable},
	{.id = "probe-reset", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_PROBE, .names = true,
	 .summary = "a packet that died on the way was answered with a RST",
	 .benign = "none known", .rules_out = "the server: the packet never reached it",
	 .refs = "Sundara Raman et al., CenTrace, CoNEXT 2022",
	 .match = match_probe},
	{.id = "probe-answered", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_PROBE, .names = true,
	 .summary = "a packet that died on the way was answered with content",
	 .benign = "none known", .rules_out = "the server: the packet never reached it",
	 .refs = "Sundara Raman et al., CenTrace, CoNEXT 2022",
	 .match = match_probe},
	{.id = NULL},
};
