/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Both reports on a model made by hand with every field filled, and with names that try to break
 * out of JSON, of a line and of a terminal. With -DDUMP_REPORT it prints the JSON Lines instead,
 * for the schema check.
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

#include "classifiers/app/http_response.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/lists/page.h"

extern const struct report report_jsonl;

#define START UINT64_C(1795264496123456789) /* 2026-11-21T12:34:56.123456789Z */
#define EVIL "\033[2J\xff\xe2\x80\xae\"\\\n<b>\xf0\x9f\x98\x80"

static struct tls_client_hello hello = {
	.record_version = 0x301, .legacy_version = 0x303, .highest_version = 0x304, .has_sni = true,
	.sni_len = 300, .sni = "a\0b" EVIL, .n_alpn = 2, .alpn = {"h2", "\xfe\033["}, .ech = true,
	.n_records = 2, .ja3 = "0123456789abcdef0123456789abcdef",
	.ja4 = "t13d1516h2_8daaf6152771_e5627efa2ab1",
};
static struct http_request request = {
	.method = "GET", .path = "/" EVIL, .host = "h\xc0\x80.example", .version = "HTTP/1.1",
	.has_host = true, .truncated = true, .host_len = 11, .path_len = 1 + sizeof(EVIL) - 1,
};
static struct http_response response = {
	.status = 403, .has_location = true, .has_server = true, .location_len = 300, .server_len = 1,
	.location = "http://" EVIL, .server = "x",
};
static struct tls_server tls_answer = {
	.version = 0x303, .cipher = 0xc02f, .has_hello = true, .has_certificate = true,
	.has_alert = true, .alert_level = 2, .alert = 40, .spki = {0xab}, .issuer = "CN=" EVIL,
	.subject = "s" EVIL, .ja3s = "0123456789abcdef0123456789abcdef",
};
static struct rule page_rule = {
	.id = "a.rule", .list = "own" EVIL, .line = 7, .source = "a paper", .name = "A ministry" EVIL,
	.countries = "IR,PK", .scope = RULE_NAT,
};
static struct page_facts page_a = {
	.hits = {.hit = {&page_rule}, .n = 1}, .rule = &page_rule, .status = 403,
	.title = "Blocked" EVIL, .frame = "http://10.10.34.36" EVIL,
};
static struct label flow_labels[] = {
	{.by = "ndpi", .app = "TLS.Wikipedia", .category = "Web", .confidence = "dpi",
	 .risk = UINT64_MAX, .risks = "one,two"},
	{.by = NULL},
};

static struct ip_addr ip4(uint8_t last)
{
	return (struct ip_addr){{[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2,
				 [15] = last}};
}

static struct flow_record flow_a, flow_b, flow_c;
static uint64_t frames_a[] = {19, 20, UINT64_C(1) << 40};
static uint64_t controls_a[] = {52, (UINT64_C(1) << 53) + 1};
static struct evidence_row rows_a[] = {
	{.kind = "race-data-after-rst", .grade = GRADE_D4, .counted = true, .packet = 22,
	 .value = "data 3 ms after", .expected = "nothing"},
	{.kind = "ttl", .grade = GRADE_D2, .counted = false, .value = EVIL, .expected = ""},
	{.kind = "ungraded", .grade = 0, .counted = true, .packet = 1},
};
static struct not_testable untestable_a[] = {
	{.kind = "missing-timestamps", .why = "timestamps were not negotiated"},
};
static const char *benign_a[] = {"a server that restarts"};
static const char *ruled_out_a[] = {"the server itself: it went on sending"};
static struct ladder_packet ladder_a[] = {
	{.frame = 12, .ts_ns = START, .dir = DIR_C2S, .ttl = 64, .df = true, .has_ts = true,
	 .flags = TCP_SYN, .window = 64240, .ip_id = 1, .note = ""},
	{.frame = 17, .ts_ns = START + 40000000, .dir = DIR_C2S, .ttl = 64, .df = true,
	 .flags = TCP_PSH | TCP_ACK, .window = 502, .ip_id = 3, .seq = 1, .ack = 1, .len = 517,
	 .note = "ClientHello sni=" EVIL, .skipped_before = true},
	{.frame = 19, .ts_ns = START + 43100000, .dir = DIR_S2C, .ttl = 188, .forged = true,
	 .flags = TCP_RST | TCP_ACK | TCP_RESERVED, .window = 0, .ip_id = 30000, .seq = 1,
	 .ack = 518},
	{.frame = 21, .ts_ns = START - 1500000, .dir = DIR_S2C, .ttl = 50, .icmp = true, .len = 8,
	 .note = "ICMP 3/13"},
};
static struct finding finding_a = {
	.id = "data-after-rst", .summary = "Data went on after a reset.",
	.refs = "a paper; another",
	.family = FAMILY_TCP_INJECTION, .verdict = VERDICT_CONFIRMED, .score = 9.5,
	.stage = STAGE_PRE_SYNACK, .direction = DIR_S2C, .ts_ns = START + 43100000, .flow = &flow_a,
	.sentence = "A reset for \\x1b came 3.1 ms after it.", .packets = frames_a, .n_packets = 3,
	.trigger = TRIGGER_SNI, .trigger_value = "blocked" EVIL ".example", .trigger_packet = 17,
	.reaction_ms = 3.1, .rows = rows_a, .n_rows = 3, .untestable = untestable_a,
	.n_untestable = 1, .benign = benign_a, .n_benign = 1, .ruled_out = ruled_out_a,
	.n_ruled_out = 1, .conditional = "yes", .controls = controls_a, .n_controls = 2,
	.ladder = ladder_a, .n_ladder = 4, .page = &page_a, .injected = true,
};
/* The least that a finding can be. */
static struct finding finding_b = {
	.id = "drop-hello", .family = FAMILY_SILENT_DROP, .verdict = VERDICT_INCONCLUSIVE,
	.score = NAN, .stage = STAGE_LATER, .direction = DIR_C2S, .ts_ns = START, .flow = &flow_b,
	.reaction_ms = -1,
};

static struct source_iface ifaces[] = {
	{.linktype = LINKTYPE_ETHERNET, .snaplen = 96, .packets = 58, .dropped = 3,
	 .name = "eth\x9b" "0"},
	{.iface = 1, .linktype = 147, .packets = 0, .dropped = UINT64_MAX},
};
static struct source_damage damage[] = {{.file = 0, .offset = 4096, .reason = "cut\033 short"}};
static const char *const files[] = {"evil\033]0;\xff.pcap", "second.pcap"};
static struct flow_record *flows[3] = {&flow_a, &flow_b, &flow_c};
static struct finding *findings[2] = {&finding_a, &finding_b};
static struct capture_result captures[2];
static struct analysis model;
static char *argv_model[] = {(char[]){"wmscope"}, (char[]){"an\xff"}};
static struct report_input_error errors[] = {{.file = "x\033", .reason = "x\033: no such file"}};
static struct report_options options;

static void make_flows(void)
{
	flow_a = (struct flow_record){
		.id = 12 << 2, .first_frame = 12, .first_ns = START, .last_ns = START + 900000000,
		.ip_version = 4, .proto = 6, .client = ip4(1), .server = ip4(2),
		.client_port = 40000, .server_port = 443, .pkts = {9, 7}, .bytes = {900, 4000},
		.state = FLOW_RESET, .end = FLOW_END_CLOSED, .stage = STAGE_POST_PSH,
		.worst = VERDICT_CONFIRMED, .n_tunnels = 2, .tunnels = {TUNNEL_GRE, TUNNEL_MPLS},
		.n_vlans = 2, .vlan = {7, 4095}, .history = "ShADadR", .app_proto = "tls",
		.n_labels = 2, .labels = flow_labels,
		.tls = &hello, .http = &request, .response = &response, .tls_server = &tls_answer};
	flow_b = (struct flow_record){
		.id = (UINT64_C(9000) << 40) + 4, .capture = 1, .first_frame = 1, .first_ns = START,
		.last_ns = START, .ip_version = 6, .proto = 6, .client_port = 65535,
		.server_port = 443, .app_proto = "unknown", .worst = VERDICT_INCONCLUSIVE};
	memset(&flow_b.client, 0xfe, sizeof(flow_b.client));
	memset(&flow_b.server, 0xab, sizeof(flow_b.server));
	flow_c = (struct flow_record){.id = 8, .first_frame = 2, .first_ns = START,
				      .last_ns = START, .ip_version = 4, .proto = 47,
				      .client = ip4(3), .server = ip4(4), .app_proto = "unknown"};
}

static int setup(void **state)
{
	(void)state;
	make_flows();
	for (unsigned i = 0; i < 2; i++) {
		captures[i] = (struct capture_result){.files = &files[i], .n_files = 1};
		captures[i].stats.source = (struct source_stats){
			.received = 58, .bytes = 12345, .truncated = 2, .filtered = 1,
			.unfiltered = 1, .ifaces = ifaces, .n_ifaces = 2};
		captures[i].stats.first_ns = START;
		captures[i].stats.last_ns = START + 3200000000;
		captures[i].stats.decoder.ends[DECODE_OK] = 55;
		captures[i].stats.decoder.ends[DECODE_NOT_IP] = 3;
		captures[i].inspector.flows[VERDICT_NONE] = 28;
		captures[i].inspector.flows[i == 0 ? VERDICT_CONFIRMED : VERDICT_INCONCLUSIVE] = 1;
		captures[i].vantage = VANTAGE_CLIENT;
		memcpy(captures[i].vantage_why, "TTL 64 from 192.0.2.1\033", 23);
	}
	captures[0].stats.source.damage = damage;
	captures[0].stats.source.n_damage = 1;
	captures[0].partial = true;
	memcpy(captures[0].partial_why, "cut\033 short", 11);
	captures[1].inspector = (struct inspector_stats){
		.duplicate_frames = 1, .tso_segments = 1, .gaps = 1, .events_dropped = 1,
		.reassembly_refused = 1, .scanners = 1, .no_memory = 1,
		.flows = {28, 1}};
	captures[1].vantage = VANTAGE_ONE_SIDED;
	model = (struct analysis){.captures = captures, .n_captures = 2, .flows = flows,
				  .n_flows = 3, .all_flows = true, .findings = findings,
				  .n_findings = 2};
	options = (struct report_options){
		.min_verdict = VERDICT_INCONCLUSIVE, .real_clients = true, .argc = 2,
		.argv = argv_model, .exit_status = 5, .conditions = 1 << 5 | 1 << 1 | 1 << 3,
		.utf8 = true, .errors = errors, .n_errors = 1};
	return 0;
}

static char *written(const struct report *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	assert_non_null(f);
	assert_int_equal(r->write(&model, &options, f), 0);
	fclose(f);
	assert_int_equal(strlen(text), len);
	return text;
}

/* A copy with each run of blanks and line ends as one blank: lines may break anywhere. */
static char *squeezed(const char *s)
{
	char *out = malloc(strlen(s) + 1), *p = out;
	assert_non_null(out);
	for (; *s != '\0'; s++) {
		bool blank = *s == ' ' || *s == '\n';
		if (!blank || p == out || p[-1] != ' ')
			*p++ = blank ? ' ' : *s;
	}
	*p = '\0';
	return out;
}

static void must_have(const char *text, const char *const *needles, size_t n)
{
	char *hay = squeezed(text);
	for (size_t i = 0; i < n; i++) {
		char *needle = squeezed(needles[i]);
		if (strstr(hay, needle) == NULL)
			fail_msg("not in the report: %s\n%s", needles[i], text);
		free(needle);
	}
	free(hay);
}
#define MUST_HAVE(text, list) must_have(text, list, sizeof(list) / sizeof((list)[0]))

/* No control but the line end, no byte that is not UTF-8, nothing hidden. */
static void must_be_harmless(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		assert_true(((unsigned char)*p >= 0x20 && *p != 0x7f) || *p == '\n');
	assert_null(strstr(text, "\xff"));
	assert_null(strstr(text, "\xe2\x80\xae"));
	assert_null(strstr(text, "\xc2\x9b"));
}

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
		"\"finding\":{\"id\":\"data-after-rst\",\"family\":\"tcp-injection\","
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
		list[i] = &same[i];
	}
	list[N] = &finding_b;
	model.findings = list;
	model.n_findings = N + 1;
	char *text = written(&report_text);
	unsigned heads = 0;
	for (const char *p = text; (p = strstr(p, ", score 9.5)")) != NULL; p++)
		heads++;
	assert_int_equal(heads, 20);
	assert_non_null(strstr(text, "30 more data-after-rst towards 192.0.2.2:443"));
	assert_non_null(strstr(text, "[21] inconclusive"));
	assert_non_null(strstr(text, "50 of 58 connections were"));
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
		cmocka_unit_test_setup(test_strongest_first, setup),
		cmocka_unit_test_setup(test_times, setup),
		cmocka_unit_test_setup(test_a_failed_write_is_told, setup),
	};

#ifdef DUMP_REPORT
	(void)tests;
	setup(NULL);
	return report_jsonl.write(&model, &options, stdout) != 0;
#else
	return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
