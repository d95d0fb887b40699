/* SPDX-License-Identifier: BSD-3-Clause */

/* What is said of a box that was probed, and where the search for its rate ends. */

#include "tools/audit/outcome.c"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tools/audit/search.c"

static void test_outcomes(void **state)
{
	static const struct {
		struct outcome_facts facts;
		enum outcome want;
	} rows[] = {
		{{.dropped = false}, OUTCOME_PASSED},
		{{.dropped = true}, OUTCOME_DROPPED},
		{{.reset = {true, false}, .dropped = true}, OUTCOME_RESET_CLIENT},
		{{.reset = {false, true}, .changed = true}, OUTCOME_RESET_SERVER},
		{{.reset = {true, true}, .page = true}, OUTCOME_RESET_BOTH},
		{{.page = true, .forged = true, .dropped = true}, OUTCOME_PAGE},
		{{.forged = true, .dropped = true}, OUTCOME_FORGED},
		{{.changed = true}, OUTCOME_CHANGED},
		{{.failed = true, .reset = {true, true}}, OUTCOME_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(outcome_of(&rows[i].facts), rows[i].want);
}

static struct outcome_tally all(enum outcome o, uint32_t n)
{
	struct outcome_tally t = {.n = 0};

	for (uint32_t i = 0; i < n; i++)
		outcome_add(&t, o);
	return t;
}

static void test_verdicts(void **state)
{
	struct outcome_tally reset = all(OUTCOME_RESET_BOTH, 3), passed = all(OUTCOME_PASSED, 6),
			     none = all(OUTCOME_PASSED, 0), mixed = all(OUTCOME_DROPPED, 2),
			     failed = all(OUTCOME_UNKNOWN, 1);

	(void)state;
	outcome_add(&mixed, OUTCOME_PASSED);
	assert_true(outcome_steady(&reset) && !outcome_steady(&mixed) && !outcome_steady(&none));
	assert_int_equal(outcome_most(&mixed), OUTCOME_DROPPED);
	assert_int_equal(probe_judge(&reset, &passed), PROBE_FILTERED);
	assert_int_equal(probe_judge(&passed, &passed), PROBE_PASSES);
	/* Who resets everything does not look for the name. */
	assert_int_equal(probe_judge(&reset, &reset), PROBE_ALL);
	assert_int_equal(probe_judge(&mixed, &passed), PROBE_UNSTEADY);
	assert_int_equal(probe_judge(&reset, &mixed), PROBE_UNSTEADY);
	assert_int_equal(probe_judge(&none, &passed), PROBE_UNTESTED);
	assert_int_equal(probe_judge(&reset, &none), PROBE_UNTESTED);
	assert_int_equal(probe_judge(&failed, &passed), PROBE_UNTESTED);
}

static const char *value_of(const struct conclusion *c, unsigned n, const char *id)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(c[i].id, id) == 0)
			return c[i].value;
	}
	return "";
}

static void test_conclusions(void **state)
{
	enum probe_verdict v[PROBE_IDS];
	struct conclusion c[CONCLUSIONS_MAX];

	(void)state;
	for (unsigned i = 0; i < PROBE_IDS; i++)
		v[i] = PROBE_PASSES;
	unsigned n = probe_conclude(v, c);
	assert_int_equal(n, 5);
	/* Of a name that passes nothing follows from what passes besides. */
	assert_string_equal(value_of(c, n, "reassembles"), "");
	v[PROBE_TLS] = v[PROBE_TLS_BARE] = PROBE_FILTERED;
	v[PROBE_TLS_PORT] = PROBE_UNSTEADY;
	v[PROBE_RESIDUAL_3] = PROBE_ALL;
	n = probe_conclude(v, c);
	assert_string_equal(value_of(c, n, "tls-name"), "yes");
	assert_string_equal(value_of(c, n, "reassembles"), "no");
	assert_string_equal(value_of(c, n, "acts-without-handshake"), "yes");
	assert_string_equal(value_of(c, n, "acts-on-other-ports"), "");
	assert_string_equal(value_of(c, n, "residual-3tuple"), "");
	assert_string_equal(value_of(c, n, "residual-4tuple"), "no");
	assert_string_equal(value_of(c, n, "residual-lasts"), "");
	for (unsigned i = 0; i < PROBE_IDS; i++)
		v[i] = PROBE_FILTERED;
	assert_in_range(probe_conclude(v, c), 12, CONCLUSIONS_MAX);
}

/* A box that passes up to a rate, a tester that reaches up to another. */
static struct search search_all(double from, double to, double box, double tester)
{
	struct search s;

	for (search_start(&s, from, to); s.next > 0;)
		search_note(&s, s.next > tester ? TRIAL_TESTER
				: s.next > box	? TRIAL_LOST
						: TRIAL_PASSED);
	return s;
}

static void test_search(void **state)
{
	(void)state;
	struct search s = search_all(1e3, 1e6, 123456, 1e9);
	assert_true(s.pass <= 123456 && s.fail > 123456 && s.fail <= s.pass * SEARCH_CLOSE);
	assert_true(!s.tester && s.trials <= SEARCH_TRIALS_MAX);
	s = search_all(1e3, 1e6, 1e9, 1e9);
	assert_true(s.pass == 1e6 && s.fail == 0 && s.trials == 1);
	s = search_all(1e3, 1e6, 1e9, 5e4);
	assert_true(s.pass <= 5e4 && s.pass > 4.8e4 && s.tester);
	/* Even the lowest is too much. */
	s = search_all(1e3, 1e6, 10, 1e9);
	assert_true(s.pass == 0 && s.fail == 1e3 && !s.tester && s.trials == 2);
	s = search_all(5e3, 5e3, 10, 1e9);
	assert_true(s.pass == 0 && s.trials == 1);
	/* A box of moods ends the search too. */
	search_start(&s, 1, 1e12);
	for (unsigned i = 0; s.next > 0; i++) {
		assert_true(i < SEARCH_TRIALS_MAX);
		search_note(&s, i % 2 == 0 ? TRIAL_LOST : TRIAL_PASSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),    cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_conclusions), cmocka_unit_test(test_search),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
