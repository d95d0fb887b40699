/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/lists/opening.h"

#include <ctype.h>
#include <string.h>

/* '?', '*' and "{0" may leave out what they stand behind. */
static bool may_repeat(const uint8_t *p, uint32_t len, uint32_t at)
{
	return at < len && (p[at] == '?' || p[at] == '*' || p[at] == '{' || p[at] == '+');
}

/*
 * A '^' at the beginning binds all of the expression unless there is another branch beside it, or a
 * flag such as (?m) gives it another meaning. Sets in brackets and branches together are not read.
 */
static bool is_bound(const uint8_t *p, uint32_t len)
{
	unsigned depth = 0;
	bool sets = false, branches = false;
	if (len == 0 || p[0] != '^' || may_repeat(p, len, 1))
		return false;
	for (uint32_t i = 1; i < len; i++) {
		if (p[i] == '\\') {
			i++;
			if (i < len && p[i] == 'Q') /* quotes up to \E */
				return false;
		} else if (p[i] == '[') {
			sets = true;
		} else if (p[i] == '(') {
			bool odd = i + 1 < len && (p[i + 1] == '?' || p[i + 1] == '*');
			if (odd && (i + 2 >= len || p[i + 1] != '?' || p[i + 2] != ':'))
				return false;
			depth++;
		} else if (p[i] == ')') {
			depth -= depth != 0;
		} else if (p[i] == '|') {
			branches = true;
			if (depth == 0)
				return false;
		}
	}
	return !sets || !branches;
}

static int hex(uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, tolower(c)) : NULL;
	return at != NULL ? (int)(at - digits) : -1;
}

/* The byte behind '^', where it is written as itself or as \xHH. */
static int first_of(const uint8_t *p, uint32_t len)
{
	uint32_t next = 2;
	int first = -1;
	if (len > 1 && p[1] < 0x80 && (isalnum(p[1]) || p[1] == '<' || p[1] == ' '))
		first = p[1];
	if (len > 4 && p[1] == '\\' && p[2] == 'x' && hex(p[3]) >= 0 && hex(p[4]) >= 0) {
		first = hex(p[3]) << 4 | hex(p[4]);
		next = 5;
	}
	return may_repeat(p, len, next) ? -1 : first;
}

struct opening opening_of(const struct rule *r)
{
	struct opening o = {.first = -1};
	if (r->how == RULE_PREFIX || r->how == RULE_FULL) {
		o.bound = true;
		o.first = r->len != 0 ? r->pattern[0] : -1;
	} else if (r->how == RULE_REGEXP && is_bound(r->pattern, r->len)) {
		o.bound = true;
		o.first = first_of(r->pattern, r->len);
	}
	return o;
}
