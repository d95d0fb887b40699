/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The first bytes of one direction of a TCP connection, put in order: bounded, and only while
 * somebody needs them. The first copy of a byte is kept; a later copy that differs is reported,
 * since two authors for one sequence number is evidence (RACE-7), never a reason to drop a packet.
 *
 * Memory comes from a pool with a fixed budget, one per shard; a refusal is counted there.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REASSEMBLY_LIMIT 16384 /* bytes a direction */
#define REASSEMBLY_RANGES 24   /* separate islands of received bytes kept at most */

struct reassembly_pool {
	size_t budget, used; /* bytes */
	uint64_t refused;    /* what did not fit the budget: the bytes are not kept */
	uint64_t islands;    /* segments left out because there were REASSEMBLY_RANGES already */
};

/* Received bytes behind a hole, as offsets from base_seq. */
struct reassembly_range {
	uint16_t from, to;
};

/* Starts at the byte after the SYN, or at the first byte seen of a connection picked up midway. */
struct reassembly {
	uint32_t base_seq;
	bool started, failed;   /* failed: memory refused; nothing more is kept */
	uint8_t n_ranges;
	uint32_t contiguous;    /* bytes from base_seq without a hole */
	uint32_t size;          /* allocated bytes of buf */
	uint8_t *buf;
	struct reassembly_range *ranges; /* sorted, disjoint, behind contiguous; NULL without a hole */
};

/* Where a segment said other bytes than an earlier one. */
struct reassembly_conflict {
	bool found;
	uint32_t offset;    /* from base_seq, of the first byte that differs */
	uint8_t had, got;
};

void reassembly_start(struct reassembly *r, uint32_t base_seq);
/*
 * Adds len bytes at seq (fewer may be present than were sent: the rest is a hole). Bytes before
 * base_seq and from REASSEMBLY_LIMIT on are left out. Returns the count of contiguous bytes.
 */
uint32_t reassembly_add(struct reassembly *r, struct reassembly_pool *pool, uint32_t seq,
			const uint8_t *data, uint32_t len, struct reassembly_conflict *conflict);
/* The contiguous bytes; NULL with *len 0 when none. */
const uint8_t *reassembly_data(const struct reassembly *r, uint32_t *len);
void reassembly_free(struct reassembly *r, struct reassembly_pool *pool); /* back to zero */
