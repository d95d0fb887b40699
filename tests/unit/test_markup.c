/* SPDX-License-Identifier: BSD-3-Clause */

/* Bytes from outside as text of HTML: nothing of them may end a tag, an attribute or a line. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/markup.c"

static void expect(const char *in, size_t len, size_t most, const char *want)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	if (most != 0)
		markup_cut(out, in, len, most);
	else
		markup_write(out, in, len, 0);
	fclose(out);
	assert_string_equal(text, want);
	free(text);
}

static void references(void **state)
{
	(void)state;
	expect("<a href=\"x\" b='y'>&amp;", 23, 0,
	       "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;");
	expect("plain.example", 13, 0, "plain.example");
	expect("", 0, 0, "");
}

static void hidden(void **state)
{
	(void)state;
	expect("\0\n\r\t\x1b[31m\x7f", 10, 0, "\\x00\\x0a\\x0d\\x09\\x1b[31m\\x7f");
	/* Turned text, zero width, a byte-order mark; bytes that are not UTF-8, also overlong '<'. */
	expect("\xe2\x80\xae" "a\xe2\x80\x8b\xef\xbb\xbf", 10, 0, "\\u{202e}a\\u{200b}\\u{feff}");
	expect("\xc0\xbc\xff\xe2\x80", 5, 0, "\\xc0\\xbc\\xff\\xe2\\x80");
	expect("\xd9\x85\xf0\x9f\x98\x80", 6, 0, "\xd9\x85\xf0\x9f\x98\x80");
}

/* A character may lie across two pieces, and stays whole. */
static void pieces(void **state)
{
	(void)state;
	for (size_t before = PIECE - 5; before < PIECE + 3; before++) {
		char in[2 * PIECE], want[2 * PIECE];
		memset(in, 'x', before);
		memcpy(in + before, "\xf0\x9f\x98\x80<", 5);
		memcpy(want, in, before + 4);
		memcpy(want + before + 4, "&lt;", 5);
		expect(in, before + 5, 0, want);
	}
}

static void cut(void **state)
{
	size_t len = 65536;
	char *in = malloc(len);

	(void)state;
	assert_non_null(in);
	memset(in, '<', len);
	expect(in, len, 2, "&lt;&lt;\xe2\x80\xa6 (65534 bytes more)");
	expect("abc\xf0\x9f\x98\x80", 7, 5, "abc\xe2\x80\xa6 (4 bytes more)");
	expect("abc", 3, 3, "abc");
	free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references),
		cmocka_unit_test(hidden),
		cmocka_unit_test(pieces),
		cmocka_unit_test(cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
