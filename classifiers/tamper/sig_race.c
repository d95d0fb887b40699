/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Races between a forger and the true sender: Weaver, Sommer, Paxson, "Detecting Forged TCP Reset
 * Packets" (NDSS 2009), RACE-1 to RACE-4, and the same idea for content and for what comes later. Those for
 * the answer to a SYN are in synack.c.
 */

#include "classifiers/tamper/signature.h"
#include "classifiers/tamper/synack.h"
#include "dataplane/seq.h"

#define REF "Weaver, Sommer, Paxson, NDSS 2009"
#define COUNTED 8 /* between two packets of a sender that has little else to send */
#define BURST_NS  2000000000ull  /* two resets of one cause; the reimplementation's value */
#define LATE_NS   60000000000ull /* RACE-8, RACE-9 */
#define REGRESS_MAX (1 << 20)    /* bytes of a request; beyond, it is another connection's */
#define STRANGE   (1 << 24)      /* ahead of all data: beyond what known injectors add */
#define SEQ_SLOP  2              /* SYN and FIN take a number each */

/* The RST left its sender after packet k and overtook it, as a counting IP-ID shows. */
static bool overtook(const struct view *v, unsigned rst, unsigned k)
{
	uint16_t step = (uint16_t)(v->e[rst].ip_id - v->e[k].ip_id);
	return !v->ev->ipv6 && v->e[rst].ip_id != 0 && step >= 1 && step <= VIEW_IPID_STEP;
}

/* The same packet once more, as a path that doubles packets shows it. */
static bool is_copy(const struct event *a, const struct event *b)
{
	return a->seq == b->seq && a->ack == b->ack && a->ip_id == b->ip_id;
}

/*
 * A closed socket answers a segment with the number that the segment acknowledged. Bare resets are
 * made like that; some stacks do the same with RST+ACK once they have reset the connection.
 */
static bool is_echo(const struct view *v, unsigned i)
{
	const struct event *r = &v->e[v->rst[i]];
	bool bare = (r->flags & TCP_ACK) == 0;
	/* The one that reset the connection may have been overtaken by those after it, copies apart. */
	unsigned c = 1;
	while (c < v->n_rst && is_copy(&v->e[v->rst[c]], r))
		c++;
	bool first = (i == 0 || is_copy(&v->e[v->rst[0]], r)) &&
		     (c >= v->n_rst || v->e[v->rst[c]].ts_ns - r->ts_ns >= v->reorder_ns);
	if (!bare && first)
		return false;
	for (unsigned k = 0; k < v->n && (k < v->rst[i] || v->e[k].ts_ns - r->ts_ns < v->reorder_ns);
	     k++) {
		const struct event *e = &v->e[k];
		if (event_dir(e) != v->dir && (e->flags & TCP_ACK) != 0 && e->ack == r->seq)
			return true;
		/* Or the capture lacks it: the other side acknowledges where segments end. */
		if (event_dir(e) == v->dir && (e->flags & TCP_RST) == 0 &&
		    e->seq + event_seqlen(e) == r->seq)
			return true;
	}
	/* The packet that it answers may be among those that were not recorded. */
	return v->ev->skipped_at != 0 && v->ev->skipped_at <= v->rst[i];
}

/* The index behind the last packet that packet i might have overtaken on the way. */
static unsigned overtaken_until(const struct view *v, unsigned i)
{
	unsigned k = i + 1;
	while (k < v->n && v->e[k].ts_ns - v->e[i].ts_ns < v->reorder_ns)
		k++;
	return k;
}

/* When the RST's sender last sent something else. */
static uint64_t last_own(const struct view *v, unsigned i)
{
	for (int k = (int)i - 1; k >= 0; k--)
		if (event_dir(&v->e[k]) == v->dir && (v->e[k].flags & TCP_RST) == 0)
			return v->e[k].ts_ns;
	return 0;
}

/*
 * Bare and stamped as its sender's: a closed socket answers so, with the number of an acknowledgement, which
 * a capture that lost or was not given it does not show.
 */
static bool is_refusal_perhaps(const struct view *v, unsigned i)
{
	return (v->e[i].flags & TCP_ACK) == 0 && v->base.n != 0 &&
	       !view_ttl_off(v, i, VIEW_TTL_TOLERANCE) && !view_df_off(v, i);
}

/*
 * From its sender's distance with another initial TTL, as of a kernel that answers for a socket, and of the
 * last two packets of its sender and of it the IP-IDs go up by a few: those of others do so one time in some
 * thousand.
 */
static bool is_other_stack(const struct view *v, unsigned i)
{
	uint16_t behind = v->e[i].ip_id;
	unsigned n = 0;
	if (!view_ttl_off(v, i, VIEW_TTL_TOLERANCE) || !view_as_far(v, i))
		return false;
	for (int k = (int)i - 1; k >= 0 && n < 2 && !v->ev->ipv6; k--) {
		const struct event *e = &v->e[k];
		if (event_dir(e) != v->dir || (e->flags & TCP_RST) != 0)
			continue;
		uint16_t step = (uint16_t)(behind - e->ip_id);
		if (step == 0 || step > COUNTED)
			return false;
		behind = e->ip_id;
		n++;
	}
	return n == 2;
}

static bool lacks_packets(const struct view *v)
{
	return v->ev->half[DIR_C2S].gap || v->ev->half[DIR_S2C].gap ||
	       (v->ctx != NULL && context_lacks_packets(v->ctx));
}

/* It lies where s never was. */
static bool is_far(const struct half *s, uint32_t number)
{
	return s->syn && (seq_lt(number, s->isn) || seq_diff(number, s->next) > STRANGE);
}

/*
 * Its number lies where its sender never was: of another connection on the same ports, of a server whose SYN
 * proxy forgot to translate it, or, where both do, the refusal of its SYN, which has the number 0 (RFC 9293,
 * section 3.10.7.1). Injectors that know no number write 0, and others take one from what they see.
 */
static bool is_strange(const struct view *v, const struct event *r)
{
	bool acks = (r->flags & TCP_ACK) != 0 && r->ack != 0;
	return is_far(&v->ev->half[v->dir], r->seq) &&
	       (r->seq != 0 || (acks && is_far(&v->ev->half[dir_other(v->dir)], r->ack)));
}

/* RST number i has the number of what its sender may answer, or count from. */
static bool is_numbered_so(const struct view *v, unsigned i)
{
	unsigned r = v->rst[i];
	uint32_t ack;
	if (!is_echo(v, i) && !(view_acked_before(v, r, &ack) && v->e[r].seq == ack))
		return false;
	bool unlike = view_ttl_off(v, r, 9) && view_df_off(v, r);
	return !unlike || lacks_packets(v) || !view_drawn_late(v, r);
}

static bool match_seq_data(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	for (unsigned i = 0; i < v->n_rst && !view_is_mixed(v); i++) {
		const struct event *r = &v->e[v->rst[i]];
		uint64_t last = last_own(v, v->rst[i]);
		uint32_t next;
		if (!view_next_before(v, v->rst[i], &next) || seq_diff(next, r->seq) <= SEQ_SLOP ||
		    view_began_anew(v, v->rst[i], v->rst[i]) || is_numbered_so(v, i) ||
		    r->ts_ns - last > BURST_NS || is_strange(v, r))
			continue;
		bool perhaps = is_refusal_perhaps(v, v->rst[i]) || is_other_stack(v, v->rst[i]);
		t->grade = perhaps || lacks_packets(v) ? GRADE_D2 : GRADE_D3;
		t->frame = r->frame;
		testimony_suspect(t, v->rst[i]);
		testimony_says(t, "RST %d bytes before data already sent", seq_diff(next, r->seq));
		testimony_expects(t, "sequence number after the last byte sent");
		return true;
	}
	return false;
}

/* New payload of the same sender, after the RST and later than reordering explains. */
static bool later_payload(const struct view *v, unsigned rst, unsigned k, uint64_t limit)
{
	const struct event *r = &v->e[rst], *e = &v->e[k];
	uint32_t next;
	/* What the record left out before the RST may have reached further. */
	if ((e->bits & EVENT_RETX) != 0 && v->ev->skipped_at != 0 && v->ev->skipped_at <= rst)
		return false;
	/* In a capture that begins later, what the other side waits for says what is new. */
	return event_dir(e) == v->dir && e->len != 0 &&
	       (e->flags & (TCP_RST | TCP_SYN)) == 0 && seq_leq(r->seq, e->seq) &&
	       (view_next_before(v, k, &next) || view_acked_before(v, k, &next)) &&
	       seq_lt(next, e->seq + e->len) &&
	       e->ts_ns - r->ts_ns <= limit && !overtook(v, rst, k) && view_goes_on(v, rst, k);
}

/* RST k is numbered right behind packet `data`, and left its sender after it, as a counting IP-ID shows. */
static bool ended_data(const struct view *v, unsigned k, unsigned data)
{
	const struct event *e = &v->e[data];
	return (v->e[k].flags & TCP_RST) != 0 && v->e[k].seq == e->seq + event_seqlen(e) &&
	       overtook(v, k, data) && !view_ttl_off(v, k, VIEW_TTL_TOLERANCE) && !view_df_off(v, k);
}

/*
 * Packets that belong together arrived in another order than they left: the sender closed the
 * connection itself, and the data that follows the RST is older than both it and the last FIN or
 * RST+ACK.
 */
static bool closed_itself(const struct view *v, unsigned rst, unsigned data, uint64_t wait)
{
	for (unsigned k = 0; k < v->n; k++) {
		const struct event *e = &v->e[k], *r = &v->e[rst];
		uint64_t apart = k < rst ? r->ts_ns - e->ts_ns : e->ts_ns - r->ts_ns;
		uint32_t next;
		if (k == rst || apart >= wait || event_dir(e) != v->dir ||
		    (e->flags & (TCP_FIN | TCP_RST)) == 0 || (e->flags & TCP_ACK) == 0)
			continue;
		/* Of its own making: stamped as its data, or, if it is a RST, as the other RST. */
		bool like = (e->flags & TCP_RST) != 0 && e->ttl == r->ttl &&
			    ((e->bits ^ r->bits) & EVENT_DF) == 0;
		if (!like && (view_ttl_off(v, k, VIEW_TTL_TOLERANCE) || view_df_off(v, k) ||
			      view_ipid_off(v, k)))
			continue;
		if ((e->flags & TCP_FIN) != 0 || ended_data(v, k, data) ||
		    (view_next_before(v, overtaken_until(v, k), &next) && e->seq == next))
			return true;
	}
	return false;
}

/*
 * Sooner than packets can swap places on the way, the RST might have overtaken its own data: one that
 * answers an older packet might, but an abort is numbered behind all data.
 */
static enum grade grade_data_after(const struct view *v, unsigned rst, unsigned k, bool late)
{
	bool unlike = view_ttl_off(v, rst, VIEW_TTL_TOLERANCE) || view_df_off(v, rst) ||
		      view_ipid_off(v, rst);
	bool older = (v->e[rst].flags & TCP_ACK) == 0 || lacks_packets(v) || v->reorder_ns > VIEW_REORDER_NS;
	if ((older && v->e[k].ts_ns - v->e[rst].ts_ns < v->reorder_ns) || view_stood_in(v, rst, k))
		return GRADE_D2;
	return view_in_series(v, k) && (late || unlike) ? GRADE_D4 : GRADE_D3;
}

static bool match_data_after(const struct view *v, const struct signature *self,
			     struct testimony *t)
{
	(void)self;
	for (unsigned i = 0; i < v->n_rst; i++) {
		unsigned r = v->rst[i];
		for (unsigned k = r + 1; k < v->n; k++) {
			if (!later_payload(v, r, k, BURST_NS))
				continue;
			uint64_t dt = v->e[k].ts_ns - v->e[r].ts_ns, wait = view_late_after(v, r);
			if (dt < wait && closed_itself(v, r, k, wait))
				continue;
			t->grade = grade_data_after(v, r, k, dt >= wait);
			t->frame = v->e[k].frame;
			testimony_suspect(t, r);
			testimony_says(t, "%u new bytes %.1f ms after the RST", v->e[k].len,
				       (double)(v->e[k].ts_ns - v->e[r].ts_ns) / 1e6);
			testimony_expects(t, "silence: a RST ends its sender's connection");
			return true;
		}
	}
	return false;
}

static void says_late(const struct view *v, struct testimony *t, unsigned r, unsigned k,
		      const char *what)
{
	t->frame = v->e[k].frame;
	testimony_suspect(t, r);
	testimony_says(t, "%s %.1f ms later", what,
		       (double)(v->e[k].ts_ns - v->e[r].ts_ns) / 1e6);
}

static bool match_late_genuine(const struct view *v, const struct signature *self,
			       struct testimony *t)
{
	(void)self;
	for (unsigned i = 0; i < v->n_rst; i++) {
		unsigned r = v->rst[i];
		uint64_t wait = view_late_after(v, r);
		for (unsigned k = r + 1; k < v->n; k++) {
			const struct event *e = &v->e[k];
			uint64_t dt = e->ts_ns - v->e[r].ts_ns;
			if (event_dir(e) != v->dir || (e->flags & (TCP_RST | TCP_SYN)) != 0 ||
			    dt < wait || dt > LATE_NS || overtook(v, r, k) ||
			    !view_goes_on(v, r, k) || !view_in_series(v, k))
				continue;
			bool payload = e->len != 0 && seq_leq(v->e[r].seq, e->seq) &&
				       (e->bits & EVENT_RETX) == 0;
			bool ack = e->len == 0 && (e->flags & (TCP_ACK | TCP_FIN)) == TCP_ACK &&
				   v->ev->half[dir_other(v->dir)].n_data != 0 &&
				   seq_lt(v->ev->half[dir_other(v->dir)].first_seq, e->ack) &&
				   seq_leq(v->e[r].seq, e->seq);
			enum grade grade = payload ? GRADE_D4 : ack ? GRADE_D3 : 0;
			if (grade > GRADE_D2 && view_stood_in(v, r, k))
				grade = GRADE_D2;
			if (grade <= t->grade)
				continue;
			t->grade = grade;
			t->n_suspects = 0;
			says_late(v, t, r, k, payload ? "payload of the same sender"
						      : "acknowledgement of the same sender");
			if (grade == GRADE_D4)
				return true;
		}
	}
	testimony_expects(t, "nothing after a RST");
	return t->grade != 0;
}

static bool match_ack_regress(const struct view *v, const struct signature *self,
			      struct testimony *t)
{
	(void)self;
	for (unsigned i = 0; i < v->n_rst; i++) {
		unsigned r = v->rst[i];
		const struct event *s = &v->e[r];
		if ((s->flags & TCP_ACK) == 0)
			continue;
		uint64_t wait = view_late_after(v, r);
		for (unsigned k = r + 1; k < v->n; k++) {
			const struct event *e = &v->e[k];
			uint64_t dt = e->ts_ns - s->ts_ns;
			if (event_dir(e) != v->dir ||
			    (e->flags & (TCP_RST | TCP_SYN | TCP_ACK)) != TCP_ACK || dt < wait ||
			    dt > LATE_NS || !seq_lt(e->ack, s->ack) || overtook(v, r, k) ||
			    seq_diff(s->ack, e->ack) > REGRESS_MAX || !view_goes_on(v, r, k))
				continue;
			t->grade = GRADE_D4;
			t->frame = e->frame;
			testimony_suspect(t, r);
			testimony_says(t, "acknowledges %d bytes less, %.1f ms later",
				       seq_diff(s->ack, e->ack), (double)dt / 1e6);
			testimony_expects(t, "acknowledgements of one sender never go back");
			return true;
		}
	}
	return false;
}

/*
 * An abort behind data that was lost, and a refusal of an older packet that overtook it: RSTs number i
 * and k of one sender after all.
 */
static bool refused_first(const struct view *v, unsigned i, unsigned k)
{
	const struct event *a = &v->e[v->rst[i]], *b = &v->e[v->rst[k]];
	/* With ACK, the refusal acknowledges what came after the abort. */
	bool newer = (a->flags & TCP_ACK) == 0 || seq_lt(b->ack, a->ack);
	return newer && (b->flags & TCP_ACK) != 0 && is_echo(v, i) &&
	       b->ts_ns - a->ts_ns < v->reorder_ns;
}

/* The record left packets out before RST i, and among them are those that reached its number. */
static bool was_left_out(const struct view *v, unsigned i)
{
	const struct half *s = &v->ev->half[v->dir], *p = &v->ev->half[dir_other(v->dir)];
	return v->ev->skipped_at != 0 && v->ev->skipped_at <= i &&
	       (seq_leq(v->e[i].seq, s->next) || (p->acked && seq_leq(v->e[i].seq, p->max_ack)));
}

static bool match_seq_change(const struct view *v, const struct signature *self,
			     struct testimony *t)
{
	(void)self;
	if (v->ev->half[v->dir].gap || view_is_mixed(v)) {
		t->untestable = v->ev->half[v->dir].gap ? "the capture lacks packets of this direction"
							 : "two connections on the same ports";
		return false;
	}
	for (unsigned i = 0; i + 1 < v->n_rst; i++) {
		for (unsigned k = i + 1; k < v->n_rst; k++) {
			const struct event *a = &v->e[v->rst[i]], *b = &v->e[v->rst[k]];
			uint32_t next, ack;
			unsigned until = overtaken_until(v, v->rst[k]);
			if (b->ts_ns - a->ts_ns >= BURST_NS || view_began_anew(v, v->rst[i], v->rst[k]) ||
			    is_strange(v, a) || is_strange(v, b) ||
			    seq_diff(b->seq, a->seq) <= SEQ_SLOP || refused_first(v, i, k) ||
			    !view_next_before(v, until, &next) || seq_leq(b->seq, next) ||
			    (view_acked_before(v, until, &ack) && seq_leq(b->seq, ack)) ||
			    was_left_out(v, v->rst[k]))
				continue;
			t->grade = is_refusal_perhaps(v, v->rst[k]) || lacks_packets(v) ? GRADE_D2
											: GRADE_D4;
			t->frame = b->frame;
			testimony_suspect(t, v->rst[i]);
			testimony_suspect(t, v->rst[k]);
			testimony_says(t, "second RST %d bytes ahead of the first",
				       seq_diff(b->seq, a->seq));
			testimony_expects(t, "one sequence number: no data was sent between them");
			return true;
		}
	}
	return false;
}

static bool match_ack_change(const struct view *v, const struct signature *self,
			     struct testimony *t)
{
	(void)self;
	const struct half *p = &v->ev->half[dir_other(v->dir)];
	for (unsigned i = 0; i + 1 < v->n_rst && !view_is_mixed(v); i++) {
		for (unsigned k = i + 1; k < v->n_rst; k++) {
			const struct event *a = &v->e[v->rst[i]], *b = &v->e[v->rst[k]];
			if ((a->flags & b->flags & TCP_ACK) == 0 || a->ack == b->ack ||
			    b->ts_ns - a->ts_ns > BURST_NS || !p->seen || !p->syn ||
			    is_strange(v, a) || is_strange(v, b) ||
			    view_began_anew(v, v->rst[i], v->rst[k]))
				continue;
			bool outside = seq_lt(p->next, a->ack) || seq_lt(p->next, b->ack) ||
				       seq_lt(a->ack, p->isn) || seq_lt(b->ack, p->isn);
			if (!outside || p->gap)
				continue;
			t->grade = lacks_packets(v) ? GRADE_D2 : GRADE_D3;
			t->frame = b->frame;
			testimony_suspect(t, v->rst[i]);
			testimony_suspect(t, v->rst[k]);
			testimony_says(t, "RSTs acknowledge %u and %u (relative)",
				       a->ack - p->isn, b->ack - p->isn);
			testimony_expects(t, "a number that the other side has sent");
			return true;
		}
	}
	return false;
}

const struct signature sig_race[] = {
	{.id = "data-after-rst", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_LATE, .names = true,
	 .summary = "the sender went on sending new data after a RST in its name",
	 .benign = "a RST that overtook its own data on the way",
	 .rules_out = "the sender did not close the connection: it went on sending",
	 .refs = REF ", DATA_SEQ_RST", .match = match_data_after},
	{.id = "late-genuine", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_LATE, .names = true,
	 .summary = "half a round trip or more after the RST its supposed sender was still there",
	 .benign = "a RST that overtook its own data on the way; a translator that lost its table",
	 .rules_out = "the sender did not close the connection: its own packets kept coming",
	 .refs = "after " REF, .match = match_late_genuine},
	{.id = "ack-regress", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_LATE, .names = true,
	 .summary = "after the RST the sender acknowledged less than the RST had",
	 .benign = "none known: acknowledgements of one sender do not go back",
	 .rules_out = "one sender for both packets: its acknowledgements would have gone back",
	 .refs = "this project's rule; RFC 9293 section 3.4", .match = match_ack_regress},
	{.id = "rst-seq-change", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_SEQ, .names = true,
	 .summary = "a second RST lies ahead of the first and of everything sent",
	 .benign = "data between the two RSTs that the capture does not hold",
	 .rules_out = "a standard TCP stack never sends such a pair",
	 .refs = REF ", RST_SEQ_CHANGE", .match = match_seq_change},
	{.id = "rst-behind-data", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_SEQ, .names = true,
	 .summary = "the RST's sequence number lies before data that its sender had already sent",
	 .benign = "a closed socket answering an old packet",
	 .refs = REF ", RST_SEQ_DATA", .match = match_seq_data},
	{.id = "rst-ack-change", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_ACK, .names = true,
	 .summary = "RSTs of one burst acknowledge different numbers, one of them never sent",
	 .benign = "bytes of the other side that the capture does not hold",
	 .refs = REF ", RST_ACK_CHANGE", .match = match_ack_change},
	{.id = "synack-and-rst", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_SYNACK, .names = true,
	 .summary = "one SYN was answered by a RST and by a SYN+ACK",
	 .benign = "a resent SYN that the capture does not hold",
	 .rules_out = "a closed port: the same port answered with SYN+ACK",
	 .refs = REF ", SYN_RST/SYNACK_RST", .match = synack_race_match},
	{.id = "synack-twice", .family = FAMILY_TCP_INJECTION, .cause = CAUSE_RESET,
	 .fact = FACT_SYNACK, .names = true,
	 .summary = "one SYN was answered by two SYN+ACKs with different sequence numbers",
	 .benign = "SYN cookies or a SYN proxy answering a resent SYN; anycast or load balancers",
	 .refs = REF, .match = synack_twice_match},
	{.id = NULL},
};
