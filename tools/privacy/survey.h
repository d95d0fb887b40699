/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Who is a client in a capture: notes the ends of every flow, routers that sent ICMP errors, and
 * resets that may follow from addresses (relation.h). Wraps the hooks of an analysis, or stands
 * alone. Over several captures it collects on.
 *
 *   survey_new -> pipeline_run(survey_hooks) for each capture -> survey_fill
 *
 * Bounded: what does not fit is counted, and then survey_fill() has everybody pseudonymised,
 * servers too, since any of them may be a client that was not noted.
 */

#include <stdint.h>

#include "dataplane/pipeline.h"
#include "tools/privacy/pseudonyms.h"

struct survey;
int survey_new(struct survey **out); /* 0 or -errno */
void survey_free(struct survey *s);  /* NULL is fine */
/* inner NULL: none. Both must live until the pipeline has run. One pipeline at a time. */
const struct pipeline_hooks *survey_hooks(struct survey *s, const struct pipeline_hooks *inner);
/* Notes all in p, which is not settled yet. 0 or -ENOMEM. */
int survey_fill(const struct survey *s, struct pseudonyms *p);
uint64_t survey_refused(const struct survey *s);
