/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What lists of a shard's sessions share: growing, looking up, and telling who only scans. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/tamper/host_table.h"

/* Room for one more of n, at most most; list is the list pointer's address. False: full, or no memory. */
static inline bool notes_room(void *list, size_t size, uint32_t n, uint32_t *room, uint32_t most)
{
	void *old;
	if (n < *room)
		return true;
	uint32_t want = *room != 0 ? *room * 2 : 16;
	want = want < most ? want : most;
	memcpy(&old, list, sizeof(old));
	void *bigger = n < want ? realloc(old, want * size) : NULL;
	if (bigger == NULL)
		return false;
	memcpy(list, &bigger, sizeof(bigger));
	*room = want;
	return true;
}

/* The first of a sorted list that key does not come before; n: all come before. */
static inline size_t notes_find(const void *list, size_t size, size_t n, const void *key,
				int (*order)(const void *, const void *))
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (order((const char *)list + mid * size, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Whom one client tried: per-source fan-out. */
#define FAN_OUT_SERVERS 20

struct fan_out {
	unsigned n, answered;
	uint64_t servers; /* linear counting over 64 bits of hashed addresses */
};

static inline void fan_out_add(struct fan_out *f, const struct ip_addr *server, bool answered)
{
	f->n++;
	f->answered += answered;
	f->servers |= 1ull << (host_hash(server, 0) & 63);
}

/* It tries everybody and is answered by few. Of 64 bits some 4 in 20 fall on one that is set. */
static inline bool fan_out_is_scanner(const struct fan_out *f)
{
	return f->n >= FAN_OUT_SERVERS && f->answered * 10 <= f->n &&
	       __builtin_popcountll(f->servers) >= FAN_OUT_SERVERS - 4;
}
