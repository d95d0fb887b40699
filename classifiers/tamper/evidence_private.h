/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Private to evidence*.c: a flow's record of packets. */

#include "classifiers/tamper/evidence.h"

/* Room kept for what matters at the end of a long record. */
#define EVENTS_RESERVE 24

/* Events that a record takes which is no ring any more. */
static inline unsigned evidence_limit(const struct evidence *ev)
{
	return (ev->found & EVIDENCE_RST) != 0 ? EVENTS_MAX : EVENTS_MAX - EVENTS_RESERVE;
}

/* A round of a multiplicative hash. The factor is 2^64 over the golden ratio. */
static inline uint64_t hash_word(uint64_t x, uint64_t word)
{
	x = (x ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 32;
}

/* Where in room.seen a frame is looked for: by its headers, which are there before its bytes are. */
static inline unsigned evidence_slot(const struct flow *f, const struct headers *h)
{
	uint64_t x = hash_word(f->id, (uint64_t)h->seq << 32 | h->ack);
	x = hash_word(x, (uint64_t)h->tsval << 32 | h->payload_len);
	x = hash_word(x, (uint64_t)h->ip_id << 32 | (uint32_t)h->window << 16 | h->flags);
	return (x >> 32) % RECENT_FRAMES;
}

/*
 * Frames that a capture shows twice. RSTs are never left out: some injectors send identical ones. A
 * router captured on both sides shows the second copy with one hop less. e is known afterwards.
 */
bool evidence_is_duplicate(struct evidence_room *room, const struct flow *f, const struct event *e,
			   const struct headers *h);
/*
 * evidence_sound.c: a packet that no receiver would take, seen among sound ones: damage, or a decoy.
 */
bool evidence_is_ignored(const struct half *s, const struct headers *h);
/* Of direction dir the first packet, or the SYN: whether checksums are right, and packets unsigned. */
void evidence_learn_sound(struct evidence *ev, enum dir dir, const struct headers *h);
/* Nothing tells whether those of its RSTs are decoys that were taken for them: they count. */
void evidence_sound_unknown(struct evidence *ev, enum dir dir);
/* Counts RST e, unless it is to be ignored. */
void evidence_rst(struct evidence *ev, enum dir dir, struct event *e, const struct headers *h);
/* A payload as long as p, who gets it, takes at once. */
bool evidence_is_full(const struct half *s, const struct half *p, uint32_t len);
void evidence_append(struct evidence *ev, struct evidence_room *room, const struct event *e,
		     struct evidence_counters *n);
