/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Literals of a rules file against a message, both of any bytes: what the matcher finds is what a
 * search by hand finds. The input is a rules file, a line of "--", a message.
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/lists/matcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RULES_MAX 64u

static void require(bool what)
{
	if (!what)
		abort();
}

static bool count(void *user, const struct rule *r, uint64_t end)
{
	unsigned *times = user;
	require(end >= 1 && times[r->index]++ == 0);
	return true;
}

static bool same(const struct rule *r, const uint8_t *p)
{
	for (uint32_t i = 0; i < r->len; i++)
		if (p[i] != r->pattern[i] &&
		    !(r->nocase && p[i] < 128 && tolower(p[i]) == tolower(r->pattern[i])))
			return false;
	return true;
}

static bool is_there(const struct rule *r, const uint8_t *data, size_t len)
{
	if (r->len > len || (r->how == RULE_FULL && r->len != len))
		return false;
	size_t last = r->how == RULE_CONTAINS ? len - r->len : 0;
	for (size_t i = 0; i <= last; i++)
		if (same(r, data + i))
			return true;
	return false;
}

static void scan(struct ruleset *s, struct matcher *m, const uint8_t *data, size_t len)
{
	unsigned body[RULES_MAX] = {0}, stream[RULES_MAX] = {0};
	struct matcher_scratch *scratch;
	struct matcher_stream *st = NULL;

	require(matcher_scratch_new(&scratch, m) == 0);
	require(matcher_scan(m, scratch, RULE_BODY, NULL, data, len, count, body) == 0);
	require(matcher_stream_open(&st, m, scratch, RULE_STREAM_C2S) == 0);
	for (size_t at = 0, n = 1; at < len; at += n, n = n * 2 + 1) {
		n = n < len - at ? n : len - at;
		require(matcher_stream_scan(st, data + at, n, false, count, stream) >= 0);
	}
	matcher_stream_close(st);
	for (size_t i = 0; i < ruleset_count(s); i++) {
		const struct rule *r = ruleset_rule(s, i);
		if (r->how == RULE_REGEXP)
			continue;
		if (r->where == RULE_BODY || r->where == RULE_PAGE)
			require(body[i] == is_there(r, data, len));
		if (r->where == RULE_STREAM_C2S && len <= MATCHER_STREAM_LIMIT)
			require(stream[i] == is_there(r, data, len));
	}
	matcher_scratch_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ruleset *s;
	struct matcher *m = NULL;
	const uint8_t *cut = memmem(data, size, "\n--\n", 4);
	size_t len = cut != NULL ? (size_t)(cut - data) : size;

	/* Expressions may take minutes to compile, and are Hyperscan's own business. */
	if (memmem(data, len, "regexp", 6) != NULL || ruleset_new(&s) != 0)
		return 0;
	if (ruleset_load(s, "fuzz", "", data, len) == 0 && ruleset_seal(s) == 0 &&
	    ruleset_count(s) <= RULES_MAX &&
	    matcher_new(&m, s, &(struct matcher_config){.cache_dir = NULL}) == 0 && cut != NULL) {
		require(matcher_refusals(m) == 0);
		scan(s, m, cut + 4, size - len - 4);
	}
	matcher_free(m);
	ruleset_free(s);
	return 0;
}
