/* SPDX-License-Identifier: BSD-3-Clause */

/* report.json: what another needs to repeat this report, and to see that nothing of it was changed. */

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tools/digest.h"
#include "tools/folder.h"
#include "tools/input_digests.h"
#include "tools/jobs.h"
#include "tools/json.h"
#include "tools/libraries.h"
#include "tools/manifest.h"
#include "tools/privacy/seal.h"
#include "tools/report.h"
#include "tools/testimony/testimony.h"

static void inputs(struct json *j, const struct analysis *a)
{
	json_array(j, "inputs");
	for (unsigned i = 0; i < a->n_captures; i++) {
		const struct capture_result *c = &a->captures[i];
		const char *const *paths = c->paths != NULL ? c->paths : c->files;
		/* Among the options, where a repeated run finds it. */
		for (unsigned k = 0; !c->control && k < c->n_files; k++) {
			struct capture_digest d;
			if (c->digests != NULL)
				d = c->digests[k];
			else
				input_digest(paths[k], &d);
			json_object(j, NULL);
			json_string(j, "file", c->files[k]);
			if (d.sha256[0] != '\0')
				json_uint(j, "size", d.size);
			else
				json_null(j, "size");
			json_string(j, "sha256", d.sha256[0] != '\0' ? d.sha256 : NULL);
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

/* What is hashed, each by itself: tables, then the folder's files. */
struct piece {
	const struct table *table; /* NULL: a file */
	char *name;                /* in the folder */
	char hex[DIGEST_HEX];
	uint64_t n;                /* rows, or bytes */
	int err;
};

struct pieces {
	const struct tables *tables;
	const struct table_digest *digests; /* of tables_list; NULL: they are to be made */
	const char *dir;
	struct piece *list;
	unsigned n, room;
	int err;
};

static void add(struct pieces *p, const struct table *table, const char *below, const char *name)
{
	if (p->err == 0 && p->n == p->room) {
		unsigned room = p->room != 0 ? 2 * p->room : 32;
		struct piece *list = realloc(p->list, room * sizeof(*list));
		p->err = list != NULL ? 0 : -ENOMEM;
		p->list = list != NULL ? list : p->list;
		p->room = list != NULL ? room : p->room;
	}
	if (p->err != 0)
		return;
	struct piece *new = &p->list[p->n];
	*new = (struct piece){.table = table};
	if (table == NULL &&
	    asprintf(&new->name, "%s%s%s", below, below[0] != '\0' ? "/" : "", name) < 0)
		p->err = -ENOMEM;
	else
		p->n++;
}

static void add_all_of(struct pieces *p, const char *below)
{
	struct dirent **list;
	char *path;

	if (asprintf(&path, "%s/%s", p->dir, below) < 0) {
		p->err = -ENOMEM;
		return;
	}
	int n = scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.')
			add(p, NULL, below, list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	free(path);
}

/* What the folder holds by now; this file comes last. */
static void gather(struct pieces *p)
{
	static const char *const first[] = {"report.txt", "report.html", "events.jsonl",
					    "annotated.pcapng", "wmscope.sqlite"};
	char name[64];

	/* They are the first of the pieces. */
	for (unsigned i = 0; tables_list[i] != NULL; i++)
		add(p, tables_list[i], "", "");
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		add(p, NULL, "", first[i]);
	for (unsigned i = 0; tables_list[i] != NULL; i++) {
		snprintf(name, sizeof(name), "%s.csv", tables_list[i]->name);
		if (tables_list[i]->file)
			add(p, NULL, "", name);
	}
	add(p, NULL, "", TESTIMONY_NAME);
	add_all_of(p, "figures");
	add_all_of(p, "wireshark");
}

static void hash(void *user, unsigned i)
{
	const struct pieces *p = user;
	struct piece *one = &p->list[i];
	char *path;

	if (one->table != NULL && p->digests != NULL) {
		memcpy(one->hex, p->digests[i].hex, sizeof(one->hex));
		one->n = p->digests[i].rows;
	} else if (one->table != NULL) {
		one->err = digest_table(p->tables, one->table, one->hex, &one->n);
	} else if (asprintf(&path, "%s/%s", p->dir, one->name) < 0) {
		one->err = -ENOMEM;
	} else {
		one->err = digest_file(path, one->hex, &one->n);
		free(path);
	}
}

/* A file that is not there is left out, a table is not. */
static int say_pieces(struct json *j, const struct pieces *p, bool tables)
{
	int err = p->err;

	if (tables)
		json_object(j, "tables");
	else
		json_array(j, "files");
	for (unsigned i = 0; i < p->n; i++) {
		const struct piece *one = &p->list[i];
		bool is_table = one->table != NULL;
		if (is_table != tables || (one->err != 0 && !is_table))
			continue;
		err = err != 0 ? err : one->err;
		json_object(j, is_table ? one->table->name : NULL);
		if (!is_table)
			json_string(j, "name", one->name);
		json_uint(j, is_table ? "rows" : "size", one->n);
		json_string(j, "sha256", one->hex);
		json_end(j);
	}
	json_end(j);
	return err;
}

static void pieces_free(struct pieces *p)
{
	for (unsigned i = 0; i < p->n; i++)
		free(p->list[i].name);
	free(p->list);
}

static int write_all(struct json *j, const struct analysis *a, const struct report_options *o,
		     const struct pieces *p)
{
	json_object(j, NULL);
	json_uint(j, "schema", 1);
	json_string(j, "format", "wmscope-report");
	json_string(j, "version", WMSCOPE_VERSION);
	versions(j);
	json_string(j, "clients", o->real_clients ? "real" : "pseudonymous");
	json_string(j, "names", o->redacted_names ? "pseudonymous" : "real");
	key_check(j, o);
	strings(j, "command", o->argv, o->argc);
	int err = options(j, o);
	inputs(j, a);
	lists(j, o);
	plugins_json(j, &o->plugins);
	int told = say_pieces(j, p, true);
	err = err != 0 ? err : told;
	told = say_pieces(j, p, false);
	json_end(j);
	return err != 0 ? err : told;
}

static int manifest_write(const struct analysis *a, const struct report_options *o, const char *dir)
{
	struct folder_file f;
	struct tables t;
	struct json j;
	struct pieces p = {.tables = &t, .dir = dir};

	if (o->table_digests != NULL && o->table_digests->made)
		p.digests = o->table_digests->of;
	int err = tables_open(&t, a, o);

	if (err != 0)
		return err;
	gather(&p);
	jobs_run(p.n, hash, &p);
	err = folder_file_open(&f, dir, "report.json");
	if (err == 0) {
		json_start(&j, f.out);
		err = folder_file_close(&f, write_all(&j, a, o, &p));
	}
	pieces_free(&p);
	tables_close(&t);
	return err;
}

extern const struct report report_manifest;
const struct report report_manifest = {
	.name = "manifest",
	.doc = "report.json: inputs, options, lists and results by hash, in a folder",
	.write_folder = manifest_write,
	.last = true,
};
