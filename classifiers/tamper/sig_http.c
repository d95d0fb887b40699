/* SPDX-License-Identifier: BSD-3-Clause */

/* Content that somebody else put in: RACE-7, RACE-8, EV-TSGONE, HTTP-INJ; its look is in first_answer.c. */

#include <stdlib.h>
#include <string.h>

#include "classifiers/tamper/first_answer.h"
#include "classifiers/tamper/sub_rtt.h"
#include "dataplane/seq.h"

/* At most this many odd packets are an injector's; a box that strips options strips them all. */
#define TSGONE_FEW 3
#define ANSWER_NS 20000000ull /* a box writes the segments of a page back to back */
#define IDLE_NS 20000000000ull /* the shortest that middleboxes are known to keep a session */

/* The last packet of the other side that `i` acknowledges exactly, and that was not sent again. */
static int answered_by(const struct view *v, unsigned i)
{
	for (int q = (int)i - 1; q >= 0; q--)
		if (event_dir(&v->e[q]) != v->dir && v->e[q].len != 0 &&
		    v->e[q].seq + event_seqlen(&v->e[q]) == v->e[i].ack &&
		    (v->e[q].flags & TCP_RST) == 0 && (v->e[q].bits & EVENT_RETX) == 0)
			return q;
	return -1;
}

static bool is_content(const struct view *v, unsigned i)
{
	const struct event *e = &v->e[i];
	return event_dir(e) == v->dir && (e->flags & (TCP_RST | TCP_SYN | EVENT_IGNORED)) == 0 &&
	       (e->len > 1 || (e->flags & TCP_FIN) != 0);
}

/*
 * An empty FIN of a connection that was over: firewalls and balancers that time a session out close it with
 * packets that they build, and so do some that answer the other side's FIN.
 */
static bool ends_nothing(const struct view *v, unsigned i)
{
	const struct event *e = &v->e[i];
	bool answers = false;
	for (unsigned k = 0; k < i && !answers; k++)
		answers = event_dir(&v->e[k]) != v->dir && (v->e[k].flags & TCP_FIN) != 0;
	return e->len == 0 && i > 0 && (answers || e->ts_ns - v->e[i - 1].ts_ns >= IDLE_NS);
}

static bool lacks_ts(const struct view *v, unsigned i)
{
	return is_content(v, i) && (v->e[i].bits & EVENT_TS) == 0;
}

/* Where only the SYN+ACK carries the option: a proxy that strips it passes on the rest of a packet. */
static bool is_stripped(const struct view *v, unsigned i)
{
	const struct event *e = &v->e[i];
	if (v->synack < 0)
		return false;
	const struct event *shake = &v->e[v->synack];
	bool df = v->dir == DIR_S2C && !v->ev->ipv6 && ((e->bits ^ shake->bits) & EVENT_DF) != 0;
	return !df && abs(e->ttl - shake->ttl) < 10;
}

/*
 * An empty FIN whose IP-ID follows that of the sender's packet before it, and precedes that of the next if
 * there is one, as no other host's would.
 */
static bool is_counted(const struct view *v, unsigned i)
{
	int before = -1, after = -1;
	for (unsigned k = 0; k < v->n && after < 0; k++)
		if (view_is_own(v, k))
			*(k < i ? &before : &after) = (int)k;
	if (v->e[i].len != 0 || v->ev->ipv6 || before < 0)
		return false;
	uint16_t up = (uint16_t)(v->e[i].ip_id - v->e[before].ip_id);
	if (up < 1 || up > VIEW_IPID_STEP || v->e[i].ttl != v->e[before].ttl)
		return false;
	if (after < 0)
		return true;
	uint16_t on = (uint16_t)(v->e[after].ip_id - v->e[i].ip_id);
	return on >= 1 && on <= VIEW_IPID_STEP && v->e[i].ttl == v->e[after].ttl;
}

static bool match_tsgone(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	const struct half *s = &v->ev->half[v->dir], *p = &v->ev->half[dir_other(v->dir)];
	if (!s->ts_ok || !p->ts_ok) {
		t->untestable = "timestamps not negotiated";
		return false;
	}
	unsigned odd = 0;
	bool stripped = false, counted = true;
	for (unsigned i = 0; i < v->n; i++) {
		if (!lacks_ts(v, i) || (odd == 0 && ends_nothing(v, i)))
			continue;
		if (odd++ == 0) {
			t->frame = v->e[i].frame;
			stripped = is_stripped(v, i);
		}
		counted &= is_counted(v, i);
		testimony_suspect(t, i);
	}
	if (odd == 0 || (!s->ts_later && odd > TSGONE_FEW))
		return false;
	t->grade = counted || (stripped && !s->ts_later) ? GRADE_D2 : s->ts_later ? GRADE_D4 : GRADE_D3;
	testimony_says(t, "%u packets without the timestamp option", odd);
	testimony_expects(t, s->ts_later ? "the option, as on its other packets (RFC 7323)"
					 : "the option, as agreed in both SYNs (RFC 7323)");
	return true;
}

static unsigned unlike(const struct event *a, const struct event *b)
{
	return (unsigned)(abs(a->ttl - b->ttl) > 6) + (((a->bits ^ b->bits) & EVENT_DF) != 0) +
	       (((a->bits ^ b->bits) & EVENT_TS) != 0);
}

/*
 * Whether k is less like the sender's own packets than i, both for the same bytes. The handshake was the
 * sender's; where both are as like it the others vote, and in the end the later one came second.
 */
static bool is_stranger(const struct view *v, unsigned k, unsigned i)
{
	if (v->synack >= 0) {
		const struct event *shake = &v->e[v->synack];
		unsigned x = unlike(shake, &v->e[k]), y = unlike(shake, &v->e[i]);
		if (x != y)
			return x > y;
	}
	unsigned x = 0, y = 0;
	for (unsigned q = 0; q < v->n; q++) {
		const struct event *e = &v->e[q];
		if (event_dir(e) != v->dir || (e->flags & TCP_RST) != 0)
			continue;
		x += unlike(e, &v->e[k]);
		y += unlike(e, &v->e[i]);
	}
	return x > y;
}

static bool has_stamps_of(const struct view *v, unsigned i, unsigned k)
{
	return abs(v->e[k].ttl - v->e[i].ttl) < 10 && ((v->e[k].bits ^ v->e[i].bits) & EVENT_DF) == 0;
}

/* Neither the TTL nor the DF of the SYN+ACK. */
static bool is_unlike_handshake(const struct view *v, unsigned i)
{
	return v->synack >= 0 && abs(v->e[i].ttl - v->e[v->synack].ttl) >= 10 &&
	       ((v->e[i].bits ^ v->e[v->synack].bits) & EVENT_DF) != 0 && !v->ev->ipv6;
}

/* The other segments of the answer that packet i is one of. */
static void suspect_answer(const struct view *v, unsigned i, unsigned but, struct testimony *t)
{
	for (unsigned k = 0; k < v->n; k++) {
		const struct event *e = &v->e[k], *a = &v->e[i];
		uint64_t apart = e->ts_ns > a->ts_ns ? e->ts_ns - a->ts_ns : a->ts_ns - e->ts_ns;
		if (k == i || (k != but && is_content(v, k) && e->ttl == a->ttl && e->ack == a->ack &&
			       apart <= ANSWER_NS && has_stamps_of(v, i, k)))
			testimony_suspect(t, k);
	}
}

static bool match_bytes(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	if ((v->ev->found & EVIDENCE_BYTES) == 0)
		return false;
	for (unsigned k = 1; k < v->n; k++) {
		const struct event *b = &v->e[k];
		if (b->frame != v->ev->bytes_frame || event_dir(b) != v->dir)
			continue;
		for (unsigned i = 0; i < k; i++) {
			const struct event *a = &v->e[i];
			bool meant = v->ev->bytes_over != 0 ? a->frame == v->ev->bytes_over
							    : a->seq == b->seq;
			if (event_dir(a) != v->dir || a->len == 0 || !meant ||
			    (a->flags & (TCP_RST | TCP_SYN)) != 0)
				continue;
			/* Without a handshake it may not be one connection at all. */
			t->grade = v->syn >= 0 && v->synack >= 0 ? GRADE_D4 : GRADE_D2;
			t->frame = b->frame;
			bool late = is_stranger(v, k, i);
			suspect_answer(v, late ? k : i, late ? i : k, t);
			testimony_says(t, "frames %u and %u carry different bytes for one sequence number",
				       a->frame, b->frame);
			testimony_expects(t, "equal bytes when data is sent again");
			return true;
		}
	}
	return false;
}

static bool match_late(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	uint64_t rtt = view_min_rtt(v, v->first_s2c, true);
	if (v->dir != DIR_S2C || v->first_s2c < 0 || rtt == UINT64_MAX)
		return false;
	unsigned s = (unsigned)v->first_s2c;
	struct view w = view_without(v, s);
	/* Without a mark of its own the first answer is simply the answer. */
	if (view_is_own(v, s) && !view_ttl_off(&w, s, 9) && !view_df_off(&w, s) &&
	    !is_unlike_handshake(v, s))
		return false;
	for (unsigned k = s + 1; k < v->n; k++) {
		const struct event *e = &v->e[k];
		if (!view_is_own(v, k) || e->ts_ns - v->e[s].ts_ns < rtt / 2 || e->len != 0 ||
		    !seq_leq(e->seq, v->e[s].seq) || e->ack != v->e[s].ack)
			continue;
		t->grade = GRADE_D3;
		t->frame = e->frame;
		testimony_suspect(t, s);
		testimony_says(t, "the server acknowledged the request as if nothing had been sent");
		testimony_expects(t, "a sequence number after the first answer");
		return true;
	}
	return false;
}

/* Some packet of the sender before i has its stamps, so that i is one of several. */
static bool is_as_before(const struct view *v, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (view_is_own(v, k) && has_stamps_of(v, i, k))
			return true;
	return false;
}

/*
 * The first answer that contradicts both the SYN+ACK and what the sender says later, packet i, so that the
 * many segments are somebody else's, not the one; -1.
 */
static int came_first(const struct view *v, unsigned i)
{
	int s = v->first_s2c;
	if (s < 0 || (unsigned)s >= i || !is_unlike_handshake(v, (unsigned)s) ||
	    is_unlike_handshake(v, i) || has_stamps_of(v, i, (unsigned)s))
		return -1;
	for (unsigned k = i; k < v->n; k++)
		if (is_content(v, k) && has_stamps_of(v, (unsigned)s, k))
			return -1; /* a balancer that answers a part of the connection */
	return s;
}

/* The first answer, as its handshake; what follows is unlike both. */
static bool came_before(const struct view *v, unsigned i)
{
	if (v->synack < 0 || v->first_s2c != (int)i || !has_stamps_of(v, i, (unsigned)v->synack))
		return false;
	for (unsigned k = i + 1; k < v->n; k++)
		if (is_content(v, k) && is_unlike_handshake(v, k))
			return true;
	return false;
}

/* Content, or a FIN instead of any: the first that is said to what was asked. */
static bool is_answer(const struct view *v, unsigned i)
{
	if (!is_content(v, i) || v->e[i].len != 0)
		return is_content(v, i);
	bool asked = false;
	for (unsigned k = 0; k < i; k++) {
		if (event_dir(&v->e[k]) == v->dir && is_content(v, k))
			return false;
		asked |= event_dir(&v->e[k]) != v->dir && v->e[k].len != 0;
	}
	return asked && !ends_nothing(v, i);
}

static bool match_header(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	if (v->dir != DIR_S2C)
		return false;
	for (unsigned i = 0; i < v->n; i++) {
		if (!is_answer(v, i))
			continue;
		/* Against the others: this packet must not be its own yardstick. */
		struct view w = *v;
		unsigned n = 0;
		w.base = (struct baseline){.ttl_lo = 255, .ipid = v->base.ipid};
		for (unsigned k = 0; k < v->n; k++) {
			if (k == i || !view_is_own(v, k) || v->e[k].len == 0 ||
			    (v->e[k].seq == v->e[i].seq && v->e[k].payhash == v->e[i].payhash))
				continue;
			if (v->e[k].ttl < w.base.ttl_lo)
				w.base.ttl_lo = v->e[k].ttl;
			if (v->e[k].ttl > w.base.ttl_hi)
				w.base.ttl_hi = v->e[k].ttl;
			w.base.df |= (v->e[k].bits & EVENT_DF) != 0 ? 2 : 1;
			n++;
		}
		w.base.n = n;
		if (n < 2 && !is_as_before(v, i)) {
			w = view_of_others(v);
			n = w.base.other_flows ? w.base.n : 0;
		}
		if (n < 2 || !view_ttl_off(&w, i, 9) || !view_df_off(&w, i) || came_before(v, i))
			continue;
		t->grade = GRADE_D3;
		int first = came_first(v, i);
		if (first >= 0) {
			w.base = (struct baseline){.n = 1, .ttl_lo = v->e[i].ttl, .ttl_hi = v->e[i].ttl,
						   .df = (v->e[i].bits & EVENT_DF) != 0 ? 2 : 1};
			i = (unsigned)first;
			suspect_answer(v, i, i, t);
		} else {
			testimony_suspect(t, i);
		}
		t->frame = v->e[i].frame;
		testimony_says(t, "TTL %u, DF %d", v->e[i].ttl, (v->e[i].bits & EVENT_DF) != 0);
		testimony_expects(t, "TTL %u to %u, DF %d", w.base.ttl_lo, w.base.ttl_hi,
				  w.base.df == 2);
		return true;
	}
	return false;
}

/* Net4people's of Iran: the page has the IP-ID of the request that it answers. */
static bool match_mirror(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	if (v->dir != DIR_S2C || v->first_s2c < 0 || v->syn < 0 || v->synack < 0)
		return false;
	unsigned i = (unsigned)v->first_s2c;
	/* The smallest meet by chance, and what copies them in its handshake too is a stack. */
	bool habit = v->e[v->synack].ip_id != 0 && v->e[v->synack].ip_id == v->e[v->syn].ip_id;
	if (v->e[i].ip_id < VIEW_IPID_CHANCE || habit || !view_mirrors_ipid(v, i))
		return false;
	t->grade = GRADE_D3;
	t->frame = v->e[i].frame;
	testimony_suspect(t, i);
	testimony_says(t, "IP-ID 0x%04x, as the request", v->e[i].ip_id);
	testimony_expects(t, "an IP-ID of the sender's own");
	return true;
}

static bool match_sub_rtt(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	for (unsigned i = 0; v->dir == DIR_S2C && i < v->n; i++) {
		int q = is_content(v, i) ? answered_by(v, i) : -1;
		if (q < 0)
			continue;
		uint64_t rtt = view_min_rtt(v, (int)i, false), dt = v->e[i].ts_ns - v->e[q].ts_ns;
		if (rtt == UINT64_MAX && view_server_shakes(v) >= 2)
			rtt = view_server_rtt(v);
		/* Where nothing else was answered the handshake must do, and must differ widely. */
		bool alone = rtt == UINT64_MAX;
		uint64_t shaken = view_min_rtt(v, (int)i, true);
		if (shaken < rtt)
			rtt = shaken;
		if (rtt == UINT64_MAX || dt * 10 >= rtt * (alone ? 2 : 8) ||
		    rtt < RTT_FLOOR_NS || dt + RTT_JITTER_NS >= rtt)
			continue;
		t->grade = GRADE_D2;
		t->frame = v->e[i].frame;
		testimony_suspect(t, i);
		testimony_says(t, "%.1f ms after the packet it acknowledges", (double)dt / 1e6);
		testimony_expects(t, "at least the round trip, %.1f ms", (double)rtt / 1e6);
		return true;
	}
	return false;
}

const struct signature sig_http[] = {
	{.id = "missing-timestamps", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_OPTIONS, .names = true,
	 .summary = "data or FIN without the timestamps that both sides had agreed on",
	 .benign = "a proxy that strips options (then all later packets lack them)",
	 .rules_out = "one TCP stack for all packets: it would have kept its timestamps",
	 .refs = "RFC 7323 section 3.2; captures published with Bad Traffic (Citizen Lab 2018)",
	 .match = match_tsgone},
	{.id = "bytes-differ", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_BYTES, .names = true,
	 .summary = "two packets carry different bytes for the same sequence numbers",
	 .benign = "a capture damaged by segmentation offload",
	 .rules_out = "one author: the same stream cannot hold both contents",
	 .refs = "Fox-IT, Deep dive into QUANTUM INSERT (2015)",
	 .match = match_bytes},
	{.id = "genuine-after-answer", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_LATE, .names = true,
	 .summary = "after the first answer the server went on as if it had not sent it",
	 .benign = "a delayed acknowledgement that was overtaken",
	 .refs = "after Weaver, Sommer, Paxson, NDSS 2009 (of resets)", .match = match_late},
	{.id = "answer-header", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_HEADER, .names = true,
	 .summary = "TTL and DF of one answer contradict the sender's other answers",
	 .benign = "a load balancer or cache that answers part of the connection",
	 .refs = "after Sundara Raman et al., SIGCOMM 2023 (of resets)", .match = match_header},
	{.id = "answer-ip-id-mirror", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_IPID_COPY, .names = true,
	 .summary = "the first answer's IP-ID is that of the request",
	 .benign = "chance, once in 65,536",
	 .refs = "net4people/bbs 39 (Iran)", .match = match_mirror},
	{.id = "answer-before-request", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_ACK, .names = true,
	 .summary = "an HTTP answer that acknowledges nothing of the request",
	 .benign = "a server that speaks first on an HTTP port",
	 .rules_out = "a server that had read the request: it acknowledged none of it",
	 .refs = "this project's rule; RFC 9293 section 3.4", .match = first_answer_ack_match},
	{.id = "answer-sub-rtt", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_TIMING,
	 .summary = "the answer came sooner than the server's round trip allows",
	 .benign = "a cache or proxy nearer than the server; a slow handshake",
	 .refs = "captures published with Bad Traffic (Citizen Lab 2018)", .match = match_sub_rtt},
	{.id = "answer-with-fin", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_SHAPE,
	 .summary = "a whole HTTP answer in one packet that also closes, without Server or Date",
	 .benign = "small servers that write and close at once",
	 .refs = "Marczak et al., Bad Traffic, Citizen Lab 2018", .match = first_answer_fin_match},
	{.id = "answer-without-status", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_SHAPE, .summary = "an HTTP request was answered without a status line",
	 .benign = "HTTP/0.9 or another protocol on the port",
	 .refs = "captures published with CenTrace (CoNEXT 2022)", .match = first_answer_bare_match},
	{.id = "page-without-status", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_SHAPE, .names = true, .param = 1,
	 .summary = "an HTTP request was answered by a page without a status line",
	 .benign = "HTTP/0.9",
	 .refs = "captures published with CenTrace (CoNEXT 2022)", .match = first_answer_bare_match},
	{.id = NULL},
};
