/* SPDX-License-Identifier: BSD-3-Clause */

/* Tables filled page by page, read by SQLite, which also checks the whole file. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "tools/sqlite_pages.c"

static char path[] = "/tmp/wmscope-pages-XXXXXX";

static void run(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Two tables without rows, and no more. */
static struct sqlite_pages *fresh(void)
{
	struct sqlite_pages *p;

	assert_int_equal(truncate(path, 0), 0);
	run("PRAGMA page_size = 4096; CREATE TABLE a (body BLOB); CREATE TABLE b (body BLOB)");
	assert_int_equal(sqlite_pages_open(&p, path), 0);
	return p;
}

static void text_of(const char *sql, char *out, size_t room)
{
	sqlite3 *db;
	sqlite3_stmt *s;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	snprintf(out, room, "%s", (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_whole(void)
{
	char said[256];

	text_of("PRAGMA integrity_check", said, sizeof(said));
	assert_string_equal(said, "ok");
}

static unsigned char byte_of(int64_t row, size_t i)
{
	return (unsigned char)((uint64_t)row * 131 + i * 7 + i / 251);
}

static uint8_t record[300000];

/* One column, a blob of that length. */
static int add(struct sqlite_pages *p, int64_t row, size_t len)
{
	uint8_t serial[SQLITE_VARINT_MAX], *end = sqlite_varint(serial, 12 + 2 * (uint64_t)len);
	size_t n = (size_t)(end - serial);

	record[0] = (uint8_t)(n + 1);
	memcpy(record + 1, serial, n);
	for (size_t i = 0; i < len; i++)
		record[1 + n + i] = byte_of(row, i);
	return sqlite_pages_add(p, row, record, 1 + n + len);
}

/* All rows of the table are those, in this order. */
static void assert_rows(const char *sql, const int64_t *rows, const size_t *lens, size_t n)
{
	sqlite3 *db;
	sqlite3_stmt *s;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	for (size_t k = 0; k < n; k++) {
		assert_int_equal(sqlite3_step(s), SQLITE_ROW);
		const unsigned char *body = sqlite3_column_blob(s, 1);
		assert_int_equal(sqlite3_column_int64(s, 0), rows[k]);
		assert_int_equal(sqlite3_column_bytes(s, 1), lens[k]);
		for (size_t i = 0; i < lens[k]; i++)
			if (body[i] != byte_of(rows[k], i))
				fail_msg("row %lld, byte %zu", (long long)rows[k], i);
	}
	assert_int_equal(sqlite3_step(s), SQLITE_DONE);
	sqlite3_finalize(s);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#define ROWS_A "SELECT rowid, body FROM a ORDER BY rowid"
#define ROWS_B "SELECT rowid, body FROM b ORDER BY rowid"

static void test_lengths_where_a_row_outgrows_its_page(void **state)
{
	(void)state;
	enum { N = 400 };
	static size_t lens[N];
	static int64_t rows[N];
	static const size_t odd[] = {0, 1, 4050, 4057, 4058, 4059, 4060, 4061, 4062, 4088, 4089, 4092, 4096,
				     4549, 4550, 4551, 8150, 8190, 12000, 40000, 299000};
	struct sqlite_pages *p = fresh();
	uint32_t seed = 1;

	for (size_t i = 0; i < N; i++) {
		seed = seed * 1664525 + 1013904223;
		lens[i] = i < sizeof(odd) / sizeof(odd[0]) ? odd[i] : 4000 + i < 4300 ? 3950 + i : seed >> 18;
		rows[i] = i == N - 1 ? INT64_MAX : (int64_t)((i + 1) * (i + 1));
	}
	sqlite_pages_begin(p, 2);
	assert_int_equal(sqlite_pages_end(p), 0);
	sqlite_pages_begin(p, 3);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(add(p, rows[i], lens[i]), 0);
	assert_int_equal(sqlite_pages_end(p), 0);
	assert_int_equal(sqlite_pages_close(p), 0);
	assert_whole();
	assert_rows(ROWS_A, rows, lens, 0);
	assert_rows(ROWS_B, rows, lens, N);
}

/* A page for each row, and as many as make one page above them full, and one more. */
static void test_counts_where_a_level_is_full(void **state)
{
	(void)state;
	static const unsigned counts[] = {1, 2, 3, KIDS - 1, KIDS, KIDS + 1, KIDS + 2, KIDS + 3,
					  2 * KIDS - 1, 2 * KIDS, 2 * KIDS + 1, 2 * KIDS + 2, 5 * KIDS};
	enum { MOST = 5 * KIDS };
	static size_t lens[MOST];
	static int64_t rows[MOST];

	for (size_t i = 0; i < MOST; i++) {
		lens[i] = 3000;
		rows[i] = (int64_t)i + 1;
	}
	for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		struct sqlite_pages *p = fresh();
		for (unsigned root = 2; root <= 3; root++) {
			sqlite_pages_begin(p, root);
			for (unsigned i = 0; i < counts[k]; i++)
				assert_int_equal(add(p, rows[i], lens[i]), 0);
			assert_int_equal(sqlite_pages_end(p), 0);
		}
		assert_int_equal(sqlite_pages_close(p), 0);
		assert_whole();
		assert_rows(ROWS_A, rows, lens, counts[k]);
		assert_rows(ROWS_B, rows, lens, counts[k]);
	}
}

/* It may be a leaf, one above leaves, or lie between two that hold one row. */
static void test_the_page_that_is_locked_is_left_out(void **state)
{
	(void)state;
	enum { N = 60 };
	size_t lens[N];
	int64_t rows[N];

	for (unsigned unused = 4; unused < 40; unused++) {
		char said[256], wanted[64];
		struct sqlite_pages *p = fresh();
		assert_int_equal(p->unused, 262145); /* at 1 GiB */
		p->unused = unused;
		sqlite_pages_begin(p, 2);
		for (unsigned i = 0; i < N; i++) {
			rows[i] = i + 1;
			lens[i] = i % 3 == 0 ? 9000 : 700;
			assert_int_equal(add(p, rows[i], lens[i]), 0);
		}
		assert_int_equal(sqlite_pages_end(p), 0);
		assert_int_equal(sqlite_pages_close(p), 0);
		text_of("PRAGMA integrity_check", said, sizeof(said));
		snprintf(wanted, sizeof(wanted), "Page %u is never used", unused);
		assert_non_null(strstr(said, wanted));
		assert_null(strchr(strstr(said, wanted), '\n'));
		assert_rows(ROWS_A, rows, lens, N);
	}
}

static void test_rows_that_do_not_rise_are_refused(void **state)
{
	(void)state;
	static const int64_t bad[] = {0, -1, 5, 4};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sqlite_pages *p = fresh();
		sqlite_pages_begin(p, 2);
		if (bad[i] > 0)
			assert_int_equal(add(p, 5, 10), 0);
		assert_int_equal(add(p, bad[i], 10), -EINVAL);
		assert_int_equal(add(p, 6, 10), -EINVAL);
		assert_int_equal(sqlite_pages_end(p), -EINVAL);
		assert_int_equal(sqlite_pages_close(p), -EINVAL);
	}
}

static void test_other_files_are_refused(void **state)
{
	(void)state;
	struct sqlite_pages *p;

	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(sqlite_pages_open(&p, path), -EPROTO);
	run("PRAGMA page_size = 8192; CREATE TABLE a (body BLOB)");
	assert_int_equal(sqlite_pages_open(&p, path), -EPROTO);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, 4096), 0);
	assert_int_equal(sqlite_pages_open(&p, path), -EPROTO);
	assert_int_equal(sqlite_pages_open(&p, "/nowhere/at/all"), -ENOENT);
}

static int make_file(void **state)
{
	(void)state;
	int fd = mkstemp(path);

	return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths_where_a_row_outgrows_its_page),
		cmocka_unit_test(test_counts_where_a_level_is_full),
		cmocka_unit_test(test_the_page_that_is_locked_is_left_out),
		cmocka_unit_test(test_rows_that_do_not_rise_are_refused),
		cmocka_unit_test(test_other_files_are_refused),
	};
	return cmocka_run_group_tests(tests, make_file, remove_file);
}
