/* SPDX-License-Identifier: BSD-3-Clause */

/* Whether this run found what another one's manifest says, table by table. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "config.h"
#include "tools/digest.h"
#include "tools/escape.h"
#include "tools/manifest.h"
#include "tools/report.h"

static bool compare(const struct tables *t, const struct table *table,
		    const struct json_value *wanted, FILE *out, int *err)
{
	const char *hash = json_text(json_get(wanted, "sha256"));
	uint64_t had = json_whole(json_get(wanted, "rows")), rows;
	char hex[DIGEST_HEX];

	*err = digest_table(t, table, hex, &rows);
	if (*err != 0)
		return false;
	bool same = hash != NULL && strcmp(hash, hex) == 0;
	fprintf(out, "%-16s %8" PRIu64 " rows  ", table->name, rows);
	if (wanted == NULL)
		fputs("not in the report\n", out);
	else if (same)
		fputs("the same\n", out);
	else if (had != rows)
		fprintf(out, "different: there were %" PRIu64 "\n", had);
	else
		fputs("different\n", out);
	return same || wanted == NULL;
}

/* The one of this SHA-256; NULL: none is. */
static const struct plugin_said *same_plugin(const struct plugins_said *p, const char *sha256)
{
	for (uint64_t i = 0; i < p->n; i++)
		if (sha256 != NULL && strcmp(p->list[i].sha256, sha256) == 0)
			return &p->list[i];
	return NULL;
}

static bool names_plugin(const struct json_value *list, const char *sha256)
{
	for (const struct json_value *v = list; v != NULL; v = v->next) {
		const char *hash = json_text(json_get(v, "sha256"));
		if (hash != NULL && strcmp(hash, sha256) == 0)
			return true;
	}
	return false;
}

/* Plug-ins that one of the two runs had and the other had not, or not this one. */
static void compare_plugins(const struct manifest *m, const struct plugins_said *now, FILE *out)
{
	const struct json_value *list = json_get(m->root, "plugins");
	const struct json_value *first = list != NULL && list->kind == JSON_ARRAY ? list->first : NULL;

	for (const struct json_value *v = first; v != NULL; v = v->next) {
		const char *file = json_text(json_get(v, "file")), *hash = json_text(json_get(v, "sha256"));
		if (same_plugin(now, hash) != NULL)
			continue;
		fputs("The report was made with the plug-in ", out);
		escape_write(out, file != NULL ? file : "?", file != NULL ? strlen(file) : 1, 0);
		fputs(" of SHA-256 ", out);
		escape_write(out, hash != NULL ? hash : "?", hash != NULL ? strlen(hash) : 1, 0);
		fputs(", which this run has not (--load).\n", out);
	}
	for (uint64_t i = 0; i < now->n; i++) {
		if (names_plugin(first, now->list[i].sha256))
			continue;
		fputs("This run has the plug-in ", out);
		escape_write(out, now->list[i].file, strlen(now->list[i].file), 0);
		fprintf(out, " of SHA-256 %s, which the report was made without.\n", now->list[i].sha256);
	}
}

static int same_write(const struct analysis *a, const struct report_options *o, FILE *out)
{
	const struct manifest *m = o->expected;
	const struct json_value *wanted = m != NULL ? json_get(m->root, "tables") : NULL;
	struct tables t;
	bool same = wanted != NULL;

	if (m == NULL)
		return 0;
	int err = tables_open(&t, a, o);
	if (err != 0)
		return err;
	for (unsigned i = 0; err == 0 && tables_list[i] != NULL; i++)
		same &= compare(&t, tables_list[i], json_get(wanted, tables_list[i]->name), out, &err);
	tables_close(&t);
	if (err != 0)
		return err;
	const char *version = json_text(json_get(m->root, "version"));
	if (version != NULL && strcmp(version, WMSCOPE_VERSION) != 0) {
		fputs("The report was made by version ", out);
		escape_write(out, version, strlen(version), 0);
		fputs(", this is " WMSCOPE_VERSION ".\n", out);
	}
	compare_plugins(m, &o->plugins, out);
	fputs(same ? "The result is the same.\n" : "The result is not the same.\n", out);
	*o->same = same;
	return ferror(out) ? -EIO : 0;
}

extern const struct report report_same;
const struct report report_same = {
	.name = "same",
	.doc = "whether a repeated run found the same (--from)",
	.write = same_write,
};
