/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/rewrite_ip.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/rewrite_build.h"

/* Right sums come out exactly as computed anew; wrong ones are wrong by as much as before. */
static void sums_follow(void **state)
{
	unsigned changed = 0;
	(void)state;

	for (unsigned i = 0; i < 4000; i++) {
		struct rewrite_config cfg = mapping((enum rewrite_vary)dice(3));
		unsigned version = dice(2) ? 4 : 6;
		uint8_t proto = dice(2) ? PROTO_TCP : PROTO_UDP;
		bool error = dice(4) == 0, wrong = dice(3) == 0;
		uint64_t loop = dice(3) == 0 ? dice(70000) : dice(4);
		struct made m;

		if (error)
			make_error(&m, version, proto, dice(30));
		else
			make(&m, version, proto);
		uint8_t *field = m.k.b + m.l4 + m.sum;
		if (wrong) {
			store_be16(field, (uint16_t)(load_be16(field) + 1 + dice(65533)));
			if (proto == PROTO_UDP && !error && load_be16(field) == 0)
				continue;
		}
		uint16_t before = transport_deficit(&m, m.k.b);
		assert_int_equal(before != 0, wrong);
		uint8_t *b = sent(&cfg, &m, loop);
		changed += memcmp(b, m.k.b, m.k.n) != 0;
		assert_int_equal(transport_deficit(&m, b), before);
		if (version == 4)
			assert_int_equal(load_be16(b + m.ip + 10), right_sum(0, b + m.ip, 20, 10));
		if (wrong)
			continue;
		uint32_t seed = m.proto == PROTO_ICMP ? 0 : pseudo(b + m.ip, m.proto, m.l4_len);
		uint16_t want = right_sum(seed, b + m.l4, m.l4_len, m.sum);
		if (m.proto == PROTO_UDP && want == 0)
			want = 0xffff;
		assert_int_equal(load_be16(b + m.l4 + m.sum), want);
	}
	assert_in_range(changed, 2000, 4000);
}

/* What an error quotes is what the sender of the quoted packet will look for. */
static void errors_quote_what_was_sent(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct rewrite_config cfg = mapping(REWRITE_VARY_PORTS);
		unsigned version = dice(2) ? 4 : 6;
		struct made about, m;
		uint32_t seed = dice_state;

		make_error(&m, version, PROTO_TCP, 100);
		dice_state = seed; /* the same packet again */
		make(&about, version, PROTO_TCP);
		uint8_t *b = sent(&cfg, &about, 3);
		uint8_t quoted[512];
		memcpy(quoted, b + about.ip, about.k.n - about.ip);
		b = sent(&cfg, &m, 3);
		assert_memory_equal(b + m.quote, quoted, m.k.n - m.quote);
	}
}

/* Two fragments rewritten apart make the datagram that is right as a whole. */
static void fragments(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		struct rewrite_config cfg = mapping(dice(2) ? REWRITE_VARY_PORTS
							    : REWRITE_VARY_ADDRESSES);
		struct made m, part[2];
		uint8_t whole[256];
		make(&m, 4, PROTO_UDP);
		size_t n = m.l4_len, first = 8;
		for (unsigned p = 0; p < 2; p++) {
			part[p] = m;
			uint8_t *ip = part[p].k.b + m.ip;
			size_t len = p == 0 ? first : n - first;
			memmove(part[p].k.b + m.l4, m.k.b + m.l4 + (p == 0 ? 0 : first), len);
			part[p].k.n = m.l4 + len;
			store_be16(ip + 2, (uint16_t)(20 + len));
			store_be16(ip + 6, p == 0 ? 0x2000 : (uint16_t)(first / 8));
			store_be16(ip + 10, right_sum(0, ip, 20, 10));
			uint8_t *b = sent(&cfg, &part[p], 9);
			memcpy(whole + (p == 0 ? 0 : first), b + m.l4, len);
			assert_int_equal(deficit(0, b + m.ip, 20), 0);
		}
		uint32_t seed = pseudo(frame_bytes + m.ip, PROTO_UDP, n);
		assert_int_equal(deficit(seed, whole, n), 0);
	}
}

static void udp_without_a_sum_stays_without(void **state)
{
	struct rewrite_config cfg = mapping(REWRITE_VARY_PORTS);
	struct made m;
	(void)state;

	for (unsigned i = 0; i < 100; i++) {
		make(&m, 4, PROTO_UDP);
		store_be16(m.k.b + m.l4 + 6, 0);
		assert_int_equal(load_be16(sent(&cfg, &m, 5) + m.l4 + 6), 0);
	}
}

/* RFC 768: a sum that comes to nothing is written as all ones. */
static void udp_sum_of_nothing(void **state)
{
	struct rewrite_config cfg = mapping(REWRITE_VARY_ADDRESSES);
	struct made m;
	(void)state;

	for (unsigned i = 0; i < 50; i++) {
		do
			make(&m, dice(2) ? 4 : 6, PROTO_UDP);
		while (m.l4_len < 10);
		uint8_t *sum = m.k.b + m.l4 + 6, *word = m.k.b + m.l4 + 8;
		uint16_t after = load_be16(sent(&cfg, &m, 3) + m.l4 + 6), before = load_be16(sum);
		store_be16(word, fold((uint32_t)load_be16(word) + after));
		store_be16(sum, fold((uint32_t)before + (uint16_t)~after));
		if (load_be16(sum) == 0 || after == 0xffff)
			continue;
		assert_int_equal(transport_deficit(&m, m.k.b), 0);
		assert_int_equal(load_be16(sent(&cfg, &m, 3) + m.l4 + 6), 0xffff);
	}
}

/* RFC 8200 section 8.1: with a routing header the sum is about the last destination. */
static void routing_header(void **state)
{
	static const uint8_t routing[24] = {PROTO_TCP, 2, 4, 1, [8] = 0x20, 0x01, 0x0d, 0xb8, [23] = 9};
	struct rewrite_config cfg = {.n_maps = 1};
	(void)state;

	assert_int_equal(rewrite_map_parse("2001:db8::/64=2001:db8:5::/64", &cfg.maps[0]), 0);
	for (unsigned segments_left = 0; segments_left < 2; segments_left++) {
		struct made m;
		make(&m, 6, PROTO_TCP);
		memmove(m.k.b + m.l4 + 24, m.k.b + m.l4, m.l4_len);
		memcpy(m.k.b + m.l4, routing, sizeof(routing));
		m.k.b[m.l4 + 3] = (uint8_t)segments_left;
		m.k.b[m.ip + 6] = PROTO_ROUTING;
		m.k.b[m.ip + 8] = 0xfd; /* a source that is not mapped */
		store_be16(m.k.b + m.ip + 4, (uint16_t)(m.l4_len + 24));
		m.k.n += 24;
		size_t sum = m.l4 + 24 + 16;
		uint8_t *b = sent(&cfg, &m, 0);
		assert_int_equal(b[m.ip + 24 + 5], 5);
		if (segments_left == 1)
			assert_memory_equal(b + sum, m.k.b + sum, 2);
		else
			assert_int_equal(load_be16(b + sum), updated(load_be16(m.k.b + sum), 0, 5));
	}
}

/* In each loop other flows: no two of 65,536, or 64,512, are the same. */
static void loops_differ(void **state)
{
	static uint8_t seen[65536];
	struct rewrite_config cfg = {.vary = REWRITE_VARY_ADDRESSES};
	struct made m;
	(void)state;

	make(&m, 4, PROTO_TCP);
	memset(seen, 0, sizeof(seen));
	for (uint64_t loop = 0; loop < 65536; loop++) {
		uint8_t *b = sent(&cfg, &m, loop) + m.ip;
		assert_int_equal(b[12], 10);
		assert_int_equal(b[15], m.k.b[m.ip + 15]);
		uint8_t *mark = &seen[load_be16(b + 13)];
		assert_int_equal(*mark, 0);
		*mark = 1;
	}
	cfg.vary = REWRITE_VARY_PORTS;
	memset(seen, 0, sizeof(seen));
	store_be16(m.k.b + m.l4, 1024);
	store_be16(m.k.b + m.l4 + 2, 443);
	for (uint64_t loop = 0; loop < PORTS; loop++) {
		uint8_t *b = sent(&cfg, &m, loop) + m.l4;
		assert_int_equal(load_be16(b + 2), 443);
		assert_in_range(load_be16(b), 1024, 65535);
		uint8_t *mark = &seen[load_be16(b)];
		assert_int_equal(*mark, 0);
		*mark = 1;
	}
	assert_memory_equal(sent(&cfg, &m, PORTS) + m.l4, m.k.b + m.l4, 20);
	/* The first loop is the capture as it is. */
	assert_memory_equal(sent(&cfg, &m, 0), m.k.b, m.k.n);
}

/* Both directions of a flow are of the same flow afterwards. */
static void directions_agree(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct rewrite_config cfg = mapping((enum rewrite_vary)dice(3));
		uint64_t loop = dice(100);
		unsigned version = dice(2) ? 4 : 6, n = version == 4 ? 4 : 16;
		struct made m, back;
		uint8_t there[80];

		make(&m, version, PROTO_TCP);
		back = m;
		uint8_t *a = back.k.b + m.ip + (version == 4 ? 12 : 8), *p = back.k.b + m.l4;
		uint8_t was[36];
		memcpy(was, a, 2 * n);
		memcpy(a, was + n, n);
		memcpy(a + n, was, n);
		memcpy(was, p, 4);
		memcpy(p, was + 2, 2);
		memcpy(p + 2, was, 2);
		memcpy(there, sent(&cfg, &m, loop) + m.ip, m.l4 - m.ip + 4);
		uint8_t *b = sent(&cfg, &back, loop) + m.ip;
		size_t at = version == 4 ? 12 : 8, l4 = m.l4 - m.ip;
		assert_memory_equal(there + at, b + at + n, n);
		assert_memory_equal(there + at + n, b + at, n);
		assert_memory_equal(there + l4, b + l4 + 2, 2);
		assert_memory_equal(there + l4 + 2, b + l4, 2);
	}
}

/* What is known by its port to be a tunnel still is; where it has no other port to vary, none is. */
static void ports_of_tunnels_stay(void **state)
{
	static const struct {
		uint16_t from, to;
		bool from_stays;
	} rows[] = {
		{2000, 4789, false}, {80, 4789, true},	 {2152, 2152, true},
		{50000, 6081, false}, {4500, 1500, true}, {4500, 4501, true},
	};
	struct rewrite_config cfg = {.vary = REWRITE_VARY_PORTS};
	(void)state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made m;
		make(&m, 4, PROTO_UDP);
		store_be16(m.k.b + m.l4, rows[i].from);
		store_be16(m.k.b + m.l4 + 2, rows[i].to);
		uint8_t *p = sent(&cfg, &m, 7) + m.l4;
		assert_int_equal(load_be16(p) == rows[i].from, rows[i].from_stays);
		assert_int_equal(load_be16(p + 2) == rows[i].to, rows[i].from != 4500);
	}
	/* It is a number like any other in TCP. */
	struct made m;
	make(&m, 4, PROTO_TCP);
	store_be16(m.k.b + m.l4, 80);
	store_be16(m.k.b + m.l4 + 2, 4789);
	assert_int_not_equal(load_be16(sent(&cfg, &m, 7) + m.l4 + 2), 4789);
}

static void special_addresses_stay(void **state)
{
	static const uint32_t kept[] = {0xe0000001, 0xffffffff, 0x7f000001, 0, 0xa9fe0101};
	struct rewrite_config cfg = {.vary = REWRITE_VARY_ADDRESSES};
	(void)state;

	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct made m;
		make(&m, 4, PROTO_UDP);
		for (unsigned n = 0; n < 4; n++)
			m.k.b[m.ip + 16 + n] = (uint8_t)(kept[i] >> (24 - 8 * n));
		assert_memory_equal(sent(&cfg, &m, 7) + m.ip + 16, m.k.b + m.ip + 16, 4);
	}
}

static void arp(void **state)
{
	struct rewrite_config cfg = mapping(REWRITE_VARY_NONE);
	struct made m = {.ip = 14};
	(void)state;

	put_ether(&m.k, ETHER_ARP);
	put(&m.k, 8, 0x0001080006040001);
	put(&m.k, 6, 0x020000000001);
	put(&m.k, 4, 0x0a010203);
	put(&m.k, 6, 0);
	put(&m.k, 4, 0x0a020003);
	uint8_t *b = sent(&cfg, &m, 0);
	assert_int_equal(load_be32(b + 28), 0xc0a80203);
	assert_int_equal(load_be32(b + 38), 0xcb007109);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_follow),
		cmocka_unit_test(errors_quote_what_was_sent),
		cmocka_unit_test(fragments),
		cmocka_unit_test(udp_without_a_sum_stays_without),
		cmocka_unit_test(udp_sum_of_nothing),
		cmocka_unit_test(routing_header),
		cmocka_unit_test(loops_differ),
		cmocka_unit_test(directions_agree),
		cmocka_unit_test(ports_of_tunnels_stay),
		cmocka_unit_test(special_addresses_stay),
		cmocka_unit_test(arp),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(backing);
	return failed;
}
