/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Cases for one table of signatures: what each says of a flow, and that all others stay silent.
 * Included after the sig_NAME.c under test.
 */

#include "tests/unit/events_run.h"

#define LINES(...) (const char *const[]){__VA_ARGS__, NULL}
#define SILENT (const char *const[]){NULL}

/* 40 ms from the client to the server and back, seen next to the client. */
#define SHAKE "0 > S 0 - 0", "40 < SA 0 1 0", "40.1 > A 1 1 0"
#define HELLO "40.2 > PA 1 1 517"
/* Another connection to the same server: how it stamps packets. */
#define OTHER                                                                                     \
	"-900 > S 0 - flow=1", "-860 < SA 0 1 flow=1", "-859 > A 1 1 flow=1",                     \
		"-858 > PA 1 1 517 flow=1", "-818 < PA 1 518 900 flow=1"

struct sig_case {
	const char *name;
	struct events ev;
	/* "DIR ID GRADE @FRAME: SUSPECT…", DIR > or <: in any order, all there are */
	const char *const *says;
	const char *const *says6;  /* over IPv6, where it differs: no IP-ID, no DF */
	const char *untestable;    /* "ID: why" that must be said as well */
	bool raw_zero;             /* a field of 0 has a meaning of its own here */
	bool only4, only6;         /* IP versions that it is about */
	const char *skip;          /* a known fault: what should be said instead */
};

struct said {
	char text[64][160];
	unsigned n;
	bool untestable;
};

static inline void say_one(struct said *s, const struct view *v, const struct signature *sig,
			   const struct testimony *t)
{
	assert_true(s->n < sizeof(s->text) / sizeof(*s->text));
	char *out = s->text[s->n++];
	int n = snprintf(out, sizeof(s->text[0]), "%c %s D%d @%u:", v->dir == DIR_S2C ? '<' : '>',
			 sig->id, (int)t->grade, t->frame);
	for (unsigned i = 0; i < t->n_suspects; i++) {
		assert_true(t->suspects[i] < v->n);
		n += snprintf(out + n, sizeof(s->text[0]) - (size_t)n, " %u",
			      v->e[t->suspects[i]].frame);
	}
	assert_true((size_t)n < sizeof(s->text[0]));
	/* Without words a reader learns nothing. */
	assert_true(t->value[0] != '\0');
}

static inline void hear_all(const struct sig_case *c, struct world *w,
			    const struct signature *table, struct said *s)
{
	struct inspector *in = world_inspector(w);
	for (size_t k = 0; k < w->n_flows; k++) {
		const struct kept_flow *f = &w->flows[k];
		if (f->rec->client_port != 40000)
			continue;
		for (enum dir d = DIR_C2S; d <= DIR_S2C; d++) {
			struct view v;
			view_build(&v, &f->ev, f->rec, in->contexts[0], d);
			for (const struct signature *sig = table; sig->id != NULL; sig++) {
				struct testimony t = {0};
				char why[256];
				if (sig->cause != CAUSE_RESET && d == DIR_C2S)
					continue;
				if (sig->match(&v, sig, &t))
					say_one(s, &v, sig, &t);
				snprintf(why, sizeof(why), "%s: %s", sig->id,
					 t.untestable != NULL ? t.untestable : "");
				s->untestable |= c->untestable != NULL &&
						 strcmp(why, c->untestable) == 0;
			}
		}
	}
}

static inline bool is_among(const char *text, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(text, *list) == 0)
			return true;
	return false;
}

static inline void check_variant(const struct sig_case *c, const struct signature *table,
				 const struct variant *as)
{
	const char *const *want = as->ipv6 && c->says6 != NULL ? c->says6 : c->says;
	struct said said = {.n = 0};
	struct world w;
	unsigned n = 0, bad = 0;
	world_open(&w, &c->ev, as);
	world_run(&w);
	hear_all(c, &w, table, &said);
	world_close(&w);
	for (; want[n] != NULL; n++) {
		bool there = false;
		for (unsigned i = 0; i < said.n; i++)
			there |= strcmp(want[n], said.text[i]) == 0;
		if (!there)
			print_error("%s (%s): missing  %s\n", c->name, as->name, want[n]);
		bad += !there;
	}
	for (unsigned i = 0; i < said.n; i++)
		if (!is_among(said.text[i], want)) {
			print_error("%s (%s): too much %s\n", c->name, as->name, said.text[i]);
			bad++;
		}
	if (c->untestable != NULL && !said.untestable) {
		print_error("%s (%s): not said   %s\n", c->name, as->name, c->untestable);
		bad++;
	}
	assert_int_equal(bad, 0);
	assert_int_equal(said.n, n);
}

static const struct signature *sig_table_under_test;

static inline void check_case(void **state)
{
	const struct sig_case *c = *state;
	if (c->skip != NULL) {
		print_message("%s: skipped: %s\n", c->name, c->skip);
		skip();
	}
	for (unsigned i = 0; i < sizeof(variants) / sizeof(*variants); i++)
		if (!(c->raw_zero && variants[i].zero) && !(c->only4 && variants[i].ipv6) &&
		    !(c->only6 && !variants[i].ipv6))
			check_variant(c, sig_table_under_test, &variants[i]);
}

static const struct sig_case *sig_cases_run;
static unsigned n_sig_cases_run;

static inline void every_signature_is_expected(void **state)
{
	(void)state;
	for (const struct signature *sig = sig_table_under_test; sig->id != NULL; sig++) {
		bool covered = false;
		for (unsigned i = 0; i < n_sig_cases_run; i++)
			for (unsigned k = 0; sig_cases_run[i].says[k] != NULL; k++) {
				const char *id = sig_cases_run[i].says[k] + 2;
				size_t len = strcspn(id, " ");
				covered |= strlen(sig->id) == len && memcmp(id, sig->id, len) == 0;
			}
		if (!covered)
			fail_msg("no case expects %s", sig->id);
	}
}

static inline int run_sig_cases(const char *name, const struct signature *table,
				const struct sig_case *cases, unsigned n)
{
	struct CMUnitTest *tests = calloc(n + 1, sizeof(*tests));
	if (tests == NULL)
		return 1;
	sig_table_under_test = table;
	sig_cases_run = cases;
	n_sig_cases_run = n;
	for (unsigned i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){.name = cases[i].name, .test_func = check_case,
					       .initial_state = (void *)(uintptr_t)&cases[i]};
	tests[n] = (struct CMUnitTest)cmocka_unit_test(every_signature_is_expected);
	int failed = _cmocka_run_group_tests(name, tests, n + 1, NULL, NULL);
	free(tests);
	return failed;
}

/* For a main of one line. */
#define RUN_SIG_CASES(table, cases)                                                               \
	run_sig_cases(#table, table, cases, sizeof(cases) / sizeof((cases)[0]))
