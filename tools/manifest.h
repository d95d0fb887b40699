/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * report.json, a report's manifest: what was read, with what, how it was called, and what came of it, by
 * SHA-256. From one the run is repeated (`--from` of analyze and compare) and its result compared, table by
 * table. tools/manifest.schema.json describes the file.
 */

#include <stdbool.h>

#include "tools/command.h"
#include "tools/json_read.h"

#define MANIFEST_MAX (64u << 20) /* bytes of a file that is read as one */

struct manifest {
	struct json_document *doc;
	const struct json_value *root; /* its strings live as long as doc */
};

/* 0, or -errno and why (of len bytes) names file and reason: -EBADMSG for what is no manifest. */
int manifest_read(struct manifest *m, const char *path, char *why, size_t len);
void manifest_close(struct manifest *m);
bool manifest_is_private(const struct manifest *m); /* its clients are pseudonyms */
/* The command that made it, as it was typed; "": it does not say. */
const char *manifest_made_by(const struct manifest *m);
bool manifest_is_redacted(const struct manifest *m); /* its names are, too */

/* The options of config that decide what is found, as they would be typed: "--filter=tcp". */
typedef int (*manifest_option_fn)(void *user, const char *option);
int manifest_options(const struct command *c, const void *config, manifest_option_fn fn, void *user);

/*
 * The command line that repeats it: the command, its options, then what was typed after the command
 * (argc, argv), and the files it names where files says that none were typed. Free the array with free();
 * its strings are the manifest's and argv's. -EBADMSG and why: it would have more than a run repeated, as
 * one that writes somewhere.
 */
int manifest_command(const struct manifest *m, const struct command *c, int argc, char **argv,
		     bool files, int *out_argc, char ***out_argv, char *why, size_t len);
/*
 * Puts the files into the order of the inputs that the manifest names, by their hashes. 0, or -EBADMSG and
 * why: one is none of them, one is missing, or one cannot be read.
 */
/* All of these are options that decide, in long form. */
bool manifest_options_known(const struct command *c, int n, char *const *options);
int manifest_match(const struct manifest *m, int n, char **files, char *why, size_t len);
