/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/options.c"
#include "tools/help.c"

struct config {
	bool quick, other;
	const char *file;
	unsigned long n;
	int mode;
};

static const char *const modes[] = {"auto", "client", "server", NULL};
static const struct option_row rows[] = {
	{.name = "quick",
	 .letter = 'q',
	 .kind = OPTION_FLAG,
	 .offset = offsetof(struct config, quick),
	 .help = "be quick"},
	{.name = "quiet-other",
	 .kind = OPTION_FLAG,
	 .offset = offsetof(struct config, other),
	 .help = "something else, with a help text that is long enough to go on over the end of "
		 "its "
		 "line and to be continued on the next"},
	{.name = "file",
	 .letter = 'f',
	 .kind = OPTION_STRING,
	 .offset = offsetof(struct config, file),
	 .argument = "FILE",
	 .help = ".starts like roff"},
	{.name = "number",
	 .kind = OPTION_UINT,
	 .offset = offsetof(struct config, n),
	 .argument = "N",
	 .help = "a number"},
	{.name = "mode",
	 .kind = OPTION_ENUM,
	 .offset = offsetof(struct config, mode),
	 .values = modes,
	 .help = "how"},
	{.name = NULL},
};
static const struct command try = {.name = "try", .usage = "FILE...", .summary = "try things",
				   .details = "Details.", .options = rows,
				   .config_size = sizeof(struct config)};
const struct command *const command_table[] = {&try, NULL};

static struct config cfg;
static int operands;
static char *words[16];

/* Parses the words, separated by blanks, of which there may be no more than 14. */
static enum options_outcome parse(const char *line)
{
	static char copy[256];
	int n = 0;

	snprintf(copy, sizeof(copy), "try %s", line);
	char *save = NULL;
	for (char *s = strtok_r(copy, " ", &save); s != NULL; s = strtok_r(NULL, " ", &save))
		words[n++] = s;
	words[n] = NULL;
	memset(&cfg, 0xff, sizeof(cfg));
	return options_parse(&try, &cfg, n, words, &operands);
}

static void test_values(void **state)
{
	(void)state;
	assert_int_equal(parse("a.pcap"), OPTIONS_RUN);
	assert_false(cfg.quick);
	assert_null(cfg.file);
	assert_int_equal(cfg.n, 0);
	assert_int_equal(cfg.mode, 0);
	assert_string_equal(words[operands], "a.pcap");

	/* Mixed with operands, "-" among them; the last of several counts. */
	assert_int_equal(parse("a -q - --file=x --number 7 b --mode client -fy --mode server"),
			 OPTIONS_RUN);
	assert_true(cfg.quick);
	assert_false(cfg.other);
	assert_string_equal(cfg.file, "y");
	assert_int_equal(cfg.n, 7);
	assert_int_equal(cfg.mode, 2);
	assert_string_equal(words[operands], "a");
	assert_string_equal(words[operands + 1], "-");
	assert_string_equal(words[operands + 2], "b");
	assert_null(words[operands + 3]);

	assert_int_equal(parse("-q -- --file"), OPTIONS_RUN);
	assert_string_equal(words[operands], "--file");
	/* An abbreviation that can only mean one thing. */
	assert_int_equal(parse("--nu 3"), OPTIONS_RUN);
	assert_int_equal(cfg.n, 3);
}

/* What goes to stderr meanwhile, harmless or not, into out. */
static enum options_outcome parse_loudly(const char *line, char *out, size_t room)
{
	int saved = dup(STDERR_FILENO);
	FILE *tmp = tmpfile();

	fflush(stderr);
	dup2(fileno(tmp), STDERR_FILENO);
	enum options_outcome outcome = parse(line);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(tmp);
	out[fread(out, 1, room - 1, tmp)] = '\0';
	fclose(tmp);
	return outcome;
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *line, *says;
	} bad[] = {
		{.line = "--nosuch", .says = "--nosuch"},
		{.line = "--qui", .says = "ambiguous"},
		{.line = "--number 0", .says = "from 1 on"},
		{.line = "--file=", .says = "--file: this option needs a value"},
		{.line = "-x", .says = "-x"},
		{.line = "--quick -qx", .says = "-x"},
		{.line = "--file", .says = "needs a value"},
		{.line = "-f", .says = "needs a value"},
		{.line = "--quick=1", .says = "takes no value"},
		{.line = "--number -1", .says = "whole number"},
		{.line = "--number 1x", .says = "whole number"},
		{.line = "--number +1", .says = "whole number"},
		{.line = "--number 99999999999999999999999", .says = "whole number"},
		{.line = "--number=", .says = "needs a value"},
		{.line = "--mode Client", .says = "--mode"},
		{.line = "--mode cli", .says = "--mode"},
		{.line = "--\033[2J", .says = "--\\x1b[2J"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char said[512];
		assert_int_equal(parse_loudly(bad[i].line, said, sizeof(said)), OPTIONS_BAD);
		if (strstr(said, bad[i].says) == NULL)
			fail_msg("%s: %s", bad[i].line, said);
		assert_null(strchr(said, '\033'));
	}
}

static char *printed(void (*print)(const struct command *c, FILE *out))
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	print(&try, f);
	fclose(f);
	return text;
}

static void test_help_has_every_row(void **state)
{
	(void)state;
	char *help = printed(options_help), *manual = printed(options_manual);

	for (const struct option_row *r = rows; r->name != NULL; r++) {
		char dashed[64];
		snprintf(dashed, sizeof(dashed), "--%s", r->name);
		assert_non_null(strstr(help, dashed));
	}
	assert_non_null(strstr(help, "--mode auto|client|server"));
	assert_non_null(strstr(help, "-f, --file FILE"));
	assert_non_null(strstr(help, "--version"));
	assert_non_null(strstr(manual, "\\-f, \\-\\-file FILE\n\\&.starts like roff"));
	assert_non_null(strstr(manual, ".SH EXIT STATUS"));
	char *save = NULL;
	for (char *l = strtok_r(help, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save))
		assert_true(strlen(l) <= 100);
	free(help);
	free(manual);
}

static void test_the_typed_line_is_kept(void **state)
{
	(void)state;
	char *typed[] = {(char[]){"wmscope"}, (char[]){"a"}, (char[]){"-q"}, NULL};
	int n;

	assert_int_equal(options_remember(3, typed), 0);
	char *first = typed[1];
	typed[1] = typed[2];
	assert_ptr_equal(options_invocation(&n)[1], first);
	assert_int_equal(n, 3);
	free(invocation.argv);
	invocation.argv = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_help_has_every_row),
		cmocka_unit_test(test_the_typed_line_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
