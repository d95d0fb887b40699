/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Random packets with right checksums, for the tests of what changes them. */

#include "tests/unit/packet_build.h"

static uint32_t dice_state = 1;
static inline uint32_t dice(uint32_t n)
{
	dice_state = dice_state * 1664525 + 1013904223;
	return (dice_state >> 8) % n;
}

/* RFC 1071, the slow way. */
static inline uint32_t sum_words(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i++)
		s += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	return s;
}

static inline uint16_t fold(uint32_t s)
{
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static inline uint32_t pseudo(const uint8_t *ip, uint8_t proto, size_t len)
{
	bool v4 = ip[0] >> 4 == 4;

	return sum_words(ip + (v4 ? 12 : 8), v4 ? 8 : 32) + proto + (uint32_t)len;
}

/* How far a checksum of what starts at p is off, as a number modulo 65,535; `field` is within. */
static inline uint16_t deficit(uint32_t seed, const uint8_t *p, size_t n)
{
	return (uint16_t)(fold(seed + sum_words(p, n)) % 0xffff);
}

/* What the field must hold, exactly. */
static inline uint16_t right_sum(uint32_t seed, const uint8_t *p, size_t n, size_t field)
{
	return (uint16_t)~fold(seed + sum_words(p, n) - load_be16(p + field));
}

/* Packets whose sums are right; the layout is kept beside them. */
struct made {
	struct build k;
	size_t ip, l4, l4_len, sum; /* sum: offset of the transport's field from l4 */
	uint8_t proto;
	unsigned version;
	size_t quote;               /* of an ICMP error: where the quoted IP header is */
};

static inline void put_random(struct build *k, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(k, 1, dice(256));
}

static inline void put_addresses(struct build *k, unsigned version)
{
	/* Few values, so that maps meet them. */
	for (unsigned i = 0; i < 2; i++) {
		if (version == 4)
			put(k, 4, 0x0a000000u + (dice(4) << 16) + dice(8));
		else
			put(k, 8, 0x20010db800000000u), put(k, 8, dice(8));
	}
}

static inline size_t put_header(struct build *k, unsigned version, uint8_t proto, size_t len,
			 uint16_t fragment)
{
	size_t at = k->n;

	if (version == 4) {
		put(k, 4, 0x45000000u | (uint32_t)(20 + len));
		put(k, 2, dice(65536));
		put(k, 2, fragment);
		put(k, 2, 64 << 8 | proto);
		put(k, 2, 0);
		put_addresses(k, 4);
		store_be16(k->b + at + 10, right_sum(0, k->b + at, 20, 10));
	} else {
		put(k, 4, 0x60000000);
		put(k, 2, len);
		put(k, 2, (uint16_t)(proto << 8 | 64));
		put_addresses(k, 6);
	}
	return at;
}

static inline void put_transport(struct made *m, uint8_t proto, size_t payload)
{
	struct build *k = &m->k;

	m->proto = proto;
	m->l4 = k->n;
	put(k, 2, 30000 + dice(30000));
	put(k, 2, dice(2) ? 443 : 30000 + dice(30000));
	if (proto == PROTO_TCP) {
		put_random(k, 8);
		put(k, 2, 0x5018);
		put(k, 6, 0x200000000000);
		m->sum = 16;
	} else {
		put(k, 2, 8 + payload);
		put(k, 2, 0);
		m->sum = 6;
	}
	put_random(k, payload);
	m->l4_len = k->n - m->l4;
	const uint8_t *ip = k->b + m->ip;
	store_be16(k->b + m->l4 + m->sum, right_sum(pseudo(ip, proto, m->l4_len), k->b + m->l4,
						    m->l4_len, m->sum));
	if (proto == PROTO_UDP && load_be16(k->b + m->l4 + m->sum) == 0)
		store_be16(k->b + m->l4 + m->sum, 0xffff);
}

static inline void make(struct made *m, unsigned version, uint8_t proto)
{
	size_t payload = dice(40), header = proto == PROTO_TCP ? 20 : 8;

	memset(m, 0, sizeof(*m));
	m->version = version;
	put_ether(&m->k, ETHER_VLAN);
	m->k.n -= 2;
	if (dice(3) == 0)
		put(&m->k, 4, 0x81000064);
	put(&m->k, 2, version == 4 ? ETHER_IP4 : ETHER_IP6);
	m->ip = put_header(&m->k, version, proto, header + payload, 0);
	put_transport(m, proto, payload);
}

/* An error about a packet of which `quoted` bytes from its ports on came back. */
static inline void make_error(struct made *m, unsigned version, uint8_t proto, size_t quoted)
{
	struct made about;
	make(&about, version, proto);
	size_t ip_len = about.l4 - about.ip;
	if (quoted > about.l4_len)
		quoted = about.l4_len;

	memset(m, 0, sizeof(*m));
	m->version = version;
	put_ether(&m->k, version == 4 ? ETHER_IP4 : ETHER_IP6);
	m->proto = version == 4 ? PROTO_ICMP : PROTO_ICMP6;
	m->ip = put_header(&m->k, version, m->proto, 8 + ip_len + quoted, 0);
	m->l4 = m->k.n;
	put(&m->k, 8, version == 4 ? 0x0301000000000000 : 0x0104000000000000);
	m->quote = m->k.n;
	put_bytes(&m->k, about.k.b + about.ip, ip_len + quoted);
	m->l4_len = m->k.n - m->l4;
	m->sum = 2;
	uint32_t seed = version == 6 ? pseudo(m->k.b + m->ip, m->proto, m->l4_len) : 0;
	store_be16(m->k.b + m->l4 + 2, right_sum(seed, m->k.b + m->l4, m->l4_len, 2));
}

static inline uint16_t transport_deficit(const struct made *m, const uint8_t *b)
{
	bool plain = m->proto == PROTO_ICMP;

	return deficit(plain ? 0 : pseudo(b + m->ip, m->proto, m->l4_len), b + m->l4, m->l4_len);
}

static uint8_t frame_bytes[2048];

/* The frame that goes out, with nothing in front of what came. */
static inline uint8_t *sent(const struct rewrite_config *cfg, const struct made *m, uint64_t loop)
{
	const struct rewrite_macs macs = {.set_src = false};
	struct frame f = {.data = frame_bytes, .room = sizeof(frame_bytes)};
	struct packet pkt = packet_of(&m->k, LINKTYPE_ETHERNET);
	struct rewrite_plan plan;

	rewrite_plan(cfg, &pkt, &plan);
	assert_int_equal(plan.end, REWRITE_OK);
	assert_int_equal(plan.len, m->k.n);
	rewrite_frame(cfg, &macs, &pkt, &plan, loop, &f);
	assert_int_equal(f.len, m->k.n);
	return frame_bytes;
}

static inline struct rewrite_config mapping(enum rewrite_vary vary)
{
	struct rewrite_config cfg = {.vary = vary, .n_maps = 4};

	assert_int_equal(rewrite_map_parse("10.1.0.0/16=192.168.0.0/16", &cfg.maps[0]), 0);
	assert_int_equal(rewrite_map_parse("10.2.0.3=203.0.113.9", &cfg.maps[1]), 0);
	assert_int_equal(rewrite_map_parse("2001:db8::4/126=2001:db8:ffff::/126", &cfg.maps[2]), 0);
	assert_int_equal(rewrite_map_parse("2001:db8::1=fd00::ffff", &cfg.maps[3]), 0);
	return cfg;
}
