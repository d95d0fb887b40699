/* SPDX-License-Identifier: BSD-3-Clause */

/* How good the capture is, and what the words of the report mean. */

#include <inttypes.h>
#include <string.h>

#include "tools/escape.h"
#include "tools/facts.h"
#include "tools/report_text.h"
#include "tools/words.h"

#define LABEL 12

static void label(const struct text *t, const char *word)
{
	fprintf(t->out, "%-*s", LABEL, word);
}

static void wrapped(const struct text *t, unsigned indent, const char *raw)
{
	char buf[4 * 512 + 1];

	escape_string(buf, sizeof(buf), raw, t->escape | ESCAPE_KEEP_BACKSLASH);
	text_wrap(t, indent, buf);
}

static void files(const struct text *t, const struct capture_result *c)
{
	for (unsigned i = 0; i < c->n_files; i++) {
		label(t, i == 0 ? "Capture" : "");
		text_raw(t, c->files[i], strlen(c->files[i]));
		putc('\n', t->out);
	}
}

/* Each link type once. */
static void link_types(const struct capture_result *c, char *out, size_t room)
{
	const struct source_stats *s = &c->stats.source;
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < s->n_ifaces && n + 40 < room; i++) {
		bool again = false;
		for (unsigned k = 0; k < i; k++)
			again = again || s->ifaces[k].linktype == s->ifaces[i].linktype;
		if (again)
			continue;
		const char *name = facts_linktype(s->ifaces[i].linktype);
		if (name != NULL)
			n += (size_t)snprintf(out + n, room - n, ", %s", name);
		else
			n += (size_t)snprintf(out + n, room - n, ", link type %" PRIu32,
					      s->ifaces[i].linktype);
	}
}

static void extent(const struct text *t, const struct capture_result *c)
{
	char first[FACTS_TIME_SIZE], text[640], span[80] = "", links[400];
	uint64_t ms = (c->stats.last_ns - c->stats.first_ns) / 1000000;

	if (c->stats.source.received > 0)
		snprintf(span, sizeof(span), ", from %.19sZ, %" PRIu64 ".%03u s long",
			 facts_time(c->stats.first_ns, first), ms / 1000, (unsigned)(ms % 1000));
	link_types(c, links, sizeof(links));
	snprintf(text, sizeof(text), "%" PRIu64 " packet%s, %" PRIu64 " bytes%s%s",
		 c->stats.source.received, c->stats.source.received == 1 ? "" : "s",
		 c->stats.source.bytes, span, links);
	label(t, "");
	text_wrap(t, LABEL, text);
	if (c->stats.source.mode[0] != '\0') {
		label(t, "With");
		text_wrap(t, LABEL, c->stats.source.mode);
	}
}

static void vantage(const struct text *t, const struct capture_result *c)
{
	char text[320];

	label(t, "Taken");
	snprintf(text, sizeof(text), "%s (%s)%s%s", words_vantage(c->vantage),
		 c->vantage_given ? "as --vantage says" : "worked out from the packets",
		 c->vantage_why[0] != '\0' ? ": " : "", c->vantage_why);
	wrapped(t, LABEL, text);
	if (!c->control)
		return;
	label(t, "Control");
	wrapped(t, LABEL, "the rates of the other captures are compared with this one's");
}

struct not_analysed {
	char text[1024];
	size_t n;
	uint64_t packets;
};

/* Ends of packets that no connection was made of. */
static void not_analysed(void *user, const char *group, const char *name, uint64_t n)
{
	struct not_analysed *s = user;
	bool analysed = strcmp(name, decode_end_name[DECODE_OK]) == 0 ||
			strcmp(name, decode_end_name[DECODE_NO_PORTS]) == 0;

	if (strcmp(group, "decode") != 0 || analysed || n == 0)
		return;
	s->packets += n;
	int k = snprintf(s->text + s->n, sizeof(s->text) - s->n, "%s%" PRIu64 " %s",
			 s->n != 0 ? ", " : "", n, name);
	if (k > 0 && (size_t)k < sizeof(s->text) - s->n)
		s->n += (size_t)k;
}

static void ends(const struct text *t, const struct capture_result *c)
{
	struct not_analysed s = {.n = 0};
	char text[1200];

	facts_counters(c, not_analysed, &s);
	if (s.packets == 0)
		return;
	label(t, "No flow");
	snprintf(text, sizeof(text), "%" PRIu64 " packet%s: %s", s.packets,
		 s.packets == 1 ? "" : "s", s.text);
	text_wrap(t, LABEL, text);
}

static void capture(const struct text *t, const struct capture_result *c)
{
	struct facts_notes notes;

	files(t, c);
	extent(t, c);
	if (c->stats.source.received > 0)
		vantage(t, c);
	ends(t, c);
	if (c->partial) {
		label(t, "Damaged");
		wrapped(t, LABEL,
			c->partial_why[0] != '\0' ? c->partial_why : "not read to its end");
	}
	facts_notes(c, &notes);
	for (unsigned i = 0; i < notes.n; i++) {
		label(t, i == 0 ? "Limits" : "");
		fputs("- ", t->out);
		text_wrap(t, LABEL + 2, notes.text[i]);
	}
}

/* Nothing found means little for what was not looked for. */
static void scope(const struct text *t)
{
	bool covered[FAMILY_N];
	char text[2][512] = {"looked for: ", "not looked for: "};
	size_t n[2] = {strlen(text[0]), strlen(text[1])};
	bool any[2] = {false, false};

	words_covered(covered);
	for (unsigned f = 0; f < FAMILY_N; f++) {
		unsigned k = covered[f] ? 0 : 1;
		n[k] += (size_t)snprintf(text[k] + n[k], sizeof(text[k]) - n[k], "%s%s",
					 any[k] ? ", " : "", family_name[f]);
		any[k] = true;
	}
	putc('\n', t->out);
	for (unsigned k = 0; k < 2; k++) {
		if (!any[k])
			continue;
		label(t, k == 0 ? "Scope" : "");
		text_wrap(t, LABEL, text[k]);
	}
}

void text_captures(const struct text *t)
{
	const struct report_options *o = t->options;

	for (unsigned i = 0; i < t->analysis->n_captures; i++) {
		putc('\n', t->out);
		capture(t, &t->analysis->captures[i]);
	}
	scope(t);
	if (o->n_errors > 0)
		putc('\n', t->out);
	for (unsigned i = 0; i < o->n_errors; i++) {
		label(t, "Not read");
		/* The reason names the file. */
		wrapped(t, LABEL, o->errors[i].reason);
	}
}

void text_legend(const struct text *t)
{
	for (unsigned i = 0; i < TEXT_WIDTH; i++)
		putc('-', t->out);
	fputs("\nWords used\n", t->out);
	for (const struct words_meaning *r = words_legend; r->word != NULL; r++) {
		fprintf(t->out, "  %-14s", r->word);
		text_wrap(t, 16, r->meaning);
	}
}
