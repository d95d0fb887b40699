/* SPDX-License-Identifier: BSD-3-Clause */

/* What options.h prints: help, manual pages and completion. */

#include <ctype.h>
#include <string.h>

#include "config.h"
#include "tools/options.h"

#define HELP_WIDTH 96

static const struct option_row common_rows[] = {
	{.name = "help", .letter = 'h', .kind = OPTION_FLAG, .help = "show this help"},
	{.name = "version", .letter = 'V', .kind = OPTION_FLAG,
	 .help = "show the version and the libraries built in"},
	{.name = NULL},
};

static const struct {
	int status;
	const char *meaning;
} statuses[] = {
	{.status = EXIT_DONE, .meaning = "done, and no finding at or above --fail-on"},
	{.status = EXIT_FINDINGS, .meaning = "findings at or above --fail-on"},
	{.status = EXIT_USAGE, .meaning = "the command line is wrong"},
	{.status = EXIT_INPUT,
	 .meaning = "an input is missing, or is not a capture; other inputs were still analysed"},
	{.status = EXIT_IO, .meaning = "a report could not be written, or the machine failed"},
	{.status = EXIT_PARTIAL,
	 .meaning =
		 "a capture is damaged, memory ran out for some of it, or the run was interrupted; the "
		 "report is still written"},
};

/* Breaks text at blanks; the first line begins at column at, the others at column indent. */
static void wrap(FILE *out, const char *text, unsigned at, unsigned indent)
{
	unsigned column = at;

	while (*text != '\0') {
		size_t n = strcspn(text, " \n");
		if (column > indent && column + 1 + n > HELP_WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			putc(' ', out);
			column++;
		}
		fwrite(text, 1, n, out);
		column += (unsigned)n;
		text += n;
		if (*text == '\n') {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		}
		text += *text != '\0';
	}
	putc('\n', out);
}

/* "-f, --filter EXPR" or "    --color auto|always|never"; the first value is the default. */
static void row_synopsis(const struct option_row *row, char *out, size_t room)
{
	int n = row->letter != 0 ? snprintf(out, room, "-%c, --%s", row->letter, row->name)
				 : snprintf(out, room, "    --%s", row->name);

	for (unsigned i = 0; row->values != NULL && row->values[i] != NULL && (size_t)n < room; i++)
		n += snprintf(out + n, room - (size_t)n, "%s%s", i == 0 ? " " : "|", row->values[i]);
	if (row->kind != OPTION_FLAG && row->argument != NULL && (size_t)n < room)
		snprintf(out + n, room - (size_t)n, "%c%s", row->values != NULL ? '|' : ' ', row->argument);
}

static void help_rows(const struct option_row *rows, FILE *out)
{
	enum { INDENT = 28 };

	for (; rows->name != NULL; rows++) {
		char synopsis[160];
		row_synopsis(rows, synopsis, sizeof(synopsis));
		int n = fprintf(out, "  %s", synopsis);
		if (n >= INDENT - 1)
			fprintf(out, "\n%*s", INDENT, "");
		else
			fprintf(out, "%*s", INDENT - n, "");
		wrap(out, rows->help, INDENT, INDENT);
	}
}

static bool has_option(const struct option_row *rows, const char *name)
{
	while (rows->name != NULL && strcmp(rows->name, name) != 0)
		rows++;
	return rows->name != NULL;
}

/*
 * c NULL: the program as a whole. Commands that look for nothing find nothing: NULL, it does not end
 * so.
 */
static const char *status_meaning(unsigned i, const struct command *c)
{
	bool judges = c == NULL || has_option(c->options, "fail-on");

	if (!judges && statuses[i].status == EXIT_FINDINGS)
		return c->found;
	return !judges && statuses[i].status == EXIT_DONE ? "done" : statuses[i].meaning;
}

static const char *status_order(const struct command *c)
{
	bool finds = c == NULL || c->found != NULL || has_option(c->options, "fail-on");

	return finds ? "Where several apply, the first of 2, 4, 3, 5 and 1 is returned."
		     : "Where several apply, the first of 2, 4, 3 and 5 is returned.";
}

static void help_statuses(FILE *out, const struct command *c)
{
	fputs("\nExit status:\n", out);
	for (unsigned i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		const char *meaning = status_meaning(i, c);
		if (meaning == NULL)
			continue;
		int n = fprintf(out, "  %d  ", statuses[i].status);
		wrap(out, meaning, (unsigned)n, (unsigned)n);
	}
	fprintf(out, "%s\n", status_order(c));
}

void options_help(const struct command *c, FILE *out)
{
	fprintf(out, "Usage: wmscope %s [options] %s\n\n", c->name, c->usage);
	wrap(out, c->summary, 0, 0);
	if (c->details != NULL) {
		putc('\n', out);
		wrap(out, c->details, 0, 0);
	}
	fputs("\nOptions:\n", out);
	help_rows(c->options, out);
	help_rows(common_rows, out);
	help_statuses(out, c);
}

void options_overview(FILE *out)
{
	fputs("Usage: wmscope COMMAND [options] [FILE...]\n\n"
	      "Reads packet captures and reports what a middlebox did to which connection.\n\n"
	      "Commands:\n", out);
	for (unsigned i = 0; command_table[i] != NULL; i++)
		fprintf(out, "  %-11s %s\n", command_table[i]->name, command_table[i]->summary);
	fputs("\nOptions:\n", out);
	help_rows(common_rows, out);
	help_statuses(out, NULL);
	fputs("\n`wmscope COMMAND --help` says more.\n", out);
}

void options_group(const char *name, FILE *out)
{
	fprintf(out, "Usage: wmscope %s COMMAND [options]\n\nCommands:\n", name);
	for (unsigned i = 0; command_table[i] != NULL; i++)
		if (options_is_of_group(command_table[i], name))
			fprintf(out, "  %-11s %s\n", command_table[i]->name, command_table[i]->summary);
	fprintf(out, "\n`wmscope %s COMMAND --help` says more.\n", name);
}

/* roff takes backslashes, and dots and quotes that begin a line, for itself; dashes must stay. */
static void roff(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			putc(*text, out);
	}
}

static void roff_rows(const struct option_row *rows, FILE *out)
{
	for (; rows->name != NULL; rows++) {
		char synopsis[160];
		row_synopsis(rows, synopsis, sizeof(synopsis));
		fputs(".TP\n.B ", out);
		roff(out, synopsis + strspn(synopsis, " "));
		putc('\n', out);
		roff(out, rows->help);
		putc('\n', out);
	}
}

/* As the page is called. */
static void roff_name(FILE *out, const char *name)
{
	for (; *name != '\0'; name++)
		fputs(*name == ' ' ? "\\-" : (char[2]){*name, '\0'}, out);
}

static void roff_program(FILE *out)
{
	fprintf(out, ".TH WMSCOPE 1 \"\" \"wmscope %s\" \"User commands\"\n", WMSCOPE_VERSION);
	fputs(".SH NAME\nwmscope \\- reports what a middlebox did to connections in packet "
	      "captures\n"
	      ".SH SYNOPSIS\n.B wmscope\n.I COMMAND\n[options] [FILE...]\n"
	      ".SH DESCRIPTION\nwmscope reads packet captures and reports which connections a "
	      "middlebox interfered with, how, with which packets as evidence, and what else could "
	      "explain it. Results go to standard output, words about the run to standard error, "
	      "and \\- is standard input or output.\n.SH COMMANDS\n",
	      out);
	for (unsigned i = 0; command_table[i] != NULL; i++) {
		fputs(".TP\n.BR wmscope\\-", out);
		roff_name(out, command_table[i]->name);
		fputs(" (1)\n", out);
		roff(out, command_table[i]->summary);
		putc('\n', out);
	}
}

static void roff_command(const struct command *c, FILE *out)
{
	fputs(".TH WMSCOPE\\-", out);
	for (const char *n = c->name; *n != '\0'; n++)
		fputs(*n == ' ' ? "\\-" : (char[2]){(char)toupper((unsigned char)*n), '\0'}, out);
	fprintf(out, " 1 \"\" \"wmscope %s\" \"User commands\"\n", WMSCOPE_VERSION);
	fputs(".SH NAME\nwmscope\\-", out);
	roff_name(out, c->name);
	fputs(" \\- ", out);
	roff(out, c->summary);
	fprintf(out, "\n.SH SYNOPSIS\n.B wmscope %s\n[options] ", c->name);
	roff(out, c->usage);
	fputs("\n.SH DESCRIPTION\n", out);
	roff(out, c->details != NULL ? c->details : c->summary);
	putc('\n', out);
}

void options_manual(const struct command *c, FILE *out)
{
	if (c != NULL)
		roff_command(c, out);
	else
		roff_program(out);
	fputs(".SH OPTIONS\n", out);
	if (c != NULL)
		roff_rows(c->options, out);
	roff_rows(common_rows, out);
	fputs(".SH EXIT STATUS\n", out);
	for (unsigned i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		const char *meaning = status_meaning(i, c);
		if (meaning == NULL)
			continue;
		fprintf(out, ".TP\n.B %d\n", statuses[i].status);
		roff(out, meaning);
		putc('\n', out);
	}
	fprintf(out, ".PP\n%s\n", status_order(c));
}

/* One arm of the shell's case: values after an option that has some, else the options. */
static void complete_command(const struct command *c, FILE *out)
{
	fprintf(out, "\t\"%s \"*)\n\t\tcase $prev in\n", c->name);
	for (const struct option_row *r = c->options; r->name != NULL; r++) {
		if (r->values == NULL)
			continue;
		fprintf(out, "\t\t--%s) COMPREPLY=($(compgen -W \"", r->name);
		for (unsigned k = 0; r->values[k] != NULL; k++)
			fprintf(out, "%s ", r->values[k]);
		fputs("\" -- \"$cur\")); return ;;\n", out);
	}
	fputs("\t\tesac\n\t\twords=\"", out);
	for (const struct option_row *r = c->options; r->name != NULL; r++)
		fprintf(out, "--%s ", r->name);
	fputs("--help --version\" ;;\n", out);
}

/* Each first word once. */
static void complete_first(FILE *out)
{
	size_t before = 0;

	for (unsigned i = 0; command_table[i] != NULL; i++) {
		const char *name = command_table[i]->name;
		size_t n = strcspn(name, " ");
		if (i == 0 || n != before || strncmp(name, command_table[i - 1]->name, n) != 0)
			fprintf(out, "%.*s ", (int)n, name);
		before = n;
	}
}

/* Of commands of two words: the second ones of a first. */
static void complete_second(FILE *out)
{
	const char *before = "";

	for (unsigned i = 0; command_table[i] != NULL; i++) {
		const char *name = command_table[i]->name;
		int n = (int)strcspn(name, " ");
		if (name[n] == '\0' || strncmp(name, before, (size_t)n + 1) == 0)
			continue;
		before = name;
		fprintf(out, "\tif ((COMP_CWORD == 2)) && [[ $prev == %.*s ]]; then\n"
			     "\t\tCOMPREPLY=($(compgen -W \"", n, name);
		for (unsigned k = i; command_table[k] != NULL; k++)
			if (strncmp(command_table[k]->name, name, (size_t)n + 1) == 0)
				fprintf(out, "%s ", command_table[k]->name + n + 1);
		fputs("\" -- \"$cur\"))\n\t\treturn\n\tfi\n", out);
	}
}

void options_completion(FILE *out)
{
	fputs("# Generated by wmscope.\n_wmscope()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\n"
	      "\tif ((COMP_CWORD == 1)); then\n\t\tCOMPREPLY=($(compgen -W \"", out);
	complete_first(out);
	fputs("help --help --version\" -- \"$cur\"))\n\t\treturn\n\tfi\n", out);
	complete_second(out);
	fputs("\tcase \"${COMP_WORDS[1]} ${COMP_WORDS[2]} \" in\n", out);
	for (unsigned i = 0; command_table[i] != NULL; i++)
		complete_command(command_table[i], out);
	fputs("\tesac\n\tif [[ $cur == -* ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	      "\telse\n\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n\tfi\n}\n"
	      "complete -o filenames -F _wmscope wmscope\n", out);
}
