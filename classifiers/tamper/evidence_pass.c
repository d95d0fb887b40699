/* SPDX-License-Identifier: BSD-3-Clause */

/* Packets that evidence could do without: which those are, and what they leave behind all the same. */

#include "classifiers/tamper/evidence_private.h"
#include "dataplane/seq.h"

/* Only packets that a record leaves out again may be missing from it. */
static bool record_is_full(const struct evidence *ev)
{
	return ev->frozen ? ev->n_events >= evidence_limit(ev)
			  : ev->n_events == EVENTS_HEAD + EVENTS_TAIL;
}

/* What this sender's packets have in common; false: nothing that later ones could be held against. */
static bool habits_are_known(const struct evidence *ev, enum dir dir, bool timestamps,
			     struct shunt_side *out)
{
	const struct half *s = &ev->half[dir], *p = &ev->half[dir_other(dir)];
	/* Of a server's first answers the bytes are kept. */
	bool data = s->n_data >= (dir == DIR_S2C ? ANSWERS_FLOW : 1);
	if (!s->seen || !s->acked || s->gap_filling || s->n_fin != 0 || s->ttl_max == 0 ||
	    s->ttl_min != s->ttl_max ||
	    (ev->ipv6 ? s->df != 0 : s->df != 1 && s->df != 2) || s->ts_later != timestamps)
		return false;
	*out = (struct shunt_side){.ttl = s->ttl_max, .df = s->df == 2,
				   .data_max = !data ? 0 : p->has_mss ? p->mss : UINT16_MAX};
	return true;
}

bool evidence_passable(const struct evidence *ev, struct shunt_flow *out)
{
	const struct half *c = &ev->half[DIR_C2S], *s = &ev->half[DIR_S2C];
	out->timestamps = c->ts_ok && s->ts_ok;
	return ev->duplicates == 0 && ev->n_probes == 0 &&
	       ev->rate == NULL && record_is_full(ev) &&
	       habits_are_known(ev, DIR_C2S, out->timestamps, &out->side[DIR_C2S]) &&
	       habits_are_known(ev, DIR_S2C, out->timestamps, &out->side[DIR_S2C]);
}

static void half_pass(struct evidence *ev, enum dir dir, const struct shunt_count *n)
{
	struct half *s = &ev->half[dir];
	struct resent *r = ev->more != NULL ? &ev->more->resent[dir_other(dir)] : NULL;
	if (n->packets == 0)
		return;
	if (n->data != 0)
		s->last_full = evidence_is_full(s, &ev->half[dir_other(dir)], n->last_len);
	s->last_ns = n->last_ns;
	s->n_data += (uint32_t)n->data;
	s->n_acks += (uint32_t)(n->packets - n->data);
	if (seq_lt(s->next, n->next))
		s->next = n->next;
	if (seq_lt(s->max_ack, n->ack)) {
		if (r != NULL && r->stuck != 0 && seq_lt(r->stuck_seq, n->ack))
			r->stuck = 0;
		s->max_ack = n->ack;
	}
}

void evidence_pass(struct evidence *ev, struct evidence_room *room, const struct flow *f,
		   const struct shunt_counts *counts, const struct headers h[],
		   struct evidence_counters *n)
{
	uint64_t passed = counts->side[DIR_C2S].packets + counts->side[DIR_S2C].packets;
	half_pass(ev, DIR_C2S, &counts->side[DIR_C2S]);
	half_pass(ev, DIR_S2C, &counts->side[DIR_S2C]);
	for (unsigned i = 0; i < counts->n_last; i++) {
		enum dir dir = (enum dir)counts->last_dir[i];
		struct event e = evidence_event(ev->half[dir].mac, dir, &counts->last[i], &h[i]);
		evidence_is_duplicate(room, f, &e, &h[i]);
		evidence_append(ev, room, &e, n);
	}
	ev->skipped += (uint32_t)(passed - counts->n_last);
	n->events_dropped += passed - counts->n_last;
}
