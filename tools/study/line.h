/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Lines of a profile, whoever writes it. */

#include "classifiers/arena.h"
#include "tools/study/study.h"

/* Not observed yet; of the arena's memory. NULL: no room, which the others take. */
struct study_line *study_line_add(struct study_profile *p, struct arena *a, const char *what);
void study_line_seen(struct study_line *l, uint64_t flow_id);
void study_line_out_of_sight(struct study_line *l, const char *why); /* unless it was observed */
/* A name for a sentence: names are hostile bytes. */
void study_printable(const char *in, char *out, size_t len);
