/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The rules file, for rules of one's own. UTF-8, one rule a line; empty lines and lines that begin
 * with # are passed over:
 *
 *   ID SCOPE WHERE HOW PATTERN [WORD…]
 *
 *   ID       letters, digits, '.', '_', '-': what reports say
 *   SCOPE    nat isp prod inst vbw unknown: who filters; fp: this is no block page, whatever other
 *            rules say; proto: the opening of a protocol
 *   WHERE    head body page (head or body), header:NAME (its value), status (the code), stream:c2s
 *            stream:s2c (first 16 KiB of a TCP direction), datagram (a UDP payload), dns (a whole
 *            address or name in an answer)
 *   HOW      contains prefix full regexp
 *   PATTERN  "text" with \\ \" \n \r \t \xHH, or for regexp /expression/, where \/ is a slash and
 *            all else is the regular expression's own (PCRE without look-around and back references)
 *   WORD     nocase: letters of either case; opt-in: the customer chose this filter;
 *            countries=IR,PK; confidence=1 to 10; name="for people"; source="where described"
 *
 *   example-page  isp  body             contains  "is not available by order of"  countries=PK
 *   example-box   prod header:location  prefix    "http://block.example/?u="      name="Example box"
 *   example-vpn   proto stream:c2s      regexp    /^\x00[\x20-\x7f]{8}/           name="Example VPN"
 *   example-dns   nat  dns              full      "192.0.2.7"                     countries=IR
 */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/lists/loader.h"

struct words {
	const char *at, *end;
	char pattern[RULE_PATTERN_MAX], name[RULE_TEXT_MAX], source[RULE_TEXT_MAX];
};

static void blanks(struct words *w)
{
	while (w->at < w->end && (*w->at == ' ' || *w->at == '\t' || *w->at == '\r'))
		w->at++;
}

/* Up to a blank, or behind a '='. */
static struct text word(struct words *w)
{
	blanks(w);
	const char *first = w->at;
	while (w->at < w->end && *w->at != ' ' && *w->at != '\t' && *w->at != '\r')
		if (*w->at++ == '=')
			break;
	return text_of(first, (size_t)(w->at - first));
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *d = c != '\0' ? strchr(digits, tolower((unsigned char)c)) : NULL;
	return d != NULL ? (int)(d - digits) : -1;
}

/* The byte behind a backslash, or -1. */
static int escaped(struct words *w)
{
	if (w->at == w->end)
		return -1;
	char c = *w->at++;
	if (c == 'x') {
		int high = w->end - w->at >= 2 ? hex_digit(w->at[0]) : -1;
		int low = high >= 0 ? hex_digit(w->at[1]) : -1;
		w->at += low >= 0 ? 2 : 0;
		return low >= 0 ? high << 4 | low : -1;
	}
	return c == '\\' || c == '"' ? c : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : -1;
}

static const char *quoted(struct words *w, char *buf, size_t room, struct text *out)
{
	size_t n = 0;
	blanks(w);
	if (w->at == w->end || *w->at++ != '"')
		return "a text in quotes is expected";
	for (;;) {
		if (w->at == w->end)
			return "a quote is not closed";
		int c = (unsigned char)*w->at++;
		if (c == '"')
			break;
		if (c == '\\' && (c = escaped(w)) < 0)
			return "behind a backslash: \\ \" n r t or x and two hexadecimal digits";
		if (n == room)
			return "a text is too long";
		buf[n++] = (char)c;
	}
	*out = text_of(buf, n);
	return NULL;
}

static const char *slashed(struct words *w, struct text *out)
{
	size_t n = 0;
	blanks(w);
	if (w->at == w->end || *w->at++ != '/')
		return "a regular expression between slashes is expected";
	for (;;) {
		if (w->at == w->end)
			return "a regular expression is not closed";
		char c = *w->at++;
		if (c == '/')
			break;
		bool pair = c == '\\' && w->at < w->end;
		if (n + pair >= sizeof(w->pattern))
			return "a regular expression is too long";
		if (!pair || *w->at != '/')
			w->pattern[n++] = c;
		if (pair)
			w->pattern[n++] = *w->at++;
	}
	*out = text_of(w->pattern, n);
	return NULL;
}

static bool id_fits(struct text id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!isalnum((unsigned char)id.s[i]) && strchr("._-", id.s[i]) == NULL)
			return false;
	return id.len != 0 && id.len < RULE_TEXT_MAX;
}

static bool read_where(struct text t, struct draft *d)
{
	static const char header[] = "header:";
	size_t n = sizeof(header) - 1;
	int where = text_index(t, rule_where_name, RULE_WHERE_N);

	if (text_is(t, "status")) {
		d->where = RULE_HEADER;
		d->header = text_of(":status", 7);
		return true;
	}
	if (t.len > n && memcmp(t.s, header, n) == 0) {
		d->where = RULE_HEADER;
		d->header = text_of(t.s + n, t.len - n);
		return true;
	}
	d->where = (enum rule_where)where;
	return where >= 0 && where != RULE_HEADER;
}

static const char *read_confidence(struct words *w, struct draft *d)
{
	struct text t = word(w);
	bool ten = text_is(t, "10");
	if (!ten && (t.len != 1 || t.s[0] < '1' || t.s[0] > '9'))
		return "confidence is a number from 1 to 10";
	d->confidence = ten ? 10 : (uint8_t)(t.s[0] - '0');
	return NULL;
}

static const char *read_options(struct words *w, struct draft *d)
{
	for (;;) {
		const char *wrong = NULL;
		struct text t = word(w);
		if (t.len == 0)
			return NULL;
		if (text_is(t, "nocase"))
			d->nocase = true;
		else if (text_is(t, "opt-in"))
			d->opt_in = true;
		else if (text_is(t, "countries="))
			d->countries = word(w);
		else if (text_is(t, "confidence="))
			wrong = read_confidence(w, d);
		else if (text_is(t, "name="))
			wrong = quoted(w, w->name, sizeof(w->name), &d->name);
		else if (text_is(t, "source="))
			wrong = quoted(w, w->source, sizeof(w->source), &d->source);
		else
			wrong = "unknown word behind the pattern";
		if (wrong != NULL)
			return wrong;
	}
}

/* NULL, or what is wrong; the row's id is set as soon as it is known. */
static const char *read_rule(struct words *w, struct draft *d)
{
	struct text id = word(w);
	if (!id_fits(id))
		return "an id of letters, digits, '.', '_' and '-' is expected";
	d->id = id;
	int scope = text_index(word(w), rule_scope_name, RULE_SCOPE_N);
	if (scope < 0)
		return "unknown scope: fp nat isp prod inst vbw unknown proto";
	d->scope = (enum rule_scope)scope;
	if (!read_where(word(w), d))
		return "unknown place: head header:NAME status body page stream:c2s stream:s2c "
		       "datagram dns";
	int how = text_index(word(w), rule_how_name, RULE_HOW_N);
	if (how < 0)
		return "unknown match: contains prefix full regexp";
	d->how = (enum rule_how)how;
	const char *wrong = how == RULE_REGEXP
				    ? slashed(w, &d->pattern)
				    : quoted(w, w->pattern, sizeof(w->pattern), &d->pattern);
	if (wrong == NULL && w->at < w->end && *w->at != ' ' && *w->at != '\t' && *w->at != '\r')
		wrong = "a blank is expected behind the pattern";
	return wrong != NULL ? wrong : read_options(w, d);
}

int list_rules_read(struct ruleset *s, const char *data, size_t len)
{
	struct words *w = malloc(sizeof(*w));
	uint32_t line = 0;
	int err = w == NULL ? -ENOMEM : 0;

	for (size_t at = 0; at < len && err == 0;) {
		const char *end = memchr(data + at, '\n', len - at);
		size_t n = end != NULL ? (size_t)(end - data) - at : len - at;
		struct draft d = {.line = ++line};
		w->at = data + at;
		w->end = w->at + n;
		at += n + 1;
		blanks(w);
		if (w->at == w->end || *w->at == '#')
			continue;
		const char *wrong = read_rule(w, &d);
		err = wrong != NULL ? ruleset_refuse(s, line, d.id, wrong) : ruleset_add(s, &d);
	}
	free(w);
	return err;
}
