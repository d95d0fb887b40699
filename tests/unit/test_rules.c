/* SPDX-License-Identifier: BSD-3-Clause */

/* Lists as published and as somebody broke them: what is loaded, what is refused, on which line. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "classifiers/lists/rules.c"

static struct ruleset *load(const char *data, size_t len)
{
	struct ruleset *s;
	char *copy = malloc(len != 0 ? len : 1); /* exactly: a sanitizer sees one byte too many */
	assert_non_null(copy);
	memcpy(copy, data, len);
	assert_int_equal(ruleset_new(&s), 0);
	assert_int_equal(ruleset_load(s, "list", "/x/list", copy, len), 0);
	free(copy);
	assert_int_equal(ruleset_seal(s), 0);
	return s;
}
#define LOAD(text) load(text, sizeof(text) - 1)

static void rule_is(const struct ruleset *s, size_t i, const char *id, enum rule_where where,
		    enum rule_how how, enum rule_scope scope, const char *pattern)
{
	assert_true(i < ruleset_count(s));
	const struct rule *r = ruleset_rule(s, i);
	assert_string_equal(r->id, id);
	assert_int_equal(r->index, i);
	assert_int_equal(r->where, where);
	assert_int_equal(r->how, how);
	assert_int_equal(r->scope, scope);
	assert_int_equal(r->len, strlen(pattern));
	assert_memory_equal(r->pattern, pattern, r->len);
	assert_string_equal(r->list, "list");
}

static void refusal_is(const struct ruleset *s, size_t i, unsigned line, const char *id,
		       const char *reason)
{
	assert_true(i < ruleset_refusals(s));
	const struct rule_refusal *r = ruleset_refusal(s, i);
	assert_string_equal(r->id, id);
	assert_int_equal(r->line, line);
	assert_non_null(strstr(r->reason, reason));
}

#define COLUMNS "name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp," \
		"expected_countries,source,exp_url,notes\r\n"

static void ooni(void **state)
{
	(void)state;
	struct ruleset *s = LOAD(
		"\xef\xbb\xbf" COLUMNS
		"a,nat,,body,contains,\"say \"\"no\"\",\r\nplease\",8,\"AE,SA\",ooni,,\r\n"
		"b,isp,,header.Server,prefix,box,5,,src,https://x.example,An opt-in filter\r\n"
		"\n"
		"c,fp,,header.via,full,x,5,,ooni,,\n"
		"d,prod,,body,regexp,a\\.b,5,,ooni,,\n"
		"e,prod,,body,regexp,a.*b,5,,ooni,,\n"
		"f,isp,,dns,full,192.0.2.1,5,IR,ooni,,\n"
		"cp.e_unk_1,nat,,body,contains,xx,5,,ooni,,\n"
		"g,prov,,body,contains,yy,5,,ooni,,\n"
		"h,injb,,body,contains,zz,5,,ooni,,"); /* no end of line */
	assert_int_equal(ruleset_refusals(s), 0);
	assert_int_equal(ruleset_count(s), 9);
	rule_is(s, 0, "a", RULE_BODY, RULE_CONTAINS, RULE_NAT, "say \"no\",\r\nplease");
	rule_is(s, 1, "b", RULE_HEADER, RULE_PREFIX, RULE_ISP, "box");
	rule_is(s, 2, "c", RULE_HEADER, RULE_FULL, RULE_FP, "x");
	rule_is(s, 3, "d", RULE_BODY, RULE_CONTAINS, RULE_PROD, "a.b");
	rule_is(s, 4, "e", RULE_BODY, RULE_REGEXP, RULE_PROD, "a.*b");
	rule_is(s, 5, "f", RULE_DNS, RULE_FULL, RULE_ISP, "192.0.2.1");
	rule_is(s, 6, "cp.e_unk_1", RULE_BODY, RULE_CONTAINS, RULE_UNKNOWN, "xx");
	rule_is(s, 7, "g", RULE_BODY, RULE_CONTAINS, RULE_FP, "yy");
	rule_is(s, 8, "h", RULE_BODY, RULE_CONTAINS, RULE_FP, "zz");
	static const unsigned lines[] = {2, 4, 6, 7, 8, 9, 10, 11, 12};
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(ruleset_rule(s, i)->line, lines[i]);
	const struct rule *a = ruleset_rule(s, 0), *b = ruleset_rule(s, 1);
	assert_string_equal(a->countries, "AE,SA");
	assert_string_equal(a->source, "ooni");
	assert_int_equal(a->confidence, 8);
	assert_false(a->opt_in);
	assert_string_equal(b->header, "server");
	assert_string_equal(b->source, "https://x.example");
	assert_string_equal(b->name, "An opt-in filter");
	assert_true(b->opt_in);
	const struct list_info *l = ruleset_list(s, 0);
	assert_int_equal(l->format, LIST_OONI);
	assert_int_equal(l->rows, 9);
	assert_string_equal(l->path, "/x/list");
	ruleset_free(s);
}

static void ooni_broken(void **state)
{
	(void)state;
	struct ruleset *s = LOAD(
		COLUMNS
		"a,nat,,body,contains,x,5,,ooni\n"                       /* 2: too few */
		"b,nat,,body,contains,\"x\"y,5,,ooni,,\n"                /* 3: text behind a quote */
		"c,nat,,ear,contains,x,5,,ooni,,\n"                      /* 4 */
		"d,nat,,body,ends,x,5,,ooni,,\n"                         /* 5 */
		"e,king,,body,contains,x,5,,ooni,,\n"                    /* 6 */
		"f,nat,,body,contains,,5,,ooni,,\n"                      /* 7 */
		",nat,,body,contains,x,5,,ooni,,\n"                      /* 8 */
		"g,nat,,dns,prefix,192.0.2.,5,,ooni,,\n"                 /* 9 */
		"h,nat,,body,contains,x,5,QQ,ooni,,\n"                   /* 10 */
		"i,nat,,header.,contains,x,5,,ooni,,\n"                  /* 11 */
		"j,nat,,body,contains,good,99,,ooni,,\n"                 /* 12: no such confidence */
		"k,nat,,body,contains,\"never closed,5,,ooni,,\n"        /* 13 */
		"l,nat,,body,contains,after,5,,ooni,,\n");               /* 14: not swallowed */
	assert_int_equal(ruleset_count(s), 2);
	rule_is(s, 0, "j", RULE_BODY, RULE_CONTAINS, RULE_NAT, "good");
	assert_int_equal(ruleset_rule(s, 0)->confidence, 0);
	rule_is(s, 1, "l", RULE_BODY, RULE_CONTAINS, RULE_NAT, "after");
	assert_int_equal(ruleset_refusals(s), 11);
	refusal_is(s, 0, 2, "a", "fields");
	refusal_is(s, 1, 3, "", "quotes");
	refusal_is(s, 2, 4, "c", "location_found");
	refusal_is(s, 3, 5, "d", "pattern_type");
	refusal_is(s, 4, 6, "e", "scope");
	refusal_is(s, 5, 7, "f", "empty");
	refusal_is(s, 6, 8, "", "name");
	refusal_is(s, 7, 9, "g", "whole DNS");
	refusal_is(s, 8, 10, "h", "country");
	refusal_is(s, 9, 11, "i", "location_found");
	refusal_is(s, 10, 13, "", "quotes");
	assert_int_equal(ruleset_list(s, 0)->rows, 13);
	ruleset_free(s);
	/* The columns themselves: one missing, one twice. */
	static const char *const heads[] = {"name,scope,pattern\na,nat,x\n",
					    "name,scope,location_found,pattern_type,pattern,name\n"};
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ruleset_new(&s), 0);
		assert_int_equal(ruleset_load(s, "l", "", heads[i], strlen(heads[i])), -EINVAL);
		ruleset_free(s);
	}
}

static void censored_planet(void **state)
{
	(void)state;
	struct ruleset *s = LOAD(
		"\n{\"fingerprint\":\"a_prod_box_1\",\"pattern\":\"Server: Box\\\\/1\\\\.0\"}\r\n"
		" { \"pattern\" : \"a.*b\" , \"fingerprint\" : \"b_nat_ir_2\" , \"more\":\"\" } \n"
		"\n{\"fingerprint\":\"c_isp_uk_1\",\"pattern\":\"\\u041f\\ud83d\\ude00\\n\\t\\\"\"}\n"
		"{\"fingerprint\":\"c_isp_telsy_1\",\"pattern\":\"x\\\\nx\"}\n"
		"{\"fingerprint\":\"d_corp_a\",\"pattern\":\"^x\"}\n"
		"{\"fingerprint\":\"e_unk_a\",\"pattern\":\"x?\"}\n"
		"{\"fingerprint\":\"f_gen_a\",\"pattern\":\"\\\\d\"}\n"
		"{\"fingerprint\":\"x_generic_1\",\"pattern\":\"x\"}\n"
		"{\"fingerprint\":\"c_isp_ko_1\",\"pattern\":\"x\"}");
	assert_int_equal(ruleset_refusals(s), 0);
	assert_int_equal(ruleset_count(s), 9);
	rule_is(s, 0, "a_prod_box_1", RULE_PAGE, RULE_CONTAINS, RULE_PROD, "Server: Box/1.0");
	rule_is(s, 1, "b_nat_ir_2", RULE_PAGE, RULE_REGEXP, RULE_NAT, "a.*b");
	rule_is(s, 2, "c_isp_uk_1", RULE_PAGE, RULE_CONTAINS, RULE_ISP,
		"\xd0\x9f\xf0\x9f\x98\x80\n\t\"");
	rule_is(s, 3, "c_isp_telsy_1", RULE_PAGE, RULE_CONTAINS, RULE_ISP, "x\nx");
	rule_is(s, 4, "d_corp_a", RULE_PAGE, RULE_REGEXP, RULE_INST, "^x");
	rule_is(s, 5, "e_unk_a", RULE_PAGE, RULE_REGEXP, RULE_UNKNOWN, "x?");
	rule_is(s, 6, "f_gen_a", RULE_PAGE, RULE_REGEXP, RULE_VBW, "\\d");
	rule_is(s, 7, "x_generic_1", RULE_PAGE, RULE_CONTAINS, RULE_FP, "x");
	static const char *const countries[] = {"", "IR", "GB", "", "", "", "", "", ""};
	for (unsigned i = 0; i < 9; i++)
		assert_string_equal(ruleset_rule(s, i)->countries, countries[i]);
	assert_int_equal(ruleset_rule(s, 0)->line, 2);
	assert_int_equal(ruleset_rule(s, 2)->line, 5);
	assert_int_equal(ruleset_list(s, 0)->format, LIST_CENSORED_PLANET);
	ruleset_free(s);
}

static void censored_planet_broken(void **state)
{
	(void)state;
	static const struct {
		const char *line, *reason;
	} bad[] = {
		{"{\"fingerprint\":\"a\"}", "missing"},
		{"{\"pattern\":\"a\"}", "missing"},
		{"{\"fingerprint\":\"a\",\"pattern\":\"\"}", "empty"},
		{"{\"fingerprint\":\"a\",\"pattern\":\"x\"", "brace"},
		{"{\"fingerprint\":\"a\",\"pattern\":\"x", "not closed"},
		{"{\"fingerprint\":\"a\",\"pattern\":\"x\\", "not closed"},
		{"{\"fingerprint\":\"a\",\"pattern\":\"x\\q\"}", "escape"},
		{"{\"fingerprint\":\"a\",\"pattern\":\"\\u12\"}", "hexadecimal"},
		{"{\"fingerprint\":\"a\",\"pattern\":\"\\ud83d\"}", "surrogate"},
		{"{\"fingerprint\":\"a\",\"pattern\":\"\\ud83d\\u0041\"}", "surrogate"},
		{"{\"fingerprint\":\"a\",\"pattern\":\"\\ude00\"}", "surrogate"},
		{"{\"fingerprint\":\"a\",\"pattern\":\"a\tb\"}", "control"},
		{"{\"fingerprint\":\"a\",\"pattern\":1}", "string is expected"},
		{"{\"fingerprint\":\"a\" \"pattern\":\"x\"}", "brace"},
		{"{\"fingerprint\":\"a\",\"pattern\":\"x\"}x", "follows"},
		{"{}", "string is expected"}, {"{", "string is expected"}, {"[]", "object"},
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[256];
		int n = snprintf(text, sizeof(text),
				 "{\"fingerprint\":\"x_1\",\"pattern\":\"x\"}\n%s\n"
				 "{\"fingerprint\":\"x_2\",\"pattern\":\"y\"}\n", bad[i].line);
		struct ruleset *s = load(text, (size_t)n);
		assert_int_equal(ruleset_count(s), 2);
		assert_int_equal(ruleset_refusals(s), 1);
		assert_int_equal(ruleset_refusal(s, 0)->line, 2);
		assert_non_null(strstr(ruleset_refusal(s, 0)->reason, bad[i].reason));
		ruleset_free(s);
	}
}

static void own_rules(void **state)
{
	(void)state;
	struct ruleset *s = LOAD(
		"# a comment\r\n\n"
		"a.1 nat body contains \"b\\\\y \\\"o\\\" \\n\\r\\t\\x00\\xFf\" countries=IR,PK nocase\r\n"
		"\ta-2\tisp\theader:X-App-URL\tprefix\t\"#x\"\topt-in\tconfidence=10\n"
		"a_3 fp status full \"451\" name=\"A # name\" source=\"https://x/y\"\n"
		"a4 proto stream:c2s regexp /^\\/\\x00[\\]\\/]\\\\/ confidence=1\n"
		"a5 unknown datagram contains \"x\"\n"
		"a6 vbw page contains \"x\"\n"
		"a7 inst head contains \"x\"\n"
		"a8 prod stream:s2c contains \"x\"\n"
		"a9 nat dns full \"Block.Example.\"");
	assert_int_equal(ruleset_refusals(s), 0);
	assert_int_equal(ruleset_count(s), 9);
	const struct rule *r = ruleset_rule(s, 0);
	assert_int_equal(r->len, 13);
	assert_memory_equal(r->pattern, "b\\y \"o\" \n\r\t\0\xff", 13);
	assert_string_equal(r->countries, "IR,PK");
	assert_true(r->nocase);
	assert_int_equal(r->line, 3);
	rule_is(s, 1, "a-2", RULE_HEADER, RULE_PREFIX, RULE_ISP, "#x");
	assert_string_equal(ruleset_rule(s, 1)->header, "x-app-url");
	assert_true(ruleset_rule(s, 1)->opt_in);
	assert_int_equal(ruleset_rule(s, 1)->confidence, 10);
	rule_is(s, 2, "a_3", RULE_HEADER, RULE_FULL, RULE_FP, "451");
	assert_string_equal(ruleset_rule(s, 2)->header, ":status");
	assert_string_equal(ruleset_rule(s, 2)->name, "A # name");
	assert_string_equal(ruleset_rule(s, 2)->source, "https://x/y");
	rule_is(s, 3, "a4", RULE_STREAM_C2S, RULE_REGEXP, RULE_PROTO, "^/\\x00[\\]/]\\\\");
	rule_is(s, 4, "a5", RULE_DATAGRAM, RULE_CONTAINS, RULE_UNKNOWN, "x");
	rule_is(s, 5, "a6", RULE_PAGE, RULE_CONTAINS, RULE_VBW, "x");
	rule_is(s, 6, "a7", RULE_HEAD, RULE_CONTAINS, RULE_INST, "x");
	rule_is(s, 7, "a8", RULE_STREAM_S2C, RULE_CONTAINS, RULE_PROD, "x");
	assert_ptr_equal(ruleset_find_dns_name(s, "block.example", 13), ruleset_rule(s, 8));
	ruleset_free(s);
}

static void own_rules_broken(void **state)
{
	(void)state;
	static const struct {
		const char *line, *id, *reason;
	} bad[] = {
		{"a/b nat body contains \"x\"", "", "an id"},
		{"a", "a", "scope"}, {"a king body contains \"x\"", "a", "scope"},
		{"a nat", "a", "place"}, {"a nat ear contains \"x\"", "a", "place"},
		{"a nat header contains \"x\"", "a", "place"},
		{"a nat header: contains \"x\"", "a", "place"},
		{"a nat body", "a", "match"}, {"a nat body ends \"x\"", "a", "match"},
		{"a nat body contains", "a", "quotes is expected"},
		{"a nat body contains x", "a", "quotes is expected"},
		{"a nat body contains \"x", "a", "not closed"},
		{"a nat body contains \"x\\\"", "a", "not closed"},
		{"a nat body contains \"\\x1\"", "a", "backslash"},
		{"a nat body contains \"\\x1", "a", "backslash"},
		{"a nat body contains \"\\", "a", "backslash"},
		{"a nat body contains \"\\q\"", "a", "backslash"},
		{"a nat body contains \"\"", "a", "empty"},
		{"a nat body contains \"x\"y", "a", "blank"},
		{"a nat body contains \"x\" maybe", "a", "unknown word"},
		{"a nat body contains \"x\" countries=ir", "a", "country"},
		{"a nat body contains \"x\" countries=IR,", "a", "country"},
		{"a nat body contains \"x\" countries=IR;PK", "a", "country"},
		{"a nat body contains \"x\" confidence=11", "a", "1 to 10"},
		{"a nat body contains \"x\" confidence=0", "a", "1 to 10"},
		{"a nat body contains \"x\" confidence=", "a", "1 to 10"},
		{"a nat body contains \"x\" name=y", "a", "quotes is expected"},
		{"a nat body regexp \"x\"", "a", "slashes"},
		{"a nat body regexp /x", "a", "not closed"},
		{"a nat body regexp /x\\/", "a", "not closed"},
		{"a nat dns contains \"192.0.2.\"", "a", "whole DNS"},
		{"a nat stream:s2c full \"x\"", "a", "no end"},
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[256];
		int n = snprintf(text, sizeof(text), "x nat body contains \"x\"\n%s\n"
				 "y nat body contains \"y\"\n", bad[i].line);
		struct ruleset *s = load(text, (size_t)n);
		assert_int_equal(ruleset_count(s), 2);
		assert_int_equal(ruleset_refusals(s), 1);
		refusal_is(s, 0, 2, bad[i].id, bad[i].reason);
		ruleset_free(s);
	}
}

/* Patterns of the greatest length, and of one more, in each format. */
static void lengths(void **state)
{
	(void)state;
	static const char *const around[][2] = {
		{COLUMNS "a,nat,,body,contains,", ",5,,ooni,,\n"},
		{"{\"fingerprint\":\"a_prod_1\",\"pattern\":\"", "\"}\n"},
		{"a nat body contains \"", "\"\n"},
		{"a nat body regexp /", "/\n"},
	};
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned over = 0; over < 2; over++) {
			static char text[RULE_PATTERN_MAX + 512];
			char *end = stpcpy(text, around[i][0]);
			memset(end, 'x', RULE_PATTERN_MAX + over);
			strcpy(end + RULE_PATTERN_MAX + over, around[i][1]);
			struct ruleset *s = load(text, strlen(text));
			assert_int_equal(ruleset_count(s), over == 0);
			assert_int_equal(ruleset_refusals(s), over);
			if (over == 0)
				assert_int_equal(ruleset_rule(s, 0)->len, RULE_PATTERN_MAX);
			ruleset_free(s);
		}
	}
}

static void dns(void **state)
{
	(void)state;
	struct ruleset *s = LOAD(
		"a isp dns full \"192.0.2.1\"\nb nat dns full \"192.0.2.1\"\n"
		"c nat dns full \"2001:DB8::0:1\"\nd nat dns full \"Block.EXAMPLE\"\n"
		"e nat body contains \"192.0.2.9\"\nf nat dns full \"192.0.2.7\" opt-in\n");
	struct ip_addr v4 = {{[10] = 0xff, 0xff, 192, 0, 2, 1}}, v6 = {{0x20, 1, 0x0d, 0xb8, [15] = 1}};
	assert_ptr_equal(ruleset_find_dns_addr(s, &v4, 4), ruleset_rule(s, 1));
	assert_ptr_equal(ruleset_find_dns_addr(s, &v6, 6), ruleset_rule(s, 2));
	assert_null(ruleset_find_dns_addr(s, &v4, 6));
	v4.b[15] = 9;
	assert_null(ruleset_find_dns_addr(s, &v4, 4));
	v4.b[15] = 7;
	assert_ptr_equal(ruleset_find_dns_addr(s, &v4, 4), ruleset_rule(s, 5));
	assert_ptr_equal(ruleset_find_dns_name(s, "blOCK.example.", 14), ruleset_rule(s, 3));
	assert_null(ruleset_find_dns_name(s, "a.block.example", 15));
	assert_null(ruleset_find_dns_name(s, "block.exampl", 12));
	assert_null(ruleset_find_dns_name(s, "", 0));
	ruleset_free(s);
	s = LOAD("e nat body contains \"192.0.2.9\"\n");
	assert_null(ruleset_find_dns_addr(s, &v4, 4));
	ruleset_free(s);
}

/* Whoever was sent to a filter's page asks for its host, and is told the truth. */
static void own_hosts(void **state)
{
	(void)state;
	struct ruleset *s = LOAD("a nat header:location prefix \"http://page.filter.id/x\"\n"
				 "b isp header:location regexp /restrict\\.Host\\.pk/\n"
				 "c fp header:location contains \"honest.example\"\n"
				 "d nat dns full \"blocked.example\"\n"
				 "e nat body contains \"see facebook.com\"\n");
	assert_true(ruleset_mentions(s, "page.filter.id"));
	assert_true(ruleset_mentions(s, "WWW.Page.Filter.id"));
	assert_true(ruleset_mentions(s, "restrict.host.pk"));
	assert_false(ruleset_mentions(s, "other.filter.id"));
	assert_false(ruleset_mentions(s, "page.filter.idx"));
	assert_false(ruleset_mentions(s, "honest.example"));
	assert_false(ruleset_mentions(s, "blocked.example"));
	assert_false(ruleset_mentions(s, "er.id"));
	assert_false(ruleset_mentions(s, "facebook.com"));
	assert_false(ruleset_mentions(s, ""));
	ruleset_free(s);
}

/* The hash changes with everything that a report can come to depend on. */
static void hashes(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"a nat body contains \"xy\"\n", "a nat body contains \"yx\"\n",
		"a nat body prefix \"xy\"\n", "a nat head contains \"xy\"\n",
		"a isp body contains \"xy\"\n", "a nat body contains \"xy\" nocase\n",
		"a nat header:x contains \"xy\"\n", "a nat header:y contains \"xy\"\n",
		"a nat body contains \"x\"\nb nat body contains \"y\"\n",
		"a nat body contains \"y\"\nb nat body contains \"x\"\n", "",
		"b nat body contains \"xy\"\n", "a nat body contains \"xy\" countries=IR\n",
		"a nat body contains \"xy\" countries=PK\n", "a nat body contains \"xy\" confidence=3\n",
		"a nat body contains \"xy\" opt-in\n", "a nat body contains \"xy\" name=\"IR\"\n",
		"a nat body contains \"xy\" source=\"IR\"\n",
	};
	enum { N = sizeof(texts) / sizeof(texts[0]) };
	struct ruleset *s[N];
	for (unsigned i = 0; i < N; i++) {
		s[i] = load(texts[i], strlen(texts[i]));
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(ruleset_hash(s[i]), ruleset_hash(s[k]), 32);
	}
	struct ruleset *again = load(texts[0], strlen(texts[0]));
	assert_memory_equal(ruleset_hash(again), ruleset_hash(s[0]), 32);
	ruleset_free(again);
	for (unsigned i = 0; i < N; i++)
		ruleset_free(s[i]);
}

/* Every rule of our own is sound, has a name and a source, and each id is there once. */
static void builtin(void **state)
{
	(void)state;
	struct ruleset *s;
	assert_int_equal(ruleset_new(&s), 0);
	assert_int_equal(ruleset_builtin(s), 0);
	assert_int_equal(ruleset_seal(s), 0);
	assert_int_equal(ruleset_refusals(s), 0);
	assert_true(ruleset_count(s) > 30);
	for (size_t i = 0; i < ruleset_count(s); i++) {
		const struct rule *r = ruleset_rule(s, i);
		assert_true(r->name[0] != '\0' && r->source[0] != '\0');
		/* What names a country's or an operator's filter says of which country. */
		assert_true((r->scope != RULE_NAT && r->scope != RULE_ISP) || r->countries[0] != '\0');
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(r->id, ruleset_rule(s, k)->id);
	}
	assert_int_equal(ruleset_load(s, "late", "", "", 0), -EBUSY);
	ruleset_free(s);
}

/* Two reports show the same built-in list, whatever else each of them used. */
static void builtin_is_itself_beside_others(void **state)
{
	(void)state;
	char alone[65];
	for (unsigned k = 0; k < 2; k++) {
		struct ruleset *s;
		assert_int_equal(ruleset_new(&s), 0);
		assert_int_equal(ruleset_builtin(s), 0);
		if (k == 1)
			assert_int_equal(ruleset_load(s, "other", "", "a nat body contains \"xy\"\n", 25), 0);
		assert_int_equal(ruleset_seal(s), 0);
		if (k == 0)
			memcpy(alone, ruleset_list(s, 0)->sha256, sizeof(alone));
		assert_string_equal(ruleset_list(s, 0)->sha256, alone);
		ruleset_free(s);
	}
}

static void sealed_empty(void **state)
{
	(void)state;
	struct ruleset *s = LOAD("");
	assert_int_equal(ruleset_count(s), 0);
	assert_int_equal(ruleset_list(s, 0)->rows, 0);
	ruleset_free(s);
	ruleset_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ooni),		    cmocka_unit_test(ooni_broken),
		cmocka_unit_test(censored_planet),  cmocka_unit_test(censored_planet_broken),
		cmocka_unit_test(own_rules),	    cmocka_unit_test(own_rules_broken),
		cmocka_unit_test(lengths),	    cmocka_unit_test(dns),
		cmocka_unit_test(own_hosts), cmocka_unit_test(hashes),	    cmocka_unit_test(builtin),
		cmocka_unit_test(sealed_empty),	    cmocka_unit_test(builtin_is_itself_beside_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
