/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tools/escape.c"

static void test_what_is_spelt_out(void **state)
{
	(void)state;
	static const struct {
		const char *raw, *want, *ascii;
	} rows[] = {
		{.raw = "plain.example", .want = "plain.example", .ascii = "plain.example"},
		{.raw = "\033[2J", .want = "\\x1b[2J", .ascii = "\\x1b[2J"},
		{.raw = "a\nb\tc\x7f", .want = "a\\x0ab\\x09c\\x7f", .ascii = "a\\x0ab\\x09c\\x7f"},
		{.raw = "\\x1b", .want = "\\\\x1b", .ascii = "\\\\x1b"},
		{.raw = "m\xc3\xbcnchen", .want = "m\xc3\xbcnchen", .ascii = "m\\u{fc}nchen"},
		{.raw = "\xf0\x9f\x98\x80", .want = "\xf0\x9f\x98\x80", .ascii = "\\u{1f600}"},
		/* C1: CSI as one code point, and as a stray byte */
		{.raw = "\xc2\x9b", .want = "\\u{9b}", .ascii = "\\u{9b}"},
		{.raw = "\x9b", .want = "\\x9b", .ascii = "\\x9b"},
		/* overlong, surrogate, past the last plane, cut off */
		{.raw = "\xc0\xaf", .want = "\\xc0\\xaf", .ascii = "\\xc0\\xaf"},
		{.raw = "\xe0\x80\xaf", .want = "\\xe0\\x80\\xaf", .ascii = "\\xe0\\x80\\xaf"},
		{.raw = "\xed\xa0\x80", .want = "\\xed\\xa0\\x80", .ascii = "\\xed\\xa0\\x80"},
		{.raw = "\xf4\x90\x80\x80",
		 .want = "\\xf4\\x90\\x80\\x80",
		 .ascii = "\\xf4\\x90\\x80\\x80"},
		{.raw = "\xe2\x82", .want = "\\xe2\\x82", .ascii = "\\xe2\\x82"},
		{.raw = "\xe2\x82\033", .want = "\\xe2\\x82\\x1b", .ascii = "\\xe2\\x82\\x1b"},
		/* right-to-left override, isolate, zero width, byte order mark, line separator, tag
		 */
		{.raw = "\xe2\x80\xae", .want = "\\u{202e}", .ascii = "\\u{202e}"},
		{.raw = "\xe2\x81\xa6", .want = "\\u{2066}", .ascii = "\\u{2066}"},
		{.raw = "\xe2\x80\x8b", .want = "\\u{200b}", .ascii = "\\u{200b}"},
		{.raw = "\xef\xbb\xbf", .want = "\\u{feff}", .ascii = "\\u{feff}"},
		{.raw = "\xe2\x80\xa8", .want = "\\u{2028}", .ascii = "\\u{2028}"},
		{.raw = "\xf3\xa0\x81\x81", .want = "\\u{e0041}", .ascii = "\\u{e0041}"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[128];
		escape_string(out, sizeof(out), rows[i].raw, 0);
		assert_string_equal(out, rows[i].want);
		escape_string(out, sizeof(out), rows[i].raw, ESCAPE_ASCII);
		assert_string_equal(out, rows[i].ascii);
	}
}

static void test_a_second_time_changes_nothing(void **state)
{
	(void)state;
	char once[64], twice[64];

	escape_bytes(once, sizeof(once), "\033\0\xff\xe2\x80\xae", 6, 0);
	assert_string_equal(once, "\\x1b\\x00\\xff\\u{202e}");
	escape_string(twice, sizeof(twice), once, ESCAPE_KEEP_BACKSLASH);
	assert_string_equal(twice, once);
}

/* Each byte, at each place of what is looked through by words and of what is left of it. */
static void test_plain_runs(void **state)
{
	(void)state;
	for (size_t n = 0; n <= 27; n++) {
		for (size_t at = 0; at < n; at++) {
			for (unsigned byte = 0; byte < 256; byte++) {
				uint8_t text[27], but = byte % 2 != 0 ? '"' : '\\';
				for (size_t i = 0; i < n; i++)
					text[i] = i % 3 == 0 ? ' ' : i % 3 == 1 ? '~' : 'a';
				text[at] = (uint8_t)byte;
				bool plain = byte >= 0x20 && byte < 0x7f && byte != '\\' && byte != but;
				assert_int_equal(escape_plain_run(text, n, but), plain ? n : at);
				if (at + 1 < n) /* the next one makes no difference to it */
					text[at + 1] = 0x80;
				assert_int_equal(escape_plain_run(text, n, but),
						 !plain ? at : at + 1 < n ? at + 1 : n);
			}
		}
	}
	assert_int_equal(escape_plain_run((const uint8_t *)"\"", 1, '\\'), 1);
	assert_int_equal(escape_plain_run((const uint8_t *)"\"", 1, '"'), 0);
}

static void test_never_half_an_escape(void **state)
{
	(void)state;
	static const char raw[] = "a\033\xe2\x82\xac";
	char whole[32];
	size_t full = escape_string(whole, sizeof(whole), raw, 0);

	assert_int_equal(full, 1 + 4 + 3);
	for (size_t room = 1; room <= full + 1; room++) {
		char *out = malloc(room); /* exact, for the sanitizer */
		size_t n = escape_string(out, room, raw, 0);
		assert_true(n < room);
		assert_int_equal(out[n], '\0');
		assert_true(n == 0 || n == 1 || n == 5 || n == 8);
		assert_memory_equal(out, whole, n);
		free(out);
	}
	assert_int_equal(escape_string(NULL, 0, raw, 0), 0);
}

static void test_stream_and_buffer_agree(void **state)
{
	(void)state;
	uint8_t raw[512];
	char want[4 * sizeof(raw) + 1], *got = NULL;
	size_t got_len = 0;

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i * 31 + i / 7);
	size_t n = escape_bytes(want, sizeof(want), raw, sizeof(raw), 0);
	FILE *f = open_memstream(&got, &got_len);
	escape_write(f, raw, sizeof(raw), 0);
	fclose(f);
	assert_int_equal(n, got_len);
	assert_memory_equal(want, got, n);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_spelt_out),
		cmocka_unit_test(test_a_second_time_changes_nothing),
		cmocka_unit_test(test_plain_runs),
		cmocka_unit_test(test_never_half_an_escape),
		cmocka_unit_test(test_stream_and_buffer_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
