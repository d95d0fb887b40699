/* SPDX-License-Identifier: BSD-3-Clause */

/* Compiled rules on disk: read only if they are ours alone and as they were written. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "classifiers/lists/matcher_cache.c"
#include "tests/unit/temporary.h"

static const uint8_t key[CACHE_KEY_SIZE] = {1, 2, 3, [31] = 9};
static const uint8_t content[] = "compiled rules";

static int read_back(const char *dir)
{
	uint8_t *data = NULL;
	size_t len = 0;
	int err = cache_read(dir, key, &data, &len);
	if (err == 0) {
		assert_int_equal(len, sizeof(content));
		assert_memory_equal(data, content, len);
	}
	free(data);
	return err;
}

static void path_of(const struct temporary *dir, char path[PATH_MAX])
{
	assert_int_equal(file_name(path, PATH_MAX, dir->path, key), 0);
}

static void there_and_back(void **state)
{
	(void)state;
	struct temporary dir = temporary_new();
	char path[PATH_MAX];
	struct stat st;
	assert_int_equal(read_back(dir.path), -ENOENT);
	assert_int_equal(cache_write(dir.path, key, content, sizeof(content)), 0);
	assert_int_equal(read_back(dir.path), 0);
	path_of(&dir, path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* Again, over the old one. */
	assert_int_equal(cache_write(dir.path, key, content, sizeof(content)), 0);
	assert_int_equal(read_back(dir.path), 0);
	temporary_free(&dir);
}

static void strangers(void **state)
{
	(void)state;
	struct temporary dir = temporary_new();
	char path[PATH_MAX], other[PATH_MAX + 8];
	static const mode_t modes[] = {0644, 0660, 0602, 0400, 0700, 04600};
	assert_int_equal(cache_write(dir.path, key, content, sizeof(content)), 0);
	path_of(&dir, path);
	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_int_equal(read_back(dir.path), -EACCES);
	}
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(read_back(dir.path), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 1, (gid_t)-1), 0);
		assert_int_equal(read_back(dir.path), -EACCES);
		assert_int_equal(chown(path, 0, (gid_t)-1), 0);
	}
	snprintf(other, sizeof(other), "%s.real", path);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(read_back(dir.path), -ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0); /* and does not wait for a writer */
	assert_int_equal(read_back(dir.path), -EACCES);
	temporary_free(&dir);
}

/* Each byte changed, each length cut. */
static void damaged(void **state)
{
	(void)state;
	struct temporary dir = temporary_new();
	char path[PATH_MAX];
	uint8_t file[256];
	assert_int_equal(cache_write(dir.path, key, content, sizeof(content)), 0);
	path_of(&dir, path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	ssize_t n = pread(fd, file, sizeof(file), 0);
	assert_int_equal(n, HEAD_SIZE + (int)sizeof(content) + SUM_SIZE);
	for (ssize_t i = 0; i < n; i++) {
		uint8_t bent = file[i] ^ 0x10;
		assert_int_equal(pwrite(fd, &bent, 1, i), 1);
		assert_int_equal(read_back(dir.path), -EBADMSG);
		assert_int_equal(pwrite(fd, &file[i], 1, i), 1);
	}
	assert_int_equal(read_back(dir.path), 0);
	while (n-- > 0) {
		assert_int_equal(ftruncate(fd, n), 0);
		assert_int_equal(read_back(dir.path), -EBADMSG);
	}
	close(fd);
	temporary_free(&dir);
}

/* The name has half of the key: the other half is looked at too. */
static void other_key(void **state)
{
	(void)state;
	struct temporary dir = temporary_new();
	uint8_t like[CACHE_KEY_SIZE];
	memcpy(like, key, sizeof(like));
	like[31]++;
	assert_int_equal(cache_write(dir.path, like, content, sizeof(content)), 0);
	assert_int_equal(read_back(dir.path), -EBADMSG);
	temporary_free(&dir);
}

static void pruned(void **state)
{
	(void)state;
	struct temporary dir = temporary_new();
	char path[PATH_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < CACHE_FILES_MAX + 3; i++) {
		uint8_t k[CACHE_KEY_SIZE] = {(uint8_t)(i + 1)};
		struct timespec when[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
		assert_int_equal(cache_write(dir.path, k, content, sizeof(content)), 0);
		assert_int_equal(file_name(path, sizeof(path), dir.path, k), 0);
		assert_int_equal(utimensat(AT_FDCWD, path, when, 0), 0);
	}
	for (unsigned i = 0; i < CACHE_FILES_MAX + 3; i++) {
		uint8_t k[CACHE_KEY_SIZE] = {(uint8_t)(i + 1)};
		assert_int_equal(file_name(path, sizeof(path), dir.path, k), 0);
		bool there = access(path, F_OK) == 0;
		assert_int_equal(there, i >= 3);
		n += there;
	}
	assert_int_equal(n, CACHE_FILES_MAX);
	temporary_free(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(strangers),
		cmocka_unit_test(damaged),	  cmocka_unit_test(other_key),
		cmocka_unit_test(pruned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
