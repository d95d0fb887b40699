/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Between the reader of a pipeline and its workers; for no one else. */

#include <pthread.h>

#include "dataplane/clock.h"
#include "dataplane/pipeline.h"

#define SECOND_NS 1000000000ULL
#define NO_SHARD FLOW_SHARDS /* a bit that no worker owns */

/*
 * The reader fills blocks in a ring, one source_recv() each. Every worker goes through every block
 * in order and does the packets of its own shards; so each shard sees its packets, and the clock,
 * in arrival order, whatever the number of workers. A block is the reader's again, its packets to
 * be released, when the slowest worker has passed it. With several workers the reader decodes only
 * what it must to know the shard: headers are several times as large as what is handed over.
 */
struct work {
	const struct packet *pkt; /* what to analyse; NULL: nothing but the time */
	uint64_t now_ns;
	uint16_t queue;           /* the packet was received from */
	uint8_t shard;            /* or NO_SHARD */
	bool decoded;             /* its headers are the block's; else the worker is to make them */
};

struct block {
	unsigned n;
	uint64_t tick_ns; /* nothing but the time, where no packet came: n is 0. Else 0 */
	uint64_t bytes; /* captured, of its packets */
	struct packet *pkts;
	struct work *work;
	struct headers *headers;
};

/* A packet of the block that a worker is at, and of its shards. */
struct job {
	const struct work *work;
	const struct headers *h;
	struct flow_probe probe;
};

struct shard {
	_Alignas(64) struct flow_table *flows;
	void *ctx; /* the hooks' */
	const struct pipeline_hooks *hooks;
	struct source *src;
	bool shunting;
	uint64_t shunted_ns; /* time of the last packet that was counted at the source; 0 none */
	uint64_t no_memory;
};

struct worker {
	_Alignas(64) struct pipeline *p;
	uint32_t owned; /* bit per shard */
	pthread_t thread;
	uint64_t next_second_ns; /* of the capture clock: when flows next expire */
	struct job *jobs;        /* room for a batch and one, */
	struct headers *headers; /* and of each, if it is decoded here; NULL with one worker */
	uint64_t done;           /* blocks gone through; under the lock */
};

struct pipeline {
	/* fixed before the workers start */
	struct source *src;
	const struct pipeline_hooks *hooks;
	const struct pipeline_config *cfg;
	unsigned n_workers, batch, n_blocks;
	struct block *blocks;
	struct worker *workers;
	struct shard shards[FLOW_SHARDS];
	/* the reader's own */
	struct decoder *decoder;
	struct capture_clock clock;
	struct merge *merge;       /* of several queues; NULL: there is one */
	uint64_t filled, released; /* blocks */
	uint64_t bytes_out;        /* of the blocks between the two */
	uint64_t packets, batches;
	uint64_t unread, unread_bytes; /* read ahead, and not wanted any more */
	uint64_t told_ns;          /* CLOCK_MONOTONIC: of the last word about progress */
	uint64_t ticked_ns; /* how far the source's own clock moved expiry while it was quiet */
	uint64_t frames; /* numbered here: of sources that do not number theirs */
	bool interrupted;
	/* shared, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t published_cond, done_cond;
	uint64_t published;
	uint64_t wanted; /* blocks: the reader waits until as many are done */
	bool finish;
};

/* Packets between two looks at whether a flow may be shunted. */
#define SHUNT_EVERY 32

/*
 * pipeline_shunt.c: after a packet of the flow, while shunting: begins a shunt, or grants it. Ends one,
 * and tells the hooks what was passed over; f->shunt is 0 afterwards.
 */
void shunt_consider(struct shard *s, struct flow *f, enum dir dir, const struct packet *pkt);
void shunt_settle(struct shard *s, struct flow *f);

/*
 * pipeline_merge.c: the source's queues as one, by time. As source_recv(), and each work's queue is
 * filled. Freed with what was read ahead, which is given back and counted.
 */
int merge_new(struct merge **out, struct source *src, unsigned n_queues, unsigned batch); /* 0, -ENOMEM */
int merge_recv(struct merge *m, struct packet pkts[], struct work work[], unsigned max);
void merge_free(struct merge *m, uint64_t *packets, uint64_t *bytes); /* NULL is fine */

/* 0 or -ENOMEM, then also to be freed. */
int worker_new(struct worker *me);
void worker_free(struct worker *me);
/* Analyses what is the worker's of the block, on the worker's thread. */
void worker_block(struct worker *me, struct block *b);
/* 0 or -errno; *n_started of them run then. With one worker its work is the reader's: none is started. */
int workers_start(struct pipeline *p, unsigned *n_started);
/* Has them do what is left, ends every flow and returns when all is done. */
void workers_finish(struct pipeline *p, unsigned n_started);
