/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* One file of a report's folder: it gets its name when it is whole, and an earlier one stays until then. */

#include <stdio.h>

/*
 * For a stream that one thread writes from beginning to end: large pieces, and no locks. What it
 * returns is freed once the stream is closed; it may be NULL.
 */
char *folder_stream(FILE *out);

struct folder_file {
	FILE *out;
	char *buffer;
	char *path, *part; /* what it will be called, and is meanwhile: "NAME.part" */
};

/* 0 or -errno; after an error there is nothing to close. */
int folder_file_open(struct folder_file *f, const char *dir, const char *name);
/* err: of writing it; then, and if it cannot be finished, it is removed. 0 or the first error. */
int folder_file_close(struct folder_file *f, int err);
/* Made if it is not there, its parents not. 0 or -errno. */
int folder_make(const char *dir);
