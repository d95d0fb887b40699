/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/ja4.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "classifiers/app/tls.h"
#include "dataplane/cursor.h"
#include "dataplane/reassembly.h"

#define JA4_HASH_CHARS 12

/* Most 16-bit values that fit into a hello. */
#define VALUES_MAX (REASSEMBLY_LIMIT / 2)

enum { EXT_SERVER_NAME = 0, EXT_ALPN = 16 };

static const char hex_digits[] = "0123456789abcdef";

static pthread_once_t algorithms_once = PTHREAD_ONCE_INIT;
static const EVP_MD *md5, *sha256;

/*
 * EVP_md5() and the like make libcrypto 3 look for a provider at each hash, which takes longer than
 * the hash. An algorithm that is not found now is left to that search, which can say no each time.
 */
static const EVP_MD *fetched(const char *name, const EVP_MD *searched)
{
	const EVP_MD *md = NULL;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	md = EVP_MD_fetch(NULL, name, NULL);
#else
	(void)name;
#endif
	return md != NULL ? md : searched;
}

/* They are kept until the process ends. */
static void fetch_algorithms(void)
{
	md5 = fetched("MD5", EVP_md5());
	sha256 = fetched("SHA256", EVP_sha256());
}

/* Text on its way into a digest. Of most hellos it is one piece; longer ones are passed on. */
struct digest {
	const EVP_MD *md;
	EVP_MD_CTX *ctx; /* NULL until the first piece is full */
	bool failed;
	size_t n;
	char text[512];
};

/*
 * Clients are few and their hellos many: digests of the last texts, so that most cost a comparison.
 * A thread has its own; what they answer does not depend on what is in them.
 */
#define KNOWN 64

struct known_digest {
	const EVP_MD *md; /* NULL: none yet */
	size_t n;
	char text[sizeof(((struct digest *)NULL)->text)];
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned len;
};

static _Thread_local struct known_digest known_digests[KNOWN];

static void digest_open(struct digest *d)
{
	pthread_once(&algorithms_once, fetch_algorithms);
	d->ctx = NULL;
	d->failed = false;
}

static void digest_start(struct digest *d, const EVP_MD *md)
{
	EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
	d->md = md;
	d->n = 0;
}

static void digest_pass_on(struct digest *d)
{
	if (d->ctx == NULL && !d->failed) {
		d->ctx = EVP_MD_CTX_new();
		d->failed = d->ctx == NULL || EVP_DigestInit_ex(d->ctx, d->md, NULL) != 1;
	}
	if (!d->failed)
		d->failed = EVP_DigestUpdate(d->ctx, d->text, d->n) != 1;
	d->n = 0;
}

/* Where the next n characters go; n is far below the size of a piece. */
static char *digest_room(struct digest *d, size_t n)
{
	if (sizeof(d->text) - d->n < n)
		digest_pass_on(d);
	char *room = d->text + d->n;
	d->n += n;
	return room;
}

static void digest_char(struct digest *d, char c)
{
	*digest_room(d, 1) = c;
}

static void digest_decimal(struct digest *d, uint16_t v)
{
	unsigned n = 1 + (v >= 10) + (v >= 100) + (v >= 1000) + (v >= 10000);
	char *text = digest_room(d, n);
	for (unsigned left = v; n > 0; left /= 10)
		text[--n] = (char)('0' + left % 10);
}

static void digest_hex(struct digest *d, uint16_t v)
{
	char *text = digest_room(d, 4);
	text[0] = hex_digits[v >> 12];
	text[1] = hex_digits[v >> 8 & 15];
	text[2] = hex_digits[v >> 4 & 15];
	text[3] = hex_digits[v & 15];
}

/* Of a text that was never passed on; NULL: libcrypto refuses. */
static const struct known_digest *digest_known(const struct digest *d)
{
	struct known_digest *k = &known_digests[XXH3_64bits(d->text, d->n) % KNOWN];
	if (k->md == d->md && k->n == d->n && memcmp(k->text, d->text, d->n) == 0)
		return k;
	k->md = NULL;
	if (EVP_Digest(d->text, d->n, k->sum, &k->len, d->md, NULL) != 1)
		return NULL;
	k->md = d->md;
	k->n = d->n;
	memcpy(k->text, d->text, d->n);
	return k;
}

/* The first chars hex digits of the digest, or the empty string. */
static void digest_finish(struct digest *d, char *out, size_t chars)
{
	uint8_t own[EVP_MAX_MD_SIZE];
	const uint8_t *sum = own;
	unsigned len = 0;
	size_t n = 0;
	if (d->ctx == NULL && !d->failed) {
		const struct known_digest *k = digest_known(d);
		d->failed = k == NULL;
		sum = k != NULL ? k->sum : own;
		len = k != NULL ? k->len : 0;
	} else {
		digest_pass_on(d);
		if (!d->failed)
			d->failed = EVP_DigestFinal_ex(d->ctx, own, &len) != 1;
	}
	for (size_t i = 0; !d->failed && i < chars / 2 && i < len; i++) {
		out[n++] = hex_digits[sum[i] >> 4];
		out[n++] = hex_digits[sum[i] & 15];
	}
	out[n] = '\0';
}

static void digest_close(struct digest *d)
{
	EVP_MD_CTX_free(d->ctx);
}

/* Numbers of width bytes, decimal with dashes; GREASE is left out of 16-bit lists. */
static void ja3_list(struct digest *d, const struct tls_bytes *list, unsigned width)
{
	struct cursor c = cursor_of(list->p, list->len);
	bool first = true;
	while (cursor_left(&c) >= width) {
		uint16_t v = width == 2 ? cursor_be16(&c) : cursor_u8(&c);
		if (width == 2 && tls_is_grease(v))
			continue;
		if (!first)
			digest_char(d, '-');
		digest_decimal(d, v);
		first = false;
	}
}

static void ja3_extensions(struct digest *d, const struct tls_bytes *list)
{
	struct cursor c = cursor_of(list->p, list->len);
	bool first = true;
	while (cursor_left(&c) >= 4) {
		uint16_t type = cursor_be16(&c);
		cursor_skip(&c, cursor_be16(&c));
		if (tls_is_grease(type))
			continue;
		if (!first)
			digest_char(d, '-');
		digest_decimal(d, type);
		first = false;
	}
}

void ja3_compute(const struct ja4_input *in, char out[33])
{
	struct digest d;
	digest_open(&d);
	digest_start(&d, md5);
	digest_decimal(&d, in->legacy_version);
	digest_char(&d, ',');
	ja3_list(&d, &in->ciphers, 2);
	digest_char(&d, ',');
	ja3_extensions(&d, &in->extensions);
	digest_char(&d, ',');
	ja3_list(&d, &in->groups, 2);
	digest_char(&d, ',');
	ja3_list(&d, &in->formats, 1);
	digest_finish(&d, out, 32);
	digest_close(&d);
}

void ja3s_compute(uint16_t legacy_version, uint16_t cipher, struct tls_bytes extensions,
		  char out[33])
{
	struct digest d;
	digest_open(&d);
	digest_start(&d, md5);
	digest_decimal(&d, legacy_version);
	digest_char(&d, ',');
	digest_decimal(&d, cipher);
	digest_char(&d, ',');
	ja3_extensions(&d, &extensions);
	digest_finish(&d, out, 32);
	digest_close(&d);
}

bool digest_sha256(const uint8_t *data, size_t len, uint8_t out[32])
{
	pthread_once(&algorithms_once, fetch_algorithms);
	return EVP_Digest(data, len, out, NULL, sha256, NULL) == 1;
}

static int compare_u16(const void *a, const void *b)
{
	uint16_t x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

/* Lists are short, but a hostile one is not. */
static void sort_values(uint16_t *values, unsigned n)
{
	if (n > 64) {
		qsort(values, n, sizeof(values[0]), compare_u16);
		return;
	}
	for (unsigned i = 1; i < n; i++) {
		uint16_t v = values[i];
		unsigned at = i;
		for (; at > 0 && values[at - 1] > v; at--)
			values[at] = values[at - 1];
		values[at] = v;
	}
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

static void ja4_text(struct digest *d, const uint16_t *values, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			digest_char(d, ',');
		digest_hex(d, values[i]);
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
	case 0xfeff: return "d1";
	case 0xfefd: return "d2";
	case 0xfefc: return "d3";
	default: return "00";
	}
}

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* First and last character of the first name; of its hex form if either is no letter or digit. */
static void ja4_alpn(const struct tls_bytes *alpn, char out[2])
{
	out[0] = out[1] = '0';
	if (alpn->len == 0)
		return;
	uint8_t first = alpn->p[0], last = alpn->p[alpn->len - 1];
	bool plain = is_alnum(first) && is_alnum(last);
	out[0] = plain ? (char)first : hex_digits[first >> 4];
	out[1] = plain ? (char)last : hex_digits[last & 15];
}

/* Two digits; more than 99 is 99. */
static void ja4_count(unsigned n, char out[2])
{
	n = n < 99 ? n : 99;
	out[0] = (char)('0' + n / 10);
	out[1] = (char)('0' + n % 10);
}

void ja4_compute(const struct ja4_input *in, char out[37])
{
	static const char none[] = "000000000000";
	uint16_t values[VALUES_MAX];
	char ciphers[JA4_HASH_CHARS + 1], extensions[JA4_HASH_CHARS + 1];
	struct digest d;
	unsigned n_hashed;
	digest_open(&d);

	unsigned n_ciphers = ja4_values(&in->ciphers, values);
	sort_values(values, n_ciphers);
	digest_start(&d, sha256);
	ja4_text(&d, values, n_ciphers);
	digest_finish(&d, ciphers, JA4_HASH_CHARS);

	unsigned n_extensions = ja4_extensions(&in->extensions, values, &n_hashed);
	sort_values(values, n_hashed);
	digest_start(&d, sha256);
	ja4_text(&d, values, n_hashed);
	unsigned n_sigalgs = ja4_values(&in->sigalgs, values);
	if (n_sigalgs > 0)
		digest_char(&d, '_');
	ja4_text(&d, values, n_sigalgs);
	digest_finish(&d, extensions, JA4_HASH_CHARS);
	digest_close(&d);

	out[0] = '\0';
	if (ciphers[0] == '\0' || extensions[0] == '\0')
		return;
	out[0] = in->quic ? 'q' : in->dtls ? 'd' : 't';
	memcpy(out + 1, ja4_version(in->highest_version), 2);
	out[3] = in->has_sni_extension ? 'd' : 'i';
	ja4_count(n_ciphers, out + 4);
	ja4_count(n_extensions, out + 6);
	ja4_alpn(&in->alpn, out + 8);
	out[10] = '_';
	memcpy(out + 11, n_ciphers != 0 ? ciphers : none, JA4_HASH_CHARS);
	out[23] = '_';
	memcpy(out + 24, n_hashed != 0 ? extensions : none, JA4_HASH_CHARS);
	out[36] = '\0';
}
