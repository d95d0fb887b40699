/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Both ends of a wire for the live tests.
 *   wire send SINK IFACE FRAMES LENGTH QUEUES   numbered frames, round robin over the queues
 *   wire recv SOURCE IFACE FRAMES SECONDS       until so many came or so long nothing did
 * The receiver says "ready" when it is, then checks each frame's bytes, and that within a queue of
 * the sender numbers only rise.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/sink.h"
#include "dataplane/source.h"

#define BATCH      64u
#define QUEUES_MAX 64u
#define ETHERTYPE  0x88b5 /* IEEE 802: for experiments */
#define HEADER     19u    /* Ethernet, number, queue */

static char err[320];

static void fill(uint8_t *p, uint32_t len, uint32_t number, uint8_t queue)
{
	static const uint8_t head[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};

	memcpy(p, head, sizeof(head));
	memcpy(p + 14, &number, sizeof(number));
	p[18] = queue;
	for (uint32_t i = HEADER; i < len; i++)
		p[i] = (uint8_t)(number * 31 + i);
}

static int send_round(struct sink *s, unsigned q, uint32_t first, unsigned n, uint32_t length)
{
	struct frame frames[BATCH];

	int got = sink_alloc(s, q, frames, n < BATCH ? n : BATCH);
	if (got <= 0)
		return got;
	for (int i = 0; i < got; i++) {
		fill(frames[i].data, length, first + (uint32_t)i, (uint8_t)q);
		frames[i].len = length;
	}
	return sink_send(s, q, frames, (unsigned)got);
}

static int run_send(char **argv)
{
	uint32_t frames = (uint32_t)atol(argv[2]), length = (uint32_t)atol(argv[3]), sent = 0;
	const struct sink_config cfg = {.iface = argv[1], .frame_max = length,
					.queues = (unsigned)atol(argv[4])};
	struct sink_stats st;
	struct sink *s;

	if (sink_open(&s, argv[0], &cfg, err, sizeof(err)) != 0) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	for (unsigned q = 0; sent < frames; q = (q + 1) % sink_queues(s)) {
		int n = send_round(s, q, sent, frames - sent, length);
		if (n < 0) {
			fprintf(stderr, "send: %s\n", strerror(-n));
			break;
		}
		sent += (uint32_t)n;
	}
	int flushed = sink_flush(s);
	sink_stats(s, &st);
	printf("sent %" PRIu64 " bytes %" PRIu64 " refused %" PRIu64 " lost %" PRIu64
	       " flush %d mode %s\n",
	       st.frames, st.bytes, st.refused, st.lost, flushed, st.mode);
	sink_close(s);
	return sent == frames && flushed == 0 ? 0 : 1;
}

struct tally {
	uint64_t good, bad, disorder;
	uint64_t next[QUEUES_MAX];
};

static void look(struct tally *t, const struct packet *p)
{
	static uint8_t want[65536];
	uint32_t number;

	if (p->caplen < HEADER || p->data[12] != ETHERTYPE >> 8 || p->data[13] != (ETHERTYPE & 0xff))
		return;
	memcpy(&number, p->data + 14, sizeof(number));
	uint8_t queue = p->data[18] % QUEUES_MAX;
	fill(want, p->caplen, number, queue);
	bool same = p->caplen == p->wirelen && memcmp(want, p->data, p->caplen) == 0;
	t->good += same;
	t->bad += !same;
	t->disorder += number < t->next[queue];
	t->next[queue] = number + 1;
}

static int run_recv(char **argv)
{
	const struct source_config cfg = {.iface = argv[1]};
	uint64_t frames = (uint64_t)atoll(argv[2]);
	struct packet pkts[BATCH];
	struct tally t = {0};
	struct source_stats st;
	struct source *s;
	time_t quiet = time(NULL);

	if (source_open(&s, argv[0], &cfg, err, sizeof(err)) != 0) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (t.good + t.bad < frames && time(NULL) - quiet <= atoll(argv[3])) {
		for (unsigned q = 0; q < source_queues(s); q++) {
			int n = source_recv(s, q, pkts, BATCH);
			for (int i = 0; i < n; i++)
				look(&t, &pkts[i]);
			if (n <= 0)
				continue;
			source_release(s, q, pkts, (unsigned)n);
			quiet = time(NULL);
		}
	}
	source_stats(s, &st);
	printf("good %" PRIu64 " bad %" PRIu64 " disorder %" PRIu64 " dropped %" PRIu64 " mode %s\n",
	       t.good, t.bad, t.disorder, st.n_ifaces > 0 ? st.ifaces[0].dropped : 0, st.mode);
	source_close(s);
	return t.good == frames && t.bad == 0 && t.disorder == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 7 && strcmp(argv[1], "send") == 0)
		return run_send(argv + 2);
	if (argc == 6 && strcmp(argv[1], "recv") == 0)
		return run_recv(argv + 2);
	fputs("wire send SINK IFACE FRAMES LENGTH QUEUES | recv SOURCE IFACE FRAMES SECONDS\n",
	      stderr);
	return 2;
}
