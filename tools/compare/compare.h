/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Two captures of one path, taken at the same time at its two ends. A packet that is in one of them
 * and not in the other was injected or dropped in between, unless the capture that lacks it may
 * have missed it: then nothing is said. One thread.
 *
 *   view      a capture as digests of its packets, in memory taken packet by packet up to a limit
 *   link      the conversations of both captures that are one, also through address translation
 *   clocks    how fast a packet can be from one capture to the other, over time
 *   pair      which packet of one capture is which of the other
 *   stream    the same bytes cut into other segments
 *   conclude  what is left over -> findings
 *   profiles  what the conversations dealt with alike have in common -> a profile of each box
 */

#include <stdint.h>

#include "classifiers/verdict.h"
#include "dataplane/pipeline.h"

enum compare_side { SIDE_CLIENT, SIDE_SERVER, SIDES };

/* Up is from the client's side to the server's. */
enum compare_way { WAY_UP, WAY_DOWN, WAYS };

/* What became of a packet between the two captures. */
enum compare_fate {
	FATE_NONE, /* not examined: its conversation does not go past the other capture */
	FATE_SAME,
	FATE_RESEGMENTED, /* its bytes are there, cut into other segments */
	FATE_DUPLICATED,  /* bytes that were sent, once more */
	FATE_MODIFIED,
	FATE_INJECTED,	/* it arrived and was never sent */
	FATE_DROPPED,	/* it was sent and never arrived */
	FATE_MISSED,	/* the hosts show that the other capture missed it */
	FATE_UNCOVERED, /* the other capture did not run, or not surely, when it should show it */
	FATE_UNKNOWN,	/* too many look-alikes to tell which is which */
	FATE_N
};
extern const char *const compare_fate_name[FATE_N];

/* Header fields that differ between the two copies of a packet; those that routers change are
 * counted. */
enum compare_change {
	CHANGE_TOS = 1 << 0, /* DSCP or ECN */
	CHANGE_IP_ID = 1 << 1,
	CHANGE_DF = 1 << 2,
	CHANGE_FLAGS = 1 << 3,
	CHANGE_WINDOW = 1 << 4,
	CHANGE_MSS = 1 << 5,
	CHANGE_WSCALE = 1 << 6,
	CHANGE_TIMESTAMPS = 1 << 7,
	CHANGE_OPTIONS = 1 << 8, /* kinds or their order */
	CHANGE_PAYLOAD = 1 << 9,
	CHANGE_ADDRESSES = 1 << 10, /* translated */
	CHANGE_LENGTH = 1 << 11,
	CHANGES = 12
};
extern const char *const compare_change_name[CHANGES];

struct compare_clock {
	bool aligned;	   /* a packet was found in both captures */
	bool both_ways;	   /* in each direction; else what follows is not known, and one way is
			      compared */
	int64_t offset_ns; /* of the server's clock against the client's, if both ways are equally
			      long */
	int64_t offset_error_ns; /* at most so far off: half of the quickest round trip */
	uint64_t rtt_ns;	 /* quickest round trip between the two captures */
	double drift_ppm;
	unsigned steps; /* jumps of one clock against the other */
	int64_t largest_step_ns;
};

struct compare_totals {
	uint64_t fates[FATE_N]; /* of packets sent (dropped …) and, injected and duplicated,
				   received */
	uint64_t sent, received, reordered, delayed;
	uint64_t changed[CHANGES];
	uint64_t slowest_ns; /* transit beyond the quickest */
};

/* A packet that a finding names, and where it is in the two captures. */
struct compare_packet {
	enum compare_fate fate;
	uint64_t frame[SIDES]; /* 0: not there */
	unsigned changed;      /* enum compare_change, or'ed */
	uint32_t from, to; /* payload bytes that differ lie in [from, to); from == to: none, or not
			      known */
};

/* Beside a finding: which packets. */
struct compare_note {
	struct compare_packet *packets;
	unsigned n_packets;
	uint32_t conversation; /* the same number for both captures' halves of one */
};

struct compare_config {
	uint32_t max_packets; /* of one capture; 0: 4 Mi */
	uint64_t max_bytes;   /* of payload kept of one capture; 0: 128 MiB */
	/* Addresses that are at an end, their packets captured, though none reached the other one.
	 */
	const struct ip_addr *ends[SIDES];
	unsigned n_ends[SIDES];
};

struct comparison;
struct study; /* tools/study/study.h */
int comparison_new(struct comparison **out, const struct compare_config *cfg); /* 0 or -errno */
void comparison_free(struct comparison *c);				       /* NULL is fine */
/* For pipeline_run() with one worker, once a side. */
const struct pipeline_hooks *comparison_hooks(struct comparison *c, enum compare_side side);
/* Once a side after that: stats as pipeline_run() left them; file must outlive the comparison. */
void comparison_captured(struct comparison *c, enum compare_side side, const char *const *file,
			 const struct pipeline_stats *stats, int failed);
/* Pairs and concludes. 0 or -errno. */
int comparison_run(struct comparison *c);
/* The findings as a model that reports are written from; the comparison's. */
struct analysis *comparison_analysis(struct comparison *c);
/* What the boxes between the two did, and by which rule; without a table of names. The comparison's. */
const struct study *comparison_study(const struct comparison *c);
const struct compare_clock *comparison_clock(const struct comparison *c);
const struct compare_totals *comparison_totals(const struct comparison *c, enum compare_way way);
/* Conversations found in both captures, and those of one alone that should be in both, or need not.
 */
void comparison_links(const struct comparison *c, uint64_t *both, uint64_t *lone,
		      uint64_t *elsewhere);
/* The capture shows gaps of its own: what it lacks may have been there. */
bool comparison_lossy(const struct comparison *c, enum compare_side side);
