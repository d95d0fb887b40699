/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Private to the lists: what a reader of one format calls for each row. Everything given is copied.
 * Return values are 0 or -ENOMEM; a row that cannot be taken becomes a refusal, which is not an error.
 */

#include "classifiers/lists/rules.h"

/* Longer patterns are no fingerprints; also within the limits of Hyperscan (16,000). */
#define RULE_PATTERN_MAX 8192u
#define RULE_TEXT_MAX 512u /* of an id, a source, a name: what is longer is cut */

/* Bytes of a row that are not terminated; NULL data with length 0 is an absent field. */
struct text {
	const char *s;
	size_t len;
};

/* A row as read: a rule whose strings are not in the set yet. */
struct draft {
	uint32_t line;
	struct text id, source, name, countries, header, pattern;
	enum rule_where where;
	enum rule_how how;
	enum rule_scope scope;
	uint8_t confidence;
	bool nocase, opt_in;
};

/* Checks what every format has in common and adds the rule, or the refusal, to the current list. */
int ruleset_add(struct ruleset *s, const struct draft *d);
int ruleset_refuse(struct ruleset *s, uint32_t line, struct text id, const char *reason);

/* Readers: data is the whole file. -EINVAL: not this format at all. */
int list_ooni_read(struct ruleset *s, const char *data, size_t len);
int list_censored_planet_read(struct ruleset *s, const char *data, size_t len);
int list_rules_read(struct ruleset *s, const char *data, size_t len);
int list_builtin_read(struct ruleset *s);

static inline struct text text_of(const char *s, size_t len)
{
	return (struct text){.s = s, .len = len};
}
bool text_is(struct text t, const char *word);
bool text_has(struct text t, const char *word); /* word lower case; ASCII case is ignored */
/* The index of the word, or -1. */
int text_index(struct text t, const char *const *words, unsigned n);
/* ISO 3166-1 alpha-2, upper case, officially assigned, or ZZ for several (OONI). */
bool country_known(const char code[2]);
/*
 * A regular expression that means just its bytes, without its escapes: length, or 0 if it means
 * more. out has room for re.len bytes.
 */
size_t regexp_literal(struct text re, char *out);
