/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/host_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TABLE_START 256u

uint32_t host_hash(const struct ip_addr *a, uint16_t port)
{
	uint32_t x = (uint32_t)XXH3_64bits_withSeed(a->b, sizeof(a->b), port);
	return x != 0 ? x : 1;
}

uint16_t host_table_port(const struct host_table *t, const uint8_t *entry)
{
	uint16_t port = 0;
	if (t->port_at != 0)
		memcpy(&port, entry + t->port_at, sizeof(port));
	return port;
}

uint32_t host_table_find(const struct host_table *t, const struct ip_addr *a, uint16_t port,
			 uint32_t hash)
{
	uint32_t i = hash & (t->room - 1);
	while (t->hashes[i] != 0) {
		const uint8_t *e = host_table_slot(t, i);
		if (t->hashes[i] == hash && memcmp(e, a, sizeof(*a)) == 0 &&
		    host_table_port(t, e) == port)
			break;
		i = (i + 1) & (t->room - 1);
	}
	return i;
}

static int table_grow(struct host_table *t)
{
	struct host_table bigger = *t;
	bigger.room = t->room != 0 ? t->room * 2 : TABLE_START;
	bigger.entries = calloc(bigger.room, t->size);
	bigger.hashes = calloc(bigger.room, sizeof(*bigger.hashes));
	if (bigger.entries == NULL || bigger.hashes == NULL) {
		free(bigger.entries);
		free(bigger.hashes);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < t->room; i++) {
		if (t->hashes[i] == 0)
			continue;
		uint32_t k = t->hashes[i] & (bigger.room - 1);
		while (bigger.hashes[k] != 0)
			k = (k + 1) & (bigger.room - 1);
		bigger.hashes[k] = t->hashes[i];
		memcpy(host_table_slot(&bigger, k), host_table_slot(t, i), t->size);
	}
	free(t->entries);
	free(t->hashes);
	*t = bigger;
	return 0;
}

void *host_table_get(struct host_table *t, const struct ip_addr *a, uint16_t port, bool *fresh,
		     uint32_t max)
{
	if ((t->n + 1) * 4 > t->room * 3 && t->n < max && table_grow(t) != 0 && t->room == 0)
		return NULL;
	if (t->room == 0)
		return NULL;
	uint32_t hash = host_hash(a, port), i = host_table_find(t, a, port, hash);
	*fresh = t->hashes[i] == 0;
	if (*fresh) {
		if (t->n >= max || (t->n + 1) * 8 > t->room * 7) {
			t->refused++;
			return NULL;
		}
		t->hashes[i] = hash;
		t->n++;
		memcpy(host_table_slot(t, i), a, sizeof(*a));
		if (t->port_at != 0)
			memcpy(host_table_slot(t, i) + t->port_at, &port, sizeof(port));
	}
	return host_table_slot(t, i);
}

void host_table_free(struct host_table *t)
{
	free(t->entries);
	free(t->hashes);
	t->entries = NULL;
	t->hashes = NULL;
	t->room = t->n = 0;
}
