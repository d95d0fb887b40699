/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/input_digests.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dataplane/thread.h"
#include "tools/digest.h"

struct input_digests {
	const char *const *files;
	unsigned n;
	atomic_bool stop;
	bool joined;
	pthread_t thread;
	struct capture_digest list[]; /* the thread's, until it is joined */
};

void input_digest(const char *path, struct capture_digest *out)
{
	struct stat st;

	/* What a pipe has said to one reader it does not say to another. */
	bool again = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
	if (!again || digest_file(path, out->sha256, &out->size) != 0)
		*out = (struct capture_digest){.sha256 = ""};
}

static void *digest_all(void *arg)
{
	struct input_digests *d = arg;

	for (unsigned i = 0; i < d->n && !atomic_load(&d->stop); i++)
		input_digest(d->files[i], &d->list[i]);
	return NULL;
}

int input_digests_start(struct input_digests **out, const char *const *files, unsigned n)
{
	struct input_digests *d = calloc(1, sizeof(*d) + n * sizeof(d->list[0]));

	if (d == NULL)
		return -ENOMEM;
	d->files = files;
	d->n = n;
	int err = thread_start(&d->thread, digest_all, d);
	if (err != 0) {
		free(d);
		return err;
	}
	*out = d;
	return 0;
}

const struct capture_digest *input_digests_wait(struct input_digests *d)
{
	if (!d->joined)
		pthread_join(d->thread, NULL);
	d->joined = true;
	return d->list;
}

void input_digests_free(struct input_digests *d)
{
	if (d == NULL)
		return;
	atomic_store(&d->stop, true);
	input_digests_wait(d);
	free(d);
}
