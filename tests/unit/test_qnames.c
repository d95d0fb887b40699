/* SPDX-License-Identifier: BSD-3-Clause */

/* Which DNS findings make a name a filtered one. */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_servers_own_names_are_not_filtered),
		WORLD_TEST(nor_names_that_a_nearer_site_answers),
		WORLD_TEST(names_that_are_raced_are),
		WORLD_TEST(names_that_somebody_else_answers_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
