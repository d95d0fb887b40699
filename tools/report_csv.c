/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Tables as CSV (RFC 4180): a header row, CR LF, UTF-8. A cell without anything in it is null, a string
 * of no length is "". What a spreadsheet might take for a formula is quoted like any text: the bytes
 * stay what they are, so import such columns as text.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tools/folder.h"
#include "tools/tables.h"

struct csv {
	struct rows rows; /* first */
	FILE *out;
};

static FILE *of(struct rows *r)
{
	FILE *out = ((struct csv *)(void *)r)->out;

	if (r->at != 0)
		putc(',', out);
	return out;
}

static void csv_null(struct rows *r)
{
	(void)of(r);
}

static void csv_text(struct rows *r, const char *s, size_t len)
{
	FILE *out = of(r);
	size_t plain = 0;

	while (plain < len && strchr(",\"\r\n;\t", s[plain]) == NULL)
		plain++;
	if (plain == len && len != 0 && strchr(" '=+-@", s[0]) == NULL && s[len - 1] != ' ') {
		fwrite(s, 1, len, out);
		return;
	}
	putc('"', out);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"')
			putc('"', out);
		putc(s[i], out);
	}
	putc('"', out);
}

static void csv_integer(struct rows *r, uint64_t v)
{
	fprintf(of(r), "%" PRIu64, v);
}

/* As the JSON Lines have them: at most three decimals, whatever the locale. */
static void csv_real(struct rows *r, double v)
{
	FILE *out = of(r);
	bool negative = v < 0;
	double size = negative ? -v : v;

	if (size >= 1e15) {
		fprintf(out, "%s%" PRIu64, negative ? "-" : "",
			size < 1e18 ? (uint64_t)size : UINT64_C(1000000000000000000));
		return;
	}
	uint64_t thousandths = (uint64_t)(size * 1000 + 0.5);
	fprintf(out, "%s%" PRIu64 ".%03u", negative && thousandths != 0 ? "-" : "",
		thousandths / 1000, (unsigned)(thousandths % 1000));
}

static int csv_end(struct rows *r)
{
	FILE *out = ((struct csv *)(void *)r)->out;

	fputs("\r\n", out);
	return ferror(out) ? (errno != 0 ? -errno : -EIO) : 0;
}

static const struct rows_ops csv_ops = {.null = csv_null, .text = csv_text,
					.integer = csv_integer, .real = csv_real,
					.end = csv_end};

static int write_table(const struct tables *t, const struct table *table, FILE *out)
{
	struct csv csv = {.rows = {.ops = &csv_ops}, .out = out};

	errno = 0;
	for (unsigned i = 0; i < table->n_columns; i++)
		fprintf(out, "%s%s", i != 0 ? "," : "", table->columns[i].name);
	fputs("\r\n", out);
	int err = rows_write(&csv.rows, t, table);
	rows_free(&csv.rows);
	return err;
}

static int csv_write(const struct analysis *a, const struct report_options *o, const char *dir)
{
	struct tables t;
	int err = tables_open(&t, a, o);

	for (unsigned i = 0; err == 0 && tables_list[i] != NULL; i++) {
		struct folder_file f;
		char name[64];
		if (!tables_list[i]->file)
			continue;
		snprintf(name, sizeof(name), "%s.csv", tables_list[i]->name);
		err = folder_file_open(&f, dir, name);
		if (err == 0)
			err = folder_file_close(&f, write_table(&t, tables_list[i], f.out));
	}
	tables_close(&t);
	return err;
}

extern const struct report report_csv;
const struct report report_csv = {
	.name = "csv",
	.doc = "tables as CSV: flows, findings, dns and tls, in a folder",
	.write_folder = csv_write,
};
