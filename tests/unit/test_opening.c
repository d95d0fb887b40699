/* SPDX-License-Identifier: BSD-3-Clause */

/* Which rules begin where: sure only where it is so. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "classifiers/lists/opening.c"

static struct opening of(enum rule_how how, const char *text)
{
	struct rule r = {.how = how, .pattern = (const uint8_t *)text,
			 .len = (uint32_t)strlen(text)};
	return opening_of(&r);
}

#define ANY (-1)
#define UNBOUND (-2)

static const struct row {
	const char *text;
	int first;
} rows[] = {
	{"^SSH-(?:2\\.0|1\\.99)-", 'S'},
	{"^\\x00\\x9c\\x00", 0},
	{"^\\x38.{8}\\x00{5}$", 0x38},
	{"^\\xfF", 0xff},
	{"^<html", '<'},
	{"^a", 'a'},
	{"^a|b", UNBOUND},
	{"^(?:a|b)", ANY},
	{"^(a|b)c", ANY},
	{"^(?:a)|b", UNBOUND},
	{"^(?:a))|b", UNBOUND},
	{"^\\(a|b", UNBOUND},
	{"^[(]a|b", UNBOUND},
	{"^(?:[)]a|b)", UNBOUND}, /* it is, but nobody looks so closely */
	{"^[ab]c", ANY},
	{"^a?b", ANY},
	{"^a*b", ANY},
	{"^a{0,1}b", ANY},
	{"^\\x41?b", ANY},
	{"^\\x4", ANY},
	{"^\\x{41}", ANY},
	{"^\\d", ANY},
	{"^.a", ANY},
	{"^", ANY},
	{"^?a", UNBOUND},
	{"^*a", UNBOUND},
	{"^{0}a", UNBOUND},
	{"^a(?m)", UNBOUND},
	{"(?m)^a", UNBOUND},
	{"(?m:^a)", UNBOUND},
	{"^(?i)a", UNBOUND},
	{"^(?=a)", UNBOUND},
	{"^(*UTF8)a", UNBOUND},
	{"^\\Q(\\E|b", UNBOUND},
	{"^a\\", 'a'},
	{"^a(", 'a'},
	{"^a(?", UNBOUND},
	{"a", UNBOUND},
	{"\\^a", UNBOUND},
	{"(?:^a)", UNBOUND},
	{"", UNBOUND},
};

static void expressions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct opening o = of(RULE_REGEXP, rows[i].text);
		int got = o.bound ? o.first : UNBOUND;
		if (got != rows[i].first)
			fail_msg("%s: %d, wanted %d", rows[i].text, got, rows[i].first);
	}
}

static void literals(void **state)
{
	(void)state;
	assert_true(of(RULE_PREFIX, "\x13" "Bit").bound);
	assert_int_equal(of(RULE_PREFIX, "\x13" "Bit").first, 0x13);
	assert_int_equal(of(RULE_FULL, "\xff").first, 0xff);
	assert_false(of(RULE_CONTAINS, "^a").bound);
	assert_int_equal(of(RULE_CONTAINS, "a").first, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions),
		cmocka_unit_test(literals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
