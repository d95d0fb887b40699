/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counts and drops what arrives at an interface, with an XDP program in its driver:
 *
 *   count IFACE [pass]
 *
 * pass: counts and leaves it to the host.
 * Prints "ready", then for each line on its input one JSON object of what arrived since the last
 * one; ends with the input. ns is the time that `timed` of the frames took. A number on the line is
 * the gap in ns that is expected from then on, and the next object tells how far gaps were from it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/count.h"
#include "bpf/count.skel.h"

static unsigned long long quantile(const struct count_gaps *g, double p)
{
	uint64_t rank = (uint64_t)((double)g->n * p), below = 0;

	for (unsigned b = 0; b < REPLAY_BUCKETS; b++) {
		below += g->errors[b];
		if (below > rank)
			return replay_bucket_end(b);
	}
	return 0;
}

static void print_counts(const struct count_queue q[], const struct count_gaps *g)
{
	unsigned long long frames = 0, bytes = 0, first = 0, last = 0, disordered = 0, changed = 0;
	unsigned long long timed = 0;

	for (unsigned i = 0; i < COUNT_QUEUES; i++) {
		if (q[i].frames == 0)
			continue;
		frames += q[i].frames;
		bytes += q[i].bytes;
		timed += q[i].timed;
		disordered += q[i].disordered;
		changed += q[i].changed;
		if (first == 0 || q[i].first_ns < first)
			first = q[i].first_ns;
		if (q[i].last_ns > last)
			last = q[i].last_ns;
	}
	printf("{\"frames\":%llu,\"bytes\":%llu,\"ns\":%llu,\"timed\":%llu,\"disordered\":%llu,"
	       "\"changed\":%llu,\"queues\":[",
	       frames, bytes, last - first, timed, disordered, changed);
	const char *comma = "";
	for (unsigned i = 0; i < COUNT_QUEUES; i++) {
		if (q[i].frames != 0)
			printf("%s{\"queue\":%u,\"received\":%llu}", comma, i,
			       (unsigned long long)q[i].frames);
		comma = q[i].frames != 0 ? "," : comma;
	}
	printf("],\"gap_error_ns\":{\"n\":%llu,\"p50\":%llu,\"p99\":%llu,\"max\":%llu}}\n",
	       (unsigned long long)g->n, quantile(g, 0.5), quantile(g, 0.99),
	       (unsigned long long)g->max_ns);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	char line[32];

	if (argc < 2)
		return 2;
	struct count *skel = count__open();
	if (skel != NULL && argc > 2)
		skel->rodata->verdict = XDP_PASS;
	if (skel == NULL || count__load(skel) != 0) {
		perror("loading the program");
		return 4;
	}
	/* A link goes with the process, however that ends. */
	int link = bpf_link_create(bpf_program__fd(skel->progs.count_frame),
				   (int)if_nametoindex(argv[1]), BPF_XDP, &opts);
	if (link < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-link));
		return 4;
	}
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		print_counts(skel->bss->counts, &skel->bss->gaps);
		memset(skel->bss, 0, sizeof(*skel->bss));
		skel->bss->gaps.asked_ns = strtoull(line, NULL, 10);
	}
	count__destroy(skel);
	return 0;
}
