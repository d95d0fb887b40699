/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/trail.h"

#include <errno.h>
#include <stdlib.h>

#include "classifiers/spill.h"

/*
 * An entry is two differences, seven bits a byte: of the frame's place against the entry's before, and
 * against the flow's id, which is the place of its first frame. A place is the file, then 40 bits of
 * frame number.
 */
#define FRAME_BITS 40
#define ENTRY_MAX  20u /* bytes */
#define CHUNK	   65536u

struct chunk {
	struct chunk *next;
	struct spill *spill; /* that it is from; NULL: malloc */
	size_t size;         /* of all of it */
	unsigned n;
	uint8_t bytes[];
};

struct trail_shard {
	struct trail *trail;
	void *inner;
	struct chunk *first, *last;
	uint64_t place; /* of the entry before */
	size_t taken;   /* bytes of chunks */
	bool cut;
};

struct trail {
	const struct pipeline_hooks *inner;
	struct pipeline_hooks hooks;
	struct spill *spill;
	struct trail_shard shard[FLOW_SHARDS];
};

static uint8_t *put(uint8_t *p, uint64_t difference)
{
	/* The sign goes last, so that little either way is short. */
	uint64_t v = difference << 1 ^ (difference >> 63 != 0 ? UINT64_MAX : 0);

	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static const uint8_t *get(const uint8_t *p, uint64_t *difference)
{
	uint64_t v = 0;
	unsigned shift = 0;

	do
		v |= (uint64_t)(*p & 0x7f) << shift;
	while (shift += 7, (*p++ & 0x80) != 0);
	*difference = v >> 1 ^ ((v & 1) != 0 ? UINT64_MAX : 0);
	return p;
}

static struct chunk *chunk_new(struct spill *spill)
{
	size_t size = CHUNK;
	struct chunk *c = spill_alloc(&spill, &size);

	if (c != NULL)
		*c = (struct chunk){.spill = spill, .size = size};
	return c;
}

static struct chunk *room(struct trail_shard *s)
{
	if (s->last != NULL && s->last->n + ENTRY_MAX <= s->last->size - sizeof(*s->last))
		return s->last;
	struct chunk *c = s->taken + CHUNK <= TRAIL_MAX ? chunk_new(s->trail->spill) : NULL;
	if (c == NULL) {
		s->cut = true;
		return NULL;
	}
	s->taken += c->size;
	*(s->last != NULL ? &s->last->next : &s->first) = c;
	return s->last = c;
}

static void add(struct trail_shard *s, uint64_t flow, uint32_t file, uint64_t frame)
{
	uint64_t place = (uint64_t)file << FRAME_BITS | frame;
	struct chunk *c = s->cut ? NULL : room(s);

	if (c == NULL)
		return;
	uint8_t *end = put(put(c->bytes + c->n, place - s->place), place - flow);
	c->n = (unsigned)(end - c->bytes);
	s->place = place;
}

static void add_packet(struct trail_shard *s, const struct flow *f, const struct packet *pkt)
{
	for (const struct packet *p = pkt; p != NULL; p = p->parent) {
		add(s, f->id, p->file, p->frame);
		for (unsigned i = 0; i < p->n_frames; i++)
			add(s, f->id, p->file, p->frames[i]);
	}
}

static void *shard_new(void *user, unsigned shard)
{
	struct trail *t = user;
	struct trail_shard *s = &t->shard[shard];

	s->inner = t->inner->shard_new(t->inner->user, shard);
	return s->inner != NULL ? s : NULL;
}

static void on_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		      const struct headers *h, uint64_t now_ns)
{
	struct trail_shard *s = shard;

	add_packet(s, f, pkt);
	s->trail->inner->on_packet(s->inner, f, dir, pkt, h, now_ns);
}

static void on_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		    const struct headers *h)
{
	struct trail_shard *s = shard;

	add_packet(s, f, pkt);
	s->trail->inner->on_icmp(s->inner, f, dir, pkt, h);
}

static void on_flow_end(void *shard, struct flow *f, enum flow_end why)
{
	struct trail_shard *s = shard;

	s->trail->inner->on_flow_end(s->inner, f, why);
}

static void flow_soon(const void *shard, const struct flow *f, const struct headers *h)
{
	const struct trail_shard *s = shard;

	s->trail->inner->flow_soon(s->inner, f, h);
}

static void shard_free(void *user, void *shard)
{
	struct trail *t = user;
	struct trail_shard *s = shard;

	t->inner->shard_free(t->inner->user, s->inner);
}

int trail_new(struct trail **out, struct spill *spill)
{
	struct trail *t = calloc(1, sizeof(*t));

	*out = t;
	if (t == NULL)
		return -ENOMEM;
	t->spill = spill;
	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		t->shard[i].trail = t;
	return 0;
}

void trail_free(struct trail *t)
{
	if (t == NULL)
		return;
	for (unsigned i = 0; i < FLOW_SHARDS; i++) {
		while (t->shard[i].first != NULL) {
			struct chunk *c = t->shard[i].first;
			t->shard[i].first = c->next;
			spill_release(c->spill, c, c->size);
		}
	}
	free(t);
}

const struct pipeline_hooks *trail_hooks(struct trail *t, const struct pipeline_hooks *inner)
{
	t->inner = inner;
	/* Without may_shunt: a frame that is not seen cannot be written down. */
	t->hooks = (struct pipeline_hooks){.user = t,
					   .shard_new = shard_new,
					   .on_packet = on_packet,
					   .on_icmp = on_icmp,
					   .on_flow_end = on_flow_end,
					   .shard_free = shard_free,
					   .scratch_near = inner->scratch_near,
					   .flow_soon = inner->flow_soon != NULL ? flow_soon : NULL};
	return &t->hooks;
}

bool trail_is_whole(const struct trail *t)
{
	for (unsigned i = 0; i < FLOW_SHARDS; i++)
		if (t->shard[i].cut)
			return false;
	return true;
}

int trail_each(const struct trail *t, trail_fn fn, void *user)
{
	const uint64_t frames = (UINT64_C(1) << FRAME_BITS) - 1;
	int err = 0;

	for (unsigned i = 0; i < FLOW_SHARDS && err == 0; i++) {
		uint64_t place = 0, step, age;
		for (const struct chunk *c = t->shard[i].first; c != NULL && err == 0; c = c->next) {
			for (const uint8_t *p = c->bytes; p < c->bytes + c->n && err == 0;) {
				p = get(get(p, &step), &age);
				place += step;
				err = fn(user, place - age, (uint32_t)(place >> FRAME_BITS),
					 place & frames);
			}
		}
	}
	return err;
}
