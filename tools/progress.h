/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* One line on the terminal while a capture is read. The only user of the wall clock. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/source.h"

struct progress {
	bool on;
	unsigned file, n_files;   /* which of how many */
	uint64_t packets_before;  /* of the files that are done */
	uint64_t started_ns, shown_ns; /* CLOCK_MONOTONIC */
};

/* on: not with -q. Stays silent unless stderr is a terminal. */
void progress_start(struct progress *p, bool on, unsigned n_files);
/* For pipeline_config.progress. */
void progress_show(void *user, const struct source_stats *st, uint64_t now_ns);
void progress_next(struct progress *p, uint64_t packets); /* a file is done */
void progress_clear(struct progress *p); /* before other words */
