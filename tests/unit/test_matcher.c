/* SPDX-License-Identifier: BSD-3-Clause */

/* The matcher against a search by hand: what it finds is what is there, whole or cut in pieces. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "classifiers/lists/matcher_database.c"
#include "classifiers/lists/matcher_hyperscan.c"
#include "classifiers/lists/loader.h"
#include "tests/unit/temporary.h"

static struct ruleset *rules_of(const char *text)
{
	struct ruleset *s;
	assert_int_equal(ruleset_new(&s), 0);
	assert_int_equal(ruleset_load(s, "test", "", text, strlen(text)), 0);
	assert_int_equal(ruleset_refusals(s), 0);
	assert_int_equal(ruleset_seal(s), 0);
	return s;
}

struct tool {
	struct ruleset *set;
	struct matcher *m;
	struct matcher_scratch *scratch;
};

static struct tool tool_over(struct ruleset *set, const char *cache_dir)
{
	struct tool t = {.set = set};
	assert_int_equal(matcher_new(&t.m, set, &(struct matcher_config){.cache_dir = cache_dir}),
			 0);
	assert_int_equal(matcher_scratch_new(&t.scratch, t.m), 0);
	return t;
}

static void tool_free(struct tool *t)
{
	matcher_scratch_free(t->scratch);
	matcher_free(t->m);
	ruleset_free(t->set);
}

/* A list of ids, each once, in load order. */
struct found {
	unsigned times[512];
};

static bool count(void *user, const struct rule *r, uint64_t end)
{
	struct found *f = user;
	(void)end;
	f->times[r->index]++;
	return true;
}

static const char *ids(const struct tool *t, const struct found *f)
{
	static char text[1024];
	text[0] = '\0';
	for (size_t i = 0; i < ruleset_count(t->set); i++) {
		assert_true(f->times[i] <= 1);
		if (f->times[i] != 0)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 text[0] != '\0' ? " " : "", ruleset_rule(t->set, i)->id);
	}
	return text;
}

static const char *scan(struct tool *t, enum rule_where where, const char *header,
			const char *data, size_t len)
{
	struct found f = {{0}};
	char *copy = malloc(len != 0 ? len : 1);
	assert_non_null(copy);
	memcpy(copy, data, len);
	assert_int_equal(matcher_scan(t->m, t->scratch, where, header, copy, len, count, &f), 0);
	free(copy);
	return ids(t, &f);
}

#define SCAN(t, where, header, text) scan(t, where, header, text, sizeof(text) - 1)

static void places(void **state)
{
	(void)state;
	struct tool t = tool_over(
		rules_of("b prod body contains \"blocked\"\n"
			 "p prod page contains \"blocked\"\n"
			 "h prod head contains \"blocked\"\n"
			 "l prod header:Location prefix \"http://block\"\n"
			 "v prod header:via full \"box\"\n"
			 "s prod status full \"451\"\n"
			 "d proto datagram prefix \"\\x01\\x00\"\n"
			 "n nat dns full \"192.0.2.1\"\n"
			 "r prod body regexp /^a.*z$/\n"
			 "i prod body contains \"Forbidden\" nocase\n"),
		NULL);
	assert_string_equal(SCAN(&t, RULE_BODY, NULL, "is blocked, blocked"), "b p");
	assert_string_equal(SCAN(&t, RULE_HEAD, NULL, "X: blocked"), "p h");
	assert_string_equal(SCAN(&t, RULE_HEADER, "LOCATION", "http://block.example/"), "l");
	assert_string_equal(SCAN(&t, RULE_HEADER, "Location", "xhttp://block.example/"), "");
	assert_string_equal(SCAN(&t, RULE_HEADER, "Locatio", "http://block.example/"), "");
	assert_string_equal(SCAN(&t, RULE_HEADER, "Locations", "http://block.example/"), "");
	assert_string_equal(SCAN(&t, RULE_HEADER, "Via", "http://block.example/"), "");
	assert_string_equal(SCAN(&t, RULE_HEADER, "Via", "box"), "v");
	assert_string_equal(SCAN(&t, RULE_HEADER, "Via", "boxbox"), "");
	assert_string_equal(SCAN(&t, RULE_HEADER, "Via", "a box"), "");
	assert_string_equal(SCAN(&t, RULE_HEADER, ":status", "451"), "s");
	assert_string_equal(SCAN(&t, RULE_HEADER, ":status", "4510"), "");
	assert_string_equal(SCAN(&t, RULE_DATAGRAM, NULL, "\1\0\1\0"), "d");
	assert_string_equal(SCAN(&t, RULE_DATAGRAM, NULL, "\1\1\0"), "");
	assert_string_equal(SCAN(&t, RULE_DATAGRAM, NULL, "blocked"), "");
	assert_string_equal(SCAN(&t, RULE_BODY, NULL, "192.0.2.1"), "");
	assert_string_equal(SCAN(&t, RULE_BODY, NULL, "a\nfORBIDDEN\0z"), "r i");
	assert_string_equal(SCAN(&t, RULE_BODY, NULL, "a\nz."), "");
	assert_string_equal(SCAN(&t, RULE_BODY, NULL, ""), "");
	assert_true(matcher_wants(t.m, RULE_HEAD));
	assert_false(matcher_wants(t.m, RULE_STREAM_C2S));
	struct found f = {{0}};
	assert_int_equal(matcher_scan(t.m, t.scratch, RULE_DNS, NULL, "a", 1, count, &f), -EINVAL);
	assert_int_equal(matcher_scan(t.m, t.scratch, RULE_STREAM_C2S, NULL, "a", 1, count, &f),
			 -EINVAL);
	tool_free(&t);
}

/* Nothing is made for what is not searched. */
static void lazy(void **state)
{
	(void)state;
	struct tool t = tool_over(rules_of("b prod body contains \"blocked\"\n"
					   "s proto stream:c2s prefix \"SSH-\"\n"
					   "d proto datagram contains \"dht\"\n"), NULL);
	assert_string_equal(SCAN(&t, RULE_DATAGRAM, NULL, "a dht"), "d");
	assert_true(t.m->part[PART_DATAGRAM].ready);
	assert_false(t.m->part[PART_PAGE].ready);
	assert_false(t.m->part[PART_STREAM].ready);
	assert_null(t.m->part[PART_DATAGRAM].db[KIND_REGEXP]);
	assert_string_equal(matcher_origin(t.m), "");
	assert_int_equal(matcher_prepare(t.m), 0);
	assert_true(t.m->part[PART_PAGE].ready && t.m->part[PART_STREAM].ready);
	assert_string_equal(matcher_origin(t.m), "compiled");
	tool_free(&t);
}

static bool stop(void *user, const struct rule *r, uint64_t end)
{
	(void)r, (void)end;
	(*(unsigned *)user)++;
	return false;
}

static void stops(void **state)
{
	(void)state;
	struct tool t = tool_over(rules_of("a prod body contains \"aa\"\nb prod body contains \"bb\"\n"
					   "c prod body regexp /c+/\n"
					   "d proto stream:s2c contains \"aa\"\n"
					   "e proto stream:s2c regexp /b./\n"), NULL);
	unsigned n = 0;
	struct matcher_stream *st;
	assert_int_equal(matcher_scan(t.m, t.scratch, RULE_BODY, NULL, "aa bb c", 7, stop, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(matcher_stream_open(&st, t.m, t.scratch, RULE_STREAM_S2C), 0);
	assert_int_equal(matcher_stream_scan(st, "aa", 2, false, stop, &n), 1);
	assert_int_equal(matcher_stream_scan(st, "bbbb", 4, false, stop, &n), 1);
	assert_int_equal(n, 2);
	matcher_stream_close(st);
	/* Used again, it remembers nothing. */
	assert_int_equal(matcher_stream_open(&st, t.m, t.scratch, RULE_STREAM_S2C), 0);
	assert_int_equal(matcher_stream_scan(st, "a", 1, false, stop, &n), 0);
	matcher_stream_close(st);
	assert_int_equal(matcher_stream_open(&st, t.m, t.scratch, RULE_STREAM_S2C), 0);
	assert_int_equal(matcher_stream_scan(st, "a", 1, false, stop, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(matcher_stream_scan(st, "a", 1, false, stop, &n), 1);
	assert_int_equal(n, 3);
	matcher_stream_close(st);
	tool_free(&t);
}

static void stream_limit(void **state)
{
	(void)state;
	struct tool t = tool_over(rules_of("a proto stream:c2s contains \"end\"\n"
					   "b proto stream:s2c contains \"end\"\n"), NULL);
	static char block[MATCHER_STREAM_LIMIT];
	for (unsigned over = 0; over < 2; over++) {
		struct found f = {{0}};
		struct matcher_stream *st;
		memset(block, 'x', sizeof(block));
		assert_int_equal(matcher_stream_open(&st, t.m, t.scratch, RULE_STREAM_C2S), 0);
		assert_int_equal(matcher_stream_scan(st, block, sizeof(block) - 3 + over, false,
						     count, &f), 0);
		assert_int_equal(matcher_stream_scan(st, "end", 3, false, count, &f), 1);
		assert_int_equal(matcher_stream_scan(st, "end", 3, false, count, &f), 1);
		assert_string_equal(ids(&t, &f), over ? "" : "a");
		matcher_stream_close(st);
	}
	tool_free(&t);
}

/* Bytes one by one, until enough of them were searched: how many. */
static unsigned searched(struct tool *t, enum rule_where where, const char *text, bool read,
			 struct found *f)
{
	struct matcher_stream *st;
	unsigned n = 0;
	assert_int_equal(matcher_stream_open(&st, t->m, t->scratch, where), 0);
	for (int enough = 0; text[n] != '\0' && enough == 0; n++) {
		enough = matcher_stream_scan(st, text + n, 1, read, count, f);
		assert_true(enough >= 0);
	}
	matcher_stream_close(st);
	return n;
}

static void reaches(void **state)
{
	(void)state;
	struct tool t = tool_over(rules_of("a proto stream:c2s prefix \"abcd\" nocase\n"
					   "b proto stream:c2s regexp /^ab[cx]{2,5}\\b/\n"
					   "c proto stream:s2c prefix \"xy\"\n"
					   "d proto stream:s2c contains \"blocked\"\n"
					   "e proto datagram prefix \"\\x01\"\n"), NULL);
	struct found f = {{0}};
	assert_int_equal(searched(&t, RULE_STREAM_C2S, "abcxcxc.............", false, &f), 8);
	assert_string_equal(ids(&t, &f), "b");
	f = (struct found){{0}};
	assert_int_equal(searched(&t, RULE_STREAM_C2S, "ABcd................", true, &f), 8);
	assert_string_equal(ids(&t, &f), "a");
	f = (struct found){{0}};
	assert_int_equal(searched(&t, RULE_STREAM_S2C, "xy this is blocked..", false, &f), 20);
	assert_string_equal(ids(&t, &f), "c d");
	f = (struct found){{0}};
	assert_int_equal(searched(&t, RULE_STREAM_S2C, "xy this is blocked..", true, &f), 2);
	assert_string_equal(ids(&t, &f), "c");
	tool_free(&t);
}

/* By the first byte, and nothing is made for it. */
static void opens(void **state)
{
	(void)state;
	struct tool t = tool_over(rules_of("a proto stream:c2s prefix \"abc\" nocase\n"
					   "b proto stream:c2s regexp /^\\xfe\\xff/\n"
					   "c proto stream:s2c prefix \"xy\"\n"
					   "d proto stream:s2c contains \"blocked\"\n"
					   "e proto datagram regexp /^[ab]c/\n"), NULL);
	unsigned n[3] = {0};
	for (unsigned c = 0; c < 256; c++) {
		n[0] += matcher_may_open(t.m, RULE_STREAM_C2S, (uint8_t)c, false);
		n[1] += matcher_may_open(t.m, RULE_STREAM_S2C, (uint8_t)c, true);
		n[2] += matcher_may_open(t.m, RULE_DATAGRAM, (uint8_t)c, true);
	}
	assert_int_equal(n[0], 3);
	assert_true(matcher_may_open(t.m, RULE_STREAM_C2S, 'a', true));
	assert_true(matcher_may_open(t.m, RULE_STREAM_C2S, 'A', true));
	assert_true(matcher_may_open(t.m, RULE_STREAM_C2S, 0xfe, true));
	assert_int_equal(n[1], 1);
	assert_true(matcher_may_open(t.m, RULE_STREAM_S2C, 'x', true));
	assert_true(matcher_may_open(t.m, RULE_STREAM_S2C, 'y', false));
	assert_int_equal(n[2], 256);
	for (unsigned p = 0; p < PART_N; p++)
		assert_false(t.m->part[p].ready);
	tool_free(&t);
}

/* What is refused is named with its line, alone, and the others work. */
static void refusals(void **state)
{
	(void)state;
	static const char text[] = "a prod body regexp /x(?=y)/\n\nb prod body regexp /(a)\\1/\n"
				   "c prod body regexp /good/\nd prod body regexp /(/\n"
				   "e prod body regexp /x*/\nf proto stream:c2s regexp /(?<!a)b/\n";
	static const struct { const char *id; unsigned line; } want[] = {
		{"a", 1}, {"b", 3}, {"d", 5}, {"e", 6}, {"f", 7}};
	struct temporary dir = temporary_new();
	for (unsigned round = 0; round < 2; round++) {
		struct tool t = tool_over(rules_of(text), dir.path);
		assert_string_equal(SCAN(&t, RULE_BODY, NULL, "a good page"), "c");
		assert_string_equal(matcher_origin(t.m), round == 0 ? "compiled" : "cache");
		assert_int_equal(matcher_refusals(t.m), 5);
		for (unsigned i = 0; i < 5; i++) {
			struct rule_refusal r = matcher_refusal(t.m, i);
			assert_string_equal(r.id, want[i].id);
			assert_string_equal(r.list, "test");
			assert_int_equal(r.line, want[i].line);
			assert_true(strlen(r.reason) > 5);
		}
		tool_free(&t);
	}
	temporary_free(&dir);
}

/* Databases of other rules, or a file that somebody touched, are not used. */
static void cache(void **state)
{
	(void)state;
	struct temporary dir = temporary_new();
	static const char one[] = "a prod body contains \"one\"\ns proto stream:c2s prefix \"one\"\n",
			  two[] = "a prod body contains \"two\"\ns proto stream:c2s prefix \"one\"\n";
	struct tool t = tool_over(rules_of(one), dir.path);
	assert_int_equal(matcher_prepare(t.m), 0);
	assert_string_equal(matcher_origin(t.m), "compiled");
	tool_free(&t);
	t = tool_over(rules_of(two), dir.path);
	assert_string_equal(SCAN(&t, RULE_BODY, NULL, "one two"), "a");
	assert_string_equal(matcher_origin(t.m), "compiled");
	tool_free(&t);
	t = tool_over(rules_of(one), dir.path);
	/* Streams were made before the cache is asked for the rest. */
	assert_string_equal(SCAN(&t, RULE_BODY, NULL, "two"), "");
	assert_string_equal(SCAN(&t, RULE_BODY, NULL, "one"), "a");
	assert_string_equal(matcher_origin(t.m), "cache");
	struct found f = {{0}};
	struct matcher_stream *st;
	assert_int_equal(matcher_stream_open(&st, t.m, t.scratch, RULE_STREAM_C2S), 0);
	assert_int_equal(matcher_stream_scan(st, "one", 3, false, count, &f), 1);
	assert_string_equal(ids(&t, &f), "s");
	matcher_stream_close(st);
	tool_free(&t);
	temporary_free(&dir);
}

static uint32_t seed = 1;

static unsigned random_below(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void random_text(char *out, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		out[i] = (char)("ab\\\x00.(\xff"[random_below(2 + random_below(6))]);
}

static bool is_there(const struct rule *r, const char *data, size_t len)
{
	size_t first = 0, last = len >= r->len ? len - r->len : 0;
	if (len < r->len || (r->how == RULE_FULL && len != r->len))
		return false;
	if (r->how == RULE_PREFIX)
		last = 0;
	for (; first <= last; first++)
		if (memcmp(data + first, r->pattern, r->len) == 0)
			return true;
	return false;
}

/* Short literals beside a long one, in messages shorter than that (see LITERAL_MAX). */
static void beside_long(void **state)
{
	(void)state;
	static const char yyy[] = "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
	for (unsigned len = 28; len < sizeof(yyy); len += 3) {
		char text[512], message[128];
		snprintf(text, sizeof(text), "a prod body contains \"blocked\"\n"
			 "b prod body contains \"(.*)%.*s\"\nc prod body prefix \"a%.*s\"\n"
			 "d prod body full \"ab%.*s\"\n", (int)len, yyy, (int)len, yyy, (int)len, yyy);
		struct tool t = tool_over(rules_of(text), NULL);
		assert_string_equal(SCAN(&t, RULE_BODY, NULL, "$a blocked"), "a");
		assert_string_equal(SCAN(&t, RULE_BODY, NULL, "blocked"), "a");
		int n = snprintf(message, sizeof(message), "$(.*)%.*s", (int)len, yyy);
		assert_string_equal(scan(&t, RULE_BODY, NULL, message, (size_t)n), "b");
		n = snprintf(message, sizeof(message), "a%.*s", (int)len + 1, yyy);
		assert_string_equal(scan(&t, RULE_BODY, NULL, message, (size_t)n), "c");
		n = snprintf(message, sizeof(message), "ab%.*s", (int)len, yyy);
		assert_string_equal(scan(&t, RULE_BODY, NULL, message, (size_t)n), "d");
		assert_string_equal(scan(&t, RULE_BODY, NULL, message, (size_t)n - 1), "");
		tool_free(&t);
	}
}

/* Literals of a few bytes, many of them within others, over texts of the same few bytes. */
static void by_hand(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 40; round++) {
		struct ruleset *set;
		char id[16], pattern[64], data[64];
		assert_int_equal(ruleset_new(&set), 0);
		assert_int_equal(ruleset_load(set, "test", "", "", 0), 0);
		for (unsigned i = 0; i < 60; i++) {
			static const enum rule_where where[] = {RULE_BODY, RULE_STREAM_C2S};
			snprintf(id, sizeof(id), "r%u", i);
			unsigned len = 1 + random_below(i % 16 == 15 ? 60 : 5);
			random_text(pattern, len);
			struct draft d = {.line = i, .id = text_of(id, strlen(id)),
					  .pattern = text_of(pattern, len), .where = where[i & 1],
					  .how = (enum rule_how)random_below(i & 1 ? 2 : 3)};
			assert_int_equal(ruleset_add(set, &d), 0);
		}
		assert_int_equal(ruleset_refusals(set), 0);
		assert_int_equal(ruleset_seal(set), 0);
		struct tool t = tool_over(set, NULL);
		for (unsigned k = 0; k < 60; k++) {
			struct found whole = {{0}}, pieces = {{0}};
			struct matcher_stream *st;
			unsigned len = random_below(sizeof(data));
			random_text(data, len);
			assert_int_equal(matcher_scan(t.m, t.scratch, RULE_BODY, NULL, data, len,
						      count, &whole), 0);
			assert_int_equal(matcher_stream_open(&st, t.m, t.scratch, RULE_STREAM_C2S),
					 0);
			for (unsigned at = 0, n; at < len; at += n) {
				n = 1 + random_below(len - at);
				assert_int_equal(matcher_stream_scan(st, data + at, n, false, count,
								     &pieces), 0);
			}
			matcher_stream_close(st);
			for (unsigned i = 0; i < 60; i++) {
				const struct rule *r = ruleset_rule(set, i);
				unsigned want = is_there(r, data, len);
				assert_int_equal((i & 1 ? pieces : whole).times[i], want);
			}
		}
		tool_free(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),	cmocka_unit_test(lazy),
		cmocka_unit_test(stops),	cmocka_unit_test(stream_limit),
		cmocka_unit_test(reaches),	cmocka_unit_test(opens),
		cmocka_unit_test(refusals),	cmocka_unit_test(cache),
		cmocka_unit_test(beside_long),	cmocka_unit_test(by_hand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
