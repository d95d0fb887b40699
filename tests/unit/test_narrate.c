/* SPDX-License-Identifier: BSD-3-Clause */

/* What an ICMP error's quote shows that was changed on the way. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "classifiers/tamper/narrate.c"

static void quotes(void **state)
{
	static const struct {
		const char *name;
		uint8_t version, tos, sent;
		uint16_t ip_id;
		bool df;
		const char *says;
	} rows[] = {
		{"as it was sent", 4, 0x28, 0x28, 7, true, ""},
		{"only ECN differs, which it does within a connection", 4, 0x29, 0x2a, 7, true, ""},
		{"DSCP bleached", 4, 0, 0x28, 7, true, ", DSCP 0 there for 10"},
		{"DF cleared", 4, 0x28, 0x28, 7, false, ", DF cleared there"},
		{"both", 4, 0xb8, 0, 7, false, ", DSCP 46 there for 0, DF cleared there"},
		{"of a packet that the record lacks", 4, 0, 0, 8, false, ""},
		{"IPv6 has no DF", 6, 0, 0, 7, false, ""},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct event e = {.seq = 100, .ip_id = 7, .len = 9, .bits = EVENT_DF};
		struct evidence ev = {.events = &e, .n_events = 1, .tos = {rows[i].sent, 0xff},
				      .ipv6 = rows[i].version == 6};
		const struct icmp_note n = {.version = rows[i].version, .quoted_dir = DIR_C2S,
					    .quoted_seq = 100, .quoted_ip_id = rows[i].ip_id,
					    .quoted_tos = rows[i].tos, .quoted_df = rows[i].df};
		struct flow_record flow = {.ip_version = rows[i].version};
		struct view v;
		char out[40];
		print_message("%s\n", rows[i].name);
		view_build(&v, &ev, &flow, NULL, DIR_S2C);
		say_changes(&v, &n, out, sizeof(out));
		assert_string_equal(out, rows[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(quotes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
