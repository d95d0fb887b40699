/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What the audit commands set up alike: two ports, two files, fewer rights. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/command.h"
#include "tools/compare/compare.h"
#include "tools/session.h"

/* Says why on stderr, and that the run ends so; false, for the caller to return. */
bool bench_said(struct session *s, enum exit_status status, const char *why);
/* -i twice, of two interfaces. False: said on stderr. */
bool bench_ports_named(const struct command *c, const struct option_strings *ifaces);
/* Both are there and not in use, unless yes. *mtu: the smaller. False: why (len) says it. */
bool bench_ports_free(const char *const iface[SIDES], bool yes, uint32_t *mtu, char *why,
		      size_t len);
/* text NULL: the default, in ms. At most a minute. */
bool bench_ms(const char *text, unsigned long ms, uint64_t *out_ns);

/* Captures of both ports, which can be read on when their folder no longer can. */
struct bench_files {
	char *dir;	    /* ours, and goes with its files; NULL: the user's */
	char *path[SIDES];  /* where they are made */
	char *shown[SIDES]; /* what reports call them */
	char *again[SIDES]; /* where they are read, after bench_become_ordinary() */
	int fd[SIDES];
};

/* In dir, or in a folder of their own that is not kept. 0 or -errno, why as above. */
int bench_files_make(struct bench_files *f, const char *dir, char *why, size_t len);
void bench_files_close(struct bench_files *f);
/*
 * Gives what was made to the ordinary user that the process then is (user NULL: as capture has it).
 * 0 or -errno, why as above: then the process must not go on.
 */
int bench_become_ordinary(struct bench_files *f, struct session *s, const char *user, char *why,
			  size_t len);
