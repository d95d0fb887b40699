/* SPDX-License-Identifier: BSD-3-Clause */

/* Rows that pass through another thread: all of them, in their order, and the first error comes back. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "tools/row_relay.c"

#define N     5000u /* rows, of several batches */
#define LARGE 777u  /* a row larger than a batch */

static const struct column columns[] = {
	{"n", COLUMN_INTEGER, false}, {"text", COLUMN_TEXT, false}, {"x", COLUMN_REAL, false},
};

static size_t text_len(uint64_t n)
{
	return n == LARGE ? 2 * BATCH_LEN : n % 100;
}

static int write_rows(const struct tables *t, struct rows *r)
{
	static char text[2 * BATCH_LEN];

	(void)t;
	for (uint64_t n = 0; n < N; n++) {
		memset(text, 'a' + (int)(n % 26), text_len(n));
		row_uint(r, "n", n);
		row_bytes(r, "text", text, text_len(n));
		row_real_if(r, "x", n % 2 == 0, (double)n / 2);
		if (!row_end(r))
			return r->error;
	}
	return 0;
}

static const struct table table = {.name = "t", .columns = columns, .n_columns = 3, .write = write_rows};

struct witness {
	struct row_sink sink; /* first */
	uint64_t n, fails_at;
	bool slow, other;
};

static int see(struct row_sink *s, const struct row *r)
{
	struct witness *w = (struct witness *)(void *)s;
	const struct cell *c = r->cells;
	uint64_t n = w->n++;

	if (n == w->fails_at)
		return -ENOSPC;
	w->other |= r->table != &table || c[0].integer != n || c[1].len != text_len(n);
	w->other |= c[1].len != 0 && r->text[c[1].at] != 'a' + (char)(n % 26);
	w->other |= c[1].len != 0 && r->text[c[1].at + c[1].len - 1] != 'a' + (char)(n % 26);
	w->other |= n % 2 == 0 ? c[2].kind != CELL_REAL || c[2].real != (double)n / 2
			       : c[2].kind != CELL_NULL;
	if (w->slow && n % 1000 == 0)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	return 0;
}

static int relay_all(struct row_relay *relay, struct witness *a, struct witness *b)
{
	struct rows r = {.sinks = {&relay->sink}};

	row_relay_to(relay, (struct row_sink *[]){&a->sink, b != NULL ? &b->sink : NULL});
	int err = rows_write(&r, NULL, &table), late = row_relay_drain(relay);
	rows_free(&r);
	return err != 0 ? err : late;
}

static void test_order(void **state)
{
	struct row_relay *relay;

	(void)state;
	assert_int_equal(row_relay_open(&relay), 0);
	assert_int_equal(row_relay_drain(relay), 0);
	for (unsigned round = 0; round < 3; round++) {
		struct witness a = {.sink = {see}, .fails_at = UINT64_MAX, .slow = round == 1};
		struct witness b = {.sink = {see}, .fails_at = UINT64_MAX};
		assert_int_equal(relay_all(relay, &a, round == 2 ? NULL : &b), 0);
		assert_int_equal(a.n, N);
		assert_int_equal(b.n, round == 2 ? 0 : N);
		assert_false(a.other || b.other);
	}
	row_relay_close(relay);
	row_relay_close(NULL);
}

static void test_error(void **state)
{
	const uint64_t at[] = {0, N / 2, N - 1};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct row_relay *relay;
		struct witness a = {.sink = {see}, .fails_at = at[i]};
		struct witness b = {.sink = {see}, .fails_at = UINT64_MAX};
		assert_int_equal(row_relay_open(&relay), 0);
		assert_int_equal(relay_all(relay, &a, &b), -ENOSPC);
		assert_int_equal(a.n, at[i] + 1);
		assert_int_equal(b.n, at[i]);
		assert_false(a.other || b.other);
		row_relay_close(relay);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
