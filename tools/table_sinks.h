/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What becomes of the rows of tables (tools/tables.h): CSV, SQLite. Their hash is in tools/digest.h. */

#include <stdio.h>

#include "tools/tables.h"

struct csv_sink {
	struct row_sink sink; /* first */
	FILE *out;
	struct row_text line;
};

/* One table: its header row. csv is zero, or had another table before; out is the caller's. */
void csv_sink_begin(struct csv_sink *csv, const struct table *table, FILE *out);
void csv_sink_free(struct csv_sink *csv);

struct sqlite_sink; /* begins with its struct row_sink */

/* Makes the database that tools/schema.sql describes, without rows, in the empty file there. 0 or -errno. */
int sqlite_sink_open(struct sqlite_sink **out, const char *path);
/* The rows of that one of tables_list follow, until the end. 0 or -errno. */
int sqlite_sink_begin(struct sqlite_sink *s, unsigned table);
int sqlite_sink_end(struct sqlite_sink *s);
/* err: of the rows; 0 or the first error. */
int sqlite_sink_close(struct sqlite_sink *s, int err);
