/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Rows as a SQLite database: SQLite makes the tables and views of tools/schema.sql, and their rows are
 * put below them page by page (tools/sqlite_pages.h).
 */

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log.h"
#include "tools/sqlite_pages.h"
#include "tools/table_sinks.h"

extern const char schema_sql[]; /* made from tools/schema.sql */

struct sqlite_sink {
	struct row_sink sink; /* first */
	struct sqlite_pages *pages;
	uint32_t roots[TABLES_N]; /* of tables_list */
	struct row_text record;
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
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return -EACCES;
	}
	return -EIO;
}

/* The kinds of values in a record, section 2.1 of the file format: its serial types. */
enum { SERIAL_NULL = 0, SERIAL_REAL = 7, SERIAL_ZERO = 8, SERIAL_TEXT = 13 };

/* Serial types of integers, and what each takes: as few bytes as hold it with a sign. */
static unsigned integer_bytes(uint64_t v, unsigned *serial)
{
	static const unsigned char bytes[] = {1, 2, 3, 4, 6, 8};
	unsigned i = 0;

	if (v <= 1) {
		*serial = SERIAL_ZERO + (unsigned)v;
		return 0;
	}
	while (i < 5 && v >> (8 * bytes[i] - 1) != 0)
		i++;
	*serial = i + 1;
	return bytes[i];
}

static uint8_t *put_big_endian(uint8_t *at, uint64_t v, unsigned n)
{
	for (unsigned i = n; i > 0; i--, v >>= 8)
		at[i - 1] = (uint8_t)v;
	return at + n;
}

static uint8_t *put_value(uint8_t *at, const struct rows *r, const struct cell *c, uint64_t *serial)
{
	unsigned kind;
	uint64_t bits;

	switch (c->kind) {
	case CELL_NULL:
		break;
	case CELL_TEXT:
		*serial = SERIAL_TEXT + 2 * (uint64_t)c->len;
		if (c->len != 0)
			memcpy(at, r->text.data + c->at, c->len);
		return at + c->len;
	case CELL_INTEGER:
		at = put_big_endian(at, c->integer, integer_bytes(c->integer, &kind));
		*serial = kind;
		return at;
	case CELL_REAL:
		memcpy(&bits, &c->real, sizeof(bits)); /* IEEE 754, as everywhere */
		*serial = SERIAL_REAL;
		return put_big_endian(at, bits, sizeof(bits));
	}
	*serial = SERIAL_NULL;
	return at;
}

static bool fits(const struct rows *r, unsigned i)
{
	static const int kind_of[] = {[COLUMN_TEXT] = CELL_TEXT, [COLUMN_INTEGER] = CELL_INTEGER,
				      [COLUMN_REAL] = CELL_REAL};
	int kind = (int)r->cells[i].kind;

	return kind == CELL_NULL || kind == kind_of[r->table->columns[i].type];
}

/* Two bytes say how long the types are: they are longer than 127 only in few rows, but never by a third. */
#define SIZE_BYTES 2

/* A number of two bytes, also where one would do [1.6 allows it]. */
static void put_size(uint8_t *at, size_t v)
{
	at[0] = (uint8_t)(0x80 | v >> 7);
	at[1] = (uint8_t)(v & 0x7f);
}

static int sqlite_row(struct row_sink *sink, const struct rows *r)
{
	struct sqlite_sink *s = (struct sqlite_sink *)(void *)sink;
	uint8_t types[TABLE_COLUMNS_MAX * SQLITE_VARINT_MAX], *type = types;
	/* Values lie behind the most that types may take; these are moved up to them. */
	size_t most = SIZE_BYTES + sizeof(types);
	bool numbered = r->table->numbered;

	s->record.len = 0;
	if (row_text_room(&s->record, most + r->text.len + 8 * (size_t)r->at) != 0)
		return -ENOMEM;
	uint8_t *values = (uint8_t *)s->record.data + most, *at = values;
	for (unsigned i = 0; i < r->at; i++) {
		uint64_t serial = SERIAL_NULL;
		if (!fits(r, i))
			return -EPROTO;
		/* Its number is the row's own, and null in the record. */
		if (i != 0 || !numbered)
			at = put_value(at, r, &r->cells[i], &serial);
		type = sqlite_varint(type, serial);
	}
	size_t n = (size_t)(type - types);
	uint8_t *begin = values - n - SIZE_BYTES;
	put_size(begin, n + SIZE_BYTES);
	memcpy(begin + SIZE_BYTES, types, n);
	return sqlite_pages_add(s->pages, numbered ? (int64_t)r->cells[0].integer : (int64_t)r->n + 1,
				begin, (size_t)(at - begin));
}

static int execute(sqlite3 *db, const char *sql)
{
	return errno_of(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* sqlite3_exec() gives rows as text. */
static int take_root(void *user, int n, char **values, char **names)
{
	struct sqlite_sink *s = user;

	(void)n;
	(void)names;
	for (unsigned i = 0; i < TABLES_N; i++)
		if (strcmp(tables_list[i]->name, values[0]) == 0)
			s->roots[i] = (uint32_t)strtoul(values[1], NULL, 10);
	return 0;
}

/* What the pages are to be like, whatever this SQLite was built with; and the file is nobody else's. */
#define PREPARE "PRAGMA page_size = 4096; PRAGMA auto_vacuum = NONE; PRAGMA encoding = 'UTF-8';" \
		"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"
_Static_assert(SQLITE_PAGE == 4096, "PREPARE says so");
#define ROOTS "SELECT name, rootpage FROM sqlite_master WHERE type = 'table'"

static int make_schema(struct sqlite_sink *s, const char *path)
{
	sqlite3 *db = NULL;
	int err = errno_of(sqlite3_open_v2(
		path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));

	if (err == 0)
		err = execute(db, PREPARE);
	if (err == 0)
		err = execute(db, schema_sql);
	if (err == 0)
		err = execute(db, "COMMIT");
	if (err == 0)
		err = errno_of(sqlite3_exec(db, ROOTS, take_root, s, NULL));
	if (err != 0 && db != NULL && sqlite3_errcode(db) != SQLITE_OK)
		log_error(NULL, "SQLite: %s", sqlite3_errmsg(db));
	if (sqlite3_close(db) != SQLITE_OK && err == 0)
		err = -EIO;
	return err;
}

int sqlite_sink_open(struct sqlite_sink **out, const char *path)
{
	struct sqlite_sink *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->sink.row = sqlite_row;
	int err = make_schema(s, path);
	if (err == 0)
		err = sqlite_pages_open(&s->pages, path);
	if (err != 0) {
		free(s);
		return err;
	}
	*out = s;
	return 0;
}

int sqlite_sink_begin(struct sqlite_sink *s, unsigned table)
{
	/* Page 1 is the schema's. */
	if (s->roots[table] < 2)
		return -EPROTO;
	sqlite_pages_begin(s->pages, s->roots[table]);
	return 0;
}

int sqlite_sink_end(struct sqlite_sink *s)
{
	return sqlite_pages_end(s->pages);
}

int sqlite_sink_close(struct sqlite_sink *s, int err)
{
	int closed = sqlite_pages_close(s->pages);

	free(s->record.data);
	free(s);
	return err != 0 ? err : closed;
}
