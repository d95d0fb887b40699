/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/audit/requests.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "classifiers/app/quic_crypto.h"

#define QUIC_INITIAL_MIN 1200u /* RFC 9000, section 14.1 */
#define QUIC_TAG	 16u
#define QUIC_NUMBER_LEN	 4u
#define QUIC_SAMPLE	 16u
#define LABEL_MAX	 63u

/* Bytes as they are put; what does not fit makes it none at all. */
struct writer {
	uint8_t *out;
	size_t n, room;
	bool failed;
};

static void put(struct writer *w, unsigned n, uint64_t v)
{
	if (w->failed || w->room - w->n < n) {
		w->failed = true;
		return;
	}
	while (n-- > 0)
		w->out[w->n++] = (uint8_t)(v >> 8 * n);
}

static void put_bytes(struct writer *w, const void *p, size_t n)
{
	if (w->failed || w->room - w->n < n) {
		w->failed = true;
		return;
	}
	if (n > 0)
		memcpy(w->out + w->n, p, n);
	w->n += n;
}

/* A length of size bytes, filled in when what it counts is there. */
static size_t open_length(struct writer *w, unsigned size)
{
	put(w, size, 0);
	return w->n;
}

static void close_length(struct writer *w, size_t from, unsigned size)
{
	size_t len = w->n - from;

	for (unsigned i = 0; i < size && !w->failed; i++)
		w->out[from - size + i] = (uint8_t)(len >> 8 * (size - 1 - i));
}

static size_t written(const struct writer *w)
{
	return w->failed ? 0 : w->n;
}

/* Types of extensions: IANA, TLS ExtensionType Values. */
static void put_extensions(struct writer *w, const char *name, bool quic)
{
	size_t n = strlen(name);

	put(w, 2, 0); /* server_name */
	put(w, 2, n + 5);
	put(w, 2, n + 3);
	put(w, 1, 0);
	put(w, 2, n);
	put_bytes(w, name, n);
	put_bytes(w, "\0\x0a\0\x04\0\x02\0\x1d", 8);		/* supported_groups: x25519 */
	put_bytes(w, "\0\x0d\0\x06\0\x04\x04\x03\x08\x04", 10); /* signature_algorithms */
	if (quic)
		put_bytes(w, "\0\x10\0\x05\0\x03\x02h3", 9); /* ALPN */
	else
		put_bytes(w, "\0\x10\0\x0e\0\x0c\x02h2\x08http/1.1", 18);
	put_bytes(w, "\0\x2b\0\x03\x02\x03\x04", 7);	    /* supported_versions: 1.3 */
	put_bytes(w, "\0\x33\0\x26\0\x24\0\x1d\0\x20", 10); /* key_share: any point will do */
	for (unsigned i = 0; i < 32; i++)
		put(w, 1, 0x40 + i);
	if (quic)
		put_bytes(w, "\0\x39\0\0", 4); /* quic_transport_parameters: all by default */
}

static void put_hello(struct writer *w, const char *name, bool quic)
{
	put(w, 1, 1);
	size_t body = open_length(w, 3);
	put(w, 2, 0x0303);
	for (unsigned i = 0; i < 32; i++)
		put(w, 1, 0x80 + i * 3);
	put(w, 1, quic ? 0 : 32);
	for (unsigned i = 0; i < 32 && !quic; i++)
		put(w, 1, 0x20 + i);
	put_bytes(w, "\0\x06\x13\x01\x13\x02\x13\x03\x01\0", 10); /* suites, no compression */
	size_t extensions = open_length(w, 2);
	put_extensions(w, name, quic);
	close_length(w, extensions, 2);
	close_length(w, body, 3);
}

size_t request_tls(uint8_t *out, size_t room, const char *name)
{
	struct writer w = {.out = out, .room = room, .failed = strlen(name) > REQUEST_NAME_MAX};

	put(&w, 1, 0x16);
	put(&w, 2, 0x0301);
	size_t record = open_length(&w, 2);
	put_hello(&w, name, false);
	close_length(&w, record, 2);
	return written(&w);
}

size_t request_tls_middle(const uint8_t *hello, size_t len, const char *name)
{
	size_t n = strlen(name);
	const uint8_t *at = memmem(hello, len, name, n);

	return at != NULL ? (size_t)(at - hello) + n / 2 : len / 2;
}

size_t request_http(uint8_t *out, size_t room, const char *host, const char *path)
{
	int n = snprintf((char *)out, room,
			 "GET /%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0\r\n"
			 "Accept: */*\r\nConnection: close\r\n\r\n",
			 path, host);

	return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static void put_name(struct writer *w, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");
		w->failed |= n == 0 || n > LABEL_MAX;
		put(w, 1, n);
		put_bytes(w, name, n);
		name += n + (name[n] == '.');
	}
	put(w, 1, 0);
}

size_t request_dns(uint8_t *out, size_t room, const char *name, uint16_t id, int over_tcp)
{
	struct writer w = {.out = out, .room = room};
	size_t len = over_tcp ? open_length(&w, 2) : 0;

	put(&w, 2, id);
	put(&w, 2, 0x0100); /* recursion desired */
	put(&w, 8, UINT64_C(1) << 48);
	put_name(&w, name);
	put(&w, 4, 0x00010001); /* A, IN */
	if (over_tcp)
		close_length(&w, len, 2);
	return written(&w);
}

/* AEAD_AES_128_GCM over the header; number is the packet's. False: libcrypto refuses. */
static bool seal(const struct quic_keys *k, const struct writer *head, const uint8_t *plain,
		 size_t n, uint8_t *out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int got;

	/* Of packet number 0 the nonce is the initialisation vector. */
	bool ok = c != NULL && EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, k->key, k->iv) == 1 &&
		  EVP_EncryptUpdate(c, NULL, &got, head->out, (int)head->n) == 1 &&
		  EVP_EncryptUpdate(c, out, &got, plain, (int)n) == 1 &&
		  EVP_EncryptFinal_ex(c, out + n, &got) == 1 &&
		  EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, QUIC_TAG, out + n) == 1;
	EVP_CIPHER_CTX_free(c);
	return ok;
}

/* RFC 9001, section 5.4: the first byte's low bits and the packet number. */
static bool protect(const struct quic_keys *k, uint8_t *first, uint8_t *number)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t mask[2 * QUIC_SAMPLE];
	int got;

	bool ok = c != NULL && EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, k->hp, NULL) == 1 &&
		  EVP_EncryptUpdate(c, mask, &got, number + 4, QUIC_SAMPLE) == 1;
	if (ok) {
		first[0] ^= mask[0] & 0x0f;
		for (unsigned i = 0; i < QUIC_NUMBER_LEN; i++)
			number[i] ^= mask[1 + i];
	}
	EVP_CIPHER_CTX_free(c);
	return ok;
}

size_t request_quic(uint8_t *out, size_t room, const char *name, uint64_t connection)
{
	uint8_t plain[REQUEST_MAX] = {0};
	struct writer w = {.out = out, .room = room}, f = {.out = plain, .room = sizeof(plain)};
	struct quic_cid dcid = {.len = 8};
	struct quic_crypto *crypto = NULL;
	struct quic_keys keys;
	size_t n = 0;

	for (unsigned i = 0; i < 8; i++)
		dcid.b[i] = (uint8_t)(connection >> 8 * (7 - i));
	put(&w, 1, 0xc0 | (QUIC_NUMBER_LEN - 1));
	put(&w, 4, 1);
	put(&w, 1, dcid.len);
	put_bytes(&w, dcid.b, dcid.len);
	put(&w, 2, 0); /* no source connection ID, no token */
	size_t length = w.n;
	/* To the smallest datagram that servers take; lengths as varints of two bytes. */
	size_t sealed = QUIC_INITIAL_MIN - w.n - 2 - QUIC_NUMBER_LEN - QUIC_TAG;
	put(&w, 2, 0x4000 | (QUIC_NUMBER_LEN + sealed + QUIC_TAG));
	put(&w, QUIC_NUMBER_LEN, 0);
	put(&f, 2, 0x0600); /* CRYPTO at 0 */
	size_t hello = open_length(&f, 2);
	put_hello(&f, name, true);
	close_length(&f, hello, 2);
	if (w.failed || f.failed || f.n > sealed || room < QUIC_INITIAL_MIN ||
	    strlen(name) > REQUEST_NAME_MAX)
		return 0;
	plain[hello - 2] |= 0x40;
	if (quic_crypto_new(&crypto) == 0 &&
	    quic_keys_derive(crypto, 1, &dcid, DIR_C2S, &keys) == 0 &&
	    seal(&keys, &w, plain, sealed, out + w.n) && protect(&keys, out, out + length + 2))
		n = QUIC_INITIAL_MIN;
	quic_crypto_free(crypto);
	return n;
}
