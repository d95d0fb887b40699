/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "classifiers/arena.c"

/* More than are remembered, and again: each is what it was, and what came again at once stands once. */
static void test_texts_are_what_was_given(void **state)
{
	enum { N = 3 * RECENT };
	static const char *said[N];
	struct arena a = {.chunks = NULL};

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		said[i] = arena_format(&a, 32, "value %u", i);
		assert_ptr_equal(said[i], arena_format(&a, 32, "value %u", i));
	}
	size_t bytes = a.bytes;
	for (unsigned i = 0; i < N; i++) {
		char want[32];
		snprintf(want, sizeof(want), "value %u", i);
		assert_string_equal(said[i], want);
	}
	for (unsigned i = 0; i < 1000000; i++)
		assert_string_equal(arena_text(&a, "again and again"), "again and again");
	assert_in_range(a.bytes - bytes, 0, ARENA_TEXTS);
	assert_string_equal(arena_text(&a, ""), "");
	assert_string_equal(arena_format(&a, 6, "%s", "as far as it goes"), "as fa");
	arena_free(&a);
	assert_null(a.recent);
}

/* A text as long as a block, and bytes that are the same as a text's, but aligned. */
static void test_shares_are_aligned(void **state)
{
	static char longer[3 * ARENA_TEXTS];
	struct arena a = {.chunks = NULL}, b = {.chunks = NULL};

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	assert_string_equal(arena_text(&a, longer), longer);
	arena_text(&a, "odd");
	const char *text = arena_text(&a, "not aligned");
	assert_int_not_equal((uintptr_t)text & 15, 0);
	const char *share = arena_share(&a, "not aligned", sizeof("not aligned"));
	assert_int_equal((uintptr_t)share & 15, 0);
	assert_string_equal(share, "not aligned");
	assert_ptr_equal(share, arena_share(&a, "not aligned", sizeof("not aligned")));
	arena_move(&b, &a);
	/* What was given lives on, and what has moved is given no more by the one that is empty. */
	assert_string_equal(share, "not aligned");
	assert_ptr_not_equal(share, arena_share(&a, "not aligned", sizeof("not aligned")));
	arena_free(&a);
	assert_string_equal(text, "not aligned");
	arena_free(&b);
}

/* Whatever their hashes: else the addresses in some values would decide what a report's bytes are. */
static void test_none_is_forgotten_before_its_time(void **state)
{
	(void)state;
	static const void *first[RECENT];
	struct arena a = {.chunks = NULL};

	for (unsigned round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < RECENT; i++) {
			const uint32_t value[2] = {i, round / 2};
			const void *at = arena_share(&a, value, sizeof(value));
			assert_memory_equal(at, value, sizeof(value));
			if (round == 1)
				assert_ptr_equal(at, first[i]);
			first[i] = at;
		}
	}
	/* As many others came since. */
	const uint32_t value[2] = {0, 0};
	const size_t bytes = a.bytes;
	arena_share(&a, value, sizeof(value));
	assert_true(a.bytes > bytes);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_are_what_was_given),
		cmocka_unit_test(test_shares_are_aligned),
		cmocka_unit_test(test_none_is_forgotten_before_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
