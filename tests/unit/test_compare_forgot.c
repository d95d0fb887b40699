/* SPDX-License-Identifier: BSD-3-Clause */

/* Translators and firewalls that forget their connections, and whose conversations they are. */

#include "tools/compare/compare.c"

#include "tests/unit/compare_world.h"

static const struct segment asks = {.flags = PUSHED, .seq = 1, .ack = 1, .text = "hello"};
static const struct segment answers = {.flags = PUSHED, .seq = 1, .ack = 6, .text = "good day"};
/* In the name of who asked, from the translator's own stack. */
static const struct segment refuses = {.flags = TCP_RST, .seq = 6, .ip_id = 0, .ttl = 64};

/* Its link was down: what is under way it refuses, and what the client says later it drops. */
static void translator_forgets(struct world *w)
{
	uint64_t frame = 0;

	w->nat = 7;
	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, asks, 2050);
	through(w, WAY_DOWN, answers, 2080);
	for (unsigned i = 0; i < 3; i++) {
		struct segment more = answers, no = refuses;
		more.seq += 8 * (int32_t)(i + 1);
		sent(w, WAY_DOWN, &more, 3000 + i);
		uint64_t at = only(w, SIDE_SERVER, WAY_UP, &no, 3030 + i, 64);
		frame = i == 0 ? at : frame;
	}
	for (unsigned i = 0; i < 5; i++) {
		struct segment fin = {.flags = TCP_FIN | TCP_ACK, .seq = 6, .ack = 9};
		sent(w, WAY_UP, &fin, 4000 + 300 * (1u << i));
	}
	beside(w, 2000, 16000);
	expect(w, 3);
	assert_int_equal(finding_of(w, "two-sided-reset")->verdict, VERDICT_ANOMALY);
	assert_int_equal(finding_of(w, "two-sided-reset")->packets[0], frame);
	assert_null(finding_of(w, "two-sided-drop"));
}

/* What a box refuses is the request: that nothing of the answer came tells it from a translator. */
static void refused_at_once_behind_a_translator(struct world *w)
{
	struct segment no = refuses;

	w->nat = 7;
	beside(w, 0, 2000);
	handshake(w, 0, 2000);
	through(w, WAY_UP, asks, 2050);
	sent(w, WAY_DOWN, &(struct segment){.flags = PUSHED, .seq = 1, .ack = 6, .text = "good day"}, 2080);
	only(w, SIDE_SERVER, WAY_UP, &no, 2100, 60);
	beside(w, 2000, 8000);
	assert_int_equal(comparison_run(w->c), 0);
	assert_int_equal(finding_of(w, "two-sided-reset")->verdict, VERDICT_CONFIRMED);
}

/* Two hosts behind one address, one of them captured; and the translator refuses what it knows nothing of. */
static void others_behind_a_translator(struct world *w)
{
	struct segment g = {.port = 41000, .flags = TCP_SYN, .seq = 4242};

	w->nat = 7;
	beside(w, 0, 2000);
	only(w, SIDE_SERVER, WAY_UP, &g, 2000, 53);
	g = (struct segment){.port = 41000, .flags = TCP_RST | TCP_ACK, .ack = 4243};
	only(w, SIDE_SERVER, WAY_DOWN, &g, 2001, 64);
	g = (struct segment){.port = 42000, .flags = TCP_FIN | TCP_ACK, .seq = 77, .ack = 99};
	only(w, SIDE_SERVER, WAY_DOWN, &g, 2500, 64);
	g = (struct segment){.port = 42000, .flags = TCP_RST, .seq = 99};
	only(w, SIDE_SERVER, WAY_UP, &g, 2501, 54);
	beside(w, 2000, 8000);
	expect(w, 0);
	assert_int_equal(w->c->elsewhere, 2);
}

/* A scanner's probes have one number, and the translator gives each another port: none is found again. */
static void scanned_through_a_translator(struct world *w)
{
	w->nat = 7;
	beside(w, 0, 2000);
	for (uint16_t i = 0; i < 20; i++) {
		struct segment syn = {.port = (uint16_t)(41000 + i), .flags = TCP_SYN, .seq = 5555};
		struct segment no = {.port = syn.port, .flags = TCP_RST | TCP_ACK, .ack = 5556};
		through(w, WAY_UP, syn, 2000 + i);
		through(w, WAY_DOWN, no, 2021 + i);
	}
	beside(w, 2000, 8000);
	expect(w, 0);
}

/* Four answered connections of as many servers lose all that follows; another begins later. */
static void cut_four(struct world *w)
{
	beside(w, 0, 2000);
	for (uint8_t i = 0; i < 4; i++) {
		struct segment up = asks, down = answers;
		up.port = down.port = (uint16_t)(40001 + i);
		up.server = down.server = (uint8_t)(51 + i);
		handshake_with(w, up.server, up.port, 2000 + 10u * i);
		through(w, WAY_UP, up, 2100 + 10u * i);
		through(w, WAY_DOWN, down, 2150 + 10u * i);
		for (unsigned k = 0; k < 5; k++) {
			struct segment lost = {.port = up.port, .server = up.server, .flags = PUSHED,
					       .seq = 9, .ack = 6, .text = "and so on"};
			sent(w, WAY_DOWN, &lost, 3000 + 200 * (1u << k) + i);
		}
	}
	handshake_with(w, 60, 41000, 3500);
	for (unsigned i = 0; i < 100; i++) {
		struct segment g = {.port = 41000, .server = 60, .flags = PUSHED, .seq = 1 + 5 * (int32_t)i,
				    .ack = 1 + 5 * (int32_t)i, .text = "hello"};
		through(w, WAY_UP, g, 4000 + 50 * i);
		through(w, WAY_DOWN, g, 4021 + 50 * i);
	}
}

static void firewall_forgets(struct world *w)
{
	cut_four(w);
	expect(w, 4);
	assert_null(finding_of(w, "two-sided-drop"));
}

/* One that was open then goes on: it chose. */
static void some_are_cut(struct world *w)
{
	cut_four(w);
	beside(w, 2000, 12000);
	expect(w, 4);
	assert_int_equal(finding_of(w, "two-sided-drop")->verdict, VERDICT_LIKELY);
}

#define CASES(X)                                                                                   \
	X(translator_forgets) X(refused_at_once_behind_a_translator) X(others_behind_a_translator) \
	X(scanned_through_a_translator) X(firewall_forgets) X(some_are_cut)

CASES(DEFINE)

int main(void)
{
	const struct CMUnitTest tests[] = {CASES(ROW)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
