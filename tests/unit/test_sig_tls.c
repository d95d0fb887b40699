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
		uint8_t interceptor;
		const char *country;
		unsigned grade;
	} rows[] = {
		{0, "KZ", 0}, {1, "KZ", GRADE_D4}, {1, "", GRADE_D3}, {1, "DE", GRADE_D2},
		{2, "KZ", GRADE_D4}, {3, "KZ", 0}, {INTERCEPTORS_MAX, "KZ", 0}, {255, "KZ", 0},
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
		assert_int_equal(match_issuer(&v, &sig_tls[1], &t), rows[i].grade != 0);
	}
}

/* A firewall that opens TLS, and the same firewall's own door. */
static void products(void **state)
{
	static const struct {
		const char *name, *issuer, *subject, *sni;
		bool inside, found;
	} rows[] = {
		{"a name of somebody else's", "CN=FortiGate CA, O=Fortinet", "www.a.example",
		 "www.a.example", false, true},
		{"a wildcard", "O=Zscaler Inc.", "*.a.example", "www.a.example", false, true},
		{"the domain of a wildcard", "O=Zscaler Inc.", "*.a.example", "a.example", false, true},
		{"the box's own door", "CN=support, O=Fortinet", "FGT60E4Q16000000", "vpn.a.example",
		 false, false},
		{"inside", "CN=FortiGate CA, O=Fortinet", "box.a.example", "box.a.example", true, false},
		{"no name", "CN=FortiGate CA, O=Fortinet", "www.a.example", NULL, false, false},
		{"no subject", "CN=FortiGate CA, O=Fortinet", "", "www.a.example", false, false},
		{"another's domain", "O=Zscaler Inc.", "*.a.example", "not-a.example", false, false},
		{"a wildcard of all", "O=Zscaler Inc.", "*.", "www.a.example", false, false},
		{"an authority of everybody's", "CN=R11, O=Let's Encrypt", "www.a.example",
		 "www.a.example", false, false},
		{"the maker's own site", "CN=DigiCert Global G2, O=DigiCert Inc", "www.fortinet.com",
		 "www.fortinet.com", false, false},
		{"a country's", "CN=Qaznet Trust Network", "www.a.example", "www.a.example", false, false},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct tls_server s = {.has_hello = true, .has_certificate = true,
				       .interceptor = interceptor_find(rows[i].issuer)};
		struct tls_client_hello hello = {.has_sni = rows[i].sni != NULL};
		struct flow_record flow = {.ip_version = 4, .tls = &hello, .tls_server = &s};
		struct event e = {.frame = 7, .len = 90, .bits = EVENT_S2C};
		struct evidence ev = {.events = &e, .n_events = 1};
		struct view v;
		struct testimony t = {0};
		snprintf(s.issuer, sizeof(s.issuer), "%s", rows[i].issuer);
		snprintf(s.subject, sizeof(s.subject), "%s", rows[i].subject);
		snprintf(hello.sni, sizeof(hello.sni), "%s", rows[i].sni != NULL ? rows[i].sni : "");
		memcpy(flow.server.b + 12, rows[i].inside ? "\xc0\xa8\x01\x63" : "\x05\x05\x05\x05", 4);
		print_message("%s\n", rows[i].name);
		view_build(&v, &ev, &flow, NULL, DIR_S2C);
		assert_int_equal(match_product(&v, &sig_tls[2], &t), rows[i].found);
		assert_int_equal(t.grade, rows[i].found ? GRADE_D2 : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alerts), cmocka_unit_test(issuers), cmocka_unit_test(products),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
