/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/synack.h"

#include "dataplane/seq.h"

#define ANSWER_NS 3000000000ull /* RACE-5, RACE-6 */
#define WORDS_MAX 65535         /* bytes that a server says unasked: a window without scaling */

/*
 * A RST that answers the SYN. A bare one is tied to nothing, but number 0 is what a box takes from a
 * SYN's empty acknowledgement; a late one of an earlier connection has a number of that.
 */
static bool answers_syn(const struct view *v, unsigned r)
{
	const struct event *e = &v->e[r];
	if ((e->flags & TCP_ACK) != 0)
		return e->ack == v->e[v->syn].seq + 1;
	return e->seq == 0 && (int)r < v->synack;
}

/*
 * A server that speaks first and then refuses has nothing but the SYN to acknowledge either. Its RST is
 * numbered behind its words.
 */
static bool ends_own_words(const struct view *v, unsigned r)
{
	const struct half *s = &v->ev->half[DIR_S2C], *c = &v->ev->half[DIR_C2S];
	uint32_t seq = v->e[r].seq;
	return seq_lt(v->e[v->synack].seq, seq) &&
	       (seq_leq(seq, s->next) || (c->acked && seq_leq(seq, c->max_ack)));
}

/* As before, of words that were lost on the way or that the capture does not hold. */
static bool ends_lost_words(const struct view *v, unsigned r)
{
	int ahead = seq_diff(v->e[r].seq, v->e[v->synack].seq);
	return v->handshake_ack >= 0 && v->handshake_ack < (int)r && ahead > 0 &&
	       ahead <= WORDS_MAX && v->base.n != 0 && !view_ttl_off(v, r, VIEW_TTL_TOLERANCE) &&
	       !view_df_off(v, r);
}

bool synack_race_match(const struct view *v, const struct signature *self,
			      struct testimony *t)
{
	(void)self;
	if (v->dir != DIR_S2C || v->syn < 0 || v->synack < 0)
		return false;
	for (unsigned i = 0; i < v->n_rst; i++) {
		unsigned r = v->rst[i], sa = (unsigned)v->synack;
		const struct event *e = &v->e[r], *g = &v->e[sa];
		unsigned first = r < sa ? r : sa, second = r < sa ? sa : r;
		if ((int)r < v->syn || !answers_syn(v, r) || g->ack != v->e[v->syn].seq + 1 ||
		    v->e[second].ts_ns - v->e[first].ts_ns > ANSWER_NS ||
		    e->seq == g->seq || e->seq == g->seq + 1 || ends_own_words(v, r) ||
		    view_began_anew(v, first, second))
			continue;
		t->grade = ends_lost_words(v, r) ? GRADE_D2 : GRADE_D4;
		t->frame = g->frame;
		testimony_suspect(t, r);
		testimony_says(t, "RST%s and SYN+ACK to one SYN, %.1f ms apart",
			       (e->flags & TCP_ACK) != 0 ? "+ACK" : "",
			       (double)(v->e[second].ts_ns - v->e[first].ts_ns) / 1e6);
		testimony_expects(t, "one answer: a port is open or closed");
		return true;
	}
	return false;
}

bool synack_twice_match(const struct view *v, const struct signature *self,
			       struct testimony *t)
{
	(void)self;
	if (v->dir != DIR_S2C || v->synack < 0 || v->syn < 0)
		return false;
	const struct event *a = &v->e[v->synack];
	for (unsigned k = (unsigned)v->synack + 1; k < v->n; k++) {
		const struct event *b = &v->e[k];
		if (event_dir(b) != DIR_S2C || (b->flags & (TCP_SYN | TCP_RST)) != TCP_SYN ||
		    a->seq == b->seq || a->ack != b->ack || b->ts_ns - a->ts_ns > ANSWER_NS)
			continue;
		bool unlike = ((a->bits ^ b->bits) & (EVENT_DF | EVENT_TS | EVENT_OPTIONS)) != 0;
		bool resent = v->ev->half[DIR_C2S].n_syn > 1;
		t->grade = unlike && !resent ? GRADE_D3 : GRADE_D2;
		t->frame = b->frame;
		testimony_suspect(t, (unsigned)v->synack);
		testimony_suspect(t, k);
		testimony_says(t, "two SYN+ACKs with different initial sequence numbers%s",
			       unlike ? ", unlike in DF or options" : "");
		testimony_expects(t, "one SYN+ACK, or copies of one");
		return true;
	}
	return false;
}
