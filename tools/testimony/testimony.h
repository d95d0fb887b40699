/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The testimony that a report's folder keeps, so that `wmscope merge` can judge over several of
 * them without their captures: every flow, finding and attempt of each capture as the judge left
 * it. What a capture's own context decides is decided by then, since every capture is judged by
 * itself; what pools over captures (triggers, controls, windows, profiles), all totals and all
 * privacy come after, and are done again. So what is kept is real, and sealed where the report is
 * not (privacy/seal.h): pseudonyms would not do, for names that a report withholds may be another
 * one's control.
 *
 *   DIR/testimony.bin: a sealed file of wire.h's bytes: the layout's hash, struct testimony_head, then
 *   its captures and the parts of its survey
 *
 * Deleting it makes a report that cannot be merged, and changes nothing else.
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/inspector.h"
#include "tools/privacy/seal.h"
#include "tools/report.h"

struct arena;
struct command;
struct ruleset;
struct session;
struct survey;

#define TESTIMONY_NAME "testimony.bin"
#define TESTIMONY_RULES 32 /* bytes of ruleset_hash() */

struct testimony_head {
	const char *version;     /* of wmscope */
	uint64_t n_options;      /* that decide what is found: "--vantage=client" (manifest.h) */
	const char **options;
	uint8_t rules[TESTIMONY_RULES]; /* what was looked for; zero: nothing */
	struct plugins_said plugins; /* who else looked */
	uint64_t n_inputs;       /* files that were given, unreadable ones among them */
	uint64_t conditions;     /* 1 << enum exit_status, of reading them */
	uint64_t n_errors;
	struct report_input_error *errors;
	uint64_t n_captures;
};

struct testimony;

/*
 * 0, or -errno and why (of len bytes) names the file; -ENOENT: the folder has none. key as in
 * seal.h.
 */
int testimony_open(struct testimony **out, const char *dir, const struct seal_key *key, char *why,
		   size_t len);
const struct testimony_head *testimony_head(const struct testimony *t);
/*
 * Its captures go into a, behind those that are there, as if their files had followed `inputs`
 * others; who is a client goes into survey (NULL: nobody asks). rules: of the same hash as the
 * head's. Once.
 */
int testimony_take(struct testimony *t, struct analysis *a, const struct ruleset *rules,
		   struct survey *survey, uint64_t inputs, char *why, size_t len);
void testimony_free(struct testimony *t); /* NULL is fine; only after the analysis that took it */

/* What a run says of itself, beside the analysis. */
struct testimony_run {
	const struct command *command;   /* analyze, whose options decide */
	const void *config;
	const struct ruleset *rules;     /* NULL: none */
	const struct report_input_error *errors;
	unsigned n_errors, n_inputs;
	struct plugins_said plugins; /* of runs before this; none: those that are loaded */
};
/* What a run's head says; n_captures is testimony_write()'s. Lives in arena. 0 or -ENOMEM. */
int testimony_head_of(struct testimony_head *out, const struct testimony_run *run,
		      unsigned conditions, struct arena *arena);

/* Where testimony goes. */
struct testimony_place {
	const char *dir;
	const struct seal_key *key; /* NULL: in the clear */
	struct survey *survey;
	struct arena *arena;        /* of what is made for it, digests of a's captures too */
};
/* a: as of testimony_keep(). 0 or -errno. */
int testimony_write(const struct testimony_place *at, struct analysis *a,
		    struct testimony_head *head, const struct ruleset *rules);
/*
 * Writes s's folder's testimony if s->testify: a is judged, and nobody has pooled or rewritten
 * anything yet. Says what fails on stderr, and in s's conditions.
 */
void testimony_keep(struct session *s, struct analysis *a, const struct testimony_run *run);
/* An earlier run's goes away. */
void testimony_forget(const char *dir);
