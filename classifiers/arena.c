/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/arena.h"

#include <stdint.h>
#include <stdlib.h>

#define ARENA_CHUNK 65536u

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	uint64_t data[];
};

void *arena_alloc(struct arena *a, size_t size)
{
	size = (size + 15) & ~(size_t)15;
	struct arena_chunk *c = a->chunks;
	if (c == NULL || c->size - c->used < size) {
		size_t room = size > ARENA_CHUNK ? size : ARENA_CHUNK;
		c = calloc(1, sizeof(*c) + room);
		if (c == NULL)
			return NULL;
		c->size = room;
		c->next = a->chunks;
		a->chunks = c;
	}
	void *p = (uint8_t *)c->data + c->used;
	c->used += size;
	a->bytes += size;
	return p;
}

void arena_move(struct arena *to, struct arena *from)
{
	struct arena_chunk **end = &from->chunks;
	while (*end != NULL)
		end = &(*end)->next;
	*end = to->chunks;
	to->chunks = from->chunks;
	from->chunks = NULL;
	to->bytes += from->bytes;
	from->bytes = 0;
}

void arena_free(struct arena *a)
{
	while (a->chunks != NULL) {
		struct arena_chunk *c = a->chunks;
		a->chunks = c->next;
		free(c);
	}
	a->bytes = 0;
}
