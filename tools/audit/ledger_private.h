/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Shared by ledger*.c. */

#include "tools/audit/ledger.h"

struct ledger_port {
	struct ledger_frame *frames;
	uint32_t n, room;
	uint8_t *arena;
	uint64_t arena_n, arena_room;
	uint64_t beyond; /* frames that there was no room for */
	bool no_memory;
	struct ledger_others others;
};

struct ledger {
	uint32_t max;
	struct ledger_port port[SIDES];
	struct ledger_flow *flows;
	uint32_t n_flows;
	struct ledger_way way[WAYS];
	struct ledger_losses losses;
};

/* A frame that was sent one way and one that arrived, by time; the port says which it is. */
struct ledger_step {
	uint64_t key, ts_ns;
	uint32_t index;
	bool arrival;
};

/* 0: the frame takes no part. */
typedef uint64_t (*ledger_key_fn)(const struct ledger_frame *f);

/* Sent and arrived, but for fated ones, by key and time; NULL without memory (n 0: none). */
struct ledger_step *ledger_steps(const struct ledger *l, enum compare_way way, ledger_key_fn key,
				 uint32_t *n);

/* ledger_pair.c, ledger_stream.c: 0 or -ENOMEM. */
int ledger_pair(struct ledger *l, enum compare_way way);
int ledger_stream(struct ledger *l, enum compare_way way);
/* ledger_sum.c: fates of what was not paired; counters, when both ways have theirs. */
void ledger_rest(struct ledger *l, enum compare_way way);
void ledger_sum(struct ledger *l, enum compare_way way);
uint64_t ledger_mix(uint64_t a, uint64_t b);
uint64_t ledger_flow_hash(const struct ledger_frame *f); /* conversation and direction */

static inline bool ledger_has_conversation(const struct ledger_frame *f)
{
	return f->kind == LEDGER_FLOW || f->kind == LEDGER_FRAGMENT;
}
