/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * When each packet of a replay is due, waiting until then, and how far off it went out. Times are
 * CLOCK_MONOTONIC ns unless said otherwise.
 *
 * Due times depend on the packets alone, so that several threads that read the same capture agree
 * on them without a word.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/clock.h"

enum pace_kind {
	PACE_ORIGINAL, /* the capture's own gaps, divided by value */
	PACE_PACKETS,  /* value packets/s */
	PACE_BITS,     /* value bits/s on the wire */
	PACE_MAX,
};

struct pace_rate {
	enum pace_kind kind;
	double value; /* ORIGINAL: 1 is as captured */
};

/* "original", "x2.5", "10kpps", "1.5mpps", "200pps", "100mbps", "9.5gbps", "max". 0 or -EINVAL. */
int pace_rate_parse(const char *text, struct pace_rate *out);

/*
 * What a frame of len bytes (without FCS) takes of an Ethernet, IEEE 802.3 sections 3.2 and 4.4.2:
 * padding to 60, FCS 4, preamble and delimiter 8, gap of 12 bytes. Rates in bits/s are of these.
 */
static inline uint32_t pace_wire_bytes(uint32_t len)
{
	return (len < 60 ? 60 : len) + 24;
}

struct pace {
	struct pace_rate rate;
	uint64_t start_ns, last_ns; /* first and latest due time */
	uint64_t packets, wire_bits; /* so far */
	struct capture_clock clock; /* of this timeline */
	uint64_t base_ns;    /* where this timeline starts, after start_ns */
	uint64_t in_timeline; /* packets of it so far */
};

void pace_start(struct pace *p, struct pace_rate rate, uint64_t start_ns);
/* Of the next packet; len is that of the frame that goes out. Never before the one before it. */
uint64_t pace_due(struct pace *p, uint64_t ts_ns, uint32_t len);
/* What follows has times of its own: it is due the mean gap after what was before. */
void pace_seam(struct pace *p);

/* Where loop number `loop` starts, after the first: `one` went through one, and a seam. */
uint64_t pace_loop_ns(const struct pace *one, uint64_t loop);

/*
 * Sent minus due: 32 steps in each power of two, so that a quantile is at most 1/32 too large. What
 * went out early counts by how much, and in `early` too.
 */
#define PACE_STEPS   32u
#define PACE_BUCKETS (PACE_STEPS * 36) /* up to 2^40 ns, 18 minutes */
struct pace_errors {
	uint64_t n, early, max_ns;
	uint64_t bucket[PACE_BUCKETS];
};

void pace_errors_add(struct pace_errors *e, uint64_t due_ns, uint64_t sent_ns);
void pace_errors_merge(struct pace_errors *into, const struct pace_errors *from);
/* q of 0..1; 0 if there is nothing. */
uint64_t pace_errors_quantile(const struct pace_errors *e, double q);

uint64_t pace_now(void);

/* A thread's: how long before its time a sleep must end, learnt from sleeps that ended late. */
struct pace_sleeper {
	uint64_t margin_ns;
};

/* Asks the kernel to wake this thread on time (its timer slack is 50 us otherwise). */
void pace_sleeper_start(struct pace_sleeper *s);
/* Sleeps, then spins, until due_ns. Returns the time it is. */
uint64_t pace_wait(struct pace_sleeper *s, uint64_t due_ns);
