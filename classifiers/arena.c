/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "classifiers/spill.h"

#define ARENA_CHUNK 65536u
#define ARENA_TEXTS 4096u
#define SLOTS  4096u /* a power of two */
#define RECENT 3072u /* values; some slots stay empty, so that a search ends */

struct arena_chunk {
	struct arena_chunk *next;
	struct spill *spill; /* that it is from; NULL: malloc */
	size_t used, size;
	_Alignas(16) uint8_t data[];
};

struct arena_recent {
	struct recent {
		const void *value; /* NULL: none */
		uint32_t n, hash;
	} of[SLOTS];
	uint32_t n;
};

static struct arena_chunk *chunk_new(struct spill *spill, size_t room)
{
	size_t all = sizeof(struct arena_chunk) + room;
	struct arena_chunk *c = spill_alloc(&spill, &all);
	if (c != NULL) {
		c->spill = spill;
		c->size = all - sizeof(*c);
	}
	return c;
}

static void chunk_free(struct arena_chunk *c)
{
	spill_release(c->spill, c, sizeof(*c) + c->size);
}

static void *chunk_alloc(struct arena *a, struct arena_chunk **filled, size_t size)
{
	size = (size + 15) & ~(size_t)15;
	struct arena_chunk *c = *filled;
	if (c == NULL || c->size - c->used < size) {
		c = chunk_new(a->spill, size > ARENA_CHUNK ? size : ARENA_CHUNK);
		if (c == NULL)
			return NULL;
		c->next = a->chunks;
		a->chunks = *filled = c;
	}
	void *p = c->data + c->used;
	c->used += size;
	a->bytes += size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return chunk_alloc(a, &a->rest, size);
}

void *arena_alloc_often(struct arena *a, size_t size)
{
	return chunk_alloc(a, &a->often, size);
}

/*
 * Where the value is remembered, or will be; NULL: there is no memory to remember. Which values are
 * forgotten depends on how many came, not on where their hashes fall: some hold addresses, which
 * differ between runs, and testimony tells a value that is shared from one that is there twice.
 */
static struct recent *recall(struct arena *a, const void *data, size_t n)
{
	if (a->recent == NULL)
		a->recent = calloc(1, sizeof(*a->recent));
	if (a->recent == NULL || n > UINT32_MAX)
		return NULL;
	uint64_t hash = XXH3_64bits(data, n);
	const struct recent want = {.n = (uint32_t)n, .hash = (uint32_t)(hash >> 32)};
	struct recent *of = a->recent->of;
	size_t at = hash & (SLOTS - 1);
	for (; of[at].value != NULL; at = (at + 1) & (SLOTS - 1))
		if (of[at].n == want.n && of[at].hash == want.hash && memcmp(of[at].value, data, n) == 0)
			return &of[at];
	if (a->recent->n == RECENT) {
		memset(a->recent, 0, sizeof(*a->recent));
		at = hash & (SLOTS - 1);
	}
	a->recent->n++;
	of[at] = want;
	return &of[at];
}

const void *arena_share(struct arena *a, const void *data, size_t n)
{
	struct recent *r = recall(a, data, n);
	if (r != NULL && r->value != NULL && ((uintptr_t)r->value & 15) == 0)
		return r->value;
	void *copy = arena_alloc(a, n);
	if (copy != NULL)
		memcpy(copy, data, n);
	if (r != NULL)
		r->value = copy;
	return copy;
}

static char *text_room(struct arena *a, size_t n)
{
	if (n > ARENA_TEXTS / 4)
		return arena_alloc(a, n);
	if (n > a->text_room) {
		a->text = arena_alloc(a, ARENA_TEXTS);
		a->text_room = a->text != NULL ? ARENA_TEXTS : 0;
	}
	if (a->text == NULL)
		return NULL;
	char *p = a->text;
	a->text += n;
	a->text_room -= n;
	return p;
}

const char *arena_text(struct arena *a, const char *s)
{
	size_t n = strlen(s) + 1;
	if (n == 1)
		return "";
	struct recent *r = recall(a, s, n);
	if (r != NULL && r->value != NULL)
		return r->value;
	char *copy = text_room(a, n);
	if (copy != NULL)
		memcpy(copy, s, n);
	if (r != NULL)
		r->value = copy;
	return copy;
}

const char *arena_format(struct arena *a, size_t room, const char *fmt, ...)
{
	char text[ARENA_FORMAT];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, room < sizeof(text) ? room : sizeof(text), fmt, ap);
	va_end(ap);
	const char *kept = arena_text(a, text);
	return kept != NULL ? kept : "";
}

void arena_move(struct arena *to, struct arena *from)
{
	struct arena_chunk **end = &from->chunks;
	while (*end != NULL)
		end = &(*end)->next;
	*end = to->chunks;
	to->chunks = from->chunks;
	to->bytes += from->bytes;
	free(from->recent);
	*from = (struct arena){.spill = from->spill};
}

void arena_free(struct arena *a)
{
	while (a->chunks != NULL) {
		struct arena_chunk *c = a->chunks;
		a->chunks = c->next;
		chunk_free(c);
	}
	free(a->recent);
	*a = (struct arena){.spill = a->spill};
}
