/* SPDX-License-Identifier: BSD-3-Clause */

/* Whether a file is nobody else's to write, before its code is run. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/plugin.h"

_Static_assert(PLUGIN_PATH >= PATH_MAX, "realpath() fills it");

/*
 * Whom to trust beside root. With more rights than its user has a program lends them to no user's
 * code.
 */
struct us {
	uid_t uid;
	gid_t gid;
};

static struct us us(void)
{
	bool lent = getauxval(AT_SECURE) != 0;

	return lent ? (struct us){.uid = 0} : (struct us){geteuid(), getegid()};
}

/*
 * NULL, or why others can change what this is. A group of one's own, as umask 002 goes with, is no
 * others.
 */
static const char *others_may(const struct stat *st, const struct us *u)
{
	bool by_group = (st->st_mode & S_IWGRP) != 0 && st->st_gid != 0 && st->st_gid != u->gid;

	if (st->st_uid != 0 && st->st_uid != u->uid)
		return "belongs to somebody who is neither root nor runs wmscope";
	/* In a folder as /tmp is nobody takes away or renames what is not his. */
	if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0)
		return NULL;
	return by_group || (st->st_mode & S_IWOTH) != 0 ? "can be written to by others (chmod go-w)" : NULL;
}

/* The folder, and those that it is in: whoever may rename one can put another in its place. */
static int check_folders(const char *real, const struct us *u, char *err, size_t errlen)
{
	char folder[PLUGIN_PATH];
	struct stat st;

	snprintf(folder, sizeof(folder), "%s", real);
	for (char *slash = strrchr(folder, '/'); slash != NULL; slash = strrchr(folder, '/')) {
		bool top = slash == folder;
		slash[top] = '\0';
		if (lstat(folder, &st) != 0) {
			snprintf(err, errlen, "its folder %.200s: %s", folder, strerror(errno));
			return -EPERM;
		}
		const char *why = others_may(&st, u);
		if (why != NULL) {
			snprintf(err, errlen, "its folder %.200s %s", folder, why);
			return -EPERM;
		}
		if (top)
			break;
	}
	return 0;
}

int plugin_trust(const char *path, char real[PLUGIN_PATH], char *err, size_t errlen)
{
	const struct us u = us();
	struct stat st;

	if (strchr(path, '/') == NULL) {
		snprintf(err, errlen, "a plug-in is named by its path, with a slash in it: no folder is "
				      "searched");
		return -EINVAL;
	}
	if (realpath(path, real) == NULL || stat(real, &st) != 0) {
		int error = errno;
		snprintf(err, errlen, "%s", strerror(error));
		return -error;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(err, errlen, "is no regular file");
		return -EINVAL;
	}
	const char *why = others_may(&st, &u);
	if (why != NULL) {
		snprintf(err, errlen, "%s", why);
		return -EPERM;
	}
	return check_folders(real, &u, err, errlen);
}
