/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log.h"
#include "tools/digest.h"
#include "tools/escape.h"

static int bad(const char *path, const char *reason, char *why, size_t len)
{
	char name[256];

	escape_string(name, sizeof(name), path, 0);
	snprintf(why, len, "%s: %s", name, reason);
	return -EBADMSG;
}

static int read_whole(const char *path, char **data, size_t *n)
{
	FILE *in = fopen(path, "rbe");
	size_t room = 1u << 16;
	int err = 0;

	if (in == NULL)
		return -errno;
	errno = 0;
	*n = 0;
	*data = malloc(room);
	while (*data != NULL) {
		*n += fread(*data + *n, 1, room - *n, in);
		if (*n < room)
			break;
		char *more = room < MANIFEST_MAX ? realloc(*data, room * 2) : NULL;
		err = more == NULL ? (room < MANIFEST_MAX ? -ENOMEM : -EFBIG) : 0;
		if (err != 0)
			break;
		*data = more;
		room *= 2;
	}
	if (*data == NULL)
		err = -ENOMEM;
	else if (err == 0 && ferror(in))
		err = errno != 0 ? -errno : -EIO; /* -EISDIR for one */
	fclose(in);
	return err;
}

int manifest_read(struct manifest *m, const char *path, char *why, size_t len)
{
	char *data = NULL;
	size_t n = 0, at;

	*m = (struct manifest){.doc = NULL};
	int err = read_whole(path, &data, &n);
	if (err != 0)
		snprintf(why, len, "%.200s: %s", path, strerror(-err));
	else
		err = json_parse(&m->doc, data, n, &at);
	free(data);
	if (err == -EBADMSG)
		return bad(path, "is no JSON", why, len);
	if (err != 0)
		return err;
	m->root = json_root(m->doc);
	const char *format = json_text(json_get(m->root, "format"));
	if (format != NULL && strcmp(format, "wmscope-report") == 0 &&
	    json_whole(json_get(m->root, "schema")) == 1)
		return 0;
	manifest_close(m);
	return bad(path, "is no report.json of this version of wmscope", why, len);
}

void manifest_close(struct manifest *m)
{
	json_document_free(m->doc);
	*m = (struct manifest){.doc = NULL};
}

bool manifest_is_private(const struct manifest *m)
{
	const char *clients = json_text(json_get(m->root, "clients"));

	return clients == NULL || strcmp(clients, "real") != 0;
}

const char *manifest_made_by(const struct manifest *m)
{
	const struct json_value *v = json_get(m->root, "command");

	v = v != NULL && v->kind == JSON_ARRAY && v->first != NULL ? v->first->next : NULL;
	const char *name = json_text(v);
	return name != NULL ? name : "";
}

bool manifest_is_redacted(const struct manifest *m)
{
	const char *names = json_text(json_get(m->root, "names"));

	return names != NULL && strcmp(names, "pseudonymous") == 0;
}

/* Options that only say where results go, or how they look. */
static bool decides(const char *name)
{
	static const char *const others[] = {
		"output", "text", "jsonl", "html", "pcapng", "zeek", "all-packets", "fail-on", "color",
		"quiet", "verbose", "workers", "private", "show-clients", "key", "keep-payload", "from",
		"redact-names", "resume",
		"load", /* a report names no code that is to be run; what was loaded it says by hash */
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(name, others[i]) == 0)
			return false;
	return true;
}

static int say(const char *name, const char *value, manifest_option_fn fn, void *user)
{
	char *option;

	if (asprintf(&option, value != NULL ? "--%s=%s" : "--%s", name, value) < 0)
		return -ENOMEM;
	int err = fn(user, option);
	free(option);
	return err;
}

static int say_row(const struct option_row *row, const void *field, manifest_option_fn fn, void *user)
{
	const struct option_strings *list = field;
	char digits[24];
	unsigned long number;
	const char *text;
	bool flag;
	int err = 0, which;

	switch (row->kind) {
	case OPTION_FLAG:
		memcpy(&flag, field, sizeof(flag));
		return flag ? say(row->name, NULL, fn, user) : 0;
	case OPTION_STRING:
		memcpy(&text, field, sizeof(text));
		return text != NULL ? say(row->name, text, fn, user) : 0;
	case OPTION_STRINGS:
		for (unsigned i = 0; i < list->n && err == 0; i++)
			err = say(row->name, list->v[i], fn, user);
		return err;
	case OPTION_UINT:
		memcpy(&number, field, sizeof(number));
		snprintf(digits, sizeof(digits), "%lu", number);
		return number != 0 ? say(row->name, digits, fn, user) : 0;
	case OPTION_ENUM:
		memcpy(&which, field, sizeof(which));
		return which != 0 ? say(row->name, row->values[which], fn, user) : 0;
	}
	return -EINVAL;
}

int manifest_options(const struct command *c, const void *config, manifest_option_fn fn, void *user)
{
	int err = 0;

	for (const struct option_row *row = c->options; row->name != NULL && err == 0; row++)
		if (decides(row->name))
			err = say_row(row, (const char *)config + row->offset, fn, user);
	return err;
}

static const struct json_value *items(const struct manifest *m, const char *key)
{
	const struct json_value *v = json_get(m->root, key);

	return v != NULL && v->kind == JSON_ARRAY ? v->first : NULL;
}

static unsigned count(const struct json_value *v)
{
	unsigned n = 0;

	for (; v != NULL; v = v->next)
		n++;
	return n;
}

/*
 * A report may come from anybody: it decides what is looked for, and not where anything is written.
 * getopt would take the beginning of a name too, so the whole is wanted here.
 */
static bool may_say(const struct command *c, const char *option)
{
	size_t n = strcspn(option, "=");

	for (const struct option_row *row = c->options; row->name != NULL; row++)
		if (n > 2 && strncmp(option, "--", 2) == 0 && strlen(row->name) == n - 2 &&
		    strncmp(option + 2, row->name, n - 2) == 0)
			return decides(row->name);
	return false;
}

bool manifest_options_known(const struct command *c, int n, char *const *options)
{
	for (int i = 0; i < n; i++)
		if (!may_say(c, options[i]))
			return false;
	return true;
}

int manifest_command(const struct manifest *m, const struct command *c, int argc, char **argv,
		     bool files, int *out_argc, char ***out_argv, char *why, size_t len)
{
	const struct json_value *options = items(m, "options"), *inputs = items(m, "inputs");
	char **all = calloc((size_t)argc + count(options) + count(inputs) + 2, sizeof(*all));
	int n = 0;

	if (all == NULL)
		return -ENOMEM;
	all[n++] = (char *)(uintptr_t)c->name;
	for (const struct json_value *v = options; v != NULL; v = v->next) {
		const char *option = json_text(v);
		if (option == NULL || !may_say(c, option)) {
			free(all);
			return bad(option != NULL ? option : "the report",
				   "no option that a report may give", why, len);
		}
		/* Without its value, which may have been private: whoever repeats it has to know. */
		if (strstr(option, "=\xe2\x80\xa6") == NULL)
			all[n++] = (char *)(uintptr_t)option;
		else
			log_warn(NULL, "the report does not say what %.*s was: it has to be given",
				 (int)strcspn(option, "="), option);
	}
	for (int i = 0; i < argc; i++)
		all[n++] = argv[i];
	for (const struct json_value *v = inputs; files && v != NULL; v = v->next) {
		const char *path = json_text(json_get(v, "file"));
		if (path == NULL || path[0] == '-') {
			free(all);
			return bad("the report", "an input has no name to open it by", why, len);
		}
		all[n++] = (char *)(uintptr_t)path;
	}
	*out_argc = n;
	*out_argv = all;
	return 0;
}

int manifest_match(const struct manifest *m, int n, char **files, char *why, size_t len)
{
	const struct json_value *inputs = items(m, "inputs");
	char (*hashes)[DIGEST_HEX] = calloc((size_t)n + 1, sizeof(*hashes));
	int err = hashes != NULL ? 0 : -ENOMEM, place = 0;
	uint64_t size;

	for (int i = 0; i < n && err == 0; i++) {
		err = digest_file(files[i], hashes[i], &size);
		if (err != 0)
			err = bad(files[i], strerror(-err), why, len);
	}
	for (const struct json_value *v = inputs; v != NULL && err == 0; v = v->next, place++) {
		const char *wanted = json_text(json_get(v, "sha256"));
		int i = place;
		while (i < n && (wanted == NULL || strcmp(hashes[i], wanted) != 0))
			i++;
		if (i == n) {
			const char *name = json_text(json_get(v, "file"));
			err = bad(name != NULL ? name : "an input",
				  "no file with its SHA-256 was given", why, len);
			break;
		}
		char *file = files[i], hash[DIGEST_HEX];
		memcpy(hash, hashes[i], sizeof(hash));
		files[i] = files[place];
		memcpy(hashes[i], hashes[place], sizeof(hash));
		files[place] = file;
		memcpy(hashes[place], hash, sizeof(hash));
	}
	if (err == 0 && place != n)
		err = bad(files[place], "is none of the files that the report is about", why, len);
	free(hashes);
	return err;
}
