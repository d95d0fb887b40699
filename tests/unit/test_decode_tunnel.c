/* SPDX-License-Identifier: BSD-3-Clause */

/* GTP-U, Geneve and ERSPAN: which are opened, which look alike, and what is said of closed tunnels. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/decode_tunnel.c"
#include "dataplane/decode_tunnel_udp.c"
#include "tests/unit/packet_build.h"

#define INNER 45u /* put_tcp4() */

static int teardown(void **state)
{
	(void)state;
	free(backing);
	backing = NULL;
	return 0;
}

static void put_udp(struct build *k, uint16_t sport, uint16_t dport, size_t len)
{
	put_ip4(k, PROTO_UDP, 8 + len);
	put(k, 4, (uint32_t)sport << 16 | dport);
	put(k, 4, (uint32_t)(8 + len) << 16);
}

/* more: what is behind the eight bytes that every header has. */
static void put_gtp(struct build *k, uint8_t flags, uint32_t teid, const void *more, size_t n)
{
	put_udp(k, GTP_PORT, GTP_PORT, 8 + n + INNER);
	put(k, 4, (uint32_t)flags << 24 | 255u << 16 | (uint32_t)(n + INNER));
	put(k, 4, teid);
	put_bytes(k, more, n);
	put_tcp4(k);
}

static void put_geneve(struct build *k, uint32_t head, const void *options, size_t n)
{
	bool frame = (uint16_t)head == ETHER_TEB;
	put_udp(k, 50000, GENEVE_PORT, 8 + n + (frame ? 14 : 0) + INNER);
	put(k, 4, head);
	put(k, 4, 4711 << 8);
	put_bytes(k, options, n);
	if (frame)
		put_ether(k, ETHER_IP4);
	put_tcp4(k);
}

/* Type 1, 2 or 3; platform: type 3 with the header of that name. Type 1 is never numbered. */
static void put_erspan(struct build *k, unsigned type, bool numbered, bool platform)
{
	const uint32_t session = 5;
	size_t head = type == 1 ? 0 : type == 2 ? 8 : platform ? 20 : 12;
	put_ip4(k, PROTO_GRE, 4 + (numbered ? 4 : 0) + head + 14 + INNER);
	put(k, 4, (numbered ? 0x10000000u : 0) | (type == 3 ? ETHER_ERSPAN3 : ETHER_ERSPAN));
	if (numbered)
		put(k, 4, 99);
	if (type != 1) {
		put(k, 4, (type == 3 ? 0x20640000u : 0x10640000u) | session);
		put(k, 4, 0x77);
	}
	if (type == 3)
		put(k, 4, 0x00090000u | platform);
	if (platform)
		put(k, 8, 0x0400000000000001);
	put_ether(k, ETHER_IP4);
	put_tcp4(k);
}

static struct headers assert_opened(const struct build *k, enum tunnel kind)
{
	struct headers h = decode(k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.anomalies, 0);
	assert_int_equal(h.n_tunnels, 1);
	assert_int_equal(h.tunnels[0], kind);
	assert_int_equal(h.sport, 40000);
	assert_int_equal(h.dport, 443);
	assert_int_equal(h.payload_len, 5);
	assert_ptr_equal(h.l3, backing + k->n - INNER);
	assert_false(h.tunnel_closed);
	return h;
}

/* What it was outside. */
static void assert_not_opened(const struct build *k, uint8_t proto, bool closed)
{
	struct headers h = decode(k, LINKTYPE_RAW);
	assert_int_equal(h.proto, proto);
	assert_int_equal(h.n_tunnels, 0);
	assert_int_equal(h.tunnel_id, 0);
	assert_int_equal(h.end, proto == PROTO_UDP ? DECODE_OK : DECODE_NO_PORTS);
	assert_int_equal(h.tunnel_closed, closed);
	if (proto == PROTO_UDP)
		assert_int_equal(h.payload_len, k->n - 28);
}

/* However much of it was captured: opened, or closed and counted, never another flow. */
static void assert_cuts(const struct build *k, uint8_t proto)
{
	for (size_t n = 0; n < k->n; n++) {
		struct headers h = decode_cut(k, LINKTYPE_RAW, n);
		assert_true(h.n_tunnels <= 1);
		if (h.n_tunnels == 1)
			assert_true(h.sport == 40000 || h.end != DECODE_OK);
		else if (n >= 20)
			assert_int_equal(h.proto, proto);
		if (h.n_tunnels == 0 && n > 44 && n < k->n - INNER)
			assert_true(h.tunnel_closed || h.end == DECODE_CUT_TRANSPORT);
		if (n > k->n - INNER + 20 + 4)
			assert_int_equal(h.sport, 40000);
	}
}

static void test_gtp(void **state)
{
	(void)state;
	static const struct {
		uint8_t flags, n, more[16];
	} good[] = {
		{0x30, 0, {0}},
		{0x32, 4, {0, 7, 0, 0x85}}, /* with E clear the type says nothing */
		{0x31, 4, {0, 0, 3, 0}},
		{0x34, 8, {0, 0, 0, 0x85, 1, 0x10, 1, 0}},
		{0x37, 16, {0, 7, 3, 0xc0, 1, 0, 9, 0x85, 2, 0, 1, 2, 3, 4, 5, 0}},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct build k = {0};
		put_gtp(&k, good[i].flags, 0x1000, good[i].more, good[i].n);
		assert_int_not_equal(assert_opened(&k, TUNNEL_GTP).tunnel_id, 0);
		assert_cuts(&k, PROTO_UDP);
	}
	static const struct {
		size_t at;
		uint8_t value;
		bool closed;
	} odd[] = {
		{28, 0x20, false}, /* GTP' */
		{28, 0x54, false}, /* version 2, of the control plane */
		{28, 0x3c, false}, /* the spare bit */
		{29, 1, false},    /* echo request */
		{29, 254, false},  /* end marker */
		{31, 52, false},   /* one byte less than there is */
		{31, 54, false},
		{23, 0x69, false}, /* to another port */
		{40, 0, true},     /* an extension without a length */
		{40, 60, true},    /* or with one that leads out of the datagram */
		{44, 0x55, true},  /* neither version of IP */
		{47, 46, true},    /* an inner datagram longer than the outer */
	};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct build k = {0};
		put_gtp(&k, 0x34, 0x1000, "\0\0\0\x85\1\x10\1\0", 8);
		k.b[odd[i].at] = odd[i].value;
		assert_not_opened(&k, PROTO_UDP, odd[i].closed);
	}
}

/* Each direction has a TEID of its own; the two are one tunnel. */
static void test_gtp_directions(void **state)
{
	(void)state;
	struct build up = {0}, down = {0};
	put_gtp(&up, 0x30, 0x1000, "", 0);
	put_gtp(&down, 0x30, 0x2000, "", 0);
	memcpy(down.b + 12, "\x0a\x00\x00\x02\x0a\x00\x00\x01", 8);
	put_checksum(&down, 0, 20);
	uint32_t id = assert_opened(&up, TUNNEL_GTP).tunnel_id;
	assert_int_equal(assert_opened(&down, TUNNEL_GTP).tunnel_id, id);
	struct build in6 = {0};
	put_udp(&in6, GTP_PORT, GTP_PORT, 8 + 60);
	put(&in6, 8, 0x30ff003c00001000);
	put_ip6(&in6, PROTO_TCP, 20);
	put_tcp(&in6, TCP_SYN, 0);
	struct headers h = decode(&in6, LINKTYPE_RAW);
	assert_int_equal(h.ip_version, 6);
	assert_int_equal(h.tunnel_id, id);
}

static void test_geneve(void **state)
{
	(void)state;
	static const uint8_t options[12] = {1, 8, 0x81, 1, 1, 2, 3, 4, 1, 8, 2, 0};
	static const uint32_t types[] = {ETHER_TEB, ETHER_IP4};
	for (unsigned i = 0; i < 4; i++) {
		struct build k = {0};
		/* Also with the bit for critical options. */
		put_geneve(&k, types[i & 1] | (i & 2 ? 0x03400000u : 0), options, i & 2 ? 12 : 0);
		assert_opened(&k, TUNNEL_GENEVE);
		assert_cuts(&k, PROTO_UDP);
	}
	static const struct {
		size_t at;
		uint8_t value;
	} odd[] = {
		{28, 0x43}, /* version 1 */
		{28, 2},    /* fewer options than there are */
		{28, 0x3f}, /* more than the datagram holds */
		{29, 0x80}, /* a control packet */
		{29, 1},    /* reserved */
		{31, 6},    /* ARP */
		{35, 1},    /* reserved */
		{39, 3},    /* the first option leads out of the others */
		{48, 0x65}, /* not IPv4 */
	};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct build k = {0};
		put_geneve(&k, 0x03000000u | ETHER_IP4, options, 12);
		k.b[odd[i].at] = odd[i].value;
		assert_not_opened(&k, PROTO_UDP, false);
	}
	struct build a = {0}, b = {0};
	put_geneve(&a, ETHER_IP4, "", 0);
	put_geneve(&b, ETHER_IP4, "", 0);
	b.b[34]++;
	assert_int_not_equal(decode(&a, LINKTYPE_RAW).tunnel_id, decode(&b, LINKTYPE_RAW).tunnel_id);
}

static void test_erspan(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct build k = {0};
		put_erspan(&k, i < 3 ? i + 1 : 3, i != 0 && i != 4, i >= 3);
		/* A copy: whichever session brought it, it is of one connection. */
		assert_int_equal(assert_opened(&k, TUNNEL_ERSPAN).tunnel_id, 0);
		assert_cuts(&k, PROTO_GRE);
		k.b[k.n - INNER - 1] = 6; /* ARP inside */
		assert_not_opened(&k, PROTO_GRE, false);
	}
	struct build k = {0};
	put_erspan(&k, 2, true, false);
	k.b[28] = 0x20; /* version 2 in a header of type II */
	assert_not_opened(&k, PROTO_GRE, true);
	k = (struct build){0};
	put_erspan(&k, 3, true, false);
	k.b[38] = 0x08; /* frame type 2: IP */
	assert_not_opened(&k, PROTO_GRE, true);
}

static void assert_udp_closed(uint16_t port, uint64_t head, bool closed)
{
	for (unsigned swap = 0; swap < 2; swap++) {
		struct build k = {0};
		put_udp(&k, swap ? 40000 : port, swap ? port : 40000, 24);
		put(&k, 8, head);
		put(&k, 8, 0);
		put(&k, 8, 0);
		assert_not_opened(&k, PROTO_UDP, closed);
	}
}

static void test_closed(void **state)
{
	(void)state;
	static const uint8_t protocols[] = {PROTO_ESP, PROTO_L2TP, PROTO_GRE};
	for (unsigned i = 0; i < 3; i++) {
		struct build k = {0};
		put_ip4(&k, protocols[i], 16);
		put(&k, 8, 0x3001880b00040007); /* PPTP's header, as GRE */
		put(&k, 8, 0);
		assert_not_opened(&k, protocols[i], true);
	}
	assert_udp_closed(ESP_PORT, 0xc0000001ull << 32, true);
	assert_udp_closed(ESP_PORT, 0, false);			   /* IKE */
	assert_udp_closed(L2TP_PORT, 0x0002000700010000, true);
	assert_udp_closed(L2TP_PORT, 0x4002001800070001, true);	   /* with its length */
	assert_udp_closed(L2TP_PORT, 0x4002001700070001, false);
	assert_udp_closed(L2TP_PORT, 0xc802001800070001, false);   /* a control message */
	assert_udp_closed(L2TP_PORT, 0x0003000000000007, true);
	struct build k = {0};
	put_ether(&k, ETHER_MPLS);
	put(&k, 8, 0x0001014000000000); /* a pseudowire's control word */
	assert_true(decode(&k, LINKTYPE_ETHERNET).tunnel_closed);
	k = (struct build){0};
	for (unsigned i = 0; i <= TUNNELS_MAX; i++)
		put_ip4(&k, PROTO_IP4, 20 * (TUNNELS_MAX - i) + INNER);
	put_tcp4(&k);
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_TUNNEL_DEPTH);
	assert_true(h.tunnel_closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gtp),
		cmocka_unit_test(test_gtp_directions),
		cmocka_unit_test(test_geneve),
		cmocka_unit_test(test_erspan),
		cmocka_unit_test(test_closed),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
