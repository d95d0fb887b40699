/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sends through one sink, so that sinks can be tested and measured without the rest of replay.
 *
 *   send SINK IFACE COUNT LENGTH [PPS [QUEUES]]
 *
 * COUNT frames of LENGTH bytes: from 02:00:00:00:00:01, EtherType 0x88b5 (IEEE Std 802, for
 * experiments), then queue, number within the queue and a pattern made from both. PPS 0: at once.
 * Prints one JSON object.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/sink.h"

#define BATCH 64

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void fill(struct frame *f, uint32_t len, unsigned q, uint64_t number)
{
	static const uint8_t head[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};

	memcpy(f->data, head, sizeof(head));
	f->data[14] = (uint8_t)q;
	for (unsigned i = 0; i < 8; i++)
		f->data[15 + i] = (uint8_t)(number >> (56 - 8 * i));
	memset(f->data + 23, (int)(number * 31 + q), len - 23);
	f->len = len;
}

int main(int argc, char **argv)
{
	struct frame frames[BATCH];
	struct sink_stats st;
	struct sink *s;
	char err[256];

	if (argc < 5)
		return 2;
	uint64_t count = strtoull(argv[3], NULL, 10), sent = 0, refused = 0;
	uint32_t len = (uint32_t)atoi(argv[4]);
	double pps = argc > 5 ? atof(argv[5]) : 0;
	struct sink_config cfg = {.iface = argv[2],
				  .queues = argc > 6 ? (unsigned)atoi(argv[6]) : 1,
				  .frame_max = len > 1514 ? len : 0};
	if (len < 24)
		return 2;
	int ret = sink_open(&s, argv[1], &cfg, err, sizeof(err));
	if (ret != 0) {
		fprintf(stderr, "%s\n", err);
		return 4;
	}
	unsigned queues = sink_queues(s), q = 0;
	uint64_t numbers[64] = {0}, start = now_ns();
	while (sent + refused < count) {
		uint64_t left = count - sent - refused;
		int n = sink_alloc(s, q, frames, left < BATCH ? (unsigned)left : BATCH);
		if (n < 0) {
			ret = n;
			break;
		}
		for (int i = 0; i < n; i++) {
			fill(&frames[i], len, q, numbers[q]++);
			frames[i].due_ns = pps == 0 ? 0 : start + (uint64_t)((double)(sent + refused +
					(unsigned)i) * 1e9 / pps);
		}
		int went = n == 0 ? 0 : sink_send(s, q, frames, (unsigned)n);
		if (went < 0) {
			ret = went;
			break;
		}
		sent += (unsigned)went;
		refused += (unsigned)(n - went);
		q = (q + 1) % queues;
	}
	int flushed = sink_flush(s);
	uint64_t end = now_ns();
	sink_stats(s, &st);
	printf("{\"sink\":\"%s\",\"mode\":\"%s\",\"frames\":%llu,\"bytes\":%llu,\"refused\":%llu,"
	       "\"lost\":%llu,\"waits\":%llu,\"ns\":%llu,\"timed\":%llu,\"late_ns\":[%llu,%llu,%llu],"
	       "\"error\":\"%s\"}\n", argv[1], st.mode, (unsigned long long)st.frames,
	       (unsigned long long)st.bytes, (unsigned long long)st.refused,
	       (unsigned long long)st.lost, (unsigned long long)st.waits,
	       (unsigned long long)(end - start), (unsigned long long)st.timed,
	       (unsigned long long)st.late_p50_ns, (unsigned long long)st.late_p99_ns,
	       (unsigned long long)st.late_max_ns,
	       ret != 0 || flushed != 0 ? strerror(-(ret != 0 ? ret : flushed)) : "");
	sink_close(s);
	return ret != 0 || flushed != 0 ? 4 : 0;
}
