/* SPDX-License-Identifier: BSD-3-Clause */

/* The packets of a flow that are kept: its head, a ring of its last ones, and all that comes after a stop. */

#include "classifiers/tamper/evidence_private.h"

#include <string.h>

#include "classifiers/slab.h"

static int events_grow(struct evidence *ev, struct evidence_room *shared)
{
	/* By little for the flows that nothing happened to: there may be a million. */
	unsigned room = ev->room_events == 0			       ? 4
			: ev->room_events < EVENTS_HEAD + EVENTS_TAIL ? ev->room_events + 2u
								       : ev->room_events * 2u;
	if (room > EVENTS_MAX)
		room = EVENTS_MAX;
	struct event *bigger = slab_set_alloc(shared->blocks, room * sizeof(*bigger));
	if (bigger == NULL)
		return -1;
	if (ev->n_events != 0)
		memcpy(bigger, ev->events, ev->n_events * sizeof(*bigger));
	slab_set_free(shared->blocks, ev->events, ev->room_events * sizeof(*bigger));
	ev->events = bigger;
	ev->room_events = (uint16_t)room;
	return 0;
}

void evidence_freeze(struct evidence *ev)
{
	if (ev->frozen)
		return;
	ev->frozen = true;
	if (ev->tail_from == 0)
		return;
	struct event tail[EVENTS_TAIL];
	unsigned n = ev->n_events - ev->tail_from;
	for (unsigned i = 0; i < n; i++)
		tail[i] = ev->events[ev->tail_from + (ev->tail_next + i) % n];
	memcpy(&ev->events[ev->tail_from], tail, n * sizeof(*tail));
	if (ev->skipped != 0)
		ev->skipped_at = ev->tail_from;
}

static bool is_ring(const struct evidence *ev)
{
	return !ev->frozen && ev->n_events == EVENTS_HEAD + EVENTS_TAIL;
}

void evidence_soon(const struct evidence *ev, const struct evidence_room *room, const struct flow *f,
		   const struct headers *h)
{
	unsigned at = is_ring(ev) ? EVENTS_HEAD + ev->tail_next : ev->n_events;
	__builtin_prefetch(&room->seen[evidence_slot(f, h)], 1);
	if (at >= ev->room_events)
		return;
	__builtin_prefetch(&ev->events[at], 1);
	__builtin_prefetch((const char *)&ev->events[at + 1] - 1, 1);
}

void evidence_append(struct evidence *ev, struct evidence_room *room, const struct event *e,
		     struct evidence_counters *n)
{
	if (is_ring(ev)) {
		ev->tail_from = EVENTS_HEAD;
		ev->events[ev->tail_from + ev->tail_next] = *e;
		ev->tail_next = (ev->tail_next + 1) % EVENTS_TAIL;
		ev->skipped++;
		n->events_dropped++;
		return;
	}
	if (ev->n_events >= evidence_limit(ev)) {
		if (ev->skipped_at == 0)
			ev->skipped_at = ev->n_events;
		ev->skipped++;
		n->events_dropped++;
		return;
	}
	if (ev->n_events == ev->room_events && events_grow(ev, room) != 0) {
		ev->skipped++;
		n->no_memory++;
		return;
	}
	ev->events[ev->n_events++] = *e;
}
