/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A folder of a test's own, removed with what is in it. */

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct temporary {
	char path[64];
};

static inline struct temporary temporary_new(void)
{
	struct temporary t = {"/tmp/wmscope-test-XXXXXX"};
	assert_non_null(mkdtemp(t.path));
	return t;
}

/* Files only, no folders in it. */
static inline void temporary_free(struct temporary *t)
{
	DIR *d = opendir(t->path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
	closedir(d);
	assert_int_equal(rmdir(t->path), 0);
}
