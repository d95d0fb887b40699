/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/now.h"
#include "tools/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define EVERY_NS 200000000

void progress_start(struct progress *p, bool on, unsigned n_files)
{
	*p = (struct progress){.on = on && isatty(STDERR_FILENO), .file = 1, .n_files = n_files};
	if (p->on)
		p->started_ns = clock_ns(CLOCK_MONOTONIC);
}

static uint64_t lost(const struct source_stats *st)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < st->n_ifaces; i++)
		sum += st->ifaces[i].dropped != UINT64_MAX ? st->ifaces[i].dropped : 0;
	return sum;
}

void progress_show(void *user, const struct source_stats *st, uint64_t now_ns)
{
	struct progress *p = user;

	(void)now_ns;
	if (!p->on)
		return;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	if (now - p->shown_ns < EVERY_NS)
		return;
	p->shown_ns = now;
	double seconds = (double)(now - p->started_ns) / 1e9;
	uint64_t packets = p->packets_before + st->received;
	fprintf(stderr, "\r\033[K%" PRIu64 " packets, %.0f a second, %" PRIu64 " lost in capture",
		packets, seconds > 0 ? (double)packets / seconds : 0, lost(st));
	if (p->n_files > 1)
		fprintf(stderr, ", file %u of %u", p->file, p->n_files);
	if (st->file_bytes > 0 && st->read_bytes > 0 && st->read_bytes <= st->file_bytes) {
		double done = (double)st->read_bytes / (double)st->file_bytes;
		fprintf(stderr, ", %.0f%%", done * 100);
		if (p->n_files == 1)
			fprintf(stderr, ", %.0f s left", seconds / done - seconds);
	}
	fflush(stderr);
}

void progress_next(struct progress *p, uint64_t packets)
{
	progress_clear(p);
	p->file++;
	p->packets_before += packets;
}

void progress_clear(struct progress *p)
{
	if (p->shown_ns != 0)
		fputs("\r\033[K", stderr);
	p->shown_ns = 0;
}
