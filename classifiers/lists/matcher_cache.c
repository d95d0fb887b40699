/* SPDX-License-Identifier: BSD-3-Clause */
#include "classifiers/lists/matcher_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file: magic, key, content, SHA-256 of all before. */
#define MAGIC "wmscope rules 2\n"
enum { MAGIC_SIZE = sizeof(MAGIC) - 1, HEAD_SIZE = MAGIC_SIZE + CACHE_KEY_SIZE, SUM_SIZE = 32 };

static int file_name(char *out, size_t room, const char *dir, const uint8_t key[CACHE_KEY_SIZE])
{
	/* Half of the key names the file, all of it is inside. */
	int n = snprintf(out, room, "%s/rules-", dir);
	for (unsigned i = 0; i < CACHE_KEY_SIZE / 2 && n > 0 && (size_t)n < room; i++)
		n += snprintf(out + n, room - (size_t)n, "%02x", key[i]);
	if (n > 0 && (size_t)n < room)
		n += snprintf(out + n, room - (size_t)n, ".hs");
	return n > 0 && (size_t)n < room ? 0 : -ENAMETOOLONG;
}

static int read_all(int fd, uint8_t *data, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = read(fd, data + got, len - got);
		if (n == 0)
			return -EBADMSG;
		if (n < 0 && errno != EINTR)
			return -errno;
		got += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, data + done, len - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static bool intact(const uint8_t *file, size_t size, const uint8_t key[CACHE_KEY_SIZE])
{
	uint8_t sum[SUM_SIZE];
	return memcmp(file, MAGIC, MAGIC_SIZE) == 0 &&
	       memcmp(file + MAGIC_SIZE, key, CACHE_KEY_SIZE) == 0 &&
	       EVP_Digest(file, size - SUM_SIZE, sum, NULL, EVP_sha256(), NULL) == 1 &&
	       memcmp(file + size - SUM_SIZE, sum, SUM_SIZE) == 0;
}

int cache_read(const char *dir, const uint8_t key[CACHE_KEY_SIZE], uint8_t **data, size_t *len)
{
	char path[PATH_MAX];
	struct stat st;
	uint8_t *file = NULL;
	int err = file_name(path, sizeof(path), dir, key);
	if (err != 0)
		return err;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = -EACCES;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 07777) != 0600)
		goto out;
	err = -EBADMSG;
	if (st.st_size < HEAD_SIZE + SUM_SIZE || st.st_size > (off_t)CACHE_SIZE_MAX)
		goto out;
	size_t size = (size_t)st.st_size;
	err = -ENOMEM;
	file = malloc(size);
	if (file == NULL)
		goto out;
	err = read_all(fd, file, size);
	if (err == 0 && !intact(file, size, key))
		err = -EBADMSG;
	if (err == 0) {
		*len = size - HEAD_SIZE - SUM_SIZE;
		memmove(file, file + HEAD_SIZE, *len);
		*data = file;
		file = NULL;
	}
out:
	free(file);
	close(fd);
	return err;
}

static int make_folders(const char *dir)
{
	char path[PATH_MAX];
	size_t len = strlen(dir);
	if (len == 0 || len >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, dir, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		char was = path[i];
		path[i] = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return -errno;
		path[i] = was;
	}
	return 0;
}

static bool is_cache_name(const char *name)
{
	size_t n = strlen(name);
	return n == 6 + CACHE_KEY_SIZE + 3 && memcmp(name, "rules-", 6) == 0 &&
	       strcmp(name + n - 3, ".hs") == 0;
}

/* Removes the oldest file while there are too many. */
static void prune(const char *dir)
{
	for (unsigned round = 0; round < 64; round++) {
		char oldest[NAME_MAX + 1] = "";
		struct timespec when = {0};
		unsigned n = 0;
		DIR *d = opendir(dir);
		if (d == NULL)
			return;
		for (struct dirent *e; (e = readdir(d)) != NULL;) {
			struct stat st;
			if (!is_cache_name(e->d_name) ||
			    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
				continue;
			bool older = st.st_mtim.tv_sec < when.tv_sec ||
				     (st.st_mtim.tv_sec == when.tv_sec &&
				      st.st_mtim.tv_nsec < when.tv_nsec);
			if (n++ == 0 || older) {
				when = st.st_mtim;
				memcpy(oldest, e->d_name, strlen(e->d_name) + 1);
			}
		}
		bool over = n > CACHE_FILES_MAX;
		if (over)
			over = unlinkat(dirfd(d), oldest, 0) == 0;
		closedir(d);
		if (!over)
			return;
	}
}

int cache_write(const char *dir, const uint8_t key[CACHE_KEY_SIZE], const uint8_t *data, size_t len)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	uint8_t sum[SUM_SIZE];
	EVP_MD_CTX *c = NULL;
	int fd = -1;
	int err = file_name(path, sizeof(path), dir, key);
	if (err == 0 && len > CACHE_SIZE_MAX - HEAD_SIZE - SUM_SIZE)
		err = -EFBIG;
	if (err == 0)
		err = make_folders(dir);
	int n = err == 0 ? snprintf(temporary, sizeof(temporary), "%s/new-XXXXXX", dir) : 0;
	if (err == 0 && (n < 0 || (size_t)n >= sizeof(temporary)))
		err = -ENAMETOOLONG;
	if (err != 0)
		return err;
	c = EVP_MD_CTX_new();
	if (c == NULL || EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(c, MAGIC, MAGIC_SIZE) != 1 ||
	    EVP_DigestUpdate(c, key, CACHE_KEY_SIZE) != 1 || EVP_DigestUpdate(c, data, len) != 1 ||
	    EVP_DigestFinal_ex(c, sum, NULL) != 1)
		err = -ENOMEM;
	EVP_MD_CTX_free(c);
	if (err == 0 && (fd = mkostemp(temporary, O_CLOEXEC)) < 0)
		err = -errno;
	if (err != 0)
		return err;
	err = write_all(fd, (const uint8_t *)MAGIC, MAGIC_SIZE);
	if (err == 0)
		err = write_all(fd, key, CACHE_KEY_SIZE);
	if (err == 0)
		err = write_all(fd, data, len);
	if (err == 0)
		err = write_all(fd, sum, SUM_SIZE);
	if (err == 0 && fchmod(fd, 0600) != 0)
		err = -errno;
	if (close(fd) != 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(temporary, path) != 0)
		err = -errno;
	if (err != 0)
		unlink(temporary);
	else
		prune(dir);
	return err;
}
