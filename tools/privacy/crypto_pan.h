/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Crypto-PAn: Fan, Xu, Ammar, Moon, "Prefix-preserving IP address anonymization: measurement-based
 * security evaluation and a new cryptography-based scheme", Computer Networks 46 (2004), section 4.
 * Bit i of an address is flipped by a pseudo-random function of the i bits before it, so two
 * addresses share as many leading bits afterwards as before. One thread for each handle.
 */

#include <stdint.h>

#define CRYPTO_PAN_KEY	32  /* bytes: AES-128's key, then what the padding is made from */
#define CRYPTO_PAN_BITS 128 /* of the longest address */

struct crypto_pan;
int crypto_pan_new(struct crypto_pan **out, const uint8_t key[CRYPTO_PAN_KEY]); /* 0 or -errno */
void crypto_pan_free(struct crypto_pan *c); /* NULL is fine; forgets the key */

/*
 * Which bits of the address to flip: address ^ flips is what the reference implementation prints.
 * bits: 32 or 128, of both. 0, or -EIO if the cipher fails.
 */
int crypto_pan_flips(struct crypto_pan *c, const uint8_t *address, unsigned bits, uint8_t *flips);

/* The same key's cipher over one block of 16 bytes, for what is not an address. 0 or -EIO. */
int crypto_pan_block(struct crypto_pan *c, const uint8_t in[16], uint8_t out[16]);
