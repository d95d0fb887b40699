/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/ja4.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/tls.h"
#include "dataplane/cursor.h"
#include "dataplane/reassembly.h"

#define JA4_HASH_CHARS 12

/* Most 16-bit values that fit into a hello. */
#define VALUES_MAX (REASSEMBLY_LIMIT / 2)

enum { EXT_SERVER_NAME = 0, EXT_ALPN = 16 };

/* Text on its way into a digest. */
struct digest {
	EVP_MD_CTX *ctx;
	bool failed;
};

static void digest_open(struct digest *d, const EVP_MD *md)
{
	d->ctx = EVP_MD_CTX_new();
	d->failed = d->ctx == NULL || EVP_DigestInit_ex(d->ctx, md, NULL) != 1;
}

static void digest_text(struct digest *d, const char *text)
{
	if (!d->failed)
		d->failed = EVP_DigestUpdate(d->ctx, text, strlen(text)) != 1;
}

/* The first chars hex digits of the digest, or the empty string. */
static void digest_close(struct digest *d, char *out, size_t chars)
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	if (!d->failed)
		d->failed = EVP_DigestFinal_ex(d->ctx, sum, &len) != 1;
	EVP_MD_CTX_free(d->ctx);
	out[0] = '\0';
	for (size_t i = 0; !d->failed && i < chars / 2 && i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

/* Numbers of width bytes, decimal with dashes; GREASE is left out of 16-bit lists. */
static void ja3_list(struct digest *d, const struct tls_bytes *list, unsigned width)
{
	struct cursor c = cursor_of(list->p, list->len);
	const char *sep = "";
	while (cursor_left(&c) >= width) {
		char text[8];
		uint16_t v = width == 2 ? cursor_be16(&c) : cursor_u8(&c);
		if (width == 2 && tls_is_grease(v))
			continue;
		snprintf(text, sizeof(text), "%s%u", sep, v);
		digest_text(d, text);
		sep = "-";
	}
}

static void ja3_extensions(struct digest *d, const struct tls_bytes *list)
{
	struct cursor c = cursor_of(list->p, list->len);
	const char *sep = "";
	while (cursor_left(&c) >= 4) {
		char text[8];
		uint16_t type = cursor_be16(&c);
		cursor_skip(&c, cursor_be16(&c));
		if (tls_is_grease(type))
			continue;
		snprintf(text, sizeof(text), "%s%u", sep, type);
		digest_text(d, text);
		sep = "-";
	}
}

void ja3_compute(const struct ja4_input *in, char out[33])
{
	struct digest d;
	char version[8];
	digest_open(&d, EVP_md5());
	snprintf(version, sizeof(version), "%u,", in->legacy_version);
	digest_text(&d, version);
	ja3_list(&d, &in->ciphers, 2);
	digest_text(&d, ",");
	ja3_extensions(&d, &in->extensions);
	digest_text(&d, ",");
	ja3_list(&d, &in->groups, 2);
	digest_text(&d, ",");
	ja3_list(&d, &in->formats, 1);
	digest_close(&d, out, 32);
}

static int compare_u16(const void *a, const void *b)
{
	uint16_t x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

/* A list without GREASE; returns how many values there are. */
static unsigned ja4_values(const struct tls_bytes *list, uint16_t values[VALUES_MAX])
{
	struct cursor c = cursor_of(list->p, list->len);
	unsigned n = 0;
	while (cursor_left(&c) >= 2 && n < VALUES_MAX) {
		uint16_t v = cursor_be16(&c);
		if (!tls_is_grease(v))
			values[n++] = v;
	}
	return n;
}

/* Extension types without GREASE; *hashed of them, without SNI and ALPN, are put in values. */
static unsigned ja4_extensions(const struct tls_bytes *list, uint16_t values[VALUES_MAX],
			       unsigned *hashed)
{
	struct cursor c = cursor_of(list->p, list->len);
	unsigned n = 0;
	*hashed = 0;
	while (cursor_left(&c) >= 4) {
		uint16_t type = cursor_be16(&c);
		cursor_skip(&c, cursor_be16(&c));
		if (tls_is_grease(type))
			continue;
		n++;
		if (type != EXT_SERVER_NAME && type != EXT_ALPN && *hashed < VALUES_MAX)
			values[(*hashed)++] = type;
	}
	return n;
}

static void ja4_text(struct digest *d, const uint16_t *values, unsigned n, const char *before)
{
	for (unsigned i = 0; i < n; i++) {
		char text[8];
		snprintf(text, sizeof(text), "%s%04x", i == 0 ? before : ",", values[i]);
		digest_text(d, text);
	}
}

static const char *ja4_version(uint16_t version)
{
	switch (version) {
	case 0x0304: return "13";
	case 0x0303: return "12";
	case 0x0302: return "11";
	case 0x0301: return "10";
	case 0x0300: return "s3";
	case 0x0002: return "s2";
	default: return "00";
	}
}

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* First and last character of the first name; of its hex form if either is no letter or digit. */
static void ja4_alpn(const struct tls_bytes *alpn, char out[3])
{
	static const char hex[] = "0123456789abcdef";
	out[0] = out[1] = '0';
	out[2] = '\0';
	if (alpn->len == 0)
		return;
	uint8_t first = alpn->p[0], last = alpn->p[alpn->len - 1];
	bool plain = is_alnum(first) && is_alnum(last);
	out[0] = plain ? (char)first : hex[first >> 4];
	out[1] = plain ? (char)last : hex[last & 15];
}

static unsigned at_most_99(unsigned n)
{
	return n < 99 ? n : 99;
}

void ja4_compute(const struct ja4_input *in, char out[37])
{
	static const char none[] = "000000000000";
	uint16_t values[VALUES_MAX];
	char alpn[3], ciphers[JA4_HASH_CHARS + 1], extensions[JA4_HASH_CHARS + 1];
	struct digest d;
	unsigned n_hashed;

	unsigned n_ciphers = ja4_values(&in->ciphers, values);
	qsort(values, n_ciphers, sizeof(values[0]), compare_u16);
	digest_open(&d, EVP_sha256());
	ja4_text(&d, values, n_ciphers, "");
	digest_close(&d, ciphers, JA4_HASH_CHARS);

	unsigned n_extensions = ja4_extensions(&in->extensions, values, &n_hashed);
	qsort(values, n_hashed, sizeof(values[0]), compare_u16);
	digest_open(&d, EVP_sha256());
	ja4_text(&d, values, n_hashed, "");
	ja4_text(&d, values, ja4_values(&in->sigalgs, values), "_");
	digest_close(&d, extensions, JA4_HASH_CHARS);

	out[0] = '\0';
	if (ciphers[0] == '\0' || extensions[0] == '\0')
		return;
	ja4_alpn(&in->alpn, alpn);
	snprintf(out, 37, "%c%s%c%02u%02u%s_%s_%s", in->quic ? 'q' : 't',
		 ja4_version(in->highest_version), in->has_sni_extension ? 'd' : 'i',
		 at_most_99(n_ciphers), at_most_99(n_extensions), alpn,
		 n_ciphers != 0 ? ciphers : none, n_hashed != 0 ? extensions : none);
}
