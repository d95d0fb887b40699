/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/log.c"

#include <fcntl.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

static char got[4096];

/* What the call writes to stderr, by way of a pipe that is wide enough for it. */
static void capture_stderr(void (*call)(void))
{
	int fds[2], old = dup(2);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], 2), 2);
	close(fds[1]);
	errno = ERANGE;
	call();
	assert_int_equal(errno, ERANGE);
	assert_int_equal(dup2(old, 2), 2);
	close(old);
	ssize_t n = read(fds[0], got, sizeof(got) - 1);
	assert_true(n >= 0);
	got[n] = 0;
	close(fds[0]);
}

static void three_levels(void)
{
	log_error("file", "%s: %d", "a", 1);
	log_warn(NULL, "b");
	log_info("file", "c");
}

static void levels(void **state)
{
	(void)state;
	capture_stderr(three_levels);
	assert_string_equal(got, "error: file: a: 1\nwarning: b\n");
	log_set_level(LOG_LEVEL_INFO);
	capture_stderr(three_levels);
	assert_string_equal(got, "error: file: a: 1\nwarning: b\ninfo: file: c\n");
	log_set_level(LOG_LEVEL_ERROR);
	capture_stderr(three_levels);
	assert_string_equal(got, "error: file: a: 1\n");
	log_set_level(LOG_LEVEL_WARN);
}

static void hostile_text(void)
{
	log_warn("x", "%s", "\x1b[2J\x07\nerror: forged\xc2\x9b" "1m \xc3\xa9\x7f");
}

static void long_text(void)
{
	char text[3000];
	memset(text, 'l', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	log_warn("x", "%s", text);
}

static void defused(void **state)
{
	(void)state;
	capture_stderr(hostile_text);
	assert_string_equal(got, "warning: x: ?[2J??error: forged??1m \xc3\xa9?\n");
	capture_stderr(long_text);
	assert_int_equal(strlen(got), 1023);
	assert_int_equal(got[1022], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels),
		cmocka_unit_test(defused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
