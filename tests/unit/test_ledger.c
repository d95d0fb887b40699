/* SPDX-License-Identifier: BSD-3-Clause */

/* What is said of frames that went into a box and came out, or did not, or came out otherwise. */

#include "tools/audit/ledger.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "tools/audit/frames.h"

#define MS 1000000u

static const struct frame_end client = {{2, 0, 0, 0, 0, 1}, {192, 0, 2, 10}, 40000};
static const struct frame_end server = {{2, 0, 0, 0, 0, 2}, {198, 51, 100, 10}, 443};

struct world {
	struct ledger *l;
	uint64_t now;
	struct ledger_losses losses;
	uint16_t id;
};

static struct world begin(void)
{
	struct world w = {.now = 1000 * MS};

	assert_int_equal(ledger_new(&w.l, 0), 0);
	return w;
}

static void raw(struct world *w, enum compare_side port, bool ours, const uint8_t *bytes, size_t n)
{
	/* From an allocation of the exact size, so that a sanitizer sees one byte too many. */
	uint8_t *copy = malloc(n != 0 ? n : 1);
	struct packet pkt = {.data = copy,
			     .caplen = (uint32_t)n,
			     .wirelen = (uint32_t)n,
			     .ts_ns = w->now,
			     .linktype = LINKTYPE_ETHERNET,
			     .direction = ours ? PACKET_OUTBOUND : PACKET_INBOUND};

	assert_non_null(copy);
	if (n != 0)
		memcpy(copy, bytes, n);
	ledger_add(w->l, port, &pkt);
	free(copy);
	w->now += MS;
}

struct made {
	uint8_t b[FRAME_MAX];
	size_t n;
};

static struct made make(struct world *w, bool up, uint16_t flags, uint32_t seq, const char *payload)
{
	struct made m;
	struct frame_fields f = {.from = up ? &client : &server,
				 .to = up ? &server : &client,
				 .proto = IPPROTO_TCP,
				 .ttl = 64,
				 .ip_id = ++w->id,
				 .seq = seq,
				 .ack = 77,
				 .flags = flags,
				 .payload = (const uint8_t *)payload,
				 .len = strlen(payload)};

	m.n = frame_make(m.b, sizeof(m.b), &f);
	assert_true(m.n > 0);
	return m;
}

static void leave(struct world *w, bool up, const struct made *m)
{
	raw(w, up ? SIDE_CLIENT : SIDE_SERVER, true, m->b, m->n);
}

static void arrive(struct world *w, bool up, const struct made *m)
{
	raw(w, up ? SIDE_SERVER : SIDE_CLIENT, false, m->b, m->n);
}

/* One more each way, as it was sent. */
static void through(struct world *w, bool up, uint32_t seq, const char *payload)
{
	struct made m = make(w, up, TCP_ACK, seq, payload);

	leave(w, up, &m);
	arrive(w, up, &m);
}

static const struct compare_totals *close_way(struct world *w, enum compare_way way)
{
	assert_int_equal(ledger_close(w->l, &w->losses), 0);
	return &ledger_way(w->l, way)->totals;
}

static void expect(const struct compare_totals *t, enum compare_fate fate, uint64_t n)
{
	if (t->fates[fate] != n)
		fail_msg("%s: %u, not %u", compare_fate_name[fate], (unsigned)t->fates[fate],
			 (unsigned)n);
}

static void test_same(void **state)
{
	struct world w = begin();

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct made m = make(&w, true, TCP_ACK, i * 10, "0123456789");
		leave(&w, true, &m);
		m.b[14 + 8] -= 3; /* TTL, and its checksum, which nobody looks at */
		m.b[14 + 10] ^= 0x5a;
		memset(m.b, 7, 12);
		arrive(&w, true, &m);
	}
	const struct compare_totals *t = close_way(&w, WAY_UP);
	expect(t, FATE_SAME, 10);
	assert_int_equal(t->sent, 10);
	assert_int_equal(ledger_way(w.l, WAY_UP)->hops, 3);
	assert_int_equal(ledger_way(w.l, WAY_UP)->other_ttl, 0);
	assert_in_range(pace_errors_quantile(&ledger_way(w.l, WAY_UP)->transit, 0.5), MS, MS + MS / 32);
	ledger_free(w.l);
}

static void test_dropped(void **state)
{
	(void)state;
	for (unsigned lost = 0; lost < 2; lost++) {
		struct world w = begin();
		through(&w, true, 1, "a");
		struct made m = make(&w, true, TCP_ACK, 2, "secret");
		leave(&w, true, &m);
		through(&w, true, 8, "b");
		w.losses.missed[SIDE_SERVER] = lost;
		const struct compare_totals *t = close_way(&w, WAY_UP);
		expect(t, FATE_SAME, 2);
		/* What the tester may have lost was not dropped by the box. */
		expect(t, FATE_DROPPED, !lost);
		expect(t, FATE_MISSED, lost);
		ledger_free(w.l);
	}
}

/* The clock is set back while a frame is in the box. */
static void test_clock(void **state)
{
	struct world w = begin();
	struct made m = make(&w, true, TCP_ACK, 5, "in the box");

	(void)state;
	leave(&w, true, &m);
	w.now -= 500 * MS;
	arrive(&w, true, &m);
	const struct compare_totals *t = close_way(&w, WAY_UP);
	expect(t, FATE_SAME, 1);
	expect(t, FATE_DROPPED, 0);
	expect(t, FATE_INJECTED, 0);
	ledger_free(w.l);
}

/* A port that failed saw neither what came nor what did not. */
static void test_broken(void **state)
{
	struct world w = begin();
	struct made m = make(&w, true, TCP_ACK, 5, "then the cable was pulled"),
		    r = make(&w, true, TCP_RST, 5, "");

	(void)state;
	leave(&w, true, &m);
	arrive(&w, true, &r);
	w.losses.broken = true;
	const struct compare_totals *t = close_way(&w, WAY_UP);
	expect(t, FATE_DROPPED, 0);
	expect(t, FATE_INJECTED, 0);
	expect(t, FATE_MISSED, 2);
	ledger_free(w.l);
}

/* A frame that only the second copy of came out: its time in the box is that copy's. */
static void test_alike(void **state)
{
	struct world w = begin();
	struct made m = make(&w, true, TCP_ACK, 5, "again");

	(void)state;
	leave(&w, true, &m);
	w.now += 500 * MS;
	leave(&w, true, &m);
	arrive(&w, true, &m);
	const struct compare_totals *t = close_way(&w, WAY_UP);
	expect(t, FATE_SAME, 1);
	expect(t, FATE_DROPPED, 1);
	assert_in_range(t->slowest_ns, 1, 2 * MS);
	ledger_free(w.l);
}

static void test_injected(void **state)
{
	struct world w = begin();

	(void)state;
	through(&w, true, 1, "hello");
	through(&w, false, 1, "answer");
	struct made rst = make(&w, false, TCP_RST | TCP_ACK, 7, "");
	arrive(&w, false, &rst);
	/* In the client's name, at the client's own port: nobody's forgery of the server. */
	struct made own = make(&w, true, TCP_RST, 9, "");
	arrive(&w, false, &own);
	/* Of a conversation that was never sent. */
	struct made other = make(&w, false, TCP_RST, 9, "");
	other.b[14 + 15] ^= 1;
	arrive(&w, false, &other);
	const struct compare_totals *t = close_way(&w, WAY_DOWN);
	expect(t, FATE_INJECTED, 1);
	expect(t, FATE_SAME, 1);
	assert_int_equal(ledger_others(w.l, SIDE_CLIENT)->arrived, 2);
	ledger_free(w.l);
}

/* Where the sender's own capture has gaps, an arrival may be one of its frames. */
static void test_not_injected(void **state)
{
	struct world w = begin();

	(void)state;
	through(&w, false, 1, "answer");
	struct made rst = make(&w, false, TCP_RST, 7, "");
	arrive(&w, false, &rst);
	w.losses.missed[SIDE_SERVER] = 1;
	const struct compare_totals *t = close_way(&w, WAY_DOWN);
	expect(t, FATE_INJECTED, 0);
	expect(t, FATE_MISSED, 1);
	ledger_free(w.l);
}

static void test_doubled_and_back(void **state)
{
	struct world w = begin();
	struct made m = make(&w, true, TCP_ACK, 1, "twice");

	(void)state;
	leave(&w, true, &m);
	arrive(&w, true, &m);
	arrive(&w, true, &m);
	arrive(&w, false, &m); /* at the port that it left by */
	const struct compare_totals *t = close_way(&w, WAY_UP);
	expect(t, FATE_SAME, 1);
	expect(t, FATE_DUPLICATED, 1);
	expect(&ledger_way(w.l, WAY_DOWN)->totals, FATE_INJECTED, 0);
	assert_int_equal(ledger_others(w.l, SIDE_CLIENT)->reflected, 1);
	ledger_free(w.l);
}

static void test_changed(void **state)
{
	struct world w = begin();

	(void)state;
	/* A header that routers rewrite, and bytes that nobody should. */
	struct made m = make(&w, true, TCP_ACK, 1, "header");
	leave(&w, true, &m);
	m.b[14 + 1] = 0x20;
	m.b[34 + 14] ^= 1; /* window */
	arrive(&w, true, &m);
	m = make(&w, true, TCP_ACK, 50, "payload");
	leave(&w, true, &m);
	m.b[m.n - 1] ^= 1;
	arrive(&w, true, &m);
	const struct compare_totals *t = close_way(&w, WAY_UP);
	expect(t, FATE_SAME, 1);
	expect(t, FATE_MODIFIED, 1);
	expect(t, FATE_DROPPED, 0);
	expect(t, FATE_INJECTED, 0);
	assert_int_equal(t->changed[0], 1); /* tos */
	assert_int_equal(t->changed[4], 1); /* window */
	assert_int_equal(t->changed[9], 1); /* payload */
	ledger_free(w.l);
}

/* Under the identification of a packet that did not come. */
static void test_made_a_reset(void **state)
{
	struct world w = begin();

	(void)state;
	struct made m = make(&w, false, TCP_ACK | TCP_PSH, 1, "an answer"),
		    r = make(&w, false, TCP_RST | TCP_ACK, 1, "");
	leave(&w, false, &m);
	memcpy(r.b + 14 + 4, m.b + 14 + 4, 2);
	arrive(&w, false, &r);
	const struct compare_totals *t = close_way(&w, WAY_DOWN);
	expect(t, FATE_MODIFIED, 1);
	expect(t, FATE_INJECTED, 0);
	ledger_free(w.l);
}

static void test_pieces(void **state)
{
	static const char *const joined[] = {"one segmentand another", "one segmentand anothex"};

	(void)state;
	for (unsigned other = 0; other < 2; other++) {
		struct world w = begin();
		struct made a = make(&w, true, TCP_ACK, 100, "one segment"),
			    b = make(&w, true, TCP_ACK, 111, "and another"),
			    c = make(&w, true, TCP_ACK, 100, joined[other]);
		leave(&w, true, &a);
		leave(&w, true, &b);
		arrive(&w, true, &c);
		const struct compare_totals *t = close_way(&w, WAY_UP);
		/* The same bytes: no loss. Another one: it is not what was sent. */
		expect(t, FATE_RESEGMENTED, other ? 0 : 2);
		expect(t, FATE_DROPPED, other ? 2 : 0);
		expect(t, FATE_INJECTED, other ? 1 : 0);
		ledger_free(w.l);
	}
}

static void test_fragments(void **state)
{
	struct world w = begin();
	char long_one[600];

	(void)state;
	memset(long_one, 'x', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	struct made m = make(&w, true, TCP_ACK, 1, long_one), half = m;
	leave(&w, true, &m);
	for (unsigned k = 0; k < 2; k++) {
		half.n = 14 + 20 + 320;
		store_be16(half.b + 14 + 2, 340);
		store_be16(half.b + 14 + 6, k == 0 ? 0x2000 : 40);
		arrive(&w, true, &half);
	}
	const struct compare_totals *t = close_way(&w, WAY_UP);
	expect(t, FATE_RESEGMENTED, 1);
	expect(t, FATE_DROPPED, 0);
	expect(t, FATE_INJECTED, 0);
	ledger_free(w.l);
}

static void test_translated(void **state)
{
	struct world w = begin();
	struct made m = make(&w, true, TCP_ACK, 1234567, "by another address");

	(void)state;
	leave(&w, true, &m);
	m.b[14 + 12] = 10;
	store_be16(m.b + 34, 5555);
	arrive(&w, true, &m);
	const struct compare_totals *t = close_way(&w, WAY_UP);
	expect(t, FATE_SAME, 1);
	assert_int_equal(t->changed[10], 1); /* addresses */
	ledger_free(w.l);
}

static void test_local(void **state)
{
	struct world w = begin();

	(void)state;
	struct made m = make(&w, true, TCP_ACK, 1, "for the box");
	m.b[14 + 8] = 1;
	leave(&w, true, &m);
	close_way(&w, WAY_UP);
	assert_int_equal(ledger_way(w.l, WAY_UP)->not_routable, 1);
	ledger_free(w.l);
}

/* Whatever comes, it is nobody's, and nobody reads past its end. */
static void test_hostile(void **state)
{
	struct world w = begin();
	uint32_t seed = 1;

	(void)state;
	through(&w, true, 1, "hello");
	through(&w, false, 1, "answer");
	struct made m = make(&w, false, TCP_ACK | TCP_SYN, 5, "cut anywhere");
	for (size_t n = 0; n <= m.n; n++)
		raw(&w, SIDE_SERVER, false, m.b, n);
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t noise[128];
		for (size_t k = 0; k < sizeof(noise); k++) {
			seed = seed * 1664525 + 1013904223;
			noise[k] = (uint8_t)(seed >> 24);
		}
		static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x88a8};
		store_be16(noise + 12, types[i % 4]);
		noise[14] = i % 8 == 0 ? 0x45 : noise[14];
		raw(&w, i % 2, i % 16 == 0, noise, seed % sizeof(noise));
	}
	const struct compare_totals *t = close_way(&w, WAY_UP);
	assert_true(t->fates[FATE_SAME] >= 1);
	expect(t, FATE_MODIFIED, 0);
	expect(&ledger_way(w.l, WAY_DOWN)->totals, FATE_INJECTED, 0);
	ledger_free(w.l);
}

/* Beyond what there is room for nothing is said. */
static void test_full(void **state)
{
	struct world w = {.now = MS};

	(void)state;
	assert_int_equal(ledger_new(&w.l, 4), 0);
	for (unsigned i = 0; i < 6; i++)
		through(&w, true, i * 10, "frames");
	const struct compare_totals *t = close_way(&w, WAY_UP);
	assert_true(ledger_full(w.l));
	expect(t, FATE_DROPPED, 0);
	expect(t, FATE_SAME, 4);
	ledger_free(w.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),	     cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_clock),	     cmocka_unit_test(test_broken),
		cmocka_unit_test(test_alike),	     cmocka_unit_test(test_injected),
		cmocka_unit_test(test_not_injected), cmocka_unit_test(test_doubled_and_back),
		cmocka_unit_test(test_changed),	     cmocka_unit_test(test_made_a_reset),
		cmocka_unit_test(test_pieces),	     cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_translated),   cmocka_unit_test(test_local),
		cmocka_unit_test(test_hostile),	     cmocka_unit_test(test_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
