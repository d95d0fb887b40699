/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Tables as CSV (RFC 4180): a header row, CR LF, UTF-8. A cell without anything in it is null, a string
 * of no length is "". What a spreadsheet might take for a formula is quoted like any text: the bytes
 * stay what they are, so import such columns as text.
 */

#include <errno.h>
#include <string.h>

#include "tools/digits.h"
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
		putc_unlocked(',', out);
	return out;
}

static void csv_null(struct rows *r)
{
	(void)of(r);
}

/* Text that a reader of CSV takes for what it is without quotes. */
static bool is_plain(const char *s, size_t len)
{
	if (len == 0 || strchr(" '=+-@", s[0]) != NULL || s[len - 1] == ' ')
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] == ',' || s[i] == '"' || s[i] == '\r' || s[i] == '\n' || s[i] == ';' ||
		    s[i] == '\t' || s[i] == '\0')
			return false;
	return true;
}

static void csv_text(struct rows *r, const char *s, size_t len)
{
	FILE *out = of(r);

	if (is_plain(s, len)) {
		fwrite_unlocked(s, 1, len, out);
		return;
	}
	putc_unlocked('"', out);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"')
			putc_unlocked('"', out);
		putc_unlocked(s[i], out);
	}
	putc_unlocked('"', out);
}

static void csv_integer(struct rows *r, uint64_t v)
{
	char digits[DIGITS_MAX];

	fwrite_unlocked(digits, 1, (size_t)(digits_put(digits, v) - digits), of(r));
}

/* As the JSON Lines have them: at most three decimals, whatever the locale. */
static void csv_real(struct rows *r, double v)
{
	char text[1 + DIGITS_MAX + 4], *at = text;
	double size = v < 0 ? -v : v;
	bool whole = size >= 1e15;
	uint64_t thousandths = whole ? 0 : (uint64_t)(size * 1000 + 0.5);

	if (v < 0 && (whole || thousandths != 0))
		*at++ = '-';
	if (whole) {
		at = digits_put(at, size < 1e18 ? (uint64_t)size : UINT64_C(1000000000000000000));
	} else {
		at = digits_put(at, thousandths / 1000);
		*at++ = '.';
		at = digits_pad(at, thousandths % 1000, 3);
	}
	fwrite_unlocked(text, 1, (size_t)(at - text), of(r));
}

static int csv_end(struct rows *r)
{
	FILE *out = ((struct csv *)(void *)r)->out;

	fwrite_unlocked("\r\n", 1, 2, out);
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
