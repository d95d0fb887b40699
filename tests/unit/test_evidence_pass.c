/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Packets that were counted instead of added leave the same evidence behind; and whatever is not the
 * same any more afterwards is not to be passed over.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "classifiers/tamper/evidence_pass.c"

#define PACKETS 400
#define T0 UINT64_C(1700000000000000000)
#define SEGMENT 100
#define MSS 140 /* of which a segment with options fills the rest */
#define BASE 0xfffff000u /* numbers go past 2^32 on the way */

struct row {
	struct packet pkt;
	struct headers h;
	enum dir dir;
	uint8_t bytes[SEGMENT];
};

static struct row rows[PACKETS];
static unsigned n_rows;
static uint32_t next_seq[2];

static struct row *add(enum dir dir, unsigned flags, uint32_t len)
{
	struct row *r = &rows[n_rows++];
	assert_true(n_rows <= PACKETS);
	memset(r->bytes, (int)n_rows, sizeof(r->bytes));
	r->dir = dir;
	r->pkt = (struct packet){.ts_ns = T0 + n_rows * 5000000ull, .frame = n_rows, .caplen = 200,
				 .wirelen = 200};
	r->h = (struct headers){
		.ip_version = 4, .proto = 6, .ttl = dir == DIR_C2S ? 64 : 50, .df = true,
		.ip_id = (uint16_t)(100 * (dir + 1) + n_rows), .flags = (uint16_t)flags,
		.window = 1000, .seq = next_seq[dir], .ack = next_seq[dir_other(dir)],
		.tcp_hlen = 32, .has_ts = true, .tsval = n_rows, .payload = r->bytes,
		.payload_len = len, .payload_caplen = len, .sack_permitted = (flags & TCP_SYN) != 0,
		.has_mss = (flags & TCP_SYN) != 0, .mss = MSS};
	next_seq[dir] += len + ((flags & (TCP_SYN | TCP_FIN)) != 0);
	return r;
}

/* Handshake, request, n segments of an answer with an acknowledgement for every other one. */
static void connection(unsigned n)
{
	n_rows = 0;
	next_seq[DIR_C2S] = BASE;
	next_seq[DIR_S2C] = BASE + 500;
	add(DIR_C2S, TCP_SYN, 0)->h.ack = 0;
	add(DIR_S2C, TCP_SYN | TCP_ACK, 0);
	add(DIR_C2S, TCP_ACK, 0);
	add(DIR_C2S, TCP_ACK | TCP_PSH, 60);
	for (unsigned i = 0; i < n; i++) {
		add(DIR_S2C, TCP_ACK, SEGMENT);
		if (i % 2 == 1)
			add(DIR_C2S, TCP_ACK, 0);
	}
}

struct run {
	struct evidence ev;
	struct evidence_room room;
	struct evidence_counters n;
	struct flow f;
};

static void feed(struct run *r, unsigned from, unsigned to)
{
	r->f.key.ip_version = 4;
	r->f.id = 4;
	for (unsigned i = from; i < to; i++)
		evidence_packet(&r->ev, &r->room, &r->f, rows[i].dir, &rows[i].pkt, &rows[i].h, &r->n);
}

/* As the source would tell of them. */
static void pass(struct run *r, unsigned from, unsigned to)
{
	struct shunt_counts c = {.n_last = 0};
	struct headers h[SHUNT_LAST];
	for (unsigned i = from; i < to; i++) {
		struct shunt_count *s = &c.side[rows[i].dir];
		s->packets++;
		s->data += rows[i].h.payload_len != 0;
		if (rows[i].h.payload_len != 0)
			s->last_len = rows[i].h.payload_len;
		s->next = rows[i].h.seq + rows[i].h.payload_len;
		s->ack = rows[i].h.ack;
		s->last_ns = rows[i].pkt.ts_ns;
	}
	for (unsigned i = to - from > SHUNT_LAST ? to - SHUNT_LAST : from; i < to; i++) {
		c.last[c.n_last] = rows[i].pkt;
		c.last_dir[c.n_last] = (uint8_t)rows[i].dir;
		h[c.n_last++] = rows[i].h;
	}
	evidence_pass(&r->ev, &r->room, &r->f, &c, h, &r->n);
}

static void same_evidence(struct run *a, struct run *b)
{
	evidence_finish(&a->ev);
	evidence_finish(&b->ev);
	assert_memory_equal(a->ev.half, b->ev.half, sizeof(a->ev.half));
	assert_int_equal(a->ev.n_events, b->ev.n_events);
	assert_memory_equal(a->ev.events, b->ev.events, a->ev.n_events * sizeof(*a->ev.events));
	assert_int_equal(a->ev.found, b->ev.found);
	assert_int_equal(a->ev.skipped, b->ev.skipped);
	assert_int_equal(a->ev.skipped_at, b->ev.skipped_at);
	assert_int_equal(a->ev.duplicates, b->ev.duplicates);
	assert_memory_equal(&a->n, &b->n, sizeof(a->n));
}

/* passed: the rows that are counted alone; the rest follows. */
static void check_same(unsigned from, unsigned to)
{
	struct run *all = calloc(1, sizeof(*all)), *some = calloc(1, sizeof(*some));
	struct shunt_flow of;
	assert_non_null(all);
	assert_non_null(some);
	feed(all, 0, n_rows);
	feed(some, 0, from);
	assert_true(evidence_passable(&some->ev, &of));
	pass(some, from, to);
	feed(some, to, n_rows);
	same_evidence(all, some);
	evidence_free(&all->ev, NULL);
	evidence_free(&some->ev, NULL);
	free(all);
	free(some);
}

static void what_is_passed_leaves_the_same(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 90; n++) {
		connection(100);
		check_same(40, 40 + n);
	}
}

/* The last that were passed over count: for the comparison of bytes, and where resets are near. */
static void what_comes_after_is_held_against_it(void **state)
{
	(void)state;
	connection(100);
	unsigned to = n_rows;
	struct row *last = &rows[to - 2], *forged = add(DIR_S2C, TCP_ACK, SEGMENT);
	assert_int_equal(last->dir, DIR_S2C);
	forged->h.seq = last->h.seq;
	forged->h.ip_id = 7;
	add(DIR_S2C, TCP_RST, 0)->h.ttl = 61;
	add(DIR_S2C, TCP_ACK, SEGMENT);
	check_same(50, to);
	struct run *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	feed(r, 0, 50);
	pass(r, 50, to);
	feed(r, to, n_rows);
	assert_int_equal(r->ev.found & EVIDENCE_BYTES, EVIDENCE_BYTES);
	evidence_free(&r->ev, NULL);
	free(r);
}

/* A record that stopped being a ring takes packets until it is full: only then may they pass. */
static void a_record_that_stopped(void **state)
{
	(void)state;
	connection(30);
	unsigned stuck = n_rows - 2;
	for (unsigned i = 0; i < 3; i++) {
		struct row *again = add(DIR_S2C, TCP_ACK, SEGMENT);
		again->h.seq = rows[stuck].h.seq;
		next_seq[DIR_S2C] -= SEGMENT;
		memcpy(again->bytes, rows[stuck].bytes, SEGMENT);
		again->h.ack = rows[stuck].h.ack;
	}
	unsigned from = n_rows;
	for (unsigned i = 0; i < 150; i++) {
		add(DIR_S2C, TCP_ACK, SEGMENT);
		add(DIR_C2S, TCP_ACK, 0);
	}
	struct run *r = calloc(1, sizeof(*r));
	struct shunt_flow of;
	unsigned full = 0;
	assert_non_null(r);
	feed(r, 0, from);
	assert_true(r->ev.frozen);
	for (unsigned i = from; i < n_rows && full == 0; i++) {
		feed(r, i, i + 1);
		full = evidence_passable(&r->ev, &of) ? i + 1 : 0;
	}
	assert_int_equal(r->ev.n_events, EVENTS_MAX - EVENTS_RESERVE);
	check_same(full, n_rows - 10);
	evidence_free(&r->ev, NULL);
	free(r);
}

static bool passable_after(void (*change)(unsigned at))
{
	struct run *r = calloc(1, sizeof(*r));
	struct shunt_flow of;
	assert_non_null(r);
	connection(60);
	if (change != NULL)
		change(70);
	feed(r, 0, n_rows);
	bool yes = evidence_passable(&r->ev, &of);
	if (yes) {
		assert_true(of.timestamps);
		assert_int_equal(of.side[DIR_C2S].ttl, 64);
		assert_int_equal(of.side[DIR_S2C].ttl, 50);
		assert_true(of.side[DIR_S2C].df);
		assert_int_equal(of.side[DIR_S2C].data_max, MSS);
	}
	evidence_free(&r->ev, NULL);
	free(r);
	return yes;
}

static void other_ttl(unsigned at)
{
	rows[at].h.ttl--;
}

static void other_df(unsigned at)
{
	rows[at].h.df = false;
}

static void finished(unsigned at)
{
	rows[at].h.flags |= TCP_FIN;
}

static void reset(unsigned at)
{
	rows[at].h.flags = TCP_RST;
}

static void twice(unsigned at)
{
	rows[at + 1] = rows[at];
}

static void no_answer(unsigned at)
{
	(void)at;
	n_rows = 4;
}

static void what_has_to_be_read(void **state)
{
	(void)state;
	assert_true(passable_after(NULL));
	assert_false(passable_after(other_ttl));
	assert_false(passable_after(other_df));
	assert_false(passable_after(finished));
	assert_false(passable_after(reset));
	assert_false(passable_after(twice));
	assert_false(passable_after(no_answer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_passed_leaves_the_same),
		cmocka_unit_test(what_comes_after_is_held_against_it),
		cmocka_unit_test(a_record_that_stopped),
		cmocka_unit_test(what_has_to_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
