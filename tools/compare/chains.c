/* SPDX-License-Identifier: BSD-3-Clause */

/* Places of packets or conversations by a 64-bit key, several to a key, in the order of filling. */

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "tools/compare/private.h"

struct chains {
	uint32_t n_slots, n;
	uint32_t *slot, *next, *prev, *value; /* place + 1 */
	uint64_t *key;
};

uint64_t mix64(uint64_t a, uint64_t b)
{
	uint64_t both[2] = {a, b};
	return XXH3_64bits(both, sizeof(both));
}

int chains_new(struct chains **out, uint32_t n)
{
	struct chains *t = calloc(1, sizeof(*t));

	*out = t;
	if (t == NULL)
		return -ENOMEM;
	t->n_slots = 64;
	while (t->n_slots < n)
		t->n_slots *= 2;
	t->slot = calloc(t->n_slots, sizeof(*t->slot));
	t->next = calloc((size_t)n + 1, sizeof(*t->next));
	t->prev = calloc((size_t)n + 1, sizeof(*t->prev));
	t->value = calloc((size_t)n + 1, sizeof(*t->value));
	t->key = calloc((size_t)n + 1, sizeof(*t->key));
	if (t->slot != NULL && t->next != NULL && t->prev != NULL && t->value != NULL &&
	    t->key != NULL)
		return 0;
	chains_free(t);
	*out = NULL;
	return -ENOMEM;
}

void chains_free(struct chains *t)
{
	if (t == NULL)
		return;
	free(t->slot);
	free(t->next);
	free(t->prev);
	free(t->value);
	free(t->key);
	free(t);
}

void chains_add(struct chains *t, uint64_t key, uint32_t value)
{
	uint32_t *slot = &t->slot[key & (t->n_slots - 1)];

	t->key[t->n] = key;
	t->value[t->n] = value;
	t->next[t->n] = *slot;
	if (*slot != 0)
		t->prev[*slot - 1] = t->n + 1;
	*slot = ++t->n;
}

void chains_drop(struct chains *t, uint32_t cursor)
{
	uint32_t at = cursor - 1, next = t->next[at], prev = t->prev[at];

	if (next != 0)
		t->prev[next - 1] = prev;
	if (prev != 0)
		t->next[prev - 1] = next;
	else
		t->slot[t->key[at] & (t->n_slots - 1)] = next;
}

static uint32_t chains_from(const struct chains *t, uint64_t key, uint32_t at, uint32_t *cursor)
{
	while (at != 0 && t->key[at - 1] != key)
		at = t->next[at - 1];
	*cursor = at;
	return at != 0 ? t->value[at - 1] : NO_INDEX;
}

uint32_t chains_first(const struct chains *t, uint64_t key, uint32_t *cursor)
{
	return chains_from(t, key, t->slot[key & (t->n_slots - 1)], cursor);
}

uint32_t chains_next(const struct chains *t, uint64_t key, uint32_t *cursor)
{
	return *cursor != 0 ? chains_from(t, key, t->next[*cursor - 1], cursor) : NO_INDEX;
}
