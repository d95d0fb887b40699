/* SPDX-License-Identifier: BSD-3-Clause */

/* Pages that lists know, and answers that only speak of them. */

#include "classifiers/tamper/sig_page.c"

#include "tests/unit/sig_cases.h"

#define GET "40.2 > PA 1 1 99"
#define ANSWER(text) "81 < PA 1 100 text=" text, "82 < A 400 100"
#define PAGE(head, body) ANSWER("HTTP/1.1 " head "\r\nServer: x\r\n\r\n" body)
#define WEB(...) {.line = LINES(SHAKE, GET, __VA_ARGS__), .speaks = SPEAKS_HTTP, .rules = own}

static const char own[] =
	"nat-body nat body contains \"forbidden by the ministry\" countries=IR name=\"A ministry\"\n"
	"nat-other nat body contains \"by another office\" countries=PK,BD\n"
	"isp-optin isp body contains \"your family filter\" opt-in\n"
	"prod-head prod header:location contains \"/webadmin/deny\"\n"
	"nat-host nat header:location contains \"page.blocked.example\"\n"
	"code vbw status full \"418\"\n"
	"not-that fp body contains \"a museum of block pages\"\n";

static const struct sig_case cases[] = {
	/* Silent: what a server says itself. */
	{.name = "a server's own 403", .ev = WEB(PAGE("403 Forbidden", "<h1>no</h1>")), .says = SILENT},
	{.name = "a page that quotes the frame", .says = SILENT,
	 .ev = WEB(PAGE("403 x", "&lt;iframe src=\"http://10.10.34.36/\"&gt;"))},
	{.name = "a page that has the frame and was not refused", .says = SILENT,
	 .ev = WEB(PAGE("200 OK", "<iframe src=\"http://10.10.34.36/\">"))},
	{.name = "another address", .says = SILENT,
	 .ev = WEB(PAGE("403 x", "<iframe src=\"http://10.10.34.361/\">"))},
	{.name = "and another", .says = SILENT,
	 .ev = WEB(PAGE("403 x", "<iframe src=\"http://10.10.34.37/\">"))},
	{.name = "a list says that it is none", .says = SILENT,
	 .ev = WEB(PAGE("200 OK", "a museum of block pages: forbidden by the ministry"))},
	{.name = "an article that quotes the pages of two countries", .says = SILENT,
	 .ev = WEB(PAGE("200 OK", "forbidden by the ministry, or by another office"))},
	{.name = "451 is the server's own word", .says = SILENT,
	 .ev = WEB(PAGE("451 x", "forbidden by the ministry"))},
	{.name = "the filter's own server was asked", .says = SILENT,
	 .ev = WEB(PAGE("302 x\r\nLocation: http://page.blocked.example/", ""))},
	{.name = "its redirect within itself", .says = SILENT,
	 .ev = WEB(PAGE("302 x\r\nLocation: http://blocked.example/webadmin/deny", ""))},
	{.name = "an article of over 8 KiB that quotes a page without a country's",
	 .ev = WEB(PAGE("200 OK", "your family filter"), "83 < PA 49 100 1400", "84 < PA 1449 100 1400",
		   "85 < PA 2849 100 1400", "86 < PA 4249 100 1400", "87 < PA 5649 100 1400",
		   "88 < PA 7049 100 1400"),
	 .says = SILENT},

	{.name = "an article whose end the capture does not hold", .says = SILENT,
	 .ev = WEB(PAGE("200 OK\r\nContent-Length: 9000", "your family filter"))},
	{.name = "an article in chunks whose end the capture does not hold", .says = SILENT,
	 .ev = WEB(PAGE("200 OK\r\nTransfer-Encoding: chunked", "20\r\nyour family filter\r\n"))},

	{.name = "Iran's page", .says = LINES("< block-page-iran D4 @5: 5"),
	 .ev = WEB(PAGE("403 Forbidden", "<iframe width=1 src=\"http://10.10.34.36?type=a\">"))},
	{.name = "Iran's page in two packets", .says = LINES("< block-page-iran D4 @5: 5"),
	 .ev = WEB("81 < A 1 100 text=HTTP/1.1 403 x\r\n\r\n<ifr",
		   "82 < PA 23 100 text=ame src=\"http://10.10.34.34\">")},

	/* Redirects to programs. */
	{.name = "a redirect to a mirror's program", .says = SILENT,
	 .ev = WEB(PAGE("302 x\r\nLocation: http://mirror.example.org/a.zip", ""))},
	{.name = "a redirect to a program by a packet without timestamps",
	 .ev = WEB("81 < PA 1 100 plain text=HTTP/1.1 307 x\r\nLocation: http://a.example.org/b.exe?c"
		   "\r\n\r\n", "83 < A 1 100"),
	 .says = LINES("< redirect-to-program D4 @5: 5")},
	{.name = "the same within the site", .says = SILENT,
	 .ev = WEB("81 < PA 1 100 plain text=HTTP/1.1 307 x\r\nLocation: http://dl.blocked.example/b.exe"
		   "\r\n\r\n", "83 < A 1 100")},
	{.name = "the same to a page", .says = SILENT,
	 .ev = WEB("81 < PA 1 100 plain text=HTTP/1.1 307 x\r\nLocation: http://a.example.org/exe.html"
		   "\r\n\r\n", "83 < A 1 100")},
};

/* Those that take a matcher. */
static const struct sig_case matched[] = {
	{.name = "a country's page, nobody knows where", .says = LINES("< block-page D3 @5: 5"),
	 .ev = WEB(PAGE("200 OK", "forbidden by the ministry"))},
	{.name = "a country's page, chunked, with a code above 200",
	 .says = LINES("< block-page D3 @5: 5"),
	 .ev = WEB(PAGE("403 x\r\nTransfer-Encoding: chunked",
			"b\r\nforbidden b\r\ne\r\ny the ministry\r\n0\r\n\r\n"))},
	{.name = "the family's filter", .says = LINES("< block-page D2 @5: 5"),
	 .ev = WEB(PAGE("200 OK", "your family filter"))},
	{.name = "a product's redirect", .says = LINES("< block-page D2 @5: 5"),
	 .ev = WEB(PAGE("302 x\r\nLocation: http://a.example.org/webadmin/deny", ""))},
	{.name = "a status that a list knows", .says = LINES("< block-page D2 @5: 5"),
	 .ev = WEB(PAGE("418 x", ""))},
	{.name = "a page without a status line", .says = LINES("< block-page D3 @5: 5"),
	 .ev = WEB(ANSWER("<html>forbidden by the ministry"))},
};

static bool has_matcher(void)
{
	struct ruleset *set = NULL;
	struct matcher *m = NULL;
	assert_int_equal(ruleset_new(&set), 0);
	assert_int_equal(ruleset_builtin(set), 0);
	assert_int_equal(ruleset_seal(set), 0);
	bool has = matcher_new(&m, set, &(struct matcher_config){NULL}) == 0;
	matcher_free(m);
	ruleset_free(set);
	return has;
}

/* The grade of a page by what the rule is, where the client is, and what the answer looks like. */
static void grades(void **state)
{
	static const struct {
		enum rule_scope scope;
		bool opt_in;
		const char *bound, *country;
		unsigned confidence, status, body_len;
		enum rule_where where;
		unsigned grade; /* 0: nothing is said */
		bool well_made; /* with Server and Date */
	} rows[] = {
		{RULE_NAT, false, "AA", "AA", 0, 200, 900, RULE_BODY, GRADE_D4},
		{RULE_NAT, false, "BB,AA", "AA", 9, 403, 9000, RULE_BODY, GRADE_D4},
		{RULE_NAT, false, "", "AA", 0, 200, 900, RULE_BODY, GRADE_D4},
		{RULE_NAT, false, "AA", "", 0, 200, 900, RULE_BODY, GRADE_D3},
		{RULE_NAT, false, "", "", 0, 200, 900, RULE_BODY, GRADE_D3},
		{RULE_NAT, false, "AA", "BB", 0, 200, 900, RULE_BODY, GRADE_D2},
		{RULE_NAT, false, "AA", "AA", 4, 200, 900, RULE_BODY, GRADE_D2},
		{RULE_NAT, false, "AA", "AA", 0, 200, 9000, RULE_BODY, GRADE_D2},
		{RULE_NAT, false, "AA", "AA", 0, 200, 9000, RULE_HEADER, GRADE_D4},
		{RULE_NAT, false, "AA", "AA", 0, 200, 900, RULE_BODY, GRADE_D3, true},
		{RULE_NAT, false, "AA", "AA", 0, 200, 900, RULE_HEADER, GRADE_D4, true},
		{RULE_NAT, false, "AA", "AA", 0, 403, 900, RULE_BODY, GRADE_D4, true},
		{RULE_ISP, false, "AA", "AA", 0, 200, 900, RULE_BODY, GRADE_D4},
		{RULE_ISP, true, "AA", "AA", 0, 200, 900, RULE_BODY, GRADE_D2},
		{RULE_PROD, false, "", "AA", 0, 200, 900, RULE_BODY, GRADE_D2},
		{RULE_PROD, false, "", "AA", 0, 200, 9000, RULE_BODY, 0},
		{RULE_INST, false, "AA", "AA", 0, 200, 900, RULE_BODY, GRADE_D2},
		{RULE_VBW, false, "", "AA", 0, 302, 9000, RULE_BODY, GRADE_D2},
		{RULE_UNKNOWN, false, "", "", 0, 200, 900, RULE_BODY, GRADE_D2},
		{RULE_NAT, false, "AA", "AA", 0, 451, 900, RULE_BODY, 0},
		{RULE_PROTO, false, "", "AA", 0, 200, 900, RULE_STREAM_S2C, 0},
		{RULE_FP, false, "", "AA", 0, 200, 900, RULE_BODY, 0},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rule rule = {.id = "r", .list = "l", .name = "", .countries = rows[i].bound,
				    .scope = rows[i].scope, .where = rows[i].where,
				    .opt_in = rows[i].opt_in, .pattern = (const uint8_t *)"x", .len = 1,
				    .confidence = (uint8_t)rows[i].confidence};
		struct page_facts p = {.hits = {.hit = {&rule}, .n = 1},
				       .status = (uint16_t)rows[i].status, .body_len = rows[i].body_len};
		struct geo_place at = {.asn = 64500};
		struct flow_record flow = {.page = &p, .client_at = i % 2 == 0 || rows[i].country[0] != '\0'
									? &at : NULL};
		struct http_response answer = {.status = p.status, .has_server = rows[i].well_made,
					       .has_date = rows[i].well_made};
		flow.response = &answer;
		struct event e = {.frame = 7};
		struct view v = {.flow = &flow, .e = &e, .n = 1, .dir = DIR_S2C};
		struct testimony t = {0};
		strcpy(at.country, rows[i].country);
		print_message("row %u\n", i);
		assert_int_equal(match_page(&v, &sig_page[1], &t), rows[i].grade != 0);
		if (rows[i].grade != 0)
			assert_int_equal(t.grade, rows[i].grade);
		v.dir = DIR_C2S;
		assert_false(match_page(&v, &sig_page[1], &t));
	}
}

/* Iran's page counts in full in Iran, on the way there, and where nobody knows the country. */
static void national_page_elsewhere(void **state)
{
	static const struct {
		const char *client, *server;
		enum grade grade;
	} rows[] = {{"", "", GRADE_D4}, {"IR", "", GRADE_D4}, {"DE", "", GRADE_D2},
		    {"DE", "US", GRADE_D2}, {"DE", "IR", GRADE_D4}};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct page_facts p = {.status = 403, .framed_ir = true, .frame = "http://10.10.34.35"};
		struct geo_place client = {.asn = 64500}, server = {.asn = 64501};
		struct flow_record flow = {.page = &p, .client_at = &client, .server_at = &server};
		struct event e = {.frame = 7};
		struct view v = {.flow = &flow, .e = &e, .n = 1, .dir = DIR_S2C};
		struct testimony t = {0};
		strcpy(client.country, rows[i].client);
		strcpy(server.country, rows[i].server);
		assert_true(match_frame(&v, &sig_page[0], &t));
		assert_int_equal(t.grade, rows[i].grade);
	}
}

static void related_hosts(void **state)
{
	(void)state;
	assert_true(is_related("a.example.org", 13, "b.example.org"));
	assert_true(is_related("example.org", 11, "example.org"));
	assert_true(is_related("dl.example.org", 14, "example.org"));
	assert_true(is_related("example.org", 11, "www.EXAMPLE.org"));
	assert_true(is_related("dl.example.org", 14, "www.example.org"));
	assert_false(is_related("badexample.org", 14, "example.org"));
	assert_false(is_related("a.org", 5, "b.org"));
	assert_false(is_related("a.co.uk", 7, "b.org.uk"));
}

int main(void)
{
	static struct sig_case all[sizeof(cases) / sizeof(*cases) + sizeof(matched) / sizeof(*matched)];
	const struct CMUnitTest tests[] = {cmocka_unit_test(grades),
					   cmocka_unit_test(national_page_elsewhere),
					   cmocka_unit_test(related_hosts)};
	unsigned n = sizeof(cases) / sizeof(*cases);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	memcpy(all, cases, sizeof(cases));
	if (!has_matcher()) {
		print_message("cases of lists skipped: built without Hyperscan\n");
		return failed + run_sig_cases("sig_page", (struct signature[]){sig_page[0], sig_page[2],
									      {.id = NULL}}, all, n);
	}
	memcpy(all + n, matched, sizeof(matched));
	n += sizeof(matched) / sizeof(*matched);
	return failed + run_sig_cases("sig_page", sig_page, all, n);
}
