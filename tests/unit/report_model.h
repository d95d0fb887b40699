/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A model made by hand with every field filled, and names that try to break out of any report. */

#include "classifiers/app/http_response.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/lists/page.h"

#include "tools/report.h"

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
	{.kind = "ungraded", .grade = 0, .counted = true, .packet = 1, .value = "",
	 .expected = ""},
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
	 .ack = 518, .note = ""},
	{.frame = 21, .ts_ns = START - 1500000, .dir = DIR_S2C, .ttl = 50, .icmp = true, .len = 8,
	 .note = "ICMP 3/13"},
};
static struct finding finding_a = {
	.id = "data-after-rst", .number = 1, .summary = "Data went on after a reset.",
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
	.id = "drop-hello", .number = 2, .family = FAMILY_SILENT_DROP, .verdict = VERDICT_INCONCLUSIVE,
	.score = NAN, .stage = STAGE_LATER, .direction = DIR_C2S, .ts_ns = START, .flow = &flow_b,
	.reaction_ms = -1, .sentence = "", .trigger_value = "",
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

static __attribute__((noinline, unused)) char *written(const struct report *r)
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

static inline void must_have(const char *text, const char *const *needles, size_t n)
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
static inline void must_be_harmless(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		assert_true(((unsigned char)*p >= 0x20 && *p != 0x7f) || *p == '\n');
	assert_null(strstr(text, "\xff"));
	assert_null(strstr(text, "\xe2\x80\xae"));
	assert_null(strstr(text, "\xc2\x9b"));
}
