/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/sub_rtt.h"

/*
 * The packet that drew the RST, so that no earlier one could have: the one that it acknowledges. A
 * bare RST is sent in answer to a segment, or by an abort at any time (RFC 9293, sections 3.5.2 and
 * 3.10.5); but nobody aborts a connection before the handshake's last ACK has come.
 */
static int drawn_by(const struct view *v, unsigned i)
{
	const struct event *r = &v->e[i];
	bool bare = (r->flags & TCP_ACK) == 0, spoke = false;
	int k = -1;
	for (int q = (int)i - 1; q >= 0; q--) {
		const struct event *e = &v->e[q];
		if ((e->flags & TCP_RST) != 0)
			continue;
		if (event_dir(e) == v->dir) {
			spoke |= (e->flags & TCP_SYN) == 0;
			continue;
		}
		if (!bare && event_seqlen(e) != 0 && e->seq + event_seqlen(e) == r->ack)
			return q;
		if (bare && (e->flags & TCP_ACK) != 0 && e->ack == r->seq)
			k = q;
	}
	return bare && spoke ? -1 : k;
}

/*
 * A bare RST that an earlier packet could have drawn, but not so late, since stacks answer at once:
 * the payload just before it is the likelier cause. -1 if there is none.
 */
static int drawn_late(const struct view *v, unsigned i)
{
	int q = view_last_sent(v, i);
	return q >= 0 && (v->e[i].flags & TCP_ACK) == 0 && v->e[q].len != 0 &&
			       v->e[q].ack == v->e[i].seq
		       ? q
		       : -1;
}

/* Nothing but this flow's SYN and SYN+ACK says how far the server is. */
static bool is_lone_handshake(const struct view *v, unsigned i)
{
	return view_min_rtt(v, (int)i, false) == UINT64_MAX && view_server_shakes(v) < 2;
}

/* How the time between packet k and RST i compares with the round trip; 0: it tells nothing. */
static enum grade grade_sub_rtt(const struct view *v, unsigned i, int k, uint64_t *rtt,
				const char **whence)
{
	uint64_t own = v->syn >= 0 && v->synack >= 0 ? view_min_rtt(v, (int)i, true) : UINT64_MAX;
	uint64_t run = view_server_rtt(v);
	*rtt = own < run ? own : run;
	*whence = own == UINT64_MAX ? " (other flows of this server)" : "";
	if (*rtt == UINT64_MAX || *rtt < RTT_FLOOR_NS)
		return 0;
	uint64_t dt = v->e[i].ts_ns - v->e[k].ts_ns;
	if (dt * 10 >= *rtt * 8 || dt + RTT_JITTER_NS >= *rtt)
		return 0;
	/* Where some packets lag, each round trip may hold two that did. */
	if (v->reorder_ns > VIEW_REORDER_NS && dt + 2 * v->reorder_ns >= *rtt)
		return GRADE_D1;
	/* A lone handshake may have waited for a radio to wake up, or for room in a full queue. */
	if (own == UINT64_MAX && view_server_shakes(v) < 2)
		return GRADE_D1;
	/* Where answers are missing from the capture, the next ones stand for them. */
	bool lacks = v->ctx != NULL && context_lacks_packets(v->ctx);
	return own == UINT64_MAX || is_lone_handshake(v, i) || lacks ? GRADE_D2 : GRADE_D3;
}

/* The packet that RST i came too soon after, with the grade; -1: none. */
static int too_soon_after(const struct view *v, unsigned i, enum grade *grade, uint64_t *rtt,
			  const char **whence)
{
	int k = drawn_by(v, i), late = drawn_late(v, i);
	*grade = k >= 0 && (v->e[k].bits & EVENT_RETX) == 0 ? grade_sub_rtt(v, i, k, rtt, whence) : 0;
	if (*grade != 0)
		return k;
	if (late < 0 || (v->e[late].bits & EVENT_RETX) != 0 ||
	    grade_sub_rtt(v, i, late, rtt, whence) == 0)
		return -1;
	*grade = GRADE_D2;
	return late;
}

bool sub_rtt_match(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	for (unsigned i = 0; i < v->n_rst; i++) {
		uint64_t rtt = 0;
		const char *whence = "";
		enum grade grade;
		if (!view_is_suspect(v, i) || view_is_copy(v, i))
			continue;
		int k = too_soon_after(v, v->rst[i], &grade, &rtt, &whence);
		if (rtt == UINT64_MAX)
			t->untestable = "no round trip was seen";
		else if (rtt != 0 && rtt < RTT_FLOOR_NS)
			t->untestable = "the round trip is too short to tell";
		if (k < 0)
			continue;
		if (grade > t->grade) {
			t->grade = grade;
			t->frame = v->e[v->rst[i]].frame;
			testimony_says(t, "%.1f ms after frame %u, which it answers",
				       (double)(v->e[v->rst[i]].ts_ns - v->e[k].ts_ns) / 1e6,
				       v->e[k].frame);
			testimony_expects(t, "at least the round trip, %.1f ms%s", (double)rtt / 1e6,
					  whence);
		}
		testimony_suspect(t, v->rst[i]);
	}
	return t->grade != 0;
}
