/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What is done of a run over many captures, kept in the folder of its report until that is whole:
 * each capture's testimony in a folder of its own. A run that was interrupted, even by SIGKILL,
 * takes what it finds there in place of the captures, as `wmscope merge` would.
 *
 *   DIR/unfinished/NUMBER-SHA256/testimony.bin    of input NUMBER, from 000000, with this content
 *   DIR/unfinished/NUMBER-partial/testimony.bin   of one that was not read to its end: never taken up
 *
 *   resume_open -> for each input, in order { resume_take, else resume_add } -> reports
 *   -> resume_done -> resume_close, after the analysis is freed
 *
 * Nothing is taken that another command line could not have made: other options, lists, inputs,
 * names of inputs, keys or another wmscope are refused with the reason.
 */

#include <stdbool.h>
#include <stddef.h>

#include "tools/testimony/testimony.h"

#define RESUME_NAME "unfinished"

struct resume_config {
	const char *dir;                 /* of the report; it is there */
	const struct seal_key *key;      /* NULL: clients are shown, and nothing is sealed */
	const struct testimony_run *run; /* without errors; n_inputs: of all. Outlives the resume */
	struct survey *survey;           /* who is a client in what is taken */
};

struct resume;
/* A run was begun in this folder and not finished. */
bool resume_waits(const char *dir);
/* A report was finished in it. */
bool resume_finished(const char *dir);

/* 0; -EINVAL: what is there is of another run, or another -errno, and why says so. */
int resume_open(struct resume **out, const struct resume_config *cfg, char *why, size_t len);
/*
 * Input i of this name, if it was done: it is added to a, behind what is there. 1: so it was, and
 * *conditions has what happened to it; 0: it was not; else as above.
 */
int resume_take(struct resume *r, unsigned i, const char *file, struct analysis *a,
		unsigned *conditions, char *why, size_t len);
/*
 * The same of input i, which alone is the judged analysis of, with its own survey; digests are
 * there. whole: it was read to its end, and need not be again.
 */
int resume_add(struct resume *r, unsigned i, struct analysis *alone, struct survey *of,
	       unsigned conditions, bool whole, struct analysis *a, char *why, size_t len);
/* The report is whole: nothing is kept for another run. */
void resume_done(struct resume *r);
void resume_close(struct resume *r); /* NULL is fine */
