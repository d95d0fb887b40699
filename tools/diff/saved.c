/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/diff/saved.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <json-c/json.h>

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

/* The library's values behind a name of ours: its own would clash with those of the JSON writer. */
static json_object *inside(const struct saved_value *v)
{
	return (json_object *)(uintptr_t)v;
}

static const struct saved_value *outside(json_object *o)
{
	return (const struct saved_value *)o;
}

static int read_line(const struct place *at, json_tokener *tok, const char *line, size_t len,
		     int (*each)(void *user, const struct saved_value *event), void *user)
{
	if (len > INT_MAX)
		return refuse(at, -EINVAL, "is too long");
	json_tokener_reset(tok);
	json_object *event = json_tokener_parse_ex(tok, line, (int)len);
	if (event == NULL)
		return refuse(at, -EINVAL, json_tokener_error_desc(json_tokener_get_error(tok)));
	const struct saved_value *v = outside(event);
	int ret;
	if (saved_text(v, "event_type")[0] == '\0')
		ret = refuse(at, -EINVAL, "is no event of wmscope");
	else if ((int)saved_number(v, "schema") != SCHEMA)
		ret = refuse(at, -EINVAL, "is of another version of the schema");
	else
		ret = each(user, v);
	json_object_put(event);
	return ret;
}

int saved_read(const char *path, int (*each)(void *user, const struct saved_value *event),
		void *user, char *err, size_t errlen)
{
	struct place at = {.path = path, .err = err, .errlen = errlen};
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int ret = 0;
	json_tokener *tok = json_tokener_new();

	FILE *in = open_report(path);
	if (in == NULL || tok == NULL) {
		ret = refuse(&at, -errno, strerror(errno));
		goto out;
	}
	while (ret == 0 && (len = getline(&line, &room, in)) >= 0) {
		at.line++;
		ret = read_line(&at, tok, line, (size_t)len, each, user);
	}
	if (ret == 0 && ferror(in))
		ret = refuse(&at, -EIO, strerror(errno));
	if (ret == 0 && at.line == 0)
		ret = refuse(&at, -EINVAL, "is empty");
out:
	free(line);
	if (tok != NULL)
		json_tokener_free(tok);
	if (in != NULL && in != stdin)
		fclose(in);
	return ret;
}

const struct saved_value *saved_get(const struct saved_value *object, const char *key)
{
	json_object *found = NULL;

	/* It says no for what is no object. */
	if (json_object_is_type(inside(object), json_type_object))
		json_object_object_get_ex(inside(object), key, &found);
	return outside(found);
}

const char *saved_text(const struct saved_value *object, const char *key)
{
	json_object *v = inside(saved_get(object, key));

	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

double saved_number(const struct saved_value *object, const char *key)
{
	json_object *v = inside(saved_get(object, key));

	return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double)
		       ? json_object_get_double(v)
		       : 0;
}

bool saved_true(const struct saved_value *object, const char *key)
{
	json_object *v = inside(saved_get(object, key));

	return json_object_is_type(v, json_type_boolean) && json_object_get_boolean(v);
}

void saved_members(const struct saved_value *object,
		    void (*each)(void *user, const char *key, const struct saved_value *v),
		    void *user)
{
	if (!json_object_is_type(inside(object), json_type_object))
		return;
	json_object_object_foreach(inside(object), key, v)
		each(user, key, outside(v));
}

struct saved_value *saved_keep(const struct saved_value *v)
{
	return (struct saved_value *)json_object_get(inside(v));
}

void saved_drop(struct saved_value *v)
{
	json_object_put(inside(v));
}
