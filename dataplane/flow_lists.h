/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Private to flow.c: the table, and its lists of flows by when they were seen last. */

#include "dataplane/flow.h"
#include "dataplane/flow_memory.h"
#include "dataplane/flow_pptp.h"

#define SECOND_NS 1000000000ULL

/*
 * One list of flows, least recently seen first, for each idle time: expiry looks at heads only. It
 * happens at whole seconds, so flows seen last within the same second, behind its beginning, may stand
 * in any order, and a flow is moved once a second rather than for each packet, which takes two other
 * flows' memory.
 */
enum lru_class { LRU_TCP_CLOSED, LRU_OTHER, LRU_UDP, LRU_TCP, LRU_N };

struct lru {
	uint32_t first, last; /* index of a flow + 1, as all links; 0: none */
	uint64_t idle_ns;
};

/* The hash is kept here so that a probe reads the flow only when it is almost surely the one. */
struct slot {
	uint32_t hash;
	uint32_t ref; /* link to the flow; 0: free */
};

struct flow_table {
	struct slot *slots; /* open addressing, linear probing */
	uint32_t mask;
	uint32_t n_flows, max_flows;
	uint64_t seed; /* random, against made collisions; never shows in results */
	struct flow_memory memory;
	struct lru lru[LRU_N];
	uint64_t second_ns;   /* the last whole one; flows seen after it are where they belong */
	bool whole_seconds;   /* all idle times are */
	uint8_t evict_order[LRU_N]; /* classes, shortest idle time first */
	flow_end_fn on_end;
	void (*settle)(void *user, struct flow *f);
	void *user;
	struct flow_table_stats stats;
	struct pptp_controls pptp;
};

static inline struct flow *flow_at(const struct flow_table *t, uint32_t link)
{
	return memory_at(&t->memory, link);
}

static inline void lru_unlink(struct flow_table *t, struct flow *f)
{
	struct lru *l = &t->lru[f->lru_class];
	if (f->lru_prev != 0)
		flow_at(t, f->lru_prev)->lru_next = f->lru_next;
	else
		l->first = f->lru_next;
	if (f->lru_next != 0)
		flow_at(t, f->lru_next)->lru_prev = f->lru_prev;
	else
		l->last = f->lru_prev;
}

static inline void lru_append(struct flow_table *t, struct flow *f, enum lru_class class)
{
	struct lru *l = &t->lru[class];
	f->lru_class = class;
	f->lru_prev = l->last;
	f->lru_next = 0;
	if (l->last != 0)
		flow_at(t, l->last)->lru_next = link_to(f);
	else
		l->first = link_to(f);
	l->last = link_to(f);
}

/* Whether a flow seen at seen_ns was then put where one that is seen now belongs. */
static inline bool seen_this_second(struct flow_table *t, uint64_t seen_ns, uint64_t now_ns)
{
	if (!t->whole_seconds)
		return false;
	if (now_ns - t->second_ns >= SECOND_NS) /* or it is before, which wraps around */
		t->second_ns = now_ns / SECOND_NS * SECOND_NS;
	return seen_ns > t->second_ns;
}
