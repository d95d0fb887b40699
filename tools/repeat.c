/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/repeat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log.h"
#include "tools/options.h"

static int told(int err, const char *why)
{
	log_error(NULL, "%s", err == -ENOMEM ? strerror(ENOMEM) : why);
	return err == -ENOMEM ? EXIT_IO : EXIT_INPUT;
}

/* A report of another command is of other questions, whose answers would seem to differ. */
static bool may_repeat(const struct repeat *r, const struct manifest *m)
{
	const char *command = manifest_made_by(m);
	bool may = command[0] == '\0';

	for (size_t i = 0; r->made_by[i] != NULL; i++)
		may |= strcmp(command, r->made_by[i]) == 0;
	return may;
}

/* What the manifest says, and what was typed besides, as one command line. */
static int again(const struct repeat *r, const struct manifest *m, void *config, int argc)
{
	struct session_config *session = (struct session_config *)(void *)((char *)config + r->session);
	char why[320] = "", **all = NULL;
	int n, first, n_typed;

	char **typed = options_invocation(&n_typed);
	int err = manifest_command(m, r->command, n_typed - 2, typed + 2, argc == 0, &n, &all, why,
				   sizeof(why));
	if (err != 0)
		return told(err, why);
	int status = EXIT_USAGE;
	if (argc == 0 && manifest_is_private(m)) {
		status = told(-ENOENT, "the report does not say which files it is about: they have to be "
				       "given");
		goto out;
	}
	if (options_parse(r->command, config, n, all, &first) != OPTIONS_RUN)
		goto out;
	session->redact_names |= manifest_is_redacted(m);
	if (session->redact_names && session->key == NULL) {
		options_error(r->command, "the report's names are pseudonyms: they are compared with the "
					  "--key that they were made with", NULL);
		goto out;
	}
	err = manifest_match(m, n - first, all + first, why, sizeof(why));
	status = err != 0 ? told(err, why) : r->run(config, n - first, all + first, m);
out:
	free(all);
	return status;
}

int repeat_run(const struct repeat *r, const void *config, int argc)
{
	const struct session_config *typed =
		(const struct session_config *)(const void *)((const char *)config + r->session);
	void *own = calloc(1, r->command->config_size);
	struct manifest m = {.doc = NULL};
	char why[320] = "";
	int status = EXIT_USAGE;

	int err = own != NULL ? manifest_read(&m, typed->from, why, sizeof(why)) : -ENOMEM;
	if (err != 0)
		status = told(err, why);
	else if (may_repeat(r, &m))
		status = again(r, &m, own, argc);
	else
		log_error(NULL, "%.200s: %s", typed->from, r->others);
	manifest_close(&m);
	free(own);
	return status;
}
