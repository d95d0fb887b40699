/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Two captures made here of one path, 20 ms long: what is paired, what is accused, and above all what
 * must not be. Every case runs with sequence numbers in the middle and across 2^32, and over IPv6.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tools/compare/compare.c"

#define START   UINT64_C(1800000000000000000)
#define MS      UINT64_C(1000000)
#define TRANSIT 20
#define ACKED   TCP_ACK
#define PUSHED  (TCP_PSH | TCP_ACK)

struct segment {
	uint16_t port;   /* the client's; 0: 40000 */
	uint16_t flags, ip_id;
	int32_t seq, ack; /* relative to the initial numbers */
	const char *text; /* payload; NULL none */
	uint32_t len;    /* of it; 0: all of text */
	uint8_t ttl;     /* at its sender; 0: 64 */
	bool gre;        /* text in GRE instead, which has neither ports nor numbers */
};

struct world {
	struct comparison *c;
	uint32_t isn[WAYS];
	bool v6;
	uint16_t next_id;
	uint64_t frames[SIDES];
	int64_t clock_ms;  /* the server's less the client's */
	uint16_t nat;      /* added to the client's port on the server's side, and another address */
	uint8_t hops;
};

static const struct {
	uint32_t isn;
	bool v6;
} settings[] = {{1000, false}, {UINT32_MAX - 20, false}, {1000, true}, {UINT32_MAX - 20, true}};

static struct ip_addr address(const struct world *w, uint8_t last)
{
	struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = last}};

	if (w->v6)
		a = (struct ip_addr){.b = {0x20, 0x01, 0x0d, 0xb8, [15] = last}};
	return a;
}

/* In one capture only, at that time of the client's clock. Returns the frame. */
static uint64_t only(struct world *w, enum compare_side side, enum compare_way way,
		     const struct segment *g, uint64_t ms, uint8_t ttl)
{
	bool up = way == WAY_UP, outside = side == SIDE_SERVER && w->nat != 0;
	struct ip_addr client = address(w, outside ? 99 : 10), server = address(w, 50);
	uint16_t port = (uint16_t)((g->port != 0 ? g->port : 40000) + (outside ? w->nat : 0));
	bool client_lo = memcmp(&client, &server, sizeof(client)) < 0;
	struct flow_key key = {.lo = client_lo ? client : server, .hi = client_lo ? server : client,
			       .lo_port = client_lo ? port : 443, .hi_port = client_lo ? 443 : port,
			       .proto = 6, .ip_version = w->v6 ? 6 : 4};
	uint32_t len = g->len != 0 ? g->len : g->text != NULL ? (uint32_t)strlen(g->text) : 0;
	struct headers h = {.ip_version = key.ip_version, .proto = 6, .ttl = ttl, .df = true,
			    .ip_id = w->v6 ? 0 : g->ip_id, .ip_len = 40 + len, .flags = g->flags,
			    .seq = w->isn[way] + (uint32_t)g->seq, .window = 500,
			    .ack = (g->flags & TCP_ACK) != 0 ? w->isn[!way] + (uint32_t)g->ack : 0,
			    .payload = (const uint8_t *)g->text, .payload_len = len,
			    .payload_caplen = len};
	struct packet pkt = {.frame = ++w->frames[side],
			     .ts_ns = START + ms * MS + (side == SIDE_SERVER
							 ? (uint64_t)(w->clock_ms * (int64_t)MS) : 0)};

	uint8_t raw[20 + 16] = {0};
	if (g->gre) {
		memcpy(raw + 20, g->text, len);
		key.lo_port = key.hi_port = 0;
		key.proto = 47;
		h = (struct headers){.ip_version = key.ip_version, .proto = 47, .ttl = ttl, .df = true,
				     .ip_id = h.ip_id, .end = DECODE_NO_PORTS, .l3 = raw, .ip_hlen = 20,
				     .l3_caplen = 20 + len, .ip_len = 20 + len};
	}
	view_add(&w->c->view[side], &key, up == client_lo, &pkt, &h);
	return pkt.frame;
}

static uint8_t ttl_of(const struct segment *g)
{
	return g->ttl != 0 ? g->ttl : 64;
}

static uint64_t sent(struct world *w, enum compare_way way, struct segment *g, uint64_t ms)
{
	g->ip_id = g->ip_id != 0 ? g->ip_id : ++w->next_id;
	return only(w, sender_of(way), way, g, ms, ttl_of(g));
}

static uint64_t got(struct world *w, enum compare_way way, const struct segment *g, uint64_t ms)
{
	return only(w, receiver_of(way), way, g, ms, (uint8_t)(ttl_of(g) - w->hops));
}

static void through(struct world *w, enum compare_way way, struct segment g, uint64_t ms)
{
	sent(w, way, &g, ms);
	got(w, way, &g, ms + TRANSIT);
}

static void handshake(struct world *w, uint16_t port, uint64_t ms)
{
	through(w, WAY_UP, (struct segment){.port = port, .flags = TCP_SYN}, ms);
	through(w, WAY_DOWN, (struct segment){.port = port, .flags = TCP_SYN | TCP_ACK, .ack = 1},
		ms + 20);
	through(w, WAY_UP, (struct segment){.port = port, .flags = ACKED, .seq = 1, .ack = 1}, ms + 40);
}

/* A connection beside, from first to last, so that both captures run and have controls. */
static void beside(struct world *w, uint64_t from, uint64_t to)
{
	static const char *const letters = "abcdefghijklmnopqrstuvwxyz";

	if (from == 0)
		handshake(w, 39000, 0);
	for (uint64_t ms = from + 100; ms < to; ms += 50) {
		int32_t at = 1 + (int32_t)(ms / 50 * 4);
		struct segment g = {.port = 39000, .flags = PUSHED, .seq = at, .ack = at, .len = 4,
				    .text = letters + ms / 50 % 20};
		through(w, WAY_UP, g, ms);
		through(w, WAY_DOWN, g, ms + 21);
	}
}

static void world_new(struct world *w, unsigned setting)
{
	struct compare_config cfg = {.max_packets = 0};

	*w = (struct world){.isn = {settings[setting].isn, settings[setting].isn + 77777},
			    .v6 = settings[setting].v6, .hops = 11};
	assert_int_equal(comparison_new(&w->c, &cfg), 0);
}

static const struct finding *finding_of(const struct world *w, const char *id)
{
	const struct analysis *a = comparison_analysis(w->c);

	for (size_t i = 0; i < a->n_findings; i++) {
		if (strcmp(a->findings[i]->id, id) == 0)
			return a->findings[i];
	}
	return NULL;
}

static void expect(struct world *w, size_t n_findings)
{
	assert_int_equal(comparison_run(w->c), 0);
	assert_int_equal(comparison_analysis(w->c)->n_findings, n_findings);
}

static void expect_one(const struct world *w, const char *id, enum verdict verdict, uint64_t frame)
{
	const struct finding *f = finding_of(w, id);

	assert_non_null(f);
	assert_int_equal(f->verdict, verdict);
	assert_int_equal(f->n_packets, 1);
	assert_int_equal(f->packets[0], frame);
}

static uint64_t count(const struct world *w, enum compare_fate fate)
{
	return comparison_totals(w->c, WAY_UP)->fates[fate] +
	       comparison_totals(w->c, WAY_DOWN)->fates[fate];
}

static const struct segment reset = {.flags = TCP_RST | TCP_ACK, .seq = 1, .ack = 6, .ttl = 64,
				     .ip_id = 0};

/* Cases. Each gets a world of its own, and ends with what must have come of it. */

static void nothing_happens(struct world *w)
{
	beside(w, 0, 4000);
	expect(w, 0);
	assert_true(comparison_clock(w->c)->both_ways);
	assert_int_equal(comparison_clock(w->c)->rtt_ns, 2 * TRANSIT * MS);
	assert_int_equal(comparison_clock(w->c)->steps, 0);
}

static void forged_reset(struct world *w)
{
	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, (struct segment){.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, 2050);
	uint64_t frame = got(w, WAY_DOWN, &reset, 2060);
	beside(w, 2100, 4000);
	expect(w, 1);
	expect_one(w, "two-sided-reset", VERDICT_CONFIRMED, frame);
	assert_int_equal(finding_of(w, "two-sided-reset")->family, FAMILY_TCP_INJECTION);
}

static void through_a_translator(struct world *w)
{
	w->nat = 1234;
	w->clock_ms = -3600000;
	forged_reset(w);
	assert_int_equal(comparison_totals(w->c, WAY_UP)->changed[10],
			 comparison_totals(w->c, WAY_UP)->fates[FATE_SAME]);
	assert_int_equal(comparison_clock(w->c)->offset_ns, -3600000 * (int64_t)MS);
}

/* The server's own reset, only later: the one that came too soon is the forged one. */
static void forged_to_the_last_bit(struct world *w)
{
	struct segment same = reset;

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, (struct segment){.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, 2050);
	same.ip_id = 7;
	uint64_t frame = got(w, WAY_DOWN, &same, 2063);
	sent(w, WAY_DOWN, &same, 2071);
	got(w, WAY_DOWN, &same, 2091);
	beside(w, 2100, 4000);
	expect(w, 1);
	expect_one(w, "two-sided-reset", VERDICT_CONFIRMED, frame);
}

/* The connection had ended by then: a load balancer's habit. */
static void reset_when_over(struct world *w)
{
	struct segment late = reset;

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, (struct segment){.flags = TCP_FIN | TCP_ACK, .seq = 1, .ack = 1}, 2050);
	through(w, WAY_DOWN, (struct segment){.flags = TCP_FIN | TCP_ACK, .seq = 1, .ack = 2}, 2071);
	late.seq = late.ack = 2;
	uint64_t frame = got(w, WAY_DOWN, &late, 2200);
	beside(w, 2100, 4000);
	expect(w, 1);
	expect_one(w, "two-sided-reset", VERDICT_ANOMALY, frame);
}

/* One loss, and the copy arrives: a fact, and no accusation. */
static void lost_once(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, again = g;

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	uint64_t frame = sent(w, WAY_UP, &g, 2050);
	beside(w, 2000, 2250);
	/* Without an identification nothing tells the copies apart but the time that a packet takes. */
	sent(w, WAY_UP, &again, 2300);
	got(w, WAY_UP, &again, 2320);
	beside(w, 2350, 4000);
	expect(w, 1);
	expect_one(w, "two-sided-loss", VERDICT_INCONCLUSIVE, frame);
}

static void every_copy(struct world *w, unsigned copies, bool controls)
{
	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	for (unsigned i = 0; i < copies; i++) {
		struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"};
		sent(w, WAY_UP, &g, 2050 + i * 300);
		if (controls)
			beside(w, 2050 + i * 300, 2350 + i * 300);
	}
	beside(w, 2350 + copies * 300, 6000);
	assert_int_equal(comparison_run(w->c), 0);
}

static void dropped_for_good(struct world *w)
{
	every_copy(w, 5, true);
	assert_int_equal(count(w, FATE_DROPPED), 5);
	assert_int_equal(finding_of(w, "two-sided-drop")->verdict, VERDICT_LIKELY);
	assert_int_equal(finding_of(w, "two-sided-drop")->n_packets, 5);
	assert_int_equal(finding_of(w, "two-sided-drop")->family, FAMILY_SILENT_DROP);
}

/* Nothing else went through meanwhile: the link may have been down. */
static void dropped_in_an_outage(struct world *w)
{
	every_copy(w, 5, false);
	assert_int_equal(count(w, FATE_DROPPED), 5);
	assert_null(finding_of(w, "two-sided-drop"));
	assert_int_equal(finding_of(w, "two-sided-loss")->verdict, VERDICT_INCONCLUSIVE);
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

static void swapped(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "0123456789", .ip_id = 700};

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	sent(w, WAY_UP, &g, 2050);
	g.text = "8923456701";
	uint64_t frame = got(w, WAY_UP, &g, 2070);
	beside(w, 2100, 4000);
	expect(w, 1);
	expect_one(w, "two-sided-tamper-swap", VERDICT_CONFIRMED, frame);
	assert_int_equal(finding_of(w, "two-sided-tamper-swap")->compare->packets[0].frame[SIDE_CLIENT],
			 w->c->view[SIDE_CLIENT].d[w->c->view[SIDE_SERVER].d[frame - 1].peer].frame);
}

/* A ServerHello that arrives as a reset, number and identification kept. */
static void became_a_reset(struct world *w)
{
	struct segment g = {.flags = PUSHED, .seq = 1, .ack = 6, .text = "server hello", .ip_id = 600};

	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, (struct segment){.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"}, 2050);
	sent(w, WAY_DOWN, &g, 2071);
	g.flags = TCP_RST | TCP_ACK;
	g.text = NULL;
	uint64_t frame = got(w, WAY_DOWN, &g, 2091);
	beside(w, 2100, 4000);
	/* IPv6 has no identification that would make the two one. */
	expect(w, w->v6 ? 2 : 1);
	if (!w->v6)
		expect_one(w, "two-sided-rst-rewrite", VERDICT_CONFIRMED, frame);
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

#define CASES(X)                                                                                   \
	X(nothing_happens) X(forged_reset) X(through_a_translator) X(forged_to_the_last_bit)       \
	X(reset_when_over) X(lost_once) X(dropped_for_good) X(dropped_in_an_outage)                \
	X(capture_missed_it) X(capture_missed_sending) X(cut_up) X(joined) X(clock_is_set)         \
	X(begins_later) X(swapped) X(became_a_reset) X(goes_elsewhere) X(strangers)       \
	X(gre_of_a_server) X(quick_on_a_busy_path)

#define DEFINE(name)                                                                               \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		for (unsigned i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {            \
			struct world w;                                                            \
			world_new(&w, i);                                                          \
			name(&w);                                                                  \
			comparison_free(w.c);                                                      \
		}                                                                                  \
	}
CASES(DEFINE)

#define ROW(name) cmocka_unit_test(test_##name),
int main(void)
{
	const struct CMUnitTest tests[] = {CASES(ROW)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
