/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/exchange.h"

#include <stdlib.h>

#define EVENTS_FIRST 2 /* most queries are answered once */

void exchange_init(struct exchange *x, enum exchange_kind kind, bool ipv6)
{
	*x = (struct exchange){.kind = (uint8_t)kind, .ipv6 = ipv6, .name = ""};
}

static bool make_room(struct exchange *x)
{
	if (x->n_events == x->room_events && x->room_events < EXCHANGE_EVENTS) {
		unsigned room = x->room_events != 0 ? x->room_events * 2u : EVENTS_FIRST;
		if (room > EXCHANGE_EVENTS)
			room = EXCHANGE_EVENTS;
		struct event *e = realloc(x->events, room * sizeof(*e));
		if (e != NULL) {
			x->events = e;
			x->room_events = (uint16_t)room;
		}
	}
	x->skipped += x->n_events == x->room_events && x->skipped != UINT16_MAX;
	return x->n_events < x->room_events;
}

int exchange_packet(struct exchange *x, enum dir dir, const struct packet *pkt,
		    const struct headers *h)
{
	if (!make_room(x))
		return -1;
	x->events[x->n_events] = evidence_event(0, dir, pkt, h);
	return x->n_events++;
}

int exchange_event(struct exchange *x, const struct event *e)
{
	if (!make_room(x))
		return -1;
	x->events[x->n_events] = *e;
	return x->n_events++;
}

void exchange_done(struct exchange *x, struct app_facts *facts)
{
	x->next = facts->done;
	facts->done = x;
}

void exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	free(x->events);
	free(x);
}

struct evidence exchange_evidence(const struct exchange *x)
{
	struct evidence ev = {
		.events = x->events,
		.n_events = x->n_events,
		.room_events = x->room_events,
		.skipped = x->skipped,
		.ipv6 = x->ipv6,
	};
	for (unsigned i = 0; i < x->n_events; i++) {
		const struct event *e = &x->events[i];
		struct half *h = &ev.half[event_dir(e)];
		if (h->n_data == 0)
			h->first_data_ns = e->ts_ns;
		h->seen = true;
		h->n_data += e->len != 0;
		h->last_ns = e->ts_ns;
	}
	return ev;
}
