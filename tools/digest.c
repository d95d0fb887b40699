/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/digits.h"

#define READ 65536u
#define GATHERED 16384u /* rows are some hundred bytes each, and cost less together */

static int hex_of(EVP_MD_CTX *ctx, char hex[DIGEST_HEX])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_DigestFinal_ex(ctx, sum, &n) != 1 || n * 2 != DIGEST_HEX - 1)
		return -EIO;
	for (unsigned i = 0; i < n; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", sum[i]);
	return 0;
}

static EVP_MD_CTX *begin(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

int digest_file(const char *path, char hex[DIGEST_HEX], uint64_t *size)
{
	unsigned char buf[READ];
	FILE *in = fopen(path, "rbe");
	size_t n;

	if (in == NULL)
		return -errno;
	EVP_MD_CTX *ctx = begin();
	int err = ctx != NULL ? 0 : -ENOMEM;
	*size = 0;
	while (err == 0 && (n = fread(buf, 1, sizeof(buf), in)) != 0) {
		*size += n;
		err = EVP_DigestUpdate(ctx, buf, n) == 1 ? 0 : -EIO;
	}
	if (err == 0 && ferror(in))
		err = -EIO;
	if (err == 0)
		err = hex_of(ctx, hex);
	EVP_MD_CTX_free(ctx);
	fclose(in);
	return err;
}

static void flush(struct digest_sink *d)
{
	if (EVP_DigestUpdate(d->ctx, d->gathered.data, d->gathered.len) != 1)
		d->failed = true;
	d->gathered.len = 0;
}

/* Thousandths: what the last bits of a sum are may depend on the machine. */
static size_t spell_real(char digits[48], double v)
{
	double thousandths = v * 1000;
	int n = thousandths < 9e18 && thousandths > -9e18
			? snprintf(digits, 48, "%lld", (long long)(thousandths + (v < 0 ? -0.5 : 0.5)))
			: snprintf(digits, 48, "large");

	return (size_t)n;
}

#define CELL_MOST (1 + DIGITS_MAX + 1 + 48) /* of one whose text is not in the row */

/* Each cell with its kind and length, so that none can run into another. */
static char *put_cell(char *at, const struct row *r, const struct cell *c)
{
	static const char kinds[] = {[CELL_NULL] = 'n', [CELL_TEXT] = 't', [CELL_INTEGER] = 'i',
				     [CELL_REAL] = 'r'};
	const char *text = "";
	char real[48];
	size_t len = 0;

	if (c->kind == CELL_REAL) {
		len = spell_real(real, c->real);
		text = real;
	} else if (c->kind != CELL_NULL) {
		len = c->len;
		text = r->text + c->at;
	}
	*at++ = kinds[c->kind];
	at = digits_put(at, len);
	*at++ = ':';
	memcpy(at, text, len);
	return at + len;
}

static int digest_row(struct row_sink *s, const struct row *r)
{
	struct digest_sink *d = (struct digest_sink *)(void *)s;

	if (row_text_room(&d->gathered, r->text_len + r->table->n_columns * (size_t)CELL_MOST + 1) != 0)
		return -ENOMEM;
	char *at = d->gathered.data + d->gathered.len;
	for (unsigned i = 0; i < r->table->n_columns; i++)
		if (!r->table->columns[i].varies)
			at = put_cell(at, r, &r->cells[i]);
	*at++ = '\n';
	d->gathered.len = (size_t)(at - d->gathered.data);
	if (d->gathered.len >= GATHERED)
		flush(d);
	return d->failed ? -EIO : 0;
}

int digest_sink_begin(struct digest_sink *d)
{
	d->sink.row = digest_row;
	d->ctx = begin();
	d->gathered = (struct row_text){.data = NULL};
	d->failed = false;
	return d->ctx != NULL ? 0 : -ENOMEM;
}

int digest_sink_end(struct digest_sink *d, char hex[DIGEST_HEX])
{
	flush(d);
	int err = d->failed ? -EIO : hex_of(d->ctx, hex);
	EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
	free(d->gathered.data);
	return err;
}

int digest_table(const struct tables *t, const struct table *table, char hex[DIGEST_HEX],
		 uint64_t *rows)
{
	struct digest_sink d;
	struct rows r = {.sinks = {&d.sink}};
	int err = digest_sink_begin(&d);

	if (err != 0)
		return err;
	err = rows_write(&r, t, table);
	int end = digest_sink_end(&d, hex);
	*rows = r.n;
	rows_free(&r);
	return err != 0 ? err : end;
}
