/* SPDX-License-Identifier: BSD-3-Clause */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/defrag.c"
#include "dataplane/fragments.c"

#include "dataplane/decode.c"
#include "dataplane/decode_link.c"
#include "dataplane/decode_transport.c"
#include "dataplane/decode_tunnel.c"

#include "tests/unit/packet_build.h"

#define SECOND 1000000000ull

static struct decoder *new_decoder(size_t memory)
{
	struct decoder *d = NULL;
	assert_int_equal(decoder_new(&d, &(struct decoder_config){.memory = memory}), 0);
	return d;
}

/* TCP with 76 bytes of payload, so 96 after the IP header: 12 units. */
static void put_datagram(struct build *k, unsigned version)
{
	if (version == 4)
		put_ip4(k, 6, 96);
	else
		put_ip6(k, 6, 96);
	put_tcp(k, TCP_PSH | TCP_ACK, 0);
	for (unsigned i = 0; i < 76; i++)
		put(k, 1, 'A' + i % 26);
}

/* Bytes from..to of the IP payload of the datagram at ip, as a fragment behind what out has. */
static void put_fragment(struct build *out, const struct build *k, size_t ip, uint32_t from,
			 uint32_t to, uint16_t id)
{
	bool v4 = k->b[ip] >> 4 == 4;
	size_t head = v4 ? 20 : 40, at = out->n, all = k->n - ip - head;
	bool more = to < all;
	put_bytes(out, k->b + ip, head);
	if (v4) {
		set16(out, at + 2, (uint16_t)(20 + to - from));
		set16(out, at + 4, id);
		set16(out, at + 6, (uint16_t)(0x4000 | more << 13 | from / 8));
		put_checksum(out, at, 20);
	} else {
		set16(out, at + 4, (uint16_t)(8 + to - from));
		out->b[at + 6] = 44;
		put(out, 2, k->b[ip + 6] << 8);
		put(out, 2, from | more);
		put(out, 4, id);
	}
	put_bytes(out, k->b + ip + head + from, to - from);
}

static const struct packet *run(struct decoder *d, const struct build *k, uint64_t frame,
				uint64_t ts_ns, struct headers *h)
{
	/* Static: what the decoder keeps must be its own copy. */
	static struct packet pkt;
	free(backing);
	backing = malloc(k->n);
	assert_non_null(backing);
	memcpy(backing, k->b, k->n);
	pkt = packet_of(k, LINKTYPE_RAW);
	pkt.data = backing;
	pkt.frame = frame;
	pkt.ts_ns = ts_ns;
	const struct packet *whole = NULL;
	return decoder_run(d, &pkt, h, &whole) ? whole : NULL;
}

static const struct packet *run_part(struct decoder *d, const struct build *k, uint32_t from,
				     uint32_t to, uint64_t frame, struct headers *h)
{
	struct build part = {0};
	put_fragment(&part, k, 0, from, to, 0x77);
	return run(d, &part, frame, frame * SECOND, h);
}

static int teardown(void **state)
{
	(void)state;
	free(backing);
	backing = NULL;
	return 0;
}

static void assert_whole(const struct packet *whole, const struct headers *h, unsigned version)
{
	struct build k = {0};
	put_datagram(&k, version);
	size_t head = version == 4 ? 20 : 40;
	assert_non_null(whole);
	assert_int_equal(h->end, DECODE_OK);
	assert_int_equal(h->anomalies, 0);
	assert_int_equal(h->ip_version, version);
	assert_int_equal(h->sport, 40000);
	assert_int_equal(h->ip_len, head + 96);
	assert_false(h->mf);
	assert_int_equal(h->frag_offset, 0);
	assert_int_equal(h->payload_len, 76);
	assert_memory_equal(h->payload, k.b + head + 20, 76);
	assert_int_equal(whole->linktype, LINKTYPE_RAW);
	assert_int_equal(whole->caplen, k.n);
	assert_int_equal(whole->wirelen, k.n);
}

static void test_every_order(void **state)
{
	(void)state;
	static const uint32_t cuts[4][2] = {{0, 24}, {24, 32}, {32, 72}, {72, 96}};
	for (unsigned version = 4; version <= 6; version += 2) {
		struct build k = {0};
		put_datagram(&k, version);
		struct decoder *d = new_decoder(0);
		unsigned n = 0;
		for (unsigned order = 0; order < 256; order++) {
			unsigned pick[4], mask = 0;
			for (unsigned i = 0; i < 4; i++) {
				pick[i] = order >> 2 * i & 3;
				mask |= 1u << pick[i];
			}
			if (mask != 15)
				continue;
			struct headers h;
			const struct packet *whole = NULL;
			for (unsigned i = 0; i < 4; i++) {
				assert_null(whole);
				const uint32_t *cut = cuts[pick[i]];
				whole = run_part(d, &k, cut[0], cut[1], i + 1, &h);
				assert_int_equal(whole != NULL, i == 3);
			}
			assert_whole(whole, &h, version);
			assert_true(version == 6 || h.df);
			assert_int_equal(h.ip_id, version == 4 ? 0x77 : 0);
			assert_int_equal(whole->n_frames, 4);
			for (unsigned i = 0; i < 4; i++)
				assert_int_equal(whole->frames[i], i + 1);
			assert_int_equal(whole->frame, 4);
			assert_int_equal(whole->ts_ns, 4 * SECOND);
			assert_int_equal(whole->parent->frame, 4);
			assert_null(whole->parent->data);
			decoder_release(d, whole);
			n++;
		}
		assert_int_equal(n, 24);
		const struct decoder_stats *st = decoder_stats(d);
		assert_int_equal(st->fragments, 96);
		assert_int_equal(st->reassembled, 24);
		assert_int_equal(st->ends[DECODE_FRAGMENT], 72);
		assert_int_equal(st->ends[DECODE_OK], 24);
		assert_int_equal(st->fragments_bad + st->fragments_overlap, 0);
		decoder_free(d);
	}
}

static void test_release_recycles(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(0);
	struct build k = {0};
	put_datagram(&k, 4);
	struct headers h;
	const struct packet *last = NULL;
	for (unsigned i = 0; i < 3; i++) {
		assert_null(run_part(d, &k, 0, 48, 1, &h));
		const struct packet *whole = run_part(d, &k, 48, 96, 2, &h);
		assert_whole(whole, &h, 4);
		assert_true(last == NULL || last == whole);
		last = whole;
		decoder_release(d, whole);
	}
	const struct packet *plain = run(d, &k, 9, 9, &h);
	assert_int_equal(plain->n_frames, 0);
	assert_null(plain->parent);
	decoder_release(d, plain); /* not the decoder's: nothing happens */
	decoder_free(d);
}

static void test_duplicates_and_overlaps(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(0);
	struct build k = {0}, other = {0};
	put_datagram(&k, 4);
	put_datagram(&other, 4);
	memset(other.b + 20 + 40, 'x', 56);
	struct headers h;
	assert_null(run_part(d, &k, 0, 48, 1, &h));
	assert_null(run_part(d, &k, 0, 48, 2, &h)); /* the same again is not an overlap */
	assert_int_equal(decoder_stats(d)->fragments_overlap, 0);
	assert_null(run_part(d, &other, 32, 56, 3, &h)); /* other bytes from 40 on: 40..48 stay */
	assert_int_equal(decoder_stats(d)->fragments_overlap, 1);
	const struct packet *whole = run_part(d, &k, 56, 96, 4, &h);
	assert_non_null(whole);
	memset(k.b + 20 + 48, 'x', 8);
	assert_memory_equal(h.payload, k.b + 40, 76);
	assert_int_equal(whole->n_frames, 3); /* the duplicate added nothing */
	assert_int_equal(whole->frames[1], 3);
	decoder_release(d, whole);
	decoder_free(d);
}

/* RFC 5722: nothing of an IPv6 datagram with overlaps is used, nor what comes after. */
static void test_overlap_ip6(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(0);
	struct build k = {0};
	put_datagram(&k, 6);
	struct headers h;
	assert_null(run_part(d, &k, 0, 48, 1, &h));
	assert_null(run_part(d, &k, 0, 48, 2, &h));
	assert_null(run_part(d, &k, 40, 56, 3, &h));
	assert_null(run_part(d, &k, 48, 96, 4, &h));
	assert_null(run_part(d, &k, 0, 48, 5, &h));
	assert_int_equal(decoder_stats(d)->reassembled, 0);
	assert_int_equal(decoder_stats(d)->fragments_overlap, 1);
	assert_int_equal(decoder_stats(d)->fragments_bad, 4);
	/* Another 30 s later the identification may mean another datagram. */
	assert_null(run_part(d, &k, 0, 48, 40, &h));
	const struct packet *whole = run_part(d, &k, 48, 96, 41, &h);
	assert_whole(whole, &h, 6);
	decoder_release(d, whole);
	decoder_free(d);
}

static void test_timeout(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(0);
	struct build k = {0};
	put_datagram(&k, 4);
	struct headers h;
	assert_null(run_part(d, &k, 0, 48, 100, &h));
	assert_null(run_part(d, &k, 48, 96, 131, &h)); /* 31 s: too late, first of its own */
	assert_int_equal(decoder_stats(d)->fragments_timeout, 1);
	const struct packet *whole = run_part(d, &k, 0, 48, 161, &h); /* 30 s are not too late */
	assert_whole(whole, &h, 4);
	decoder_release(d, whole);
	/* A clock that goes back by less changes nothing, by more it does. */
	assert_null(run_part(d, &k, 0, 48, 200, &h));
	whole = run_part(d, &k, 48, 96, 180, &h);
	assert_whole(whole, &h, 4);
	decoder_release(d, whole);
	assert_null(run_part(d, &k, 0, 48, 200, &h));
	assert_null(run_part(d, &k, 48, 96, 160, &h));
	decoder_free(d);
}

static void test_memory_is_fixed(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(1);
	struct build k = {0};
	put_datagram(&k, 4);
	struct headers h;
	for (uint16_t id = 0; id < 1000; id++) {
		struct build part = {0};
		put_fragment(&part, &k, 0, 0, 48, id);
		assert_null(run(d, &part, id + 1u, SECOND, &h));
	}
	uint64_t evicted = decoder_stats(d)->fragments_evicted;
	assert_in_range(evicted, 900, 990);
	struct build part = {0};
	put_fragment(&part, &k, 0, 48, 96, 999); /* the newest is still there, the first is not */
	const struct packet *whole = run(d, &part, 1001, SECOND, &h);
	assert_whole(whole, &h, 4);
	decoder_release(d, whole);
	part = (struct build){0};
	put_fragment(&part, &k, 0, 48, 96, 0);
	assert_null(run(d, &part, 1002, SECOND, &h));
	assert_int_equal(decoder_stats(d)->reassembled, 1);
	decoder_free(d);
}

static void test_insane(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(0);
	struct build k = {0};
	put_datagram(&k, 4);
	struct headers h;
	assert_null(run_part(d, &k, 96, 96, 1, &h)); /* nothing in it */
	assert_null(run_part(d, &k, 0, 47, 2, &h));  /* odd length, more to come */
	struct build part = {0};
	put_fragment(&part, &k, 0, 0, 48, 0x77);
	set16(&part, 6, 0x1fff); /* ends beyond 65535 */
	set16(&part, 10, 0);
	assert_null(run(d, &part, 3, SECOND, &h));
	assert_int_equal(decoder_stats(d)->fragments_bad, 3);
	assert_null(run_part(d, &k, 48, 96, 4, &h)); /* the end is known */
	part = (struct build){0};
	put_fragment(&part, &k, 0, 48, 96, 0x77);
	set16(&part, 6, 0x2000 | 8); /* says that it lies beyond */
	set16(&part, 10, 0);
	assert_null(run(d, &part, 5, 5 * SECOND, &h));
	put(&k, 8, 0); /* longer by a unit: another end */
	assert_null(run_part(d, &k, 56, 104, 5, &h));
	k.n -= 8;
	assert_int_equal(decoder_stats(d)->fragments_bad, 5);
	const struct packet *whole = run_part(d, &k, 0, 48, 6, &h);
	assert_whole(whole, &h, 4);
	assert_int_equal(whole->n_frames, 2);
	decoder_release(d, whole);
	assert_int_equal(decoder_stats(d)->ends[DECODE_FRAGMENT], 6);
	decoder_free(d);
}

/* 65,535 bytes in the smallest pieces: all used, the first frames listed. */
static void test_largest(void **state)
{
	(void)state;
	struct decoder *d = new_decoder(1);
	struct headers h;
	const struct packet *whole = NULL;
	unsigned n = 0;
	for (uint32_t from = 0; from < 65515; from += 8) {
		struct build part = {0};
		uint16_t len = from + 8 <= 65515 ? 8 : (uint16_t)(65515 - from);
		put_ip4(&part, 6, len);
		set16(&part, 6, (uint16_t)((len == 8) << 13 | from / 8));
		set16(&part, 10, 0);
		put(&part, len, ~0ull);
		assert_null(whole);
		whole = run(d, &part, ++n, SECOND, &h);
	}
	assert_non_null(whole);
	assert_int_equal(n, 8190);
	assert_int_equal(whole->wirelen, 65535);
	assert_int_equal(whole->n_frames, FRAGMENT_FRAMES_MAX);
	assert_int_equal(whole->frames[511], 512);
	assert_int_equal(whole->data[65534], 0xff);
	assert_int_equal(h.ip_len, 65535);
	assert_int_equal(h.anomalies & (ANOMALY_TSO | ANOMALY_IP_CHECKSUM | ANOMALY_IP_LEN), 0);
	decoder_release(d, whole);
	decoder_free(d);
}

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
		cmocka_unit_test(test_every_order), cmocka_unit_test(test_release_recycles),
		cmocka_unit_test(test_duplicates_and_overlaps), cmocka_unit_test(test_overlap_ip6),
		cmocka_unit_test(test_timeout), cmocka_unit_test(test_memory_is_fixed),
		cmocka_unit_test(test_insane), cmocka_unit_test(test_largest),
		cmocka_unit_test(test_snapped), cmocka_unit_test(test_ip6_headers_before),
		cmocka_unit_test(test_fragments_in_fragments), cmocka_unit_test(test_link_is_kept),
		cmocka_unit_test(test_fragments_tell),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
