/* SPDX-License-Identifier: BSD-3-Clause */

/* Cells and their sink for CSV, on a table made by hand whose text tries to break out. */

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/tables.c"
#include "tools/table_csv.c"

static const struct column columns[] = {
	{"name", COLUMN_TEXT, false}, {"n", COLUMN_INTEGER, false}, {"x", COLUMN_REAL, false},
};

static int good_rows(const struct tables *t, struct rows *r)
{
	(void)t;
	static const char *const texts[] = {
		"plain", "", "a,b", "say \"no\"", "=1+1", "-5", "@x", "+1", " x", "x ",
		"two\r\nlines", "\033[2J", "\xff\xe2\x80\xae", "back\\slash", "\xc3\xa9",
		"'quoted", "it's", "a;b", "a-b=c",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		row_bytes(r, "name", texts[i], strlen(texts[i]));
		row_uint_if(r, "n", i % 2 == 0, i == 0 ? UINT64_MAX : i);
		row_real_if(r, "x", true, i == 0 ? NAN : i == 1 ? -0.0004 : i == 2 ? 1e300 : -1.5);
		assert_true(row_end(r));
	}
	row_list_begin(r);
	row_list_uint(r, 1);
	row_list_uint(r, 22);
	row_list_end(r, "name");
	row_uint(r, "n", 0);
	row_real_if(r, "x", false, 1);
	assert_true(row_end(r));
	row_list_begin(r);
	row_list_end(r, "name");
	row_null(r, "n");
	row_null(r, "x");
	assert_true(row_end(r));
	return 0;
}

static int write_table(const struct table *wanted, FILE *out)
{
	struct csv_sink csv = {.out = NULL};
	struct rows r = {.sinks = {&csv.sink}};

	csv_sink_begin(&csv, wanted, out);
	int err = rows_write(&r, NULL, wanted);
	rows_free(&r);
	csv_sink_free(&csv);
	return err;
}

static const struct table table = {.name = "t", .columns = columns, .n_columns = 3,
				   .write = good_rows};

static void test_csv(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	assert_int_equal(write_table(&table, out), 0);
	fclose(out);
	assert_string_equal(text, "name,n,x\r\n"
				  "plain,9223372036854775807,\r\n"
				  "\"\",,0.000\r\n"
				  "\"a,b\",2,1000000000000000000\r\n"
				  "\"say \"\"no\"\"\",,-1.500\r\n"
				  "\"=1+1\",4,-1.500\r\n"
				  "\"-5\",,-1.500\r\n"
				  "\"@x\",6,-1.500\r\n"
				  "\"+1\",,-1.500\r\n"
				  "\" x\",8,-1.500\r\n"
				  "\"x \",,-1.500\r\n"
				  "two\\x0d\\x0alines,10,-1.500\r\n"
				  "\\x1b[2J,,-1.500\r\n"
				  "\\xff\\u{202e},12,-1.500\r\n"
				  "back\\\\slash,,-1.500\r\n"
				  "\xc3\xa9,14,-1.500\r\n"
				  "\"'quoted\",,-1.500\r\n"
				  "it's,16,-1.500\r\n"
				  "\"a;b\",,-1.500\r\n"
				  "a-b=c,18,-1.500\r\n"
				  "1 22,0,\r\n"
				  ",,\r\n");
	free(text);
}

static int wrong_column(const struct tables *t, struct rows *r)
{
	(void)t;
	row_text(r, "name", "x");
	row_real_if(r, "x", true, 1);
	return row_end(r) ? 0 : r->error;
}

static int short_row(const struct tables *t, struct rows *r)
{
	(void)t;
	row_text(r, "name", "x");
	return row_end(r) ? 0 : r->error;
}

static void test_a_table_keeps_to_its_columns(void **state)
{
	(void)state;
	FILE *out = fopen("/dev/null", "w");
	struct table bad = table;
	bad.write = wrong_column;
	assert_int_equal(write_table(&bad, out), -EPROTO);
	bad.write = short_row;
	assert_int_equal(write_table(&bad, out), -EPROTO);
	fclose(out);
}

static int endless(const struct tables *t, struct rows *r)
{
	(void)t;
	for (;;) {
		row_text(r, "name", "x");
		row_uint(r, "n", 1);
		row_null(r, "x");
		if (!row_end(r))
			return r->error;
	}
}

static void test_a_full_disk_ends_it(void **state)
{
	(void)state;
	FILE *out = fopen("/dev/full", "w");
	struct table bad = table;
	if (out == NULL)
		skip();
	bad.write = endless;
	assert_int_equal(write_table(&bad, out), -ENOSPC);
	fclose(out);
}

static void test_ooni(void **state)
{
	(void)state;
	static const struct flow_record reset = {.state = FLOW_RESET}, silent = {.state = FLOW_SYN_SENT};
	static const struct {
		struct attempt a;
		const char *operation, *failure;
	} rows[] = {
		{{.proto = 6, .end = ATTEMPT_OK, .bits = ATTEMPT_HANDSHAKE}, NULL, NULL},
		{{.proto = 6, .end = ATTEMPT_PAGE, .bits = ATTEMPT_HANDSHAKE}, NULL, NULL},
		{{.proto = 6, .end = ATTEMPT_UNKNOWN}, NULL, NULL},
		{{.proto = 6, .end = ATTEMPT_REFUSED, .flow = &reset}, "connect",
		 "connection_refused"},
		{{.proto = 6, .end = ATTEMPT_REFUSED, .flow = &silent}, "connect",
		 "host_unreachable"},
		{{.proto = 6, .end = ATTEMPT_SILENT}, "connect", "generic_timeout_error"},
		{{.proto = 6, .end = ATTEMPT_RESET, .bits = ATTEMPT_HANDSHAKE,
		  .trigger = TRIGGER_SNI}, "tls_handshake", "connection_reset"},
		{{.proto = 6, .end = ATTEMPT_ALERT, .bits = ATTEMPT_HANDSHAKE,
		  .trigger = TRIGGER_SNI}, "tls_handshake", "ssl_failed_handshake"},
		{{.proto = 6, .end = ATTEMPT_CLOSED, .bits = ATTEMPT_HANDSHAKE,
		  .trigger = TRIGGER_HOST}, "http_round_trip", "eof_error"},
		{{.proto = 6, .end = ATTEMPT_RESET, .bits = ATTEMPT_HANDSHAKE}, "read",
		 "connection_reset"},
		{{.proto = 17, .end = ATTEMPT_SILENT, .trigger = TRIGGER_QUIC_SNI},
		 "quic_handshake", "generic_timeout_error"},
		{{.proto = 17, .end = ATTEMPT_SILENT, .trigger = TRIGGER_QNAME}, "resolve",
		 "generic_timeout_error"},
		{{.proto = 17, .end = ATTEMPT_OK, .trigger = TRIGGER_QNAME, .n_answers = 1}, NULL,
		 NULL},
		{{.proto = 17, .end = ATTEMPT_OK, .trigger = TRIGGER_QNAME, .n_answers = 1,
		  .rcode = 3}, "resolve", "dns_nxdomain_error"},
		{{.proto = 17, .end = ATTEMPT_REFUSED, .trigger = TRIGGER_QNAME, .n_answers = 2,
		  .rcode = 5}, "resolve", "dns_refused_error"},
		{{.proto = 17, .end = ATTEMPT_REFUSED, .trigger = TRIGGER_QNAME}, "resolve",
		 "connection_refused"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *operation = tables_ooni_operation(&rows[i].a);
		const char *failure = tables_ooni_failure(&rows[i].a);
		assert_int_equal(failure == NULL, rows[i].failure == NULL);
		assert_int_equal(operation == NULL, rows[i].operation == NULL);
		if (failure != NULL) {
			assert_string_equal(failure, rows[i].failure);
			assert_string_equal(operation, rows[i].operation);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_a_table_keeps_to_its_columns),
		cmocka_unit_test(test_a_full_disk_ends_it),
		cmocka_unit_test(test_ooni),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
