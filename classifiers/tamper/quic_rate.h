/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How fast a QUIC connection brought its data. What was lost and what waited is encrypted: all that can be
 * seen is when bytes came, and whether at one rate throughout. A full link, a plan and a server that sends as
 * fast as is played look the same, so it is a sample for comparisons and never a finding by itself.
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/tamper/rate.h"

struct attempt;

/* Of a connection that was opened while rates are looked at; zeroed but for attempt and rtt_us. */
struct quic_rate {
	struct attempt *attempt; /* that opened it: its goodput and rate are set at the end */
	uint32_t rtt_us;        /* first Initial to first answer; 0 unknown */
	uint64_t bytes;         /* of the server's datagrams, UDP payload */
	uint32_t *bins;         /* GOODPUT_BINS; NULL until it has earned them */
	uint64_t first_ns, bin_ns;
	unsigned n;             /* of bins, up to the last with a datagram */
};

/* One of the server's datagrams. Bins are taken from what the pool has for goodput, and given back. */
void quic_rate_packet(struct rate_pool *pool, struct quic_rate *r, uint64_t ts_ns, uint32_t len);
/*
 * At the flow's end: NULL, or what its attempt now has, too. *attempt->rate is set where the rate held (form
 * RATE_STEADY), of names. The bins are given back; r itself is its owner's.
 */
const struct goodput *quic_rate_finish(struct rate_pool *pool, struct arena *a, struct arena *names,
				       struct quic_rate *r);
/* The rate that all but a few stretches of half a second and more have, for four seconds at least; 0 none. */
double quic_rate_steady(const struct goodput *g);
