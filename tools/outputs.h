/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Where reports go: opened before the analysis, so that an hour's work is not lost to a typo. */

#include <stdbool.h>
#include <sys/types.h>

#include "tools/report.h"

#define OUTPUTS_MAX 24

struct output {
	const struct report *report;
	char *path; /* "-" is stdout; of a report of several files their folder */
	FILE *file; /* of a report that is one stream */
	char *buffer; /* its own; freed after it */
	char *part; /* of a report that wants a name: what it is called until it is whole */
	bool through; /* of such a report: what is there is no plain file, and is not replaced */
	bool made;  /* by outputs_open(): it, or its part, was not there */
	bool shared; /* written without the addresses of clients */
};

struct outputs {
	struct output list[OUTPUTS_MAX];
	unsigned n;
	char *made_dirs[2]; /* folders that were not there before */
	unsigned n_made_dirs;
};

/* Adds; nothing is opened yet. 0 or -errno. path is copied. */
int outputs_add(struct outputs *o, const char *report, const char *path);
/* A report of several files; its folder is made if it is not there. 0 or -errno. */
int outputs_add_in(struct outputs *o, const char *report, const char *dir);
/* All that a folder holds, which is made if it is not there. 0 or -errno. */
int outputs_add_folder(struct outputs *o, const char *dir);
/* Those from the first on are to be shared. */
void outputs_share(struct outputs *o, unsigned first);
bool outputs_any(const struct outputs *o, bool shared); /* there is one of this kind */
bool outputs_has(const struct outputs *o, const char *report);
/* This report cannot be written after all; what an earlier run left in its place goes too. */
void outputs_drop(struct outputs *o, const char *report);
/* More than one report on stdout, or a report that would overwrite an input: says so on stderr. */
bool outputs_clash(const struct outputs *o, char *const *inputs, int n_inputs);
/* 0 or -errno, said on stderr. */
int outputs_open(struct outputs *o);
/* What was made for this run belongs to that user from now on. As far as it can be done. */
void outputs_give(const struct outputs *o, uid_t uid, gid_t gid);
/*
 * Those that are shared, or the others. Every one is tried; the first error is returned, all are
 * said on stderr.
 */
int outputs_write(struct outputs *o, const struct analysis *a, const struct report_options *ro,
		  bool shared);
void outputs_close(struct outputs *o); /* frees; what was not written is lost */
