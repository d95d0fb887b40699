/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Keeps the order of a replay through a box: what one side sends next in a conversation waits for
 * what the other side sent before to have come out, or for a time limit. A box then sees a
 * handshake in the order in which hosts would have made it, though nobody answers. One thread
 * sends, others receive.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/decode.h"

struct order;

/* limit_ns 0: nothing waits. stop: ends every wait; may be NULL. 0 or -errno. */
int order_new(struct order **out, uint64_t limit_ns, const atomic_bool *stop);
void order_free(struct order *o); /* NULL is fine */
/* Before a packet leaves by port 0 or 1: waits for its turn. */
void order_leave(struct order *o, unsigned port, const struct headers *h);
/* A packet came in by a port. */
void order_arrive(struct order *o, unsigned port, const struct headers *h);

struct order_stats {
	uint64_t waited, given_up;
	uint64_t outstanding; /* of conversations: sent, and not yet arrived */
	uint64_t last_ns;     /* CLOCK_MONOTONIC: when anything last left or arrived */
};
void order_stats(struct order *o, struct order_stats *out);
