/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Text and JSON Lines on a model made by hand with every field filled, and with names that try to
 * break out of JSON, of a line and of a terminal. With -DDUMP_REPORT it prints the JSON Lines
 * instead, for the schema check.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/report_text.c"

#include "tests/unit/report_model.h"

extern const struct report report_jsonl;

static void test_jsonl_finding(void **state)
{
	(void)state;
	static const char *const needles[] = {
		"{\"schema\":1,\"event_type\":\"run\","
		"\"timestamp\":\"2026-11-21T12:34:56.123456789Z\"",
		"\n{\"schema\":1,\"event_type\":\"flow\","
		"\"timestamp\":\"2026-11-21T12:34:56.123456789Z\","
		"\"flow_id\":48,\"pcap_cnt\":12,"
		"\"pcap_filename\":\"evil\\u001b]0;\xef\xbf\xbd.pcap\","
		"\"pcap_filename_hex\":\"6576696c1b5d303bff2e70636170\",\"src_ip\":\"192.0.2.1\","
		"\"src_port\":40000,\"dest_ip\":\"192.0.2.2\",\"dest_port\":443,\"proto\":\"TCP\","
		"\"vlan\":[7,4095],\"tunnels\":[\"gre\",\"mpls\"],\"community_id\":\"1:",
		"\"app_proto\":\"tls\",\"flow\":{\"pkts_toserver\":9,\"pkts_toclient\":7,"
		"\"bytes_toserver\":900,\"bytes_toclient\":4000,",
		"\"history\":\"ShADadR\",\"stage\":\"post_psh\",\"worst\":\"confirmed\"}",
		"\"risk\":\"18446744073709551615\",\"risks\":\"one,two\"}]",
		"\"tls\":{\"sni\":\"a\\u0000b\\u001b[2J\xef\xbf\xbd"
		"\\u202e\\\"\\\\\\u000a<b>\xf0\x9f\x98\x80",
		"\"alpn\":[\"h2\",\"\xef\xbf\xbd\\u001b[\"],\"alpn_hex\":[\"6832\",\"fe1b5b\"]",
		"\"host\":\"h\xef\xbf\xbd\xef\xbf\xbd.example\",\"host_hex\":\"68c0802e",
		"\"finding\":{\"number\":1,\"id\":\"data-after-rst\",\"family\":\"tcp-injection\","
		"\"verdict\":\"confirmed\",\"score\":9.5,\"stage\":\"post_syn\","
		"\"direction\":\"to_client\",\"packets\":[19,20,1099511627776],\"pcap_filename\"",
		"\"trigger\":{\"kind\":\"sni\",\"value\":\"blocked",
		"\"packet\":17},\"evidence\":[{\"kind\":\"race-data-after-rst\",\"grade\":\"D4\","
		"\"packet\":22,\"value\":\"data 3 ms after\","
		"\"expected\":\"nothing\",\"counted\":true}",
		"\"grade\":\"D1\",\"packet\":1,",
		"\"not_testable\":[{\"kind\":\"missing-timestamps\",",
		"\"conditional\":\"yes\",\"controls\":[52,\"9007199254740993\"],\"device\":null,"
		"\"devices\":[],\"ruled_out\":[",
		"\"reaction_ms\":3.1,\"ladder\":[{\"packet\":12,",
		"\"flow_id\":\"9895604649984004\"",
		"\"score\":null,", "\"trigger\":{\"kind\":\"none\",\"value\":null,\"packet\":null}",
		"\"server_version\":771,\"cipher\":49199,\"ja3s\":\"0123456789abcdef",
		"\"issuer\":\"CN=\\u001b[2J", "\"spki_sha256\":\"ab000000",
		"\"alert\":{\"level\":2,\"description\":40,\"name\":\"handshake_failure\","
		"\"instead_of_hello\":false}",
		"\"status\":403,\"location\":\"http://\\u001b[2J", "\"server\":\"x\"}",
		"\"page\":{\"rule\":{\"id\":\"a.rule\",", "\"countries\":\"IR,PK\",\"status\":403",
		"\"hits\":[\"a.rule\"]},\"injected\":true}", "\"page\":null,\"injected\":false}",
		"\"exit_status\":5,\"conditions\":[\"findings\",\"input\",\"partial\"]",
		"\"command\":[\"wmscope\",\"an\xef\xbf\xbd\"],\"command_hex\":[\"776d",
		"\"not_ip\":3",
	};
	char *text = written(&report_jsonl);

	MUST_HAVE(text, needles);
	must_be_harmless(text);
	/* Portless protocols carry no ports. */
	const char *gre = strstr(text, "\"proto\":\"47\"");
	assert_non_null(gre);
	const char *line = gre;
	while (line > text && line[-1] != '\n')
		line--;
	assert_true(strstr(line, "src_port") == NULL || strstr(line, "src_port") > gre);
	free(text);
}

static void test_jsonl_order_and_min_verdict(void **state)
{
	(void)state;
	char *text = written(&report_jsonl);
	/* Each finding is directly after its flow. */
	const char *a = strstr(text, "\"event_type\":\"finding\"");
	const char *b = strstr(text, "9895604649984004");
	assert_true(a != NULL && b != NULL && a < b);
	free(text);

	options.min_verdict = VERDICT_LIKELY;
	model.all_flows = false;
	text = written(&report_jsonl);
	assert_non_null(strstr(text, "\"total\":2,\"shown\":1"));
	assert_null(strstr(text, "drop-hello"));
	assert_null(strstr(text, "9895604649984004"));
	assert_null(strstr(text, "\"proto\":\"47\""));
	free(text);
}

static void test_text_says_everything(void **state)
{
	(void)state;
	static const char *const needles[] = {
		"1 of 58 connections was interfered with: 1 confirmed; also 1 inconclusive.",
		"evil\\x1b]0;\\xff.pcap", "data-after-rst", "tcp-injection, score 9.5",
		"192.0.2.1:40000 \xe2\x86\x92 192.0.2.2:443", "flow 48",
		"within gre+mpls VLAN 7.4095",
		"A reset for \\x1b came 3.1 ms after it.", "Data went on after a reset.",
		"Carried tls; ndpi says TLS.Wikipedia; JA4 t13d1516h2_8daaf6152771_e5627efa2ab1",
		("SNI blocked\\x1b[2J\\xff"
		 "\\u{202e}\"\\\\\\x0a<b>\xf0\x9f\x98\x80.example in frame 17"),
		"reaction after 3.100 ms", "19, 20, 1099511627776",
		"before the server had answered",
		"(to_client)", "2026-11-21T12:34:56.166556789Z", "[RAr]", "[S]", "43.100", "-1.500",
		"ICMP 3/13", "ClientHello sni=\\x1b[2J", "packets of this connection left out",
		"D4  race-data-after-rst (frame 22): data 3 ms after; expected: nothing",
		"(D2) ttl", "not counted", "missing-timestamps: timestamps were not negotiated",
		"a server that restarts", "the server itself: it went on sending",
		"Compared with  52, 9007199254740993", "a paper; another", "drop-hello",
		"[fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe]:65535", "none known",
		"x\\x1b: no such file", "3 packets: 3 not_ip",
		"cut\\x1b short", "ethernet, link type 147", "lost by the capturing system: 3; a",
		"as --vantage", "in evil", "A ministry\\x1b[2J",
		"(rule a.rule of own\\x1b[2J", ", nat, IR,PK)", "Its title      Blocked\\x1b[2J",
		"somebody else than the server",
	};
	captures[0].vantage_given = true;
	char *text = written(&report_text);

	MUST_HAVE(text, needles);
	must_be_harmless(text);
	assert_null(strstr(text, "nan"));
	/* The forged row, and only that, is marked. */
	const char *mark = strstr(text, "\n  >>");
	assert_non_null(mark);
	assert_int_equal(strtoul(mark + 5, NULL, 10), 19);
	assert_null(strstr(mark + 1, "\n  >>"));
	free(text);
}

static void test_text_lines_fit(void **state)
{
	(void)state;
	char *text = written(&report_text);
	char *save = NULL;
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (text_columns(line) > 104)
			fail_msg("%u columns: %s", text_columns(line), line);
		assert_true(line[strlen(line) - 1] != ' ');
	}
	free(text);
}

static void test_text_ascii(void **state)
{
	(void)state;
	options.utf8 = false;
	char *text = written(&report_text);
	for (const char *p = text; *p != '\0'; p++)
		assert_true((unsigned char)*p < 0x80);
	assert_non_null(strstr(text, "192.0.2.1:40000 -> 192.0.2.2:443"));
	assert_non_null(strstr(text, "\\u{1f600}"));
	free(text);
}

static void test_text_colour_only_when_asked(void **state)
{
	(void)state;
	options.colour = true;
	char *text = written(&report_text);
	assert_non_null(strstr(text, "\033[1;31mconfirmed\033[0m"));
	free(text);
}

static void test_text_nothing_found(void **state)
{
	(void)state;
	model.n_findings = 0;
	model.n_captures = 1;
	captures[0].vantage = VANTAGE_ONE_SIDED;
	char *text = written(&report_text);
	assert_non_null(strstr(text, "No interference was found in 29 connections."));
	assert_non_null(strstr(text, "only one direction of the connections was captured"));
	assert_non_null(strstr(text, "looked for: tcp-injection"));
	assert_null(strstr(text, "verdict"));
	free(text);

	model.n_captures = 0;
	text = written(&report_text);
	assert_non_null(strstr(text, "There are no connections to examine."));
	free(text);
	text = written(&report_jsonl);
	assert_non_null(strstr(text, "\"event_type\":\"run\",\"timestamp\":null"));
	free(text);
}

static void test_text_hidden_findings_are_counted(void **state)
{
	(void)state;
	options.min_verdict = VERDICT_LIKELY;
	char *text = written(&report_text);
	assert_non_null(strstr(text, "1 finding below \"likely\" is counted but not shown."));
	assert_null(strstr(text, "drop-hello"));
	assert_non_null(strstr(text, "also 1 inconclusive"));
	free(text);
}

static void test_text_folds_after_twenty(void **state)
{
	(void)state;
	enum { N = 50 };
	static struct flow_record many[N];
	static struct finding same[N];
	static struct finding *list[N + 1];

	for (unsigned i = 0; i < N; i++) {
		many[i] = flow_a;
		many[i].id = 4000 + 4 * i;
		same[i] = finding_a;
		same[i].flow = &many[i];
		same[i].number = i + 1;
		list[i] = &same[i];
	}
	list[N] = &finding_b;
	finding_b.number = N + 1;
	model.findings = list;
	model.n_findings = N + 1;
	char *text = written(&report_text);
	unsigned heads = 0;
	for (const char *p = text; (p = strstr(p, ", score 9.5)")) != NULL; p++)
		heads++;
	assert_int_equal(heads, 20);
	assert_non_null(strstr(text, "30 more data-after-rst towards 192.0.2.2:443"));
	assert_non_null(strstr(text, "[51] inconclusive"));
	assert_non_null(strstr(text, "50 of 58 connections were"));
	free(text);
}

/* Several threads put many findings into words; what they wrote stands in order, each once. */
static void test_text_of_many(void **state)
{
	(void)state;
	enum { N = 3 * PARTS * PART_FINDINGS / 2 + 1 };
	static struct flow_record many[N];
	static struct finding each[N];
	static struct finding *list[N];
	unsigned next = 1;

	for (unsigned i = 0; i < N; i++) {
		many[i] = flow_a;
		many[i].server_port = (uint16_t)(1000 + i);
		each[i] = finding_a;
		each[i].flow = &many[i];
		each[i].number = i + 1;
		list[i] = &each[i];
	}
	model.findings = list;
	model.n_findings = N;
	char *text = written(&report_text);
	for (const char *p = text; (p = strstr(p, "\n[")) != NULL; p++) {
		char head[64], port[16];
		snprintf(head, sizeof(head), "\n[%u] confirmed  data-after-rst", next);
		snprintf(port, sizeof(port), ":%u  TCP", 999 + next++);
		assert_memory_equal(p, head, strlen(head));
		assert_non_null(strstr(p, port));
	}
	assert_int_equal(next, N + 1);
	free(text);
}

static void test_times(void **state)
{
	(void)state;
	char text[FACTS_TIME_SIZE];
	assert_string_equal(facts_time(0, text), "1970-01-01T00:00:00.000000000Z");
	assert_string_equal(facts_time(1, text), "1970-01-01T00:00:00.000000001Z");
	assert_string_equal(facts_time(START, text), "2026-11-21T12:34:56.123456789Z");
	assert_string_equal(facts_time(UINT64_MAX, text), "2554-07-21T23:34:33.709551615Z");
}

static void test_strongest_first(void **state)
{
	(void)state;
	static struct finding *list[2] = {&finding_b, &finding_a};
	model.findings = list;
	char *text = written(&report_text);
	assert_true(strstr(text, "data-after-rst") < strstr(text, "drop-hello"));
	free(text);
}

/* Where memory was refused, packets and connections were not looked at: of both sorts. */
static void test_what_memory_refused_is_told(void **state)
{
	(void)state;
	static struct capture_result c = {.stats = {.no_memory = 3}, .inspector = {.no_memory = 2}};
	struct facts_notes notes;
	bool told = false;

	assert_int_equal(facts_unexamined(&c), 5);
	facts_notes(&c, &notes);
	for (unsigned i = 0; i < notes.n; i++)
		told |= strstr(notes.text[i], "packets not examined: 5") != NULL;
	assert_true(told);
	c.stats.no_memory = c.inspector.no_memory = 0;
	assert_int_equal(facts_unexamined(&c), 0);
}

static void test_a_failed_write_is_told(void **state)
{
	(void)state;
	FILE *full = fopen("/dev/full", "w");
	if (full == NULL)
		skip();
	assert_int_equal(report_jsonl.write(&model, &options, full), -ENOSPC);
	fclose(full);
	full = fopen("/dev/full", "w");
	assert_int_not_equal(report_text.write(&model, &options, full), 0);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_jsonl_finding, setup),
		cmocka_unit_test_setup(test_jsonl_order_and_min_verdict, setup),
		cmocka_unit_test_setup(test_text_says_everything, setup),
		cmocka_unit_test_setup(test_text_lines_fit, setup),
		cmocka_unit_test_setup(test_text_ascii, setup),
		cmocka_unit_test_setup(test_text_colour_only_when_asked, setup),
		cmocka_unit_test_setup(test_text_nothing_found, setup),
		cmocka_unit_test_setup(test_text_hidden_findings_are_counted, setup),
		cmocka_unit_test_setup(test_text_folds_after_twenty, setup),
		cmocka_unit_test_setup(test_text_of_many, setup),
		cmocka_unit_test_setup(test_strongest_first, setup),
		cmocka_unit_test_setup(test_times, setup),
		cmocka_unit_test_setup(test_a_failed_write_is_told, setup),
		cmocka_unit_test_setup(test_what_memory_refused_is_told, setup),
	};

#ifdef DUMP_REPORT
	(void)tests;
	setup(NULL);
	return report_jsonl.write(&model, &options, stdout) != 0;
#else
	return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
