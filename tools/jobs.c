/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/jobs.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

struct jobs {
	jobs_fn fn;
	void *user;
	unsigned n;
	atomic_uint next;
};

static void *work(void *arg)
{
	struct jobs *j = arg;

	for (unsigned i; (i = atomic_fetch_add(&j->next, 1)) < j->n;)
		j->fn(j->user, i);
	return NULL;
}

static unsigned cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

void jobs_run(unsigned n, jobs_fn fn, void *user)
{
	struct jobs j = {.fn = fn, .user = user, .n = n};
	pthread_t threads[JOBS_THREADS - 1];
	unsigned n_threads = 0, most = cores();
	sigset_t all, old;

	most = most < n ? most : n;
	most = most < JOBS_THREADS ? most : JOBS_THREADS;
	/* Signals are for the thread that was there before. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (n_threads + 1 < most && pthread_create(&threads[n_threads], NULL, work, &j) == 0)
		n_threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	work(&j);
	for (unsigned i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
}
