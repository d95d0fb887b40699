/* SPDX-License-Identifier: BSD-3-Clause */

/* Which conversations are one box's doing, and what rule is stated: made as two captures would prove them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/compare/boxes.c"
#include "tools/compare/rules.c"

#define MS UINT64_C(1000000)
#define ROOM 512

struct world {
	struct dealing list[ROOM];
	struct dealings all;
	struct path_boxes boxes;
	uint64_t now_ms;
};

static int world_new(void **state)
{
	static struct world w;
	memset(&w, 0, sizeof(w));
	w.all = (struct dealings){.list = w.list, .loss = 0.02};
	*state = &w;
	return 0;
}

static int world_end(void **state)
{
	path_boxes_free(&((struct world *)*state)->boxes);
	return 0;
}

/* A second later than the one before; passes unless told otherwise. */
static struct dealing *add(struct world *w, const char *name, uint8_t server)
{
	struct dealing *d = &w->list[w->all.n++];
	assert_true(w->all.n <= ROOM);
	w->now_ms += 1000;
	*d = (struct dealing){.link = w->all.n, .flow_id = w->all.n, .start_ns = w->now_ms * MS,
			      .last_ns = (w->now_ms + 200) * MS, .server = {.b = {203, 0, 113, server}},
			      .client = {.b = {192, 0, 2, 10}}, .client_port = 40000, .server_port = 443,
			      .proto = 6, .ip_version = 4, .kind = name != NULL ? TRIGGER_SNI : TRIGGER_NONE,
			      .name = name, .protocol = "tls", .through = 4000, .passed = true,
			      .rate_bps = 1e6};
	return d;
}

/* Its first packet with content and so many copies never arrive; `after` bytes got through before. */
static struct dealing *drop(struct world *w, const char *name, uint8_t server, uint32_t copies,
			    uint64_t after)
{
	struct dealing *d = add(w, name, server);
	d->passed = false;
	d->deeds = 1u << DEED_DROPS;
	d->weight = copies;
	d->from_ns = d->to_ns = d->start_ns + 50 * MS;
	d->last_ns = 0;
	d->through = after;
	return d;
}

static struct dealing *reset(struct world *w, const char *name, const char *mbx)
{
	struct dealing *d = drop(w, name, 10, 0, 0);
	d->deeds = 1u << DEED_RESETS;
	d->mbx = mbx;
	return d;
}

/* How many boxes there are now; what was found before is forgotten. */
static unsigned find(struct world *w)
{
	path_boxes_free(&w->boxes);
	assert_int_equal(path_boxes_find(&w->all, &w->boxes), 0);
	return w->boxes.n;
}

static struct rule rule_of(const struct world *w, unsigned box, enum rule_kind kind)
{
	const struct path_box *b = &w->boxes.list[box];
	return rule_test(&w->all, b->mine, b->n, kind);
}

static void by_name(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 3; i++) {
		add(w, "allowed.example", 10);
		drop(w, "blocked.example", 10, 4, 0);
	}
	assert_int_equal(find(w), 1);
	assert_true(w->boxes.list[0].ruled);
	assert_int_equal(w->boxes.list[0].n, 3);
	struct rule r = rule_of(w, 0, RULE_NAME);
	assert_int_equal(r.said, STUDY_OBSERVED);
	assert_int_equal(r.controls, 3);
	assert_int_equal(r.passed, 0);
	assert_int_equal(rule_of(w, 0, RULE_PROTOCOL).said, STUDY_NOT_OBSERVED);
	assert_int_equal(rule_of(w, 0, RULE_ADDRESS).said, STUDY_NOT_OBSERVED);
	assert_int_equal(rule_of(w, 0, RULE_PORT).said, STUDY_NOT_OBSERVED);
	assert_int_equal(rule_of(w, 0, RULE_VERSION).said, STUDY_NOT_TESTABLE);
}

/* Three, and the handshakes between them show that there was no outage. */
static void drops_behind_handshakes(struct world *w)
{
	for (unsigned i = 0; i < 3; i++) {
		struct dealing *d = drop(w, "blocked.example", 10, 4, 0);
		d->last_ns = d->from_ns - 10 * MS;
	}
}

/* One outage lies under all three. */
static void outage(void **state)
{
	struct world *w = *state;
	add(w, "allowed.example", 10);
	for (unsigned i = 0; i < 3; i++)
		drop(w, "blocked.example", 10, 4, 0);
	for (unsigned i = 0; i < 3; i++)
		add(w, "allowed.example", 10);
	assert_int_equal(find(w), 0);
}

static void no_outage(void **state)
{
	struct world *w = *state;
	drops_behind_handshakes(w);
	for (unsigned i = 0; i < 2; i++)
		add(w, "allowed.example", 10);
	assert_int_equal(find(w), 1);
	assert_int_equal(rule_of(w, 0, RULE_NAME).said, STUDY_OBSERVED);
}

static void same_passes(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 4; i++) {
		add(w, "blocked.example", 10);
		drop(w, "blocked.example", 10, 4, 0);
		add(w, "allowed.example", 10);
	}
	assert_int_equal(find(w), 0);
}

static void few_controls(void **state)
{
	struct world *w = *state;
	drops_behind_handshakes(w);
	add(w, "allowed.example", 10);
	assert_int_equal(find(w), 0);
}

/* What ends before the place where others were cut is no control. */
static void by_position(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 3; i++) {
		add(w, "allowed.example", 10)->through = 9000;
		drop(w, "blocked.example", 10, 4, 16000);
	}
	assert_int_equal(find(w), 0);
	for (uint32_t i = 0; i < w->all.n; i++)
		w->list[i].through = 16000;
	assert_int_equal(find(w), 1);
}

static void by_address(void **state)
{
	struct world *w = *state;
	add(w, "lab.example", 66);
	for (unsigned i = 0; i < 3; i++) {
		drop(w, NULL, 66, 4, 0)->protocol = NULL;
		add(w, "allowed.example", 10);
	}
	assert_int_equal(find(w), 1);
	assert_int_equal(rule_of(w, 0, RULE_ADDRESS).said, STUDY_OBSERVED);
	assert_int_equal(rule_of(w, 0, RULE_NAME).said, STUDY_NOT_TESTABLE);
	assert_int_equal(rule_of(w, 0, RULE_PORT).said, STUDY_NOT_TESTABLE);
}

static void by_protocol(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 3; i++) {
		struct dealing *d = drop(w, NULL, 10, 4, 100);
		d->protocol = "ssh";
		d->server_port = 22;
		add(w, "allowed.example", 10);
	}
	assert_int_equal(find(w), 1);
	assert_int_equal(rule_of(w, 0, RULE_PROTOCOL).said, STUDY_OBSERVED);
	assert_int_equal(rule_of(w, 0, RULE_PORT).said, STUDY_OBSERVED);
	/* The same protocol at another port, let through: it was the port. */
	struct dealing *d = add(w, NULL, 10);
	d->protocol = "ssh";
	d->server_port = 2222;
	assert_int_equal(find(w), 1);
	assert_int_equal(rule_of(w, 0, RULE_PROTOCOL).said, STUDY_NOT_OBSERVED);
	assert_int_equal(rule_of(w, 0, RULE_PORT).said, STUDY_OBSERVED);
}

static void high_ports(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 3; i++) {
		drop(w, "blocked.example", 10, 3, 0)->kind = TRIGGER_QUIC_SNI;
		add(w, "allowed.example", 10)->kind = TRIGGER_QUIC_SNI;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct dealing *d = add(w, "blocked.example", 10);
		d->kind = TRIGGER_QUIC_SNI;
		d->client_port = 300;
	}
	assert_int_equal(find(w), 1);
	struct rule r = rule_of(w, 0, RULE_NAME);
	assert_int_equal(r.said, STUDY_OBSERVED);
	assert_true(r.high_ports);
	/* From a high port it passed as well. */
	add(w, "blocked.example", 10)->kind = TRIGGER_QUIC_SNI;
	assert_int_equal(find(w), 0);
}

/* A window after the name takes others along; they are neither another rule nor against this one. */
static void window(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 3; i++) {
		add(w, "allowed.example", 10);
		drop(w, "blocked.example", 10, 4, 0);
		drop(w, "allowed.example", 10, 4, 0);
		drop(w, "other.example", 10, 4, 0);
		add(w, "allowed.example", 66);
	}
	add(w, "allowed.example", 10);
	assert_int_equal(find(w), 1);
	assert_int_equal(w->boxes.list[0].n, 3);
	assert_int_equal(w->boxes.list[0].n_after, 6);
}

/* Single packets lost of one name, each of which may be chance: together they are none. */
static void queries(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 3; i++) {
		drop(w, "blocked.example", 10, 1, 0);
		add(w, "allowed.example", 10);
	}
	assert_int_equal(find(w), 0); /* 2 % three times: once in 125,000, and there are many names */
	for (unsigned i = 0; i < 2; i++) {
		drop(w, "blocked.example", 10, 1, 0);
		add(w, "allowed.example", 10);
	}
	assert_int_equal(find(w), 1);
	w->all.loss = 0.15;
	assert_int_equal(find(w), 0);
}

static void throttled(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 3; i++) {
		struct dealing *d = drop(w, "blocked.example", 10, 0, 2000);
		d->deeds = 1u << DEED_THROTTLES;
		d->rate_bps = 1e5;
		add(w, "allowed.example", 10);
	}
	assert_int_equal(find(w), 1);
	assert_int_equal(rule_of(w, 0, RULE_NAME).said, STUDY_OBSERVED);
	/* Others that are as slow, or one alone: a plan's rate. */
	for (uint32_t i = 1; i < w->all.n; i += 2)
		w->list[i].rate_bps = 1.5e5;
	assert_int_equal(find(w), 0);
}

static void two_stamps(void **state)
{
	struct world *w = *state;
	static const char near[] = "mbx1_014x1_64_0_1_0_0_a0_0", far[] = "mbx1_014x1_255_0_1_0_0_a0_0";
	for (unsigned i = 0; i < 3; i++) {
		reset(w, "blocked.example", near);
		reset(w, "lab.example", far);
		add(w, "allowed.example", 10);
	}
	assert_int_equal(find(w), 2);
	for (unsigned k = 0; k < 2; k++) {
		assert_int_equal(w->boxes.list[k].n, 3);
		assert_int_equal(rule_of(w, k, RULE_NAME).said, STUDY_OBSERVED);
	}
}

/* 1 % and 3 % of loss, with retransmissions that are lost too, over hundreds of paths. */
static void loss_alone(void **state)
{
	struct world *w = *state;
	static const char *const names[] = {"a.example", "b.example", "c.example", "d.example"};
	uint32_t draw = 1;
	for (unsigned round = 0; round < 400; round++) {
		(void)world_end(state);
		(void)world_new(state);
		w->all.loss = round % 2 != 0 ? 0.03 : 0.02;
		for (unsigned i = 0; i < 200; i++) {
			uint32_t lost = 0;
			for (draw = draw * 1664525 + 1013904223; (draw >> 8) % 100 < 3 && lost < 7; lost++)
				draw = draw * 1664525 + 1013904223;
			const char *name = names[(draw >> 12) % 4];
			uint8_t server = (draw >> 16) % 2 != 0 ? 10 : 66;
			if (lost == 0)
				add(w, name, server);
			else
				drop(w, name, server, lost, (draw >> 20) % 4000);
		}
		assert_int_equal(find(w), 0);
	}
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_new, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(by_name),
		WORLD_TEST(outage),
		WORLD_TEST(no_outage),
		WORLD_TEST(same_passes),
		WORLD_TEST(few_controls),
		WORLD_TEST(by_position),
		WORLD_TEST(by_address),
		WORLD_TEST(by_protocol),
		WORLD_TEST(high_ports),
		WORLD_TEST(window),
		WORLD_TEST(queries),
		WORLD_TEST(throttled),
		WORLD_TEST(two_stamps),
		WORLD_TEST(loss_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
