/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Lines and triggers of a profile, whoever writes it. */

#include "classifiers/arena.h"
#include "tools/study/study.h"

#define STUDY_SOON_NS 10000000000ull /* a residual block would show itself so soon behind a deed */

/* Not observed yet; of the arena's memory. NULL: no room, which the others take. */
struct study_line *study_line_add(struct study_profile *p, struct arena *a, const char *what);
void study_line_seen(struct study_line *l, uint64_t flow_id);
void study_line_out_of_sight(struct study_line *l, const char *why); /* unless it was observed */
/* The one of that name, which is kept, added if need be. NULL: no room; p->more_triggers counts it. */
struct study_trigger *study_trigger_of(struct study_profile *p, enum trigger_kind kind,
				       const char *name);
