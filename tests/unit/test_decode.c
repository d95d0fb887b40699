/* SPDX-License-Identifier: BSD-3-Clause */

/* Ethernet's padding, IP and its extensions, UDP, ICMP and what it quotes. */

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

static void test_ether_ip4_tcp(void **state)
{
	(void)state;
	struct build k = {0};
	put_ether(&k, 0x0800);
	put_tcp4(&k);
	put(&k, 6, 0); /* padding is no payload */
	struct headers h = decode(&k, LINKTYPE_ETHERNET);
	assert_tcp4(&h);
	assert_int_equal(h.anomalies, 0);
	assert_true(h.has_mac);
	assert_int_equal(h.src_mac[5], 0xa5);
	assert_int_equal(h.dst_mac[5], 0xd5);
	assert_int_equal(h.sll_direction, 0xff);
	assert_int_equal(h.ttl, 57);
	assert_int_equal(h.tos, 0xb8);
	assert_int_equal(h.ip_id, 0xbeef);
	assert_true(h.df);
	assert_false(h.mf);
	assert_int_equal(h.ip_hlen, 20);
	assert_int_equal(h.ip_len, 45);
	assert_int_equal(h.l3_caplen, 45);
	assert_ptr_equal(h.l3, backing + 14);
	assert_int_equal(h.seq, 0x01020304);
	assert_int_equal(h.ack, 0x05060708);
	assert_int_equal(h.flags, TCP_PSH | TCP_ACK);
	assert_int_equal(h.window, 8192);
	assert_int_equal(h.urgent, 0x1f);
	assert_int_equal(h.tcp_hlen, 20);
	assert_int_equal(h.payload_caplen, 5);
	static const uint8_t src[16] = {[10] = 0xff, 0xff, 10, 0, 0, 1};
	assert_memory_equal(h.src.b, src, 16);
	char text[46];
	assert_string_equal(ip_addr_format(&h.dst, 4, text, sizeof(text)), "10.0.0.2");
}

static void test_every_cut(void **state)
{
	(void)state;
	struct build k = {0};
	put_ether(&k, 0x0800);
	put_tcp4(&k);
	for (size_t n = 0; n <= k.n; n++) {
		struct headers h = decode_cut(&k, LINKTYPE_ETHERNET, n);
		enum decode_end want = n < 14 ? DECODE_CUT_LINK : n < 34 ? DECODE_CUT_IP
				       : n < 54 ? DECODE_CUT_TRANSPORT : DECODE_OK;
		assert_int_equal(h.end, want);
		assert_int_equal(h.anomalies, 0);
		assert_int_equal(h.ip_version, n < 34 ? 0 : 4);
		if (want == DECODE_OK) {
			assert_int_equal(h.payload_len, 5);
			assert_int_equal(h.payload_caplen, n - 54);
		}
	}
}

static void test_ip4_malformed(void **state)
{
	(void)state;
	struct build k = {0};
	put_tcp4(&k);
	struct build good = k;
	k.b[0] = 0x44;
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_BAD_IP);
	assert_int_equal(h.anomalies, ANOMALY_IP_HLEN);
	assert_int_equal(h.ip_version, 0);
	k.b[0] = 0x4f;
	assert_int_equal(decode(&k, LINKTYPE_RAW).anomalies, ANOMALY_IP_HLEN);
	k.b[0] = 0x35;
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_BAD_IP);
	assert_int_equal(h.anomalies, ANOMALY_IP_VERSION);

	k = good;
	set16(&k, 2, 0); /* TSO */
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.anomalies, ANOMALY_TSO | ANOMALY_IP_CHECKSUM);
	assert_int_equal(h.ip_len, 45);
	assert_int_equal(h.payload_len, 5);
	set16(&k, 2, 400); /* more than the wire had */
	put_checksum(&k, 0, 20);
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.anomalies, ANOMALY_IP_LEN);
	assert_int_equal(h.ip_len, 400);
	assert_int_equal(h.payload_len, 5);
	set16(&k, 2, 19); /* less than its own header */
	put_checksum(&k, 0, 20);
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_CUT_TRANSPORT);
	assert_int_equal(h.anomalies, ANOMALY_IP_LEN);

	k = good;
	k.b[10] ^= 1;
	assert_int_equal(decode(&k, LINKTYPE_RAW).anomalies, ANOMALY_IP_CHECKSUM);
	set16(&k, 10, 0);
	assert_int_equal(decode(&k, LINKTYPE_RAW).anomalies, 0);
	k.b[6] = 0x80;
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.anomalies, ANOMALY_IP_FLAG_RESERVED);
	assert_false(h.df);
}

static void test_ip4_options(void **state)
{
	(void)state;
	struct build k = {0};
	put_ip4(&k, 6, 24);
	put(&k, 4, 0x94040000); /* router alert */
	k.b[0] = 0x46;
	put_checksum(&k, 0, 24);
	put_tcp(&k, TCP_SYN, 0);
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.anomalies, 0);
	assert_int_equal(h.ip_hlen, 24);
	assert_int_equal(h.dport, 443);
	assert_int_equal(decode_cut(&k, LINKTYPE_RAW, 22).end, DECODE_CUT_IP);
}

static void test_fragments_are_told(void **state)
{
	(void)state;
	struct build k = {0};
	put_tcp4(&k);
	set16(&k, 6, 0x2000);
	set16(&k, 10, 0);
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_FRAGMENT);
	assert_true(h.mf);
	assert_int_equal(h.frag_id, 0xbeef);
	set16(&k, 6, 0x1fff);
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_FRAGMENT);
	assert_int_equal(h.frag_offset, 65528);
	assert_int_equal(h.proto, 6);
	assert_int_equal(h.sport, 0);
}

static void test_ip6_extensions(void **state)
{
	(void)state;
	struct build k = {0};
	put_ip6(&k, 0, 8 + 16 + 8 + 20);
	put(&k, 8, 0x3c00010400000000);          /* hop-by-hop, then destination */
	put(&k, 8, 0x2c01010c00000000);          /* destination of 16, then fragment */
	put(&k, 8, 0);
	put(&k, 8, 0x0600000012345678);          /* atomic: whole (RFC 6946) */
	put_tcp(&k, TCP_RST, 0);
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.anomalies, 0);
	assert_int_equal(h.ip_version, 6);
	assert_int_equal(h.ip_hlen, 72);
	assert_int_equal(h.ip_len, 92);
	assert_int_equal(h.flow_label, 0xabcde);
	assert_int_equal(h.tos, 0x28);
	assert_int_equal(h.ttl, 61);
	assert_int_equal(h.proto, 6);
	assert_int_equal(h.flags, TCP_RST);
	char text[46];
	assert_string_equal(ip_addr_format(&h.src, 6, text, sizeof(text)), "2001:db8::1");

	for (size_t n = 40; n < 72; n++) {
		h = decode_cut(&k, LINKTYPE_RAW, n);
		assert_int_equal(h.end, DECODE_CUT_TRANSPORT);
		assert_int_equal(h.anomalies, 0);
	}
	k.b[64 + 3] = 1; /* more fragments */
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_FRAGMENT);
	assert_int_equal(h.frag_id, 0x12345678);
	assert_int_equal(h.ip_hlen, 72);
	k.b[49] = 200; /* the second header says it is longer than the packet */
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_CUT_TRANSPORT);
	assert_int_equal(h.anomalies, ANOMALY_IP6_EXT);
}

static void test_ip6_many_extensions(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 10; n++) {
		struct build k = {0};
		put_ip6(&k, 60, 8 * n + 20);
		for (unsigned i = 1; i <= n; i++)
			put(&k, 8, (i < n ? 60ull : 6ull) << 56 | 0x0000010400000000ull);
		put_tcp(&k, TCP_SYN, 0);
		struct headers h = decode(&k, LINKTYPE_IPV6);
		assert_int_equal(h.end, n <= 8 ? DECODE_OK : DECODE_NO_PORTS);
		assert_int_equal(h.anomalies, n <= 8 ? 0 : ANOMALY_IP6_EXT);
	}
	struct build k = {0};
	put_ip6(&k, 51, 24 + 20);
	put(&k, 8, 0x0604000000000001); /* AH: (4 + 2) words */
	put(&k, 8, 0);
	put(&k, 8, 0);
	put_tcp(&k, TCP_SYN, 0);
	struct headers h = decode(&k, LINKTYPE_IPV6);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.ip_hlen, 64);
}

static void test_padding(void **state)
{
	(void)state;
	struct build k = {0};
	put_ether(&k, 0x0800);
	put_ip4(&k, 6, 26);
	put_tcp(&k, TCP_RST, 0);
	put(&k, 6, 0);
	struct headers h = decode(&k, LINKTYPE_ETHERNET);
	assert_int_equal(h.anomalies, ANOMALY_ETH_PADDING);
	assert_int_equal(h.payload_len, 6);
	k.b[k.n - 1] = 1;
	assert_int_equal(decode(&k, LINKTYPE_ETHERNET).anomalies, 0);

	k = (struct build){0};
	put_ether(&k, 0x0800);
	put_ip4(&k, 6, 25);
	put_tcp(&k, TCP_RST, 0);
	put(&k, 6, 0);
	assert_int_equal(decode(&k, LINKTYPE_ETHERNET).anomalies, 0);
}

static void test_udp(void **state)
{
	(void)state;
	struct build k = {0};
	put_ip4(&k, 17, 12);
	put(&k, 8, 0x0035c0de000c0000);
	put(&k, 4, 0x61626364);
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.anomalies, 0);
	assert_int_equal(h.sport, 53);
	assert_int_equal(h.dport, 0xc0de);
	assert_int_equal(h.payload_len, 4);
	set16(&k, 24, 10);
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.payload_len, 2);
	assert_int_equal(h.payload_caplen, 2);
	assert_int_equal(h.anomalies, 0);
	for (unsigned len = 0; len < 20; len++) {
		set16(&k, 24, (uint16_t)len);
		h = decode(&k, LINKTYPE_RAW);
		assert_int_equal(h.anomalies, len < 8 || len > 12 ? ANOMALY_UDP_LEN : 0);
	}
	set16(&k, 24, 12);
	h = decode_cut(&k, LINKTYPE_RAW, 24);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.payload_len, 4);
	assert_int_equal(h.payload_caplen, 0);
	assert_int_equal(decode_cut(&k, LINKTYPE_RAW, 23).end, DECODE_CUT_TRANSPORT);
}

static void test_icmp_quote(void **state)
{
	(void)state;
	struct build k = {0};
	put_ip4(&k, 1, 8 + 28);
	put(&k, 8, 0x0b00000000000000);
	size_t quoted = put_ip4(&k, 6, 1000);
	put(&k, 8, 0x9c4001bb01020304);
	k.b[quoted + 8] = 1;
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_OK);
	assert_true(h.is_icmp_error && h.quoted_ok);
	assert_int_equal(h.sport, 11);
	assert_int_equal(h.dport, 0);
	assert_int_equal(h.ttl, 57);
	assert_int_equal(h.quoted_ttl, 1);
	assert_int_equal(h.quoted_ip_id, 0xbeef);
	assert_int_equal(h.quoted_tos, k.b[quoted + 1]);
	assert_int_equal(h.quoted_df, (k.b[quoted + 6] & 0x40) != 0);
	k.b[quoted + 1] = 0xb8;
	k.b[quoted + 6] ^= 0x40;
	assert_int_equal(decode(&k, LINKTYPE_RAW).quoted_tos, 0xb8);
	assert_int_not_equal(decode(&k, LINKTYPE_RAW).quoted_df, h.quoted_df);
	assert_int_equal(h.quoted_sport, 40000);
	assert_int_equal(h.quoted_dport, 443);
	assert_int_equal(h.quoted_seq, 0x01020304);
	assert_int_equal(h.quoted_dst.b[15], 2);
	assert_false(decode_cut(&k, LINKTYPE_RAW, k.n - 5).quoted_ok);
	k.b[20] = 8; /* an echo quotes nothing */
	assert_false(decode(&k, LINKTYPE_RAW).is_icmp_error);

	k = (struct build){0};
	put_ip6(&k, 58, 8 + 48);
	put(&k, 8, 0x0104000000000000);
	quoted = k.n;
	put_ip6(&k, 17, 20);
	put(&k, 8, 0x1234003500140000);
	k.b[quoted] = 0x6b;
	k.b[quoted + 1] = 0x80;
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.quoted_tos, 0xb8);
	assert_true(h.is_icmp_error && h.quoted_ok);
	assert_int_equal(h.dport, 4);
	assert_int_equal(h.quoted_proto, 17);
	assert_int_equal(h.quoted_dport, 53);
	assert_int_equal(h.quoted_src.b[15], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ether_ip4_tcp),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_ip4_malformed),
		cmocka_unit_test(test_ip4_options),
		cmocka_unit_test(test_fragments_are_told),
		cmocka_unit_test(test_ip6_extensions),
		cmocka_unit_test(test_ip6_many_extensions),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_icmp_quote),
	};
	return cmocka_run_group_tests(tests, NULL, drop_backing);
}
