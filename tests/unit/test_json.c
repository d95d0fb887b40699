/* SPDX-License-Identifier: BSD-3-Clause */
#include <float.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tools/json.c"

static struct {
	struct json j;
	char *text;
	size_t len;
} w;

static int start(void **state)
{
	(void)state;
	free(w.text);
	w.text = NULL;
	json_start(&w.j, open_memstream(&w.text, &w.len));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	free(w.text);
	w.text = NULL;
	return 0;
}

static void must_be(const char *want)
{
	fclose(w.j.out);
	assert_string_equal(w.text, want);
}

static void test_shape(void **state)
{
	(void)state;
	json_object(&w.j, NULL);
	json_uint(&w.j, "a", UINT64_MAX);
	json_array(&w.j, "b");
	json_end(&w.j);
	json_array(&w.j, "c");
	json_object(&w.j, NULL);
	json_end(&w.j);
	json_bool(&w.j, NULL, true);
	json_null(&w.j, NULL);
	json_string(&w.j, NULL, NULL);
	json_end(&w.j);
	json_string(&w.j, "d", "");
	json_end(&w.j);
	must_be("{\"a\":18446744073709551615,\"b\":[],\"c\":[{},true,null,null],\"d\":\"\"}\n");
}

static void test_strings(void **state)
{
	(void)state;
	static const char raw[] = "q\"\\/\b\033\0\x7f\xc2\x9b\xe2\x80\xae\xf3\xa0\x81\x81\xc3\xbc";
	json_object(&w.j, NULL);
	json_bytes(&w.j, "s", raw, sizeof(raw) - 1);
	json_end(&w.j);
	must_be("{\"s\":\"q\\\"\\\\/"
		"\\u0008\\u001b\\u0000\\u007f\\u009b\\u202e\\udb40\\udc41\xc3\xbc\"}\n");
}

static void test_bytes_that_are_not_utf8(void **state)
{
	(void)state;
	json_object(&w.j, NULL);
	json_bytes(&w.j, "host", "a\xff\xe2\x82", 4);
	json_array(&w.j, "l");
	json_bytes(&w.j, NULL, "\xff", 1);
	json_hex(&w.j, NULL, "\xff\0", 2);
	json_end(&w.j);
	json_end(&w.j);
	must_be("{\"host\":\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"host_hex\":\"61ffe282\","
		"\"l\":[\"\xef\xbf\xbd\",\"ff00\"]}\n");
}

static void test_ids(void **state)
{
	(void)state;
	json_array(&w.j, NULL);
	json_id(&w.j, NULL, 0);
	json_id(&w.j, NULL, UINT64_C(9007199254740992));
	json_id(&w.j, NULL, UINT64_C(9007199254740993));
	json_end(&w.j);
	must_be("[0,9007199254740992,\"9007199254740993\"]\n");
}

static void test_numbers(void **state)
{
	(void)state;
	/* A locale with a decimal comma, where there is one. */
	setlocale(LC_ALL, "de_DE.UTF-8");
	static const double values[] = {0, -0.0, 9.5, 0.5, 3.5, 0.001, 0.0004, -1.25, 12.3456, 1e15,
					1e16, -DBL_MAX, INFINITY, NAN, 99.9996};
	json_array(&w.j, NULL);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		json_number(&w.j, NULL, values[i]);
	json_end(&w.j);
	must_be("[0,0,9.5,0.5,3.5,0.001,0,-1.25,12.346,1000000000000000,null,null,null,null,100]"
		"\n");
	setlocale(LC_ALL, "C");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shape, start, stop),
		cmocka_unit_test_setup_teardown(test_strings, start, stop),
		cmocka_unit_test_setup_teardown(test_bytes_that_are_not_utf8, start, stop),
		cmocka_unit_test_setup_teardown(test_ids, start, stop),
		cmocka_unit_test_setup_teardown(test_numbers, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
