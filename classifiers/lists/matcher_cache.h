/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Compiled rules on disk, one file a key. It is machine code for a matching engine that trusts it:
 * read only if it is a regular file, no link, owned by us, mode 0600 and its digest right.
 */

#include <stddef.h>
#include <stdint.h>

#define CACHE_KEY_SIZE 32u
#define CACHE_SIZE_MAX (256u << 20)
#define CACHE_FILES_MAX 8u /* of other keys: the oldest are removed when one is written */

/* dir/rules-KEY.hs. malloc'ed content; -ENOENT, -EACCES (not ours alone), -EBADMSG (not intact) … */
int cache_read(const char *dir, const uint8_t key[CACHE_KEY_SIZE], uint8_t **data, size_t *len);
/* Makes the folder if need be, and the file whole or not at all. */
int cache_write(const char *dir, const uint8_t key[CACHE_KEY_SIZE], const uint8_t *data, size_t len);
