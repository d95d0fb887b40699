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

#include "classifiers/arena.h"
#include "classifiers/tamper/tsg.h"
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

/* What one shard noted, to be kept with a report and added to another survey. */
struct survey_host {
	struct ip_addr addr;
	uint8_t role; /* enum pseudonym_role, or'ed */
};
#define SURVEY_STAMPS 8u
/* Resets from one IPv4 address to another. */
struct survey_stamps {
	struct ip_addr pair; /* the 4 bytes of each, zeros behind them */
	uint8_t n;
	struct tsg_stamp stamp[SURVEY_STAMPS]; /* different ones */
};
struct survey_part {
	uint64_t n_hosts, n_pairs, refused;
	struct survey_host *hosts;
	struct survey_stamps *pairs;
};
/* In memory of a's. 0 or -ENOMEM. */
int survey_part(const struct survey *s, unsigned shard, struct arena *a, struct survey_part *out);
void survey_add(struct survey *s, unsigned shard, const struct survey_part *part);
