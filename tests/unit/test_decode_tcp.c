/* SPDX-License-Identifier: BSD-3-Clause */

/* TCP's header: flags, options, lengths that lie, and the checksum. */

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
		assert_false(transport_is_damaged(&h));
		k.b[k.n - 1] ^= 1;
		h = decode(&k, LINKTYPE_RAW);
		assert_false(tcp_checksum_ok(&h));
		assert_true(transport_is_damaged(&h));
		h = decode_cut(&k, LINKTYPE_RAW, k.n - 1);
		assert_true(!tcp_is_whole(&h) && tcp_checksum_ok(&h));
		assert_false(transport_is_damaged(&h));
		/* Left to the card: of the pseudo header alone, and not inverted. */
		sum = 2 * (version == 4 ? 0x0a00 : 0x2001 + 0xdb8) + 1 + 2 + 6 + 25;
		set16(&k, at + 16, (uint16_t)sum);
		h = decode(&k, LINKTYPE_RAW);
		assert_true(!tcp_checksum_ok(&h) && !transport_is_damaged(&h));
	}
}

static void test_udp_damage(void **state)
{
	(void)state;
	static const struct {
		uint16_t sum;
		bool damaged;
	} rows[] = {{0, false}, {0x1234, true}, {0x1400 + 1 + 2 + 17 + 13, false}};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct build k = {0};
		put_ip4(&k, 17, 13);
		size_t at = k.n;
		put_bytes(&k, "\x9c\x40\0\x35\0\x0d\0\0hello", 13);
		set16(&k, at + 6, rows[i].sum);
		struct headers h = decode(&k, LINKTYPE_RAW);
		assert_int_equal(h.payload_len, 5);
		assert_int_equal(transport_is_damaged(&h), rows[i].damaged);
	}
	/* The right one, summed by hand. */
	struct build k = {0};
	put_ip4(&k, 17, 13);
	size_t at = k.n;
	put_bytes(&k, "\x9c\x40\0\x35\0\x0d\0\0hello", 13);
	uint32_t sum = 0x1400 + 1 + 2 + 17 + 13;
	for (size_t i = at; i < k.n; i++)
		sum += (i - at) % 2 == 0 ? (uint32_t)k.b[i] << 8 : k.b[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	set16(&k, at + 6, (uint16_t)~sum);
	struct headers h = decode(&k, LINKTYPE_RAW);
	assert_false(transport_is_damaged(&h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_flags),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_timestamps_only),
		cmocka_unit_test(test_sack_and_nops),
		cmocka_unit_test(test_tcp_malformed),
		cmocka_unit_test(test_tcp_checksum),
		cmocka_unit_test(test_udp_damage),
	};
	return cmocka_run_group_tests(tests, NULL, drop_backing);
}
