/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "dataplane/pcapng_write.h"
#include "dataplane/thread.h"

#define CHUNK     (1u << 20)
#define CHUNKS    16
#define NAME_SIZE 256

/* Of a packet in a chunk; its bytes follow, and the next one begins at a multiple of 8. */
struct record {
	uint64_t ts_ns, frame;
	uint32_t caplen, wirelen, direction, unused;
};

struct chunk {
	size_t len;
	uint64_t received, dropped; /* by the interface, when the chunk was handed over */
	uint8_t *bytes;
};

struct recorder {
	struct recorder_config cfg;
	bool several, is_stdout;
	int dir;                  /* the folder; -1: standard output */
	char name[NAME_SIZE];     /* in it, up to the suffix if there are several */
	char suffix[32];
	char os[200];
	/* the writer's own, until it is joined */
	int fd;
	bool made;                /* fd's file was not there before */
	struct pcapng_writer *file;
	uint64_t number, first_ns, last_ns, file_packets;
	uint64_t seen_received, seen_dropped;       /* up to the packets written last */
	uint64_t written_received, written_dropped; /* as told by the statistics of files before */
	char (*kept)[NAME_SIZE];  /* the newest cfg.keep names, a ring by number */
	/* shared, under the lock; chunks from taken up to filled are the writer's */
	pthread_mutex_t lock;
	pthread_cond_t filled_cond, taken_cond;
	struct chunk chunks[CHUNKS];
	uint64_t filled, taken;
	uint64_t received, dropped;
	int error;
	bool finish, started;
	pthread_t thread;
};

/* Files: on the writer's thread, or before it starts */

static int file_create(struct recorder *r, const char *name)
{
	const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY;

	r->fd = openat(r->dir, name, flags | O_EXCL, 0666);
	r->made = r->fd >= 0;
	if (r->fd < 0 && errno == EEXIST)
		r->fd = openat(r->dir, name, flags | O_TRUNC, 0666);
	return r->fd >= 0 ? 0 : -errno;
}

static int file_start(struct recorder *r, uint64_t frame, uint64_t ts_ns)
{
	char comment[160];

	snprintf(comment, sizeof(comment),
		 "Frame 1 here is frame %llu of the capture, which is how reports call it.",
		 (unsigned long long)frame);
	struct pcapng_section section = {.os = r->os,
					 .application = "wmscope " WMSCOPE_VERSION,
					 .comment = r->several ? comment : NULL};
	struct pcapng_interface iface = {.linktype = r->cfg.linktype, .snaplen = r->cfg.snaplen,
					 .name = r->cfg.iface, .filter = r->cfg.filter, .os = r->os};
	int err = pcapng_writer_new(&r->file, r->fd, &section);
	if (err == 0)
		err = pcapng_write_interface(r->file, &iface);
	r->first_ns = r->last_ns = ts_ns;
	r->file_packets = 0;
	return err;
}

static uint64_t since(uint64_t now, uint64_t before)
{
	return now != UINT64_MAX ? now - before : UINT64_MAX;
}

static int file_end(struct recorder *r)
{
	if (r->file == NULL)
		return 0;
	struct pcapng_statistics st = {.start_ns = r->first_ns, .end_ns = r->last_ns,
				       .received = since(r->seen_received, r->written_received),
				       .dropped = since(r->seen_dropped, r->written_dropped)};
	r->written_received = r->seen_received;
	r->written_dropped = r->seen_dropped;
	/* An error sticks to the writer: freeing tells the first. */
	(void)pcapng_write_statistics(r->file, 0, &st);
	int err = pcapng_writer_free(r->file);
	r->file = NULL;
	if (!r->is_stdout && close(r->fd) != 0 && err == 0)
		err = -errno;
	r->fd = -1;
	return err;
}

/* The file for a packet of that frame and time, the first or the next one. */
static int file_next(struct recorder *r, uint64_t frame, uint64_t ts_ns)
{
	char name[2 * NAME_SIZE], when[32];
	time_t seconds = (time_t)(ts_ns / 1000000000);
	struct tm tm;

	int err = file_end(r);
	if (err != 0)
		return err;
	r->number++;
	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(name, sizeof(name), "%s_%05llu_%s%s", r->name, (unsigned long long)r->number, when,
		 r->suffix);
	if (strlen(name) >= NAME_SIZE)
		return -ENAMETOOLONG;
	if (r->cfg.keep != 0) {
		char *oldest = r->kept[r->number % r->cfg.keep];
		if (oldest[0] != '\0' && unlinkat(r->dir, oldest, 0) != 0 && errno != ENOENT)
			return -errno;
		memcpy(oldest, name, strlen(name) + 1);
	}
	err = file_create(r, name);
	return err != 0 ? err : file_start(r, frame, ts_ns);
}

/* Whether the file is at its limit; the blocks of statistics at its end are small and not counted. */
static bool file_is_full(const struct recorder *r, const struct record *rec)
{
	const uint64_t block = 32 + 12 + ((uint64_t)rec->caplen + 3) / 4 * 4;

	if (!r->several || r->file == NULL)
		return r->several;
	if (r->file_packets == 0)
		return false;
	if (r->cfg.max_bytes != 0 && pcapng_writer_bytes(r->file) + block > r->cfg.max_bytes)
		return true;
	return r->cfg.every_ns != 0 && rec->ts_ns >= r->first_ns + r->cfg.every_ns;
}

static int write_record(struct recorder *r, const struct record *rec, const uint8_t *data)
{
	struct packet pkt = {.data = data, .caplen = rec->caplen, .wirelen = rec->wirelen,
			     .ts_ns = rec->ts_ns};
	struct pcapng_extra extra = {.direction = rec->direction == PACKET_INBOUND ? PCAPNG_INBOUND
					: rec->direction == PACKET_OUTBOUND ? PCAPNG_OUTBOUND
									    : PCAPNG_DIRECTION_UNKNOWN};
	int err = 0;

	if (file_is_full(r, rec))
		err = file_next(r, rec->frame, rec->ts_ns);
	if (err == 0)
		err = pcapng_write_packet(r->file, 0, &pkt, &extra);
	if (err != 0)
		return err;
	if (r->file_packets++ == 0)
		r->first_ns = rec->ts_ns;
	r->last_ns = rec->ts_ns > r->last_ns ? rec->ts_ns : r->last_ns;
	return 0;
}

/* The writer */

static int write_chunk(struct recorder *r, const struct chunk *c)
{
	struct record rec;
	int err = 0;

	for (size_t at = 0; at < c->len && err == 0;) {
		memcpy(&rec, c->bytes + at, sizeof(rec));
		err = write_record(r, &rec, c->bytes + at + sizeof(rec));
		at += (sizeof(rec) + rec.caplen + 7) & ~(size_t)7;
	}
	return err;
}

static void *writer_main(void *arg)
{
	struct recorder *r = arg;
	int err = 0;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		while (r->taken == r->filled && !r->finish)
			pthread_cond_wait(&r->filled_cond, &r->lock);
		if (r->taken == r->filled)
			break;
		struct chunk *c = &r->chunks[r->taken % CHUNKS];
		bool last = r->taken + 1 == r->filled;
		pthread_mutex_unlock(&r->lock);
		if (err == 0)
			err = write_chunk(r, c);
		if (err == 0 && last && r->file != NULL)
			err = pcapng_writer_flush(r->file);
		r->seen_received = c->received;
		r->seen_dropped = c->dropped;
		pthread_mutex_lock(&r->lock);
		r->taken++;
		r->error = err;
		c->len = 0;
		pthread_cond_signal(&r->taken_cond);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

int recorder_start(struct recorder *r, char *why, size_t len)
{
	if (r->several && faccessat(r->dir, ".", W_OK | X_OK, AT_EACCESS) != 0) {
		int err = -errno;
		snprintf(why, len, "%s: its folder must take new files from user %u: %s",
			 r->cfg.path, (unsigned)geteuid(), strerror(-err));
		return err;
	}
	int err = thread_start(&r->thread, writer_main, r);
	r->started = err == 0;
	if (err != 0)
		snprintf(why, len, "%s: %s", r->cfg.path, strerror(-err));
	return err;
}

/* The reader's side */

/* The chunk to fill; NULL: writing has ended. Under the lock. */
static struct chunk *chunk_wait(struct recorder *r)
{
	while (r->filled - r->taken == CHUNKS && r->error == 0)
		pthread_cond_wait(&r->taken_cond, &r->lock);
	return r->error == 0 ? &r->chunks[r->filled % CHUNKS] : NULL;
}

/* Hands the chunk over if there is anything in it. */
static void chunk_publish(struct recorder *r)
{
	pthread_mutex_lock(&r->lock);
	struct chunk *c = &r->chunks[r->filled % CHUNKS];
	if (r->filled - r->taken < CHUNKS && c->len > 0) {
		c->received = r->received;
		c->dropped = r->dropped;
		r->filled++;
		pthread_cond_signal(&r->filled_cond);
	}
	pthread_mutex_unlock(&r->lock);
}

void recorder_write(void *recorder, const struct packet pkts[], unsigned n)
{
	struct recorder *r = recorder;

	pthread_mutex_lock(&r->lock);
	struct chunk *c = chunk_wait(r);
	pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < n && c != NULL; i++) {
		struct record rec = {.ts_ns = pkts[i].ts_ns, .frame = pkts[i].frame,
				     .caplen = pkts[i].caplen, .wirelen = pkts[i].wirelen,
				     .direction = pkts[i].direction};
		size_t want = (sizeof(rec) + rec.caplen + 7) & ~(size_t)7;
		if (want > CHUNK - c->len) {
			chunk_publish(r);
			pthread_mutex_lock(&r->lock);
			c = chunk_wait(r);
			pthread_mutex_unlock(&r->lock);
			if (c == NULL)
				break;
		}
		memcpy(c->bytes + c->len, &rec, sizeof(rec));
		memcpy(c->bytes + c->len + sizeof(rec), pkts[i].data, rec.caplen);
		c->len += want;
	}
}

void recorder_tick(struct recorder *r, uint64_t received, uint64_t dropped)
{
	pthread_mutex_lock(&r->lock);
	r->received = received;
	r->dropped = dropped;
	pthread_mutex_unlock(&r->lock);
	chunk_publish(r);
}

int recorder_error(struct recorder *r)
{
	pthread_mutex_lock(&r->lock);
	int err = r->error;
	pthread_mutex_unlock(&r->lock);
	return err;
}

/* Opening and closing */

static int open_place(struct recorder *r)
{
	const char *slash = strrchr(r->cfg.path, '/');
	const char *name = slash != NULL ? slash + 1 : r->cfg.path;
	char *folder = slash == NULL ? strdup(".")
		       : slash == r->cfg.path ? strdup("/")
					      : strndup(r->cfg.path, (size_t)(slash - r->cfg.path));
	int err = folder == NULL ? -ENOMEM : 0;

	if (err == 0 && (name[0] == '\0' || strlen(name) >= sizeof(r->name) - 64))
		err = name[0] == '\0' ? -EISDIR : -ENAMETOOLONG;
	if (err == 0) {
		r->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = r->dir < 0 ? -errno : 0;
	}
	free(folder);
	if (err != 0)
		return err;
	const char *dot = strrchr(name, '.');
	if (!r->several || dot == NULL || dot == name || strlen(dot) >= sizeof(r->suffix))
		dot = name + strlen(name);
	memcpy(r->name, name, (size_t)(dot - name));
	memcpy(r->suffix, dot, strlen(dot) + 1);
	return r->several ? 0 : file_create(r, name);
}

static int recorder_init(struct recorder *r)
{
	struct utsname host;

	if (uname(&host) == 0)
		snprintf(r->os, sizeof(r->os), "%s %s", host.sysname, host.release);
	for (unsigned i = 0; i < CHUNKS; i++) {
		r->chunks[i].bytes = malloc(CHUNK);
		if (r->chunks[i].bytes == NULL)
			return -ENOMEM;
	}
	r->kept = calloc(r->cfg.keep != 0 ? r->cfg.keep : 1, sizeof(*r->kept));
	if (r->kept == NULL)
		return -ENOMEM;
	r->is_stdout = strcmp(r->cfg.path, "-") == 0;
	r->several = r->cfg.max_bytes != 0 || r->cfg.every_ns != 0;
	if (r->is_stdout) {
		r->fd = STDOUT_FILENO;
		return 0;
	}
	return open_place(r);
}

int recorder_open(struct recorder **out, const struct recorder_config *cfg, char *why, size_t len)
{
	struct recorder *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	*out = NULL;
	if (r != NULL) {
		r->cfg = *cfg;
		r->dir = r->fd = -1;
		pthread_mutex_init(&r->lock, NULL);
		pthread_cond_init(&r->filled_cond, NULL);
		pthread_cond_init(&r->taken_cond, NULL);
		err = recorder_init(r);
		if (err == 0 && !r->several)
			err = file_start(r, 1, 0);
	}
	if (err != 0) {
		snprintf(why, len, "%s: %s", cfg->path, strerror(-err));
		recorder_close(r);
		return err;
	}
	*out = r;
	return 0;
}

int recorder_give(struct recorder *r, unsigned uid, unsigned gid)
{
	return r->fd >= 0 && r->made && fchown(r->fd, uid, gid) != 0 ? -errno : 0;
}

int recorder_close(struct recorder *r)
{
	if (r == NULL)
		return 0;
	if (r->started) {
		chunk_publish(r);
		pthread_mutex_lock(&r->lock);
		r->finish = true;
		pthread_cond_signal(&r->filled_cond);
		pthread_mutex_unlock(&r->lock);
		pthread_join(r->thread, NULL);
		r->seen_received = r->received;
		r->seen_dropped = r->dropped;
	}
	int end = file_end(r);
	int err = r->error != 0 ? r->error : end;
	if (r->fd >= 0 && !r->is_stdout)
		close(r->fd);
	if (r->dir >= 0)
		close(r->dir);
	for (unsigned i = 0; i < CHUNKS; i++)
		free(r->chunks[i].bytes);
	free(r->kept);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->filled_cond);
	pthread_cond_destroy(&r->taken_cond);
	free(r);
	return err;
}
