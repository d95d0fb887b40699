/* SPDX-License-Identifier: BSD-3-Clause */

/* What the study concludes from attempts, and what it must not. */

#include "tools/study/study.c"
#include "tools/study/boxes.h"

#include "classifiers/app/tls_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/study_build.h"

static void controls_make_a_filtered_name(void **state)
{
	(void)state;
	static const struct try list[] = {OK(1, "ok"), RST(2, "bad"), OK(3, "ok"), RST(4, "bad"),
					  OK(5, "ok"), RST(6, "bad"), OK(7, "ok"), {0}};
	struct world w;
	world_of(&w, list);
	const struct finding *f = wide(&w, "sni-filtered");
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_LIKELY);
	assert_int_equal(f->scope, SCOPE_NAME);
	assert_int_equal(f->family, FAMILY_TLS_FILTERING);
	assert_int_equal(f->n_flows, 3);
	assert_int_equal(f->n_controls, 4);
	assert_string_equal(f->trigger_value, "bad");
	assert_true(name(&w, "bad")->filtered);
	assert_false(name(&w, "ok")->filtered);
	assert_int_equal(name(&w, "bad")->control_ok, 4);
	assert_string_equal(w.findings[1].conditional, "yes");
	assert_int_equal(w.findings[1].n_controls, 4);
	world_end(&w);
}

static void silence_counts_with_controls(void **state)
{
	(void)state;
	static const struct try list[] = {OK(1, "ok"), DROP(2, "bad"), OK(8, "ok"), DROP(9, "bad"),
					  OK(15, "ok"), DROP(16, "bad"), OK(22, "ok"), {0}};
	struct world w;
	world_of(&w, list);
	assert_non_null(wide(&w, "sni-filtered"));
	assert_int_equal(wide(&w, "sni-filtered")->verdict, VERDICT_LIKELY);
	assert_int_equal(w.s->n_profiles, 1);
	assert_int_equal(w.s->profiles[0].mode, STUDY_IN_PATH);
	world_end(&w);
}

/* A path that loses large packets: with one client's long hellos no name passes, with another's each does. */
static void large_requests_need_large_controls(void **state)
{
	(void)state;
	static const struct {
		unsigned failed, passed;
		bool accused;
	} cases[] = {{1428, 280, false}, {1428, 1300, false}, {1428, 1428, true}, {700, 650, true},
		     {517, 280, true},	 {601, 280, false},   {600, 280, true}};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned failed = cases[i].failed, passed = cases[i].passed;
		struct try list[] = {LARGE_OK(1, "ok", passed), LARGE_DROP(2, "bad", failed),
				     LARGE_OK(8, "ok", passed), LARGE_DROP(9, "bad", failed),
				     LARGE_OK(15, "ok", passed), LARGE_DROP(16, "bad", failed),
				     LARGE_OK(22, "ok", passed), {0}};
		for (unsigned client = 0; client < 2; client++) {
			for (unsigned k = 0; k < 7 && client != 0; k++) {
				list[k].name = "bad";
				list[k].ja4 = k % 2 == 0 ? "t13d1" : "t13d2";
			}
			struct world w;
			world_of(&w, list);
			const struct finding *f = wide(&w, client ? "client-fingerprint-filtered"
								  : "sni-filtered");
			assert_non_null(f);
			assert_int_equal(f->verdict, cases[i].accused ? VERDICT_LIKELY : VERDICT_ANOMALY);
			assert_string_equal(f->conditional, cases[i].accused ? "yes" : "untested");
			world_end(&w);
		}
	}
}

static void two_kinds_of_failure_need_packets(void **state)
{
	(void)state;
	/* Two boxes on the path, or one with two ways: each failure is no server's doing. */
	static const struct try boxes[] = {OK(1, "ok"), RST(2, "bad"), OK(8, "ok"), DROP(9, "bad"),
					   OK(15, "ok"), RST(16, "bad"), OK(22, "ok"),
					   DROP(23, "bad"), OK(30, "ok"), {0}};
	/* A virtual host that is ill: now it resets, now it says nothing. */
	static const struct try ill[] = {
		OK(1, "ok"), WEAK(2, "bad"), OK(8, "ok"),
		{.at = 9, .name = "bad", .end = ATTEMPT_SILENT, .server = 1, .took = 5},
		OK(15, "ok"), WEAK(16, "bad"), OK(22, "ok"),
		{.at = 23, .name = "bad", .end = ATTEMPT_SILENT, .server = 1, .took = 5},
		OK(30, "ok"), {0}};
	struct world w;
	world_of(&w, boxes);
	assert_non_null(wide(&w, "sni-filtered"));
	assert_non_null(strstr(wide(&w, "sni-filtered")->sentence,
			       "were reset or left without an answer"));
	world_end(&w);
	world_of(&w, ill);
	assert_null(wide(&w, "sni-filtered"));
	world_end(&w);
}

static void without_control_no_name_is_filtered(void **state)
{
	(void)state;
	static const struct try alone[] = {RST(1, "bad"), RST(700, "bad"), RST(1400, "bad"), {0}};
	/* Everything there fails: the address, or the server. */
	static const struct try all[] = {RST(1, "bad"), RST(2, "other"), RST(700, "bad"),
					 RST(701, "other"), RST(1400, "bad"), RST(1401, "other"), {0}};
	/* Controls at another address prove nothing. */
	static const struct try elsewhere[] = {
		{.at = 1, .name = "ok", .end = ATTEMPT_OK, .server = 2}, RST(2, "bad"),
		{.at = 3, .name = "ok", .end = ATTEMPT_OK, .server = 2}, RST(700, "bad"),
		{.at = 702, .name = "ok", .end = ATTEMPT_OK, .server = 2}, RST(1400, "bad"), {0}};
	/* One of two controls fails: a shaky server. */
	static const struct try shaky[] = {OK(1, "ok"), RST(2, "bad"), RST(3, "mixed"), RST(4, "bad"),
					   OK(5, "mixed"), RST(6, "mixed"), OK(7, "mixed"),
					   RST(8, "bad"), RST(9, "mixed"), OK(10, "ok"), {0}};
	static const struct try *const cases[] = {alone, all, elsewhere, shaky};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world w;
		world_of(&w, cases[i]);
		assert_null(wide(&w, "sni-filtered"));
		if (cases[i] == all)
			assert_string_equal(w.findings[0].conditional, "no");
		world_end(&w);
	}
}

static void a_server_may_refuse_a_name(void **state)
{
	(void)state;
	static const struct try list[] = {OK(1, "ok"), WEAK(2, "bad"), OK(3, "ok"), WEAK(4, "bad"),
					  OK(5, "ok"), WEAK(6, "bad"), OK(7, "ok"), {0}};
	struct world w;
	world_of(&w, list);
	assert_non_null(wide(&w, "sni-filtered"));
	assert_int_equal(wide(&w, "sni-filtered")->verdict, VERDICT_ANOMALY);
	assert_false(name(&w, "bad")->filtered);
	for (unsigned i = 0; i < w.s->n_profiles; i++)
		assert_int_equal(w.s->profiles[i].verdict, VERDICT_ANOMALY);
	world_end(&w);
}

/* A site in two networks, and nothing else was tried there: resets of others, or silence. */
static void two_unrelated_networks_are_no_control(void **state)
{
	(void)state;
	static const struct try far[] = {
		RST(1, "bad"), RST(700, "bad"),
		{.at = 1400, .name = "bad", .end = ATTEMPT_RESET, .server = 0x0101,
		 .found = "rst-sub-rtt", .grade = GRADE_D3, .verdict = VERDICT_LIKELY},
		{0}};
	static const struct try near[] = {
		RST(1, "bad"), RST(700, "bad"),
		{.at = 1400, .name = "bad", .end = ATTEMPT_RESET, .server = 0x0002,
		 .found = "rst-sub-rtt", .grade = GRADE_D3, .verdict = VERDICT_LIKELY},
		{0}};
	static const struct try silent[] = {
		DROP(1, "bad"), DROP(700, "bad"),
		{.at = 1400, .name = "bad", .end = ATTEMPT_SILENT, .server = 0x0101, .took = 5,
		 .found = "request-dropped", .grade = GRADE_D3, .verdict = VERDICT_LIKELY},
		{.at = 1410, .name = "ok", .end = ATTEMPT_OK, .server = 2}, {0}};
	static const struct try *const cases[] = {far, silent};
	struct world w;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		world_of(&w, cases[i]);
		const struct finding *f = wide(&w, "sni-filtered");
		assert_non_null(f);
		assert_int_equal(f->verdict, VERDICT_ANOMALY);
		assert_string_equal(f->conditional, "untested");
		assert_int_equal(f->n_controls, 0);
		assert_false(name(&w, "bad")->filtered);
		assert_string_equal(w.findings[0].conditional, "untested");
		world_end(&w);
	}
	world_of(&w, near);
	assert_null(wide(&w, "sni-filtered"));
	world_end(&w);
}

static void one_connection_in_three_captures_is_one_try(void **state)
{
	(void)state;
	struct try list[] = {OK(1, "ok"), RST(2, "bad"), OK(3, "ok"), OK(1.001, "ok"),
			     RST(2.001, "bad"), OK(3.001, "ok"), RST(2.002, "bad"), {0}};
	for (unsigned i = 3; i < 7; i++) {
		list[i].capture = i < 6 ? 1 : 2;
		list[i].source = i < 6 ? 40000 + i - 3 : 40001;
	}
	struct world w;
	world_of(&w, list);
	assert_int_equal(name(&w, "bad")->failed, 1);
	assert_int_equal(name(&w, "ok")->ok, 2);
	assert_null(wide(&w, "sni-filtered"));
	world_end(&w);
}

static void a_burst_of_tries_is_one(void **state)
{
	(void)state;
	/* A browser's parallel connections, and tries with nothing passing after them. */
	static const struct try parallel[] = {OK(1, "ok"), RST(2, "bad"), RST(2.001, "bad"),
					      RST(2.002, "bad"), OK(3, "ok"), {0}};
	static const struct try blocked[] = {OK(1, "ok"), OK(1.5, "ok"), RST(2, "bad"), RST(3, "bad"),
					     RST(4, "bad"), {0}};
	struct world w;
	world_of(&w, parallel);
	assert_int_equal(name(&w, "bad")->failed, 1);
	assert_int_equal(name(&w, "bad")->dependent, 2);
	world_end(&w);
	world_of(&w, blocked);
	assert_int_equal(name(&w, "bad")->failed, 1);
	world_end(&w);
}

static void residual_windows_are_bounded(void **state)
{
	(void)state;
	static const struct try list[] = {
		OK(1, "ok"), RST(10, "bad"), DEAD(15), DEAD(25), DEAD(38), OK(41, "ok"),
		OK(50, "ok"), RST(100, "bad"), DEAD(110), DEAD(128), OK(131, "ok"), {0}};
	struct world w;
	world_of(&w, list);
	const struct finding *f = wide(&w, "residual-3-tuple");
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_LIKELY);
	assert_int_equal(f->scope, SCOPE_PAIR);
	assert_int_equal(f->rows[0].grade, GRADE_D3);
	assert_non_null(strstr(f->sentence, "between 28.0 and 31.0 s"));
	assert_int_equal(w.s->n_profiles, 1);
	assert_true(w.s->profiles[0].residual_s[1] > 30 && w.s->profiles[0].residual_s[1] < 32);
	world_end(&w);
}

static void one_source_port_alone(void **state)
{
	(void)state;
	struct try list[] = {OK(1, "ok"), RST(10, "bad"), DEAD(15), OK(16, "ok"), DEAD(25), OK(26, "ok"),
			     DEAD(30), OK(41, "ok"), {0}};
	list[1].source = list[2].source = list[4].source = list[6].source = list[7].source = 50000;
	struct world w;
	world_of(&w, list);
	assert_non_null(wide(&w, "residual-4-tuple"));
	assert_null(wide(&w, "residual-3-tuple"));
	world_end(&w);
}

static void an_outage_is_no_residual_window(void **state)
{
	(void)state;
	/* It went down by itself, twice; the second time nobody had asked for anything. */
	static const struct try outage[] = {OK(1, "ok"), DROP(10, "other"), DEAD(15), DEAD(38),
					    OK(41, "ok"), DEAD(100), DEAD(120), OK(131, "ok"), {0}};
	/* A server shuts out who asked too often: what began it passes at other times. */
	static const struct try ban[] = {OK(1, "ok"), OK(5, "page"), DROP(10, "page"), DEAD(15),
					 DEAD(38), OK(41, "ok"), OK(42, "page"), DROP(100, "page"),
					 DEAD(110), DEAD(128), OK(131, "ok"), {0}};
	struct world w;
	world_of(&w, outage);
	for (size_t i = 0; i < w.a.n_findings; i++)
		assert_true(w.a.findings[i]->verdict < VERDICT_LIKELY);
	world_end(&w);
	world_of(&w, ban);
	assert_null(wide(&w, "residual-3-tuple"));
	assert_null(wide(&w, "sni-filtered"));
	world_end(&w);
}

static struct try with(struct try t, unsigned bits, const char *ja4)
{
	t.bits = bits;
	t.ja4 = ja4;
	return t;
}

static void features_divide(void **state)
{
	(void)state;
	const struct try ok = OK(0, "n"), bad = DROP(0, "n"), ok2 = OK(0, "other");
	struct try list[16];
	struct world w;
	static const struct {
		const char *id;
		unsigned fails, passes;
		const char *ja4_fails, *ja4_passes;
	} cases[] = {
		{"ech-filtered", ATTEMPT_ECH, 0, NULL, NULL},
		{"hello-split-passes", 0, ATTEMPT_SEGMENTED, NULL, NULL},
		{"hello-split-passes", 0, ATTEMPT_RECORDS, NULL, NULL},
		{"client-fingerprint-filtered", 0, 0, "t13d1", "t13d2"},
		{"esni-filtered", ATTEMPT_ESNI, 0, NULL, NULL},
	};
	for (unsigned c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		memset(list, 0, sizeof(list));
		for (unsigned i = 0; i < 12; i++) {
			list[i] = i % 3 == 0   ? with(bad, cases[c].fails, cases[c].ja4_fails)
				  : i % 3 == 1 ? with(ok, cases[c].passes, cases[c].ja4_passes)
					       : with(ok2, cases[c].fails & ATTEMPT_ECH, NULL);
			list[i].at = 1 + 10 * i;
		}
		world_of(&w, list);
		const struct finding *f = wide(&w, cases[c].id);
		if (f == NULL)
			print_message("case %u: %s\n", c, cases[c].id);
		assert_non_null(f);
		assert_int_equal(f->verdict, VERDICT_LIKELY);
		assert_int_equal(f->family, FAMILY_TLS_FILTERING);
		world_end(&w);
		/* Mixed outcomes say nothing. */
		list[0].end = ATTEMPT_OK;
		list[0].found = NULL;
		list[3].end = ATTEMPT_OK;
		list[3].found = NULL;
		world_of(&w, list);
		assert_null(wide(&w, cases[c].id));
		world_end(&w);
	}
}

static void certificates_of_two_authorities(void **state)
{
	(void)state;
	static const struct tls_server site = {
		.has_certificate = true, .cipher = 0xc02f, .issuer = "CN=a"};
	static const struct tls_server ecdsa = {
		.has_certificate = true, .cipher = 0xc02b, .issuer = "CN=b"};
	static const struct tls_server proxy = {
		.has_certificate = true, .cipher = 0xc02f, .issuer = "CN=box"};
	struct try list[] = {OK(1, "n"), OK(2, "other"), OK(3, "n"), OK(4, "other"), OK(5, "other"), {0}};
	struct world w;
	for (unsigned i = 0; i < 5; i++) {
		list[i].cert = &site;
		list[i].ttl = 53;
	}
	world_of(&w, list);
	assert_null(wide(&w, "certificate-of-two-authorities"));
	world_end(&w);
	/* A site's second certificate, for other keys, from the same machine. */
	list[2].cert = &ecdsa;
	world_of(&w, list);
	assert_int_equal(wide(&w, "certificate-of-two-authorities")->verdict, VERDICT_INCONCLUSIVE);
	world_end(&w);
	/* Another machine shows another authority's, for one name of several. */
	list[2].cert = &proxy;
	list[2].ttl = 64;
	world_of(&w, list);
	const struct finding *f = wide(&w, "certificate-of-two-authorities");
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	assert_int_equal(f->family, FAMILY_TLS_INTERCEPTION);
	assert_string_equal(f->conditional, "yes");
	world_end(&w);
	/* For every name: somebody's own proxy. */
	list[3].cert = &proxy;
	list[3].ttl = 64;
	world_of(&w, list);
	assert_int_equal(wide(&w, "certificate-of-two-authorities")->verdict, VERDICT_INCONCLUSIVE);
	world_end(&w);
}

static void boxes_are_told_by_their_stamps(void **state)
{
	(void)state;
	struct try list[] = {OK(1, "ok"), RST(2, "a"), OK(3, "ok"), RST(4, "b"), OK(5, "ok"),
			     RST(6, "c"), OK(7, "ok"), {0}};
	struct world w;
	list[3].mbx = "mbx1_014x1_64_0_1_0_0_n_0";    /* the same stamp, other flags */
	list[5].mbx = "mbx1_014x3_255_+_1_+_0_a_0";   /* another box */
	world_of(&w, list);
	assert_int_equal(w.s->n_profiles, 2);
	assert_int_equal(w.s->profiles[0].n_findings, 2);
	assert_int_equal(w.s->profiles[0].n_triggers, 3);
	assert_int_equal(w.s->profiles[1].n_findings, 1);
	assert_int_equal(w.s->profiles[0].n_reactions, 2);
	world_end(&w);
}

/* Whoever forges may stamp each packet otherwise: what has no box of its own is counted. */
static void boxes_are_bounded(void **state)
{
	enum { N = STUDY_BOXES_MAX + 40 };
	static char mbx[N][48];
	static struct finding f[N];
	static struct injector by[N];
	static struct finding *list[N];
	static struct flow_record flow;
	struct analysis a = {.findings = list, .n_findings = N};
	struct boxes b;
	(void)state;
	for (unsigned i = 0; i < N; i++) {
		snprintf(mbx[i], sizeof(mbx[i]), "mbx1_014x1_64_%u_1_0_0_n_0", i % (N - 2) + 2);
		by[i] = (struct injector){.mbx = mbx[i]};
		f[i] = (struct finding){.flow = &flow, .family = FAMILY_TCP_INJECTION,
					.verdict = VERDICT_LIKELY, .conditional = "untested",
					.injectors = &by[i], .n_injectors = 1};
		list[i] = &f[i];
	}
	assert_int_equal(boxes_find(&b, &a), 0);
	assert_int_equal(b.n, STUDY_BOXES_MAX);
	assert_int_equal(b.unplaced, N - 2 - STUDY_BOXES_MAX); /* the last two are of known boxes */
	assert_int_equal(b.list[0].n, 2);
	assert_int_equal(b.list[2].n, 1);
	boxes_free(&b);
}

/* One reset each, with this TTL; 0 ends. The distances of the boxes found, -1 unknown. */
static unsigned boxes_of_ttls(const uint8_t ttl[], int hops[])
{
	static char mbx[16][48];
	static struct finding f[16];
	static struct injector by[16];
	static struct ladder_packet ladder[16][2];
	static struct finding *list[16];
	static struct flow_record flow;
	static uint64_t frame;
	static uint32_t file;
	struct analysis a = {.findings = list};
	struct boxes b;
	for (unsigned i = 0; ttl[i] != 0; i++) {
		unsigned first = ttl[i] <= 64 ? 64 : ttl[i] <= 128 ? 128 : 255;
		snprintf(mbx[i], sizeof(mbx[i]), "mbx1_014x3_%u_+_1_rnd_0_a_0", first);
		by[i] = (struct injector){.mbx = mbx[i], .packets = &frame,
					  .packet_files = &file, .n_packets = 1};
		/* The first file's frame of that number; there is one of the second file, too. */
		ladder[i][0] = (struct ladder_packet){.dir = DIR_C2S, .file = 1, .ttl = 32};
		ladder[i][1] = (struct ladder_packet){.forged = true, .dir = DIR_S2C, .ttl = ttl[i]};
		f[i] = (struct finding){.flow = &flow, .family = FAMILY_TCP_INJECTION, .ts_ns = i + 1,
					.verdict = VERDICT_LIKELY, .conditional = "untested",
					.injectors = &by[i], .n_injectors = 1,
					.ladder = ladder[i], .n_ladder = 2};
		list[i] = &f[i];
		a.n_findings = i + 1;
	}
	assert_int_equal(boxes_find(&b, &a), 0);
	size_t n = 0;
	for (unsigned k = 0; k < b.n; k++) {
		hops[k] = b.list[k].hops;
		n += b.list[k].n;
		for (size_t i = 1; i < b.list[k].n; i++)
			assert_true(b.list[k].findings[i - 1]->ts_ns < b.list[k].findings[i]->ts_ns);
	}
	assert_int_equal(n, a.n_findings);
	unsigned boxes = b.n;
	boxes_free(&b);
	return boxes;
}

/* Wu et al., IEEE S&P 2025, table 4: a TTL of their own each. */
static void made_up_ttls_are_one_box(void **state)
{
	int hops[16];
	(void)state;
	assert_int_equal(boxes_of_ttls((const uint8_t[]){131, 107, 174, 224, 90, 55, 240, 0}, hops), 1);
	assert_int_equal(hops[0], -1);
	/* Boxes at distances that paths have, or met there again and again: no TTL is made up. */
	assert_int_equal(boxes_of_ttls((const uint8_t[]){60, 55, 50, 45, 0}, hops), 4);
	assert_int_equal(hops[3], 19);
	assert_int_equal(boxes_of_ttls((const uint8_t[]){60, 70, 60, 70, 60, 70, 200, 0}, hops), 3);
	/* A distance that no path has is none. */
	assert_int_equal(hops[0], 4);
	assert_int_equal(hops[1], -1);
	assert_int_equal(boxes_of_ttls((const uint8_t[]){60, 70, 0}, hops), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_up_ttls_are_one_box),
		cmocka_unit_test(controls_make_a_filtered_name),
		cmocka_unit_test(silence_counts_with_controls),
		cmocka_unit_test(large_requests_need_large_controls),
		cmocka_unit_test(two_kinds_of_failure_need_packets),
		cmocka_unit_test(without_control_no_name_is_filtered),
		cmocka_unit_test(a_server_may_refuse_a_name),
		cmocka_unit_test(two_unrelated_networks_are_no_control),
		cmocka_unit_test(one_connection_in_three_captures_is_one_try),
		cmocka_unit_test(a_burst_of_tries_is_one),
		cmocka_unit_test(residual_windows_are_bounded),
		cmocka_unit_test(one_source_port_alone),
		cmocka_unit_test(an_outage_is_no_residual_window),
		cmocka_unit_test(features_divide),
		cmocka_unit_test(certificates_of_two_authorities),
		cmocka_unit_test(boxes_are_told_by_their_stamps),
		cmocka_unit_test(boxes_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
