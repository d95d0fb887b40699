/* SPDX-License-Identifier: BSD-3-Clause */

/* What a flow leaves behind: bounded, complete where it matters, and without what came twice. */

#include "classifiers/tamper/evidence.c"

#include "tests/unit/sig_cases.h"

/* Runs lines, the flow's evidence being w->flows[0]. */
static struct evidence *record(struct world *w, const char *const *line,
			       const struct variant *as)
{
	static struct events ev;
	ev = (struct events){.line = line};
	world_open(w, &ev, as);
	world_run(w);
	assert_true(w->n_flows >= 1);
	return &w->flows[0].ev;
}

/* Writes "MS DIR FLAGS SEQ ACK LEN" lines as they are made. */
struct script {
	char text[LINES_MAX][64];
	const char *line[LINES_MAX + 1];
	unsigned n;
};

static void __attribute__((format(printf, 2, 3))) say(struct script *s, const char *fmt, ...)
{
	va_list ap;
	assert_true(s->n < LINES_MAX);
	va_start(ap, fmt);
	vsnprintf(s->text[s->n], sizeof(s->text[0]), fmt, ap);
	va_end(ap);
	s->line[s->n] = s->text[s->n];
	s->line[++s->n] = NULL;
}

static void shake(struct script *s)
{
	s->n = 0;
	say(s, "0 > S 0 -");
	say(s, "40 < SA 0 1");
	say(s, "40.1 > A 1 1");
	say(s, "40.2 > PA 1 1 517");
}

/* Server data in n segments of 100 bytes, each acknowledged. */
static unsigned download(struct script *s, unsigned from, unsigned n)
{
	for (unsigned i = 0; i < n; i++, from++) {
		say(s, "%u < PA %u 518 100", 80 + 2 * from, 1 + 100 * from);
		say(s, "%u > A 518 %u", 81 + 2 * from, 101 + 100 * from);
	}
	return from;
}

static void check_frames(const struct evidence *ev, const unsigned *frames, unsigned n)
{
	assert_int_equal(ev->n_events, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(ev->events[i].frame, frames[i]);
}

/* The first eight packets and the last four; of a short flow all. */
static void head_and_tail(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 40; n++) {
		struct script s;
		struct world w;
		unsigned want[EVENTS_HEAD + EVENTS_TAIL], k = 0;
		shake(&s);
		download(&s, 0, n);
		struct evidence *ev = record(&w, s.line, &variants[0]);
		for (unsigned i = 1; i <= s.n; i++)
			if (i <= EVENTS_HEAD || i + EVENTS_TAIL > s.n)
				want[k++] = i;
		check_frames(ev, want, k);
		assert_int_equal(ev->skipped, s.n - k);
		assert_int_equal(ev->skipped_at, s.n > k ? EVENTS_HEAD : 0);
		assert_int_equal(ev->found, 0);
		world_close(&w);
	}
}

/* A RST stops the ring: the four before it and all after it remain. */
static void freezes(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 20; n++) {
		struct script s;
		struct world w;
		shake(&s);
		unsigned to = download(&s, 0, n), rst = s.n + 1;
		say(&s, "%u < RA %u 518", 300, 1 + 100 * n);
		download(&s, to, 30);
		struct evidence *ev = record(&w, s.line, &variants[0]);
		assert_true((ev->found & EVIDENCE_RST) != 0);
		assert_true(ev->frozen);
		unsigned at = 0;
		while (at < ev->n_events && ev->events[at].frame != rst)
			at++;
		assert_true(at < ev->n_events);
		assert_int_equal(ev->n_events - at, s.n - rst + 1);
		for (unsigned i = 1; i < ev->n_events; i++)
			assert_int_equal(ev->events[i].frame - ev->events[i - 1].frame,
					 i == ev->skipped_at && i != 0 ? ev->skipped + 1 : 1);
		assert_int_equal(at, rst - 1 < 12 ? rst - 1 : 12);
		world_close(&w);
	}
}

/* At most 128, and places are kept for what comes with a RST. */
static void is_capped(void **state)
{
	struct script s;
	struct world w;
	(void)state;
	shake(&s);
	say(&s, "60 < SA 9999 1"); /* frozen by a second SYN+ACK */
	unsigned to = download(&s, 0, 65);
	struct evidence *ev = record(&w, s.line, &variants[0]);
	assert_int_equal(ev->n_events, EVENTS_MAX - EVENTS_RESERVE);
	assert_int_equal(ev->skipped_at, EVENTS_MAX - EVENTS_RESERVE);
	assert_int_equal(ev->skipped, s.n - ev->n_events);
	world_close(&w);

	unsigned rst = s.n + 1;
	say(&s, "400 < RA 6501 518");
	download(&s, to, 28);
	ev = record(&w, s.line, &variants[0]);
	assert_int_equal(ev->n_events, EVENTS_MAX);
	assert_int_equal(ev->room_events, EVENTS_MAX);
	assert_int_equal(ev->skipped_at, EVENTS_MAX - EVENTS_RESERVE);
	assert_int_equal(ev->events[ev->skipped_at].frame, rst);
	assert_int_equal(ev->skipped, s.n - EVENTS_MAX);
	world_close(&w);
}

static const char *const twice[] = {
	"0 > S 0 -", "1 = 1", "40 < SA 0 1", "40.1 > A 1 1", "40.2 > PA 1 1 517 id=9",
	"40.9 = 5 ttl=63", "41.3 = 5 ttl=64", "80 < PA 1 518 100 id=4", "80.5 = 8 ttl=47",
	"81.6 = 8", "90 < RA 101 518", "90.1 = 11", "90.2 = 11", NULL};

/* Identical frames within 1 ms, also with one hop less, are one; never resets. */
static void duplicates(void **state)
{
	static const unsigned want[] = {1, 3, 4, 5, 8, 10, 11, 12, 13};
	/* Without an IP-ID, two that differ by a hop may be two. */
	static const unsigned want6[] = {1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
	struct world w;
	(void)state;
	struct evidence *ev = record(&w, twice, &variants[0]);
	check_frames(ev, want, sizeof(want) / sizeof(*want));
	assert_int_equal(ev->duplicates, 4);
	assert_int_equal(w.a->captures[0].inspector.duplicate_frames, 4);
	assert_int_equal(ev->half[DIR_S2C].n_rstack, 3);
	world_close(&w);
	ev = record(&w, twice, &variants[6]);
	check_frames(ev, want6, sizeof(want6) / sizeof(*want6));
	assert_int_equal(ev->duplicates, 1);
	world_close(&w);
}

static const char *const alive[] = {
	"0 > S 0 -", "40 < SA 0 1", "40.1 > A 1 1", "40.2 > PA 1 1 517", "80 < PA 1 518 100",
	"5000 > A 517 101", "5001 > A 517 101 1", "5040 < A 101 518", "10000 > A 517 101 1",
	"10001 > PA 518 101 1", NULL};

static void keep_alives_are_no_data(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(variants) / sizeof(*variants); i++) {
		struct world w;
		struct evidence *ev = record(&w, alive, &variants[i]);
		const struct half *c = &ev->half[DIR_C2S];
		assert_int_equal(c->n_keepalive, 2);
		assert_int_equal(c->n_data, 2);
		assert_null(ev->more); /* nothing was sent again */
		assert_int_equal(ev->found, 0);
		world_close(&w);
	}
}

static const char *const holes[] = {
	"0 > S 0 -", "40 < SA 0 1", "40.1 > A 1 1", "40.2 > PA 1 1 517", "80 < A 1 519",
	"81 > A 518 1", NULL};
static const char *const no_holes[] = {
	"0 > S 0 -", "40 < SA 0 1", "40.1 > A 1 1", "40.2 > PA 1 1 517", "80 < A 1 518",
	"81 > FA 518 1", "82 < A 1 519", "83 < RA 1 900", NULL};

/* Acknowledged, but not in the capture: by one byte, and by a RST, which does not count. */
static void gaps(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(variants) / sizeof(*variants); i++) {
		struct world w;
		struct evidence *ev = record(&w, holes, &variants[i]);
		assert_true(ev->half[DIR_C2S].gap && !ev->half[DIR_S2C].gap);
		assert_int_equal(w.a->captures[0].inspector.gaps, 1);
		world_close(&w);
		ev = record(&w, no_holes, &variants[i]);
		assert_false(ev->half[DIR_C2S].gap || ev->half[DIR_S2C].gap);
		assert_int_equal(w.a->captures[0].inspector.gaps, 0);
		world_close(&w);
	}
}

/* Next to the client any smaller TTL is deliberate, further away by more than 6. */
static void probes(void **state)
{
	static const struct {
		unsigned syn, data;
		bool probe;
	} rows[] = {{64, 63, true}, {64, 64, false}, {64, 65, false}, {128, 5, true},
		    {50, 44, false}, {50, 43, true}, {255, 254, true}, {32, 31, true}, {57, 51,
											false}};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct script s = {.n = 0};
		struct world w;
		say(&s, "0 > S 0 - ttl=%u", rows[i].syn);
		say(&s, "40 < SA 0 1");
		say(&s, "40.1 > A 1 1 ttl=%u", rows[i].data); /* without data it is none */
		say(&s, "41 > PA 1 1 517 ttl=%u", rows[i].data);
		say(&s, "41 > R 518 1 20 ttl=%u", rows[i].data);
		struct evidence *ev = record(&w, s.line, &variants[0]);
		assert_int_equal(ev->n_probes, rows[i].probe);
		assert_int_equal((ev->events[3].bits & EVENT_PROBE) != 0, rows[i].probe);
		assert_int_equal(w.a->captures[0].inspector.ttl_probes, rows[i].probe);
		world_close(&w);
	}
}

/* More payload than the other side's MSS of 1460 allows. */
static void offload(void **state)
{
	for (unsigned len = 1459; len <= 1461; len++) {
		struct script s;
		struct world w;
		(void)state;
		shake(&s);
		say(&s, "80 < PA 1 518 %u", len);
		struct evidence *ev = record(&w, s.line, &variants[0]);
		assert_int_equal(ev->tso, len > 1460);
		assert_int_equal(w.a->captures[0].inspector.tso_segments, len > 1460);
		world_close(&w);
	}
}

static const char *const damage[] = {
	"0 > S 0 -", "40 < SA 0 1", "40.1 > A 1 1", "40.2 > PA 1 1 517", "80 < PA 1 518 100",
	"81 < PA 1 518 100 odd bad", "82 < RA 101 518 bad", NULL};
static const char *const offloaded[] = {
	"0 > S 0 - bad", "40 < SA 0 1 bad", "40.1 > A 1 1", "40.2 > PA 1 1 517",
	"80 < PA 1 518 100 bad",
	"81 < PA 1 518 100 odd bad", "82 < RA 101 518 bad", NULL};

/* No receiver takes a packet whose checksum is wrong; where all are wrong it is offload. */
static void checksums(void **state)
{
	struct world w;
	(void)state;
	struct evidence *ev = record(&w, damage, &variants[0]);
	assert_int_equal(ev->found & (EVIDENCE_RST | EVIDENCE_BYTES), 0);
	assert_true((ev->events[6].flags & EVENT_IGNORED) != 0);
	assert_int_equal(ev->half[DIR_S2C].n_rstack, 0);
	world_close(&w);
	ev = record(&w, offloaded, &variants[0]);
	assert_int_equal(ev->found & (EVIDENCE_RST | EVIDENCE_BYTES),
			 EVIDENCE_RST | EVIDENCE_BYTES);
	assert_int_equal(ev->half[DIR_S2C].n_rstack, 1);
	world_close(&w);
}

/* A FIN, and content without the timestamps agreed on, each with the next copy of it sound. */
static void damaged_ends(void **state)
{
	static const char *const damaged[] = {
		"0 > S 0 -", "40 < SA 0 1", "40.1 > A 1 1", "40.2 > PA 1 1 517",
		"80 < PA 1 518 100 plain bad", "81 < FA 101 518 bad", "120 < PA 1 518 100",
		"121 < PA 101 518 100", NULL};
	static const char *const forged[] = {
		"0 > S 0 -", "40 < SA 0 1", "40.1 > A 1 1", "40.2 > PA 1 1 517",
		"80 < PA 1 518 100 plain", "81 < FA 101 518", "82 < PA 101 518 100", NULL};
	struct world w;
	(void)state;
	struct evidence *ev = record(&w, damaged, &variants[0]);
	assert_int_equal(ev->found & (EVIDENCE_TSGONE | EVIDENCE_AFTER_FIN), 0);
	assert_true((ev->events[4].flags & ev->events[5].flags & EVENT_IGNORED) != 0);
	assert_int_equal(ev->half[DIR_S2C].n_fin, 0);
	assert_int_equal(ev->half[DIR_S2C].n_data, 2);
	world_close(&w);
	ev = record(&w, forged, &variants[0]);
	assert_int_equal(ev->found & (EVIDENCE_TSGONE | EVIDENCE_AFTER_FIN),
			 EVIDENCE_TSGONE | EVIDENCE_AFTER_FIN);
	world_close(&w);
}

/* Evasion tools sign decoys that a server, which agreed on no signatures, is to drop (RFC 2385). */
static void signatures(void **state)
{
	static const char *const decoy[] = {
		"0 > S 0 -", "40 < SA 0 1", "40.1 > A 1 1", "40.2 > R 1 - signed",
		"40.3 > PA 1 1 517", "80 < PA 1 518 100", NULL};
	static const char *const agreed[] = {
		"0 > S 0 - plain signed", "40 < SA 0 1 plain signed", "40.1 > A 1 1 plain signed",
		"40.2 > R 1 - plain signed", NULL};
	static const char *const from_server[] = {
		"0 > S 0 -", "40 < SA 0 1", "40.1 > A 1 1", "40.2 > PA 1 1 517",
		"60 < R 1 - signed", NULL};
	struct world w;
	(void)state;
	struct evidence *ev = record(&w, decoy, &variants[0]);
	assert_int_equal(ev->found & EVIDENCE_RST, 0);
	assert_true((ev->events[3].flags & EVENT_IGNORED) != 0);
	assert_int_equal(ev->half[DIR_C2S].n_rst, 0);
	world_close(&w);
	ev = record(&w, agreed, &variants[0]);
	assert_int_equal(ev->found & EVIDENCE_RST, EVIDENCE_RST);
	world_close(&w);
	/* Clients that know nothing of signatures take it. */
	ev = record(&w, from_server, &variants[0]);
	assert_int_equal(ev->found & EVIDENCE_RST, EVIDENCE_RST);
	world_close(&w);
}

/* Seven sorts of ICMP error and more: eight are kept. */
static void icmp_is_bounded(void **state)
{
	struct script s;
	struct world w;
	(void)state;
	shake(&s);
	for (unsigned i = 0; i < 20; i++)
		say(&s, "%u ! 3/13 4", 50 + i);
	struct evidence *ev = record(&w, s.line, &variants[0]);
	assert_int_equal(ev->n_icmp, ICMP_NOTES);
	for (unsigned i = 0; i < ICMP_NOTES; i++)
		assert_int_equal(ev->more->icmp[i].frame, 5 + i);
	assert_int_equal(ev->more->icmp[0].quoted_dir, DIR_C2S);
	assert_true((ev->found & EVIDENCE_ICMP) != 0 && ev->frozen);
	world_close(&w);
}

/* The budget is 1 KiB a live flow without nDPI: state here and twelve packets at most. */
static void benign_flows_are_small(void **state)
{
	struct script s;
	struct world w;
	(void)state;
	shake(&s);
	download(&s, 0, 60);
	struct evidence *ev = record(&w, s.line, &variants[0]);
	size_t events = ev->room_events * sizeof(struct event);
	print_message("evidence %zu bytes, an event %zu, a long benign flow's events %zu\n",
		      sizeof(struct evidence), sizeof(struct event), events);
	assert_int_equal(ev->room_events, EVENTS_HEAD + EVENTS_TAIL);
	assert_true(sizeof(struct evidence) + events <= 1024);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_and_tail),   cmocka_unit_test(freezes),
		cmocka_unit_test(is_capped),	   cmocka_unit_test(duplicates),
		cmocka_unit_test(keep_alives_are_no_data), cmocka_unit_test(gaps),
		cmocka_unit_test(probes),	   cmocka_unit_test(offload),
		cmocka_unit_test(checksums),
		cmocka_unit_test(damaged_ends),
		cmocka_unit_test(signatures),	   cmocka_unit_test(icmp_is_bounded),
		cmocka_unit_test(benign_flows_are_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
