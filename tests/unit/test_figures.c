/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Figures in files of their own, on the model made by hand: which are written, that an earlier
 * run's do not stay, and that names with bytes of all kinds are inert in SVG and CSV.
 */

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/figures.c"

#include "tests/unit/report_model.h"

static char folder[64];
static int dirfd_;

static int setup_folder(void **state)
{
	setup(state);
	snprintf(folder, sizeof(folder), "/tmp/wmscope-figures-XXXXXX");
	assert_non_null(mkdtemp(folder));
	dirfd_ = open(folder, O_RDONLY | O_DIRECTORY);
	return dirfd_ < 0;
}

static int teardown_folder(void **state)
{
	(void)state;
	for (unsigned i = 0; figure_table[i] != NULL; i++) {
		create(dirfd_, figure_table[i]->name, "svg", NULL);
		create(dirfd_, figure_table[i]->name, "csv", NULL);
	}
	close(dirfd_);
	return rmdir(folder);
}

/* NULL: there is none. */
static char *content(const char *name)
{
	int fd = openat(dirfd_, name, O_RDONLY);
	char *text = calloc(1, 1 << 20);

	if (fd < 0) {
		free(text);
		return NULL;
	}
	assert_non_null(text);
	assert_true(read(fd, text, (1 << 20) - 1) > 0);
	close(fd);
	return text;
}

static void has(const char *name, const char *needle)
{
	char *text = content(name);

	if (text == NULL || strstr(text, needle) == NULL)
		fail_msg("%s has no %s:\n%s", name, needle, text != NULL ? text : "(no file)");
	if (strstr(name, ".svg") != NULL)
		assert_null(strstr(text, "<b>"));
	free(text);
}

static void test_what_there_are_data_for(void **state)
{
	(void)state;
	assert_int_equal(figures_write(&model, &options, dirfd_), 0);
	has("timeline.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"");
	has("timeline.svg", "tcp-injection: 1");
	has("timeline.csv",
	    "2026-11-21T12:34:56.166556789Z,48,19,data-after-rst,tcp-injection,confirmed,"
	    "sni,\"blocked\\x1b[2J\\xff\\u{202e}\"\"\\\\\\x0a<b>");
	has("reaction-time.csv", "\"data-after-rst\",3.100000,1.000000,48,19,confirmed");
	has("reaction-time.svg", "data-after-rst (1, median 3.1 ms)");
	/* The forged packet of the ladder; the ICMP error beside it is none of the server's. */
	has("ttl.csv", ",48,19,to_client,1,188,30000,confirmed\n");
	has("ttl.svg", "forged (1 packets)");
	has("ip-id.svg", "genuine, same connections and direction (0 packets)");
	assert_null(content("residual.svg"));
	assert_null(content("goodput.csv"));
}

static void test_nothing_stays_of_an_earlier_run(void **state)
{
	(void)state;
	assert_int_equal(figures_write(&model, &options, dirfd_), 0);
	model.n_findings = 0;
	assert_int_equal(figures_write(&model, &options, dirfd_), 0);
	assert_null(content("timeline.svg"));
	assert_null(content("ttl.csv"));
}

static void test_a_finding_that_is_unsure_accuses_no_packet(void **state)
{
	(void)state;
	finding_a.verdict = VERDICT_ANOMALY;
	assert_int_equal(figures_write(&model, &options, dirfd_), 0);
	finding_a.verdict = VERDICT_CONFIRMED;
	has("timeline.csv", ",anomaly,");
	assert_null(content("ttl.svg"));
	assert_null(content("reaction-time.svg"));
}

static void field(const char *in, size_t len, const char *want)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	figure_csv_name(out, in, len);
	fclose(out);
	assert_string_equal(text, want);
	free(text);
}

static void test_csv_fields(void **state)
{
	(void)state;
	field("a.example", 9, "\"a.example\"");
	field("a,\"b\"\r\n", 7, "\"a,\"\"b\"\"\\x0d\\x0a\"");
	field("=1+1", 4, "\"'=1+1\"");
	field("@x", 2, "\"'@x\"");
	field("", 0, "\"\"");
}

/* Axes of any numbers end, and put everything on the paper. */
static void test_axes(void **state)
{
	static const double odd[] = {0, 1, -1, 1e-9, 1e18, 3.7, NAN, INFINITY, -INFINITY};
	const size_t n = sizeof(odd) / sizeof(odd[0]);

	(void)state;
	for (size_t i = 0; i < n * n * 2; i++) {
		const struct svg_axis x = {.label = "x",
					   .min = odd[i % n],
					   .max = odd[i / n % n],
					   .log = i / n / n != 0};
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);
		struct svg_plot p;
		assert_non_null(out);
		svg_plot_begin(&p, out, false, "plot", &x, &x, 0);
		for (size_t k = 0; k < n; k++) {
			double at = svg_plot_x(&p, odd[k]);
			assert_true(at >= p.left && at <= p.right);
		}
		svg_plot_end(&p);
		fclose(out);
		assert_true(len < 20000);
		assert_null(strstr(text, "nan"));
		assert_null(strstr(text, "inf"));
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_there_are_data_for, setup_folder,
						teardown_folder),
		cmocka_unit_test_setup_teardown(test_nothing_stays_of_an_earlier_run, setup_folder,
						teardown_folder),
		cmocka_unit_test_setup_teardown(test_a_finding_that_is_unsure_accuses_no_packet,
						setup_folder, teardown_folder),
		cmocka_unit_test(test_csv_fields),
		cmocka_unit_test(test_axes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
