/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <pthread.h>

/*
 * A thread that no signal is delivered to: they are for the one that was there first, whose sleep and
 * reading they end. To be joined. 0 or -errno.
 */
int thread_start(pthread_t *out, void *(*fn)(void *), void *arg);
