/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Private to the inspector: what its two halves, the flows of a shard and the analysis, share. */

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "classifiers/arena.h"
#include "classifiers/attempt.h"
#include "classifiers/inspector.h"
#include "classifiers/packed.h"
#include "classifiers/slab.h"
#include "classifiers/tamper/judge.h"
#include "classifiers/tamper/rate.h"
#include "dataplane/reassembly.h"

#define CLASSIFIERS_MAX 16

/* A flow or exchange that may have a finding, until the context is complete. */
struct kept_flow {
	struct flow_record *rec;
	struct exchange *ex;     /* owned; NULL: the TCP connection, of which ev is */
	struct slab_set *blocks; /* that this struct and ev's events are in */
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
	struct flow_slabs {
		struct slab tcp, other; /* struct flow_scratch with evidence, and without */
		struct slab busy, facts, stream;
		struct slab_set any; /* what differs in size: events, packed facts */
	} slabs;
	struct reassembly_pool pool;
	struct rate_pool rates;
	struct arena arena; /* of records and what they point to */
	struct arena names; /* of attempts: sorted by what is in it, they are looked at all over it */
	struct context_shard *context;
	struct judge *judge;
	struct facts_room *room;
	struct label said;  /* what classifiers are given to write to; zero between two of their calls */
	size_t kept_bytes;  /* of flows whose evidence is kept until the context is known */
	uint64_t not_kept, not_judged, not_listed; /* of struct inspector_stats */
	struct attempts attempts;
	struct evidence_counters counters;
	struct evidence_room evidence;
	struct kept_flow **kept;
	size_t n_kept, room_kept;
	struct slab_set *kept_blocks; /* the inspector's: judged in this order, they give back page by page */
	struct flow_record **records;
	size_t n_records, room_records;
	size_t n_busy;      /* live flows that are not decided */
	uint64_t untouched; /* flows that left counters only */
	uint64_t no_memory;
};

/* What classifiers need of a flow, until all of them have decided. */
struct flow_busy {
	struct app_facts *facts;  /* NULL while they rest, or nothing was ever read */
	struct packed *resting;   /* the facts, of a flow that waits among many; else NULL */
	struct reassembly *stream[2]; /* first bytes, by enum dir, while one packet was not enough */
	struct labels *labels;    /* NULL until a classifier said something */
	uint32_t wants_packets;   /* bit per classifier that still wants this flow's packets */
	uint32_t wants_stream[2]; /* … its bytes, by enum dir */
	uint32_t decoy_end;       /* sequence number after the decoys that were read; with decoyed */
	bool decoyed, plain;      /* the client's payload so far: decoys were read; others were */
	_Alignas(max_align_t) uint8_t state[]; /* the classifiers' own, one after the other */
};

/* What the inspector keeps of a live flow. */
struct flow_scratch {
	struct flow_busy *busy;   /* NULL once all is decided: then packed holds what was said */
	struct packed *packed;    /* NULL: nothing was said */
	struct exchange *kept;    /* finished ones that may have a finding; linked by next */
	struct quic_rate *quic;   /* of an opened QUIC connection; NULL: none, or no rates are asked for */
	struct evidence ev;       /* of TCP: other flows have no room for it */
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
	uint32_t packet_classifiers[2]; /* bit per classifier; [1]: those that TCP is offered to */
	uint32_t stream_classifiers;
	uint32_t foreign;    /* bit per classifier of a plug-in */
	bool hears_all;      /* plug-ins have signatures: what these look for nobody here knows */
	struct shard *shards[FLOW_SHARDS];
	atomic_size_t room_used; /* of cfg.room, by all shards */
	struct classifier_group groups[FLOW_GROUPS];
	struct arena arena, names; /* as the shards' */
	struct judge *judge;
	struct context **contexts; /* one a capture */
	struct kept_flow **kept;   /* of all captures, in the order of their flows */
	struct slab_set kept_blocks[FLOW_SHARDS]; /* that they are in, by their shard */
	size_t n_kept, room_kept, room_flows, room_attempts;
};

/* The pipeline's hooks; user is the inspector, shard a struct shard. */
void *shard_new(void *user, unsigned index);
void shard_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		  const struct headers *h, uint64_t now_ns);
void shard_soon(const void *shard, const struct flow *f, const struct headers *h);
void shard_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		const struct headers *h);
void shard_flow_end(void *shard, struct flow *f, enum flow_end why);
void shard_free(void *user, void *shard);
/* pass.c: the same, of packets that are counted at the source (dataplane/shunt.h). */
bool shard_may_shunt(void *shard, const struct flow *f, struct shunt_flow *out);
void shard_shunted(void *shard, struct flow *f, const struct shunt_counts *counts,
		   const struct headers h[]);

/* scratch.c: what a live flow owns. */
void scratch_open(struct shard *s);
void scratch_close(struct shard *s); /* after the last flow's end */
struct flow_scratch *scratch_new(struct shard *s, const struct flow *f); /* NULL: no memory, counted */
void scratch_free(struct shard *s, struct flow_scratch *x, const struct flow *f);
/* Before x->busy->facts are looked at. False: no memory, counted; they rest on. */
bool scratch_wake(struct shard *s, struct flow_busy *b);
/* After its facts were fed; once nobody wants any more of the flow, what was said is put away. */
void scratch_settle(struct shard *s, struct flow_scratch *x, bool tcp);

/* inspector.c: finished exchanges of x->facts: counted, and kept where they may have a finding. */
void shard_take_exchanges(struct shard *s, struct flow_scratch *x, const struct flow *f);

/*
 * feed.c: a packet to the classifiers of packets; payload to those of streams; ICMP errors. The flow
 * is busy, and is so afterwards.
 */
void feed_packets(struct shard *s, struct flow_scratch *x, const struct flow *f, enum dir dir,
		  const struct packet *pkt, const struct headers *h);
void feed_payload(struct shard *s, struct flow_scratch *x, const struct flow *f, enum dir dir,
		  const struct packet *pkt, const struct headers *h);
/* Before feed_payload(), of a TCP flow: false if nobody is to read this payload. */
bool feed_may_read(struct shard *s, struct flow_busy *b, const struct evidence *ev, enum dir dir,
		   const struct headers *h);
void feed_icmp(struct shard *s, struct flow_scratch *x, const struct flow *f, enum dir dir,
	       const struct packet *pkt, const struct headers *h);
/* Nobody asks classifier i about the flow again: its last word. */
void feed_decide(struct shard *s, struct flow_scratch *x, const struct flow *f, unsigned i);
bool feed_wanted(const struct flow_busy *b, unsigned i); /* classifier i wants any more of it */
void feed_close(struct shard *s, struct flow_busy *b, enum dir dir); /* frees its stream */
/* No more bytes of this direction can be had: to those who wanted more. */
void feed_end(struct shard *s, struct flow_scratch *x, const struct flow *f, enum dir dir);

/* Frees what a kept flow owns. */
void kept_free(struct kept_flow *k);

/* Grows a list to hold need entries; *room stays below need when memory is short. */
void keep_room(void **list, size_t *room, size_t need, size_t size);
