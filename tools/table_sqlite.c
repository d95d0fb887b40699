/* SPDX-License-Identifier: BSD-3-Clause */

/* Rows as a SQLite database. tools/schema.sql makes and describes its tables, and the views. */

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log.h"
#include "tools/table_sinks.h"

extern const char schema_sql[]; /* made from tools/schema.sql */

struct sqlite_sink {
	struct row_sink sink; /* first */
	sqlite3 *db;
	sqlite3_stmt *insert; /* of the table that was begun */
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

static int bind(sqlite3_stmt *insert, int place, const struct row *r, const struct cell *c)
{
	switch (c->kind) {
	case CELL_NULL:
		break;
	case CELL_TEXT:
		/* The row's text stays where it is until the row has been inserted. */
		return sqlite3_bind_text64(insert, place, c->len != 0 ? r->text + c->at : "", c->len,
					   SQLITE_STATIC, SQLITE_UTF8);
	case CELL_INTEGER:
		return sqlite3_bind_int64(insert, place, (sqlite3_int64)c->integer);
	case CELL_REAL:
		return sqlite3_bind_double(insert, place, c->real);
	}
	return sqlite3_bind_null(insert, place);
}

static int sqlite_row(struct row_sink *sink, const struct row *r)
{
	struct sqlite_sink *s = (struct sqlite_sink *)(void *)sink;
	int status = SQLITE_OK;

	for (unsigned i = 0; i < r->table->n_columns && status == SQLITE_OK; i++)
		status = bind(s->insert, (int)i + 1, r, &r->cells[i]);
	if (status == SQLITE_OK)
		status = sqlite3_step(s->insert);
	(void)sqlite3_reset(s->insert); /* says again what step said */
	return errno_of(status);
}

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

static int execute(sqlite3 *db, const char *sql)
{
	return errno_of(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* The file is new and nobody else's: what is written once needs no journal. */
#define PREPARE "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"

int sqlite_sink_open(struct sqlite_sink **out, const char *path)
{
	struct sqlite_sink *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->sink.row = sqlite_row;
	/* Counting what it allocates takes a lock each time; refused if it was used before, which is fine. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	int err = errno_of(sqlite3_open_v2(
		path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
	if (err == 0)
		err = execute(s->db, PREPARE);
	if (err == 0)
		err = execute(s->db, schema_sql);
	if (err == 0)
		*out = s;
	return err == 0 ? 0 : sqlite_sink_close(s, err);
}

int sqlite_sink_begin(struct sqlite_sink *s, unsigned table)
{
	char *sql = insert_of(tables_list[table]);
	int err = sql == NULL ? -ENOMEM
			      : errno_of(sqlite3_prepare_v2(s->db, sql, -1, &s->insert, NULL));

	free(sql);
	return err;
}

int sqlite_sink_end(struct sqlite_sink *s)
{
	sqlite3_finalize(s->insert); /* says again what the last row said */
	s->insert = NULL;
	return 0;
}

int sqlite_sink_close(struct sqlite_sink *s, int err)
{
	sqlite3_finalize(s->insert);
	if (err == 0)
		err = execute(s->db, "COMMIT");
	if (err != 0 && s->db != NULL && sqlite3_errcode(s->db) != SQLITE_OK)
		log_error(NULL, "SQLite: %s", sqlite3_errmsg(s->db));
	if (sqlite3_close(s->db) != SQLITE_OK && err == 0)
		err = -EIO;
	free(s);
	return err;
}
