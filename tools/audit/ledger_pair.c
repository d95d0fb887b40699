/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which arrival is which frame that was sent: first what agrees in all that a router leaves alone,
 * then what carries the same bytes in other segments, then what is the same packet rewritten.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tools/audit/ledger_private.h"

#define LOOK_BACK 64 /* of what was sent alike, examined for one arrival */

static int by_step(const void *a, const void *b)
{
	const struct ledger_step *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->ts_ns != y->ts_ns)
		return x->ts_ns < y->ts_ns ? -1 : 1;
	if (x->arrival != y->arrival)
		return x->arrival - y->arrival;
	return x->index < y->index ? -1 : x->index > y->index;
}

struct ledger_step *ledger_steps(const struct ledger *l, enum compare_way way, ledger_key_fn key,
				 uint32_t *n)
{
	const struct ledger_port *from = &l->port[way_from(way)], *to = &l->port[way_to(way)];
	struct ledger_step *steps = malloc(((size_t)from->n + to->n + 1) * sizeof(*steps));

	*n = 0;
	for (unsigned arrival = 0; arrival < 2 && steps != NULL; arrival++) {
		const struct ledger_port *p = arrival ? to : from;
		for (uint32_t i = 0; i < p->n; i++) {
			const struct ledger_frame *f = &p->frames[i];
			uint64_t k = f->ours != arrival && f->fate == FATE_NONE ? key(f) : 0;
			if (k != 0)
				steps[(*n)++] = (struct ledger_step){.key = k,
								     .ts_ns = f->ts_ns,
								     .index = i,
								     .arrival = arrival};
		}
	}
	if (steps != NULL)
		qsort(steps, *n, sizeof(*steps), by_step);
	return steps;
}

static unsigned changes(const struct ledger_frame *s, const struct ledger_frame *r)
{
	unsigned changed = 0, differ = s->has ^ r->has;

	changed |= s->tos != r->tos ? CHANGE_TOS : 0;
	changed |= s->ident != r->ident ? CHANGE_IP_ID : 0;
	changed |= (differ & LEDGER_DF) != 0 ? CHANGE_DF : 0;
	changed |= s->flags != r->flags ? CHANGE_FLAGS : 0;
	changed |= s->window != r->window ? CHANGE_WINDOW : 0;
	changed |= s->mss != r->mss || (differ & LEDGER_MSS) != 0 ? CHANGE_MSS : 0;
	changed |= s->wscale != r->wscale || (differ & LEDGER_WSCALE) != 0 ? CHANGE_WSCALE : 0;
	changed |= s->tsval != r->tsval || (differ & LEDGER_TS) != 0 ? CHANGE_TIMESTAMPS : 0;
	changed |= s->options != r->options ? CHANGE_OPTIONS : 0;
	changed |= s->len != r->len ? CHANGE_LENGTH : 0;
	changed |= s->payload != r->payload ? CHANGE_PAYLOAD : 0;
	changed |= memcmp(&s->key, &r->key, sizeof(s->key)) != 0 ? CHANGE_ADDRESSES : 0;
	return changed;
}

static void set_pair(struct ledger *l, enum compare_way way, uint32_t si, uint32_t ri,
		     enum compare_fate fate)
{
	struct ledger_frame *s = &l->port[way_from(way)].frames[si];
	struct ledger_frame *r = &l->port[way_to(way)].frames[ri];

	s->peer = ri;
	r->peer = si;
	if (fate == FATE_MODIFIED)
		s->changed = r->changed = (uint16_t)changes(s, r);
	/* As compare has it: header fields that routers and translators change leave a packet the
	 * same. */
	bool header = (s->changed & (CHANGE_PAYLOAD | CHANGE_LENGTH)) == 0 &&
		      ((s->flags ^ r->flags) & (TCP_SYN | TCP_RST | TCP_FIN)) == 0;
	s->fate = r->fate = (uint8_t)(header ? FATE_SAME : fate);
}

typedef bool (*accept_fn)(const struct ledger *l, const struct ledger_frame *s,
			  const struct ledger_frame *r);

/*
 * Each arrival is what was sent last of what is alike and not yet taken: its transit is the nearest
 * to the others'. doubled: what is left of the arrivals is once more what was sent.
 */
static int pass(struct ledger *l, enum compare_way way, ledger_key_fn key, accept_fn accept,
		enum compare_fate fate, bool doubled)
{
	struct ledger_port *from = &l->port[way_from(way)], *to = &l->port[way_to(way)];
	uint32_t n, *open = NULL, n_open = 0, last = LEDGER_NONE;
	struct ledger_step *steps = ledger_steps(l, way, key, &n);

	open = malloc(((size_t)n + 1) * sizeof(*open));
	if (steps == NULL || open == NULL) {
		free(steps);
		free(open);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct ledger_step *t = &steps[i];
		if (i == 0 || steps[i - 1].key != t->key) {
			n_open = 0;
			last = LEDGER_NONE;
		}
		if (!t->arrival) {
			open[n_open++] = last = t->index;
			continue;
		}
		uint32_t at = n_open, stop = n_open > LOOK_BACK ? n_open - LOOK_BACK : 0;
		while (at > stop && accept != NULL &&
		       !accept(l, &from->frames[open[at - 1]], &to->frames[t->index]))
			at--;
		if (at > stop) {
			set_pair(l, way, open[at - 1], t->index, fate);
			memmove(&open[at - 1], &open[at], (n_open - at) * sizeof(*open));
			n_open--;
		} else if (doubled && last != LEDGER_NONE) {
			to->frames[t->index].fate = FATE_DUPLICATED;
		}
	}
	free(steps);
	free(open);
	return 0;
}

static uint64_t key_same(const struct ledger_frame *f)
{
	return f->same;
}

static bool is_tcp(const struct ledger_frame *f)
{
	return f->kind == LEDGER_FLOW && f->proto == IPPROTO_TCP;
}

/* The same place in the same connection, and as long. */
static uint64_t key_place(const struct ledger_frame *f)
{
	if (!is_tcp(f))
		return 0;
	uint64_t what = (uint64_t)f->len << 16 | (f->flags & (TCP_SYN | TCP_RST));
	return ledger_mix(ledger_flow_hash(f), ledger_mix(f->seq, what)) | 1;
}

/* A reset is rewritten only if it is marked; an acknowledgement acknowledges the same. */
static bool same_place(const struct ledger *l, const struct ledger_frame *s,
		       const struct ledger_frame *r)
{
	(void)l;
	if ((s->flags & TCP_RST) != 0)
		return s->ident == r->ident && s->ack == r->ack;
	return s->len > 0 || (s->flags & TCP_SYN) != 0 || s->ack == r->ack;
}

/* With all its bytes: only its headers can be others. */
static bool same_place_and_bytes(const struct ledger *l, const struct ledger_frame *s,
				 const struct ledger_frame *r)
{
	return s->payload == r->payload && same_place(l, s, r);
}

/* An identification of 0 is everybody's. */
static uint64_t key_marked(const struct ledger_frame *f)
{
	if (f->kind != LEDGER_FLOW || f->key.ip_version != 4 || f->ident == 0)
		return 0;
	return ledger_mix(ledger_flow_hash(f), f->ident) | 1;
}

/* A header of the network's, around bytes that nobody touched. */
static uint64_t key_bytes(const struct ledger_frame *f)
{
	if (f->kind != LEDGER_FLOW || f->proto == IPPROTO_TCP || f->len == 0)
		return 0;
	return ledger_mix(ledger_flow_hash(f), ledger_mix(f->payload, f->len)) | 1;
}

/* What translation leaves alone and chance does not repeat. */
static uint64_t key_translated(const struct ledger_frame *f)
{
	bool syn = (f->flags & TCP_SYN) != 0;

	if (f->kind != LEDGER_FLOW || (f->proto == IPPROTO_TCP && (f->flags & TCP_RST) != 0) ||
	    (f->proto == IPPROTO_TCP ? f->len == 0 && !syn : f->len == 0))
		return 0;
	uint64_t place = f->proto == IPPROTO_TCP ? (uint64_t)f->seq << 12 | f->flags : f->proto;
	return ledger_mix(place, ledger_mix(f->payload, f->len)) | 1;
}

static bool not_ours(const struct ledger *l, const struct ledger_frame *s,
		     const struct ledger_frame *r)
{
	(void)l;
	return r->flow == LEDGER_NONE && s->flow != LEDGER_NONE;
}

static uint64_t address(const struct ip_addr *a)
{
	return XXH3_64bits(a, sizeof(*a));
}

/* Fragments of a packet, and the whole of it. */
static uint64_t key_packet(const struct ledger_frame *f)
{
	if ((f->kind != LEDGER_FRAGMENT && f->kind != LEDGER_FLOW) || f->ident == 0)
		return 0;
	/* Without its ports, which the later ones lack, the order of the ends may turn. */
	return ledger_mix(ledger_mix(address(&f->key.lo) ^ address(&f->key.hi), f->ident),
			  f->proto) |
	       1;
}

/* A packet that was cut on the way, or put together: contents are not compared. */
static int pass_fragments(struct ledger *l, enum compare_way way)
{
	uint32_t n;
	struct ledger_step *steps = ledger_steps(l, way, key_packet, &n);

	if (steps == NULL)
		return -ENOMEM;
	for (uint32_t i = 0, end; i < n; i = end) {
		bool met[2] = {false, false}, cut = false;
		for (end = i; end < n && steps[end].key == steps[i].key; end++) {
			enum compare_side at = steps[end].arrival ? way_to(way) : way_from(way);
			met[steps[end].arrival] = true;
			cut |= l->port[at].frames[steps[end].index].kind == LEDGER_FRAGMENT;
		}
		for (uint32_t k = i; k < end && met[0] && met[1] && cut; k++) {
			enum compare_side at = steps[k].arrival ? way_to(way) : way_from(way);
			l->port[at].frames[steps[k].index].fate = FATE_RESEGMENTED;
		}
	}
	free(steps);
	return 0;
}

/* Our own frames, back at the port that they left by: a loop or a bridge that floods. */
static void mark_reflected(struct ledger *l, enum compare_side port, const uint64_t *sent,
			   uint32_t n)
{
	struct ledger_port *p = &l->port[port];

	for (uint32_t i = 0; i < p->n; i++) {
		struct ledger_frame *f = &p->frames[i];
		uint32_t lo = 0, hi = n;
		while (lo < hi && !f->ours) {
			uint32_t mid = lo + (hi - lo) / 2;
			if (sent[mid] < f->same)
				lo = mid + 1;
			else
				hi = mid;
		}
		f->reflected = !f->ours && f->fate == FATE_NONE && lo < n && sent[lo] == f->same;
	}
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int find_reflected(struct ledger *l, enum compare_side port)
{
	struct ledger_port *p = &l->port[port];
	uint64_t *sent = malloc(((size_t)p->n + 1) * sizeof(*sent));
	uint32_t n = 0;

	if (sent == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n; i++) {
		if (p->frames[i].ours)
			sent[n++] = p->frames[i].same;
	}
	qsort(sent, n, sizeof(*sent), by_number);
	mark_reflected(l, port, sent, n);
	free(sent);
	return 0;
}

/* A clock that was set back while a frame was in the box makes it arrive before it left. */
static int pass_at_any_time(struct ledger *l, enum compare_way way)
{
	uint32_t n, last = 0;
	struct ledger_step *steps = ledger_steps(l, way, key_same, &n);

	if (steps == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		steps[i].ts_ns = 0;
	/* Those that were sent first; each arrival takes the next of them. */
	qsort(steps, n, sizeof(*steps), by_step);
	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || steps[i - 1].key != steps[i].key)
			last = i;
		if (steps[i].arrival && last < i && !steps[last].arrival)
			set_pair(l, way, steps[last++].index, steps[i].index, FATE_SAME);
	}
	free(steps);
	return 0;
}

int ledger_pair(struct ledger *l, enum compare_way way)
{
	int err = pass(l, way, key_same, NULL, FATE_SAME, true);

	if (err == 0)
		err = pass_at_any_time(l, way);
	if (err == 0)
		err = find_reflected(l, way_to(way));
	if (err == 0)
		err = pass(l, way, key_place, same_place_and_bytes, FATE_MODIFIED, false);
	if (err == 0)
		err = ledger_stream(l, way);
	if (err == 0)
		err = pass_fragments(l, way);
	if (err == 0)
		err = pass(l, way, key_place, same_place, FATE_MODIFIED, false);
	if (err == 0)
		err = pass(l, way, key_marked, NULL, FATE_MODIFIED, false);
	if (err == 0)
		err = pass(l, way, key_bytes, NULL, FATE_MODIFIED, false);
	if (err == 0)
		err = pass(l, way, key_translated, not_ours, FATE_MODIFIED, false);
	return err;
}
