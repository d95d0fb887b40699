/* SPDX-License-Identifier: BSD-3-Clause */

/* The fingerprint's classes, one by one, and what matches what. */

#include "classifiers/device/mbx.c"

#include "tests/unit/device_build.h"

#define RA (TCP_RST | TCP_ACK)
#define TEN_HASH "0895d56d"

static const char *mbx(struct build *b)
{
	static char out[MBX_SIZE];
	struct view v;
	uint16_t events[EVENTS_MAX];
	struct suspects s = accuse(b, &v, events, DIR_S2C);
	mbx_of(&v, s.event, s.n, out);
	return out;
}

static void later(struct build *b, unsigned ms)
{
	b->ms += ms;
}

static void one_reset(void **state)
{
	struct build b;
	(void)state;
	start(&b, false, ISN_C, ISN_S);
	struct event *e = forge(&b, TCP_RST, 0, 0, 63, true);
	assert_string_equal(mbx(&b), "mbx1_004x1_64_0_1_0_0_a0_0");
	e->ttl = 64;
	assert_string_equal(mbx(&b), "mbx1_004x1_64_0_1_0_0_a0_0");
	e->ttl = 65;
	e->ack = 7;
	assert_string_equal(mbx(&b), "mbx1_004x1_128_0_1_0_0_ak_0");
	e->ttl = 30;
	e->ip_id = 0x4d3c;
	e->window = 41579;
	e->bits &= (uint8_t)~EVENT_DF;
	assert_string_equal(mbx(&b), "mbx1_004x1_32_+_0_+_0_ak_0");
	e->seq = 0;
	e->flags = 0xf04;
	assert_string_equal(mbx(&b), "mbx1_f04x1_32_+_0_+_0_zk_0");
	e->seq = b.isn[DIR_S2C] + 2;
	assert_string_equal(mbx(&b), "mbx1_f04x1_32_+_0_+_0_fk_0");
	e->seq = b.isn[DIR_S2C];
	assert_string_equal(mbx(&b), "mbx1_f04x1_32_+_0_+_0_bk_0");
	e->bits |= EVENT_OPTIONS | EVENT_TS;
	assert_string_equal(mbx(&b), "mbx1_f04x1_32_+_0_+_ts_bk_0");
	e->bits ^= EVENT_TS;
	assert_string_equal(mbx(&b), "mbx1_f04x1_32_+_0_+_opt_bk_0");
}

static void copies_and_series(void **state)
{
	struct build b;
	(void)state;
	start(&b, false, ISN_C, ISN_S);
	for (unsigned i = 0; i < 3; i++)
		forge(&b, RA, 0xcec8, 1044, 250, true);
	assert_string_equal(mbx(&b), "mbx1_014x3_255_+_1_+_0_a_0");
	/* A second occasion with other values leaves the string; a third shows that they are random. */
	later(&b, 200);
	forge(&b, RA, 0xcde8, 1038, 250, true);
	assert_string_equal(mbx(&b), "mbx1_014x3_255_+_1_+_0_a_0");
	later(&b, 200);
	forge(&b, RA, 0x1111, 5000, 250, true);
	assert_string_equal(mbx(&b), "mbx1_014x3_255_rnd_1_rnd_0_a_0");
	b.ev.duplicates = 1;
	assert_string_equal(mbx(&b), "mbx1_014x?_255_rnd_1_rnd_0_a_0");
}

static void constants_and_counters(void **state)
{
	struct build b;
	(void)state;
	start(&b, false, ISN_C, ISN_S);
	forge(&b, RA, 0x4444, 777, 60, false);
	assert_string_equal(mbx(&b), "mbx1_014x1_64_+_0_+_0_a_0");
	later(&b, 100);
	struct event *e = forge(&b, RA, 0x4444, 777, 60, false);
	assert_string_equal(mbx(&b), "mbx1_014x1_64_c4444_0_c777_0_a_0");
	e->ip_id = 0x4445;
	assert_string_equal(mbx(&b), "mbx1_014x1_64_+_0_c777_0_a_0");
	later(&b, 100);
	forge(&b, RA, 0x4447, 777, 60, false);
	assert_string_equal(mbx(&b), "mbx1_014x1_64_inc_0_c777_0_a_0");
	start(&b, false, ISN_C, ISN_S);
	forge(&b, RA, 0x4444, 8192, 60, false);
	forge(&b, RA, 0x4437, 8192, 60, false);
	assert_string_equal(mbx(&b), "mbx1_014x2_64_dec_0_c8192_0_a_0");
	start(&b, false, ISN_C, ISN_S);
	forge(&b, RA, 0x3412, 32120, 60, false);
	assert_string_equal(mbx(&b), "mbx1_014x1_64_c3412_0_c32120_0_a_0");
}

static void mirrors(void **state)
{
	struct build b;
	(void)state;
	start(&b, false, ISN_C, ISN_S);
	struct event *e = forge(&b, RA, b.e[3].ip_id, 501, 60, false);
	assert_string_equal(mbx(&b), "mbx1_014x1_64_mir_0_mir_0_a_0");
	e->window = b.e[3].window = 8192; /* its own, or the client's? */
	assert_string_equal(mbx(&b), "mbx1_014x1_64_mir_0_+_0_a_0");
	later(&b, 100);
	struct event *q = put(&b, DIR_C2S, TCP_PSH | TCP_ACK, 101, 1, 50);
	q->window = 4096;
	forge(&b, RA, q->ip_id, 4096, 60, false);
	assert_string_equal(mbx(&b), "mbx1_014x1_64_mir_0_mir_0_a_0");
}

static void ttls(void **state)
{
	struct build b;
	(void)state;
	start(&b, false, ISN_C, ISN_S);
	forge(&b, RA, 0, 0, 60, false);
	later(&b, 100);
	struct event *e = forge(&b, RA, 0, 0, 66, false);
	assert_string_equal(mbx(&b), "mbx1_014x1_128_0_0_0_0_a_0");
	e->ttl = 67;
	assert_string_equal(mbx(&b), "mbx1_014x1_?_0_0_0_0_a_0");
	later(&b, 100);
	forge(&b, RA, 0, 0, 200, false);
	assert_string_equal(mbx(&b), "mbx1_014x1_rnd_0_0_0_0_a_0");
	start(&b, false, ISN_C, ISN_S);
	for (unsigned i = 0; i < 3; i++) {
		forge(&b, RA, (uint16_t)(100 + 999 * i), (uint16_t)(1503 + 38 * i),
		      (uint8_t)(128 + 38 * i), true);
		later(&b, 100);
	}
	assert_string_equal(mbx(&b), "mbx1_014x1_lock_rnd_1_lock_0_a_0");
	start(&b, false, ISN_C, ISN_S);
	b.rec.client = ip4(141, 212, 123, 145);
	b.rec.server = ip4(222, 138, 4, 221);
	forge(&b, RA, 0xb90b, 1503, 128, true);
	assert_string_equal(mbx(&b), "mbx1_014x1_tsg_tsg_1_tsg_0_a_0");
	b.e[4].ttl = 240;
	assert_string_equal(mbx(&b), "mbx1_014x1_255_tsg_1_tsg_0_a_0");
}

static void sequences(void **state)
{
	struct build b;
	(void)state;
	start(&b, false, 0xffffffff, 0xfffff000);
	forge(&b, RA, 9, 0, 60, false);
	forge(&b, RA, 9, 0, 60, false)->seq += 1460;
	forge(&b, RA, 9, 0, 60, false)->seq += 4380;
	assert_string_equal(mbx(&b), "mbx1_014x3_64_c0009_0_0_0_a+1460+4380_0");
	/* Each numbered by an ack of its own: a reset for every packet, not a burst of one. */
	start(&b, false, ISN_C, ISN_S);
	put(&b, DIR_C2S, TCP_ACK, 101, 1449, 0);
	put(&b, DIR_C2S, TCP_ACK, 101, 2897, 0);
	forge(&b, TCP_RST, 0, 0, 63, true);
	forge(&b, TCP_RST, 0, 0, 63, true)->seq += 1448;
	forge(&b, TCP_RST, 0, 0, 63, true)->seq += 2896;
	assert_string_equal(mbx(&b), "mbx1_004x1_64_0_1_0_0_a0_0");
}

static void what_was_not_recorded(void **state)
{
	struct build b;
	(void)state;
	/* The acks that the resets copy lie in the record's hole, but below the highest. */
	start(&b, false, ISN_C, ISN_S);
	put(&b, DIR_C2S, TCP_ACK, 101, 5000, 0);
	forge(&b, TCP_RST, 0, 0, 63, true)->seq += 1448;
	forge(&b, TCP_RST, 0, 0, 63, true)->seq += 2896;
	assert_string_equal(mbx(&b), "mbx1_004x2_64_0_1_0_0_f0+1448_0");
	b.ev.skipped_at = 4;
	assert_string_equal(mbx(&b), "mbx1_004x1_64_0_1_0_0_a0_0");
	/* One side alone does not show what the numbers come from. */
	start(&b, false, ISN_C, ISN_S);
	forge(&b, TCP_RST, 0, 0, 63, true);
	for (unsigned i = 0; i < 4; i++)
		b.e[i].bits |= EVENT_S2C;
	assert_string_equal(mbx(&b), "mbx1_004x1_64_0_1_0_0_?_0");
}

static void payloads(void **state)
{
	struct build b;
	static const uint8_t zeros[22], ten[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0};
	static const char page[] = "HTTP/1.1 307 Temporary Redirect\r\n\r\n";
	(void)state;
	start(&b, false, ISN_C, ISN_S);
	struct event *e = forge(&b, RA, 0, 0, 60, false);
	payload(e, zeros, 22);
	assert_string_equal(mbx(&b), "mbx1_014x1_64_0_0_0_0_a_z22");
	e->bits |= EVENT_PADDING;
	assert_string_equal(mbx(&b), "mbx1_014x1_64_0_0_0_0_a_0");
	e->bits &= (uint8_t)~EVENT_PADDING;
	payload(e, ten, 10);
	/* XXH3-64 of the ten bytes, its low half: the same on every machine */
	assert_string_equal(mbx(&b), "mbx1_014x1_64_0_0_0_0_a_p10-" TEN_HASH);
	e->flags = TCP_FIN | TCP_ACK;
	payload(e, page, sizeof(page) - 1);
	assert_string_equal(mbx(&b), "mbx1_011x1_64_0_0_0_0_a_data");
	memcpy(b.ev.half[DIR_S2C].excerpt, page, EVENT_EXCERPT);
	b.ev.half[DIR_S2C].excerpt_len = EVENT_EXCERPT;
	assert_string_equal(mbx(&b), "mbx1_011x1_64_0_0_0_0_a_http307");
	memcpy(b.ev.half[DIR_S2C].excerpt + 9, "3_7", 3);
	assert_string_equal(mbx(&b), "mbx1_011x1_64_0_0_0_0_a_data");
}

static void ipv6(void **state)
{
	struct build b;
	(void)state;
	start(&b, true, ISN_C, ISN_S);
	struct event *e = forge(&b, RA, 0, 0, 250, true);
	assert_string_equal(mbx(&b), "mbx1_014x1_255_0_-_0_0_a_0");
	e->flags |= EVENT_FLOW_LABEL;
	assert_string_equal(mbx(&b), "mbx1_014x1_255_+_-_0_0_a_0");
}

static void two_boxes(void **state)
{
	struct build b;
	struct view v;
	struct mbx_cluster c[MBX_CLUSTERS];
	uint16_t events[EVENTS_MAX];
	(void)state;
	start(&b, false, ISN_C, ISN_S);
	forge(&b, TCP_RST, 0x4d3c, 41579, 250, false);
	for (unsigned i = 0; i < 3; i++)
		forge(&b, RA, 0xcec8, 1044, 250, true);
	struct suspects s = accuse(&b, &v, events, DIR_S2C);
	assert_int_equal(mbx_clusters(&v, s.event, s.n, c), 2);
	assert_int_equal(c[0].n, 1);
	assert_int_equal(c[1].n, 3);
	/* Of three copies one was accused: the others are the same box's. */
	assert_int_equal(mbx_clusters(&v, &events[2], 1, c), 1);
	assert_int_equal(c[0].n, 3);
	char none[MBX_SIZE];
	mbx_of(&v, events, 0, none);
	assert_string_equal(none, "");
}

static void matching(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"mbx1_004x1_64_0_1_0_0_a0_0", "mbx1_004x1_64_0_1_0_0_a0_0", true},
		{"mbx1_004x1_64_0_1_0_0_a0_0", "mbx1_004x1_128_0_1_0_0_a0_0", false},
		{"mbx1_004x1_64_0_1_0_0_a0_0", "mbx1_004x3_64_0_1_0_0_a0_0", false},
		{"mbx1_004x1_64_0_1_0_0_a0_0", "mbx1_014x1_64_0_1_0_0_a0_0", false},
		{"mbx1_004x?_64_0_1_0_0_a0_0", "mbx1_004x3_64_0_1_0_0_a0_0", true},
		{"mbx1_004x1_?_0_1_0_0_a0_0", "mbx1_004x1_rnd_0_1_0_0_a0_0", true},
		{"mbx1_004x1_64_+_1_0_0_a0_0", "mbx1_004x1_64_0_1_0_0_a0_0", false},
		{"mbx1_004x1_64_+_1_0_0_a0_0", "mbx1_004x1_64_c3412_1_0_0_a0_0", true},
		{"mbx1_004x1_64_+_1_0_0_a0_0", "mbx1_004x1_64_?_1_0_0_a0_0", true},
		{"mbx1_004x1_64_c3412_1_0_0_a0_0", "mbx1_004x1_64_c3413_1_0_0_a0_0", false},
		{"mbx1_004x1_64_0_1_0_0_a0_0", "mbx1_004x1_64_0_1_0_0_a0_data", false},
		{"mbx1_004x1_64_0_1_0_0_a0", "mbx1_004x1_64_0_1_0_0_a0", false},
		{"mbx1_004x1_64_0_1_0_0_a0_0_0", "mbx1_004x1_64_0_1_0_0_a0_0", false},
		{"mbx2_004x1_64_0_1_0_0_a0_0", "mbx2_004x1_64_0_1_0_0_a0_0", false},
		{"mbx1_", "mbx1_", false},
		{"", "", false},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(mbx_matches(rows[i].a, rows[i].b), rows[i].same);
		assert_int_equal(mbx_matches(rows[i].b, rows[i].a), rows[i].same);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_reset),   cmocka_unit_test(copies_and_series),
		cmocka_unit_test(constants_and_counters), cmocka_unit_test(mirrors),
		cmocka_unit_test(ttls),	       cmocka_unit_test(sequences),
		cmocka_unit_test(what_was_not_recorded), cmocka_unit_test(payloads),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(two_boxes),   cmocka_unit_test(matching),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
