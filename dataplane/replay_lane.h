/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Private to replay*.c: what one thread does, with one queue of each port. */

#include <pthread.h>

#include "dataplane/replay.h"
#include "dataplane/replay_held.h"
#include "dataplane/replay_side.h"

#define LANE_BATCH 64u

/* Frames of a sink from alloc to send. */
struct outbox {
	struct sink *sink;
	const struct sink_ops *ops;
	const struct rewrite_macs *macs;
	struct frame frames[LANE_BATCH];
	unsigned allocated, filled, want;
};

struct lane {
	const struct replay_config *cfg;
	unsigned q, queues;
	uint64_t start_ns;      /* due time of the first packet */
	struct source *source;
	struct sides *sides;    /* NULL: one port */
	struct held *held;      /* NULL: packets are read and written anew in each loop */
	struct outbox out[REPLAY_PORTS];
	struct pace pace;
	struct pace_sleeper sleeper;
	uint64_t horizon_ns;    /* what is due until then a sink that paces may have already */
	uint64_t loop;
	unsigned file;
	atomic_bool *failed;    /* of all lanes: one has */
	int error;              /* of this one, and why */
	char why[320];
	struct replay_stats stats;
	pthread_t thread;
};

/* 0 or -errno. cfg, the sinks and *failed outlive it. */
int lane_new(struct lane **out, const struct replay_config *cfg, struct sink *const sinks[],
	     unsigned q, unsigned queues, atomic_bool *failed);
/* On the thread that opened the sinks: what can be done before the clock starts. */
void lane_prepare(struct lane *l);
void lane_run(struct lane *l); /* the whole replay; what failed is in l */
void lane_free(struct lane *l); /* NULL is fine */

/* For replay_held.c. Every capture from its first packet to its last. */
void lane_read_all(struct lane *l, void (*each)(struct lane *l, const struct packet *pkt));
/* Whether a packet goes by this queue. */
bool lane_takes(const struct lane *l, const struct packet *pkt);
bool lane_stopped(const struct lane *l);
/* Waits, where the sink paces, until this time is near. False: it was stopped before. */
bool lane_approach(struct lane *l, uint64_t due_ns);
void lane_fail(struct lane *l, int err, const char *what);
enum replay_end lane_end_of(enum rewrite_end end);
void lane_stretch(uint64_t range[2], uint64_t t);
