/* SPDX-License-Identifier: BSD-3-Clause */

/* The tables as a SQLite database. tools/schema.sql makes and describes them, and the views. */

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log.h"
#include "tools/tables.h"

extern const char schema_sql[]; /* made from tools/schema.sql */

struct database {
	struct rows rows; /* first */
	sqlite3 *db;
	sqlite3_stmt *insert;
	int status; /* of the first cell of a row that SQLite refused */
	char *texts;  /* of the row, until it is whole: SQLite would allocate for each by itself */
	size_t n_texts, room_texts;
};

static int errno_of(int status)
{
	switch (status & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_TOOBIG:
		return -EFBIG;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return -EACCES;
	}
	return -EIO;
}

static struct database *of(struct rows *r)
{
	return (struct database *)(void *)r;
}

static int place(const struct rows *r)
{
	return (int)r->at + 1;
}

static void keep(struct database *d, int status)
{
	if (d->status == SQLITE_OK)
		d->status = status;
}

static void sql_null(struct rows *r)
{
	keep(of(r), sqlite3_bind_null(of(r)->insert, place(r)));
}

/* Texts that are bound stay where they are: what does not fit beside them is SQLite's to copy. */
static void sql_text(struct rows *r, const char *s, size_t len)
{
	struct database *d = of(r);
	bool fits = len <= d->room_texts - d->n_texts;

	if (fits && len != 0)
		s = memcpy(d->texts + d->n_texts, s, len);
	d->n_texts += fits ? len : 0;
	keep(d, sqlite3_bind_text64(d->insert, place(r), len != 0 ? s : "", len,
				    fits ? SQLITE_STATIC : SQLITE_TRANSIENT, SQLITE_UTF8));
}

static void sql_integer(struct rows *r, uint64_t v)
{
	keep(of(r), sqlite3_bind_int64(of(r)->insert, place(r), (sqlite3_int64)v));
}

static void sql_real(struct rows *r, double v)
{
	keep(of(r), sqlite3_bind_double(of(r)->insert, place(r), v));
}

static int sql_end(struct rows *r)
{
	struct database *d = of(r);

	if (d->status == SQLITE_OK)
		keep(d, sqlite3_step(d->insert) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(d->db));
	sqlite3_reset(d->insert);
	d->n_texts = 0;
	return errno_of(d->status);
}

static const struct rows_ops sql_ops = {.null = sql_null, .text = sql_text,
					.integer = sql_integer, .real = sql_real,
					.end = sql_end};

/* "INSERT INTO flows (timestamp, …) VALUES (?, …)" */
static char *insert_of(const struct table *table)
{
	char *sql = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&sql, &len);

	if (out == NULL)
		return NULL;
	fprintf(out, "INSERT INTO %s (", table->name);
	for (unsigned i = 0; i < table->n_columns; i++)
		fprintf(out, "%s\"%s\"", i != 0 ? ", " : "", table->columns[i].name);
	fputs(") VALUES (", out);
	for (unsigned i = 0; i < table->n_columns; i++)
		fputs(i != 0 ? ", ?" : "?", out);
	putc(')', out);
	if (fclose(out) != 0) {
		free(sql);
		return NULL;
	}
	return sql;
}

#define ROW_TEXTS 65536u

static int write_table(sqlite3 *db, const struct tables *t, const struct table *table)
{
	struct database d = {.rows = {.ops = &sql_ops}, .db = db};
	char *sql = insert_of(table);

	d.texts = malloc(ROW_TEXTS);
	if (sql == NULL || d.texts == NULL) {
		free(sql);
		free(d.texts);
		return -ENOMEM;
	}
	d.room_texts = ROW_TEXTS;
	int err = errno_of(sqlite3_prepare_v2(db, sql, -1, &d.insert, NULL));
	if (err == 0)
		err = rows_write(&d.rows, t, table);
	sqlite3_finalize(d.insert);
	rows_free(&d.rows);
	free(d.texts);
	free(sql);
	return err;
}

static int execute(sqlite3 *db, const char *sql)
{
	return errno_of(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* The file is new and nobody else's: what is written once needs no journal. */
#define PREPARE "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"

static int sqlite_write(const struct analysis *a, const struct report_options *o, const char *path)
{
	struct tables t;
	sqlite3 *db = NULL;
	int err = tables_open(&t, a, o);

	if (err != 0)
		return err;
	/* Counting what it allocates takes a lock each time; refused if it was used before, which is fine. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	err = errno_of(sqlite3_open_v2(
		path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
	if (err == 0)
		err = execute(db, PREPARE);
	if (err == 0)
		err = execute(db, schema_sql);
	for (unsigned i = 0; err == 0 && tables_list[i] != NULL; i++)
		err = write_table(db, &t, tables_list[i]);
	if (err == 0)
		err = execute(db, "COMMIT");
	if (err != 0 && db != NULL && sqlite3_errcode(db) != SQLITE_OK)
		log_error(NULL, "SQLite: %s", sqlite3_errmsg(db));
	if (sqlite3_close(db) != SQLITE_OK && err == 0)
		err = -EIO;
	tables_close(&t);
	return err;
}

extern const struct report report_sqlite;
const struct report report_sqlite = {
	.name = "sqlite",
	.doc = "a SQLite database with the tables of the CSV report, more, and views",
	.write_path = sqlite_write,
};
