/* SPDX-License-Identifier: BSD-3-Clause */

/* When a name is said to be held to a rate that others are not, and when it must not be. */

#include "tools/study/rates.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "classifiers/tamper/rate_compare.c"

#define SEC 1000000000ull
#define BINS 100u
#define EACH 6

struct side_of {
	double bps;
	bool held;
	unsigned server, rtt_ms, n;
	const struct rate_facts *by; /* NULL: limited */
};

struct world {
	struct analysis a;
	struct capture_result captures[2]; /* the second is a control */
	struct attempt attempts[2 * EACH];
	struct flow_record flows[2 * EACH];
	struct goodput *goodput[2 * EACH];
	struct study *s;
};

static const struct rate_facts limited = {.form = RATE_POLICED};

static void add(struct world *w, const struct side_of *of, const char *name, double at_s)
{
	unsigned i = (unsigned)w->a.n_attempts++;
	struct goodput *g = calloc(1, sizeof(*g) + BINS * sizeof(g->bytes[0]));
	assert_non_null(g);
	g->start_ns = (uint64_t)((1000 + at_s) * 1e9);
	g->bin_ns = GOODPUT_BIN_NS;
	g->dir = DIR_S2C;
	g->rtt_us = of->rtt_ms * 1000;
	g->n = BINS;
	/* A third up and down, as any sender's. */
	for (unsigned k = 0; k < BINS; k++)
		g->bytes[k] = (uint32_t)(of->bps / 80 * (0.67 + 0.66 * ((k * 7 + i * 3) % 11) / 10.0));
	w->goodput[i] = g;
	w->flows[i] = (struct flow_record){.id = 4 * (i + 1), .first_frame = i + 1};
	w->attempts[i] = (struct attempt){
		.flow_id = 4 * (i + 1), .start_ns = (uint64_t)((1000 + at_s) * 1e9),
		.request_ns = 1001 * SEC, .end_ns = 1002 * SEC, .client = {{[15] = 10}},
		.server = {{[15] = (uint8_t)of->server}}, .client_port = (uint16_t)(40000 + i),
		.server_port = 443, .ip_version = 4, .proto = 6, .trigger = TRIGGER_SNI,
		.end = ATTEMPT_OK, .stage = STAGE_LATER, .bits = ATTEMPT_HANDSHAKE, .name = name,
		.flow = &w->flows[i], .goodput = g, .ja4 = "",
		.rate = !of->held ? NULL : of->by != NULL ? of->by : &limited};
}

static void start(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->a.captures = w->captures;
	w->a.n_captures = 2;
	w->captures[1].control = true;
	w->a.attempts = w->attempts;
	w->captures[0].stats.last_ns = w->captures[1].stats.last_ns = 9000 * SEC;
}

static const struct finding *study_finds(struct world *w, const char *id)
{
	assert_int_equal(study_new(&w->s, &w->a), 0);
	for (size_t i = 0; i < w->a.n_findings; i++)
		if (strcmp(w->a.findings[i]->id, id) == 0)
			return w->a.findings[i];
	return NULL;
}

/* The finding about the slow name, or NULL. */
static const struct finding *compare_sides(struct world *w, const struct side_of *slow,
					   const struct side_of *fast, double apart_s)
{
	start(w);
	for (unsigned i = 0; i < slow->n; i++)
		add(w, slow, "slow.example", 10.0 * i);
	for (unsigned i = 0; i < fast->n; i++)
		add(w, fast, i % 2 != 0 ? "fast.example" : "other.example", 10.0 * i + apart_s);
	return study_finds(w, "rate-differs");
}

/* The slow in one capture, the fast in the control, which other names are in. */
static const struct finding *compare_with_control(struct world *w, const struct side_of *slow,
						  const struct side_of *fast, double apart_s)
{
	start(w);
	for (unsigned i = 0; i < slow->n; i++)
		add(w, slow, "slow.example", 10.0 * i);
	for (unsigned i = 0; i < fast->n; i++) {
		add(w, fast, NULL, 10.0 * i + apart_s);
		w->attempts[w->a.n_attempts - 1].capture = 1;
		w->attempts[w->a.n_attempts - 1].trigger = TRIGGER_NONE;
	}
	return study_finds(w, "rate-differs-from-control");
}

static void world_end(struct world *w)
{
	study_free(w->s);
	free(w->a.findings);
	for (size_t i = 0; i < w->a.n_attempts; i++)
		free(w->goodput[i]);
}

static const struct side_of policed = {140e3 * 8, true, 1, 40, EACH};
static const struct side_of quick = {5e6, false, 1, 40, EACH};

static void a_name_held_alone_is_named(void **state)
{
	struct world w;
	(void)state;
	const struct finding *f = compare_sides(&w, &policed, &quick, 5);
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_LIKELY);
	assert_int_equal(f->family, FAMILY_THROTTLING);
	assert_int_equal(f->rows[0].grade, GRADE_D3);
	assert_string_equal(f->trigger_value, "slow.example");
	assert_string_equal(f->conditional, "yes");
	assert_int_equal(f->n_flows, EACH);
	assert_int_equal(f->n_controls, EACH);
	assert_int_equal(f->direction, DIR_S2C);
	world_end(&w);
}

static void look_alikes_are_not(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct side_of slow, fast;
		double apart_s;
	} rows[] = {
		{"a plan: all names alike", {1e6, true, 1, 40, EACH}, {1e6, true, 1, 40, EACH}, 5},
		{"a plan that others use up faster", {1e6, true, 1, 40, EACH}, {3e6, true, 1, 40, EACH}, 5},
		{"a slow server that nothing holds", {1e6, false, 1, 40, EACH}, {5e6, false, 1, 40, EACH}, 5},
		{"policed, and as fast as others", {5e6, true, 1, 40, EACH}, {5e6, false, 1, 40, EACH}, 5},
		{"policed, and faster than others", {9e6, true, 1, 40, EACH}, {5e6, false, 1, 40, EACH}, 5},
		{"too few of the name", {1e6, true, 1, 40, 4}, {5e6, false, 1, 40, EACH}, 5},
		{"too few of the others", {1e6, true, 1, 40, EACH}, {5e6, false, 1, 40, 4}, 5},
		{"too little data", {1e5, true, 1, 40, EACH}, {5e6, false, 1, 40, EACH}, 5},
		{"a longer path", {1e6, true, 1, 90, EACH}, {5e6, false, 1, 40, EACH}, 5},
		{"another hour", {1e6, true, 1, 40, EACH}, {5e6, false, 1, 40, EACH}, 3600},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world w;
		if (compare_sides(&w, &rows[i].slow, &rows[i].fast, rows[i].apart_s) != NULL)
			fail_msg("%s", rows[i].what);
		world_end(&w);
	}
}

/* Others before alone, which used up what a plan grants, or after alone; or on both sides, or amid. */
static void others_go_on_meanwhile(void **state)
{
	(void)state;
	static const struct {
		double apart_s;
		bool after;
		enum verdict verdict;
	} rows[] = {{-100, false, VERDICT_ANOMALY}, {100, false, VERDICT_ANOMALY},
		    {-100, true, VERDICT_LIKELY}, {45, false, VERDICT_LIKELY}};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world w;
		start(&w);
		for (unsigned k = 0; k < EACH; k++) {
			add(&w, &policed, "slow.example", 200 + 10.0 * k);
			bool late = rows[i].after && k % 2 != 0;
			add(&w, &quick, "fast.example", 200 + 10.0 * k + (late ? 100 : rows[i].apart_s));
		}
		const struct finding *f = study_finds(&w, "rate-differs");
		assert_non_null(f);
		assert_int_equal(f->verdict, rows[i].verdict);
		world_end(&w);
	}
}

/* Of QUIC no more is seen than the rate: a radio sends at one, too. And a name is no control of itself. */
static void a_steady_name_is_no_accusation(void **state)
{
	static const struct rate_facts steady = {.form = RATE_STEADY, .rate_bps = 128e3};
	const struct side_of slow = {140e3 * 8, true, 1, 40, EACH, &steady};
	struct world w;
	(void)state;
	for (unsigned same = 0; same < 2; same++) {
		start(&w);
		for (unsigned i = 0; i < EACH; i++) {
			add(&w, &slow, "slow.example", 10.0 * i);
			w.attempts[w.a.n_attempts - 1].proto = 17;
			w.attempts[w.a.n_attempts - 1].trigger = TRIGGER_QUIC_SNI;
			add(&w, &quick, same ? "slow.example" : "fast.example", 10.0 * i + 5);
		}
		const struct finding *f = study_finds(&w, "rate-differs");
		assert_int_equal(f != NULL, !same);
		if (f != NULL)
			assert_int_equal(f->verdict, VERDICT_INCONCLUSIVE);
		world_end(&w);
	}
	assert_null(compare_sides(&w, &slow, &slow, 5));
	world_end(&w);
	/* Given as a replay with its control, it is the user's own comparison. */
	const struct finding *f = compare_with_control(&w, &slow, &quick, 300);
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	world_end(&w);
}

static void other_servers_may_be_slow_themselves(void **state)
{
	struct side_of elsewhere = quick;
	struct world w;
	(void)state;
	elsewhere.server = 2;
	const struct finding *f = compare_sides(&w, &policed, &elsewhere, 5);
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	world_end(&w);
}

/* A plan may let so much of each connection by, or of all together while the line is idle. */
static void a_plan_with_a_burst_is_no_filter(void **state)
{
	static const struct rate_facts lets_by = {.form = RATE_POLICED, .rate_bps = 4e6,
						  .free_bytes = 400000};
	static const struct rate_facts empty = {.form = RATE_POLICED, .rate_bps = 1e5, .free_bytes = 20000};
	/* 10 s each: 5 MB of the name, 600 kB or 6 MB of the others. */
	const struct side_of name = {4e6, true, 1, 40, EACH, &lets_by};
	const struct side_of small = {4.8e5, false, 1, 40, EACH}, large = {9e6, false, 1, 40, EACH};
	const struct side_of drained = {1e6, true, 1, 40, EACH, &empty};
	struct world w;
	(void)state;
	assert_null(compare_sides(&w, &name, &small, 5));
	world_end(&w);
	assert_non_null(compare_sides(&w, &name, &large, 5));
	world_end(&w);
	/*
	 * Eight minutes later a bucket that fills at 100 kbit/s holds 6 MB; among the name's it held
	 * nothing.
	 */
	const struct finding *f = compare_sides(&w, &drained, &quick, 540);
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	world_end(&w);
	f = compare_sides(&w, &drained, &quick, 5);
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_LIKELY);
	world_end(&w);
}

/* A log begins when a connection has earned it: what came before counts, too. */
static void a_log_may_begin_late(void **state)
{
	static const uint32_t bytes[] = {0, 250000};
	static const struct side_of slow = {150e3 * 8 / 10, true, 1, 40, EACH};
	struct world w;
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		start(&w);
		for (unsigned i = 0; i < 2 * EACH; i++) {
			add(&w, i < EACH ? &slow : &quick, i < EACH ? "slow.example" : "fast.example", i);
			w.attempts[i].bytes_s2c = bytes[k];
		}
		assert_int_equal(study_finds(&w, "rate-differs") != NULL, k == 1);
		world_end(&w);
	}
}

/* The others may have come before as well as after, but no longer ago than the window. */
static void others_are_near_in_time(void **state)
{
	static const double apart_s[] = {500, -500, 700, -700};
	(void)state;
	for (unsigned i = 0; i < sizeof(apart_s) / sizeof(*apart_s); i++) {
		struct world w;
		bool found = compare_sides(&w, &policed, &quick, apart_s[i]) != NULL;
		world_end(&w);
		assert_int_equal(found, i < 2);
	}
}

static void a_control_capture_is_compared_with(void **state)
{
	struct side_of one = policed, other = quick;
	struct world w;
	(void)state;
	const struct finding *f = compare_with_control(&w, &policed, &quick, 300);
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_LIKELY);
	assert_int_equal(f->scope, SCOPE_CAPTURE);
	assert_int_equal(f->n_flows, EACH);
	assert_int_equal(f->n_controls, EACH);
	world_end(&w);
	/* One replay of each. */
	one.n = other.n = 1;
	f = compare_with_control(&w, &one, &other, 60);
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	world_end(&w);
	/* Slower, and nothing shows that something held it. */
	one = policed;
	one.held = false;
	f = compare_with_control(&w, &one, &quick, 60);
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	assert_int_equal(f->n_rows, 1);
	world_end(&w);
	/* Of another day. */
	f = compare_with_control(&w, &policed, &quick, 86400);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	world_end(&w);
}

static void control_look_alikes_are_not(void **state)
{
	static const struct {
		const char *what;
		struct side_of slow, control;
	} rows[] = {
		{"a plan: both alike", {1e6, true, 1, 40, EACH}, {1e6, true, 1, 40, EACH}},
		{"a plan that the control shows too", {1e6, true, 1, 40, EACH}, {3e6, true, 1, 40, EACH}},
		{"as fast", {5e6, false, 1, 40, EACH}, {5e6, false, 1, 40, EACH}},
		{"faster", {9e6, false, 1, 40, EACH}, {5e6, false, 1, 40, EACH}},
		{"a longer path", {1e6, true, 1, 90, EACH}, {5e6, false, 1, 40, EACH}},
		{"too little data", {1e5, true, 1, 40, EACH}, {5e6, false, 1, 40, EACH}},
		{"no control", {1e6, true, 1, 40, EACH}, {5e6, false, 1, 40, 0}},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world w;
		if (compare_with_control(&w, &rows[i].slow, &rows[i].control, 60) != NULL)
			fail_msg("%s", rows[i].what);
		world_end(&w);
	}
}

/* Tunnels have no name, but a protocol. */
static void a_protocol_held_alone_is_named(void **state)
{
	struct world w;
	(void)state;
	start(&w);
	for (unsigned i = 0; i < EACH; i++) {
		add(&w, &policed, NULL, 10.0 * i);
		w.attempts[w.a.n_attempts - 1].words = WORDS_VPN + VPN_OPENVPN;
		w.attempts[w.a.n_attempts - 1].trigger = TRIGGER_NONE;
	}
	for (unsigned i = 0; i < EACH; i++)
		add(&w, &quick, "fast.example", 10.0 * i + 5);
	const struct finding *f = study_finds(&w, "vpn-rate-differs");
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	assert_int_equal(f->family, FAMILY_VPN_INTERFERENCE);
	assert_int_equal(f->trigger, TRIGGER_PROTOCOL);
	assert_string_equal(f->trigger_value, "openvpn");
	world_end(&w);
	/* What cannot be named is compared with nothing. */
	start(&w);
	for (unsigned i = 0; i < EACH; i++) {
		add(&w, &policed, NULL, 10.0 * i);
		w.attempts[w.a.n_attempts - 1].words = WORDS_OTHER;
	}
	for (unsigned i = 0; i < EACH; i++)
		add(&w, &quick, "fast.example", 10.0 * i + 5);
	assert_null(study_finds(&w, "vpn-rate-differs"));
	world_end(&w);
}

static void sets_are_compared(void **state)
{
	double x[300], y[300], z[300];
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		x[i] = 1000 + i % 100;
		y[i] = 1000 + (i * 37) % 100;
		z[i] = 1300 + (i * 37) % 100;
	}
	struct rate_comparison same = rate_compare(x, 300, y, 300);
	assert_int_equal(same.said, RATE_SAME);
	assert_true(same.ks_p > 0.5 && same.area < 0.01 && same.area > -0.01);
	struct rate_comparison slower = rate_compare(x, 300, z, 300);
	assert_int_equal(slower.said, RATE_DIFFERENT);
	assert_true(slower.ks_p < 1e-6 && slower.ks_trust == 1);
	assert_true(slower.area > 0.2 && slower.area < 0.25);
	struct rate_comparison faster = rate_compare(z, 300, x, 300);
	assert_true(faster.said == RATE_DIFFERENT && faster.area < 0);
	/* Clearly apart, yet by too little to matter. */
	for (unsigned i = 0; i < 300; i++)
		z[i] = x[i] + 60;
	struct rate_comparison little = rate_compare(x, 300, z, 300);
	assert_int_equal(little.said, RATE_UNDECIDED);
	/* The same every time. */
	struct rate_comparison again = rate_compare(x, 300, z, 300);
	assert_int_equal(little.said, again.said);
	assert_true(little.area == again.area && little.ks_p == again.ks_p &&
		    little.ks_trust == again.ks_trust);
	assert_int_equal(rate_compare(x, 0, z, 300).said, RATE_UNDECIDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_held_alone_is_named),
		cmocka_unit_test(a_plan_with_a_burst_is_no_filter),
		cmocka_unit_test(a_log_may_begin_late),
		cmocka_unit_test(others_are_near_in_time),
		cmocka_unit_test(look_alikes_are_not),
		cmocka_unit_test(a_steady_name_is_no_accusation),
		cmocka_unit_test(other_servers_may_be_slow_themselves),
		cmocka_unit_test(others_go_on_meanwhile),
		cmocka_unit_test(a_control_capture_is_compared_with),
		cmocka_unit_test(control_look_alikes_are_not),
		cmocka_unit_test(a_protocol_held_alone_is_named),
		cmocka_unit_test(sets_are_compared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
