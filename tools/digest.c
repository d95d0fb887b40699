/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "tools/digits.h"

#define READ 65536u

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

#define GATHERED 4096u

/*
 * A sink whose cells go into the hash, each with its kind and length, so that none can run into another.
 * They are a few bytes each: the hash gets them some thousand bytes at a time.
 */
struct hashed {
	struct rows rows; /* first */
	EVP_MD_CTX *ctx;
	size_t n;         /* of buf */
	bool failed;
	char buf[GATHERED];
};

static void flush(struct hashed *h)
{
	if (EVP_DigestUpdate(h->ctx, h->buf, h->n) != 1)
		h->failed = true;
	h->n = 0;
}

static void add(struct hashed *h, const void *data, size_t len)
{
	if (len > GATHERED - h->n)
		flush(h);
	if (len > GATHERED) {
		if (EVP_DigestUpdate(h->ctx, data, len) != 1)
			h->failed = true;
		return;
	}
	if (len != 0)
		memcpy(h->buf + h->n, data, len);
	h->n += len;
}

static void cell(struct rows *r, char kind, const void *data, size_t len)
{
	struct hashed *h = (struct hashed *)(void *)r;
	char digits[DIGITS_MAX];

	if (r->table->columns[r->at].varies)
		return;
	add(h, &kind, 1);
	add(h, digits, (size_t)(digits_put(digits, len) - digits));
	add(h, ":", 1);
	add(h, data, len);
}

static void hash_null(struct rows *r)
{
	cell(r, 'n', "", 0);
}

static void hash_text(struct rows *r, const char *s, size_t len)
{
	cell(r, 't', s, len);
}

static void hash_integer(struct rows *r, uint64_t v)
{
	char digits[DIGITS_MAX];

	cell(r, 'i', digits, (size_t)(digits_put(digits, v) - digits));
}

/* Thousandths: what the last bits of a sum are may depend on the machine. */
static void hash_real(struct rows *r, double v)
{
	char digits[48];
	double thousandths = v * 1000;
	int n = thousandths < 9e18 && thousandths > -9e18
			? snprintf(digits, sizeof(digits), "%lld",
				   (long long)(thousandths + (v < 0 ? -0.5 : 0.5)))
			: snprintf(digits, sizeof(digits), "large");

	cell(r, 'r', digits, (size_t)n);
}

static int hash_end(struct rows *r)
{
	struct hashed *h = (struct hashed *)(void *)r;

	add(h, "\n", 1);
	return h->failed ? -EIO : 0;
}

static const struct rows_ops hash_ops = {.null = hash_null, .text = hash_text,
					 .integer = hash_integer, .real = hash_real,
					 .end = hash_end};

int digest_table(const struct tables *t, const struct table *table, char hex[DIGEST_HEX],
		 uint64_t *rows)
{
	struct hashed h = {.rows = {.ops = &hash_ops}, .ctx = begin()};
	int err = h.ctx != NULL ? rows_write(&h.rows, t, table) : -ENOMEM;

	if (err == 0)
		flush(&h);
	if (err == 0)
		err = h.failed ? -EIO : hex_of(h.ctx, hex);
	*rows = h.rows.n;
	rows_free(&h.rows);
	EVP_MD_CTX_free(h.ctx);
	return err;
}
