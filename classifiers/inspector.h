/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Fills the pipeline's hooks: keeps each flow's evidence, feeds classifiers, and at the end of a
 * capture has judge turn testimony into findings.
 *
 *   analysis_new -> for each capture { analysis_begin, pipeline_run(analysis_hooks), analysis_end }
 *   -> analysis_judge -> reports -> analysis_free
 */

#include "classifiers/verdict.h"

struct ruleset; /* classifiers/lists/rules.h */
struct matcher; /* classifiers/lists/matcher.h */
struct geo;     /* classifiers/geo.h */
struct spill;   /* classifiers/spill.h */

struct analysis_config {
	bool no_ndpi;
	bool no_throttling;      /* nothing is said of rates, and no flow's segments are logged */
	bool one_group;          /* one labeller for all shards, for tests: with one worker only */
	bool rest_always;        /* pack every waiting flow's facts, for tests: else among many only */
	bool all_flows;          /* keep a record of every flow, not only of those with a finding */
	/*
	 * Bytes, about, for what flows that ended leave until the report, the findings made from it
	 * included; the list of all flows gets half of it at most. 0: as much as there is. What does
	 * not fit is counted (inspector_stats: not_listed, not_kept, not_judged).
	 */
	size_t room;
	enum vantage vantage;    /* VANTAGE_UNKNOWN: infer */
	const struct ruleset *rules; /* sealed; NULL: none. Outlives the analysis */
	struct matcher *matcher;     /* over rules; NULL: none */
	const struct geo *geo;       /* where addresses are; NULL: nowhere known */
	/* Where what is kept until the report goes once it is much; outlives the analysis. NULL: memory. */
	struct spill *spill;
};

int analysis_new(struct analysis **out, const struct analysis_config *cfg); /* 0 or -errno */
/* files must outlive the analysis. */
int analysis_begin(struct analysis *a, const char *const *files, unsigned n_files);
const struct pipeline_hooks *analysis_hooks(struct analysis *a);
/* Takes the counters; damage is copied. error: 0 or the -errno of pipeline_run(). */
int analysis_end(struct analysis *a, const struct pipeline_stats *stats, int error);
int analysis_judge(struct analysis *a);

/* A capture that was judged, of an analysis of this process or another. */
struct judged_capture {
	struct capture_result result;
	uint64_t n_flows, n_findings, n_attempts;
	struct flow_record **flows; /* order (end time, id) */
	struct finding **findings;  /* of single flows, in the order of these */
	struct attempt *attempts;   /* order (start time, flow id), settled */
};
/*
 * Adds it behind the captures that are there, in place of analysis_begin() to analysis_judge(). The
 * lists are copied, what they point to must outlive the analysis, and flows learn their capture's
 * number. 0 or -ENOMEM.
 */
int analysis_take(struct analysis *a, const struct judged_capture *j);
void analysis_free(struct analysis *a); /* NULL is fine */
