/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * source -> decode -> flow -> hooks. Sixteen shards by unordered address pair, each with its own
 * flow table and the hooks' own shard context; the result does not depend on batch size or workers.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/decode.h"
#include "dataplane/flow.h"
#include "dataplane/source.h"

/*
 * The inspector fills these; may_shunt and on_shunted may be NULL. shard is what shard_new returned.
 * shard_new and shard_free are called on pipeline_run()'s thread, in order of shards; the others on
 * the shard's worker, which with one worker is the same thread. Within a shard the order is that of
 * arrival.
 */
struct pipeline_hooks {
	void *user;
	void *(*shard_new)(void *user, unsigned shard); /* NULL: out of memory */
	/* now_ns: capture clock. The flow already counts the packet. */
	void (*on_packet)(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
			  const struct headers *h, uint64_t now_ns);
	/* An ICMP error that quotes a packet sent in direction dir of f. */
	void (*on_icmp)(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
			const struct headers *h);
	void (*on_flow_end)(void *shard, struct flow *f, enum flow_end why);
	void (*shard_free)(void *user, void *shard); /* after the shard's last flow ended */
	/*
	 * Whether the flow needs none of its further packets as long as they are in character; fills
	 * out but for its ends. NULL: every packet is needed. With may_shunt goes on_shunted: packets that
	 * were passed over, before the next one or the flow's end; the flow counts them already. h is
	 * of counts->last.
	 */
	bool (*may_shunt)(void *shard, const struct flow *f, struct shunt_flow *out);
	void (*on_shunted)(void *shard, struct flow *f, const struct shunt_counts *counts,
			   const struct headers h[]);
	size_t scratch_near; /* bytes at flow.scratch that on_packet will want; may be more than are there */
	/*
	 * Most of the time called two packets before on_packet, of a flow that has scratch: prefetches what
	 * that will want, and nothing else. It may be of another flow, or of one that has ended: so
	 * on_flow_end leaves no scratch behind that is gone. May be NULL.
	 */
	void (*flow_soon)(const void *shard, const struct flow *f, const struct headers *h);
};

struct pipeline_config {
	unsigned workers; /* 0: 1; at most FLOW_SHARDS */
	unsigned batch;   /* packets asked of the source at once; 0: 64; at most 1024 */
	uint32_t max_flows; /* over all shards; 0: 1 Mi */
	bool shunt; /* flows may be counted at the source, if it was opened for that */
	uint64_t stop_after; /* packets; 0 no limit */
	const atomic_bool *stop; /* becomes true: input ends, flows end, the report is written */
	/* Sees every packet before it is analysed, on pipeline_run()'s thread; may be NULL. */
	void (*tap)(void *user, const struct packet pkts[], unsigned n);
	void *tap_user;
	/* Now and then, also while nothing comes, on pipeline_run()'s thread; may be NULL. */
	void (*progress)(void *user, const struct source_stats *st, uint64_t now_ns);
	void *progress_user;
};

/* How every packet ended: the sum of ends[] plus fragments equals source received. */
struct pipeline_stats {
	struct source_stats source; /* ifaces and damage pointers are valid until source_close() */
	struct decoder_stats decoder;
	struct flow_table_stats flows; /* summed over shards */
	uint64_t no_memory;       /* packets that no flow could be made for */
	uint64_t time_backwards;  /* packets stamped before the capture clock */
	uint64_t time_jump;       /* packets over an hour ahead of it that it did not follow */
	uint64_t first_ns, last_ns; /* of the capture clock; 0 without packets */
	bool interrupted;
};

/* Runs to the end of the source. 0, or -errno of the source (stats are filled even then). */
int pipeline_run(struct source *src, const struct pipeline_hooks *hooks,
		 const struct pipeline_config *cfg, struct pipeline_stats *stats);
