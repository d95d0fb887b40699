/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Header evidence on resets (EV-*): what a packet says of its maker against what
 * the sender's own packets say. Each alone is weak: 28 % of normal connections closed by RST differ in
 * TTL (Weaver et al., appendix C).
 */

#include "classifiers/tamper/signature.h"
#include "classifiers/tamper/sub_rtt.h"
#include "dataplane/seq.h"

#include <stdio.h>

#define POPULATION "Sundara Raman et al., SIGCOMM 2023"
#define CENTRACE "captures published with CenTrace (CoNEXT 2022)"
#define BAD_TRAFFIC "captures published with Bad Traffic (Citizen Lab 2018)"
#define TTL_DELTA 6         /* EV-TTL: honest hosts vary by 5 */
#define TTL_STRONG 10
#define DUP_NS 1000000ull
#define SAME_WINDOW_FLOWS 3 /* EV-WIN */
#define MIRROR_FLOWS 3      /* EV-TTL-MIRROR: probes with TTLs of their own */

/* The first RST under suspicion for which test holds; -1. */
typedef bool (*rst_test)(const struct view *v, unsigned i, struct testimony *t);

static bool each_rst(const struct view *v, struct testimony *t, enum grade grade, rst_test test)
{
	bool any = false;
	for (unsigned i = 0; i < v->n_rst; i++) {
		struct testimony one = {.quiet = t->quiet};
		if (!view_is_suspect(v, i) || !test(v, v->rst[i], &one))
			continue;
		if (!any) {
			*t = one;
			t->grade = one.grade != 0 ? one.grade : grade;
			t->frame = v->e[v->rst[i]].frame;
		}
		testimony_suspect(t, v->rst[i]);
		any = true;
	}
	return any;
}

static bool test_ttl(const struct view *v, unsigned i, struct testimony *t)
{
	if (!view_ttl_off(v, i, TTL_DELTA))
		return false;
	testimony_says(t, "TTL %u", v->e[i].ttl);
	testimony_expects(t, "%u to %u%s", v->base.ttl_lo, v->base.ttl_hi,
			  v->base.other_flows	 ? " (other flows of this server)"
			  : v->base.handshake_only ? " (handshake only)"
						   : "");
	return true;
}

static bool test_df(const struct view *v, unsigned i, struct testimony *t)
{
	if (!view_df_off(v, i))
		return false;
	testimony_says(t, "DF %d", (v->e[i].bits & EVENT_DF) != 0);
	testimony_expects(t, "DF %d", v->base.df == 2);
	return true;
}

static bool test_ipid(const struct view *v, unsigned i, struct testimony *t)
{
	if (!view_ipid_off(v, i))
		return false;
	testimony_says(t, "IP-ID 0x%04x", v->e[i].ip_id);
	testimony_expects(t, v->base.ipid == IPID_ZERO ? "0, as on all its packets"
							: "the sender's counter");
	return true;
}

/*
 * Stamped as its end's handshake, so the others are somebody else's: a proxy on the way acknowledges for the
 * server (RFC 3135, section 3.1), or a balancer's servers answer directly.
 */
static bool is_as_handshake(const struct view *v, unsigned i)
{
	int shake = v->dir == DIR_S2C ? v->synack : v->syn;
	if (shake < 0)
		return false;
	const struct event *a = &v->e[shake], *b = &v->e[i];
	unsigned apart = a->ttl > b->ttl ? a->ttl - b->ttl : b->ttl - a->ttl;
	return apart <= TTL_DELTA && ((a->bits ^ b->bits) & EVENT_DF) == 0;
}

static bool test_contradiction(const struct view *v, unsigned i, struct testimony *t)
{
	/* One packet, and no handshake with it: it may be the proxy's. */
	bool unsure = v->dir == DIR_S2C && v->synack < 0 && v->base.n < 2 && !v->base.other_flows;
	if (v->base.n == 0 || unsure || v->base.handshake_only || is_as_handshake(v, i))
		return false;
	bool ttl = view_ttl_off(v, i, TTL_STRONG - 1) && !view_as_far(v, i), df = view_df_off(v, i);
	/* RFC 6864: only packets with DF may go without an ID, so one without DF has one. */
	bool ipid = view_ipid_off(v, i) && !(df && v->base.ipid == IPID_ZERO);
	if (ttl + df + ipid < 2)
		return false;
	testimony_says(t, "TTL %u, DF %d, IP-ID 0x%04x", v->e[i].ttl,
		       (v->e[i].bits & EVENT_DF) != 0, v->e[i].ip_id);
	testimony_expects(t, "TTL %u to %u, DF %s%s%s", v->base.ttl_lo, v->base.ttl_hi,
			  v->base.df == 1   ? "0"
			  : v->base.df == 2 ? "1"
					    : "either",
			  ipid ? ", its own IP-ID series" : "",
			  v->base.other_flows ? " (other flows of this server)" : "");
	return true;
}

/*
 * Two more resets are stamped as packet i, answer other packets, and copy nothing of these: one IP-ID of many
 * is another's by chance, and who copies copies always.
 */
static bool is_chance(const struct view *v, unsigned i)
{
	const struct event *r = &v->e[i];
	unsigned n = 0;
	for (unsigned k = 0; k < v->n_rst; k++) {
		const struct event *e = &v->e[v->rst[k]];
		int q = view_last_sent(v, v->rst[k]);
		n += q >= 0 && q != view_last_sent(v, i) && e->ip_id != r->ip_id &&
		     e->ip_id != v->e[q].ip_id && e->ttl == r->ttl && e->flags == r->flags &&
		     e->window == r->window && ((e->bits ^ r->bits) & EVENT_DF) == 0;
	}
	return n >= 2;
}

static bool test_ipid_mirror(const struct view *v, unsigned i, struct testimony *t)
{
	if (!view_mirrors_ipid(v, i) || is_chance(v, i))
		return false;
	testimony_says(t, "IP-ID 0x%04x, as the packet before it in the other direction",
		       v->e[i].ip_id);
	testimony_expects(t, "an IP-ID of the sender's own");
	return true;
}

static bool test_window_mirror(const struct view *v, unsigned i, struct testimony *t)
{
	const struct event *r = &v->e[i];
	int k = view_last_sent(v, i);
	if (k < 0 || r->window == 0 || r->window != v->e[k].window)
		return false;
	/* A window that its sender uses itself is no copy. */
	for (unsigned n = 0; n < i; n++)
		if (event_dir(&v->e[n]) == v->dir && (v->e[n].flags & TCP_RST) == 0 &&
		    v->e[n].window == r->window)
			return false;
	testimony_says(t, "window %u, as the other side's last", r->window);
	testimony_expects(t, "the sender's own window, or 0");
	return true;
}

/* EV-WIN: alone it means nothing, as half of the honest RST+ACKs have a window. */
static bool test_window_same(const struct view *v, unsigned i, struct testimony *t)
{
	const struct event *r = &v->e[i];
	uint64_t last = v->flow->id;
	unsigned flows = 1;
	for (unsigned k = 0; r->window != 0 && v->pair != NULL && k < v->pair->n; k++) {
		const struct pair_reset *o = &v->pair->reset[k];
		if (o->flow_id == v->flow->id || o->flow_id == last || o->window != r->window ||
		    o->s2c != (v->dir == DIR_S2C))
			continue;
		last = o->flow_id;
		flows++;
	}
	if (flows < SAME_WINDOW_FLOWS)
		return false;
	testimony_says(t, "window %u, as on the resets of %u connections", r->window, flows);
	testimony_expects(t, "a window that depends on the connection, or 0");
	return true;
}

/*
 * Over connections whose client was seen with several TTLs, each reset has that of what drew it, but for
 * a constant: the injector copies it. A host's own resets begin with one number.
 */
static bool test_ttl_mirror(const struct view *v, unsigned i, struct testimony *t)
{
	uint64_t last = UINT64_MAX;
	unsigned flows = 0, own = 0;
	int least = 255, most = 0, apart = 0;
	for (unsigned k = 0; v->pair != NULL && k < v->pair->n; k++) {
		const struct pair_reset *o = &v->pair->reset[k];
		if (o->s2c != (v->dir == DIR_S2C) || o->drew_ttl == 0)
			continue;
		if (flows != 0 && o->ttl - o->drew_ttl != apart)
			return false;
		apart = o->ttl - o->drew_ttl;
		least = o->drew_ttl < least ? o->drew_ttl : least;
		most = o->drew_ttl > most ? o->drew_ttl : most;
		own += o->flow_id == v->flow->id && o->ttl == v->e[i].ttl;
		flows += o->flow_id != last;
		last = o->flow_id;
	}
	if (flows < MIRROR_FLOWS || own == 0 || most - least < MIRROR_FLOWS - 1)
		return false;
	testimony_says(t, "TTL %u, in %u connections %d from that of what drew it (%d to %d)",
		       v->e[i].ttl, flows, apart, least, most);
	testimony_expects(t, "one TTL, whatever the other side's is");
	return true;
}

static bool test_ack_no_flag(const struct view *v, unsigned i, struct testimony *t)
{
	const struct event *r = &v->e[i];
	if ((r->flags & TCP_ACK) != 0 || r->ack == 0)
		return false;
	testimony_says(t, "ack field set, ACK flag not%s", r->ack == r->seq ? " (ack equals seq)" : "");
	testimony_expects(t, "ack field 0 without the flag");
	return true;
}

/* Ruling on EV-RSVD and EV-RSTPAY: garbage and late resets have such bits too. */
static bool is_clean_rst(const struct view *v, unsigned i)
{
	const struct event *r = &v->e[i];
	return (v->syn >= 0 || v->synack >= 0) && (r->bits & EVENT_OPTIONS) == 0 &&
	       (r->flags & (TCP_SYN | TCP_FIN | TCP_URG)) == 0 && !view_after_fin(v, i);
}

static bool test_reserved(const struct view *v, unsigned i, struct testimony *t)
{
	if (view_odd_flags(v, i) == 0 || !is_clean_rst(v, i))
		return false;
	testimony_says(t, "flags 0x%03x", v->e[i].flags & 0xfffu);
	testimony_expects(t, "no reserved bit and no AE on a RST");
	return true;
}

static bool test_payload(const struct view *v, unsigned i, struct testimony *t)
{
	const struct event *r = &v->e[i];
	if (r->len == 0 || (r->bits & EVENT_PADDING) != 0 || !is_clean_rst(v, i))
		return false;
	/* Balancers put the reason there. */
	if ((r->flags & EVENT_TEXT) != 0)
		t->grade = GRADE_D1;
	testimony_says(t, "%u bytes of %s", r->len,
		       (r->flags & EVENT_TEXT) != 0 ? "text" : "payload");
	testimony_expects(t, "none: real stacks send resets empty");
	return true;
}

static bool test_seq_off(const struct view *v, unsigned i, struct testimony *t)
{
	uint32_t next, ack;
	const struct event *r = &v->e[i];
	if (!view_next_before(v, i, &next) || !view_acked_before(v, i, &ack) || r->seq == ack ||
	    r->seq == next || seq_lt(r->seq, ack) || v->ev->half[v->dir].gap)
		return false;
	for (unsigned k = i + 1; k < v->n; k++)
		if (view_overtook(v, i, k))
			return false;
	testimony_says(t, "sequence number %d past the receiver's next", seq_diff(r->seq, ack));
	testimony_expects(t, "exactly the receiver's next number (RFC 5961)");
	return true;
}

static bool test_tsval(const struct view *v, unsigned i, struct testimony *t)
{
	const struct event *r = &v->e[i];
	if ((r->bits & EVENT_TS) == 0)
		return false;
	for (int k = (int)i - 1; k >= 0; k--) {
		const struct event *e = &v->e[k];
		if (event_dir(e) != v->dir || (e->bits & EVENT_TS) == 0 || (e->flags & TCP_RST) != 0)
			continue;
		int32_t step = seq_diff(r->tsval, e->tsval);
		/* At 1 kHz, the fastest clock that RFC 7323 allows, a second is 1,000. */
		if (step >= -1000 && step <= 1000000)
			return false;
		testimony_says(t, "timestamp %d ticks from the sender's last", step);
		testimony_expects(t, "a clock that goes on");
		return true;
	}
	return false;
}

static bool test_mac(const struct view *v, unsigned i, struct testimony *t)
{
	if ((v->e[i].bits & EVENT_MAC) == 0)
		return false;
	testimony_says(t, "another source MAC address");
	testimony_expects(t, "that of the direction's other packets");
	return true;
}

/* A copy within 1 ms of an earlier RST, while nothing else in the flow came twice. */
static bool test_copy(const struct view *v, unsigned i, struct testimony *t)
{
	if (v->ev->duplicates != 0)
		return false;
	for (unsigned k = 0; k < v->n_rst && v->rst[k] < i; k++) {
		const struct event *a = &v->e[v->rst[k]], *b = &v->e[i];
		if (a->seq != b->seq || a->ack != b->ack || a->flags != b->flags ||
		    a->ip_id != b->ip_id || a->window != b->window || a->ttl != b->ttl ||
		    b->ts_ns - a->ts_ns > DUP_NS || (a->ip_id == 0 && (a->bits & EVENT_DF) != 0))
			continue;
		testimony_says(t, "identical to frame %u", a->frame);
		testimony_expects(t, "one RST, or resets with an IP-ID each");
		return true;
	}
	return false;
}

static bool match_each(const struct view *v, const struct signature *self, struct testimony *t)
{
	static const struct {
		enum grade grade;
		rst_test test;
	} rows[] = {
		{GRADE_D1, test_ttl},	    {GRADE_D1, test_df},      {GRADE_D1, test_ipid},
		{GRADE_D3, test_contradiction}, {GRADE_D3, test_ipid_mirror},
		{GRADE_D1, test_window_mirror}, {GRADE_D1, test_ack_no_flag},
		{GRADE_D4, test_reserved},  {GRADE_D3, test_payload}, {GRADE_D1, test_seq_off},
		{GRADE_D1, test_tsval},	    {GRADE_D1, test_mac},     {GRADE_D1, test_copy},
		{GRADE_D1, test_window_same}, {GRADE_D1, test_ttl_mirror},
	};
	return each_rst(v, t, rows[self->param].grade, rows[self->param].test);
}

/* Each later packet of the other side draws its own RST, numbered by that packet's ack. */
static bool match_stateless(const struct view *v, const struct signature *self,
			    struct testimony *t)
{
	(void)self;
	unsigned n = 0;
	for (unsigned i = 0; i < v->n_rst; i++) {
		const struct event *r = &v->e[v->rst[i]];
		const struct event *q = v->rst[i] > 0 ? &v->e[v->rst[i] - 1] : NULL;
		if (!view_is_suspect(v, i) || q == NULL || event_dir(q) == v->dir ||
		    r->seq != q->ack ||
		    (r->flags & TCP_ACK) != 0 || (q->flags & TCP_ACK) == 0)
			continue;
		testimony_suspect(t, v->rst[i]);
		t->frame = r->frame;
		n++;
	}
	if (n < 2)
		return false;
	t->grade = GRADE_D1;
	testimony_says(t, "%u packets each drew a RST numbered by their ack", n);
	testimony_expects(t, "one RST");
	return true;
}

#define HEADER(index, name, fact_, text, innocent, ref)                                        \
	{                                                                                      \
		.id = name, .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET, .fact = fact_, \
		.summary = text, .benign = innocent, .refs = ref, .needs = NEED_RESET,     \
		.param = index, .match = match_each,                                           \
	}

const struct signature sig_header[] = {
	HEADER(0, "rst-ttl", FACT_HEADER, "the RST's TTL is not its sender's",
	       "stacks and load balancers that start resets at another TTL; path changes",
	       POPULATION "; Weaver, Sommer, Paxson, NDSS 2009, appendix C"),
	HEADER(1, "rst-df", FACT_HEADER, "the RST's DF bit is not its sender's",
	       "stacks that build resets without a socket; load balancers",
	       CENTRACE "; " BAD_TRAFFIC),
	HEADER(2, "rst-ip-id", FACT_HEADER, "the RST's IP-ID is outside its sender's series",
	       "stacks that build resets without a socket; address translation", POPULATION),
	HEADER(14, "rst-ttl-mirror", FACT_HEADER,
	       "the TTLs of resets of several connections follow those of the packets that drew them",
	       "a network that both directions enter by routes of changing length",
	       "Anonymous et al., Triplet Censors, FOCI 2020 (of DNS answers)"),
	{.id = "rst-header", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_HEADER, .names = true,
	 .summary = "two or more header fields of the RST contradict its sender's other packets",
	 .benign = "a load balancer, firewall or address translator that closes for the server",
	 .refs = "this project's rule: two contradictions count as one D3; " POPULATION,
	 .needs = NEED_RESET, .param = 3,
	 .match = match_each},
	HEADER(4, "rst-ip-id-mirror", FACT_IPID_COPY,
	       "the RST carries the IP-ID of the packet that drew it",
	       "chance, 1 in 65,536", "net4people/bbs 39; " CENTRACE),
	HEADER(5, "rst-window-mirror", FACT_WINDOW,
	       "the RST's window is the other side's last window",
	       "two stacks with the same default window", CENTRACE),
	HEADER(13, "rst-window-constant", FACT_WINDOW,
	       "resets of three or more connections of the pair have one window, not 0",
	       "a server that resets with the window that it began with", BAD_TRAFFIC),
	HEADER(6, "rst-ack-without-flag", FACT_FLAGS,
	       "the RST has an ack number without the ACK flag",
	       "Windows sends such resets, with ack equal to seq", CENTRACE),
	{.id = "rst-reserved-bits", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_FLAGS, .names = true, .summary = "the RST has reserved TCP flag bits set",
	 .benign = "a damaged packet", .rules_out = "no TCP stack sets these bits on a RST",
	 .refs = "RFC 9293 section 3.1; Ablove et al., USENIX Security 2026",
	 .needs = NEED_RESET, .param = 7, .match = match_each},
	{.id = "rst-payload", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_PAYLOAD, .names = true, .summary = "the RST carries payload",
	 .benign = "Ethernet padding that a capture tool counted as payload; a balancer's reason",
	 .refs = "RFC 1122 section 4.2.2.12; Nourin et al., FOCI 2023; "
		 "Wu et al., IEEE S&P 2025, table 4",
	 .needs = NEED_RESET, .param = 8, .match = match_each},
	HEADER(9, "rst-seq-off", FACT_SEQ, "the RST is in the window but not at the next number",
	       "data of the sender that the capture does not hold", "RFC 5961 section 3"),
	{.id = "rst-sub-rtt", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_TIMING, .names = true,
	 .summary = "the RST came sooner after the packet it acknowledges than its sender could answer",
	 .benign = "a proxy or load balancer nearer than the server; a handshake that had to wait",
	 .refs = BAD_TRAFFIC, .needs = NEED_RESET, .match = sub_rtt_match},
	HEADER(10, "rst-tsval", FACT_TSVAL, "the RST's timestamp is not of its sender's clock",
	       "timestamps rewritten by a translator", "net4people/bbs 442"),
	HEADER(11, "rst-mac", FACT_MAC, "the RST came from another station on the link",
	       "two routers on the link", "this project's rule"),
	HEADER(12, "rst-copies", FACT_COUNT, "identical RSTs within a millisecond",
	       "a capture that shows frames twice", "Wu et al., IEEE S&P 2025, table 4"),
	{.id = "rst-per-packet", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_STATELESS, .summary = "every later packet drew a RST of its own",
	 .benign = "a socket that is gone answers each late packet", .refs = CENTRACE,
	 .needs = NEED_RESET, .match = match_stateless},
	{.id = NULL},
};
