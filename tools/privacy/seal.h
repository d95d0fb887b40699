/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A file of blocks that nobody changes unnoticed, and with a key nobody else reads. Bytes:
 *
 *   magic (SEAL_MAGIC), version 1, 0 clear or 1 sealed, 16 random bytes, the check value of the key
 *   blocks: length (4 bytes, little-endian, highest bit: the last block), that many bytes, 16 of a tag
 *
 * Sealed, a block is AES-256-GCM (NIST SP 800-38D) under HMAC-SHA256(seal key, all before the
 * first block), so that each file has a key of its own; the nonce is the block's number and
 * whether it is the last, so that none can be left out, moved or cut off (the STREAM construction:
 * Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO 2015). Clear, the tag is XXH3-128 over number,
 * length and bytes: it shows damage, not intent.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SEAL_KEY   32
#define SEAL_CHECK 8
#define SEAL_BLOCK 65536u
#define SEAL_MAGIC "wmscope testimony\n"

/*
 * Both from a report's key: what seals, and a check value that may be published. Each is
 * HMAC-SHA256 of the key over a fixed text of its own, "wmscope seal 1" and "wmscope check 1" (the
 * first SEAL_CHECK bytes): who has two reports learns that they share a key, and nothing of it.
 */
struct seal_key {
	uint8_t seal[SEAL_KEY], check[SEAL_CHECK];
};
int seal_key_make(struct seal_key *out, const uint8_t *key, size_t len); /* 0 or -EIO */
void seal_key_forget(struct seal_key *k);

struct seal;
/* key NULL: clear. out and in are the caller's. 0 or -errno. */
int seal_new(struct seal **s, FILE *out, const struct seal_key *key);
/*
 * 0; -EBADMSG: no such file, -ENOKEY: it is sealed and key is NULL, -EKEYREJECTED: by another key.
 * A clear file is read with any key.
 */
int seal_open(struct seal **s, FILE *in, const struct seal_key *key);
void seal_free(struct seal *s); /* NULL is fine */

/* A wire_turn_fn for each: of writing the last block goes out with seal_finish(). */
int seal_write(void *seal, uint8_t *block, size_t *n);
int seal_read(void *seal, uint8_t *block, size_t *n);
int seal_finish(struct seal *s); /* 0 or -errno */
