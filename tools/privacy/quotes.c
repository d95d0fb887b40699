/* SPDX-License-Identifier: BSD-3-Clause */

#include "tools/privacy/quotes.h"

#include <ctype.h>
#include <string.h>

#include "classifiers/spelt.h"
#include "tools/privacy/text.h"

#define CUT_SURE   40u /* bytes of a name that text may break off behind, anywhere */
#define CUT_AT_END 4u  /* the same at the end of a text, or before "..." */

void quotes_know(struct quotes *q, const char *raw, size_t len, name_fn fn)
{
	if (len == 0 || q->n == QUOTES_MAX)
		return;
	for (unsigned i = 0; i < q->n; i++)
		if (q->known[i].len == len && memcmp(q->known[i].raw, raw, len) == 0)
			return;
	struct quote *k = &q->known[q->n++];
	k->raw = raw;
	k->len = len;
	spelt(raw, len, k->spelt, sizeof(k->spelt));
	k->spelt_len = strlen(k->spelt);
	fn(q->names, raw, len, k->as);
}

void quotes_know_string(struct quotes *q, const char *raw, name_fn fn)
{
	if (raw != NULL)
		quotes_know(q, raw, strlen(raw), fn);
}

void quotes_know_url(struct quotes *q, const char *url)
{
	size_t n;
	const char *host = name_host_in(url, strlen(url), &n);

	quotes_know_string(q, url, name_of_url);
	if (host != NULL)
		quotes_know(q, host, n, name_of_host);
}

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* Of either case; and some sentences have a mark for what is not printable. */
static bool stands_for(char quote, char byte)
{
	return tolower((unsigned char)quote) == tolower((unsigned char)byte) ||
	       (quote == '?' && (byte < ' ' || byte > '~'));
}

/* What of a name stands at p: all of it, or, with cut, the part that was quoted. 0: nothing. */
static size_t quoted(const char *name, size_t len, const char *p, const char *text, bool cut)
{
	size_t n = 0;

	if (p > text && (in_word(p[-1]) || p[-1] == '.') && in_word(name[0]))
		return 0;
	while (n < len && p[n] != '\0' && stands_for(p[n], name[n]))
		n++;
	if (n == len)
		return in_word(name[len - 1]) && (in_word(p[n]) || (p[n] == '.' && in_word(p[n + 1])))
			       ? 0
			       : n;
	bool ends = p[n] == '\0' || strncmp(p + n, "...", 3) == 0;
	return cut && (n >= CUT_SURE || (ends && n >= CUT_AT_END)) ? n : 0;
}

enum { FORM_SPELT = 1, FORM_RAW = 2 };

/* The longest of what is known that stands at p in one of the forms. NULL: none. */
static const struct quote *known_at(const struct quotes *q, const char *p, const char *text,
				    unsigned forms, bool cut, size_t *len)
{
	const struct quote *found = NULL;

	*len = 0;
	for (unsigned i = 0; i < q->n; i++) {
		const struct quote *k = &q->known[i];
		size_t as_spelt = forms & FORM_SPELT
					  ? quoted(k->spelt, k->spelt_len, p, text, cut)
					  : 0;
		size_t as_raw = forms & FORM_RAW && k->spelt_len != k->len
					? quoted(k->raw, k->len, p, text, cut)
					: 0;
		size_t n = as_spelt > as_raw ? as_spelt : as_raw;
		if (n > *len) {
			*len = n;
			found = k;
		}
	}
	return found;
}

static void swap_known(const struct quotes *q, char *text, size_t room, unsigned forms, bool cut)
{
	size_t n;

	for (char *p = text; *p != '\0'; p++) {
		const struct quote *k = known_at(q, p, text, forms, cut, &n);
		if (k == NULL)
			continue;
		text_replace(text, room, p, n, k->as);
		size_t step = strnlen(p, strlen(k->as));
		p += step != 0 ? step - 1 : 0;
		if (*p == '\0')
			return;
	}
}

static bool is_listed(const struct quotes *q, const char *name, size_t len)
{
	size_t n = q->rules != NULL ? ruleset_count(q->rules) : 0;

	for (size_t i = 0; i < n; i++) {
		const struct rule *u = ruleset_rule(q->rules, i);
		if (memmem(u->id, strlen(u->id), name, len) != NULL ||
		    memmem(u->name, strlen(u->name), name, len) != NULL ||
		    memmem(u->list, strlen(u->list), name, len) != NULL)
			return true;
	}
	return false;
}

/* Whatever else reads as a name, and the path behind it where there is one. */
static void sweep(const struct quotes *q, char *text, size_t room)
{
	char as[PSEUDONYM_SIZE];
	size_t start, end;

	for (size_t at = 0; name_next(text, at, strlen(text), &start, &end);) {
		at = end;
		name_of_host(q->names, text + start, end - start, as);
		if (strncmp(as, text + start, end - start) == 0 ||
		    is_listed(q, text + start, end - start))
			continue;
		if (text[end] == '/')
			end += strcspn(text + end, " ,;)'\"");
		name_fn fn = start >= 3 && memcmp(text + start - 3, "://", 3) == 0 ? name_of_url
										   : name_of_host;
		size_t from = start;
		if (fn == name_of_url)
			from = start - 3;
		size_t n = fn(q->names, text + from, end - from, as);
		text_replace(text, room, text + from, end - from, as);
		at = from + n;
		if (at >= strlen(text))
			return;
	}
}

void quotes_hide(const struct quotes *q, char *text, size_t room)
{
	/* What is spelt out first: raw bytes may read as words of the sentence. Then whole names: the
	 * end of one may read as the beginning of another. */
	swap_known(q, text, room, FORM_SPELT, false);
	swap_known(q, text, room, FORM_RAW, false);
	swap_known(q, text, room, FORM_SPELT | FORM_RAW, true);
	sweep(q, text, room);
}
