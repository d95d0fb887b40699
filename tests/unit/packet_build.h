/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Packets written field by field, for the tests of what reads them. Included after decode*.c. */

#include <stdlib.h>

#include "dataplane/decode_scan.h"

/* A packet under construction; every put_ is in network order. */
struct build {
	size_t n;
	uint8_t b[512];
};

static inline void put(struct build *k, size_t n, uint64_t v)
{
	assert_true(k->n + n <= sizeof(k->b));
	for (size_t i = 0; i < n; i++)
		k->b[k->n++] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static inline void put_bytes(struct build *k, const void *p, size_t n)
{
	assert_true(k->n + n <= sizeof(k->b));
	memcpy(k->b + k->n, p, n);
	k->n += n;
}

static inline void put_ether(struct build *k, uint16_t type)
{
	put(k, 6, 0x0200000000d5);
	put(k, 6, 0x0200000000a5);
	put(k, 2, type);
}

static inline void set16(struct build *k, size_t at, uint16_t v)
{
	store_be16(k->b + at, v);
}

static inline void put_checksum(struct build *k, size_t at, size_t hlen)
{
	uint8_t *p = k->b + at;
	store_be16(p + 10, 0);
	uint16_t sum = (uint16_t)~inet_fold(inet_sum(p, hlen));
	memcpy(p + 10, &sum, 2);
}

/* 10.0.0.1 -> 10.0.0.2, TTL 57, id 0xbeef, DF; len bytes follow. */
static inline size_t put_ip4(struct build *k, uint8_t proto, size_t len)
{
	size_t at = k->n;
	put(k, 4, 0x45b80000u | (uint32_t)(20 + len));
	put(k, 4, 0xbeef4000);
	put(k, 2, (uint16_t)(57 << 8 | proto));
	put(k, 2, 0);
	put(k, 4, 0x0a000001);
	put(k, 4, 0x0a000002);
	put_checksum(k, at, 20);
	return at;
}

/* 2001:db8::1 -> 2001:db8::2, hop limit 61, flow label 0xabcde, class 0x28. */
static inline void put_ip6(struct build *k, uint8_t next, size_t len)
{
	put(k, 4, 0x628abcde);
	put(k, 2, len);
	put(k, 2, (uint16_t)(next << 8 | 61));
	put(k, 8, 0x20010db800000000);
	put(k, 8, 1);
	put(k, 8, 0x20010db800000000);
	put(k, 8, 2);
}

static inline void put_tcp(struct build *k, uint16_t flags, size_t options)
{
	put(k, 4, 40000u << 16 | 443);
	put(k, 4, 0x01020304);
	put(k, 4, 0x05060708);
	put(k, 2, (20 + options) / 4 << 12 | flags);
	put(k, 2, 8192);
	put(k, 4, 0x0000001f);
}

static inline struct packet packet_of(const struct build *k, uint32_t linktype)
{
	return (struct packet){.data = k->b, .caplen = (uint32_t)k->n, .wirelen = (uint32_t)k->n,
			       .linktype = linktype, .frame = 1};
}

/* Decodes from an allocation of the exact size, so that a sanitizer sees one byte too many. */
static uint8_t *backing;
static inline struct headers decode_cut(const struct build *k, uint32_t linktype, size_t caplen)
{
	free(backing);
	backing = malloc(caplen != 0 ? caplen : 1);
	assert_non_null(backing);
	memcpy(backing, k->b, caplen);
	struct packet pkt = packet_of(k, linktype);
	pkt.data = backing;
	pkt.caplen = (uint32_t)caplen;
	struct headers h;
	memset(&h, 0xa5, sizeof(h));
	packet_decode(&pkt, &h);
	return h;
}

static inline struct headers decode(const struct build *k, uint32_t linktype)
{
	return decode_cut(k, linktype, k->n);
}

/* Of the group of tests. */
static inline int drop_backing(void **state)
{
	(void)state;
	free(backing);
	backing = NULL;
	return 0;
}

static inline void put_tcp4(struct build *k)
{
	put_ip4(k, 6, 25);
	put_tcp(k, TCP_PSH | TCP_ACK, 0);
	put_bytes(k, "hello", 5);
}
