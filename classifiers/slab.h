/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Blocks of one size, many and short-lived: what flows own. They stand side by side without malloc's
 * word each, in pages of the system's, and a page goes back as soon as all of its blocks are free:
 * what the flows of one shard leave can then be used by others, or for what is larger than any hole
 * between the flows that live on. One thread. With AddressSanitizer every block is malloc's.
 */

#include <stddef.h>

struct slab_page;
struct spill;

struct slab {
	size_t size;            /* of a block; set once, before the first */
	struct spill *spill;    /* where pages are from, once that has any; outlives the slab. NULL: memory */
	struct slab_page *room; /* pages with a free block */
	struct slab_page *full;
};

#define SLAB_BLOCK_MAX 4096u /* bytes */

void *slab_alloc(struct slab *s); /* zeroed, 16-byte aligned; NULL: out of memory */
void slab_free(struct slab *s, void *block); /* NULL is fine */
void slab_close(struct slab *s); /* frees all blocks */

/*
 * The same for blocks of many sizes: one slab for each step of 16 bytes; what is larger is malloc's,
 * and so is everything where s is NULL.
 */
#define SLAB_SET_MAX 512u /* bytes */
struct slab_set {
	struct spill *spill; /* of all of them; set before the first block */
	struct slab of[SLAB_SET_MAX / 16];
};

void *slab_set_alloc(struct slab_set *s, size_t size); /* zeroed; NULL: out of memory */
void slab_set_free(struct slab_set *s, void *block, size_t size); /* NULL is fine */
void slab_set_close(struct slab_set *s); /* frees all blocks of up to SLAB_SET_MAX */
