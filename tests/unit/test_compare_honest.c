/* SPDX-License-Identifier: BSD-3-Clause */

/* What two captures of an honest path differ in: the captures' own faults, offload, clocks, strangers. */

#include "tools/compare/compare.c"

#include "tests/unit/compare_world.h"

static void nothing_happens(struct world *w)
{
	beside(w, 0, 4000);
	expect(w, 0);
	assert_true(comparison_clock(w->c)->both_ways);
	assert_int_equal(comparison_clock(w->c)->rtt_ns, 2 * TRANSIT * MS);
	assert_int_equal(comparison_clock(w->c)->steps, 0);
}

/* The server acknowledges what its capture lacks: the capture lost it, not the path. */
static void capture_missed_it(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, r = reset;

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	sent(w, WAY_UP, &g, 2050);
	through(w, WAY_DOWN, (struct segment){.flags = ACKED, .seq = 1, .ack = 6}, 2071);
	/* And then a reset that it lacks too proves nothing. */
	uint64_t frame = got(w, WAY_DOWN, &r, 2150);
	beside(w, 2100, 4000);
	expect(w, 1);
	assert_int_equal(count(w, FATE_MISSED), 1);
	assert_true(comparison_lossy(w->c, SIDE_SERVER));
	expect_one(w, "two-sided-reset", VERDICT_INCONCLUSIVE, frame);
}

/* The sender goes on behind bytes that its capture lacks. */
static void capture_missed_sending(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello", .ip_id = 900};

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	got(w, WAY_UP, &g, 2070);
	through(w, WAY_UP, (struct segment){.flags = PUSHED, .seq = 6, .ack = 1, .text = "world"}, 2060);
	beside(w, 2100, 4000);
	expect(w, 0);
	assert_int_equal(w->c->view[SIDE_CLIENT].missed, 1);
}

/* Bytes of it are not what was sent, nor is the checksum theirs: damage, and the sender tries again. */
static void damaged_on_the_way(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, bad = g;

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	sent(w, WAY_UP, &g, 2050);
	bad.text = "hellp";
	bad.damaged = true;
	bad.ip_id = g.ip_id;
	got(w, WAY_UP, &bad, 2070);
	g.ip_id = 0;
	through(w, WAY_UP, g, 2350);
	through(w, WAY_DOWN, (struct segment){.flags = ACKED, .seq = 1, .ack = 6}, 2371);
	/* Its port was hit: of a connection that nobody knows. */
	bad.port = 40512;
	got(w, WAY_UP, &bad, 2500);
	beside(w, 2100, 4000);
	expect(w, 1);
	assert_int_equal(finding_of(w, "two-sided-loss")->verdict, VERDICT_INCONCLUSIVE);
}

/* The same with all of a capture's: it was taken before they were summed, and the bytes count. */
static void sums_left_to_the_card(struct world *w)
{
	handshake(w, 0, 0);
	for (int32_t i = 0; i < 40; i++) {
		struct segment g = {.flags = PUSHED, .seq = 1 + 5 * i, .ack = 1, .text = "hello",
				    .damaged = true}, r = g;
		sent(w, WAY_UP, &g, 50 + 30 * (uint64_t)i);
		r.ip_id = g.ip_id;
		r.text = i == 20 ? "hellp" : "hello";
		got(w, WAY_UP, &r, 70 + 30 * (uint64_t)i);
	}
	assert_int_equal(comparison_run(w->c), 0);
	assert_int_equal(count(w, FATE_MODIFIED), 1);
}

/* Offload at one end: one large segment here, three small ones there. */
static void resegmented(struct world *w, enum compare_way way, bool splits)
{
	static const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	struct segment whole = {.flags = PUSHED, .seq = 1, .ack = 1, .text = text, .ip_id = 800};

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	if (splits)
		sent(w, way, &whole, 2050);
	else
		got(w, way, &whole, 2072);
	for (int32_t i = 0; i < 3; i++) {
		struct segment part = {.flags = i == 2 ? PUSHED : ACKED, .seq = 1 + 12 * i, .ack = 1,
				       .text = text + 12 * i, .len = 12,
				       .ip_id = (uint16_t)(800 + i)};
		if (splits)
			got(w, way, &part, 2071);
		else
			sent(w, way, &part, 2050);
	}
	beside(w, 2100, 4000);
	expect(w, 0);
	assert_int_equal(comparison_totals(w->c, way)->fates[FATE_RESEGMENTED], splits ? 1 : 3);
}

static void cut_up(struct world *w)
{
	resegmented(w, WAY_UP, true);
}

static void joined(struct world *w)
{
	resegmented(w, WAY_DOWN, false);
}

static const char three[] = "first of them, 20 ch2nd of these, 20 byteand the rest";

/* n pieces of 20 bytes, and what is left, of which the path loses one; -1: none. */
static void pieces(struct world *w, enum compare_way way, bool splits, int lost)
{
	struct segment whole = {.udp = true, .text = three, .ip_id = 800};

	beside(w, 0, 2000);
	through(w, WAY_UP, (struct segment){.udp = true, .text = "client's initial datagram"}, 2000);
	through(w, WAY_DOWN, (struct segment){.udp = true, .text = "server's initial datagram"}, 2020);
	if (splits)
		sent(w, way, &whole, 2050);
	else
		got(w, way, &whole, 2072);
	for (int i = 0; i < 3; i++) {
		struct segment part = {.udp = true, .text = three + 20 * i, .ip_id = (uint16_t)(800 + i),
				       .len = i < 2 ? 20 : sizeof(three) - 41};
		if (splits && i != lost)
			got(w, way, &part, 2071);
		else if (!splits && i != lost)
			sent(w, way, &part, 2050);
	}
	beside(w, 2100, 4000);
}

static void datagrams_cut_up(struct world *w)
{
	pieces(w, WAY_DOWN, true, -1);
	expect(w, 0);
	assert_int_equal(comparison_totals(w->c, WAY_DOWN)->fates[FATE_RESEGMENTED], 1);
}

static void datagrams_joined(struct world *w)
{
	pieces(w, WAY_UP, false, -1);
	expect(w, 0);
	assert_int_equal(comparison_totals(w->c, WAY_UP)->fates[FATE_RESEGMENTED], 3);
}

static void first_piece_lost(struct world *w)
{
	pieces(w, WAY_DOWN, true, 0);
	expect(w, 0);
}

/* Nobody sent the middle of it. */
static void joined_with_a_stranger(struct world *w)
{
	pieces(w, WAY_UP, false, 1);
	assert_int_equal(comparison_run(w->c), 0);
	assert_int_equal(comparison_totals(w->c, WAY_UP)->fates[FATE_RESEGMENTED], 0);
	assert_true(comparison_analysis(w->c)->n_findings > 0);
}

/* The server's own questions, in the same words when nobody answers: nothing in them is unique. */
static void asked_from_the_server(struct world *w)
{
	beside(w, 0, 2000);
	for (uint64_t ms = 2000; ms < 8000; ms += 2000)
		through(w, WAY_DOWN, (struct segment){.port = 53, .udp = true, .text = "who is it?"}, ms);
	beside(w, 2000, 9000);
	expect(w, 0);
}

/* The server's clock is set while the captures run. */
static void clock_is_set(struct world *w)
{
	w->clock_ms = 5000;
	beside(w, 0, 4000);
	w->clock_ms = 6500;
	beside(w, 4100, 9000);
	expect(w, 0);
	assert_int_equal(comparison_clock(w->c)->steps, 1);
	assert_int_equal(comparison_clock(w->c)->largest_step_ns, 1500 * (int64_t)MS);
}

/* The server's capture begins when the client's has long run. */
static void begins_later(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, r = reset;

	sent(w, WAY_UP, &g, 0);
	got(w, WAY_DOWN, &r, 30);
	for (uint64_t ms = 2000; ms < 4000; ms += 50) {
		struct segment k = {.port = 39000, .flags = PUSHED, .seq = 1 + (int32_t)ms, .ack = 1,
				    .text = "keep on"};
		through(w, WAY_UP, k, ms);
		through(w, WAY_DOWN, k, ms + 20);
		k = (struct segment){.flags = PUSHED, .seq = 6 + (int32_t)ms, .ack = 1, .text = "alive"};
		through(w, WAY_UP, k, ms + 1);
	}
	expect(w, 0);
	assert_int_equal(count(w, FATE_UNCOVERED), 2);
}

/* A server that nothing reached, and nobody said that it is at that end. */
static void goes_elsewhere(struct world *w)
{
	beside(w, 0, 4000);
	for (unsigned i = 0; i < 5; i++) {
		struct segment g = {.flags = TCP_SYN};
		struct ip_addr other = address(w, 51), client = address(w, 10);
		struct flow_key key = {.lo = client, .hi = other, .lo_port = 40000, .hi_port = 443,
				       .proto = 6, .ip_version = w->v6 ? 6 : 4};
		struct headers h = {.ip_version = key.ip_version, .flags = g.flags, .seq = w->isn[0],
				    .ttl = 64, .ip_len = 40};
		struct packet pkt = {.ts_ns = START + (1000 + i * 300) * MS,
				     .frame = ++w->frames[SIDE_CLIENT]};
		view_add(&w->c->view[SIDE_CLIENT], &key, true, &pkt, &h);
	}
	expect(w, 0);
	assert_int_equal(w->c->elsewhere, 1);
}

static void strangers(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"};

	sent(w, WAY_UP, &g, 0);
	g.seq = 5000;
	g.text = "something else";
	got(w, WAY_UP, &g, 20);
	expect(w, 0);
	assert_false(comparison_clock(w->c)->aligned);
}

/* PPTP's server speaks first in GRE: the way that its packets lose TTL says who it is. */
static void gre_of_a_server(struct world *w)
{
	beside(w, 0, 2000);
	for (uint64_t i = 0; i < 6; i++) {
		struct segment g = {.gre = true, .text = &"abcdefghij"[i], .len = 4};
		through(w, i % 2 == 0 ? WAY_DOWN : WAY_UP, g, 2000 + i * 50);
	}
	beside(w, 2000, 4000);
	expect(w, 0);
}

/* One card joined three segments, the other end's capture lacks one of them, and nothing follows. */
static void joined_of_what_was_missed(struct world *w)
{
	static const char text[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nServer: one\r\n\r\nabcdefghijklmnopqrstuvwxyz"
		"0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQR";
	struct segment whole = {.flags = PUSHED, .seq = 1, .ack = 1, .text = text, .len = 120, .ip_id = 800};

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	for (int32_t i = 0; i < 3; i++) {
		struct segment part = {.flags = i == 2 ? PUSHED : ACKED, .seq = 1 + 40 * i, .ack = 1,
				       .text = text + 40 * i, .len = 40, .ip_id = (uint16_t)(800 + i)};
		if (i != 1)
			sent(w, WAY_DOWN, &part, 2050);
	}
	got(w, WAY_DOWN, &whole, 2071);
	beside(w, 2100, 4000);
	assert_int_equal(comparison_run(w->c), 0);
	assert_null(finding_of(w, "two-sided-injection"));
	assert_int_equal(w->c->view[SIDE_SERVER].missed, 1);
}

/* Two packets one way are in both captures, and one of them waited for a moment: no floor is known. */
static void one_way_of_few(struct world *w)
{
	struct segment r = {.flags = TCP_RST | TCP_ACK, .seq = 1, .ack = 1}, f = {
		.port = 40001, .flags = TCP_FIN | TCP_ACK, .seq = 1, .ack = 1};

	sent(w, WAY_UP, &r, 2000);
	got(w, WAY_UP, &r, 2000 + TRANSIT - 1);
	through(w, WAY_UP, f, 3000);
	expect(w, 0);
	assert_int_equal(count(w, FATE_SAME), 2);
}

/* The same of a short capture that has both ways. */
static void few_both_ways(struct world *w)
{
	struct segment r = {.flags = TCP_RST | TCP_ACK, .seq = 1, .ack = 1}, f = {
		.port = 40001, .flags = TCP_FIN | TCP_ACK, .seq = 1, .ack = 1};

	sent(w, WAY_UP, &r, 2000);
	got(w, WAY_UP, &r, 2000 + TRANSIT - 4);
	through(w, WAY_UP, f, 3000);
	f.seq = f.ack = 2;
	f.ip_id = 0;
	through(w, WAY_DOWN, f, 3021);
	expect(w, 0);
	assert_int_equal(count(w, FATE_SAME), 3);
}

/* A busy path delays what is around a genuine reset, and not the reset. */
static void quick_on_a_busy_path(struct world *w)
{
	beside(w, 0, 2000);
	for (uint64_t i = 60; i < 160; i++) {
		struct segment g = {.port = 39000, .flags = PUSHED, .seq = 1 + (int32_t)i * 4, .len = 4,
				    .ack = 1 + (int32_t)i * 4, .text = &"abcdefghijklmnop"[i % 12]};
		sent(w, i % 2, &g, i * 50);
		got(w, i % 2, &g, i * 50 + TRANSIT + 6);
	}
	handshake(w, 0, 2000);
	through(w, WAY_DOWN, reset, 5500);
	beside(w, 8000, 9000);
	expect(w, 0);
}

/* Nobody answers behind a translator, and the client tries more often than conversations share content. */
static void unanswered_behind_a_translator(struct world *w)
{
	struct segment g = {.flags = TCP_SYN};

	w->nat = 7;
	beside(w, 0, 2000);
	for (uint64_t i = 0; i < 10; i++) {
		g.ip_id = 0;
		through(w, WAY_UP, g, 2000 + i * 500);
	}
	beside(w, 2000, 8000);
	expect(w, 0);
}

/* Of what a connection says, most was said first, and once, by another. */
static void shared_words_behind_a_translator(struct world *w)
{
	w->nat = 7;
	beside(w, 0, 2000);
	through(w, WAY_DOWN, (struct segment){.port = 40000, .flags = PUSHED, .seq = 7, .text = "own"}, 2000);
	for (uint64_t i = 0; i < 4; i++)
		through(w, WAY_DOWN,
			(struct segment){.port = i == 0 ? 40001 : 40000, .flags = PUSHED, .seq = 900000,
					 .text = "all"},
			2500 + i * 1000);
	beside(w, 2000, 8000);
	expect(w, 0);
}

/* It is the server that asks, as active FTP's does: the same SYN each time, and nothing else. */
static void unanswered_from_the_server(struct world *w)
{
	beside(w, 0, 2000);
	for (uint64_t i = 0; i < 3; i++)
		through(w, WAY_DOWN, (struct segment){.port = 40005, .flags = TCP_SYN}, 2000 + i * 1000);
	beside(w, 2000, 8000);
	expect(w, 0);
}

/* The same said from two ports, as resolvers are asked again: each is its own on the other side too,
 * though one's answer gets lost. */
static void alike_behind_a_translator(struct world *w)
{
	uint64_t lost = 0;

	w->nat = 7;
	beside(w, 0, 2000);
	for (uint16_t port = 40000; port < 40003; port++) {
		struct segment g = {.port = port, .flags = PUSHED, .seq = 900000, .ack = 1, .text = "who?"};
		through(w, WAY_UP, g, 2000 + (port - 40000u) * 1000);
	}
	for (uint16_t port = 40000; port < 40003; port++) {
		struct segment g = {.port = port, .flags = PUSHED, .seq = 1, .ack = 900004, .text = "me"};
		uint64_t frame = sent(w, WAY_DOWN, &g, 6000 + (port - 40000u) * 1000);
		lost = port == 40001 ? frame : lost;
		if (port != 40001)
			got(w, WAY_DOWN, &g, 6020 + (port - 40000u) * 1000);
	}
	beside(w, 2000, 10000);
	expect(w, 1);
	expect_one(w, "two-sided-loss", VERDICT_INCONCLUSIVE, lost);
}

#define CASES(X)                                                                           \
	X(nothing_happens) X(capture_missed_it) X(capture_missed_sending) X(cut_up)        \
	X(damaged_on_the_way) X(sums_left_to_the_card)                                     \
	X(joined) X(clock_is_set) X(begins_later) X(goes_elsewhere) X(strangers)           \
	X(gre_of_a_server) X(quick_on_a_busy_path) X(datagrams_cut_up)                     \
	X(asked_from_the_server)                                                           \
	X(datagrams_joined) X(first_piece_lost) X(joined_with_a_stranger)                  \
	X(unanswered_behind_a_translator) X(alike_behind_a_translator)                     \
	X(unanswered_from_the_server) X(shared_words_behind_a_translator)                  \
	X(one_way_of_few) X(few_both_ways) X(joined_of_what_was_missed)
CASES(DEFINE)

int main(void)
{
	const struct CMUnitTest tests[] = {CASES(ROW)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
