/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Any bytes as a capture: no crash, and the same packets, end and damage whatever the size of windows
 * and batches.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	uint64_t hash, packets, ignored, comments;
	int opened, end;
	unsigned n_damage, n_ifaces;
	struct source_damage why, damage;
};

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static void note(struct outcome *o, const struct packet *pkt)
{
	uint64_t fields[] = {pkt->caplen, pkt->wirelen, pkt->ts_ns, pkt->frame, pkt->linktype,
			     pkt->iface};
	if (pkt->wirelen < pkt->caplen)
		abort();
	o->hash = mix(o->hash, fields, sizeof(fields));
	o->hash = mix(o->hash, pkt->data, pkt->caplen);
	o->packets++;
}

static void read_through(const char *path, size_t window, unsigned max, struct outcome *o)
{
	struct capture_common common;
	struct capture *c;
	struct packet pkts[64], held;
	bool holds = false;
	memset(o, 0, sizeof(*o));
	if (capture_common_init(&common, 1) != 0)
		abort();
	common.pool.block_size = window;
	o->opened = capture_open(&c, &common, path, 0, &o->why);
	while (o->opened == 0 && (o->end = capture_next(c, pkts, max)) > 0) {
		unsigned n = (unsigned)o->end;
		for (unsigned i = 0; i < n; i++)
			note(o, &pkts[i]);
		/* One packet outlives its batch. */
		if (holds)
			capture_release(&held, 1);
		held = pkts[--n];
		holds = true;
		capture_release(pkts, n);
	}
	if (holds)
		capture_release(&held, 1);
	o->ignored = common.ignored_blocks;
	o->comments = common.comments;
	o->n_ifaces = common.n_ifaces;
	o->n_damage = common.n_damage;
	if (o->n_damage > 1 || (o->opened == 0 && o->end != SOURCE_EOF))
		abort();
	if (o->n_damage != 0)
		o->damage = common.damage[0];
	capture_close(c);
	capture_common_free(&common);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[64];
	static struct outcome usual, tiny;
	if (fd < 0) {
		fd = memfd_create("capture", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	read_through(path, 0, 64, &usual);
	read_through(path, 1 + size % 97, 1 + (unsigned)(size % 5), &tiny);
	if (memcmp(&usual, &tiny, sizeof(usual)) != 0)
		abort();
	return 0;
}
