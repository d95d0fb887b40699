/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The tries of each name, and those that passed at each host, found without going through all: there
 * may be a million, and thousands of names to ask about. Built once the study knows which tries are
 * independent; places are indices into study_run.pairs, rising in each list.
 */

#include "tools/study/study_private.h"

struct tries {
	uint32_t *of_row, *row_from;     /* tries of row i: of_row[row_from[i]] to row_from[i + 1] */
	uint32_t *passed, *passed_from;  /* the same by host, of those that passed */
	uint32_t *failed, *failed_from;  /* and that failed */
	uint32_t *sorted;                /* scratch, as long as pairs */
	unsigned (*tally)[2];            /* scratch by row, zero between uses: passed, failed */
};

int tries_new(const struct study_run *r, struct tries *out); /* 0 or -ENOMEM */
void tries_free(struct tries *t);

#define CONTROLS_MAX 16
#define SHOWN_MAX 64

/*
 * Whose tries a name is judged by. A client that somebody shuts out, or whose way is broken, fails with every
 * name, and often has asked for one alone: what others reached is no control of that. And that others
 * reach the name, by a tunnel or from another network, takes nothing from what happened to this one.
 */
struct tried {
	const struct attempt *client; /* a try of the one whose tries count; NULL: those of all */
	bool own;                     /* all, and each for whom it failed has to have controls of its own */
	unsigned ok, failed, tries;   /* passed without a feature that makes the difference; all */
	bool others_passed;           /* client: for another the name did pass */
	bool mostly_fails, lost;
};
/*
 * all: the tries of g, with the controls of all if it fails for three clients at least that are not lost with
 * every name: as many as one's tries have to be. one: those of the client for whom it fails most.
 */
void tries_whose(const struct study_run *r, const struct tries *t, const struct study_group *g,
		 struct tried *all, struct tried *one);

/*
 * Where each client asked for one name, a few whose way is broken fail as those do whose name is filtered: by
 * chance among the clients of these servers, those that failed all asked for this one. Not where packets
 * show a third party, or where enough of the tries have controls of their clients' own.
 */
bool tries_may_be_clients(const struct study_run *r, const struct tries *t, const struct study_group *g);

/* More than STUDY_FAIL_SHARE of passed and failed did fail. */
static inline bool tries_mostly(const unsigned tally[2])
{
	return tally[1] != 0 && tally[1] >= STUDY_FAIL_SHARE * (tally[0] + tally[1]);
}
/* The tries of a name into t->sorted, in order: its rows are adjacent, and so are their lists. How many. */
size_t tries_sort_group(const struct tries *t, const struct study_group *g);

/* What the failed tries of a name have in common. */
struct common {
	const struct attempt *shown[SHOWN_MAX];
	unsigned n_shown, failed;
	unsigned by_end[ATTEMPT_N], strong, with_grade[GRADE_D4 + 1];
	const char *id;            /* of what was found of most of them */
	enum family family;
	unsigned with_id;
	const struct attempt *controls[CONTROLS_MAX]; /* that passed at the same servers */
	unsigned n_controls, control[2];              /* the latter in all: passed, failed */
	bool controlled;           /* where it failed others passed, at each address */
	bool may_be_clients;       /* their ways, and not the name: tries_may_be_clients() */
	bool amid;                 /* at one of them something passed between two of the failed tries */
};

/* Of one client, or each its own, it also counts these controls, into the rows of g where it failed. */
void tries_gather(struct study_run *r, const struct tries *t, const struct study_group *g,
		  const struct tried *whose, struct common *c);
/* The earliest that passed at the servers of these rows of g, under other names; how many. */
unsigned tries_controls(const struct study_run *r, const struct tries *t, const struct study_group *g,
			uint32_t first_row, uint32_t n_rows,
			const struct attempt *out[CONTROLS_MAX]);
/* Networks that no one server sits in, /16, or /32 of IPv6, where the name fails and never passed. */
unsigned tries_networks(const struct study_run *r, const struct tries *t,
			const struct study_group *g);
