/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How resets between two hosts were stamped, over all their connections: generators that count over
 * connections show it only from one to the next. The first connection of a set profits like the last.
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/tamper/evidence.h"
#include "classifiers/tamper/host_table.h"

#define PAIR_RESETS 16
#define PAIR_FLOW_RESETS 2 /* of one flow, so that others find room */

struct pair_reset {
	uint64_t flow_id;
	uint16_t window, ip_id;
	uint16_t flags : 12, s2c : 1, df : 1;
	uint8_t ttl;
	uint8_t drew_ttl; /* of the packet before it in the other direction; 0: none */
};

struct pair_resets {
	struct ip_addr key; /* a hash of both addresses */
	uint8_t n;
	struct pair_reset reset[PAIR_RESETS]; /* lowest flow ids, rising */
};

extern const struct host_table pairs_table; /* empty */

/* At a flow's end; ev is finished. */
void pairs_note(struct host_table *t, const struct flow *f, const struct evidence *ev);
int pairs_merge(struct host_table *to, const struct host_table *from); /* 0 or -ENOMEM */
const struct pair_resets *pairs_find(const struct host_table *t, const struct ip_addr *client,
				     const struct ip_addr *server); /* or NULL */
