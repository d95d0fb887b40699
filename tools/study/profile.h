/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What the writers of a profile's lines share. */

#include "tools/study/boxes.h"
#include "tools/study/study_private.h"

struct writer {
	struct study_run *r;
	const struct box *box;
	struct study_profile *p;
	const struct finding **mine; /* the box's, by address */
};

/* profile.c: a line not observed yet; NULL: no room, which the others take. */
struct study_line *profile_line(struct writer *w, const char *what);
const char *profile_text(struct writer *w, const char *s); /* a copy, in the study's memory */
bool profile_is_mine(const struct writer *w, const struct finding *f); /* the box did it */

/* profile_deeds.c: where it sits, towards whom it acts, what it does. */
void profile_say_mode(struct writer *w);
void profile_say_directions(struct writer *w);
void profile_say_deeds(struct writer *w);
/* profile_triggers.c: what it acts on and what it lets pass. 0 or -ENOMEM. */
int profile_say_triggers(struct writer *w);
int profile_say_protocols(struct writer *w);
