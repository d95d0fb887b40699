/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The libraries that are at work, as they call themselves now (not as they were when built). */

struct library {
	const char *name;
	char version[48]; /* "" for one that was left out of the build */
};

#define LIBRARIES_N 8

/* Fills all, in a fixed order. */
void libraries(struct library out[LIBRARIES_N]);
