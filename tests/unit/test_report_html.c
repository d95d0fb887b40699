/* SPDX-License-Identifier: BSD-3-Clause */

/* The page, on the model made by hand: whatever its names hold stays text. */

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/report_html.c"

#include "tests/unit/report_model.h"

/* Names of the model hold "<b>", a line end, an escape and turned text: on the page they are text. */
static void test_html_is_inert(void **state)
{
	(void)state;
	static const char *const needles[] = {
		"blocked\\x1b[2J\\xff\\u{202e}&quot;\\\\\\x0a&lt;b&gt;",
		"ClientHello sni=", "race-data-after-rst", "a server that restarts",
		"the server itself: it went on sending", "FORGED [RA", "evil\\x1b]0;\\xff.pcap",
		"x\\x1b: no such file", "drop-hello",
	};
	char *text = written(&report_html);
	char *body = strstr(text, "<body>"), *end = strstr(text, "<script>");
	assert_non_null(body);
	assert_non_null(end);
	*end = '\0';
	must_be_harmless(body);
	assert_null(strstr(body, "<b>\xf0"));
	MUST_HAVE(body, needles);
	free(text);
}

static void test_a_failed_write_is_told(void **state)
{
	(void)state;
	FILE *full = fopen("/dev/full", "w");
	if (full == NULL)
		skip();
	assert_int_equal(report_html.write(&model, &options, full), -ENOSPC);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_html_is_inert, setup),
		cmocka_unit_test_setup(test_a_failed_write_is_told, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
