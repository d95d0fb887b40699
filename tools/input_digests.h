/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* SHA-256 of the inputs, worked out by a thread of its own while they are analysed. */

#include "classifiers/verdict.h"

/* Of a file that can be read twice; else, as of "-" or a pipe, without digits and of size 0. */
void input_digest(const char *path, struct capture_digest *out);

struct input_digests;
/* files outlive it. 0 or -errno. */
int input_digests_start(struct input_digests **out, const char *const *files, unsigned n);
/* Of each file, in their order; waits for the last. They live as long as d. */
const struct capture_digest *input_digests_wait(struct input_digests *d);
void input_digests_free(struct input_digests *d); /* waits for the file at hand; NULL is fine */
