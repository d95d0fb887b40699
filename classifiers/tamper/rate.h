/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How fast a connection's data went, and whether something held it to a rate.
 *
 * Data segments are logged only for flows that earn it, in blocks of a fixed pool a shard; a flow that
 * the pool has no room for is not testable, and counted. At the flow's end the log becomes a few
 * numbers (struct rate_facts, struct goodput) and its blocks go back.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/arena.h"
#include "classifiers/tamper/evidence.h"
#include "classifiers/verdict.h"

/* A flow earns a log by this many segments sent again, or bytes of payload, in one direction. */
#define RATE_EARN_RETX 15
#define RATE_EARN_BYTES 100000u

#define RATE_BLOCK 256          /* segments */
#define RATE_FLOW_BLOCKS 64     /* a flow's first 16,384 segments: some 24 MB */
#define RATE_POOL_BYTES (4u << 20) /* a shard */
#define RATE_GOODPUT_BYTES (2u << 20) /* a shard, for the goodput that outlives its flow */

enum rate_bits {
	RATE_RETX = 1 << 0,     /* all of its bytes had been sent before */
	RATE_HOLE = 1 << 1,     /* not captured: bytes that were missing when later ones came by */
	RATE_FILLED = 1 << 2,   /* of a hole: they came after all, later than reordering explains */
	RATE_SPURIOUS = 1 << 3, /* the receiver said that it had them already (RFC 2883) */
	RATE_LOST = 1 << 4,     /* decided at the end: it had to be sent again */
};

#define RATE_UNACKED UINT32_MAX

/* One segment as the wire carried it. */
struct rate_segment {
	uint64_t ts_ns;
	uint32_t seq;           /* from the direction's first payload byte */
	uint32_t ack_us;        /* until it was acknowledged; RATE_UNACKED */
	uint32_t frame;         /* of a hole: the packet that showed it */
	uint16_t len;
	uint8_t bits;           /* enum rate_bits */
};

/* A shard's; zeroed before use but for its budgets. */
struct rate_pool {
	size_t budget, used;    /* bytes */
	size_t goodput_budget;
	struct rate_block *free;
	uint64_t logs, refused; /* flows that earned a log; that got none, or not all of one */
};

struct rate_log;

/* Whether the packet belongs into a log, or earns its flow one. On the path of every TCP packet. */
static inline bool rate_wants(const struct evidence *ev, enum dir dir, const struct headers *h)
{
	const struct half *s = &ev->half[dir];
	if (ev->rate != NULL)
		return true;
	return h->payload_len != 0 && !ev->rate_refused && s->n_data != 0 &&
	       (s->n_retx >= RATE_EARN_RETX || s->next - s->first_seq >= RATE_EARN_BYTES);
}

/* After evidence_packet(), where rate_wants(): also acknowledgements of the direction logged. */
void rate_packet(struct rate_pool *pool, struct evidence *ev, enum dir dir,
		 const struct packet *pkt, const struct headers *h);

/*
 * At the flow's end: what the log says goes into ev (EVIDENCE_RATE where it says that something held
 * the flow to a rate), goodput into a; the blocks go back. Nothing where there is no log.
 */
void rate_finish(struct rate_pool *pool, struct arena *a, struct evidence *ev,
		 struct evidence_counters *n);
void rate_drop(struct rate_pool *pool, struct evidence *ev); /* the log alone */
void rate_pool_free(struct rate_pool *pool);

/* A log's segments in one piece, losses not yet marked; what rate_judge() decides from. */
struct rate_trace {
	struct rate_segment *seg;
	const uint32_t *tsval;  /* of each, as its sender stamped it (RFC 7323); NULL: unknown */
	uint64_t base_ns;       /* with tsval: one of the direction's first packets, before any queue */
	uint32_t base_tsval;
	uint32_t *path_us;      /* rate_judge()'s own: round trips, where ack_us are none of the path */
	unsigned n;
	uint64_t start_ns;      /* when the direction's first payload was sent */
	double rtt_us;          /* of the handshake; 0 unknown */
	uint32_t first_retx;    /* sequence number (as in seg) of the first segment ever sent again */
	bool any_retx;
	bool gap;               /* the capture lacks packets of this direction */
};

/* Marks losses, then fills *out but for dir. False: no memory. */
bool rate_judge(struct rate_trace *t, struct rate_facts *out);
/* rate.c's parts, for tests: which segments were lost; the published detector's answer. */
bool rate_mark(struct rate_trace *t);

/* Result codes in the detector's own order (policing_detector.py). */
enum rate_policer {
	POLICER_OK,
	POLICER_FEW_LOSSES,
	POLICER_LATE_LOSS,
	POLICER_NEGATIVE_FILL,
	POLICER_FILL_HIGHER_ON_LOSS,
	POLICER_LOSS_OUT_OF_RANGE,
	POLICER_PASS_OUT_OF_RANGE,
	POLICER_RTT_INFLATED,
	POLICER_WANDERS,        /* ours: losses at no one level */
	POLICER_NO_MEMORY,
};
/* rate_shape.c: a rate that held with a queue before it, if there was one; room: t->n. Losses are marked. */
void rate_shape(const struct rate_trace *t, double *room, struct rate_facts *out);
/*
 * rate_bucket.c: the rate and size of a token bucket that explains the losses of a marked trace, where
 * one does; goodput_bps is what the flow got, and no rate below it is tried.
 */
bool rate_bucket(const struct rate_trace *t, double goodput_bps, double *rate_bps, double *size);
/* The same by what passed between losses; size is then the least that it can be. */
bool rate_balance(const struct rate_trace *t, double goodput_bps, double *rate_bps, double *size);
/* cut: losses left out at both ends. rate_bps and burst are set where the answer is POLICER_OK. */
enum rate_policer rate_police(const struct rate_trace *t, unsigned cut, struct rate_facts *out);

/* Bits a second of payload, in bins of width_ns: what is compared and plotted. */
#define GOODPUT_BINS 512
#define GOODPUT_BIN_NS 100000000ull /* grows by doubling until the flow fits */

/*
 * Two sets of samples (WeHe, Li et al., SIGCOMM 2019): different where the area between their
 * distributions, as a share of the larger mean, exceeds 0.1 and a two-sample Kolmogorov-Smirnov
 * test has p < 0.05 in more than 0.95 of resamplings.
 */
#define RATE_AREA 0.1
#define RATE_KS_P 0.05
#define RATE_KS_TRUST 0.95
#define RATE_RESAMPLES 100

enum rate_difference { RATE_SAME, RATE_DIFFERENT, RATE_UNDECIDED };

struct rate_comparison {
	enum rate_difference said;
	double area;            /* positive: x is the slower */
	double ks_p, ks_trust;  /* trust: share of the resamplings that agree with ks_p */
	double mean_x, mean_y;
};
/* Sorts x and y. The seed of the resampling is fixed: the same samples, the same answer. */
struct rate_comparison rate_compare(double *x, unsigned n_x, double *y, unsigned n_y);
