/* SPDX-License-Identifier: BSD-3-Clause */

/* When fully encrypted connections are said to be dropped or replayed, and when they must not be. */

#include "tools/study/encrypted.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define SEC 1000000000ull
#define ATTEMPTS 200

struct world {
	struct analysis a;
	struct capture_result capture;
	struct attempt attempts[ATTEMPTS];
	struct flow_record flows[ATTEMPTS];
	struct finding findings[ATTEMPTS];
	struct evidence_row row;
	struct study *s;
	double at_s;
};

static void start(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->a.captures = &w->capture;
	w->a.n_captures = 1;
	w->a.attempts = w->attempts;
	w->capture.stats.last_ns = 900000 * SEC;
	w->row = (struct evidence_row){.kind = "request-dropped", .grade = GRADE_D2, .counted = true,
				       .value = "", .expected = ""};
}

/* One connection, 200 s after the one before: past any residual window. */
static struct attempt *add(struct world *w, unsigned client, bool fet, const char *found)
{
	unsigned i = (unsigned)w->a.n_attempts++;
	assert_true(i < ATTEMPTS);
	w->flows[i] = (struct flow_record){.id = 4 * (i + 1), .first_frame = i + 1};
	w->findings[i] = (struct finding){.id = found, .verdict = VERDICT_ANOMALY,
					  .family = FAMILY_SILENT_DROP, .rows = &w->row,
					  .n_rows = 1, .flow = &w->flows[i]};
	w->attempts[i] = (struct attempt){
		.flow_id = 4 * (i + 1), .start_ns = 1000 * SEC + (uint64_t)(w->at_s * 1e9),
		.client = {{[15] = (uint8_t)client}}, .server = {{[14] = 9}},
		.client_port = (uint16_t)(40000 + i), .server_port = 8388, .ip_version = 4,
		.proto = 6, .end = found != NULL ? ATTEMPT_SILENT : ATTEMPT_OK,
		.stage = STAGE_POST_PSH, .bits = ATTEMPT_HANDSHAKE | (fet ? ATTEMPT_FET : 0),
		.flow = &w->flows[i], .ja4 = "", .payload = fet ? 1000 + i : 0,
		.finding = found != NULL ? &w->findings[i] : NULL};
	w->attempts[i].request_ns = w->attempts[i].start_ns + SEC / 10;
	w->attempts[i].end_ns = w->attempts[i].start_ns + SEC;
	w->at_s += 200;
	return &w->attempts[i];
}

/* n connections of a kind, the first of them dropped. */
static void add_many(struct world *w, bool fet, unsigned n, unsigned dropped)
{
	for (unsigned i = 0; i < n; i++)
		add(w, 1, fet, i < dropped ? "request-dropped" : NULL);
}

static const struct finding *conclude(struct world *w, const char *id)
{
	assert_int_equal(study_new(&w->s, &w->a), 0);
	for (size_t i = 0; i < w->a.n_findings; i++)
		if (strcmp(w->a.findings[i]->id, id) == 0)
			return w->a.findings[i];
	return NULL;
}

static void end(struct world *w)
{
	study_free(w->s);
	free(w->a.findings);
}

/* A client that is shut out has nothing else there; of several alike the port's others are controls. */
static void other_clients_controls_are_none(void **state)
{
	static struct world w;
	(void)state;
	for (unsigned clients = 1; clients <= 3; clients++) {
		start(&w);
		for (unsigned i = 0; i < 60; i++)
			add(&w, 1 + i % clients, true, i % 2 == 0 ? "request-dropped" : NULL);
		for (unsigned i = 0; i < 40; i++)
			add(&w, 9, false, NULL);
		const struct finding *f = conclude(&w, "encrypted-dropped");
		assert_true((f != NULL) == (clients == 3));
		assert_true(f == NULL || f->n_controls != 0);
		end(&w);
	}
}

static void one_in_four_is_told(void **state)
{
	static struct world w;
	(void)state;
	start(&w);
	add_many(&w, true, 40, 11);
	add_many(&w, false, 40, 0);
	const struct finding *f = conclude(&w, "encrypted-dropped");
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	assert_int_equal(f->family, FAMILY_VPN_INTERFERENCE);
	assert_int_equal(f->rows[0].grade, GRADE_D3);
	assert_string_equal(f->trigger_value, "fet");
	assert_int_equal(f->n_flows, 11);
	assert_int_equal(f->n_controls, 40);
	end(&w);
}

static void look_alikes_are_not(void **state)
{
	static const struct {
		const char *what;
		unsigned fet, fet_dropped, other, other_dropped;
	} cases[] = {
		{"loss alone", 40, 1, 40, 1},
		{"a bad network for all", 40, 11, 40, 10},
		{"too few", 19, 10, 40, 0},
		{"too few controls", 40, 11, 19, 0},
		{"no controls", 40, 40, 0, 0},
		{"the others are dropped", 40, 0, 40, 20},
		{"nothing is dropped", 40, 0, 40, 0},
		{"worse for some, but bad for all", 40, 38, 40, 12},
		{"by chance", 20, 3, 20, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct world w;
		start(&w);
		add_many(&w, true, cases[i].fet, cases[i].fet_dropped);
		add_many(&w, false, cases[i].other, cases[i].other_dropped);
		if (conclude(&w, "encrypted-dropped") != NULL)
			fail_msg("%s", cases[i].what);
		end(&w);
	}
}

/* What fails soon after a drop is one failure, whoever asks. */
static void a_residual_window_counts_once(void **state)
{
	static struct world w;
	(void)state;
	start(&w);
	for (unsigned i = 0; i < 40; i++) {
		add(&w, 1, true, i < 11 ? "request-dropped" : NULL);
		w.at_s -= i != 0 && i < 11 ? 199 : 0;
	}
	add_many(&w, false, 40, 0);
	assert_null(conclude(&w, "encrypted-dropped"));
	end(&w);
}

static void chance_is_fishers(void **state)
{
	(void)state;
	/* The lady tasting tea: 3 and 1 against 1 and 3 is 17/70. */
	assert_float_equal(study_chance((unsigned[]){1, 3}, (unsigned[]){3, 1}), 17.0 / 70, 1e-9);
	assert_float_equal(study_chance((unsigned[]){0, 4}, (unsigned[]){4, 0}), 1.0 / 70, 1e-9);
	assert_float_equal(study_chance((unsigned[]){2, 0}, (unsigned[]){2, 4}), 1, 1e-9);
}

static void replays_are_told(void **state)
{
	static struct world w;
	(void)state;
	start(&w);
	add(&w, 1, true, NULL);
	struct attempt *first = add(&w, 1, true, NULL);
	w.at_s -= 199;
	struct attempt *again = add(&w, 77, true, NULL);
	again->payload = first->payload;
	add(&w, 78, true, NULL)->payload = first->payload;
	const struct finding *f = conclude(&w, "probe-replay");
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	assert_int_equal(f->rows[0].grade, GRADE_D4);
	assert_int_equal(f->n_flows, 3);
	end(&w);
}

static void other_repetitions_are_not(void **state)
{
	/* The same client; a NAT's other side; a day and more later; another server. */
	static const struct {
		unsigned client;
		double after_s;
		bool server;
	} cases[] = {{1, 5, false}, {77, 0.001, false}, {77, 90000, false}, {77, 5, true}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct world w;
		start(&w);
		add(&w, 1, true, NULL);
		struct attempt *first = add(&w, 1, true, NULL);
		w.at_s += cases[i].after_s - 200;
		struct attempt *again = add(&w, cases[i].client, true, NULL);
		again->payload = first->payload;
		again->server.b[14] += cases[i].server;
		assert_null(conclude(&w, "probe-replay"));
		end(&w);
	}
	/* A program that begins with the same bytes every time: less is known. */
	static struct world w;
	start(&w);
	uint64_t payload = add(&w, 1, true, NULL)->payload;
	add(&w, 2, true, NULL)->payload = payload;
	const struct finding *f = conclude(&w, "probe-replay");
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_INCONCLUSIVE);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_in_four_is_told),
		cmocka_unit_test(other_clients_controls_are_none),
		cmocka_unit_test(look_alikes_are_not),
		cmocka_unit_test(a_residual_window_counts_once),
		cmocka_unit_test(chance_is_fishers),
		cmocka_unit_test(replays_are_told),
		cmocka_unit_test(other_repetitions_are_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
