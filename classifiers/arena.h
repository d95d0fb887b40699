/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Memory in chunks that are freed together: what lives as long as the analysis. One thread. */

#include <stddef.h>

struct arena {
	struct arena_chunk *chunks;
	size_t bytes; /* handed out, rounded up */
};

void *arena_alloc(struct arena *a, size_t size); /* zeroed, 16-byte aligned; NULL: out of memory */
void arena_move(struct arena *to, struct arena *from); /* from is empty afterwards */
void arena_free(struct arena *a);
