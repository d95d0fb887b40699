/* SPDX-License-Identifier: BSD-3-Clause */

/* When somebody is said to probe a server for OpenVPN. */

#include "tests/unit/study_world.h"

#include "tools/study/probes.c"

#define OPENVPN (WORDS_VPN + VPN_OPENVPN)

static struct attempt *say_words(double at_s, unsigned words)
{
	struct attempt *a = world_add(at_s);
	a->words = words & 0x7f;
	a->server_port = 1194;
	return a;
}

static void both_probes_are_told(void **state)
{
	(void)state;
	say_words(0, OPENVPN);
	say_words(1, WORDS_CUT_RESET);
	say_words(2, WORDS_OTHER);
	const struct finding *f = world_finds("openvpn-probed");
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	assert_int_equal(f->n_flows, 2);
}

static void clients_are_not(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 9; i++)
		say_words(i, OPENVPN);
	assert_null(world_finds("openvpn-probed"));
}

static void one_that_broke_off_is_not(void **state)
{
	(void)state;
	say_words(0, WORDS_CUT_RESET);
	say_words(0, WORDS_CUT_RESET)->client.b[15] = 2;
	say_words(700, OPENVPN);
	assert_null(world_finds("openvpn-probed"));
}

static void other_addresses_and_ports_are_others(void **state)
{
	(void)state;
	say_words(0, WORDS_CUT_RESET);
	say_words(1, OPENVPN)->client.b[15] = 2;
	say_words(2, OPENVPN)->server_port = 1195;
	assert_null(world_finds("openvpn-probed"));
}

static void cut_resets_are_read(void **state)
{
	static const uint8_t reset[] = {0, 14, 0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0};
	static const uint8_t data[] = {0, 14, 0x48, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0};
	(void)state;
	assert_true(first_words_is_cut_reset(reset, 15));
	assert_false(first_words_is_cut_reset(reset, 16));
	assert_false(first_words_is_cut_reset(reset, 14));
	assert_false(first_words_is_cut_reset(data, 15));
	assert_false(first_words_is_cut_reset(reset, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(both_probes_are_told), WORLD_TEST(clients_are_not),
		WORLD_TEST(one_that_broke_off_is_not),
		WORLD_TEST(other_addresses_and_ports_are_others), cmocka_unit_test(cut_resets_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
