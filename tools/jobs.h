/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Pieces of work that need nothing of each other, on as many cores as there are. */

typedef void (*jobs_fn)(void *user, unsigned i);

/*
 * fn for each i below n, begun in rising order, on at most JOBS_THREADS threads, of which the caller's
 * is one. Returns when all are done. Where no thread can be had the caller's does all of them.
 */
#define JOBS_THREADS 8
void jobs_run(unsigned n, jobs_fn fn, void *user);
