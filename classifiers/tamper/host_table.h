/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What is remembered of hosts: an open-addressing table of fixed-size entries that begin with an
 * address (struct ip_addr) and may hold a port. Grows by itself, up to what its user allows.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/flow.h"

struct host_table {
	uint8_t *entries;
	uint32_t *hashes;  /* 0: empty */
	uint32_t room, n;
	size_t size;       /* of an entry; set before use, all else zero */
	size_t port_at;    /* offset of the entry's uint16_t port; 0: it has none */
	uint64_t refused;  /* entries that did not fit */
};

uint32_t host_hash(const struct ip_addr *a, uint16_t port); /* never 0 */
/* The slot of this host, or the empty one where it would be; room must not be 0. */
uint32_t host_table_find(const struct host_table *t, const struct ip_addr *a, uint16_t port,
			 uint32_t hash);
/* The entry, zeroed but for address and port when new; NULL: more than max, or out of memory. */
void *host_table_get(struct host_table *t, const struct ip_addr *a, uint16_t port, bool *fresh,
		     uint32_t max);
uint16_t host_table_port(const struct host_table *t, const uint8_t *entry);
void host_table_free(struct host_table *t); /* what it points to */

static inline uint8_t *host_table_slot(const struct host_table *t, uint32_t i)
{
	return t->entries + (size_t)i * t->size;
}
