/* SPDX-License-Identifier: BSD-3-Clause */

/* Alerts and certificates: a server's own are nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "classifiers/tamper/sig_tls.c"

#define ALERT 2 /* index of the alert's packet */

/* A hello, its acknowledgement, the alert, and what follows. */
struct alert_case {
	const char *name;
	struct tls_server server;
	uint8_t ttl;
	bool df, ts, both_ts;
	bool other_bytes; /* frame 4 has other bytes for the alert's */
	unsigned grade;
	uint32_t frame;
};

#define FATAL .has_alert = true, .alert_level = 2, .alert = 112

static const struct alert_case alert_cases[] = {
	{"a server that refuses a name", {FATAL}, 48, true, true, true, false, 0, 0},
	{"and says so twice", {FATAL}, 48, true, true, false, false, 0, 0},
	{"a warning", {.has_alert = true, .alert_level = 1, .alert = 112}, 48, true, true, true, true,
	 0, 0},
	{"a hello before it", {FATAL, .has_hello = true}, 60, false, false, true, true, 0, 0},
	{"records before it", {FATAL, .alert_offset = 9}, 60, false, false, true, true, 0, 0},
	{"no alert", {.has_hello = true}, 60, false, false, true, true, 0, 0},
	{"another TTL alone", {FATAL}, 60, true, true, true, false, 0, 0},
	{"another DF alone", {FATAL}, 48, false, true, true, false, 0, 0},
	{"both", {FATAL}, 60, false, true, true, false, GRADE_D3, 3},
	{"without the agreed timestamps", {FATAL}, 48, true, false, true, false, GRADE_D4, 3},
	{"timestamps were not agreed", {FATAL}, 48, true, false, false, false, 0, 0},
	{"other bytes behind it", {FATAL}, 48, true, true, true, true, GRADE_D4, 4},
};

static void check_alert(const struct alert_case *c)
{
	struct event e[] = {
		{.frame = 1, .seq = 1, .ack = 1, .len = 517, .ttl = 64, .bits = EVENT_DF | EVENT_TS},
		{.frame = 2, .seq = 1, .ack = 518, .ttl = 48, .flags = TCP_ACK,
		 .bits = EVENT_S2C | EVENT_DF | EVENT_TS},
		{.frame = 3, .seq = 1, .ack = 518, .len = 7, .ttl = c->ttl, .flags = TCP_ACK,
		 .payhash = 1,
		 .bits = (uint8_t)(EVENT_S2C | (c->df ? EVENT_DF : 0) | (c->ts ? EVENT_TS : 0))},
		{.frame = 4, .seq = 1, .ack = 518, .len = 90, .ttl = 48, .flags = TCP_ACK, .payhash = 2,
		 .bits = EVENT_S2C | EVENT_DF | EVENT_TS | EVENT_RETX},
	};
	struct evidence ev = {.events = e, .n_events = 4, .bytes_frame = 4,
			      .found = c->other_bytes ? EVIDENCE_BYTES : 0};
	struct flow_record flow = {.tls_server = &c->server};
	struct testimony t = {0};
	struct view v;
	for (unsigned d = 0; d < 2; d++) {
		ev.half[d].ts_ok = ev.half[d].ts_later = c->both_ts;
		ev.half[d].n_data = 1;
	}
	print_message("%s\n", c->name);
	view_build(&v, &ev, &flow, NULL, DIR_S2C);
	assert_int_equal(v.first_s2c, ALERT);
	assert_int_equal(match_alert(&v, &sig_tls[0], &t), c->grade != 0);
	if (c->grade != 0) {
		assert_int_equal(t.grade, c->grade);
		assert_int_equal(t.frame, c->frame);
		assert_int_equal(t.n_suspects, 1);
		assert_int_equal(t.suspects[0], ALERT);
	}
	view_build(&v, &ev, &flow, NULL, DIR_C2S);
	assert_false(match_alert(&v, &sig_tls[0], &t));
	assert_false(match_issuer(&v, &sig_tls[1], &t));
}

static void alerts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(alert_cases) / sizeof(*alert_cases); i++)
		check_alert(&alert_cases[i]);
}

static void issuers(void **state)
{
	static const struct {
		bool interceptor;
		const char *country;
		unsigned grade;
	} rows[] = {
		{false, "KZ", 0}, {true, "KZ", GRADE_D4}, {true, "", GRADE_D3}, {true, "DE", GRADE_D2},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct tls_server s = {.has_hello = true, .has_certificate = true,
				       .interceptor = rows[i].interceptor,
				       .issuer = "CN=Qaznet Trust Network"};
		struct geo_place at = {.asn = 64500};
		struct flow_record flow = {.tls_server = &s, .client_at = &at};
		struct event e = {.frame = 7, .len = 90, .bits = EVENT_S2C};
		struct evidence ev = {.events = &e, .n_events = 1};
		struct view v;
		struct testimony t = {0};
		strcpy(at.country, rows[i].country);
		view_build(&v, &ev, &flow, NULL, DIR_S2C);
		assert_int_equal(match_issuer(&v, &sig_tls[1], &t), rows[i].grade != 0);
		if (rows[i].grade != 0)
			assert_int_equal(t.grade, rows[i].grade);
		flow.client_at = NULL;
		assert_int_equal(match_issuer(&v, &sig_tls[1], &t), rows[i].interceptor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(alerts), cmocka_unit_test(issuers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
