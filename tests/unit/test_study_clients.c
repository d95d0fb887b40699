/* SPDX-License-Identifier: BSD-3-Clause */

/* Tries of several clients: whose controls are controls, and what is seen on both sides of a translator. */

#include "tools/study/study.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/study_build.h"

static struct try with_client(struct try t, unsigned client)
{
	t.client = client;
	return t;
}

static void nothing_likely(const struct world *w)
{
	for (size_t i = 0; i < w->a.n_findings; i++)
		if (w->a.findings[i]->scope != SCOPE_FLOW)
			assert_true(w->a.findings[i]->verdict < VERDICT_LIKELY);
	for (size_t i = 0; i < w->s->n_names; i++)
		assert_false(w->s->names[i].filtered);
}

/* A client that is shut out, or whose way is broken: that others reach other names says nothing of it. */
static void other_clients_controls_are_none(void **state)
{
	(void)state;
	struct try list[16] = {{0}};
	for (unsigned i = 0; i < 12; i++) {
		const struct try bad = DROP(1 + 250 * i, "bad"), ok = OK(1 + 250 * i, "ok");
		list[i] = i % 3 == 0 ? bad : with_client(ok, 20 + i % 3);
	}
	struct world w;
	world_of(&w, list);
	assert_int_equal(name(&w, "bad")->failed, 4);
	assert_null(wide(&w, "sni-filtered"));
	nothing_likely(&w);
	world_end(&w);
	/* Two such clients are no better. */
	list[0].client = list[6].client = 30;
	world_of(&w, list);
	nothing_likely(&w);
	world_end(&w);
	list[0].client = list[6].client = 0;
	/* One of them reached the name itself too. */
	list[1].name = list[4].name = "bad";
	world_of(&w, list);
	nothing_likely(&w);
	world_end(&w);
	/* The same with controls of its own is a name that is filtered. */
	for (unsigned i = 1; i < 12; i += 3)
		list[i] = (struct try)OK(1 + 250 * i, "ok");
	world_of(&w, list);
	assert_int_equal(wide(&w, "sni-filtered")->verdict, VERDICT_LIKELY);
	assert_int_equal(name(&w, "bad")->control_ok, 4);
	world_end(&w);
}

/* Clients that reach nothing, whatever they ask for: each is a witness of its own way alone. */
static void lost_clients_are_no_witnesses(void **state)
{
	(void)state;
	struct try list[24] = {{0}};
	for (unsigned i = 0; i < 20; i++) {
		const struct try bad = DROP(1 + 250 * i, i % 5 == 4 ? "other" : "bad");
		const struct try ok = OK(1 + 250 * i, "ok");
		list[i] = i % 2 == 0 ? with_client(bad, 20 + i % 3) : with_client(ok, 40 + i);
	}
	struct world w;
	world_of(&w, list);
	nothing_likely(&w);
	world_end(&w);
	/* Those that ask for this name alone may be. */
	for (unsigned i = 0; i < 20; i += 2)
		list[i].name = "bad";
	world_of(&w, list);
	assert_int_equal(wide(&w, "sni-filtered")->verdict, VERDICT_LIKELY);
	world_end(&w);
}

/* A client of two addresses, as of IPv4 and IPv6, fails with each, and with each reaches others. */
static void two_clients_with_controls_are_added_up(void **state)
{
	(void)state;
	struct try list[16] = {{0}};
	for (unsigned i = 0; i < 12; i++) {
		const struct try bad = DROP(1 + 20 * i, "bad"), ok = OK(1 + 20 * i, "ok");
		list[i] = with_client(i % 3 == 0 ? bad : ok, i < 6 ? 10 : 20);
	}
	struct world w;
	world_of(&w, list);
	assert_int_equal(wide(&w, "sni-filtered")->verdict, VERDICT_LIKELY);
	assert_int_equal(name(&w, "bad")->control_ok, 8);
	world_end(&w);
	/* One of them reaches nothing: the other failed twice. */
	for (unsigned i = 6; i < 12; i++)
		if (list[i].end == ATTEMPT_OK)
			list[i].client = 10;
	world_of(&w, list);
	nothing_likely(&w);
	world_end(&w);
}

/* What fails for several clients is no matter of one of them, if enough others show how a client fares. */
static void several_clients_share_controls(void **state)
{
	(void)state;
	static const struct {
		unsigned failed, passed;
		bool forged, filtered;
	} cases[] = {{3, 2, false, false}, {3, 6, false, false},
		     {4, 4, false, false}, {3, 7, false, true}, {5, 5, false, true},
		     {4, 12, false, true}, {3, 2, true, true}};
	for (unsigned c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct try list[TRIES_MAX] = {{0}};
		unsigned n = cases[c].failed + cases[c].passed;
		for (unsigned i = 0; i < n; i++) {
			const double at = 1 + 250 * i;
			const struct try drop = DROP(at, "bad"), rst = RST(at, "bad"), ok = OK(at, "ok");
			const struct try bad = cases[c].forged ? rst : drop;
			list[i] = with_client(i < cases[c].failed ? bad : ok, 20 + i);
		}
		struct world w;
		world_of(&w, list);
		const struct finding *f = wide(&w, "sni-filtered");
		assert_non_null(f);
		assert_int_equal(f->verdict, cases[c].filtered ? VERDICT_LIKELY : VERDICT_ANOMALY);
		assert_string_equal(f->conditional, cases[c].filtered ? "yes" : "untested");
		world_end(&w);
	}
}

/* Clients with broken ways under other names as well: that is how clients fare there. */
static void broken_clients_of_other_names_count(void **state)
{
	(void)state;
	struct try list[TRIES_MAX] = {{0}};
	for (unsigned i = 0; i < 18; i++) {
		const struct try bad = DROP(1 + 250 * i, "bad"), ok = OK(1 + 250 * i, "ok");
		list[i] = with_client(i < 3 ? bad : ok, 20 + i);
	}
	struct world w;
	world_of(&w, list);
	assert_int_equal(wide(&w, "sni-filtered")->verdict, VERDICT_LIKELY);
	world_end(&w);
	static const char *const other[] = {"a", "b", "c", "d"};
	for (unsigned i = 0; i < 4; i++) {
		const struct try bad = DROP(1 + 250 * (3 + i), other[i]);
		list[3 + i] = with_client(bad, 23 + i);
	}
	world_of(&w, list);
	nothing_likely(&w);
	world_end(&w);
	/* Three of the tries have controls of their clients' own. */
	for (unsigned i = 0; i < 3; i++)
		list[15 + i].client = list[i].client;
	world_of(&w, list);
	assert_int_equal(wide(&w, "sni-filtered")->verdict, VERDICT_LIKELY);
	world_end(&w);
}

/* A capture from where nothing is filtered beside the one in question, or a tunnel beside the open way. */
static void a_name_may_pass_for_others(void **state)
{
	(void)state;
	struct try list[32] = {{0}};
	for (unsigned i = 0; i < 20; i++) {
		const struct try bad = DROP(1 + 20 * i, i % 5 == 0 ? "bad" : "worse");
		const struct try pass = OK(1 + 20 * i, i % 5 == 2 ? "bad" : "worse");
		const struct try ok = OK(1 + 20 * i, "ok");
		list[i] = i % 5 < 2 ? bad : i % 5 < 4 ? with_client(pass, 20) : ok;
	}
	struct world w;
	world_of(&w, list);
	const struct finding *f = wide(&w, "sni-filtered");
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_LIKELY);
	assert_string_equal(f->conditional, "yes");
	assert_int_equal(f->n_flows, 4);
	assert_int_equal(f->n_controls, 4);
	assert_non_null(strstr(f->sentence, "4 of 4 tries"));
	assert_non_null(strstr(f->sentence, "those of other clients passed"));
	assert_true(name(&w, "bad")->filtered);
	assert_true(name(&w, "worse")->filtered);
	assert_false(name(&w, "ok")->filtered);
	world_end(&w);
	/* Two failures of it are no more than that, however many clients there are. */
	for (unsigned i = 10; i < 20; i++)
		if (list[i].end == ATTEMPT_SILENT)
			list[i] = with_client((struct try)OK(1 + 20 * i, "ok"), 30);
	world_of(&w, list);
	assert_null(wide(&w, "sni-filtered"));
	nothing_likely(&w);
	world_end(&w);
}

/* A capture on all interfaces of a host that translates addresses has each connection twice. */
static void both_sides_of_a_translator_are_one(void **state)
{
	(void)state;
	struct try list[32] = {{0}};
	for (unsigned i = 0; i < 16; i += 2) {
		const struct try bad = DROP(1 + 40 * i, "bad"), ok = OK(1 + 40 * i, "ok");
		list[i] = i % 4 == 0 ? bad : ok;
		list[i + 1] = with_client(list[i], 99);
		list[i + 1].at += 0.0002;
		list[i + 1].source = 1024 + i;
	}
	struct world w;
	world_of(&w, list);
	assert_int_equal(name(&w, "bad")->failed, 4);
	assert_int_equal(name(&w, "ok")->ok, 4);
	assert_int_equal(name(&w, "bad")->control_ok, 4);
	assert_int_equal(wide(&w, "sni-filtered")->n_flows, 4);
	/* One connection each for who counts them. */
	assert_int_equal(w.s->n_twins, 8);
	for (unsigned i = 0; i < 16; i += 2)
		assert_int_equal(study_is_twin(w.s, w.attempts[i].flow_id) +
					 study_is_twin(w.s, w.attempts[i + 1].flow_id), 1);
	world_end(&w);
	/* Two clients that ask for one name a while apart are two. */
	for (unsigned i = 1; i < 16; i += 2)
		list[i].at += 0.02;
	world_of(&w, list);
	assert_int_equal(name(&w, "ok")->ok, 8);
	assert_int_equal(w.s->n_twins, 0);
	world_end(&w);
}

/* The captures of a client and of a server behind a translator that keeps ports, of other clocks. */
static void a_translator_may_lie_between_captures(void **state)
{
	(void)state;
	struct try list[32] = {{0}};
	for (unsigned i = 0; i < 8; i++) {
		const struct try bad = DROP(1 + 40 * i, "bad"), ok = OK(1 + 40 * i, "ok");
		list[i] = i % 2 == 0 ? bad : ok;
		list[i].source = 40000 + i;
		list[8 + i] = with_client(list[i], 99);
		list[8 + i].capture = 1;
		list[8 + i].at -= 0.7;
	}
	struct world w;
	world_of(&w, list);
	assert_int_equal(name(&w, "bad")->failed, 4);
	assert_int_equal(name(&w, "ok")->ok, 4);
	assert_int_equal(wide(&w, "sni-filtered")->verdict, VERDICT_LIKELY);
	assert_int_equal(wide(&w, "sni-filtered")->n_controls, 4);
	world_end(&w);
	/* Other ports: other connections, as far as anybody knows. */
	for (unsigned i = 8; i < 16; i++)
		list[i].source += 1000;
	world_of(&w, list);
	assert_int_equal(name(&w, "ok")->ok, 8);
	world_end(&w);
}

/* The same of a host that hands connections on to a server of its own, as those of containers do. */
static void both_sides_of_a_forwarded_port_are_one(void **state)
{
	(void)state;
	struct try list[32] = {{0}};
	for (unsigned i = 0; i < 16; i += 2) {
		const struct try bad = RST(1 + 40 * i, "bad"), ok = OK(1 + 40 * i, "ok");
		list[i] = i % 4 == 0 ? bad : ok;
		list[i].source = 41000 + i;
		list[i + 1] = list[i];
		list[i + 1].server = 2;
		list[i + 1].at += 0.0002;
	}
	struct world w;
	world_of(&w, list);
	assert_int_equal(wide(&w, "sni-filtered")->n_flows, 4);
	assert_int_equal(wide(&w, "sni-filtered")->n_controls, 4);
	world_end(&w);
	/* Of other ports they are two connections that a browser opened at once. */
	for (unsigned i = 1; i < 16; i += 2)
		list[i].source += 1;
	world_of(&w, list);
	assert_int_equal(wide(&w, "sni-filtered")->n_flows, 8);
	world_end(&w);
}

/* What an earlier trigger explains is not what the box acts on. */
static void residual_failures_are_no_triggers(void **state)
{
	(void)state;
	const struct try list[] = {OK(1, "ok"),	      OK(2, "ok"),   RST(10, "bad"), RST(20, "ok"),
				   RST(60, "ok"),     OK(300, "ok"), RST(400, "bad"), RST(420, "ok"),
				   OK(700, "ok"),     RST(800, "bad"), OK(1100, "ok"), {0}};
	struct world w;
	world_of(&w, list);
	assert_int_equal(w.s->n_profiles, 1);
	const struct study_profile *p = &w.s->profiles[0];
	assert_int_equal(p->n_triggers, 2);
	assert_string_equal(p->triggers[0].name, "bad");
	assert_int_equal(p->triggers[0].acted, 3);
	assert_string_equal(p->triggers[1].name, "ok");
	assert_int_equal(p->triggers[1].acted, 0);
	assert_int_equal(p->triggers[1].passed, 5);
	world_end(&w);
	/* Seen on both sides of a translator they are as many. */
	struct try twice[24] = {{0}};
	for (unsigned i = 0; i < 11; i++) {
		twice[2 * i] = list[i];
		twice[2 * i + 1] = with_client(list[i], 99);
		twice[2 * i + 1].at += 0.0002;
	}
	world_of(&w, twice);
	assert_int_equal(w.s->profiles[0].triggers[0].acted, 3);
	assert_int_equal(w.s->profiles[0].triggers[1].acted, 0);
	world_end(&w);
}

/* Two failures of two kinds, and two hellos in pieces that passed: that is chance, once in six. */
static void a_split_hello_takes_tries(void **state)
{
	(void)state;
	struct try list[] = {
		{.at = 1, .name = "n", .end = ATTEMPT_SILENT, .server = 1, .took = 5,
		 .found = "psh-timeout", .grade = GRADE_D1, .verdict = VERDICT_INCONCLUSIVE},
		OK(300, "n"), WEAK(700, "n"), OK(1000, "n"), OK(1001, "other"), {0}};
	list[1].bits = list[3].bits = ATTEMPT_SEGMENTED;
	struct world w;
	world_of(&w, list);
	assert_null(wide(&w, "hello-split-passes"));
	nothing_likely(&w);
	world_end(&w);
	/* Silence that only says that nothing came is not somebody else's doing, however often. */
	struct try often[16] = {{0}};
	for (unsigned i = 0; i < 8; i++) {
		often[i] = i % 2 == 0 ? list[0] : list[1];
		often[i].at = 1 + 300 * i;
	}
	world_of(&w, often);
	nothing_likely(&w);
	world_end(&w);
}

/* Two clients with a browser each, one of them shut out: what differs is not the browser alone. */
static void another_client_is_no_other_fingerprint(void **state)
{
	(void)state;
	static const struct {
		const char *id;
		unsigned bits;
	} cases[] = {{"client-fingerprint-filtered", 0}, {"hello-split-passes", ATTEMPT_SEGMENTED}};
	for (unsigned c = 0; c < 2; c++) {
		struct try list[16] = {{0}};
		for (unsigned i = 0; i < 8; i++) {
			const struct try bad = DROP(1 + 300 * i, "n"), ok = OK(1 + 300 * i, "n");
			list[i] = i % 2 == 0 ? bad : with_client(ok, 20);
			list[i].ja4 = i % 2 == 0 ? "t13d1" : "t13d2";
			list[i].bits = i % 2 == 0 ? 0 : cases[c].bits;
		}
		struct world w;
		world_of(&w, list);
		nothing_likely(&w);
		world_end(&w);
		for (unsigned i = 1; i < 8; i += 2)
			list[i].client = 0;
		world_of(&w, list);
		assert_int_equal(wide(&w, cases[c].id)->verdict, VERDICT_LIKELY);
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_clients_controls_are_none),
		cmocka_unit_test(lost_clients_are_no_witnesses),
		cmocka_unit_test(two_clients_with_controls_are_added_up),
		cmocka_unit_test(several_clients_share_controls),
		cmocka_unit_test(broken_clients_of_other_names_count),
		cmocka_unit_test(a_name_may_pass_for_others),
		cmocka_unit_test(both_sides_of_a_translator_are_one),
		cmocka_unit_test(a_translator_may_lie_between_captures),
		cmocka_unit_test(both_sides_of_a_forwarded_port_are_one),
		cmocka_unit_test(residual_failures_are_no_triggers),
		cmocka_unit_test(a_split_hello_takes_tries),
		cmocka_unit_test(another_client_is_no_other_fingerprint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
