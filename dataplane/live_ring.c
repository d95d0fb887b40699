/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/live_ring.h"

#include <errno.h>
#include <string.h>

#define FRAME_MIN 14 /* an Ethernet header; BPF_PROG_RUN takes no less */

_Static_assert(REPLAY_CHUNK_LEN % 8 == 0, "elements of a BPF array are 8 bytes apart");
_Static_assert(REPLAY_CHUNK % REPLAY_LINE == 0, "what is held begins on lines of its own");

/* An odd number of cache lines, so that short frames use all sets of the cache. */
static uint32_t stride_of(uint32_t room)
{
	uint32_t lines = (room + REPLAY_LINE - 1) / REPLAY_LINE;

	return (lines | 1) * REPLAY_LINE;
}

/* Those that begin before REPLAY_CHUNK: past it is room for the longest frame. */
static uint32_t places_a_chunk(uint32_t stride)
{
	return (REPLAY_CHUNK + stride - 1) / stride;
}

static uint32_t ring_chunks(uint32_t room)
{
	uint32_t a_chunk = places_a_chunk(stride_of(room));

	return (REPLAY_PLACES + a_chunk - 1) / a_chunk;
}

uint32_t live_ring_chunks(uint32_t room, uint64_t n, uint64_t bytes)
{
	const uint64_t most = UINT32_MAX / REPLAY_CHUNK; /* replay_slot.at */
	uint32_t ring = ring_chunks(room);

	if (n > UINT32_MAX || bytes > UINT32_MAX)
		return ring;
	/* Each is rounded up to lines; a chunk is used to its end, or past it. */
	uint64_t held = (bytes + n * (REPLAY_LINE - 1) + REPLAY_CHUNK - 1) / REPLAY_CHUNK;
	return ring + held <= most ? ring + (uint32_t)held : ring;
}

void live_ring_start(struct live_ring *r)
{
	r->stride = stride_of(r->room);
	r->a_chunk = places_a_chunk(r->stride);
	r->hold_at = ring_chunks(r->room) * REPLAY_CHUNK;
	r->head = r->refused = 0;
}

static uint8_t *place(const struct live_ring *r, uint64_t i)
{
	uint32_t n = (uint32_t)i & (REPLAY_PLACES - 1);

	return r->chunks + (size_t)(n / r->a_chunk) * REPLAY_CHUNK_LEN +
	       n % r->a_chunk * r->stride;
}

static void put(struct live_ring *r, uint64_t i, const uint8_t *data, uint32_t len, uint64_t due_ns)
{
	size_t offset = (size_t)(data - r->chunks);
	size_t chunk = offset / REPLAY_CHUNK_LEN, byte = offset % REPLAY_CHUNK_LEN;

	r->slots[i & (REPLAY_SLOTS - 1)] = (struct replay_slot){
		.due_ns = due_ns,
		.at = (uint32_t)(chunk * REPLAY_CHUNK + byte),
		.len = len,
	};
}

static void advance(struct live_ring *r, unsigned by)
{
	r->head += by;
	__atomic_store_n(&r->shared->head, r->head, __ATOMIC_RELEASE);
}

unsigned live_ring_used(const struct live_ring *r)
{
	return (unsigned)(r->head - __atomic_load_n(&r->shared->tail, __ATOMIC_ACQUIRE));
}

unsigned live_ring_alloc(struct live_ring *r, struct frame frames[], unsigned n)
{
	unsigned used = live_ring_used(r);
	unsigned room = used < REPLAY_PLACES ? REPLAY_PLACES - used : 0;

	if (n > room)
		n = room;
	for (unsigned i = 0; i < n; i++)
		frames[i] = (struct frame){.data = place(r, r->head + i), .room = r->room};
	return n;
}

unsigned live_ring_send(struct live_ring *r, struct frame frames[], unsigned n)
{
	unsigned out = 0;

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &frames[i];
		f->tx_ns = 0;
		if (f->len == 0)
			continue;
		if (f->len < FRAME_MIN || f->len > r->len_max) {
			r->refused++;
			continue;
		}
		/* The place of a slot is free when the slot is: what moves up changes its place. */
		uint8_t *data = place(r, r->head + out);
		if (data != f->data)
			memcpy(data, f->data, f->len);
		put(r, r->head + out, data, f->len, f->due_ns);
		out++;
	}
	advance(r, out);
	return out;
}

int live_ring_hold(struct live_ring *r, struct frame *f)
{
	uint32_t chunk = r->hold_at / REPLAY_CHUNK, byte = r->hold_at % REPLAY_CHUNK;

	if (f->len < FRAME_MIN || f->len > r->len_max)
		return -EMSGSIZE;
	if (chunk >= r->n_chunks)
		return -ENOSPC;
	f->data = r->chunks + (size_t)chunk * REPLAY_CHUNK_LEN + byte;
	f->room = f->len;
	uint32_t end = byte + (f->len + REPLAY_LINE - 1) / REPLAY_LINE * REPLAY_LINE;
	r->hold_at = end < REPLAY_CHUNK ? r->hold_at - byte + end : (chunk + 1) * REPLAY_CHUNK;
	return 0;
}

unsigned live_ring_resend(struct live_ring *r, const struct frame frames[], unsigned n)
{
	unsigned room = REPLAY_SLOTS - live_ring_used(r);

	if (n > room)
		n = room;
	for (unsigned i = 0; i < n; i++)
		put(r, r->head + i, frames[i].data, frames[i].len, frames[i].due_ns);
	advance(r, n);
	return n;
}

void live_ring_count(const struct live_ring *r, struct sink_stats *out,
		     uint64_t late[REPLAY_BUCKETS])
{
	const volatile struct replay_shared *s = r->shared;

	out->frames += s->frames;
	out->bytes += s->bytes;
	out->refused += s->refused + r->refused;
	out->lost += s->lost;
	out->waits += s->waits;
	if (s->late_max > out->late_max_ns)
		out->late_max_ns = s->late_max;
	for (unsigned b = 0; b < REPLAY_BUCKETS; b++) {
		uint64_t n = s->late[b];
		late[b] += n;
		out->timed += n;
	}
}

uint64_t live_ring_quantile(const uint64_t late[REPLAY_BUCKETS], uint64_t n, double p)
{
	uint64_t below = 0, rank = (uint64_t)((double)n * p);

	for (uint32_t b = 0; b < REPLAY_BUCKETS; b++) {
		below += late[b];
		if (below > rank)
			return replay_bucket_end(b);
	}
	return 0;
}
