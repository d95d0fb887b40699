/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * From testimony to verdicts: the only place where evidence is weighed. The arithmetic:
 * points by grade (D4 6, D3 3.5, D2 2, D1 0.5 and at most 1.5 together), one fact
 * counts once, and caps where an innocent cause is known to look the same (temper.h). `likely` takes two
 * observations: no row at D3 stands alone, however rare its innocent cause, as a
 * capture of a million resets has that cause as well; and at D1 the stage that a reset came in and
 * how many there were observe nothing.
 */

#include "classifiers/arena.h"
#include "classifiers/tamper/signature.h"

#define ROWS_MAX 48
#define UNTESTABLE_MAX 12

/* One signature's testimony within a case. */
struct row {
	const struct signature *sig;
	struct testimony t;
	bool counted;
};

/* All testimony on one cause in one direction of one flow. */
struct judged_case {
	enum cause cause;
	enum dir dir;
	struct row rows[ROWS_MAX];
	unsigned n_rows;
	struct not_testable untestable[UNTESTABLE_MAX];
	unsigned n_untestable;
	bool absent_lowered;  /* silence that the capture cannot vouch for */
	bool endpoint_like;   /* every suspect is what its sender would send */
	const char *cap_why;  /* why the verdict was held down, or NULL */
	double score;
	enum grade best;
	enum verdict verdict;
	int first;            /* event index of the first suspect; -1 */
	const struct judged_case *other; /* the same cause in the other direction, if it is likely too */
	const struct view *across; /* the other direction's; NULL: there is none */
};

/* Room to think in, made once and used for one flow after the other. One thread. */
struct judge;
int judge_new(struct judge **out); /* 0 or -ENOMEM */
void judge_free(struct judge *j);  /* NULL is fine */

/*
 * What a flow could amount to, before the capture's context is known: whether its evidence must be
 * kept until then. JUDGE_CONTEXT: only facts from other flows could still make something of it.
 */
enum judge_worth { JUDGE_NOTHING, JUDGE_CONTEXT, JUDGE_MENTION, JUDGE_SERIOUS };
enum judge_worth judge_weigh(struct judge *j, const struct evidence *ev,
			     const struct flow_record *flow);

enum judge_worth judge_weigh_exchange(struct judge *j, const struct exchange *x,
				      const struct flow_record *flow);

/* The findings of one flow, at most CAUSE_N; allocated in a. Returns their number, or -ENOMEM. */
int judge_flow(struct judge *j, struct arena *a, const struct evidence *ev,
	       struct flow_record *flow, const struct context *ctx, struct finding *out[CAUSE_N]);

/* The finding of an exchange, at most one. 1, 0 or -ENOMEM. */
int judge_exchange(struct judge *j, struct arena *a, const struct exchange *x,
		   struct flow_record *flow, const struct context *ctx, struct finding **out);

/* finding.c: what a case amounts to, in a. NULL: no memory. */
struct finding *finding_make(struct arena *a, const struct view *v, const struct judged_case *c,
			     struct flow_record *flow);
/* narrate.c: fills what people read: sentence, ladder, benign causes. 0 or -ENOMEM. */
int narrate(struct arena *a, const struct view *v, const struct judged_case *c, struct finding *f);
