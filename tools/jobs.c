/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/jobs.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

#include "dataplane/thread.h"

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

	most = most < n ? most : n;
	most = most < JOBS_THREADS ? most : JOBS_THREADS;
	while (n_threads + 1 < most && thread_start(&threads[n_threads], work, &j) == 0)
		n_threads++;
	work(&j);
	for (unsigned i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
}
