/* SPDX-License-Identifier: BSD-3-Clause */

/* How it was called, and what the captures are called: people put names and places into that. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/privacy/model_private.h"
#include "tools/privacy/text.h"

/* Options by name and small numbers stay; what else is given may be a file, an address or a filter.
 */
static const char *argument(const char *arg, char buf[64])
{
	bool number =
		arg[0] != '\0' && strlen(arg) <= 4 && strspn(arg, "0123456789") == strlen(arg);
	size_t name = strcspn(arg, "=");

	if (number || (strncmp(arg, "--", 2) == 0 && arg[name] == '\0'))
		return arg;
	if (strncmp(arg, "--", 2) == 0 && name < 40) {
		snprintf(buf, 64, "%.*s=…", (int)name, arg);
		return buf;
	}
	if (arg[0] == '-' && isalpha((unsigned char)arg[1])) {
		snprintf(buf, 64, "-%c%s", arg[1], arg[2] != '\0' ? "…" : "");
		return buf;
	}
	return "…";
}

static int arguments(struct privacy *p, struct report_options *o)
{
	char **argv = arena_alloc(&p->arena, ((size_t)o->argc + 1) * sizeof(*argv));

	if (argv == NULL)
		return -ENOMEM;
	for (int i = 0; i < o->argc; i++) {
		char buf[64];
		/* The command is no secret, where the program lies may be. */
		const char *arg = i == 0   ? "wmscope"
				  : i == 1 ? o->argv[1]
					   : argument(o->argv[i], buf);
		argv[i] = (char *)(uintptr_t)arena_text(&p->arena, arg);
		if (argv[i] == NULL)
			return -ENOMEM;
	}
	o->argv = argv;
	return 0;
}

/* What begins with a file's name begins with its other one. */
static void rename_in(char *text, size_t room, const char *from, const char *to)
{
	size_t n = 0;

	while (from[n] != '\0' && text[n] == from[n])
		n++;
	/* Long ones are cut, at 120 characters and more, by who made the text; day1 is not day10. */
	bool whole = from[n] == '\0' && strchr(": ", text[n]) != NULL;
	if (n != 0 && (whole || n >= 120))
		text_replace(text, room, text, n, to);
}

static int rename_files(struct privacy *p, struct capture_result *c, unsigned *number)
{
	const char **names = arena_alloc(&p->arena, (c->n_files + 1) * sizeof(*names));

	if (names == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_files; i++) {
		char name[32];
		snprintf(name, sizeof(name), "capture-%u", ++*number);
		names[i] = arena_text(&p->arena, name);
		if (names[i] == NULL)
			return -ENOMEM;
		rename_in(c->partial_why, sizeof(c->partial_why), c->files[i], names[i]);
	}
	c->paths = c->paths != NULL ? c->paths : c->files;
	c->files = names;
	privacy_text(p, c->vantage_why, sizeof(c->vantage_why));
	return 0;
}

static int rename_errors(struct privacy *p, struct report_options *o)
{
	struct report_input_error *e = arena_alloc(&p->arena, (o->n_errors + 1) * sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < o->n_errors; i++) {
		char name[32];
		snprintf(name, sizeof(name), "unread-%u", i + 1);
		e[i] = o->errors[i];
		e[i].file = arena_text(&p->arena, name);
		if (e[i].file == NULL)
			return -ENOMEM;
		rename_in(e[i].reason, sizeof(e[i].reason), o->errors[i].file, e[i].file);
	}
	o->errors = e;
	return 0;
}

int privacy_run(struct privacy *p, struct analysis *a, struct report_options *o)
{
	unsigned number = 0;
	int err = 0;

	for (unsigned i = 0; i < a->n_captures && err == 0; i++)
		err = rename_files(p, &a->captures[i], &number);
	if (err == 0)
		err = rename_errors(p, o);
	return err == 0 ? arguments(p, o) : err;
}
