/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sends through one sink, so that sinks can be tested and measured without the rest of replay.
 *
 *   send SINK IFACE COUNT LENGTH [PPS [QUEUES]]
 *
 * COUNT frames of LENGTH bytes (0: of all lengths from 60 to 1514): from 02:00:00:00:00:01,
 * EtherType 0x88b5 (IEEE Std 802, for experiments), then queue, number within the queue and one byte
 * made from both until the end. PPS 0: at once. Prints one JSON object.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/sink.h"

#define BATCH   64
#define QUEUES  16
#define LEN_MIN 60
#define LEN_MAX 1514

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* As bpf/count.bpf.c checks it: what was sent is known from the queue and the number alone. */
static void fill(struct frame *f, uint32_t len, unsigned q, uint64_t number)
{
	static const uint8_t head[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};

	if (len == 0)
		len = LEN_MIN + (uint32_t)(number * 7919 % (LEN_MAX - LEN_MIN + 1));
	memcpy(f->data, head, sizeof(head));
	f->data[14] = (uint8_t)q;
	for (unsigned i = 0; i < 8; i++)
		f->data[15 + i] = (uint8_t)(number >> (56 - 8 * i));
	memset(f->data + 23, (int)(number * 31 + q), len - 23);
	f->len = len;
}

static void print_result(const char *sink, const struct sink_stats *st, uint64_t ns, int error)
{
	printf("{\"sink\":\"%s\",\"mode\":\"%s\",\"frames\":%llu,\"bytes\":%llu,\"refused\":%llu,"
	       "\"lost\":%llu,\"waits\":%llu,\"ns\":%llu,\"timed\":%llu,\"p50_ns\":%llu,"
	       "\"p99_ns\":%llu,\"max_ns\":%llu,\"error\":\"%s\"}\n",
	       sink, st->mode, (unsigned long long)st->frames, (unsigned long long)st->bytes,
	       (unsigned long long)st->refused, (unsigned long long)st->lost,
	       (unsigned long long)st->waits, (unsigned long long)ns,
	       (unsigned long long)st->timed, (unsigned long long)st->late_p50_ns,
	       (unsigned long long)st->late_p99_ns, (unsigned long long)st->late_max_ns,
	       error != 0 ? strerror(-error) : "");
}

struct job {
	uint64_t count;
	uint32_t len;
	double pps;
};

/* 0 or -errno. */
static int send_all(struct sink *s, const struct job *job, uint64_t start)
{
	struct frame frames[BATCH];
	uint64_t numbers[QUEUES] = {0}, done = 0;
	unsigned queues = sink_queues(s), q = 0;

	while (done < job->count) {
		uint64_t left = job->count - done;
		int n = sink_alloc(s, q, frames, left < BATCH ? (unsigned)left : BATCH);
		if (n < 0)
			return n;
		for (int i = 0; i < n; i++, done++) {
			fill(&frames[i], job->len, q, numbers[q]++);
			if (job->pps != 0)
				frames[i].due_ns = start + (uint64_t)((double)done * 1e9 / job->pps);
		}
		int went = n == 0 ? 0 : sink_send(s, q, frames, (unsigned)n);
		if (went < 0)
			return went;
		q = (q + 1) % queues;
	}
	return sink_flush(s);
}

int main(int argc, char **argv)
{
	struct sink_stats st;
	struct sink *s;
	char err[256];

	if (argc < 5)
		return 2;
	struct job job = {.count = strtoull(argv[3], NULL, 10),
			  .len = (uint32_t)atoi(argv[4]),
			  .pps = argc > 5 ? atof(argv[5]) : 0};
	struct sink_config cfg = {.iface = argv[2],
				  .queues = argc > 6 ? (unsigned)atoi(argv[6]) : 1,
				  .frame_max = job.len > LEN_MAX ? job.len : LEN_MAX};
	if ((job.len != 0 && job.len < 24) || cfg.queues > QUEUES)
		return 2;
	int ret = sink_open(&s, argv[1], &cfg, err, sizeof(err));
	if (ret != 0) {
		fprintf(stderr, "%s\n", err);
		return 4;
	}
	uint64_t start = now_ns();
	ret = send_all(s, &job, start);
	uint64_t end = now_ns();
	sink_stats(s, &st);
	print_result(argv[1], &st, end - start, ret);
	sink_close(s);
	return ret != 0 ? 4 : 0;
}
