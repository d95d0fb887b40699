/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/log.h"
#include "dataplane/thread.h"

#define SEGMENT (64u << 20)  /* what the file grows by, at least */
#define LOOK_NS 1000000      /* between two looks at what is mapped: sorting maps some five MB in it */

/* A part of the file and where it is mapped. Never changes once it is in the list. */
struct segment {
	struct segment *next;
	uint8_t *at;
	size_t size;
};

struct unit {
	struct unit *next;
};

struct spill {
	struct spill_config cfg;
	pthread_mutex_t lock;       /* of all that follows, but for segments' readers and stop */
	size_t refused;             /* bytes, until cfg.after */
	int fd;                     /* -1: no file yet, or none any more */
	bool failed;                /* it grows no more */
	size_t file_size;
	_Atomic(struct segment *) segments;
	uint8_t *fresh;             /* of the last segment: what was never handed out */
	size_t n_fresh;
	struct unit *given_back;
	int statm;                  /* -1: there is no /proc, and a process's size not known */
	size_t mapped_by_others;    /* pages of files, before there was this one */
	pthread_t keeper;
	bool kept;
	atomic_bool stop;
};

/* Nobody's machine is asked for most of what it has. */
static size_t small_here(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	size_t part = pages > 0 && page > 0 ? (size_t)pages / 8 * (size_t)page : SPILL_SMALL;

	return part < SPILL_SMALL ? part : SPILL_SMALL;
}

int spill_new(struct spill **out, const struct spill_config *cfg)
{
	struct spill *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->cfg = *cfg;
	s->cfg.after = cfg->after != 0 ? cfg->after : SPILL_AFTER;
	s->cfg.small = cfg->small != 0 ? cfg->small : small_here();
	s->cfg.resident = cfg->resident != 0 ? cfg->resident : SPILL_RESIDENT;
	s->cfg.leave = cfg->leave != 0 ? cfg->leave : SPILL_LEAVE;
	s->fd = -1;
	s->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	pthread_mutex_init(&s->lock, NULL);
	*out = s;
	return 0;
}

/* Of this process, proc_pid_statm(5), in pages. */
struct memory {
	size_t resident;
	size_t mapped; /* of files */
};

static bool measure(const struct spill *s, struct memory *out)
{
	char text[128];
	ssize_t n = pread(s->statm, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return sscanf(text, "%*u %zu %zu", &out->resident, &out->mapped) == 2;
}

static size_t pages(size_t bytes)
{
	return bytes / (size_t)sysconf(_SC_PAGESIZE);
}

/* What is written stays written: of a shared mapping this takes away the pages, not their contents. */
static void unmap_pages(struct spill *s)
{
	for (struct segment *g = atomic_load(&s->segments); g != NULL; g = g->next)
		(void)madvise(g->at, g->size, MADV_DONTNEED);
}

static void *keep_small(void *user)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	struct spill *s = user;
	const size_t most = s->mapped_by_others + pages(s->cfg.resident), small = pages(s->cfg.small);
	struct memory now;

	while (!atomic_load(&s->stop)) {
		if (measure(s, &now) && now.mapped > most && now.resident > small)
			unmap_pages(s);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* Where the file system has no files without a name. */
static int open_and_unlink(const char *dir)
{
	char path[4096];

	if ((size_t)snprintf(path, sizeof(path), "%s/.wmscope-XXXXXX", dir) >= sizeof(path))
		return -ENAMETOOLONG;
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int open_unnamed(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : open_and_unlink(dir);
}

static int open_file(struct spill *s)
{
	int fd = open_unnamed(s->cfg.dir);
	if (fd < 0)
		return fd;
	s->fd = fd;
	struct memory now;
	bool known = measure(s, &now);
	s->mapped_by_others = known ? now.mapped : 0;
	/* Without the thread the kernel unmaps pages itself, once memory is short. */
	s->kept = known && thread_start(&s->keeper, keep_small, s) == 0;
	return 0;
}

/* Blocks of the disk for size more bytes. 0 or -errno. */
static int allocate(const struct spill *s, size_t size)
{
	struct statvfs fs;
	struct rlimit most;

	/* Beyond this limit a signal would end the process. */
	if (getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur < s->file_size + size)
		return -EFBIG;
	if (fstatvfs(s->fd, &fs) == 0 && fs.f_bavail < (size + s->cfg.leave) / fs.f_frsize)
		return -ENOSPC;
	int err;
	do /* a signal, as that which asks to stop, is no reason to do without a disk */
		err = fallocate(s->fd, 0, (off_t)s->file_size, (off_t)size) == 0 ? 0 : -errno;
	while (err == -EINTR);
	return err;
}

/* The file's next size bytes, aligned. NULL: errno says why. */
static uint8_t *map_more(const struct spill *s, size_t size)
{
	uint8_t *at = mmap(NULL, size + SPILL_UNIT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	size_t before = -(uintptr_t)at % SPILL_UNIT;
	if (before != 0)
		munmap(at, before);
	munmap(at + before + size, SPILL_UNIT - before);
	at += before;
	if (mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, s->fd,
		 (off_t)s->file_size) == MAP_FAILED) {
		int err = errno;
		munmap(at, size);
		errno = err;
		return NULL;
	}
	(void)madvise(at, size, MADV_RANDOM);
	return at;
}

static int grow(struct spill *s, size_t size)
{
	int err = s->fd >= 0 ? 0 : open_file(s);
	if (err == 0)
		err = allocate(s, size);
	if (err != 0)
		return err;
	struct segment *g = malloc(sizeof(*g));
	if (g == NULL)
		return -ENOMEM;
	g->size = size;
	g->at = map_more(s, size);
	if (g->at == NULL) {
		err = -errno;
		free(g);
		return err;
	}
	s->file_size += size;
	s->fresh = g->at;
	s->n_fresh = size;
	g->next = atomic_load(&s->segments);
	atomic_store(&s->segments, g);
	return 0;
}

static void give_unit(struct spill *s, void *at)
{
	struct unit *u = at;
	u->next = s->given_back;
	s->given_back = u;
}

/* Under the lock. *again: it was used before. */
static void *take(struct spill *s, size_t size, bool *again)
{
	*again = size == SPILL_UNIT && s->given_back != NULL;
	if (*again) {
		struct unit *u = s->given_back;
		s->given_back = u->next;
		return u;
	}
	if (s->n_fresh < size) {
		if (s->failed)
			return NULL;
		uint8_t *rest = s->fresh;
		size_t n_rest = s->n_fresh;
		int err = grow(s, size > SEGMENT ? size : SEGMENT);
		s->failed = err != 0;
		if (err != 0) {
			/* Said to who wants no warnings too: memory has no bound from here on. */
			log_error(NULL, "%s: what is found stays in memory: no%s file for it: %s", s->cfg.dir,
				 s->file_size != 0 ? " larger" : "", strerror(-err));
			return NULL;
		}
		for (size_t i = 0; i < n_rest; i += SPILL_UNIT)
			give_unit(s, rest + i);
	}
	void *at = s->fresh;
	s->fresh += size;
	s->n_fresh -= size;
	return at;
}

/* Under the lock, for size bytes more. */
static bool too_early(struct spill *s, size_t size)
{
	struct memory now;

	if (s->fd >= 0 || s->failed)
		return false;
	bool first = s->refused < s->cfg.after;
	s->refused += first ? size : 0;
	return first || (measure(s, &now) && now.resident <= pages(s->cfg.small));
}

void *spill_take(struct spill *s, size_t *size)
{
	bool again = false;
	void *at = NULL;

	if (s == NULL || *size > SIZE_MAX / 2)
		return NULL;
	size_t whole = (*size + SPILL_UNIT - 1) & ~(size_t)(SPILL_UNIT - 1);
	pthread_mutex_lock(&s->lock);
	if (!too_early(s, *size))
		at = take(s, whole, &again);
	pthread_mutex_unlock(&s->lock);
	if (at == NULL)
		return NULL;
	if (again)
		memset(at, 0, whole);
	*size = whole;
	return at;
}

void spill_give(struct spill *s, void *at, size_t size)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < size; i += SPILL_UNIT)
		give_unit(s, (uint8_t *)at + i);
	pthread_mutex_unlock(&s->lock);
}

void *spill_alloc(struct spill **s, size_t *size)
{
	void *at = spill_take(*s, size);

	if (at != NULL)
		return at;
	*s = NULL;
	return calloc(1, *size);
}

void spill_release(struct spill *s, void *at, size_t size)
{
	if (s != NULL)
		spill_give(s, at, size);
	else
		free(at);
}

size_t spill_bytes(const struct spill *s)
{
	return s->file_size;
}

void spill_free(struct spill *s)
{
	if (s == NULL)
		return;
	atomic_store(&s->stop, true);
	if (s->kept)
		pthread_join(s->keeper, NULL);
	for (struct segment *g = atomic_load(&s->segments), *next; g != NULL; g = next) {
		next = g->next;
		munmap(g->at, g->size);
		free(g);
	}
	if (s->statm >= 0)
		close(s->statm);
	if (s->fd >= 0)
		close(s->fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
