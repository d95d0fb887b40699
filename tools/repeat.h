/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A run that repeats another one from its report.json: what every command with --from does alike. */

#include "tools/manifest.h"
#include "tools/session.h"

struct repeat {
	const struct command *command;
	size_t session;             /* where the struct session_config is in its config */
	const char *const *made_by; /* commands whose reports it can repeat, NULL-terminated */
	const char *others;         /* what to say of the reports of others */
	/* The run itself, its files in argv. Returns an exit_status. */
	int (*run)(const void *config, int argc, char **argv, const struct manifest *expected);
};

/*
 * Runs with what the report that config's --from names says, and what was typed besides. argc: how many
 * files were typed; none: the report says where they are. Returns an exit_status; said on stderr.
 */
int repeat_run(const struct repeat *r, const void *config, int argc);
