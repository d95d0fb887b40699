/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Counters of a capture while it runs, for --stats and SIGUSR1. Reads the wall clock, analyses nothing. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dataplane/source.h"

struct live_stats {
	const char *iface;
	uint64_t started_ns;  /* CLOCK_MONOTONIC */
	uint64_t last_ns;     /* when the event before this one was written, */
	uint64_t packets, bytes, dropped; /* and what it said */
};

void live_stats_start(struct live_stats *s, const char *iface);
/* Packets that did not fit between the kernel and us. False: the engine does not say. */
bool live_stats_dropped(const struct source_stats *st, uint64_t *sum);
/* A line of JSON, event_type stats; rates are since the line before. 0 or -errno. */
int live_stats_event(struct live_stats *s, const struct source_stats *st, FILE *out);
/* A line for people. */
void live_stats_print(const struct live_stats *s, const struct source_stats *st, FILE *out);
