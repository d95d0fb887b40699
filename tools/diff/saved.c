/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/diff/saved.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SCHEMA 1

struct place {
	const char *path;
	unsigned long line;
	char *err;
	size_t errlen;
};

static int refuse(const struct place *at, int code, const char *why)
{
	if (at->line > 0)
		snprintf(at->err, at->errlen, "%s: line %lu: %s", at->path, at->line, why);
	else
		snprintf(at->err, at->errlen, "%s: %s", at->path, why);
	return code;
}

static FILE *open_report(const char *path)
{
	char events[PATH_MAX];
	struct stat st;

	if (strcmp(path, "-") == 0)
		return stdin;
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return fopen(path, "re");
	snprintf(events, sizeof(events), "%s/events.jsonl", path);
	return fopen(events, "re");
}

static int read_line(const struct place *at, const char *line, size_t len,
		     int (*each)(void *user, const struct json_value *event), void *user)
{
	struct json_document *d;
	char why[64];
	size_t where;

	int ret = json_parse(&d, line, len, &where);
	if (ret == -ENOMEM)
		return ret;
	if (ret != 0) {
		snprintf(why, sizeof(why), "byte %zu: is no JSON from here", where + 1);
		return refuse(at, -EINVAL, why);
	}
	const struct json_value *event = json_root(d);
	if (saved_text(event, "event_type")[0] == '\0')
		ret = refuse(at, -EINVAL, "is no event of wmscope");
	else if ((int)saved_number(event, "schema") != SCHEMA)
		ret = refuse(at, -EINVAL, "is of another version of the schema");
	else
		ret = each(user, event);
	json_document_free(d);
	return ret;
}

int saved_read(const char *path, int (*each)(void *user, const struct json_value *event),
		void *user, char *err, size_t errlen)
{
	struct place at = {.path = path, .err = err, .errlen = errlen};
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int ret = 0;

	FILE *in = open_report(path);
	if (in == NULL) {
		ret = refuse(&at, -errno, strerror(errno));
		goto out;
	}
	while (ret == 0 && (len = getline(&line, &room, in)) >= 0) {
		at.line++;
		ret = read_line(&at, line, (size_t)len, each, user);
	}
	if (ret == 0 && ferror(in))
		ret = refuse(&at, -EIO, strerror(errno));
	if (ret == 0 && at.line == 0)
		ret = refuse(&at, -EINVAL, "is empty");
out:
	free(line);
	if (in != NULL && in != stdin)
		fclose(in);
	return ret;
}

const char *saved_text(const struct json_value *object, const char *key)
{
	const char *text = json_text(json_get(object, key));

	return text != NULL ? text : "";
}

double saved_number(const struct json_value *object, const char *key)
{
	const struct json_value *v = json_get(object, key);

	return v != NULL && v->kind == JSON_NUMBER ? strtod(v->text, NULL) : 0;
}

bool saved_true(const struct json_value *object, const char *key)
{
	const struct json_value *v = json_get(object, key);

	return v != NULL && v->kind == JSON_TRUE;
}
