/* SPDX-License-Identifier: BSD-3-Clause */

/* What is JSON and what is not, by RFC 8259, in memory that ends where the text does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/json_read.c"

static int parse(const char *text, size_t len, struct json_document **d)
{
	size_t at;
	char *exact = malloc(len != 0 ? len : 1);
	assert_non_null(exact);
	memcpy(exact, text, len);
	int err = json_parse(d, exact, len, &at);
	assert_true(at <= len);
	free(exact);
	return err;
}

static void test_good(void **state)
{
	(void)state;
	static const char text[] =
		" {\"a\" : [1, -0.5e+3 ,true,false,null,{}, []],\"b\":\"x\\n\\u00e9\\ud83d\\ude00\\\"\","
		"\"c\":\"\\u0000\",\"n\":18446744073709551614,\"big\":18446744073709551615} ";
	struct json_document *d;
	assert_int_equal(parse(text, sizeof(text) - 1, &d), 0);
	const struct json_value *root = json_root(d), *v = json_get(root, "a");
	static const enum json_kind kinds[] = {JSON_NUMBER, JSON_NUMBER, JSON_TRUE, JSON_FALSE,
					       JSON_NULL, JSON_OBJECT, JSON_ARRAY};
	const struct json_value *item = v->first;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++, item = item->next)
		assert_int_equal(item->kind, kinds[i]);
	assert_null(item);
	assert_int_equal(json_whole(v->first), 1);
	assert_true(json_whole(v->first->next) == UINT64_MAX);
	assert_string_equal(json_text(json_get(root, "b")), "x\n\xc3\xa9\xf0\x9f\x98\x80\"");
	assert_null(json_text(json_get(root, "c")));
	assert_true(json_whole(json_get(root, "n")) == UINT64_MAX - 1);
	assert_true(json_whole(json_get(root, "big")) == UINT64_MAX);
	assert_null(json_get(root, "z"));
	assert_null(json_get(v, "a"));
	json_document_free(d);
}

static void test_bad(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"", " ", "{", "}", "[", "[1", "[1,", "[1,]", "[,]", "{\"a\"", "{\"a\":", "{\"a\":1",
		"{\"a\":1,}", "{a:1}", "{\"a\" 1}", "01", "1.", ".5", "-", "+1", "1e", "1e+", "tru",
		"nul", "\"", "\"\\", "\"\\u12", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
		"\"\\udc00\"", "\"\\x\"", "\"\n\"", "\"\xff\"", "1 2", "{} x", "[1 2]", "\x01",
		"{1:2}", "'a'", "NaN", "\xef\xbb\xbf{}",
	};
	struct json_document *d;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int err = parse(texts[i], strlen(texts[i]), &d);
		if (err != -EBADMSG)
			fail_msg("%s: %d", texts[i], err);
		assert_null(d);
	}
	assert_int_equal(parse("1\0", 2, &d), -EBADMSG);
}

static void test_limits(void **state)
{
	(void)state;
	char deep[2 * JSON_READ_DEPTH + 2];
	struct json_document *d;
	memset(deep, '[', JSON_READ_DEPTH);
	memset(deep + JSON_READ_DEPTH, ']', JSON_READ_DEPTH);
	assert_int_equal(parse(deep, (size_t)2 * JSON_READ_DEPTH, &d), 0);
	json_document_free(d);
	memset(deep, '[', JSON_READ_DEPTH + 1);
	memset(deep + JSON_READ_DEPTH + 1, ']', JSON_READ_DEPTH + 1);
	assert_int_equal(parse(deep, (size_t)2 * JSON_READ_DEPTH + 2, &d), -EBADMSG);
	/* As many numbers as there may be values, the array being one. */
	size_t n = (size_t)JSON_READ_VALUES * 2 + 1;
	char *many = malloc(n);
	assert_non_null(many);
	for (size_t i = 0; i < n; i++)
		many[i] = i == 0 ? '[' : i % 2 != 0 ? '1' : ',';
	many[n - 3] = ']';
	assert_int_equal(parse(many, n - 2, &d), 0);
	json_document_free(d);
	many[n - 3] = ',';
	many[n - 1] = ']';
	assert_int_equal(parse(many, n, &d), -EBADMSG);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
