/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What two CPUs count of one flow while it is shunted, ended and shunted again: each has a direction, and
 * every frame that the program kept from the sockets is told of exactly once.
 *
 *   shunt_race ROUNDS
 *
 * The kernel runs the program over the frames; no interface is touched. 77 where it may not be loaded.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/steer.h"
#include "bpf/steer.skel.h"
#include "dataplane/xdp_shunt.h"

#define FRAME  60
#define REPEAT 2000 /* frames of one system call */
#define ENOUGH   20 /* of so many shunts one must have both directions */
#define PATIENCE 20 /* times as many as were asked for, until it has */

static const uint8_t ack_frame[FRAME] = {
	2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
	0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
	0x9c, 0x40, 1, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10};

struct sender {
	int prog;
	uint8_t frame[FRAME];
	_Atomic uint64_t runs;
	int error;
};

static atomic_bool finish;

static void *send_all(void *arg)
{
	struct sender *s = arg;

	while (!atomic_load(&finish) && s->error == 0) {
		LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = s->frame, .data_size_in = FRAME,
			    .repeat = REPEAT);
		s->error = bpf_prog_test_run_opts(s->prog, &run);
		atomic_fetch_add(&s->runs, 1);
	}
	return NULL;
}

/* Both have begun another system call since, so each sent what it did after this was called. */
static void wait_for(struct sender s[2])
{
	static const struct timespec a_little = {.tv_nsec = 20000};
	uint64_t runs[2] = {atomic_load(&s[0].runs), atomic_load(&s[1].runs)};

	for (int i = 0; i < 2; i++)
		while (atomic_load(&s[i].runs) < runs[i] + 2 && s[i].error == 0)
			nanosleep(&a_little, NULL);
}

static uint64_t dropped(struct steer *skel)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t n[1024] = {0}, sum = 0;
	uint32_t key = STEER_SHUNTED;

	if (cpus < 1 || cpus > 1024 || bpf_map_lookup_elem(bpf_map__fd(skel->maps.counts), &key, n) != 0)
		return UINT64_MAX;
	for (int i = 0; i < cpus; i++)
		sum += n[i];
	return sum;
}

/* Frames that were told of, all shunts together; both: shunts in which both directions were counted. */
static uint64_t race(struct xdp_shunt *shunt, struct sender s[2], unsigned rounds, unsigned *both)
{
	struct shunt_flow flow = {.port = {40000, 443}};
	struct shunt_counts c;
	uint64_t told = 0;
	uint32_t ticket;

	for (int d = 0; d < 2; d++) {
		flow.addr[d][10] = flow.addr[d][11] = 0xff;
		memcpy(flow.addr[d] + 12, ack_frame + 26 + 4 * d, 4);
		flow.side[d] = (struct shunt_side){.ttl = 64, .df = true};
	}
	/* A busy machine has both at it seldom. */
	for (unsigned i = 0; i < rounds || (*both < rounds / ENOUGH && i < rounds * PATIENCE); i++) {
		if (xdp_shunt_begin(shunt, &flow, &ticket) != 0)
			return UINT64_MAX;
		wait_for(s);
		xdp_shunt_grant(shunt, ticket);
		if (i % 2 == 0)
			wait_for(s);
		if (xdp_shunt_end(shunt, &flow, ticket, &c) != 0)
			return UINT64_MAX;
		told += c.side[0].packets + c.side[1].packets;
		*both += c.side[0].packets != 0 && c.side[1].packets != 0;
	}
	return told;
}

static int run(struct steer *skel, unsigned rounds)
{
	struct sender s[2] = {{.prog = bpf_program__fd(skel->progs.steer)}};
	struct xdp_shunt *shunt;
	pthread_t threads[2];
	unsigned both = 0;

	s[1].prog = s[0].prog;
	for (int d = 0; d < 2; d++) {
		memcpy(s[d].frame, ack_frame, FRAME);
		memcpy(s[d].frame + 26, ack_frame + (d == 0 ? 26 : 30), 4);
		memcpy(s[d].frame + 30, ack_frame + (d == 0 ? 30 : 26), 4);
		memcpy(s[d].frame + 34, ack_frame + (d == 0 ? 34 : 36), 2);
		memcpy(s[d].frame + 36, ack_frame + (d == 0 ? 36 : 34), 2);
	}
	if (xdp_shunt_open(&shunt, skel, 0, FRAME) != 0)
		return 4;
	for (int d = 0; d < 2; d++)
		if (pthread_create(&threads[d], NULL, send_all, &s[d]) != 0)
			abort();
	uint64_t told = race(shunt, s, rounds, &both);
	atomic_store(&finish, true);
	for (int d = 0; d < 2; d++)
		pthread_join(threads[d], NULL);
	xdp_shunt_close(shunt);
	printf("%llu frames dropped, %llu told of; both directions in %u shunts, of %u at least\n",
	       (unsigned long long)dropped(skel), (unsigned long long)told, both, rounds);
	if (s[0].error != 0 || s[1].error != 0)
		return 4;
	return told == dropped(skel) && both >= rounds / ENOUGH ? 0 : 1;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc == 2 ? (unsigned)atoi(argv[1]) : 0;
	struct steer *skel = steer__open();

	if (rounds == 0 || skel == NULL)
		return 2;
	skel->rodata->shunting = true;
	skel->rodata->stamp_key = 1;
	int failed = steer__load(skel);
	if (failed != 0) {
		printf("SKIP: the program cannot be loaded: %s\n", strerror(-failed));
		steer__destroy(skel);
		return failed == -EPERM ? 77 : 4;
	}
	int ret = run(skel, rounds);
	steer__destroy(skel);
	return ret;
}
