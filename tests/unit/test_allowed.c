/* SPDX-License-Identifier: BSD-3-Clause */

/* When a port is said to let some protocols through and no others, and when it must not be. */

#include "tests/unit/study_world.h"

#include "tools/study/allowed.c"

static double at_s;

static int start(void **state)
{
	at_s = 0;
	return world_start(state);
}

/* n connections to server:port that begin so, 100 s apart: past any residual window. */
static void add(unsigned n, unsigned server, uint16_t port, unsigned words, bool muted)
{
	for (unsigned k = 0; k < n; k++) {
		struct attempt *a = world_add(at_s);
		size_t i = w.a.n_attempts - 1;
		w.flows[i].last_ns = w.flows[i].first_ns + 20 * SEC;
		a->server.b[12] = (uint8_t)server;
		a->server_port = port;
		a->words = words & 0x7f;
		a->muted = muted;
		a->finding = muted ? &w.findings[i] : NULL;
		at_s += 100;
	}
}

static const struct finding *conclude_all(void)
{
	return world_finds("protocol-not-allowed");
}

#define SSH (WORDS_VPN + VPN_SSH)
#define OPENVPN (WORDS_VPN + VPN_OPENVPN)

/* SSH and OpenVPN to 443 of two servers; TLS there passes. */
static void listed_protocols(void)
{
	add(2, 9, 443, SSH, true);
	add(2, 9, 443, OPENVPN, true);
	add(2, 10, 443, SSH, true);
	add(3, 9, 443, WORDS_COMMON, false);
	add(2, 10, 443, WORDS_COMMON, false);
}

static void a_list_is_told(void **state)
{
	(void)state;
	listed_protocols();
	const struct finding *f = conclude_all();
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_LIKELY);
	assert_int_equal(f->family, FAMILY_VPN_INTERFERENCE);
	assert_string_equal(f->trigger_value, "openvpn, ssh");
	assert_int_equal(f->n_flows, 6);
	assert_int_equal(f->n_controls, 5);
	assert_string_equal(w.findings[0].conditional, "yes");
	assert_int_equal(w.findings[0].n_controls, 5);
}

static void one_server_may_do_it_itself(void **state)
{
	(void)state;
	add(2, 9, 443, SSH, true);
	add(2, 9, 443, OPENVPN, true);
	add(3, 9, 443, WORDS_COMMON, false);
	const struct finding *f = conclude_all();
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
}

static void one_protocol_is_no_list(void **state)
{
	(void)state;
	add(3, 9, 443, SSH, true);
	add(3, 10, 443, SSH, true);
	add(3, 9, 443, WORDS_COMMON, false);
	add(3, 10, 443, WORDS_COMMON, false);
	const struct finding *f = conclude_all();
	assert_non_null(f);
	assert_int_equal(f->verdict, VERDICT_ANOMALY);
	assert_int_equal(f->rows[0].grade, GRADE_D2);
}

static void silent(void **state)
{
	(void)state;
	assert_null(conclude_all());
}

static void no_control(void **state)
{
	add(2, 9, 443, SSH, true);
	add(2, 10, 443, OPENVPN, true);
	add(5, 11, 443, WORDS_COMMON, false);
	silent(state);
}

static void an_outage_for_all(void **state)
{
	listed_protocols();
	add(3, 9, 443, WORDS_COMMON, true);
	silent(state);
}

static void some_pass(void **state)
{
	listed_protocols();
	add(2, 10, 80, OPENVPN, false);
	silent(state);
}

static void another_port(void **state)
{
	add(3, 9, 22, SSH, true);
	add(3, 10, 22, OPENVPN, true);
	add(3, 9, 22, WORDS_COMMON, false);
	add(3, 10, 22, WORDS_COMMON, false);
	silent(state);
}

/* One drop, and what was tried in its wake. */
static void a_retry_storm(void **state)
{
	for (unsigned i = 0; i < 6; i++) {
		add(1, 9, 443, i & 1 ? SSH : OPENVPN, true);
		at_s -= 95;
	}
	at_s += 600;
	add(3, 9, 443, WORDS_COMMON, false);
	silent(state);
}

/* That takes as many as the GFW's one in four asks for. */
static void only_encrypted(void **state)
{
	add(6, 9, 443, WORDS_ENCRYPTED, true);
	add(6, 10, 443, WORDS_ENCRYPTED, true);
	add(3, 9, 443, WORDS_COMMON, false);
	silent(state);
}

/* The judge did not mention it: the capture cannot vouch for the silence. */
static void not_vouched_for(void **state)
{
	listed_protocols();
	for (size_t i = 0; i < w.a.n_attempts; i++)
		w.attempts[i].finding = NULL;
	silent(state);
}

static void first_words_are_read(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum first_words is;
	} cases[] = {
		{"\x16\x03\x01\x02\x00\x01", 6, WORDS_COMMON},
		{"\x16\x03\x01\x02", 4, WORDS_UNKNOWN},
		{"\x16\x04\x01\x02\x00\x01", 6, WORDS_OTHER},
		{"GET / HTTP/1.1\r\n", 16, WORDS_COMMON},
		{"GETX / HTTP/1.1\r\n", 17, WORDS_OTHER},
		{"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03" "www", 18, WORDS_COMMON},
		{"\0\x1d\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x03" "www", 18, WORDS_OTHER},
		{"SSH-2.0-x\r\n", 11, WORDS_OTHER},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(first_words_of((const uint8_t *)cases[i].bytes, cases[i].n),
				 cases[i].is);
	for (unsigned k = 0; k < WORDS_N; k++)
		assert_true(first_words_name((enum first_words)k)[0] != '\0');
	assert_string_equal(first_words_name(SSH), "ssh");
	assert_string_equal(first_words_name(WORDS_ENCRYPTED), "fet");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_list_is_told), TEST(one_server_may_do_it_itself),
		TEST(one_protocol_is_no_list), TEST(no_control), TEST(an_outage_for_all),
		TEST(some_pass), TEST(another_port), TEST(a_retry_storm), TEST(only_encrypted),
		TEST(not_vouched_for), cmocka_unit_test(first_words_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
