/* SPDX-License-Identifier: BSD-3-Clause */

/* Which failures make a name a filtered one, and which are its server's own doing. */

#include "tests/unit/study_world.h"

#include "tools/study/trials.c"

static const struct dns_facts facts = {.qname = "www.site.org"};

/* A query that was answered; kind NULL: with nothing to say about it. */
static void ask(double at_s, const char *name, const char *kind, enum verdict verdict)
{
	struct attempt *a = world_add(at_s);
	struct finding *f = &w.findings[w.a.n_attempts - 1];
	a->proto = IPPROTO_UDP;
	a->server_port = 53;
	a->trigger = TRIGGER_QNAME;
	a->name = name;
	a->end = kind == NULL ? ATTEMPT_OK : ATTEMPT_FORGED;
	if (kind == NULL)
		return;
	w.row = (struct evidence_row){.kind = kind, .grade = GRADE_D3, .counted = true};
	f->id = kind;
	f->family = FAMILY_DNS_INJECTION;
	f->verdict = verdict;
	f->dns = &facts;
	a->finding = f;
}

static const struct finding *three_of(const char *kind, enum verdict verdict)
{
	for (unsigned i = 0; i < 3; i++) {
		ask(700 * i, "ok", NULL, VERDICT_NONE);
		ask(700 * i + 1, "bad", kind, verdict);
		ask(700 * i + 2, "ok", NULL, VERDICT_NONE);
	}
	return world_finds("qname-filtered");
}

static void a_servers_own_names_are_not_filtered(void **state)
{
	(void)state;
	assert_null(three_of("dns-bogus-address", VERDICT_ANOMALY));
}

static void nor_names_that_a_nearer_site_answers(void **state)
{
	(void)state;
	assert_null(three_of("dns-early", VERDICT_ANOMALY));
}

static void names_that_are_raced_are(void **state)
{
	(void)state;
	assert_non_null(three_of("dns-race", VERDICT_ANOMALY));
}

static void names_that_somebody_else_answers_are(void **state)
{
	(void)state;
	assert_non_null(three_of("dns-bogus-address", VERDICT_LIKELY));
}

/* A QUIC attempt; SILENT ones with a finding that says so. */
static void try_quic(double at_s, const char *name, enum attempt_end end)
{
	struct attempt *a = world_add(at_s);
	struct finding *f = &w.findings[w.a.n_attempts - 1];
	a->proto = IPPROTO_UDP;
	a->trigger = TRIGGER_QUIC_SNI;
	a->name = name;
	a->end = (uint8_t)end;
	if (end != ATTEMPT_SILENT)
		return;
	w.row = (struct evidence_row){.kind = "quic-name-unanswered", .grade = GRADE_D3, .counted = true};
	f->id = w.row.kind;
	f->verdict = VERDICT_ANOMALY;
	a->finding = f;
}

static const struct finding *silent_for_one_name(unsigned silent, unsigned controls)
{
	for (unsigned i = 0; i < silent || i < controls; i++) {
		if (i < controls)
			try_quic(700 * i, "ok", ATTEMPT_OK);
		if (i < silent)
			try_quic(700 * i + 100, "bad", ATTEMPT_SILENT);
	}
	try_quic(700.0 * (silent + controls), "ok", ATTEMPT_OK);
	return world_finds("quic-sni-filtered");
}

static void few_silences_may_fall_on_one_name(void **state)
{
	(void)state;
	const struct finding *f = silent_for_one_name(3, 3);
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
}

static void many_do_not(void **state)
{
	(void)state;
	const struct finding *f = silent_for_one_name(6, 8);
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_LIKELY);
}

/* A server that is gone for a while takes no name; this one was asked for first, or all the time. */
static enum verdict verdict_of_outage(bool others_meanwhile, unsigned version)
{
	for (unsigned i = 0; i < 8; i++)
		try_quic(700 * i, "ok", ATTEMPT_OK);
	for (unsigned i = 0; i < 8; i++) {
		try_quic(6000 + 700 * i, "bad", ATTEMPT_SILENT);
		w.attempts[w.a.n_attempts - 1].version = (uint16_t)version;
		if (others_meanwhile)
			try_quic(6300 + 700 * i, "ok", ATTEMPT_OK);
	}
	try_quic(15000, "ok", ATTEMPT_OK);
	const struct finding *f = world_finds("quic-sni-filtered");
	assert_non_null(f);
	return f->verdict;
}

static void an_outage_is_not_a_name(void **state)
{
	(void)state;
	assert_int_equal(verdict_of_outage(false, 0), VERDICT_ANOMALY);
}

static void what_passes_meanwhile_shows_it(void **state)
{
	(void)state;
	assert_int_equal(verdict_of_outage(true, 0), VERDICT_LIKELY);
}

/* The name in version 2 alone, the others in version 1. */
static void controls_are_of_the_version(void **state)
{
	(void)state;
	assert_int_equal(verdict_of_outage(true, 0x43cf), VERDICT_ANOMALY);
}

/* The failed tries' hellos took two datagrams, and so did the controls' where both is set. */
static enum verdict verdict_in_pieces(bool both, unsigned failed_len)
{
	for (unsigned i = 0; i < 8; i++) {
		try_quic(700 * i, "ok", ATTEMPT_OK);
		struct attempt *ok = &w.attempts[w.a.n_attempts - 1];
		ok->bits |= both ? ATTEMPT_SEGMENTED : 0;
		ok->first_len = 1200;
		try_quic(700 * i + 100, "bad", ATTEMPT_SILENT);
		struct attempt *bad = &w.attempts[w.a.n_attempts - 1];
		bad->bits |= failed_len == 1250 ? ATTEMPT_SEGMENTED : 0;
		bad->first_len = (uint16_t)failed_len;
	}
	try_quic(700 * 8, "ok", ATTEMPT_OK);
	w.attempts[w.a.n_attempts - 1].bits |= both ? ATTEMPT_SEGMENTED : 0;
	const struct finding *f = world_finds("quic-sni-filtered");
	assert_non_null(f);
	return f->verdict;
}

static void hellos_of_two_datagrams_need_such_controls(void **state)
{
	(void)state;
	assert_int_equal(verdict_in_pieces(false, 1250), VERDICT_ANOMALY);
}

static void which_show_that_it_is_the_name(void **state)
{
	(void)state;
	assert_int_equal(verdict_in_pieces(true, 1250), VERDICT_LIKELY);
}

static void and_so_do_large_datagrams(void **state)
{
	(void)state;
	assert_int_equal(verdict_in_pieces(false, 1450), VERDICT_ANOMALY);
}

static void a_name_that_is_refused_at_times_is_answered(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++)
		try_quic(700 * i + 200, "bad", i % 2 == 0 ? ATTEMPT_ALERT : ATTEMPT_CLOSED);
	assert_null(silent_for_one_name(6, 8));
}

/* Two tries are too few to call a name filtered: what each was compared with is said all the same. */
static void two_tries_name_their_controls_too(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		ask(700 * i, "ok", NULL, VERDICT_NONE);
		ask(700 * i + 1, "bad", "dns-race", VERDICT_ANOMALY);
	}
	assert_null(world_finds("qname-filtered"));
	for (unsigned i = 1; i < 4; i += 2) {
		const struct finding *f = w.attempts[i].finding;
		assert_string_equal(f->conditional, "yes");
		assert_int_equal(f->n_controls, 2);
		assert_int_equal(f->controls[0], w.attempts[0].flow_id);
		assert_int_equal(f->controls[1], w.attempts[2].flow_id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_servers_own_names_are_not_filtered),
		WORLD_TEST(nor_names_that_a_nearer_site_answers),
		WORLD_TEST(names_that_are_raced_are),
		WORLD_TEST(names_that_somebody_else_answers_are),
		WORLD_TEST(few_silences_may_fall_on_one_name),
		WORLD_TEST(many_do_not),
		WORLD_TEST(an_outage_is_not_a_name),
		WORLD_TEST(what_passes_meanwhile_shows_it),
		WORLD_TEST(controls_are_of_the_version),
		WORLD_TEST(hellos_of_two_datagrams_need_such_controls),
		WORLD_TEST(which_show_that_it_is_the_name),
		WORLD_TEST(and_so_do_large_datagrams),
		WORLD_TEST(a_name_that_is_refused_at_times_is_answered),
		WORLD_TEST(two_tries_name_their_controls_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
