/* SPDX-License-Identifier: BSD-3-Clause */

/* What a datagram put together has of the headers of its fragments, and of what carried them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/defrag.c"
#include "dataplane/fragment_store.c"
#include "dataplane/fragments.c"

#include "dataplane/decode.c"
#include "dataplane/decode_link.c"
#include "dataplane/decode_transport.c"
#include "dataplane/decode_tunnel.c"

#include "tests/unit/fragment_build.h"

/* Cut short by the capture: as far as it is there. */
static void test_snapped(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(0);
	struct build k = {0}, part = {0};
	put_datagram(&k, 4);
	put_fragment(&part, &k, 0, 0, 48, 0x77);
	struct packet pkt = packet_of(&part, LINKTYPE_RAW);
	pkt.caplen = 20 + 43;
	struct headers h;
	const struct packet *whole;
	assert_false(decoder_run(d, &pkt, &h, &whole));
	whole = run_part(d, &k, 48, 96, 1, &h);
	assert_non_null(whole);
	assert_int_equal(whole->caplen, 63);
	assert_int_equal(whole->wirelen, 116);
	assert_int_equal(h.payload_len, 76);
	assert_int_equal(h.payload_caplen, 23);
	assert_memory_equal(h.payload, "ABCDEFGHIJKLMNOPQRSTUVW", 23);
	decoder_release(d, whole);
	decoder_free(d);
}

/* What lies before an IPv6 fragment header stays, and leads to what is behind it. */
static void test_ip6_headers_before(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(0);
	struct headers h;
	const struct packet *whole = NULL;
	for (unsigned i = 0; i < 2; i++) {
		struct build k = {0};
		put_ip6(&k, 0, 8 + 16 + 8 + 16);
		put(&k, 8, 0x3c00010400000000);
		put(&k, 8, 0x2c01010c00000000);
		put(&k, 8, 0);
		put(&k, 8, i == 0 ? 0x0600000100000009 : 0x3b00001000000009);
		put_tcp(&k, TCP_SYN, 0);
		k.n -= 4;
		if (i == 1)
			k.b[4 + 1] -= 12;
		if (i == 1)
			k.n -= 12;
		whole = run(d, &k, i + 1, SECOND, &h);
	}
	assert_non_null(whole);
	assert_int_equal(h.end, DECODE_OK);
	assert_int_equal(h.anomalies, 0);
	assert_int_equal(h.proto, 6);
	assert_int_equal(h.ip_hlen, 64);
	assert_int_equal(whole->caplen, 64 + 20);
	assert_int_equal(h.dport, 443);
	decoder_release(d, whole);
	decoder_free(d);
}

/* Fragments of a datagram in GRE, itself in fragments: each frame is named, the tunnel is told. */
static void test_fragments_in_fragments(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(0);
	struct build inner = {0};
	put_datagram(&inner, 4);
	struct headers h = {0}, first = {0};
	const struct packet *whole = NULL;
	uint64_t frame = 0;
	for (unsigned i = 0; i < 2; i++) {
		struct build outer = {0};
		put_ip4(&outer, 47, 4 + 20 + 48);
		put(&outer, 4, 0x0800);
		put_fragment(&outer, &inner, 0, 48 * i, 48 * i + 48, 0x99);
		memcpy(outer.b + 24 + 12, "\xc0\x00\x02\x07\xc0\x00\x02\x09", 8);
		put_checksum(&outer, 24, 20);
		for (uint32_t from = 0; from < 72; from += 24) {
			struct build part = {0};
			put_fragment(&part, &outer, 0, from, from + 24, (uint16_t)i);
			assert_null(whole);
			whole = run(d, &part, ++frame, SECOND, &h);
		}
	}
	assert_whole(whole, &h, 4);
	assert_int_equal(h.n_tunnels, 1);
	assert_int_equal(h.tunnels[0], TUNNEL_GRE);
	assert_int_equal(h.src.b[15], 7);
	assert_int_equal(whole->n_frames, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(whole->frames[i], i + 1);
	assert_int_equal(whole->frame, 6);
	assert_null(whole->parent->parent);
	assert_int_equal(decoder_stats(d)->reassembled, 3);
	assert_int_equal(decoder_stats(d)->fragments, 8);
	assert_int_equal(decoder_stats(d)->ends[DECODE_FRAGMENT], 5);
	assert_int_equal(decoder_stats(d)->ends[DECODE_OK], 1);
	assert_int_equal(decoder_stats(d)->tunnelled, 2);

	/* The same tunnel unfragmented is the same tunnel. */
	struct build plain = {0};
	put_ip4(&plain, 47, 4 + 116);
	put(&plain, 4, 0x0800);
	put_bytes(&plain, inner.b, inner.n);
	run(d, &plain, 7, SECOND, &first);
	assert_int_equal(first.tunnel_id, h.tunnel_id);
	decoder_release(d, whole);
	decoder_free(d);
}

/* Link-layer facts of a whole datagram are those of the fragment that completed it. */
static void test_link_is_kept(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(0);
	struct build k = {0};
	put_datagram(&k, 4);
	struct headers h;
	const struct packet *whole = NULL;
	for (unsigned i = 0; i < 2; i++) {
		struct build part = {0};
		put_ether(&part, 0x8100);
		put(&part, 4, (5 + i) << 16 | 0x0800);
		part.b[11] = (uint8_t)i;
		put_fragment(&part, &k, 0, 48 * i, 48 * i + 48, 0x77);
		struct packet pkt = packet_of(&part, LINKTYPE_ETHERNET);
		assert_int_equal(decoder_run(d, &pkt, &h, &whole), i == 1);
	}
	assert_whole(whole, &h, 4);
	assert_true(h.has_mac);
	assert_int_equal(h.src_mac[5], 1);
	assert_int_equal(h.n_vlans, 1);
	assert_int_equal(h.vlan[0], 6);
	decoder_release(d, whole);
	decoder_free(d);
}

/* A fragment's own broken rule is the datagram's; a duplicate may still tell where the end is. */
static void test_fragments_tell(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(0);
	struct build k = {0}, part = {0};
	put_datagram(&k, 4);
	struct headers h;
	put_fragment(&part, &k, 0, 0, 48, 0x77);
	part.b[10] ^= 1;
	assert_null(run(d, &part, 1, SECOND, &h));
	part = (struct build){0};
	put_fragment(&part, &k, 0, 48, 96, 0x77);
	set16(&part, 6, 0x2000 | 6); /* more to come */
	put_checksum(&part, 0, 20);
	assert_null(run(d, &part, 2, SECOND, &h));
	const struct packet *whole = run_part(d, &k, 88, 96, 3, &h);
	assert_non_null(whole);
	assert_int_equal(h.anomalies, ANOMALY_IP_CHECKSUM);
	assert_int_equal(h.payload_len, 76);
	decoder_release(d, whole);
	decoder_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapped),
		cmocka_unit_test(test_ip6_headers_before),
		cmocka_unit_test(test_fragments_in_fragments),
		cmocka_unit_test(test_link_is_kept),
		cmocka_unit_test(test_fragments_tell),
	};
	return cmocka_run_group_tests(tests, NULL, drop_backing);
}
