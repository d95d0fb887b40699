/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tools/escape.h"
#include "tools/libraries.h"

#define ROWS_MAX 64 /* of a command; capture has 47 */

/* Every command takes these. */
enum { CODE_FIRST_ROW = 0x1000, CODE_HELP = 0x2000, CODE_VERSION };

static struct {
	int argc;
	char **argv;
} invocation;

int options_remember(int argc, char **argv)
{
	char **copy = calloc((size_t)argc + 1, sizeof(*copy));

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, argv, (size_t)argc * sizeof(*copy));
	free(invocation.argv);
	invocation.argc = argc;
	invocation.argv = copy;
	return 0;
}

char **options_invocation(int *argc)
{
	*argc = invocation.argc;
	return invocation.argv;
}

/* "audit run" is also written audit-run, as its manual page is called. */
static bool is_named(const struct command *c, const char *name)
{
	const char *n = c->name;

	while (*n != '\0' && (*n == *name || (*n == ' ' && *name == '-'))) {
		n++;
		name++;
	}
	return *n == '\0' && *name == '\0';
}

static const struct command *find_command(const char *name)
{
	for (unsigned i = 0; command_table[i] != NULL; i++) {
		if (is_named(command_table[i], name))
			return command_table[i];
	}
	return NULL;
}

const struct command *options_find_words(int argc, char **argv, int *words)
{
	char two[64];

	*words = 2;
	if (argc > 1 && (size_t)snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]) < sizeof(two)) {
		const struct command *c = find_command(two);
		if (c != NULL)
			return c;
	}
	*words = 1;
	return argc > 0 ? find_command(argv[0]) : NULL;
}

bool options_is_of_group(const struct command *c, const char *name)
{
	size_t n = strlen(name);

	return strncmp(c->name, name, n) == 0 && c->name[n] == ' ';
}

bool options_is_group(const char *name)
{
	unsigned i = 0;

	while (command_table[i] != NULL && !options_is_of_group(command_table[i], name))
		i++;
	return command_table[i] != NULL;
}

void options_error(const struct command *c, const char *what, const char *raw)
{
	fputs("error: ", stderr);
	if (raw != NULL) {
		escape_write(stderr, raw, strlen(raw), 0);
		fputs(": ", stderr);
	}
	fprintf(stderr, "%s\n", what);
	fprintf(stderr, "wmscope %s%s--help shows what can be given\n", c != NULL ? c->name : "",
		c != NULL ? " " : "");
}

/* 0 stands for the default in every config: typed, it would be taken for that in silence. */
static const char *store_uint(const struct option_row *row, void *field, const char *text)
{
	static char range[64];
	char *end;

	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	/* strtoul() takes a sign and blanks; a count has neither. */
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
		return "not a whole number";
	if (row->most != 0 && (v > row->most || (v == 0 && !row->none))) {
		snprintf(range, sizeof(range), "a number from %u to %lu", !row->none, row->most);
		return range;
	}
	if (v == 0 && !row->none)
		return "a number from 1 on";
	memcpy(field, &v, sizeof(v));
	return NULL;
}

static const char *store_strings(void *field, const char *text)
{
	struct option_strings *list = field;

	if (list->n == OPTION_STRINGS_MAX)
		return "given too many times";
	list->v[list->n++] = text;
	return NULL;
}

static const char *store_enum(void *field, const char *text, const char *const *values)
{
	for (int i = 0; values[i] != NULL; i++) {
		if (strcmp(values[i], text) == 0) {
			memcpy(field, &i, sizeof(i));
			return NULL;
		}
	}
	return "not one of the values of this option";
}

/* NULL, or what is wrong with the value. */
static const char *store(const struct option_row *row, void *config, const char *text)
{
	void *field = (char *)config + row->offset;
	bool on = true;

	if (row->kind != OPTION_FLAG && text[0] == '\0' && !row->none)
		return "this option needs a value";
	switch (row->kind) {
	case OPTION_FLAG:
		memcpy(field, &on, sizeof(on));
		return NULL;
	case OPTION_STRING:
		memcpy(field, &text, sizeof(text));
		return NULL;
	case OPTION_STRINGS:
		return store_strings(field, text);
	case OPTION_UINT:
		return store_uint(row, field, text);
	case OPTION_ENUM:
		return store_enum(field, text, row->values);
	}
	return "option of an unknown kind";
}

/* getopt's two tables from ours. Returns the number of rows. */
static unsigned make_tables(const struct command *c, struct option longs[ROWS_MAX + 3],
			    char shorts[2 * ROWS_MAX + 8])
{
	unsigned n = 0;
	char *s = shorts;

	*s++ = ':'; /* a missing argument is told from an unknown option */
	*s++ = 'h';
	*s++ = 'V';
	for (; n < ROWS_MAX && c->options[n].name != NULL; n++) {
		const struct option_row *row = &c->options[n];
		bool takes = row->kind != OPTION_FLAG;
		longs[n] = (struct option){.name = row->name,
					   .has_arg = takes ? required_argument : no_argument,
					   .val = CODE_FIRST_ROW + (int)n};
		if (row->letter != 0) {
			*s++ = row->letter;
			if (takes)
				*s++ = ':';
		}
	}
	*s = '\0';
	assert(c->options[n].name == NULL);
	longs[n] = (struct option){.name = "help", .val = CODE_HELP};
	longs[n + 1] = (struct option){.name = "version", .val = CODE_VERSION};
	longs[n + 2] = (struct option){.name = NULL};
	return n;
}

static const struct option_row *row_of(const struct command *c, unsigned n, int code)
{
	if (code >= CODE_FIRST_ROW)
		return &c->options[code - CODE_FIRST_ROW];
	for (unsigned i = 0; i < n; i++) {
		if (c->options[i].letter == code)
			return &c->options[i];
	}
	return NULL;
}

/* What getopt stopped at: a letter within a cluster, or the whole long option. */
static void complain(const struct command *c, int code, char **argv)
{
	char letter[3] = {'-', (char)optopt, '\0'};
	bool is_letter = optopt > 0 && optopt < CODE_FIRST_ROW;
	const char *what = is_letter ? letter : argv[optind - 1];

	if (code == ':')
		options_error(c, "this option needs a value", what);
	else if (!is_letter && strchr(what, '=') != NULL)
		options_error(c, "unknown or ambiguous option, or one that takes no value", what);
	else
		options_error(c, is_letter ? "unknown option" : "unknown or ambiguous option",
			      what);
}

enum options_outcome options_parse(const struct command *c, void *config, int argc, char **argv,
				   int *operands)
{
	struct option longs[ROWS_MAX + 3];
	char shorts[2 * ROWS_MAX + 8];
	unsigned n = make_tables(c, longs, shorts);
	int code;

	memset(config, 0, c->config_size);
	opterr = 0;
	optind = 0; /* glibc: start afresh, permuting */
	while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (code == CODE_HELP || code == 'h') {
			options_help(c, stdout);
			return OPTIONS_DONE;
		}
		if (code == CODE_VERSION || code == 'V') {
			options_version(stdout);
			return OPTIONS_DONE;
		}
		const struct option_row *row =
			code == '?' || code == ':' ? NULL : row_of(c, n, code);
		if (row == NULL) {
			complain(c, code, argv);
			return OPTIONS_BAD;
		}
		const char *wrong = store(row, config, optarg);
		if (wrong != NULL) {
			char what[128];
			snprintf(what, sizeof(what), "--%s: %s", row->name, wrong);
			options_error(c, what, optarg[0] != '\0' ? optarg : NULL);
			return OPTIONS_BAD;
		}
	}
	*operands = optind;
	return OPTIONS_RUN;
}

void options_version(FILE *out)
{
	struct library libs[LIBRARIES_N];

	fprintf(out, "wmscope %s\n", WMSCOPE_VERSION);
	libraries(libs);
	for (unsigned i = 0; i < LIBRARIES_N; i++) {
		fprintf(out, "%-10s %s\n", libs[i].name,
			libs[i].version[0] != '\0' ? libs[i].version : "not built in");
	}
}
