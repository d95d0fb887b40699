/* SPDX-License-Identifier: BSD-3-Clause */

/* report.json: what another needs to repeat this report, and to see that nothing of it was changed. */

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tools/digest.h"
#include "tools/folder.h"
#include "tools/json.h"
#include "tools/libraries.h"
#include "tools/manifest.h"
#include "tools/privacy/seal.h"
#include "tools/report.h"
#include "tools/testimony/testimony.h"

static void inputs(struct json *j, const struct analysis *a)
{
	char hex[DIGEST_HEX];
	uint64_t size;

	json_array(j, "inputs");
	for (unsigned i = 0; i < a->n_captures; i++) {
		const struct capture_result *c = &a->captures[i];
		const char *const *paths = c->paths != NULL ? c->paths : c->files;
		/* Among the options, where a repeated run finds it. */
		for (unsigned k = 0; !c->control && k < c->n_files; k++) {
			bool there;
			if (c->digests != NULL) {
				snprintf(hex, sizeof(hex), "%s", c->digests[k].sha256);
				size = c->digests[k].size;
				there = hex[0] != '\0';
			} else {
				there = strcmp(paths[k], "-") != 0 &&
					digest_file(paths[k], hex, &size) == 0;
			}
			json_object(j, NULL);
			json_string(j, "file", c->files[k]);
			if (there)
				json_uint(j, "size", size);
			else
				json_null(j, "size");
			json_string(j, "sha256", there ? hex : NULL);
			json_end(j);
		}
	}
	json_end(j);
}

/* Reports with the same value share a key; of the key itself it says nothing (seal.h). */
static void key_check(struct json *j, const struct report_options *o)
{
	if (o->seal_key != NULL && !o->real_clients)
		json_hex(j, "key_check", o->seal_key->check, sizeof(o->seal_key->check));
}

static void strings(struct json *j, const char *key, char **list, int n)
{
	json_array(j, key);
	for (int i = 0; i < n; i++)
		json_string(j, NULL, list[i]);
	json_end(j);
}

struct options {
	struct json *j;
	bool real;
};

static int option(void *user, const char *text)
{
	struct options *s = user;
	const char *value = strchr(text, '=');
	char name[64];

	/* A word of a few letters is a choice; what is longer may be an address or a path. */
	if (s->real || value == NULL || strspn(value + 1, "abcdefghijklmnopqrstuvwxyz-") ==
						strlen(value + 1)) {
		json_string(s->j, NULL, text);
		return 0;
	}
	snprintf(name, sizeof(name), "%.*s=\xe2\x80\xa6", (int)(value - text), text);
	json_string(s->j, NULL, name);
	return 0;
}

static int options(struct json *j, const struct report_options *o)
{
	struct options s = {.j = j, .real = o->real_clients};
	int err = 0;

	json_array(j, "options");
	if (o->command != NULL)
		err = manifest_options(o->command, o->config, option, &s);
	json_end(j);
	return err;
}

static void lists(struct json *j, const struct report_options *o)
{
	size_t n = o->rules != NULL ? ruleset_lists(o->rules) : 0;

	json_array(j, "lists");
	for (size_t i = 0; i < n; i++) {
		const struct list_info *l = ruleset_list(o->rules, i);
		json_object(j, NULL);
		json_bytes(j, "name", l->name, strlen(l->name));
		json_string(j, "sha256", l->sha256);
		json_string(j, "imported", l->imported[0] != '\0' ? l->imported : NULL);
		json_end(j);
	}
	json_end(j);
}

static void versions(struct json *j)
{
	struct library libs[LIBRARIES_N];

	json_object(j, "libraries");
	libraries(libs);
	for (unsigned i = 0; i < LIBRARIES_N; i++)
		json_string(j, libs[i].name, libs[i].version[0] != '\0' ? libs[i].version : NULL);
	json_end(j);
}

static int digests(struct json *j, const struct analysis *a, const struct report_options *o)
{
	struct tables t;
	char hex[DIGEST_HEX];
	uint64_t rows;
	int err = tables_open(&t, a, o);

	json_object(j, "tables");
	for (unsigned i = 0; err == 0 && tables_list[i] != NULL; i++) {
		err = digest_table(&t, tables_list[i], hex, &rows);
		json_object(j, tables_list[i]->name);
		json_uint(j, "rows", rows);
		json_string(j, "sha256", hex);
		json_end(j);
	}
	json_end(j);
	tables_close(&t);
	return err;
}

static void file(struct json *j, const char *dir, const char *name)
{
	char hex[DIGEST_HEX], *path;
	uint64_t size;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return;
	if (digest_file(path, hex, &size) == 0) {
		json_object(j, NULL);
		json_string(j, "name", name);
		json_uint(j, "size", size);
		json_string(j, "sha256", hex);
		json_end(j);
	}
	free(path);
}

static void files_of(struct json *j, const char *dir, const char *below)
{
	struct dirent **list;
	char *path, *name;

	if (asprintf(&path, "%s/%s", dir, below) < 0)
		return;
	int n = scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.' && asprintf(&name, "%s/%s", below, list[i]->d_name) > 0) {
			file(j, dir, name);
			free(name);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	free(path);
}

/* What the folder holds by now; this file comes last. */
static void files(struct json *j, const char *dir)
{
	static const char *const first[] = {"report.txt", "report.html", "events.jsonl",
					    "annotated.pcapng", "wmscope.sqlite"};
	char name[64];

	json_array(j, "files");
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		file(j, dir, first[i]);
	for (unsigned i = 0; tables_list[i] != NULL; i++) {
		snprintf(name, sizeof(name), "%s.csv", tables_list[i]->name);
		if (tables_list[i]->file)
			file(j, dir, name);
	}
	file(j, dir, TESTIMONY_NAME);
	files_of(j, dir, "figures");
	files_of(j, dir, "wireshark");
	json_end(j);
}

static int manifest_write(const struct analysis *a, const struct report_options *o, const char *dir)
{
	struct folder_file f;
	struct json j;
	int err = folder_file_open(&f, dir, "report.json");

	if (err != 0)
		return err;
	json_start(&j, f.out);
	json_object(&j, NULL);
	json_uint(&j, "schema", 1);
	json_string(&j, "format", "wmscope-report");
	json_string(&j, "version", WMSCOPE_VERSION);
	versions(&j);
	json_string(&j, "clients", o->real_clients ? "real" : "pseudonymous");
	key_check(&j, o);
	strings(&j, "command", o->argv, o->argc);
	err = options(&j, o);
	inputs(&j, a);
	lists(&j, o);
	if (err == 0)
		err = digests(&j, a, o);
	files(&j, dir);
	json_end(&j);
	return folder_file_close(&f, err);
}

extern const struct report report_manifest;
const struct report report_manifest = {
	.name = "manifest",
	.doc = "report.json: inputs, options, lists and results by hash, in a folder",
	.write_folder = manifest_write,
};
