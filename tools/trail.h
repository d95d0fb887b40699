/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Whose packet each frame of one capture is, written down while it is analysed, so that nobody has to
 * decode it again to know. Wraps the hooks of an analysis. About 3 bytes a packet; bounded: what would need
 * more than TRAIL_MAX of a shard leaves none.
 */

#include <stdbool.h>

#include "dataplane/pipeline.h"

#define TRAIL_MAX (16u << 20) /* bytes of a shard, of which there are FLOW_SHARDS */

struct spill; /* classifiers/spill.h */
struct trail;
/* Kept in spill once that has room, which outlives the trail; NULL: in memory. 0 or -ENOMEM. */
int trail_new(struct trail **out, struct spill *spill);
void trail_free(struct trail *t);  /* NULL is fine */
/* For one pipeline; inner must live until it has run. */
const struct pipeline_hooks *trail_hooks(struct trail *t, const struct pipeline_hooks *inner);
/* Nothing was left out. Once the pipeline has run. */
bool trail_is_whole(const struct trail *t);

/* flow: the id that the capture's own pipeline gave it. Not 0: the walk ends. */
typedef int (*trail_fn)(void *user, uint64_t flow, uint32_t file, uint64_t frame);
/*
 * Each frame that a packet of a flow came in, or an ICMP error that quotes one: fragments and what a tunnel
 * carries have several, and one may be of several flows. In no order. 0, or what fn returned.
 */
int trail_each(const struct trail *t, trail_fn fn, void *user);
