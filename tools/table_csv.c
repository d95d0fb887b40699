/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Rows as CSV (RFC 4180): a header row, CR LF, UTF-8. A cell without anything in it is null, a string
 * of no length is "". What a spreadsheet might take for a formula is quoted like any text: the bytes
 * stay what they are, so import such columns as text.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/digits.h"
#include "tools/table_sinks.h"

/* Text that a reader of CSV takes for what it is without quotes. */
static bool is_plain(const char *s, size_t len)
{
	enum { ANYWHERE = 1, FIRST = 2, LAST = 4 };
	static const unsigned char special[256] = {
		['\0'] = ANYWHERE, ['\t'] = ANYWHERE, ['\n'] = ANYWHERE, ['\r'] = ANYWHERE,
		['"'] = ANYWHERE,  [','] = ANYWHERE,  [';'] = ANYWHERE,  [' '] = FIRST | LAST,
		['\''] = FIRST,	   ['='] = FIRST,     ['+'] = FIRST,	 ['-'] = FIRST,
		['@'] = FIRST,
	};
	const unsigned char *p = (const unsigned char *)s;
	unsigned any = 0;

	if (len == 0 || (special[p[0]] & FIRST) != 0 || (special[p[len - 1]] & LAST) != 0)
		return false;
	for (size_t i = 0; i < len; i++)
		any |= special[p[i]];
	return (any & ANYWHERE) == 0;
}

static char *put_quoted(char *at, const char *s, size_t len)
{
	*at++ = '"';
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"')
			*at++ = '"';
		*at++ = s[i];
	}
	*at++ = '"';
	return at;
}

static char *put_bytes(char *at, const char *s, size_t len)
{
	if (len != 0)
		memcpy(at, s, len);
	return at + len;
}

#define REAL_MAX (1 + DIGITS_MAX + 4)

/* As the JSON Lines have them: at most three decimals, whatever the locale. */
static char *put_real(char *at, double v)
{
	double size = v < 0 ? -v : v;
	bool whole = size >= 1e15;
	uint64_t thousandths = whole ? 0 : (uint64_t)(size * 1000 + 0.5);

	if (v < 0 && (whole || thousandths != 0))
		*at++ = '-';
	if (whole)
		return digits_put(at, size < 1e18 ? (uint64_t)size : UINT64_C(1000000000000000000));
	at = digits_put(at, thousandths / 1000);
	*at++ = '.';
	return digits_pad(at, thousandths % 1000, 3);
}

static char *put_cell(char *at, const struct row *r, const struct cell *c)
{
	if (c->kind == CELL_REAL)
		return put_real(at, c->real);
	if (c->kind == CELL_NULL)
		return at;
	const char *text = r->text + c->at;
	return c->kind == CELL_INTEGER || is_plain(text, c->len) ? put_bytes(at, text, c->len)
								 : put_quoted(at, text, c->len);
}

static int csv_row(struct row_sink *s, const struct row *r)
{
	struct csv_sink *csv = (struct csv_sink *)(void *)s;
	/* All of a text may be quotes. */
	size_t most = 2 * r->text_len + r->table->n_columns * (size_t)(REAL_MAX + 3) + 2;

	csv->line.len = 0;
	if (row_text_room(&csv->line, most) != 0)
		return -ENOMEM;
	char *at = csv->line.data;
	for (unsigned i = 0; i < r->table->n_columns; i++) {
		if (i != 0)
			*at++ = ',';
		at = put_cell(at, r, &r->cells[i]);
	}
	at = put_bytes(at, "\r\n", 2);
	fwrite(csv->line.data, 1, (size_t)(at - csv->line.data), csv->out);
	return ferror(csv->out) ? (errno != 0 ? -errno : -EIO) : 0;
}

void csv_sink_begin(struct csv_sink *csv, const struct table *table, FILE *out)
{
	csv->sink.row = csv_row;
	csv->out = out;
	errno = 0;
	for (unsigned i = 0; i < table->n_columns; i++)
		fprintf(out, "%s%s", i != 0 ? "," : "", table->columns[i].name);
	fputs("\r\n", out);
}

void csv_sink_free(struct csv_sink *csv)
{
	free(csv->line.data);
	csv->line = (struct row_text){.data = NULL};
}
