/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/lockstep.h"

#define TTL_RANGE 200

struct stamp {
	uint16_t window;
	uint8_t ttl;
};

static bool in_step(const struct stamp *a, const struct stamp *b)
{
	return ((int)a->window - b->window - ((int)a->ttl - b->ttl)) % TTL_RANGE == 0;
}

/* False: this one breaks the step. Of copies one is kept. */
static bool add(struct stamp *s, unsigned *n, struct stamp one)
{
	for (unsigned i = 0; i < *n; i++) {
		if (s[i].window == one.window && s[i].ttl == one.ttl)
			return true;
		/* A window with two TTLs, or a TTL with two windows, is no single counter's. */
		if (!in_step(&s[i], &one) || s[i].window == one.window || s[i].ttl == one.ttl)
			return false;
	}
	if (*n < LOCKSTEP_PACKETS)
		s[(*n)++] = one;
	return true;
}

static bool is_plain(const struct view *v, unsigned i)
{
	const struct event *e = &v->e[i];
	return event_dir(e) == v->dir && (e->flags & TCP_RST) != 0 &&
	       (e->flags & (TCP_SYN | TCP_FIN | EVENT_IGNORED)) == 0 && e->window != 0 &&
	       (e->bits & EVENT_OPTIONS) == 0;
}

bool lockstep_examine(const struct view *v, const uint16_t events[], unsigned n,
		      struct lockstep *out)
{
	struct stamp s[LOCKSTEP_PACKETS];
	const struct event *first = NULL;
	*out = (struct lockstep){0};
	for (unsigned i = 0; i < n; i++) {
		const struct event *e = &v->e[events[i]];
		if (!is_plain(v, events[i]))
			continue;
		if (first == NULL) {
			first = e;
			out->offset = (int)e->window - e->ttl;
		}
		if (((e->flags ^ first->flags) & 0xfff) != 0 ||
		    ((e->bits ^ first->bits) & EVENT_DF) != 0)
			continue;
		if (!add(s, &out->n_stamps, (struct stamp){e->window, e->ttl}))
			return false;
		if (out->n_packets < LOCKSTEP_PACKETS)
			out->packets[out->n_packets++] = events[i];
	}
	for (unsigned i = 0; first != NULL && v->pair != NULL && i < v->pair->n; i++) {
		const struct pair_reset *r = &v->pair->reset[i];
		if (r->flow_id == v->flow->id ||
		    r->s2c != (v->dir == DIR_S2C) || r->flags != (first->flags & 0xfff) ||
		    r->df != ((first->bits & EVENT_DF) != 0))
			continue;
		if (!add(s, &out->n_stamps, (struct stamp){r->window, r->ttl}))
			return false;
		out->n_others++;
	}
	return out->n_stamps >= LOCKSTEP_MIN;
}
