/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * read read FILE      every packet received and given back, nothing else
 * read decode FILE    and decoded
 *
 * Prints packets, bytes and CPU seconds, the start of the program not included.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dataplane/decode.h"
#include "dataplane/source.h"

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* What is added up keeps the work from being left out by the compiler. */
static uint64_t decode_batch(const struct packet pkts[], int n)
{
	uint64_t sum = 0;
	struct headers h;

	for (int i = 0; i < n; i++) {
		packet_decode(&pkts[i], &h);
		sum += h.payload_len;
	}
	return sum;
}

int main(int argc, char **argv)
{
	struct packet pkts[64];
	struct source *src;
	uint64_t packets = 0, bytes = 0, payload = 0;
	char why[320];
	int n;

	if (argc != 3 || (strcmp(argv[1], "read") != 0 && strcmp(argv[1], "decode") != 0)) {
		fputs("usage: read read|decode FILE\n", stderr);
		return 2;
	}
	const char *path = argv[2];
	bool decode = strcmp(argv[1], "decode") == 0;
	struct source_config cfg = {.files = &path, .n_files = 1};
	if (source_open(&src, NULL, &cfg, why, sizeof(why)) != 0) {
		fprintf(stderr, "error: %s\n", why);
		return 1;
	}
	double start = seconds();
	while ((n = source_recv(src, 0, pkts, 64)) >= 0) {
		packets += (unsigned)n;
		for (int i = 0; i < n; i++)
			bytes += pkts[i].caplen;
		if (decode)
			payload += decode_batch(pkts, n);
		source_release(src, 0, pkts, (unsigned)n);
	}
	double took = seconds() - start;
	source_close(src);
	printf("{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"payload\":%" PRIu64
	       ",\"cpu\":%.6f}\n",
	       packets, bytes, payload, took);
	return n == SOURCE_EOF ? 0 : 1;
}
