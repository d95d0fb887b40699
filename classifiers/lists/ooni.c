/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * OONI's blocking-fingerprints: fingerprints_http.csv and fingerprints_dns.csv, CSV as of RFC 4180
 * with the columns name, scope, other_names, location_found, pattern_type, pattern,
 * confidence_no_fp, expected_countries, source, exp_url, notes, in any order.
 *
 * Where our reading is more careful than the list's word:
 *  - rows that it took over from Censored Planet's "e_unk" class, "unknown", are of unknown scope
 *    here, though the list has them as nat;
 *  - prov (a page of the provider itself) and injb (an injection for the customer's own good) are
 *    no blocking by the network: they silence other rules, as false positives do;
 *  - a filter that the customer or a school chose is told by words in the row (OPT_IN).
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/lists/loader.h"

enum column { NAME, SCOPE, LOCATION, TYPE, PATTERN, CONFIDENCE, COUNTRIES, SOURCE, URL, NOTES,
	      OTHER, COLUMN_N };

static const char *const column_name[COLUMN_N] = {
	[NAME] = "name", [SCOPE] = "scope", [LOCATION] = "location_found", [TYPE] = "pattern_type",
	[PATTERN] = "pattern", [CONFIDENCE] = "confidence_no_fp",
	[COUNTRIES] = "expected_countries", [SOURCE] = "source", [URL] = "exp_url",
	[NOTES] = "notes", [OTHER] = "other_names",
};

/* "safeweb" is the name of Nayatel's filter for families. */
static const char *const opt_in_words[] = {"opt-in", "optin", "opt in", "parental", "family",
					   "school", "age gate", "safeweb"};

#define CELLS_MAX 32u
#define ROW_MAX 65536u /* bytes of one record without its quotes */

struct csv {
	const char *data;
	size_t at, len;
	uint32_t line;        /* of what comes next */
	uint32_t first_line;  /* of the record */
	char row[ROW_MAX];    /* cells of the record, quotes undone */
	struct text cell[CELLS_MAX];
	unsigned n;
};

enum row_outcome { ROW_END, ROW_READ, ROW_WRONG };

/* One cell into row from *used on; the position is left at what ended it. */
static bool csv_cell(struct csv *c, size_t *used)
{
	bool quoted = c->at < c->len && c->data[c->at] == '"';
	size_t first = *used;

	c->at += quoted;
	for (;; c->at++) {
		if (c->at == c->len && quoted)
			return false; /* the quote is never closed */
		if (c->at == c->len)
			break;
		char ch = c->data[c->at];
		if (quoted && ch == '"') {
			c->at++;
			if (c->at == c->len || c->data[c->at] != '"')
				break;
		} else if (!quoted && (ch == ',' || ch == '\n' || ch == '\r')) {
			break;
		}
		c->line += ch == '\n';
		if (*used == ROW_MAX)
			return false;
		c->row[(*used)++] = ch;
	}
	if (c->n == CELLS_MAX)
		return false;
	c->cell[c->n++] = text_of(c->row + first, *used - first);
	return true;
}

/* To behind the next line end: where a broken record is left behind. */
static void csv_skip_line(struct csv *c)
{
	const char *end = memchr(c->data + c->at, '\n', c->len - c->at);
	c->at = end != NULL ? (size_t)(end - c->data) + 1 : c->len;
	c->line += end != NULL;
}

static enum row_outcome csv_row(struct csv *c)
{
	size_t used = 0, start;
	c->n = 0;
	while (c->at < c->len && (c->data[c->at] == '\n' || c->data[c->at] == '\r'))
		c->line += c->data[c->at++] == '\n';
	if (c->at == c->len)
		return ROW_END;
	start = c->at;
	c->first_line = c->line;
	for (;;) {
		if (!csv_cell(c, &used)) {
			c->at = start;
			c->line = c->first_line;
			csv_skip_line(c);
			return ROW_WRONG;
		}
		if (c->at == c->len)
			return ROW_READ;
		char ch = c->data[c->at];
		if (ch == '\r' || ch == '\n') {
			csv_skip_line(c);
			return ROW_READ;
		}
		if (ch != ',') { /* text behind a closing quote */
			csv_skip_line(c);
			return ROW_WRONG;
		}
		c->at++;
	}
}

/* NULL, or which word of the row is unknown. */
static const char *read_words(struct text location, struct text type, struct text scope,
			      struct draft *d)
{
	static const char header[] = "header.";
	int how = text_index(type, rule_how_name, RULE_HOW_N);
	int who = text_index(scope, rule_scope_name, RULE_SCOPE_N);

	if (text_is(location, "body")) {
		d->where = RULE_BODY;
	} else if (text_is(location, "dns")) {
		d->where = RULE_DNS;
	} else if (location.len > sizeof(header) - 1 &&
		   memcmp(location.s, header, sizeof(header) - 1) == 0) {
		d->where = RULE_HEADER;
		d->header = text_of(location.s + sizeof(header) - 1,
				    location.len - (sizeof(header) - 1));
	} else {
		return "unknown location_found";
	}
	if (how < 0)
		return "unknown pattern_type";
	if (text_is(scope, "prov") || text_is(scope, "injb"))
		who = RULE_FP;
	if (who < 0)
		return "unknown scope";
	d->how = (enum rule_how)how;
	d->scope = (enum rule_scope)who;
	return NULL;
}

static bool chosen(const struct text *cells, const unsigned *at)
{
	static const enum column where[] = {NAME, OTHER, SOURCE, URL, NOTES};
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++)
		for (size_t k = 0; k < sizeof(opt_in_words) / sizeof(opt_in_words[0]); k++)
			if (at[where[i]] < CELLS_MAX && text_has(cells[at[where[i]]],
								 opt_in_words[k]))
				return true;
	return false;
}

/* A number from 0 to 10; anything else is not given. */
static uint8_t confidence_of(struct text t)
{
	unsigned n = 0;
	for (size_t i = 0; i < t.len; i++) {
		if (t.s[i] < '0' || t.s[i] > '9')
			return 0;
		n = n * 10 + (unsigned)(t.s[i] - '0');
		if (n > 10)
			return 0;
	}
	return (uint8_t)n;
}

static struct text cell(const struct csv *c, const unsigned *at, enum column which)
{
	return at[which] < c->n ? c->cell[at[which]] : text_of("", 0);
}

static int take_row(struct ruleset *s, const struct csv *c, const unsigned *at)
{
	struct text source = cell(c, at, SOURCE), url = cell(c, at, URL);
	struct draft d = {.line = c->first_line, .id = cell(c, at, NAME), .pattern = cell(c, at, PATTERN),
			  .name = cell(c, at, NOTES), .countries = cell(c, at, COUNTRIES),
			  .source = url.len != 0 ? url : source,
			  .confidence = confidence_of(cell(c, at, CONFIDENCE)),
			  .opt_in = chosen(c->cell, at)};
	const char *wrong = read_words(cell(c, at, LOCATION), cell(c, at, TYPE),
				       cell(c, at, SCOPE), &d);
	char literal[RULE_PATTERN_MAX];

	if (wrong != NULL)
		return ruleset_refuse(s, d.line, d.id, wrong);
	if (d.scope == RULE_NAT && text_has(d.id, "cp.e_unk_"))
		d.scope = RULE_UNKNOWN;
	if (d.how == RULE_REGEXP && d.pattern.len <= sizeof(literal)) {
		size_t n = regexp_literal(d.pattern, literal);
		if (n != 0) {
			d.how = RULE_CONTAINS;
			d.pattern = text_of(literal, n);
		}
	}
	return ruleset_add(s, &d);
}

static bool find_columns(const struct csv *c, unsigned at[COLUMN_N])
{
	for (unsigned i = 0; i < COLUMN_N; i++)
		at[i] = CELLS_MAX;
	for (unsigned i = 0; i < c->n; i++) {
		int which = text_index(c->cell[i], column_name, COLUMN_N);
		if (which >= 0 && at[which] != CELLS_MAX)
			return false; /* twice */
		if (which >= 0)
			at[which] = i;
	}
	return at[NAME] != CELLS_MAX && at[SCOPE] != CELLS_MAX && at[LOCATION] != CELLS_MAX &&
	       at[TYPE] != CELLS_MAX && at[PATTERN] != CELLS_MAX;
}

static int read_rows(struct ruleset *s, struct csv *c)
{
	unsigned at[COLUMN_N], columns;
	enum row_outcome got = csv_row(c);

	if (got != ROW_READ || !find_columns(c, at))
		return -EINVAL;
	columns = c->n;
	for (;;) {
		int err;
		got = csv_row(c);
		if (got == ROW_END)
			return 0;
		if (got == ROW_WRONG)
			err = ruleset_refuse(s, c->first_line, text_of("", 0), "broken quotes");
		else if (c->n != columns)
			err = ruleset_refuse(s, c->first_line, cell(c, at, NAME),
					     "not as many fields as the first line names");
		else
			err = take_row(s, c, at);
		if (err != 0)
			return err;
	}
}

int list_ooni_read(struct ruleset *s, const char *data, size_t len)
{
	struct csv *c = malloc(sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->data = data;
	c->at = 0;
	c->len = len;
	c->line = 1;
	int err = read_rows(s, c);
	free(c);
	return err;
}
