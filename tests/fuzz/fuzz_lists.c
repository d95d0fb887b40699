/* SPDX-License-Identifier: BSD-3-Clause */

/* Any bytes as a list, in each of the formats: nothing is lost, and what is kept is sound. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/lists/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static void check_rule(const struct ruleset *s, size_t i)
{
	const struct rule *r = ruleset_rule(s, i);
	require(r->index == i && r->len != 0 && r->len <= RULE_PATTERN_MAX && r->line != 0);
	require(r->where < RULE_WHERE_N && r->how < RULE_HOW_N && r->scope < RULE_SCOPE_N);
	require(r->confidence <= 10 && (r->where == RULE_HEADER || r->header[0] == '\0'));
	if (r->where == RULE_DNS) {
		/* What was put in is found: it, or one that comes before it. */
		const struct rule *found =
			ruleset_find_dns_name(s, (const char *)r->pattern, r->len);
		require(found != NULL && rule_compare(found, r) <= 0);
	}
	require(rule_compare(r, r) == 0);
	if (i > 0) {
		const struct rule *before = ruleset_rule(s, i - 1);
		require(rule_compare(r, before) == -rule_compare(before, r));
		/* Readers go forward, and say where they are. */
		require(r->line > before->line || strcmp(r->list, before->list) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ruleset *s;
	struct rule_hits hits = {.n = 0};

	if (ruleset_new(&s) != 0)
		return 0;
	int err = ruleset_load(s, "first", "", data, size);
	require(err == 0 || err == -EINVAL || err == -ENOMEM);
	if (err == 0 && ruleset_seal(s) == 0) {
		const struct list_info *l = ruleset_list(s, 0);
		require(l->rules == ruleset_count(s) && l->refused == ruleset_refusals(s));
		require(l->rows == l->rules + l->refused);
		for (size_t i = 0; i < ruleset_count(s); i++) {
			check_rule(s, i);
			rule_hits_add(&hits, ruleset_rule(s, i));
		}
		for (size_t i = 0; i < ruleset_refusals(s); i++)
			require(ruleset_refusal(s, i)->reason[0] != '\0' &&
				ruleset_refusal(s, i)->line != 0);
		const struct rule *best = rules_decide(&hits, "IR");
		require((best == NULL) == (ruleset_count(s) == 0));
		for (unsigned i = 1; i < hits.n; i++)
			require(rule_compare(hits.hit[i - 1], hits.hit[i]) < 0);
	}
	ruleset_free(s);
	return 0;
}
