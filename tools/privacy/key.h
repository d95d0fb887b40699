/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The key of pseudonyms: from a file, so that several reports agree, or one that nobody will know.
 */

#include <stddef.h>

#include "tools/privacy/crypto_pan.h"

/*
 * 32 bytes, or 64 hexadecimal digits and perhaps a line end. Who else can read it can undo the
 * pseudonyms, so a file that others may read is refused. 0; -EACCES, -EINVAL or another -errno, and
 * why (of len bytes) says so.
 */
int privacy_key_read(const char *path, uint8_t key[CRYPTO_PAN_KEY], char *why, size_t len);
int privacy_key_random(uint8_t key[CRYPTO_PAN_KEY]); /* 0 or -errno */
void privacy_key_forget(uint8_t key[CRYPTO_PAN_KEY]);
