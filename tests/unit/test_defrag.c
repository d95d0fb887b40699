/* SPDX-License-Identifier: BSD-3-Clause */

/* What pieces become a datagram, in what order, within what time and memory. */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_order), cmocka_unit_test(test_release_recycles),
		cmocka_unit_test(test_duplicates_and_overlaps), cmocka_unit_test(test_overlap_ip6),
		cmocka_unit_test(test_timeout), cmocka_unit_test(test_memory_is_fixed),
		cmocka_unit_test(test_insane), cmocka_unit_test(test_largest),
	};
	return cmocka_run_group_tests(tests, NULL, drop_backing);
}
