/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Private to flow.c: what the packets of a flow have in common, and where flows of a pair go. */

#include <netinet/in.h>

#include "dataplane/cursor.h"
#include "dataplane/flow.h"

static inline uint64_t half_of(const uint8_t *a)
{
	return (uint64_t)load_be32(a) << 32 | load_be32(a + 4);
}

/* As memcmp() of the addresses, without its call: the first half of most is the same. */
static inline bool end_is_lower(const struct ip_addr *a, uint16_t a_port, const struct ip_addr *b,
				uint16_t b_port)
{
	uint64_t x = half_of(a->b), y = half_of(b->b);
	if (x == y) {
		x = half_of(a->b + 8);
		y = half_of(b->b + 8);
	}
	return x != y ? x < y : a_port <= b_port;
}

/* True when the source is the key's lower end. */
static inline bool key_make(struct flow_key *key, const struct headers *h, uint8_t proto,
			    const struct ip_addr *src, const struct ip_addr *dst, uint16_t sport,
			    uint16_t dport)
{
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		sport = dport = 0;
	bool src_is_lo = end_is_lower(src, sport, dst, dport);
	*key = (struct flow_key){
		.lo = src_is_lo ? *src : *dst,
		.hi = src_is_lo ? *dst : *src,
		.lo_port = src_is_lo ? sport : dport,
		.hi_port = src_is_lo ? dport : sport,
		.tunnel_id = h->tunnel_id,
		.proto = proto,
		.ip_version = h->ip_version,
	};
	return src_is_lo;
}

_Static_assert(sizeof(struct flow_key) == 44, "a key is hashed as bytes and has no padding");

/* Written so that a BPF program can compute it too: 32-bit words, multiply, xor, shift. */
static inline uint32_t shard_step(uint32_t h, uint32_t word)
{
	h = (h ^ word) * 0x9e3779b1U;
	return h ^ h >> 15;
}

static inline uint32_t shard_mix(const struct ip_addr *a)
{
	uint32_t h = 0;
	for (unsigned i = 0; i < sizeof(a->b); i += 4)
		h = shard_step(h, load_be32(a->b + i));
	return h;
}

/* The same of an IPv4 address, whose first twelve bytes are always ::ffff:0:0/96. */
static inline uint32_t shard_mix4(const struct ip_addr *a)
{
	return shard_step(shard_step(shard_step(shard_step(0, 0), 0), 0xffff), load_be32(a->b + 12));
}

static inline bool addr_is_mapped(const struct ip_addr *a)
{
	return half_of(a->b) == 0 && load_be32(a->b + 8) == 0xffff;
}
