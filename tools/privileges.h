/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Parsers meet the bytes of strangers, so a live capture keeps no power once its devices are open: it
 * becomes an ordinary user, without one capability, and can gain none again (no_new_privs). Built with
 * libseccomp it also gives up what it never needs: programs, processes, connections, the kernel's
 * administration; these fail with EPERM.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct privileges {
	bool change; /* false: the process is no root's, and stays who it is */
	uid_t uid;
	gid_t gid;
	char name[64];
};

/*
 * Whom to become: user if not NULL, else who called sudo, else nobody. 0 or -errno, then why says it.
 * Reads the user database, so before privileges_drop().
 */
int privileges_choose(struct privileges *p, const char *user, char *why, size_t len);
/*
 * 0 or -errno: then the process must not go on. Before threads are started: one that runs already
 * loses root and the calls, but where p is root keeps its capabilities.
 */
int privileges_drop(const struct privileges *p, char *why, size_t len);
