/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The header relation of a packet generator whose source became public in 2025, as Listing 1 of
 * "Technical Analysis of the Geedge Networks Firewall Source Code Leak" (USENIX Security '26) has
 * it: window, IP-ID and initial TTL all come from one counter and the two addresses.
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/tamper/view.h"

#define TSG_SEED 13      /* the default, and the only one seen so far */
#define TSG_HOPS_MAX 40  /* rule (b): a path is not longer */
#define TSG_STAMPS 24

struct tsg_stamp {
	uint16_t window, ip_id;
	uint8_t ttl;
};

/* An IPv4 address as the generator reads it: network order bytes loaded little-endian. */
uint32_t tsg_addr(const struct ip_addr *a);

/*
 * Rule (a): IP-ID and window of one packet fit the seed. *hops is what the TTL implies, -1 where it
 * implies nothing sensible; *val is the counter.
 */
bool tsg_fits(uint32_t sip, uint32_t dip, const struct tsg_stamp *s, uint32_t seed, int *hops,
	      uint32_t *val);

/*
 * Rule (c): the seed that explains every pair of at least three packets of one (sip, dip) with
 * different windows; 0: none does.
 */
uint32_t tsg_seed(uint32_t sip, uint32_t dip, const struct tsg_stamp s[], unsigned n);

enum tsg_rule { TSG_NONE, TSG_PACKET, TSG_PACKET_TTL, TSG_SERIES, TSG_UNKNOWN_SEED };

/* What the resets of one flow, and earlier ones between the same hosts, say together. */
struct tsg_result {
	enum tsg_rule rule;
	uint32_t seed;
	int hops;                      /* constant over what fits; -1 */
	uint16_t packets[TSG_STAMPS];  /* event indices of this flow that fit */
	unsigned n_packets;
	unsigned n_vals;               /* different counters, other connections' included */
	unsigned n_others;             /* fitting resets of other connections */
};

/* Of n events the resets shaped like the generator's; false: rule is TSG_NONE. */
bool tsg_examine(const struct view *v, const uint16_t events[], unsigned n,
		 struct tsg_result *out);
