/* SPDX-License-Identifier: BSD-3-Clause */

/* Frames in tunnels as they are shared: both headers, and what the tunnel's own says of somebody. */

#include "tools/privacy/scrub_tunnel.c"

#include "tests/unit/scrub_build.h"

/* Both headers, what names a subscriber or endpoint, and the checksum over all of it. */
static void test_udp_tunnels(void **state)
{
	(void)state;
	static const struct {
		uint16_t port;
		uint8_t len, head[20], kept[20];
	} of[] = {
		{2152, 16, {0x34, 255, 0, 48, 0xde, 0xad, 0xbe, 0xef, 0, 7, 0, 0x85, 1, 0x10, 9, 0},
		 {0x34, 255, 0, 48, [11] = 0x85, 1}},
		{6081, 16, {2, 0, 8, 0, 0, 0x12, 0x67, 0, 1, 8, 3, 1, 10, 0, 0, 1},
		 {2, 0, 8, 0, 0, 0x12, 0x67, 0, 1, 8, 3, 1}},
	};
	start(false, false);
	for (size_t i = 0; i < 2; i++) {
		struct build k = {0};
		size_t n = 8 + of[i].len + 40u;
		put_ether(&k, 0x0800);
		put_ip4(&k, 17, n);
		put(&k, 4, 2152u << 16 | of[i].port);
		put(&k, 4, n << 16);
		put_bytes(&k, of[i].head, of[i].len);
		put_ip4(&k, 6, 20);
		put_tcp(&k, TCP_ACK, 0);
		set_sum(&k, 14, 17, 34, n, 6);
		assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), k.n);
		assert_memory_equal(out + 42, of[i].kept, of[i].len);
		assert_memory_equal(out + 26, as4, 4);
		assert_memory_equal(out + 42 + of[i].len + 12, as4, 4);
		assert_null(memmem(out, k.n, client4, 4));
		assert_true(sum_right(out, 14, 17, 34, n));
		/* What is none is payload like any other. */
		k.b[42] ^= 0x80;
		assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 42);
	}
	stop();
}

/* ERSPAN type III: the mirrored frame, and nothing of the switch's own header. */
static void test_erspan(void **state)
{
	(void)state;
	struct build k = {0};
	put_ip4(&k, 47, 8 + 20 + 14 + 40);
	put(&k, 8, 0x100022eb00000063);
	put(&k, 8, 0x2064000500000077);
	put(&k, 4, 1);
	put(&k, 8, 0x040000000a000001);
	put_ether(&k, 0x0800);
	put_ip4(&k, 6, 20);
	put_tcp(&k, TCP_ACK, 0);
	start(false, false);
	assert_int_equal(scrub_build(&k, LINKTYPE_RAW), k.n);
	assert_memory_equal(out + 12, as4, 4);
	assert_memory_equal(out + k.n - 28, as4, 4);
	assert_null(memmem(out, k.n, client4, 4));
	assert_memory_not_equal(out + 48, k.b + 48, 6); /* MAC addresses too */
	k.b[28] = 0x30; /* no version that is known */
	assert_int_equal(scrub_build(&k, LINKTYPE_RAW), 28);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp_tunnels),
		cmocka_unit_test(test_erspan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
