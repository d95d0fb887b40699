/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Cases of what is found in one flow, and what must hold of every finding. */

#include "tests/unit/sig_cases.h"

struct judge_case {
	const char *name;
	struct events ev;
	/* "DIR ID VERDICT SCORE: FRAMES… after TRIGGER STAGE", in any order, all there are */
	const char *const *finds;
	const char *const *finds6; /* over IPv6, where it differs */
	bool only4;
	bool raw_zero;             /* a field of 0 has a meaning of its own here */
	const char *skip;
};

/* Points of the rows that count, as judge.h adds them. */
static inline void check_score(const struct finding *f)
{
	static const double worth[] = {[GRADE_D2] = 2, [GRADE_D3] = 3.5, [GRADE_D4] = 6};
	double score = 0, weak = 0;
	enum grade best = GRADE_D1;
	for (unsigned i = 0; i < f->n_rows; i++) {
		const struct evidence_row *r = &f->rows[i];
		best = r->grade > best ? r->grade : best;
		if (r->counted && r->grade == GRADE_D1)
			weak += 0.5;
		else if (r->counted)
			score += worth[r->grade];
		assert_true(i == 0 || r->grade <= f->rows[i - 1].grade);
	}
	score += weak > 1.5 ? 1.5 : weak;
	assert_true(score > f->score - 0.01 && score < f->score + 0.01);
	if (f->verdict == VERDICT_CONFIRMED)
		assert_true(score >= 6 && best == GRADE_D4);
	if (f->verdict == VERDICT_LIKELY)
		assert_true(score >= 4 && best >= GRADE_D3);
	if (f->verdict == VERDICT_ANOMALY)
		assert_true(score >= 2);
	assert_true(f->verdict > VERDICT_NONE && f->verdict <= f->flow->worst);
}

static inline void check_finding(const struct world *w, const struct finding *f)
{
	check_score(f);
	assert_true(f->n_packets != 0 && f->sentence[0] != '\0' && f->n_ladder != 0);
	for (unsigned i = 0; i < f->n_packets; i++) {
		assert_in_range(f->packets[i], 1, w->n_frames);
		assert_true(i == 0 || f->packets[i - 1] < f->packets[i]);
	}
	for (unsigned i = 0; i < f->n_rows; i++)
		assert_in_range(f->rows[i].packet, 1, w->n_frames);
	/* No explanation is both open and ruled out, and each is given once. */
	for (unsigned i = 0; i < f->n_benign; i++)
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(f->benign[i], f->benign[k]);
	assert_true(f->trigger_packet <= w->n_frames);
	if (f->trigger_packet != 0 && w->ev->speaks == SPEAKS_SSH) {
		assert_int_equal(f->trigger, TRIGGER_PROTOCOL);
		assert_string_equal(f->trigger_value, "ssh");
		assert_non_null(strstr(f->sentence, " SSH's first message"));
	}
}

static inline void describe_finding(const struct finding *f, char *out, size_t len)
{
	size_t n = (size_t)snprintf(out, len, "%c %s %s %.1f:", f->direction == DIR_S2C ? '<' : '>',
				    f->id, verdict_name[f->verdict], f->score);
	for (unsigned i = 0; i < f->n_packets; i++)
		n += (size_t)snprintf(out + n, len - n, " %u", (unsigned)f->packets[i]);
	n += (size_t)snprintf(out + n, len - n, " after %u %s", (unsigned)f->trigger_packet,
			      stage_name[f->stage]);
	assert_true(n < len);
}

static inline void print_rows(const struct finding *f)
{
	for (unsigned i = 0; i < f->n_rows; i++)
		print_error("  D%d %s: %s%s\n", f->rows[i].grade, f->rows[i].kind, f->rows[i].value,
			    f->rows[i].counted ? "" : " (not counted)");
}

static inline void check_judgement(const struct judge_case *c, const struct variant *as)
{
	const char *const *want = as->ipv6 && c->finds6 != NULL ? c->finds6 : c->finds;
	char text[8][256];
	unsigned n = 0, bad = 0;
	struct world w;
	world_open(&w, &c->ev, as);
	world_run(&w);
	assert_int_equal(analysis_judge(w.a), 0);
	for (size_t i = 0; i < w.a->n_findings && n < 8; i++) {
		if (w.a->findings[i]->flow->client_port != 40000)
			continue;
		check_finding(&w, w.a->findings[i]);
		describe_finding(w.a->findings[i], text[n], sizeof(text[n]));
		if (!is_among(text[n], want)) {
			print_error("%s (%s): too much %s\n", c->name, as->name, text[n]);
			print_rows(w.a->findings[i]);
			bad++;
		}
		n++;
	}
	unsigned wanted = 0;
	for (; want[wanted] != NULL; wanted++) {
		bool there = false;
		for (unsigned i = 0; i < n; i++)
			there |= strcmp(want[wanted], text[i]) == 0;
		if (!there)
			print_error("%s (%s): missing  %s\n", c->name, as->name, want[wanted]);
		bad += !there;
	}
	world_close(&w);
	assert_int_equal(bad, 0);
	assert_int_equal(n, wanted);
}

static inline void check_judge_case(void **state)
{
	const struct judge_case *c = *state;
	if (c->skip != NULL) {
		print_message("%s: skipped: %s\n", c->name, c->skip);
		skip();
	}
	for (unsigned i = 0; i < sizeof(variants) / sizeof(*variants); i++)
		if (!(variants[i].ipv6 && c->only4) && !(variants[i].zero && c->raw_zero))
			check_judgement(c, &variants[i]);
}

static inline int run_judge_cases(const struct judge_case *cases, unsigned n)
{
	struct CMUnitTest *tests = calloc(n, sizeof(*tests));
	if (tests == NULL)
		return 1;
	for (unsigned i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){.name = cases[i].name, .test_func = check_judge_case,
					       .initial_state = (void *)(uintptr_t)&cases[i]};
	int failed = _cmocka_run_group_tests("judge", tests, n, NULL, NULL);
	free(tests);
	return failed;
}

/* For a main of one line. */
#define RUN_JUDGE_CASES(cases) run_judge_cases(cases, sizeof(cases) / sizeof((cases)[0]))
