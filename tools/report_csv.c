/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The tables as files: one walk through each of them writes its CSV, its rows in SQLite, and the hash
 * that the manifest tells.
 */

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "tools/digest.h"
#include "tools/folder.h"
#include "tools/row_relay.h"
#include "tools/table_sinks.h"

#define DATABASE "wmscope.sqlite"

struct writer {
	const struct tables *tables;
	const char *dir;
	struct rows rows;
	struct csv_sink csv;
	struct sqlite_sink *database; /* NULL: the build has none */
	struct digest_sink digest;
	struct row_relay *relay;      /* to both; NULL: there is no thread to be had */
	struct table_digest *digests; /* NULL: nobody asks */
};

static int rows(struct writer *w, unsigned i, struct row_sink *digest)
{
	struct row_sink *const to[RELAY_SINKS_MAX] = {(struct row_sink *)(void *)w->database, digest};

	if (w->relay == NULL) {
		memcpy(w->rows.sinks + 1, to, sizeof(to));
		return rows_write(&w->rows, w->tables, tables_list[i]);
	}
	row_relay_to(w->relay, to);
	w->rows.sinks[1] = (struct row_sink *)(void *)w->relay;
	int err = rows_write(&w->rows, w->tables, tables_list[i]), late = row_relay_drain(w->relay);
	return err != 0 ? err : late;
}

static int walk(struct writer *w, unsigned i, struct row_sink *digest)
{
	int err = w->database != NULL ? sqlite_sink_begin(w->database, i) : 0;

	if (err == 0)
		err = rows(w, i, digest);
	if (err == 0 && w->database != NULL)
		err = sqlite_sink_end(w->database);
	return err;
}

static int walk_with_digest(struct writer *w, unsigned i)
{
	int err = digest_sink_begin(&w->digest);

	if (err != 0)
		return err;
	err = walk(w, i, &w->digest.sink);
	int end = digest_sink_end(&w->digest, w->digests[i].hex);
	w->digests[i].rows = w->rows.n;
	return err != 0 ? err : end;
}

static int write_table(struct writer *w, unsigned i)
{
	return w->digests != NULL ? walk_with_digest(w, i) : walk(w, i, NULL);
}

static int write_with_csv(struct writer *w, unsigned i)
{
	struct folder_file f;
	char name[64];

	snprintf(name, sizeof(name), "%s.csv", tables_list[i]->name);
	int err = folder_file_open(&f, w->dir, name);
	if (err != 0)
		return err;
	csv_sink_begin(&w->csv, tables_list[i], f.out);
	w->rows.sinks[0] = &w->csv.sink;
	err = folder_file_close(&f, write_table(w, i));
	w->rows.sinks[0] = NULL;
	return err;
}

static int write_all(struct writer *w)
{
	int err = 0;

	for (unsigned i = 0; err == 0 && i < TABLES_N; i++)
		err = tables_list[i]->file ? write_with_csv(w, i) : write_table(w, i);
	return err;
}

static int write_with_database(struct writer *w)
{
	struct folder_file f;
	int err = folder_file_open(&f, w->dir, DATABASE);

	if (err != 0)
		return err;
	err = sqlite_sink_open(&w->database, f.part);
	if (err == 0)
		err = sqlite_sink_close(w->database, write_all(w));
	return folder_file_close(&f, err);
}

static int tables_write(const struct analysis *a, const struct report_options *o, const char *dir)
{
	struct tables t;
	struct writer w = {.tables = &t, .dir = dir};
	int err = tables_open(&t, a, o);

	if (err != 0)
		return err;
	if (o->table_digests != NULL)
		w.digests = o->table_digests->of;
	(void)row_relay_open(&w.relay);
	err = HAVE_SQLITE ? write_with_database(&w) : write_all(&w);
	if (o->table_digests != NULL)
		o->table_digests->made = err == 0;
	row_relay_close(w.relay);
	rows_free(&w.rows);
	csv_sink_free(&w.csv);
	tables_close(&t);
	return err;
}

extern const struct report report_csv;
const struct report report_csv = {
	.name = "csv",
	.doc = "tables for a data frame: flows, findings, dns and tls, in a folder",
	.write_folder = tables_write,
};
