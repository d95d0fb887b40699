/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What is known of one HTTP response as a page: which rules it hit, and what it shows of itself.
 * Kept only of responses that hit a rule or frame Iran's national page; one block, whose rules
 * belong to the rule set.
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/lists/rules.h"

struct page_facts {
	struct rule_hits hits;
	const struct rule *rule; /* in a finding: the one that names the page; else NULL */
	uint16_t status;         /* 0: without a status line */
	bool framed_ir;          /* the body frames http://10.10.34.34, 35 or 36 (Aryan et al. 2013) */
	bool cut;                /* more of the body was to come than was searched */
	uint32_t body_len;       /* decoded bytes that were searched, 0 none */
	char title[96];          /* as in the body, cut; may be hostile */
	char frame[96];          /* source of its first <iframe> */
};
