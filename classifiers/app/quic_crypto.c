/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/quic_crypto.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SALT = 20, HASH = 32, BLOCK = 64, SAMPLE = 16, TAG = 16, IV = 12, LABEL_MAX = 32 };

struct quic_crypto {
	EVP_MD_CTX *hash;
	EVP_CIPHER_CTX *ecb, *gcm;
	uint8_t plain[QUIC_PLAIN_MAX];
};

/* Algorithms are named once: libcrypto 3 looks for a provider each time they are. */
int quic_crypto_new(struct quic_crypto **out)
{
	int err = -ENOMEM;
	struct quic_crypto *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err;
	c->hash = EVP_MD_CTX_new();
	c->ecb = EVP_CIPHER_CTX_new();
	c->gcm = EVP_CIPHER_CTX_new();
	if (c->hash == NULL || c->ecb == NULL || c->gcm == NULL)
		goto out;
	err = -ENOTSUP;
	if (EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL) != 1 ||
	    EVP_EncryptInit_ex(c->ecb, EVP_aes_128_ecb(), NULL, NULL, NULL) != 1 ||
	    EVP_DecryptInit_ex(c->gcm, EVP_aes_128_gcm(), NULL, NULL, NULL) != 1)
		goto out;
	*out = c;
	return 0;
out:
	quic_crypto_free(c);
	return err;
}

void quic_crypto_free(struct quic_crypto *c)
{
	if (c == NULL)
		return;
	EVP_MD_CTX_free(c->hash);
	EVP_CIPHER_CTX_free(c->ecb);
	EVP_CIPHER_CTX_free(c->gcm);
	free(c);
}

/* One of HMAC's two hashes (RFC 2104): of the key, padded and masked, and the text. */
static bool keyed_hash(struct quic_crypto *c, const uint8_t *key, size_t key_len, uint8_t mask,
		       const uint8_t *text, size_t len, uint8_t out[HASH])
{
	uint8_t pad[BLOCK];
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] = (i < key_len ? key[i] : 0) ^ mask;
	return EVP_DigestInit_ex(c->hash, NULL, NULL) == 1 &&
	       EVP_DigestUpdate(c->hash, pad, BLOCK) == 1 &&
	       EVP_DigestUpdate(c->hash, text, len) == 1 &&
	       EVP_DigestFinal_ex(c->hash, out, NULL) == 1;
}

/* HMAC-SHA256 with a key of at most a block. libcrypto's own makes a context each time. */
static bool hmac(struct quic_crypto *c, const uint8_t *key, size_t key_len, const uint8_t *text,
		 size_t len, uint8_t out[HASH])
{
	uint8_t inner[HASH];
	return keyed_hash(c, key, key_len, 0x36, text, len, inner) &&
	       keyed_hash(c, key, key_len, 0x5c, inner, sizeof(inner), out);
}

/* HKDF-Expand-Label of RFC 8446 section 7.1 without context, for at most one hash of output. */
static bool expand_label(struct quic_crypto *c, const uint8_t secret[HASH], const char *prefix,
			 const char *label, uint8_t *out, size_t len)
{
	uint8_t info[2 + 1 + LABEL_MAX + 1 + 1], block[HASH];
	char full[LABEL_MAX];
	int n = snprintf(full, sizeof(full), "tls13 %s%s", prefix, label);
	size_t at = 0;
	info[at++] = 0;
	info[at++] = (uint8_t)len;
	info[at++] = (uint8_t)n;
	memcpy(info + at, full, (size_t)n);
	at += (size_t)n;
	info[at++] = 0; /* no context */
	info[at++] = 1; /* first block, RFC 5869 section 2.3 */
	if (!hmac(c, secret, HASH, info, at, block))
		return false;
	memcpy(out, block, len);
	return true;
}

int quic_keys_derive(struct quic_crypto *c, uint32_t version, const struct quic_cid *dcid,
		     enum dir dir, struct quic_keys *out)
{
	const struct quic_version *v = quic_version_find(version);
	uint8_t initial[HASH], secret[HASH];
	if (v == NULL)
		return -ENOTSUP;
	const char *side = dir == DIR_C2S ? "client in" : "server in";
	const char *prefix = v->v2 ? "quicv2 " : "quic ";
	bool ok = hmac(c, (const uint8_t *)v->salt, SALT, dcid->b, dcid->len, initial) &&
		  expand_label(c, initial, "", side, secret, sizeof(secret)) &&
		  expand_label(c, secret, prefix, "key", out->key, sizeof(out->key)) &&
		  expand_label(c, secret, prefix, "iv", out->iv, sizeof(out->iv)) &&
		  expand_label(c, secret, prefix, "hp", out->hp, sizeof(out->hp));
	return ok ? 0 : -EIO;
}

/* RFC 9001 section 5.4.3. */
static bool header_mask(struct quic_crypto *c, const uint8_t hp[16], const uint8_t *sample,
			uint8_t mask[SAMPLE])
{
	int n = 0;
	return EVP_EncryptInit_ex(c->ecb, NULL, NULL, hp, NULL) == 1 &&
	       EVP_CIPHER_CTX_set_padding(c->ecb, 0) == 1 &&
	       EVP_EncryptUpdate(c->ecb, mask, &n, sample, SAMPLE) == 1 && n == SAMPLE;
}

const uint8_t *quic_initial_open(struct quic_crypto *c, const struct quic_keys *k,
				 const struct quic_packet *p, size_t *len)
{
	uint8_t mask[SAMPLE], number[4], nonce[IV], tag[TAG];
	int n = 0;
	if (p->kind != QUIC_INITIAL || p->cut || p->len - p->pn_offset < 4 + SAMPLE ||
	    !header_mask(c, k->hp, p->data + p->pn_offset + 4, mask))
		return NULL;
	uint8_t first = p->data[0] ^ (mask[0] & 0x0f);
	size_t n_number = (first & 3u) + 1;
	size_t header = p->pn_offset + n_number;
	memcpy(nonce, k->iv, IV);
	/* Nothing was acknowledged yet: numbers are sent in full (RFC 9000 section 17.1). */
	for (size_t i = 0; i < n_number; i++) {
		number[i] = p->data[p->pn_offset + i] ^ mask[1 + i];
		nonce[IV - n_number + i] ^= number[i];
	}
	size_t sealed = p->len - header;
	if (sealed < TAG || sealed - TAG > QUIC_PLAIN_MAX)
		return NULL;
	*len = sealed - TAG;
	memcpy(tag, p->data + header + *len, TAG);
	/* The header as it was before its protection is what is authenticated. */
	bool ok = EVP_DecryptInit_ex(c->gcm, NULL, NULL, k->key, nonce) == 1 &&
		  EVP_DecryptUpdate(c->gcm, NULL, &n, &first, 1) == 1 &&
		  EVP_DecryptUpdate(c->gcm, NULL, &n, p->data + 1, (int)p->pn_offset - 1) == 1 &&
		  EVP_DecryptUpdate(c->gcm, NULL, &n, number, (int)n_number) == 1 &&
		  EVP_DecryptUpdate(c->gcm, c->plain, &n, p->data + header, (int)*len) == 1 &&
		  EVP_CIPHER_CTX_ctrl(c->gcm, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
		  EVP_DecryptFinal_ex(c->gcm, c->plain + n, &n) == 1;
	return ok ? c->plain : NULL;
}
