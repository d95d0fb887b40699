/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * QUIC datagrams for tests: sealed with keys that are given, so that the code under test is not its
 * own witness (RFC 9000 section 17.2, RFC 9001 section 5).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "classifiers/app/quic_crypto.h"

#define DATAGRAM_MAX 2048

struct datagram_built {
	uint8_t b[DATAGRAM_MAX];
	size_t n;
};

static inline void put_be(struct datagram_built *d, unsigned n, uint64_t v)
{
	assert_true(d->n + n <= sizeof(d->b));
	for (unsigned i = 0; i < n; i++)
		d->b[d->n++] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static inline void put_raw(struct datagram_built *d, const void *p, size_t n)
{
	assert_true(d->n + n <= sizeof(d->b));
	if (n != 0)
		memcpy(d->b + d->n, p, n);
	d->n += n;
}

/* Always in two bytes, RFC 9000 section 16 allows it. */
static inline void put_varint(struct datagram_built *d, uint64_t v)
{
	assert_true(v < 0x4000);
	put_be(d, 2, 0x4000 | v);
}

static inline void put_cid(struct datagram_built *d, const struct quic_cid *cid)
{
	put_be(d, 1, cid->len);
	put_raw(d, cid->b, cid->len);
}

static inline void put_crypto(struct datagram_built *d, size_t offset, const uint8_t *data, size_t n)
{
	put_be(d, 1, QUIC_CRYPTO);
	put_varint(d, offset);
	put_varint(d, n);
	put_raw(d, data, n);
}

/* An Initial as it is before its protection. */
struct initial {
	uint32_t version;
	struct quic_cid dcid, scid;
	const uint8_t *token;
	size_t token_len;
	uint32_t number;
	unsigned number_len;         /* 1 to 4; 0: 4 */
	size_t pad;                  /* the datagram's size at least; 0 none */
};

static inline void gcm_seal(const struct quic_keys *k, uint32_t number, const uint8_t *header,
			    size_t header_len, const uint8_t *plain, size_t len, uint8_t *out)
{
	uint8_t nonce[12];
	int n = 0;
	memcpy(nonce, k->iv, sizeof(nonce));
	for (unsigned i = 0; i < 4; i++)
		nonce[8 + i] ^= (uint8_t)(number >> 8 * (3 - i));
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	assert_non_null(c);
	assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, k->key, nonce), 1);
	assert_int_equal(EVP_EncryptUpdate(c, NULL, &n, header, (int)header_len), 1);
	assert_int_equal(EVP_EncryptUpdate(c, out, &n, plain, (int)len), 1);
	assert_int_equal(EVP_EncryptFinal_ex(c, out + n, &n), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, out + len), 1);
	EVP_CIPHER_CTX_free(c);
}

static inline void ecb_mask(const struct quic_keys *k, const uint8_t *sample, uint8_t mask[32])
{
	int n = 0;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	assert_non_null(c);
	assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, k->hp, NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(c, mask, &n, sample, 16), 1);
	EVP_CIPHER_CTX_free(c);
}

/* Adds an Initial with these frames to the datagram. */
static inline void put_initial(struct datagram_built *d, const struct initial *i,
			       const struct quic_keys *k, const uint8_t *frames, size_t n_frames)
{
	static uint8_t plain[DATAGRAM_MAX];
	unsigned number_len = i->number_len != 0 ? i->number_len : 4;
	size_t start = d->n;
	unsigned type = i->version == QUIC_V2 ? 1 : 0;
	put_be(d, 1, 0xc0 | type << 4 | (number_len - 1));
	put_be(d, 4, i->version);
	put_cid(d, &i->dcid);
	put_cid(d, &i->scid);
	put_be(d, 1, i->token_len);
	put_raw(d, i->token, i->token_len);
	size_t length_at = d->n;
	put_varint(d, 0);
	size_t number_at = d->n;
	put_be(d, number_len, i->number);
	size_t len = n_frames, header = d->n - start;
	if (i->pad > d->n + len + 16)
		len = i->pad - d->n - 16;
	while (len + number_len < 4)
		len++; /* a sample must fit */
	assert_true(len <= sizeof(plain) && n_frames <= len);
	memset(plain, 0, len);
	memcpy(plain, frames, n_frames);
	uint64_t length = number_len + len + 16;
	d->b[length_at] = (uint8_t)(0x40 | length >> 8);
	d->b[length_at + 1] = (uint8_t)length;
	assert_true(d->n + len + 16 <= sizeof(d->b));
	gcm_seal(k, i->number, d->b + start, header, plain, len, d->b + d->n);
	d->n += len + 16;
	uint8_t mask[32];
	ecb_mask(k, d->b + number_at + 4, mask);
	d->b[start] ^= mask[0] & 0x0f;
	for (unsigned b = 0; b < number_len; b++)
		d->b[number_at + b] ^= mask[1 + b];
}

/* A long header of another type, with an unreadable body. */
static inline void put_long(struct datagram_built *d, unsigned type, uint32_t version,
			    const struct quic_cid *dcid, const struct quic_cid *scid, size_t body)
{
	put_be(d, 1, 0xc0 | type << 4);
	put_be(d, 4, version);
	put_cid(d, dcid);
	put_cid(d, scid);
	put_varint(d, body);
	for (size_t i = 0; i < body; i++)
		put_be(d, 1, 0xa5 ^ i);
}

/* RFC 8446 section 4.1.2: a hello with a name and ALPN h3, padded by `extra` bytes of key share. */
static inline size_t make_quic_hello(uint8_t *out, size_t room, const char *sni, size_t extra)
{
	static struct datagram_built k;
	size_t n = strlen(sni);
	k.n = 0;
	size_t exts = (n != 0 ? n + 9 : 0) + 9 + 7 + 4 + extra;
	put_be(&k, 4, 0x01000000 | (2 + 32 + 1 + 2 + 2 + 2 + 2 + exts));
	put_be(&k, 2, 0x0303);
	for (unsigned i = 0; i < 32; i++)
		put_be(&k, 1, i);
	put_be(&k, 1, 0);
	put_be(&k, 4, 0x00021301);
	put_be(&k, 2, 0x0100);
	put_be(&k, 2, exts);
	if (n != 0) {
		put_be(&k, 4, n + 5);
		put_be(&k, 2, n + 3);
		put_be(&k, 1, 0);
		put_be(&k, 2, n);
		put_raw(&k, sni, n);
	}
	put_be(&k, 8, 0x0010000500030268);
	put_be(&k, 1, '3');
	put_be(&k, 7, 0x002b0003020304);
	put_be(&k, 2, 51);
	put_be(&k, 2, extra);
	for (size_t i = 0; i < extra; i++)
		put_be(&k, 1, i);
	assert_true(k.n <= room);
	memcpy(out, k.b, k.n);
	return k.n;
}
