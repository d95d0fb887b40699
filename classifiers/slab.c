/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/slab.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define BLOCKS_ARE_MALLOCS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCKS_ARE_MALLOCS 1
#endif
#endif

#ifdef BLOCKS_ARE_MALLOCS

void *slab_alloc(struct slab *s)
{
	return calloc(1, s->size);
}

void slab_free(struct slab *s, void *block)
{
	(void)s;
	free(block);
}

void slab_close(struct slab *s)
{
	(void)s; /* what was not given back is for the leak checker to name */
}

#else

/* A block's page is found by clearing the low bits of its address. */
#define PAGE_ALIGN 16384u
/* malloc's own words behind it leave room for the next page at the next multiple. */
#define PAGE_SIZE_USED (PAGE_ALIGN - 64)

struct slab_page {
	struct slab_page *next, *prev;
	void *freed;     /* linked through their first bytes */
	uint32_t used;   /* blocks that are out */
	uint32_t begun;  /* blocks that were ever out */
	_Alignas(16) uint8_t blocks[];
};

_Static_assert(2 * SLAB_BLOCK_MAX <= PAGE_SIZE_USED - sizeof(struct slab_page),
	       "a page holds several blocks");

static size_t stride(const struct slab *s)
{
	return (s->size + 15) & ~(size_t)15;
}

static uint32_t capacity(const struct slab *s)
{
	return (uint32_t)((PAGE_SIZE_USED - sizeof(struct slab_page)) / stride(s));
}

static void list_add(struct slab_page **list, struct slab_page *p)
{
	p->prev = NULL;
	p->next = *list;
	if (p->next != NULL)
		p->next->prev = p;
	*list = p;
}

static void list_remove(struct slab_page **list, struct slab_page *p)
{
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		*list = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
}

static struct slab_page *page_new(struct slab *s)
{
	void *at;
	if (posix_memalign(&at, PAGE_ALIGN, PAGE_SIZE_USED) != 0)
		return NULL;
	struct slab_page *p = at;
	*p = (struct slab_page){.used = 0};
	list_add(&s->room, p);
	return p;
}

void *slab_alloc(struct slab *s)
{
	struct slab_page *p = s->room != NULL ? s->room : page_new(s);
	if (p == NULL)
		return NULL;
	void *block = p->freed;
	if (block != NULL)
		memcpy(&p->freed, block, sizeof(p->freed));
	else
		block = p->blocks + stride(s) * p->begun++;
	if (++p->used == capacity(s)) {
		list_remove(&s->room, p);
		list_add(&s->full, p);
	}
	return memset(block, 0, s->size);
}

void slab_free(struct slab *s, void *block)
{
	if (block == NULL)
		return;
	struct slab_page *p = (void *)((uint8_t *)block - ((uintptr_t)block & (PAGE_ALIGN - 1)));
	if (p->used == capacity(s)) {
		list_remove(&s->full, p);
		list_add(&s->room, p);
	}
	memcpy(block, &p->freed, sizeof(p->freed));
	p->freed = block;
	/* One is kept, for flows that come and go one at a time. */
	if (--p->used == 0 && (p->next != NULL || p->prev != NULL)) {
		list_remove(&s->room, p);
		free(p);
	}
}

static void pages_free(struct slab_page **list)
{
	while (*list != NULL) {
		struct slab_page *p = *list;
		*list = p->next;
		free(p);
	}
}

void slab_close(struct slab *s)
{
	pages_free(&s->room);
	pages_free(&s->full);
}

#endif
