/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Blocks of one size, many and short-lived: what flows own. They stand side by side without malloc's
 * word each, and a page goes back as soon as all of its blocks are free, so that what the flows of
 * one shard leave can be used by others. One thread. With AddressSanitizer every block is malloc's.
 */

#include <stddef.h>

struct slab_page;

struct slab {
	size_t size;            /* of a block; set once, before the first */
	struct slab_page *room; /* pages with a free block */
	struct slab_page *full;
};

#define SLAB_BLOCK_MAX 4096u /* bytes */

void *slab_alloc(struct slab *s); /* zeroed, 16-byte aligned; NULL: out of memory */
void slab_free(struct slab *s, void *block); /* NULL is fine */
void slab_close(struct slab *s); /* frees all blocks */
