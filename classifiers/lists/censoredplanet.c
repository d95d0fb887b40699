/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Censored Planet's blockpage_signatures.json and false_positive_signatures.json: one flat object of
 * strings a line, {"fingerprint":"b_nat_ir_1","pattern":"…"}, the pattern being a regular expression
 * over the whole response, headers and body, in which '.' is a newline too.
 *
 * The class is in the name: a_prod, b_nat, c_isp, d_corp, e_unk, f_gen. Every other name is one of
 * the false positives; going by the row and not by the file's name, a file that somebody renamed
 * accuses nobody. f_gen, words that any block page may have, is OONI's vbw.
 */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/lists/loader.h"

#define VALUE_MAX RULE_PATTERN_MAX

struct line_reader {
	const char *at, *end;
	const char *wrong; /* the first complaint sticks */
};

static void blanks(struct line_reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r'))
		r->at++;
}

static bool take(struct line_reader *r, char c, const char *wrong)
{
	blanks(r);
	if (r->wrong == NULL && r->at < r->end && *r->at == c) {
		r->at++;
		return true;
	}
	if (r->wrong == NULL)
		r->wrong = wrong;
	return false;
}

static unsigned hex4(struct line_reader *r)
{
	unsigned v = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (r->at == r->end || !isxdigit((unsigned char)*r->at)) {
			r->wrong = "\\u without four hexadecimal digits";
			return 0;
		}
		int c = tolower((unsigned char)*r->at++);
		v = v << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return v;
}

/* RFC 3629, section 3. */
static size_t put_utf8(uint32_t u, char out[4])
{
	if (u < 0x80) {
		out[0] = (char)u;
		return 1;
	}
	unsigned n = u < 0x800 ? 2 : u < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (unsigned i = n; i-- > 1; u >>= 6)
		out[i] = (char)(0x80 | (u & 0x3f));
	out[0] = (char)(lead[n] | u);
	return n;
}

/* \uXXXX behind its u; beyond the basic plane as a pair (RFC 8259, section 7). */
static size_t unicode(struct line_reader *r, char out[4])
{
	uint32_t u = hex4(r);
	if (u >= 0xd800 && u < 0xdc00) {
		uint32_t low = 0;
		if (r->end - r->at >= 2 && r->at[0] == '\\' && r->at[1] == 'u') {
			r->at += 2;
			low = hex4(r);
		}
		if (low < 0xdc00 || low > 0xdfff)
			r->wrong = "half a surrogate pair";
		u = 0x10000 + ((u - 0xd800) << 10 | ((low - 0xdc00) & 0x3ff));
	} else if (u >= 0xdc00 && u <= 0xdfff) {
		r->wrong = "half a surrogate pair";
	}
	return r->wrong == NULL ? put_utf8(u, out) : 0;
}

static size_t escape(struct line_reader *r, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *known;
	if (r->at == r->end) {
		r->wrong = "a string is not closed";
		return 0;
	}
	char c = *r->at++;
	if (c == 'u')
		return unicode(r, out);
	known = c != '\0' ? strchr(from, c) : NULL;
	if (known == NULL) {
		r->wrong = "an escape that JSON does not have";
		return 0;
	}
	out[0] = to[known - from];
	return 1;
}

static struct text read_string(struct line_reader *r, char buf[VALUE_MAX + 4])
{
	size_t n = 0;
	take(r, '"', "a string is expected");
	while (r->wrong == NULL) {
		if (r->at == r->end) {
			r->wrong = "a string is not closed";
			break;
		}
		char c = *r->at++;
		if (c == '"')
			return text_of(buf, n);
		if ((unsigned char)c < 0x20)
			r->wrong = "a control character in a string";
		else if (n >= VALUE_MAX)
			r->wrong = "a string longer than 8192 bytes";
		else if (c == '\\')
			n += escape(r, buf + n);
		else
			buf[n++] = c;
	}
	return text_of(buf, 0);
}

struct row {
	char key[VALUE_MAX + 4], fingerprint[VALUE_MAX + 4], pattern[VALUE_MAX + 4];
	char other[VALUE_MAX + 4];
	struct text id, expression;
};

static const char *read_row(struct row *row, const char *line, size_t len)
{
	struct line_reader r = {.at = line, .end = line + len};
	bool has_id = false, has_pattern = false, more;

	row->id = row->expression = text_of("", 0);
	take(&r, '{', "an object is expected");
	do {
		struct text key = read_string(&r, row->key);
		take(&r, ':', "a colon is expected");
		if (text_is(key, "fingerprint") && !has_id) {
			row->id = read_string(&r, row->fingerprint);
			has_id = true;
		} else if (text_is(key, "pattern") && !has_pattern) {
			row->expression = read_string(&r, row->pattern);
			has_pattern = true;
		} else {
			read_string(&r, row->other);
		}
		blanks(&r);
		more = r.wrong == NULL && r.at < r.end && *r.at == ',';
		r.at += more;
	} while (more);
	take(&r, '}', "a comma or a closing brace is expected");
	blanks(&r);
	if (r.wrong == NULL && r.at != r.end)
		r.wrong = "something follows the object";
	if (r.wrong == NULL && (!has_id || !has_pattern))
		r.wrong = "fingerprint or pattern is missing";
	return r.wrong;
}

static bool begins(struct text t, const char *word)
{
	size_t n = strlen(word);
	return t.len >= n && memcmp(t.s, word, n) == 0;
}

static enum rule_scope scope_of(struct text id)
{
	static const struct {
		const char *prefix;
		enum rule_scope scope;
	} classes[] = {
		{"a_prod_", RULE_PROD}, {"b_nat_", RULE_NAT}, {"c_isp_", RULE_ISP},
		{"d_corp_", RULE_INST}, {"e_unk_", RULE_UNKNOWN}, {"f_gen_", RULE_VBW},
	};
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (begins(id, classes[i].prefix))
			return classes[i].scope;
	return RULE_FP;
}

/* "c_isp_ru_12" is of RU; what is no code, as in "c_isp_telsy_1", binds the row to no country. */
static struct text country_of(struct text id, enum rule_scope scope, char out[2])
{
	size_t at = sizeof("b_nat_") - 1;
	if ((scope != RULE_NAT && scope != RULE_ISP) || id.len < at + 2 ||
	    (id.len > at + 2 && id.s[at + 2] != '_'))
		return text_of("", 0);
	out[0] = (char)toupper((unsigned char)id.s[at]);
	out[1] = (char)toupper((unsigned char)id.s[at + 1]);
	if (memcmp(out, "UK", 2) == 0)
		memcpy(out, "GB", 2);
	return country_known(out) ? text_of(out, 2) : text_of("", 0);
}

static int take_row(struct ruleset *s, struct row *row, uint32_t line)
{
	char country[2];
	struct draft d = {.line = line, .id = row->id, .pattern = row->expression,
			  .where = RULE_PAGE, .how = RULE_REGEXP, .scope = scope_of(row->id),
			  .source = text_of("Censored Planet", 15)};
	d.countries = country_of(row->id, d.scope, country);
	size_t n = regexp_literal(row->expression, row->other);
	if (n != 0) {
		d.how = RULE_CONTAINS;
		d.pattern = text_of(row->other, n);
	}
	return ruleset_add(s, &d);
}

int list_censored_planet_read(struct ruleset *s, const char *data, size_t len)
{
	struct row *row = malloc(sizeof(*row));
	uint32_t line = 0;
	int err = row == NULL ? -ENOMEM : 0;

	for (size_t at = 0; at < len && err == 0;) {
		const char *end = memchr(data + at, '\n', len - at);
		size_t n = end != NULL ? (size_t)(end - data) - at : len - at;
		struct line_reader r = {.at = data + at, .end = data + at + n};
		line++;
		blanks(&r);
		if (r.at != r.end) {
			const char *wrong = read_row(row, data + at, n);
			err = wrong != NULL ? ruleset_refuse(s, line, row->id, wrong)
					    : take_row(s, row, line);
		}
		at += n + 1;
	}
	free(row);
	return err;
}
