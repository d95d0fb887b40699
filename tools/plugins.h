/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* --load FILE of every command that takes plug-ins, and what reports say of them. */

#include <stdbool.h>
#include <stdint.h>

#include "tools/command.h"

struct json;

/*
 * A row of a command whose config of this type has a struct option_strings of this name. what: which
 * of a plug-in's kinds it makes use of, as help says it.
 */
#define PLUGIN_OPTION(type, field, what)                                                           \
	{.name = "load",                                                                           \
	 .kind = OPTION_STRINGS,                                                                   \
	 .offset = offsetof(type, field),                                                          \
	 .argument = "FILE",                                                                       \
	 .help = "a plug-in of your own, by its path: " what                                       \
		 " (dataplane/plugin.h); several times for several"}

/* What was loaded, as reports say it. Lives as long as the program, or as what it was read from. */
struct plugin_said {
	const char *file;   /* without its folder */
	const char *sha256; /* of the file */
	const char *adds;   /* "signature my-reset, device my-box" */
};

struct plugins_said {
	uint64_t n;
	struct plugin_said *list;
};

/*
 * Loads them, before anything is opened or written and before privileges are dropped. False: one
 * was refused, and why is said on stderr in the words of command c; the program ends with
 * EXIT_USAGE.
 */
bool plugins_start(const struct option_strings *paths, const struct command *c);
struct plugins_said plugins_said(void);
void plugins_json(struct json *j, const struct plugins_said *p); /* "plugins", where there are any */
/* Where it came from, as it was given; NULL: it is linked in. what: as in struct plugin. */
const char *plugins_path_of(const void *what);
