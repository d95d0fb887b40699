/* SPDX-License-Identifier: BSD-3-Clause */

/* Of several rules that one page hit, which names it. */

#include "classifiers/lists/decide.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static struct ruleset *load(const char *data, size_t len)
{
	struct ruleset *s;
	assert_int_equal(ruleset_new(&s), 0);
	assert_int_equal(ruleset_load(s, "list", "/x/list", data, len), 0);
	assert_int_equal(ruleset_seal(s), 0);
	return s;
}

static const struct rule *decided(const char *text, const char *country)
{
	static struct ruleset *s;
	struct rule_hits hits = {.n = 0};
	ruleset_free(s);
	s = NULL;
	if (text == NULL)
		return NULL;
	s = load(text, strlen(text));
	assert_int_equal(ruleset_refusals(s), 0);
	/* In both orders, each twice. */
	for (size_t i = 0; i < 2 * ruleset_count(s); i++)
		rule_hits_add(&hits, ruleset_rule(s, i % ruleset_count(s)));
	const struct rule *up = rules_decide(&hits, country);
	hits = (struct rule_hits){.n = 0};
	for (size_t i = ruleset_count(s); i-- > 0;)
		rule_hits_add(&hits, ruleset_rule(s, i));
	assert_ptr_equal(rules_decide(&hits, country), up);
	return up;
}

static void decisions(void **state)
{
	(void)state;
#define R(id, scope, more) id " " scope " body contains \"x\" " more "\n"
	static const struct { const char *text, *country, *want; } cases[] = {
		{R("a", "nat", "") R("b", "fp", ""), NULL, "b"},
		{R("a", "prod", "") R("b", "isp", "") R("c", "vbw", ""), NULL, "b"},
		{R("a", "isp", "confidence=5") R("b", "isp", "confidence=9"), NULL, "b"},
		{R("a", "isp", "confidence=9") R("b", "isp", "opt-in"), NULL, "b"},
		{R("a", "nat", "countries=IR") R("b", "nat", "countries=PK"), "PK", "b"},
		{R("a", "nat", "countries=IR") R("b", "nat", "countries=PK"), "IR", "a"},
		{R("a", "nat", "countries=IR,PK") R("b", "nat", ""), "PK", "a"},
		{R("a", "nat", "countries=IR") R("b", "nat", ""), "PK", "b"},
		{R("a", "nat", "countries=IR") R("b", "isp", ""), "PK", "a"},
		{R("a", "nat", "countries=IR") R("b", "nat", ""), NULL, "b"},
		{R("a", "nat", ""), "", "a"},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(decided(cases[i].text, cases[i].country)->id, cases[i].want);
	decided(NULL, NULL);
	struct rule_hits none = {.n = 0};
	assert_null(rules_decide(&none, "IR"));
}

/* More hits than there is room for: the first in order stay, whatever order they came in. */
static void many_hits(void **state)
{
	(void)state;
	char text[4096];
	size_t n = 0;
	for (unsigned i = 0; i < 40; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "r%02u %s body contains \"x\"\n", i,
				      i % 10 == 9 ? "nat" : "vbw");
	struct ruleset *s = load(text, n);
	struct rule_hits up = {.n = 0}, down = {.n = 0};
	for (unsigned i = 0; i < 40; i++) {
		rule_hits_add(&up, ruleset_rule(s, i));
		rule_hits_add(&down, ruleset_rule(s, 39 - i));
	}
	static const unsigned want[RULE_HITS_MAX] = {9, 19, 29, 39, 0, 1, 2, 3};
	for (unsigned i = 0; i < RULE_HITS_MAX; i++) {
		assert_ptr_equal(up.hit[i], ruleset_rule(s, want[i]));
		assert_ptr_equal(down.hit[i], ruleset_rule(s, want[i]));
	}
	assert_int_equal(up.more, 32);
	ruleset_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions),
		cmocka_unit_test(many_hits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
