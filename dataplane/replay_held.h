/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Private to replay*.c: captures that are sent in loops, unchanged, and fit into the sink's memory.
 * They are read and written there once, before the clock starts; a loop is then a walk over frames.
 */

#include <stdbool.h>

#include "dataplane/replay.h"

struct lane;
struct held;

/* Whether it can be done for this replay at all, with this kind of sink. */
bool held_suits(const struct replay_config *cfg, const struct sink_ops *ops);
/*
 * Counts what would be held, into port's hold_*: nothing if that is too much. Captures that cannot
 * be read are for others to complain about.
 */
void held_measure(const struct replay_config *cfg, struct sink_config *port);

/* Reads all captures into the sink of l. NULL: it has no room for them, or l has failed. */
struct held *held_new(struct lane *l);
/* As lane_run(), from what is held. */
void held_run(struct lane *l, const struct held *h);
void held_free(struct held *h); /* NULL is fine */
