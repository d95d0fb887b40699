/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Private to flow.c: where a table's flows lie, and what links them. Slabs, each twice as large as the
 * one before: a flow's place follows from its number alone, and of what was not used yet no page is
 * touched. In all but the first pages are huge where the kernel has them: among a million flows, finding
 * out where a page is takes as long as what is read from it.
 */

#include <stdlib.h>
#include <sys/mman.h>

#include "dataplane/flow.h"

#define SLAB_FIRST 4096u /* flows of the first slab */
#define SLABS_MAX  17u   /* enough for FLOWS_MAX */
#define FLOWS_MAX  (1u << 28)
#define HUGE_PAGE  (2u << 20) /* bytes; of x86-64, and of arm64 with pages of 4 KiB */

_Static_assert(((uint64_t)SLAB_FIRST << SLABS_MAX) - SLAB_FIRST >= FLOWS_MAX, "slabs for all flows");

/* Links between flows are half as long as pointers: 0 is none, else the flow's index + 1. */
struct flow_memory {
	struct flow *slabs[SLABS_MAX];
	uint32_t n_begun;   /* flows that were ever taken */
	uint32_t max;
	uint32_t free_list; /* through lru_next */
};

/* For free(); not cleared. NULL: none is left. */
static inline void *huge_alloc(size_t bytes)
{
	if (bytes <= HUGE_PAGE / 2)
		return malloc(bytes);
	bytes = (bytes + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
	void *at = aligned_alloc(HUGE_PAGE, bytes);
	if (at != NULL)
		madvise(at, bytes, MADV_HUGEPAGE); /* or not: it is only slower */
	return at;
}

static inline unsigned slab_of(uint32_t index)
{
	return (unsigned)__builtin_clz(SLAB_FIRST) - (unsigned)__builtin_clz(index + SLAB_FIRST);
}

static inline struct flow *memory_at(const struct flow_memory *m, uint32_t link)
{
	unsigned slab = slab_of(link - 1);
	return &m->slabs[slab][link - 1 + SLAB_FIRST - (SLAB_FIRST << slab)];
}

static inline uint32_t link_to(const struct flow *f)
{
	return f->index + 1;
}

/* Zero, but for its index. NULL: there are max, or memory is short. */
static inline struct flow *memory_take(struct flow_memory *m)
{
	struct flow *f;
	uint32_t index = m->n_begun;
	if (m->free_list != 0) {
		f = memory_at(m, m->free_list);
		index = f->index;
		m->free_list = f->lru_next;
	} else {
		unsigned slab = slab_of(index);
		if (index == m->max)
			return NULL;
		if (m->slabs[slab] == NULL)
			m->slabs[slab] = huge_alloc(((size_t)SLAB_FIRST << slab) * sizeof(*f));
		if (m->slabs[slab] == NULL)
			return NULL;
		m->n_begun++;
		f = memory_at(m, index + 1);
	}
	*f = (struct flow){.index = index};
	return f;
}

/* What still points to it finds a key that no packet has. */
static inline void memory_give(struct flow_memory *m, struct flow *f)
{
	f->key.ip_version = 0;
	f->lru_next = m->free_list;
	m->free_list = link_to(f);
}

static inline void memory_free(struct flow_memory *m)
{
	for (unsigned i = 0; i < SLABS_MAX; i++)
		free(m->slabs[i]);
}
