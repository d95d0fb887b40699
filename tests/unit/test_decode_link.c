/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/decode.c"
#include "dataplane/decode_link.c"
#include "dataplane/decode_transport.c"
#include "dataplane/decode_tunnel.c"
#include "tests/unit/packet_build.h"

static void assert_tcp4(const struct headers *h)
{
	assert_int_equal(h->end, DECODE_OK);
	assert_int_equal(h->reached, LAYER_TRANSPORT);
	assert_int_equal(h->ip_version, 4);
	assert_int_equal(h->sport, 40000);
	assert_int_equal(h->dport, 443);
	assert_int_equal(h->payload_len, 5);
	assert_memory_equal(h->payload, "hello", 5);
}

/* What stands before the IPv4 header, by link type. */
static const struct {
	uint32_t linktype;
	uint8_t len, bytes[32];
	uint8_t tunnel, n_vlans;
} links[] = {
	{LINKTYPE_RAW, 0, {0}, 0, 0},
	{LINKTYPE_RAW_BSD, 0, {0}, 0, 0},
	{LINKTYPE_RAW_OPENBSD, 0, {0}, 0, 0},
	{LINKTYPE_IPV4, 0, {0}, 0, 0},
	{LINKTYPE_NULL, 4, {2, 0, 0, 0}, 0, 0},
	{LINKTYPE_NULL, 4, {0, 0, 0, 2}, 0, 0},
	{LINKTYPE_LOOP, 4, {0, 0, 0, 2}, 0, 0},
	{LINKTYPE_PPP, 4, {0xff, 3, 0, 0x21}, 0, 0},
	{LINKTYPE_PPP, 2, {0, 0x21}, 0, 0},
	{LINKTYPE_PPP, 1, {0x21}, 0, 0},
	{LINKTYPE_PPP_HDLC, 4, {0xff, 3, 0, 0x21}, 0, 0},
	{LINKTYPE_PPP_HDLC, 4, {0x0f, 0, 8, 0}, 0, 0},
	{LINKTYPE_PPP, 4, {0x8f, 0, 8, 0}, 0, 0},
	{LINKTYPE_C_HDLC, 4, {0x0f, 0, 8, 0}, 0, 0},
	{LINKTYPE_PPP_ETHER, 8, {0x11, 0, 0, 7, 0, 47, 0, 0x21}, TUNNEL_PPPOE, 0},
	{LINKTYPE_LINUX_SLL, 16, {0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}, 0, 0},
	{LINKTYPE_LINUX_SLL2, 20,
	 {8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0}, 0, 0},
	{LINKTYPE_PPI, 8, {0, 0, 8, 0, 101, 0, 0, 0}, 0, 0},
	{LINKTYPE_PPI, 16, {0, 0, 12, 0, 9, 0, 0, 0, 1, 2, 3, 4, 0xff, 3, 0, 0x21}, 0, 0},
	{LINKTYPE_ETHERNET, 18, {[12] = 0x81, 0, 0xe0, 5, 8, 0}, 0, 1},
	{LINKTYPE_ETHERNET, 22, {[12] = 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0}, 0, 2},
	{LINKTYPE_ETHERNET, 26, {[12] = 0x91, 0, 0, 5, 0x81, 0, 0, 6, 0x92, 0, 0, 7, 8, 0}, 0, 2},
	{LINKTYPE_ETHERNET, 22, {[12] = 0, 53, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, 0, 0},
	{LINKTYPE_ETHERNET, 22, {[12] = 0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64}, TUNNEL_MPLS, 0},
	{LINKTYPE_ETHERNET, 22, {[12] = 0x88, 0x64, 0x11, 0, 0, 7, 0, 47, 0, 0x21},
	 TUNNEL_PPPOE, 0},
};

static void test_links(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		struct build k = {0};
		put_bytes(&k, links[i].bytes, links[i].len);
		put_tcp4(&k);
		struct headers h = decode(&k, links[i].linktype);
		assert_tcp4(&h);
		assert_int_equal(h.anomalies, 0);
		assert_int_equal(h.n_vlans, links[i].n_vlans);
		if (h.n_vlans != 0)
			assert_int_equal(h.vlan[0], 5);
		assert_int_equal(h.n_tunnels, links[i].tunnel != 0);
		assert_int_equal(h.tunnels[0], links[i].tunnel);
		assert_int_equal(h.tunnel_id != 0, links[i].tunnel == TUNNEL_PPPOE);
		bool cooked = links[i].linktype == LINKTYPE_LINUX_SLL ||
			      links[i].linktype == LINKTYPE_LINUX_SLL2;
		assert_int_equal(h.sll_direction, cooked ? 4 : 0xff);
		for (size_t n = 0; n < links[i].len; n++) {
			h = decode_cut(&k, links[i].linktype, n);
			assert_int_equal(h.ip_version, 0);
			assert_true(h.end == DECODE_CUT_LINK || h.end == DECODE_CUT_IP);
		}
	}
}

static void test_not_ip(void **state)
{
	(void)state;
	struct build k = {0};
	put_ether(&k, 0x0806);
	put(&k, 8, 0);
	assert_int_equal(decode(&k, LINKTYPE_ETHERNET).end, DECODE_NOT_IP);
	assert_int_equal(decode(&k, LINKTYPE_ETHERNET).reached, LAYER_LINK);
	assert_int_equal(decode(&k, 105).end, DECODE_LINKTYPE);
	assert_int_equal(decode(&k, 105).reached, LAYER_NONE);
	k = (struct build){0};
	put(&k, 4, 0x1e000000); /* AF_INET6 of macOS, little-endian */
	put_ip6(&k, 6, 20);
	put_tcp(&k, TCP_SYN, 0);
	struct headers h = decode(&k, LINKTYPE_NULL);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.anomalies, 0);
	k.b[0] = 2; /* the family and the header disagree */
	assert_int_equal(decode(&k, LINKTYPE_NULL).anomalies, ANOMALY_IP_VERSION);
	k.b[0] = 77;
	assert_int_equal(decode(&k, LINKTYPE_NULL).end, DECODE_NOT_IP);
}

static void put_gre(struct build *k, uint16_t flags, uint16_t type)
{
	put(k, 2, flags);
	put(k, 2, type);
	for (uint16_t bit = 0x8000; bit >= 0x1000; bit >>= 1)
		if (flags & bit)
			put(k, 4, 0x2a);
}

/* The inner packet has addresses of its own. */
static void put_inner4(struct build *k)
{
	size_t at = k->n;
	put_tcp4(k);
	memcpy(k->b + at + 12, "\xc0\x00\x02\x07\xc0\x00\x02\x09", 8);
	put_checksum(k, at, 20);
}

static void assert_tunnel(const struct build *k, enum tunnel kind)
{
	struct headers h = decode(k, LINKTYPE_RAW);
	assert_tcp4(&h);
	assert_int_equal(h.anomalies, 0);
	assert_int_equal(h.n_tunnels, 1);
	assert_int_equal(h.tunnels[0], kind);
	assert_int_not_equal(h.tunnel_id, 0);
	assert_int_equal(h.src.b[15], 7);
	assert_ptr_equal(h.l3, backing + k->n - 45);
}

static void test_tunnels(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 8; bits++) {
		uint16_t flags = (uint16_t)((bits & 1) << 15 | (bits & 2) << 12 | (bits & 4) << 10);
		size_t len = 4 + 4u * (unsigned)__builtin_popcount(bits);
		struct build k = {0};
		put_ip4(&k, 47, len + 45);
		put_gre(&k, flags, 0x0800);
		put_inner4(&k);
		assert_tunnel(&k, TUNNEL_GRE);
		k = (struct build){0};
		put_ip4(&k, 47, len + 14 + 45);
		put_gre(&k, flags, 0x6558);
		put_ether(&k, 0x0800);
		put_inner4(&k);
		assert_tunnel(&k, TUNNEL_GRE);
		k.b[k.n - 45 - 1] = 6; /* ARP inside: the flow outside remains */
		struct headers h = decode(&k, LINKTYPE_RAW);
		assert_int_equal(h.end, DECODE_NO_PORTS);
		assert_int_equal(h.n_tunnels, 0);
		assert_int_equal(h.src.b[12], 10);
	}
	struct build k = {0};
	put_ip4(&k, 47, 8 + 45);
	put_gre(&k, 0x2001, 0x880b); /* PPTP */
	put_inner4(&k);
	assert_int_equal(decode(&k, LINKTYPE_RAW).end, DECODE_NO_PORTS);

	k = (struct build){0};
	put_ip4(&k, 4, 45);
	put_inner4(&k);
	assert_tunnel(&k, TUNNEL_IPIP);
	k = (struct build){0};
	put_ip6(&k, 4, 45);
	put_inner4(&k);
	assert_tunnel(&k, TUNNEL_4IN6);
	for (unsigned outer = 4; outer <= 6; outer += 2) {
		k = (struct build){0};
		if (outer == 4)
			put_ip4(&k, 41, 60);
		else
			put_ip6(&k, 41, 60);
		put_ip6(&k, 6, 20);
		put_tcp(&k, TCP_SYN, 0);
		struct headers h = decode(&k, LINKTYPE_RAW);
		assert_int_equal(h.end, DECODE_OK);
		assert_int_equal(h.ip_version, 6);
		assert_int_equal(h.tunnels[0], outer == 4 ? TUNNEL_6IN4 : TUNNEL_IP6IP6);
		assert_int_equal(h.ip_id, 0);
		assert_false(h.df);
	}
}

static void put_vxlan(struct build *k, uint16_t port, uint8_t flags, uint16_t type)
{
	put_ip4(k, 17, 16 + 14 + 45);
	put(k, 4, 0xd431u << 16 | port);
	put(k, 4, (16 + 14 + 45) << 16);
	put(k, 4, (uint32_t)flags << 24);
	put(k, 4, 4711 << 8);
	put_ether(k, type);
	put_inner4(k);
}

static void test_vxlan(void **state)
{
	(void)state;
	struct build k = {0};
	put_vxlan(&k, 4789, 0x08, 0x0800);
	assert_tunnel(&k, TUNNEL_VXLAN);
	k = (struct build){0};
	put_vxlan(&k, 8472, 0x08, 0x0800);
	assert_tunnel(&k, TUNNEL_VXLAN);
	static const struct {
		uint16_t port;
		uint8_t flags;
		uint16_t type;
	} not[] = {{4788, 8, 0x0800}, {4789, 0xf7, 0x0800}, {4789, 8, 0x0806}, {4789, 8, 0x86dd},
		   {8472, 0x88, 0x0800}};
	for (unsigned i = 0; i < 5; i++) {
		k = (struct build){0};
		put_vxlan(&k, not[i].port, not[i].flags, not[i].type);
		struct headers h = decode(&k, LINKTYPE_RAW);
		assert_int_equal(h.end, DECODE_OK);
		assert_int_equal(h.proto, 17);
		assert_int_equal(h.dport, not[i].port);
		assert_int_equal(h.n_tunnels, 0);
		assert_int_equal(h.payload_len, 8 + 14 + 45);
	}
	/* Cut within: an inner header that is not there leaves no outer one in its place. */
	k = (struct build){0};
	put_vxlan(&k, 4789, 0x08, 0x0800);
	struct headers h = decode_cut(&k, LINKTYPE_RAW, k.n - 40);
	assert_int_equal(h.end, DECODE_CUT_IP);
	assert_int_equal(h.ip_version, 0);
	assert_int_equal(h.sport, 0);
	static const struct ip_addr none;
	assert_memory_equal(&h.src, &none, sizeof(none));
}

static uint32_t gre_id(bool swap, uint32_t key)
{
	struct build k = {0};
	put_ip4(&k, 47, 8 + 45);
	if (swap) {
		memcpy(k.b + 12, "\x0a\x00\x00\x02\x0a\x00\x00\x01", 8);
		put_checksum(&k, 0, 20);
	}
	put_gre(&k, 0x2000, 0x0800);
	store_be16(k.b + 26, (uint16_t)key);
	put_inner4(&k);
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_tcp4(&h);
	return h.tunnel_id;
}

static void test_tunnel_id(void **state)
{
	(void)state;
	assert_int_equal(gre_id(false, 7), gre_id(true, 7));
	assert_int_not_equal(gre_id(false, 7), gre_id(false, 8));
	struct build k = {0};
	put_ip4(&k, 4, 45);
	put_inner4(&k);
	assert_int_not_equal(decode(&k, LINKTYPE_RAW).tunnel_id, gre_id(false, 0));
}

static void test_tunnel_depth(void **state)
{
	(void)state;
	for (unsigned depth = 1; depth <= 6; depth++) {
		struct build k = {0};
		for (unsigned i = 0; i < depth; i++)
			put_ip4(&k, 4, 20 * (depth - 1 - i) + 45);
		put_inner4(&k);
		struct headers h = decode(&k, LINKTYPE_RAW);
		if (depth <= TUNNELS_MAX) {
			assert_tcp4(&h);
			assert_int_equal(h.n_tunnels, depth);
			continue;
		}
		assert_int_equal(h.end, DECODE_TUNNEL_DEPTH);
		assert_int_equal(h.anomalies, ANOMALY_TUNNEL_DEPTH);
		assert_int_equal(h.n_tunnels, TUNNELS_MAX);
		assert_int_equal(h.ip_version, 4);
	}
}

/* A length that a layer below cuts short, and a GRE that is not to be opened. */
static void test_lower_lengths(void **state)
{
	(void)state;
	struct build k = {0};
	put_ether(&k, 0x8864);
	put(&k, 8, 0x11000007002d0021); /* two bytes fewer than the datagram has */
	put_tcp4(&k);
	struct headers h = decode(&k, LINKTYPE_ETHERNET);
	assert_int_equal(h.anomalies, ANOMALY_IP_LEN);
	assert_int_equal(h.payload_len, 3);
	assert_int_equal(h.l3_caplen, 43);

	k = (struct build){0};
	put_ip4(&k, 47, 8 + 45);
	put_gre(&k, 0x4000, 0x0800); /* source routes of RFC 1701 */
	put_inner4(&k);
	assert_int_equal(decode(&k, LINKTYPE_RAW).end, DECODE_NO_PORTS);
}

/* Ports are in the first fragment alone, also of a packet that is quoted. */
static void test_icmp_quotes_fragment(void **state)
{
	(void)state;
	for (unsigned offset = 0; offset < 2; offset++) {
		struct build k = {0};
		put_ip4(&k, 1, 8 + 28);
		put(&k, 8, 0x0b00000000000000);
		size_t quoted = put_ip4(&k, 6, 1000);
		set16(&k, quoted + 6, (uint16_t)(0x2000 | offset));
		put(&k, 8, 0x9c4001bb01020304);
		struct headers h = decode(&k, LINKTYPE_RAW);
		assert_true(h.is_icmp_error);
		assert_int_equal(h.quoted_ok, offset == 0);
		assert_int_equal(h.quoted_sport, offset == 0 ? 40000 : 0);

		k = (struct build){0};
		put_ip6(&k, 58, 8 + 56);
		put(&k, 8, 0x0300000000000000);
		put_ip6(&k, 44, 1000);
		put(&k, 8, 0x0600000100000009 | (uint64_t)offset << 35);
		put(&k, 8, 0x9c4001bb01020304);
		h = decode(&k, LINKTYPE_RAW);
		assert_true(h.is_icmp_error);
		assert_int_equal(h.quoted_ok, offset == 0);
		assert_int_equal(h.quoted_dport, offset == 0 ? 443 : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_not_ip),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_vxlan),
		cmocka_unit_test(test_tunnel_id),
		cmocka_unit_test(test_tunnel_depth),
		cmocka_unit_test(test_lower_lengths),
		cmocka_unit_test(test_icmp_quotes_fragment),
	};
	return cmocka_run_group_tests(tests, NULL, drop_backing);
}
