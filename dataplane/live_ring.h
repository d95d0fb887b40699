/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Private to sink_live.c: our side of the ring of bpf/replay.h, over memory that the kernel's side
 * is mapped to. Frames from alloc lie in places of equal size, fewer than slots, and are gone once
 * sent; frames from hold lie close together behind them, and stay.
 */

#include <stdint.h>

#include "bpf/replay.h"
#include "dataplane/sink.h"

struct live_ring {
	/* Set before live_ring_start(). */
	struct replay_shared *shared;
	struct replay_slot *slots; /* REPLAY_SLOTS */
	uint8_t *chunks;           /* n_chunks, each of REPLAY_CHUNK_LEN */
	uint32_t n_chunks;
	uint32_t room;             /* bytes of a frame, to REPLAY_FRAME_MAX */
	uint32_t len_max;          /* of those, that the device takes */

	uint32_t stride, a_chunk;  /* of places; places in one chunk */
	uint32_t hold_at;          /* where the next one held may begin, as in replay_slot */
	uint64_t head;             /* ours; shared->head is what the kernel may take */
	uint64_t refused;          /* by us: shorter or longer than the device takes */
};

/* Chunks for the ring and for n frames of so many bytes together to be held: none if too many. */
uint32_t live_ring_chunks(uint32_t room, uint64_t n, uint64_t bytes);
void live_ring_start(struct live_ring *r);

unsigned live_ring_used(const struct live_ring *r); /* slots */
/* As sink.h says; both alloc and resend may find no room, and nothing here waits. */
unsigned live_ring_alloc(struct live_ring *r, struct frame frames[], unsigned n);
unsigned live_ring_send(struct live_ring *r, struct frame frames[], unsigned n);
int live_ring_hold(struct live_ring *r, struct frame *f);
unsigned live_ring_resend(struct live_ring *r, const struct frame frames[], unsigned n);

/* Adds the kernel's counters and ours to *out, and how late frames went to late[]. */
void live_ring_count(const struct live_ring *r, struct sink_stats *out,
		     uint64_t late[REPLAY_BUCKETS]);
/* The p-th part of n times in late[], rounded up to its bucket. */
uint64_t live_ring_quantile(const uint64_t late[REPLAY_BUCKETS], uint64_t n, double p);
