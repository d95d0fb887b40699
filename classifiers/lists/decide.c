/* SPDX-License-Identifier: BSD-3-Clause */

/* Rules against each other: which of those that a page hit names it. And words that rows share. */

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "classifiers/lists/loader.h"

int rule_compare(const struct rule *a, const struct rule *b)
{
	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	/* Chosen by the customer: of two readings of one page the one that accuses less. */
	if (a->opt_in != b->opt_in)
		return a->opt_in ? -1 : 1;
	if (a->confidence != b->confidence)
		return a->confidence > b->confidence ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

bool rule_fits(const struct rule *r, const char *country)
{
	const char *c = r->countries;
	if (*c == '\0')
		return true;
	if (country == NULL || strlen(country) != 2)
		return false;
	for (; strlen(c) >= 2; c += 2 + (c[2] == ','))
		if (memcmp(c, country, 2) == 0)
			return true;
	return false;
}

#define NAME_LEAST 6 /* bytes: shorter ones stand in other words */

/* At p the rule's text goes on with the name; backslashes escape. */
static bool goes_on(const uint8_t *p, const uint8_t *end, const char *name)
{
	for (; *name != '\0'; name++, p++) {
		if (p < end && *p == '\\')
			p++;
		if (p >= end || tolower(*p) != tolower((unsigned char)*name))
			return false;
	}
	return true;
}

static bool mentions(const struct rule *r, const char *name)
{
	const uint8_t *end = r->pattern + r->len;
	for (const uint8_t *p = r->pattern; p < end; p++)
		if (goes_on(p, end, name))
			return true;
	return false;
}

bool ruleset_mentions(const struct ruleset *s, const char *name)
{
	if (strncasecmp(name, "www.", 4) == 0)
		name += 4;
	if (strlen(name) < NAME_LEAST || strchr(name, '.') == NULL)
		return false;
	for (size_t i = 0; i < ruleset_count(s); i++) {
		const struct rule *r = ruleset_rule(s, i);
		if (r->where == RULE_HEADER && r->scope != RULE_FP && mentions(r, name))
			return true;
	}
	return false;
}

void rule_hits_add(struct rule_hits *h, const struct rule *r)
{
	unsigned at = 0;
	while (at < h->n && rule_compare(h->hit[at], r) < 0)
		at++;
	if (at < h->n && h->hit[at] == r)
		return;
	if (h->n == RULE_HITS_MAX)
		h->more += h->more < UINT16_MAX;
	if (at == RULE_HITS_MAX)
		return;
	if (h->n < RULE_HITS_MAX)
		h->n++;
	memmove(&h->hit[at + 1], &h->hit[at], (h->n - 1 - at) * sizeof(h->hit[0]));
	h->hit[at] = r;
}

const struct rule *rules_decide(const struct rule_hits *h, const char *country)
{
	const struct rule *best = h->n != 0 ? h->hit[0] : NULL;
	if (best == NULL || best->scope == RULE_FP || rule_fits(best, country))
		return best;
	for (unsigned i = 1; i < h->n && h->hit[i]->scope == best->scope; i++)
		if (rule_fits(h->hit[i], country))
			return h->hit[i];
	return best;
}

bool text_is(struct text t, const char *word)
{
	return strlen(word) == t.len && (t.len == 0 || memcmp(t.s, word, t.len) == 0);
}

bool text_has(struct text t, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; i + n <= t.len; i++) {
		size_t k = 0;
		while (k < n && tolower((unsigned char)t.s[i + k]) == word[k])
			k++;
		if (k == n)
			return true;
	}
	return false;
}

int text_index(struct text t, const char *const *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (text_is(t, words[i]))
			return (int)i;
	return -1;
}

bool country_known(const char code[2])
{
	static const char codes[] =
		"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCF"
		"CGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGH"
		"GIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKW"
		"KYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNG"
		"NINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSN"
		"SOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYT"
		"ZAZMZWXKZZ";
	for (size_t i = 0; i + 1 < sizeof(codes) - 1; i += 2)
		if (memcmp(codes + i, code, 2) == 0)
			return true;
	return false;
}

size_t regexp_literal(struct text re, char *out)
{
	size_t n = 0;
	for (size_t i = 0; i < re.len; i++) {
		char c = re.s[i];
		if (c == '\\') {
			if (++i == re.len)
				return 0;
			c = re.s[i];
			/* Escaped letters and digits are classes, anchors or references. */
			if (c == 'n' || c == 'r' || c == 't')
				c = c == 'n' ? '\n' : c == 'r' ? '\r' : '\t';
			else if (isalnum((unsigned char)c) || (unsigned char)c >= 0x80)
				return 0;
		} else if (strchr("^$.|?*+()[]{}", c) != NULL) {
			return 0;
		}
		out[n++] = c;
	}
	return n;
}
