/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The analysis as tables: the same rows and columns for CSV, for SQLite and for the hashes by which two
 * runs are compared. Columns are called as the keys of the JSON Lines; tools/schema.sql describes
 * them. A table is a writer that says its cells one after another; a row that is whole goes to each of
 * the sinks, so that a number or an address is spelt once for all of them.
 *
 * Text from packets is made harmless as for a terminal (tools/escape.h): a backslash is two, and bytes
 * that are no printable UTF-8 are \xNN or \u{NNNN}.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/attempt.h"
#include "tools/report.h"

enum column_type { COLUMN_TEXT, COLUMN_INTEGER, COLUMN_REAL };

struct column {
	const char *name;
	enum column_type type;
	bool varies; /* with the pseudonym of an address, or with where a file lies: no part of the result */
};

#define TABLE_COLUMNS_MAX 64

struct cell {
	enum { CELL_NULL, CELL_TEXT, CELL_INTEGER, CELL_REAL } kind;
	uint32_t at, len; /* in the row's text: UTF-8 without controls, or the digits of an integer */
	union {
		uint64_t integer; /* below 2^63 */
		double real;      /* a number */
	};
};

struct table;
/* That is whole: a cell for each column of its table. */
struct row {
	const struct table *table;
	const struct cell *cells;
	const char *text;
	size_t text_len;
};

/* Where rows go; what it is begins with this. */
struct row_sink {
	/* The row lasts until it returns. 0 or -errno. */
	int (*row)(struct row_sink *s, const struct row *r);
};

/* Bytes that grow. */
struct row_text {
	char *data;
	size_t len, room;
};
/* Room for that many more; 0 or -ENOMEM. */
int row_text_room(struct row_text *t, size_t more);

#define ROW_SINKS_MAX 3

struct rows {
	const struct table *table;
	struct row_sink *sinks[ROW_SINKS_MAX]; /* those that are not NULL */
	unsigned at;          /* the next cell's column */
	uint64_t n;           /* rows so far */
	int error;            /* the first; later calls do nothing */
	struct row_text text; /* of the row's cells, and of the one in the making */
	size_t begun;         /* where that one begins */
	struct cell cells[TABLE_COLUMNS_MAX];
};

/* What all tables look into; made once a report. */
struct tables {
	const struct analysis *a;
	const struct report_options *o;
	struct tables_try {
		const struct flow_record *flow; /* NULL: a free slot */
		const struct attempt *only;     /* NULL: there are several */
	} *tries;     /* by the address of the flow; at most half full */
	size_t mask;  /* slots less one */
};

struct table {
	const char *name;              /* "flows" */
	bool file;                     /* a .csv of its own; the others are in SQLite only */
	const struct column *columns;
	unsigned n_columns;
	int (*write)(const struct tables *t, struct rows *r); /* 0 or -errno */
};
extern const struct table table_flows, table_findings, table_evidence, table_packets,
	table_finding_flows, table_devices, table_dns, table_tls, table_names;
#define TABLES_N 12
extern const struct table *const tables_list[TABLES_N + 1]; /* NULL at the end; flows, then findings */

int tables_open(struct tables *t, const struct analysis *a, const struct report_options *o);
void tables_close(struct tables *t);
/* Flows whose attempts will be asked for soon: they lie all over the memory. */
void tables_prefetch(const struct tables *t, const struct flow_record *f);
/* The attempt of a flow that has one; NULL: it has none, or several. */
const struct attempt *tables_attempt(const struct tables *t, const struct flow_record *f);

/* The table's rows to each of r->sinks; r->n is how many there were. 0 or -errno. */
int rows_write(struct rows *r, const struct tables *t, const struct table *table);
void rows_free(struct rows *r);

/*
 * For tables. Every cell names its column: one that is not the next is -EPROTO, so that a table and its
 * columns cannot go apart unnoticed.
 */
void row_null(struct rows *r, const char *column);
void row_text(struct rows *r, const char *column, const char *s); /* our words; NULL is null */
void row_bytes(struct rows *r, const char *column, const void *data, size_t len);
void row_uint(struct rows *r, const char *column, uint64_t v);
void row_uint_if(struct rows *r, const char *column, bool known, uint64_t v);
void row_real_if(struct rows *r, const char *column, bool known, double v); /* not a number: null */
void row_time_if(struct rows *r, const char *column, bool known, uint64_t ts_ns);
/* A list in one cell, its members parted by separator; null without any. */
void row_list_begin(struct rows *r);
void row_list_add(struct rows *r, const char *separator, const void *data, size_t len);
void row_list_uint(struct rows *r, uint64_t v); /* parted by a blank */
void row_list_end(struct rows *r, const char *column);
/* False: an error; the table stops. */
bool row_end(struct rows *r);

/* Columns that several tables begin with, and their cells: src_ip, src_port, dest_ip, dest_port, proto. */
#define COLUMNS_ENDS                                                                               \
	{"src_ip", COLUMN_TEXT, true}, {"src_port", COLUMN_INTEGER, false},                        \
		{"dest_ip", COLUMN_TEXT, true}, {"dest_port", COLUMN_INTEGER, false},             \
		{"proto", COLUMN_TEXT, false}
void row_ends(struct rows *r, const struct flow_record *f, bool ports);

/* The failure string of OONI's data format df-007 for what became of an attempt; NULL: none. */
const char *tables_ooni_failure(const struct attempt *a);
/* df-007's failed_operation, of an attempt that failed. */
const char *tables_ooni_operation(const struct attempt *a);
/* The worst finding of one flow alone that is shown; at is where the flow's findings may begin. */
bool tables_shown(const struct report_options *o, const struct finding *f);
