/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A command is one .c file ending in one const struct command; the build generates command_table.
 * Options are rows: parsing, help and the manual come from the same table.
 */

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses; where several apply: 2, 4, 3, 5, then 1. */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_FINDINGS = 1, /* findings at or above --fail-on */
	EXIT_USAGE = 2,
	EXIT_INPUT = 3,    /* not a capture, or not readable as one */
	EXIT_IO = 4,
	EXIT_PARTIAL = 5,  /* damaged or interrupted; the report is written */
};

/* OPTION_STRINGS may be given again and again: a struct option_strings. */
enum option_kind { OPTION_FLAG, OPTION_STRING, OPTION_STRINGS, OPTION_UINT, OPTION_ENUM };

#define OPTION_STRINGS_MAX 16u
struct option_strings {
	unsigned n;
	const char *v[OPTION_STRINGS_MAX];
};

struct option_row {
	const char *name;      /* long, without dashes */
	char letter;           /* 0 none */
	enum option_kind kind;
	size_t offset;         /* in the config: of what its kind stores */
	const char *argument;  /* how help names it, NULL for a flag */
	/* NULL-terminated. OPTION_ENUM: the index is stored; OPTION_STRING: some, for help to show. */
	const char *const *values;
	const char *help;      /* one line */
	bool none;             /* 0, or nothing between quotes, says something; else it is refused */
	unsigned long most;    /* OPTION_UINT; 0: as much as there is room for */
};

struct command {
	const char *name;      /* one word, or two with a blank between them */
	const char *usage;     /* "FILE…", what follows the options */
	const char *summary;   /* one line, lower case, no full stop */
	const char *details;   /* a paragraph for --help and the manual, may be NULL */
	const char *found;     /* what EXIT_FINDINGS says, where it is not about --fail-on; else NULL */
	const struct option_row *options; /* ends with name NULL */
	size_t config_size;
	/* config: zeroed, then filled from the options; argv: operands. Returns exit_status. */
	int (*run)(void *config, int argc, char **argv);
};

extern const struct command *const command_table[]; /* NULL-terminated, generated */
