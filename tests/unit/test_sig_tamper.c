/* SPDX-License-Identifier: BSD-3-Clause */

/* A hello whose first two bytes were exchanged, and what only begins as one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "classifiers/tamper/sig_tamper.c"

struct row {
	const char *name;
	enum dir dir;
	const char *bytes;
	uint8_t len;
	bool found;
};

#define ROW(name, dir, bytes, found) {name, dir, bytes, sizeof(bytes) - 1, found}

static const struct row rows[] = {
	ROW("a ServerHello", DIR_S2C, "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03", false),
	ROW("a ClientHello", DIR_C2S, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", false),
	ROW("Remote Desktop", DIR_C2S, "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00", false),
	ROW("something of that length", DIR_S2C, "\x03\x16\x03\x16\x03\x16\x03\x16\x03\x16\x03", false),
	ROW("a hello longer than its record", DIR_S2C, "\x03\x16\x03\x00\x7a\x02\x00\x01\x76\x03\x03", false),
	ROW("a hello of no length", DIR_S2C, "\x03\x16\x03\x00\x7a\x02\x00\x00\x05\x03\x03", false),
	ROW("the other side's hello", DIR_C2S, "\x03\x16\x03\x00\x7a\x02\x00\x00\x76\x03\x03", false),
	ROW("too short", DIR_S2C, "\x03\x16\x03\x00\x7a\x02\x00\x00\x76\x03", false),
	ROW("a ServerHello, exchanged", DIR_S2C, "\x03\x16\x03\x00\x7a\x02\x00\x00\x76\x03\x03", true),
	ROW("with a certificate behind it", DIR_S2C, "\x03\x16\x03\x0f\x7a\x02\x00\x00\x46\x03\x03", true),
	ROW("a ClientHello, exchanged", DIR_C2S, "\x03\x16\x01\x02\x00\x01\x00\x01\xfc\x03\x03", true),
};

static void hellos(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];
		struct event e[] = {
			{.frame = 1, .seq = 1, .flags = TCP_SYN, .bits = r->dir == DIR_S2C ? EVENT_S2C : 0},
			{.frame = 2, .seq = 2, .len = 90, .flags = TCP_ACK,
			 .bits = r->dir == DIR_S2C ? EVENT_S2C : 0},
		};
		struct evidence ev = {.events = e, .n_events = 2};
		struct flow_record flow = {.ip_version = 4};
		struct testimony t = {0};
		struct view v;
		ev.half[r->dir].n_data = 1;
		ev.half[r->dir].first_seq = 2;
		ev.half[r->dir].excerpt_len = r->len;
		memcpy(ev.half[r->dir].excerpt, r->bytes, r->len);
		print_message("%s\n", r->name);
		view_build(&v, &ev, &flow, NULL, r->dir);
		assert_int_equal(match_swapped(&v, &sig_tamper[0], &t), r->found);
		assert_int_equal(t.grade, r->found ? GRADE_D3 : 0);
		assert_int_equal(t.frame, r->found ? 2 : 0);
		view_build(&v, &ev, &flow, NULL, dir_other(r->dir));
		assert_false(match_swapped(&v, &sig_tamper[0], &t));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(hellos)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
