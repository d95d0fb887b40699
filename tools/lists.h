/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The rules that a command works with: the built-in ones, the imported lists, the user's own files.
 * Imported lists are in $XDG_DATA_HOME/wmscope/lists or ~/.local/share/wmscope/lists, compiled rules in
 * $XDG_CACHE_HOME/wmscope or ~/.cache/wmscope (XDG Base Directory Specification).
 */

#include <stdbool.h>

#include "classifiers/lists/matcher.h"
#include "tools/command.h"

struct lists_config {
	const char *dir; /* NULL: the default above */
	bool no_lists;   /* built-in rules and the files below only */
	struct option_strings files;
};

/* Rows of an option table for a struct lists_config at this field of the config. */
#define LISTS_OPTIONS(config, field)                                                               \
	{.name = "lists", .kind = OPTION_STRING, .offset = offsetof(config, field.dir),            \
	 .argument = "DIR",                                                                        \
	 .help = "imported lists are here; default $XDG_DATA_HOME/wmscope/lists, else "            \
		 "~/.local/share/wmscope/lists"},                                                  \
	{.name = "no-lists", .kind = OPTION_FLAG, .offset = offsetof(config, field.no_lists),      \
	 .help = "no imported lists, built-in rules only"},                                        \
	{.name = "rules", .kind = OPTION_STRINGS, .offset = offsetof(config, field.files),         \
	 .argument = "FILE", .help = "rules of your own too; may be given several times"}

struct lists {
	struct ruleset *rules;
	struct matcher *matcher; /* NULL: built without, or not on this CPU */
};

/*
 * 0, or what the process should exit with: the words are said. A list that cannot be read is a
 * warning; a file of the user's own must be right in every line.
 */
enum exit_status lists_open(struct lists *l, const struct lists_config *cfg);
void lists_close(struct lists *l);

/* The folder, malloc'ed; NULL: none is known (no HOME). */
char *lists_folder(const struct lists_config *cfg);

/* Prints each refusal of the list, of all for NULL, as a warning; returns how many there are. */
unsigned lists_warn(const struct ruleset *set, const char *list);
unsigned lists_warn_matcher(struct matcher *m, const char *list);

/* The note beside an imported list says when it came and from where. */
#define LISTS_NOTE ".note"
struct lists_note {
	char when[32];
	char from[256];
};
void lists_note_read(const char *path, struct lists_note *out); /* "" where nothing is known */
