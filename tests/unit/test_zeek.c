/* SPDX-License-Identifier: BSD-3-Clause */

/* Connection states by history: the table of Zeek's manual (conn.log), and what its script does beyond. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tools/zeek.c"

static const struct {
	uint8_t proto;
	const char *history;
	uint64_t orig, resp; /* packets */
	const char *state;
} rows[] = {
	{6, "S", 3, 0, "S0"},
	{6, "ShA", 2, 1, "S1"},
	{6, "ShADad", 4, 4, "S1"},
	{6, "ShADadFf", 5, 4, "SF"},
	{6, "ShADadfF", 5, 4, "SF"},
	{6, "Sr", 1, 1, "REJ"},
	{6, "ShADaF", 4, 3, "S2"},
	{6, "ShADaf", 4, 3, "S3"},
	{6, "ShADaR", 4, 3, "RSTO"},
	{6, "ShADadr", 4, 3, "RSTR"},
	{6, "ShADadfr", 4, 3, "RSTR"},
	{6, "SR", 2, 0, "RSTOS0"},
	{6, "hr", 0, 2, "RSTRH"},
	{6, "SF", 2, 0, "SH"},
	{6, "hf", 0, 2, "SHR"},
	{6, "DadA", 3, 3, "OTH"},
	{6, "Sh", 1, 1, "OTH"}, /* not established before the client's ACK */
	{6, "", 1, 0, "OTH"},
	{17, "Dd", 1, 1, "SF"},
	{17, "D", 1, 0, "S0"},
	{17, "d", 0, 1, "SHR"},
	{1, "", 1, 1, "OTH"},
	{47, "", 1, 0, "OTH"},
};

static void test_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_record f = {.proto = rows[i].proto, .pkts = {rows[i].orig, rows[i].resp}};
		snprintf(f.history, sizeof(f.history), "%s", rows[i].history);
		assert_string_equal(zeek_conn_state(&f), rows[i].state);
	}
}

static void test_uids(void **state)
{
	(void)state;
	char one[ZEEK_UID_SIZE], two[ZEEK_UID_SIZE];
	struct flow_record f = {.id = 4, .first_ns = 1};
	zeek_uid(&f, one);
	assert_int_equal(strlen(one), 18);
	assert_int_equal(strspn(one + 1, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
			 17);
	f.client.b[0] = 9;
	assert_string_equal(zeek_uid(&f, two), one);
	f.id = 8;
	assert_string_not_equal(zeek_uid(&f, two), one);
	f.id = 4;
	f.first_ns = 2;
	assert_string_not_equal(zeek_uid(&f, two), one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_uids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
