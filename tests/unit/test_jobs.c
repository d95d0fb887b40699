/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/temporary.h"
#include "tools/input_digests.h"
#include "tools/jobs.c"

#define N 1000

static void add(void *user, unsigned i)
{
	((unsigned *)user)[i] += i + 1;
}

static void test_each_is_done_once(void **state)
{
	static unsigned done[N];

	(void)state;
	for (unsigned n = 0; n < 4; n++)
		jobs_run(n, add, done);
	assert_int_equal(done[0], 3);
	assert_int_equal(done[1], 2 * 2);
	assert_int_equal(done[2], 3);
	jobs_run(N, add, done);
	for (unsigned i = 3; i < N; i++)
		assert_int_equal(done[i], i + 1);
}

/* What can be read twice has the digest that sha256sum prints; a pipe is left to its reader. */
static void test_inputs_are_read_beside(void **state)
{
	struct temporary t = temporary_new();
	char file[128], fifo[128];
	struct input_digests *d;

	(void)state;
	snprintf(file, sizeof(file), "%s/abc", t.path);
	snprintf(fifo, sizeof(fifo), "%s/fifo", t.path);
	FILE *out = fopen(file, "w");
	assert_non_null(out);
	fputs("abc", out);
	fclose(out);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	const char *const files[] = {fifo, file, "-", "/nonexistent/file"};
	assert_int_equal(input_digests_start(&d, files, 4), 0);
	const struct capture_digest *list = input_digests_wait(d);
	/* FIPS 180-4's example. */
	assert_string_equal(list[1].sha256,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(list[1].size, 3);
	for (unsigned i = 0; i < 4; i += i == 0 ? 2 : 1) {
		assert_string_equal(list[i].sha256, "");
		assert_int_equal(list[i].size, 0);
	}
	input_digests_free(d);
	temporary_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_done_once),
		cmocka_unit_test(test_inputs_are_read_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
