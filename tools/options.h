/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Command lines, help, manual pages and completion, all from the same option rows. */

#include <stdio.h>

#include "tools/command.h"

enum options_outcome {
	OPTIONS_RUN,  /* *operands is set */
	OPTIONS_DONE, /* help or version went to stdout */
	OPTIONS_BAD,  /* the reason went to stderr */
};

/*
 * argv[0] is the command's name. config: config_size bytes, zeroed here. Options and operands may
 * be mixed; argv is reordered so that operands are argv[*operands] and on.
 */
enum options_outcome options_parse(const struct command *c, void *config, int argc, char **argv,
				   int *operands);

/* The command line as it was typed, for the run event: parsing reorders the real one. */
int options_remember(int argc, char **argv); /* 0 or -errno */
char **options_invocation(int *argc);

/* The command that argv begins with, by its first word or two; *words: how many. NULL: none. */
const struct command *options_find_words(int argc, char **argv, int *words);
bool options_is_group(const char *name); /* the first word of commands of two */
bool options_is_of_group(const struct command *c, const char *name);

void options_help(const struct command *c, FILE *out);
/* c NULL: of the program as a whole. */
void options_manual(const struct command *c, FILE *out);
void options_completion(FILE *out); /* for bash */
void options_overview(FILE *out);   /* the program's own help */
void options_group(const char *name, FILE *out); /* help of all commands of this first word */
void options_version(FILE *out);    /* with the libraries */
/* "error: …" on stderr; what is printed from outside is made harmless. */
void options_error(const struct command *c, const char *what, const char *raw);
