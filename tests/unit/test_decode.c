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

static int teardown(void **state)
{
	(void)state;
	free(backing);
	backing = NULL;
	return 0;
}

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

static void test_all_flags(void **state)
{
	(void)state;
	for (unsigned flags = 0; flags < 0x1000; flags++) {
		struct build k = {0};
		put_ip4(&k, 6, 20);
		put_tcp(&k, (uint16_t)flags, 0);
		struct headers h = decode(&k, LINKTYPE_RAW);
		assert_int_equal(h.end, DECODE_OK);
		assert_int_equal(h.flags, flags);
		bool odd = (flags & 0x3f) == 0 || (flags & 3) == 3 || (flags & 6) == 6;
		assert_int_equal(h.anomalies, odd ? ANOMALY_TCP_FLAGS : 0);
	}
}

static const uint8_t syn_options[20] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2,
					3, 4, 5, 6, 7, 8, 1, 3, 3, 7};

static void test_options(void **state)
{
	(void)state;
	struct build k = {0};
	put_ip4(&k, 6, 40);
	put_tcp(&k, TCP_SYN, 20);
	put_bytes(&k, syn_options, 20);
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.anomalies, 0);
	assert_int_equal(h.n_options, 5);
	static const uint8_t kinds[5] = {2, 4, 8, 1, 3};
	assert_memory_equal(h.options, kinds, 5);
	assert_true(h.has_mss && h.has_ts && h.has_wscale && h.sack_permitted);
	assert_int_equal(h.mss, 1460);
	assert_int_equal(h.wscale, 7);
	assert_int_equal(h.tsval, 0x01020304);
	assert_int_equal(h.tsecr, 0x05060708);
	assert_false(h.options_cut);

	/* Cut by the capture: no anomaly, and said so. */
	h = decode_cut(&k, LINKTYPE_RAW, 45);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.anomalies, 0);
	assert_true(h.options_cut && h.has_mss && !h.has_ts);
	assert_int_equal(h.payload_caplen, 0);

	/* An impossible length: what came before is known. */
	k.b[40 + 5] = 1;
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.anomalies, ANOMALY_TCP_OPTIONS);
	assert_int_equal(h.n_options, 2);
	assert_true(h.has_mss && !h.sack_permitted && !h.has_ts);
	k.b[40 + 5] = 40;
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.anomalies, ANOMALY_TCP_OPTIONS);
	/* A wrong length of a known kind does not hide the next. */
	k.b[40 + 5] = 2;
	k.b[40 + 1] = 3;
	k.b[40 + 3] = 1;
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.anomalies, ANOMALY_TCP_OPTIONS);
	assert_true(!h.has_mss && h.sack_permitted && h.has_ts);
}

/* The usual layout has a way of its own. */
static void test_timestamps_only(void **state)
{
	(void)state;
	struct build k = {0};
	put_ip4(&k, 6, 32);
	put_tcp(&k, TCP_ACK, 12);
	put_bytes(&k, (const uint8_t[]){1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, 12);
	struct headers h = decode(&k, LINKTYPE_RAW), cut = decode_cut(&k, LINKTYPE_RAW, 50);
	assert_true(h.anomalies == 0 && h.has_ts && !h.options_cut && cut.options_cut && !cut.has_ts);
	assert_true(h.n_options == 3 && memcmp(h.options, (const uint8_t[]){1, 1, 8}, 3) == 0);
	assert_true(h.tsval == 0x01020304 && h.tsecr == 0x05060708);
}

static void test_sack_and_nops(void **state)
{
	(void)state;
	struct build k = {0};
	put_ip4(&k, 6, 60);
	put_tcp(&k, TCP_ACK, 40);
	put(&k, 2, 5 << 8 | 34);
	for (uint32_t i = 1; i <= 8; i++)
		put(&k, 4, 0x10000000u * i);
	put(&k, 6, 0x010101010100);
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.anomalies, 0);
	assert_int_equal(h.n_sack, 4);
	assert_int_equal(h.sack[0], 0x10000000);
	assert_int_equal(h.sack[7], 0x80000000);
	assert_int_equal(h.n_options, 7);
	assert_int_equal(h.options[6], 0);

	k.b[41] = 33; /* half an edge */
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.anomalies, ANOMALY_TCP_OPTIONS);
	assert_int_equal(h.n_sack, 0);

	memset(k.b + 40, 1, 40);
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.n_options, TCP_OPTIONS_MAX);
	assert_int_equal(h.anomalies, 0);
}

static void test_tcp_malformed(void **state)
{
	(void)state;
	struct build k = {0};
	put_tcp4(&k);
	k.b[32] = 0x4f; /* data offset 4, reserved bits and AE */
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.anomalies, ANOMALY_TCP_HLEN);
	assert_int_equal(h.sport, 40000);
	assert_int_equal(h.flags, 0xf18);
	assert_int_equal(h.payload_len, 0);
	k.b[32] = 0xf0; /* beyond the packet */
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.anomalies, ANOMALY_TCP_HLEN);
	assert_int_equal(h.n_options, 0);

	/* A segment of 14 bytes still tells its flags; of 13 it does not. */
	set16(&k, 2, 34);
	put_checksum(&k, 0, 20);
	h = decode_cut(&k, LINKTYPE_RAW, 34);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.anomalies, ANOMALY_TCP_HLEN);
	assert_int_equal(h.flags, TCP_PSH | TCP_ACK);
	set16(&k, 2, 33);
	h = decode(&k, LINKTYPE_RAW);
	assert_int_equal(h.end, DECODE_CUT_TRANSPORT);
	assert_int_equal(h.sport, 40000);
	assert_int_equal(h.flags, 0);
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
	put_ip6(&k, 17, 20);
	put(&k, 8, 0x1234003500140000);
	h = decode(&k, LINKTYPE_RAW);
	assert_true(h.is_icmp_error && h.quoted_ok);
	assert_int_equal(h.dport, 4);
	assert_int_equal(h.quoted_proto, 17);
	assert_int_equal(h.quoted_dport, 53);
	assert_int_equal(h.quoted_src.b[15], 1);
}

static void test_tcp_checksum(void **state)
{
	(void)state;
	for (unsigned version = 4; version <= 6; version += 2) {
		struct build k = {0};
		if (version == 4)
			put_ip4(&k, 6, 25);
		else
			put_ip6(&k, 6, 25);
		size_t at = k.n;
		put_tcp(&k, TCP_ACK, 0);
		put_bytes(&k, "hello", 5);
		/* A second implementation: by bytes, big-endian. */
		uint32_t sum = 2 * (version == 4 ? 0x0a00 : 0x2001 + 0xdb8) + 1 + 2 + 6 + 25;
		for (size_t i = at; i < k.n; i++)
			sum += (i - at) % 2 == 0 ? (uint32_t)k.b[i] << 8 : k.b[i];
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		set16(&k, at + 16, (uint16_t)~sum);
		struct headers h = decode(&k, LINKTYPE_RAW);
		assert_true(tcp_is_whole(&h) && tcp_checksum_ok(&h));
		k.b[k.n - 1] ^= 1;
		h = decode(&k, LINKTYPE_RAW);
		assert_false(tcp_checksum_ok(&h));
		h = decode_cut(&k, LINKTYPE_RAW, k.n - 1);
		assert_true(!tcp_is_whole(&h) && tcp_checksum_ok(&h));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ether_ip4_tcp),
		cmocka_unit_test(test_all_flags),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_timestamps_only),
		cmocka_unit_test(test_sack_and_nops),
		cmocka_unit_test(test_tcp_malformed),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_ip4_malformed),
		cmocka_unit_test(test_ip4_options),
		cmocka_unit_test(test_fragments_are_told),
		cmocka_unit_test(test_ip6_extensions),
		cmocka_unit_test(test_ip6_many_extensions),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_icmp_quote),
		cmocka_unit_test(test_tcp_checksum),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
