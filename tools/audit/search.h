/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The highest rate at which a box loses nothing (RFC 2544, section 26.1), by halving what lies
 * between a rate that passed and one that did not. No clock, no wire.
 */

#include <stdbool.h>

enum trial_end {
	TRIAL_PASSED,
	TRIAL_LOST,   /* the box lost frames */
	TRIAL_TESTER, /* the tester could not send or take so many: nothing is said of the box */
};

struct search {
	double from, to;   /* asked for */
	double pass, fail; /* highest that passed, lowest that did not; 0: none yet */
	double next;	   /* to be tried, 0: the search is over */
	unsigned trials;
	bool tester; /* fail is the tester's own limit */
};

#define SEARCH_TRIALS_MAX 24u
#define SEARCH_CLOSE	  1.02 /* of a rate that failed to one that passed: near enough */

/* 0 < from <= to, any unit. */
void search_start(struct search *s, double from, double to);
/* What became of s->next. */
void search_note(struct search *s, enum trial_end end);
