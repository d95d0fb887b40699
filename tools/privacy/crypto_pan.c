/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/privacy/crypto_pan.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 16u

struct crypto_pan {
	EVP_CIPHER_CTX *cipher;
	uint8_t pad[BLOCK];
};

static int encrypt(struct crypto_pan *c, const uint8_t *in, uint8_t *out, unsigned len)
{
	int n = 0;

	if (EVP_EncryptUpdate(c->cipher, out, &n, in, (int)len) != 1 || n != (int)len)
		return -EIO;
	return 0;
}

int crypto_pan_new(struct crypto_pan **out, const uint8_t key[CRYPTO_PAN_KEY])
{
	struct crypto_pan *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->cipher = EVP_CIPHER_CTX_new();
	if (c->cipher == NULL ||
	    EVP_EncryptInit_ex(c->cipher, EVP_aes_128_ecb(), NULL, key, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(c->cipher, 0) != 1 ||
	    encrypt(c, key + BLOCK, c->pad, BLOCK) != 0) {
		crypto_pan_free(c);
		return -EIO;
	}
	*out = c;
	return 0;
}

void crypto_pan_free(struct crypto_pan *c)
{
	if (c == NULL)
		return;
	EVP_CIPHER_CTX_free(c->cipher);
	OPENSSL_cleanse(c, sizeof(*c));
	free(c);
}

/* Block i: the first i bits of the address, then the padding's. */
static void write_block(const struct crypto_pan *c, const uint8_t *address, unsigned i,
			uint8_t out[BLOCK])
{
	memcpy(out, c->pad, BLOCK);
	memcpy(out, address, i / 8);
	if (i % 8 != 0) {
		uint8_t mask = (uint8_t)(0xff << (8 - i % 8));
		out[i / 8] = (uint8_t)((address[i / 8] & mask) | (c->pad[i / 8] & ~mask));
	}
}

int crypto_pan_flips(struct crypto_pan *c, const uint8_t *address, unsigned bits, uint8_t *flips)
{
	uint8_t in[CRYPTO_PAN_BITS * BLOCK], out[CRYPTO_PAN_BITS * BLOCK];

	if (bits > CRYPTO_PAN_BITS)
		return -EINVAL;
	for (unsigned i = 0; i < bits; i++)
		write_block(c, address, i, in + i * BLOCK);
	int err = encrypt(c, in, out, bits * BLOCK);
	memset(flips, 0, bits / 8);
	for (unsigned i = 0; err == 0 && i < bits; i++)
		flips[i / 8] |= (uint8_t)((out[i * BLOCK] & 0x80) >> i % 8);
	OPENSSL_cleanse(in, sizeof(in));
	OPENSSL_cleanse(out, sizeof(out));
	return err;
}

int crypto_pan_block(struct crypto_pan *c, const uint8_t in[16], uint8_t out[16])
{
	return encrypt(c, in, out, BLOCK);
}
