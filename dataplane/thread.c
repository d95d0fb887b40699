/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/thread.h"

#include <signal.h>

int thread_start(pthread_t *out, void *(*fn)(void *), void *arg)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(out, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}
