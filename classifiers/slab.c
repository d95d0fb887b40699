/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/slab.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "classifiers/spill.h"

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

/*
 * A block's page is found by clearing the low bits of its address. Large, so that ten million flows
 * take no more mappings than a process may have; what is not used of one is never touched.
 */
#define SLAB_PAGE SPILL_UNIT

struct slab_page {
	struct slab_page *next, *prev;
	struct spill *spill; /* that it is from; NULL: mapped */
	void *freed;     /* linked through their first bytes */
	uint32_t used;   /* blocks that are out */
	uint32_t begun;  /* blocks that were ever out */
	_Alignas(16) uint8_t blocks[];
};

_Static_assert(2 * SLAB_BLOCK_MAX <= SLAB_PAGE - sizeof(struct slab_page),
	       "a page holds several blocks");

static size_t stride(const struct slab *s)
{
	return (s->size + 15) & ~(size_t)15;
}

static uint32_t capacity(const struct slab *s)
{
	return (uint32_t)((SLAB_PAGE - sizeof(struct slab_page)) / stride(s));
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

static void *map(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return at != MAP_FAILED ? at : NULL;
}

/* Mappings mostly follow each other, so that the next one is aligned as the last one was. */
static void *map_aligned(void)
{
	uint8_t *at = map(SLAB_PAGE);
	if (at == NULL || (uintptr_t)at % SLAB_PAGE == 0)
		return at;
	munmap(at, SLAB_PAGE);
	at = map(2 * SLAB_PAGE);
	if (at == NULL)
		return NULL;
	size_t before = -(uintptr_t)at % SLAB_PAGE;
	if (before != 0)
		munmap(at, before);
	munmap(at + before + SLAB_PAGE, SLAB_PAGE - before);
	return at + before;
}

static struct slab_page *page_new(struct slab *s)
{
	size_t size = SLAB_PAGE;
	struct slab_page *p = spill_take(s->spill, &size);
	struct spill *from = p != NULL ? s->spill : NULL;
	if (p == NULL)
		p = map_aligned();
	if (p == NULL)
		return NULL;
	p->spill = from;
	list_add(&s->room, p);
	return p;
}

static void page_free(struct slab_page *p)
{
	if (p->spill != NULL)
		spill_give(p->spill, p, SLAB_PAGE);
	else
		munmap(p, SLAB_PAGE);
}

void *slab_alloc(struct slab *s)
{
	struct slab_page *p = s->room != NULL ? s->room : page_new(s);
	if (p == NULL)
		return NULL;
	void *block = p->freed;
	if (block != NULL) {
		memcpy(&p->freed, block, sizeof(p->freed));
		memset(block, 0, s->size);
	} else {
		block = p->blocks + stride(s) * p->begun++; /* zero, as mappings are */
	}
	if (++p->used == capacity(s)) {
		list_remove(&s->room, p);
		list_add(&s->full, p);
	}
	return block;
}

void slab_free(struct slab *s, void *block)
{
	if (block == NULL)
		return;
	struct slab_page *p = (void *)((uint8_t *)block - ((uintptr_t)block & (SLAB_PAGE - 1)));
	if (p->used == capacity(s)) {
		list_remove(&s->full, p);
		list_add(&s->room, p);
	}
	memcpy(block, &p->freed, sizeof(p->freed));
	p->freed = block;
	/* One is kept, for flows that come and go one at a time. */
	if (--p->used == 0 && (p->next != NULL || p->prev != NULL)) {
		list_remove(&s->room, p);
		page_free(p);
	}
}

static void pages_free(struct slab_page **list)
{
	while (*list != NULL) {
		struct slab_page *p = *list;
		*list = p->next;
		page_free(p);
	}
}

void slab_close(struct slab *s)
{
	pages_free(&s->room);
	pages_free(&s->full);
}

#endif

void *slab_set_alloc(struct slab_set *s, size_t size)
{
	if (s == NULL || size == 0 || size > SLAB_SET_MAX)
		return calloc(1, size != 0 ? size : 1);
	struct slab *of = &s->of[(size - 1) / 16];
	of->size = (size + 15) & ~(size_t)15;
	of->spill = s->spill;
	return slab_alloc(of);
}

void slab_set_free(struct slab_set *s, void *block, size_t size)
{
	if (s == NULL || size == 0 || size > SLAB_SET_MAX)
		free(block);
	else
		slab_free(&s->of[(size - 1) / 16], block);
}

void slab_set_close(struct slab_set *s)
{
	for (size_t i = 0; i < sizeof(s->of) / sizeof(s->of[0]); i++)
		slab_close(&s->of[i]);
}
