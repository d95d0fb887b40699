/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Private to the inspector: what its two halves, the flows of a shard and the analysis, share. */

#include <pthread.h>

#include "classifiers/arena.h"
#include "classifiers/inspector.h"
#include "classifiers/tamper/judge.h"
#include "dataplane/reassembly.h"

#define CLASSIFIERS_MAX 16

/* A flow that may have a finding, until the context is complete. */
struct kept_flow {
	struct flow_record *rec;
	struct evidence ev;
};

/* Classifiers' state: dear to make, so one for all shards that share a thread. */
struct classifier_group {
	void *state[CLASSIFIERS_MAX];  /* NULL until the group's first flow asks */
	bool refused[CLASSIFIERS_MAX]; /* shard_open failed */
	unsigned shards;               /* of the group that are open: the last one closes */
};

struct shard {
	struct inspector *in;
	struct classifier_group *group;
	struct reassembly_pool pool;
	struct arena arena;
	struct context_shard *context;
	struct judge *judge;
	size_t kept_bytes;  /* of flows whose evidence is kept until the context is known */
	uint64_t not_kept;
	struct evidence_counters counters;
	struct recent_frames recent;
	struct kept_flow *kept;
	size_t n_kept, room_kept;
	struct flow_record **records;
	size_t n_records, room_records;
	uint64_t untouched; /* flows that left counters only */
	uint64_t no_memory;
};

struct inspector {
	struct analysis pub; /* first: the model is handed out */
	struct analysis_config cfg;
	struct pipeline_hooks hooks;
	pthread_mutex_t open_lock; /* classifiers are opened one at a time in a process */
	const struct classifier *classifiers[CLASSIFIERS_MAX];
	size_t state_offset[CLASSIFIERS_MAX];
	unsigned n_classifiers;
	size_t state_size;
	struct shard *shards[FLOW_SHARDS];
	struct classifier_group groups[FLOW_GROUPS];
	struct arena arena;
	struct judge *judge;
	struct context **contexts; /* one a capture */
	struct kept_flow *kept;    /* of all captures, in the order of their flows */
	size_t n_kept, room_kept, room_flows;
};

/* The pipeline's hooks; user is the inspector, shard a struct shard. */
void *shard_new(void *user, unsigned index);
void shard_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		  const struct headers *h, uint64_t now_ns);
void shard_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		const struct headers *h);
void shard_flow_end(void *shard, struct flow *f, enum flow_end why);
void shard_free(void *user, void *shard);

/* Grows a list to hold need entries; *room stays below need when memory is short. */
void keep_room(void **list, size_t *room, size_t need, size_t size);
