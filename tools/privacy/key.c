/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/privacy/key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_DIGITS (2 * CRYPTO_PAN_KEY)
#define FILE_MAX   (HEX_DIGITS + 2)

static int digit(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static int parse(const uint8_t *p, size_t n, uint8_t key[CRYPTO_PAN_KEY])
{
	if (n == CRYPTO_PAN_KEY) {
		memcpy(key, p, n);
		return 0;
	}
	while (n > HEX_DIGITS && (p[n - 1] == '\n' || p[n - 1] == '\r'))
		n--;
	if (n != HEX_DIGITS)
		return -EINVAL;
	for (size_t i = 0; i < CRYPTO_PAN_KEY; i++) {
		int high = digit(p[2 * i]), low = digit(p[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int read_all(int fd, uint8_t *p, size_t room, size_t *n)
{
	for (*n = 0; *n < room;) {
		ssize_t got = read(fd, p + *n, room - *n);
		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == 0)
			break;
		*n += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

int privacy_key_read(const char *path, uint8_t key[CRYPTO_PAN_KEY], char *why, size_t len)
{
	uint8_t text[FILE_MAX + 1];
	const char *reason = NULL;
	struct stat st;
	size_t n = 0;
	int err = 0;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		err = -errno;
	} else if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0) {
		err = -EACCES;
		reason = "others than its owner may read or write this key (chmod 600)";
	} else {
		err = read_all(fd, text, sizeof(text), &n);
	}
	if (err == 0) {
		err = parse(text, n, key);
		reason = "a key is 32 bytes, or 64 hexadecimal digits";
	}
	if (err != 0)
		snprintf(why, len, "%s: %s", path, reason != NULL ? reason : strerror(-err));
	OPENSSL_cleanse(text, sizeof(text));
	if (fd >= 0)
		close(fd);
	return err;
}

int privacy_key_random(uint8_t key[CRYPTO_PAN_KEY])
{
	for (size_t n = 0; n < CRYPTO_PAN_KEY;) {
		ssize_t got = getrandom(key + n, CRYPTO_PAN_KEY - n, 0);
		if (got < 0 && errno != EINTR)
			return -errno;
		n += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

void privacy_key_forget(uint8_t key[CRYPTO_PAN_KEY])
{
	OPENSSL_cleanse(key, CRYPTO_PAN_KEY);
}
