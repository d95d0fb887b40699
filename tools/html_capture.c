/* SPDX-License-Identifier: BSD-3-Clause */

/* What was read, how well, and how: captures, the words used, the run. */

#include <string.h>

#include "config.h"
#include "tools/html.h"
#include "tools/words.h"

static void files(const struct html *h, const struct capture_result *c)
{
	enum { MOST = 20 };

	html_term(h, c->n_files == 1 ? "File" : "Files");
	for (unsigned i = 0; i < c->n_files && i < MOST; i++) {
		fputs(i != 0 ? ", " : "", h->out);
		html_name(h, c->files[i], strlen(c->files[i]));
	}
	if (c->n_files > MOST)
		fprintf(h->out, " and %u more", c->n_files - MOST);
	html_term_end(h);
}

static void extent(const struct html *h, const struct capture_result *c)
{
	html_term(h, "Holds");
	html_count(h, c->stats.source.received);
	fprintf(h->out, " packet%s, ", html_plural(c->stats.source.received));
	html_count(h, c->stats.source.bytes);
	fputs(" bytes", h->out);
	if (c->stats.source.received > 0) {
		fputs(", from ", h->out);
		html_time(h, c->stats.first_ns);
		fprintf(h->out, ", %.3f s long",
			(double)(c->stats.last_ns - c->stats.first_ns) / 1e9);
	}
	html_term_end(h);
}

static void vantage(const struct html *h, const struct capture_result *c)
{
	if (c->stats.source.received == 0)
		return;
	if (c->stats.source.mode[0] != '\0') {
		html_term(h, "With");
		html_text(h, c->stats.source.mode);
		html_term_end(h);
	}
	html_term(h, "Taken");
	fprintf(h->out, "<b>%s</b> (%s)", words_vantage(c->vantage),
		c->vantage_given ? "as --vantage says" : "worked out from the packets");
	if (c->vantage_why[0] != '\0') {
		fputs(": ", h->out);
		html_text(h, c->vantage_why);
	}
	html_term_end(h);
}

static void lost(const struct html *h, const struct capture_result *c)
{
	bool known;
	uint64_t n = facts_dropped(c, &known);

	html_term(h, "Lost by the capturing system");
	if (known) {
		html_count(h, n);
		fprintf(h->out, " packet%s", html_plural(n));
	} else {
		fputs("the capture does not say", h->out);
	}
	html_term_end(h);
}

static void capture(const struct html *h, const struct capture_result *c)
{
	struct facts_notes notes;

	fputs("<dl class=\"facts\">\n", h->out);
	files(h, c);
	extent(h, c);
	vantage(h, c);
	lost(h, c);
	if (c->partial)
		html_said(h, "Damaged",
			  c->partial_why[0] != '\0' ? c->partial_why : "not read to its end");
	fputs("</dl>\n", h->out);
	facts_notes(c, &notes);
	if (notes.n == 0)
		return;
	fputs("<h3>What this capture rules out or makes less sure</h3>\n<ul class=\"limits\">\n",
	      h->out);
	for (unsigned i = 0; i < notes.n; i++) {
		fputs("<li>", h->out);
		html_text(h, notes.text[i]);
		fputs("</li>\n", h->out);
	}
	fputs("</ul>\n", h->out);
}

/* Nothing found means little for what was not looked for. */
static void scope(const struct html *h)
{
	bool covered[FAMILY_N];

	words_covered(covered);
	for (unsigned want = 0; want < 2; want++) {
		bool any = false;
		for (unsigned f = 0; f < FAMILY_N; f++) {
			if (covered[f] != (want == 0))
				continue;
			fprintf(h->out, "%s%s",
				any	    ? ", "
				: want == 0 ? "<p>Looked for: "
					    : "<p><b>Not</b> looked for: ",
				family_name[f]);
			any = true;
		}
		fputs(any ? ".</p>\n" : "", h->out);
	}
}

static void capture_row(const struct html *h, const struct capture_result *c)
{
	struct facts_notes notes;

	fputs("<tr><td>", h->out);
	for (unsigned i = 0; i < c->n_files && i < 3; i++) {
		fputs(i != 0 ? ", " : "", h->out);
		html_name(h, c->files[i], strlen(c->files[i]));
	}
	if (c->n_files > 3)
		fprintf(h->out, " and %u more", c->n_files - 3);
	fputs("</td>", h->out);
	html_cell_count(h, c->stats.source.received);
	fprintf(h->out, "<td class=\"number\">%.3f</td><td>%s</td><td>",
		(double)(c->stats.last_ns - c->stats.first_ns) / 1e9, words_vantage(c->vantage));
	facts_notes(c, &notes);
	if (notes.n > 0)
		fputs("<ul>", h->out);
	for (unsigned i = 0; i < notes.n; i++) {
		fputs("<li>", h->out);
		html_text(h, notes.text[i]);
		fputs("</li>", h->out);
	}
	fputs(notes.n > 0 ? "</ul></td></tr>\n" : "</td></tr>\n", h->out);
}

static void many_captures(const struct html *h)
{
	const struct analysis *a = h->analysis;

	html_table(h, "Captures, and what they rule out or make less sure",
		   "File|#Packets|#Seconds|Taken|Limits");
	for (unsigned i = 0; i < a->n_captures && i < HTML_ROWS_MAX; i++)
		capture_row(h, &a->captures[i]);
	html_table_end(h);
	html_left_out(h, a->n_captures > HTML_ROWS_MAX ? a->n_captures - HTML_ROWS_MAX : 0,
		      "captures");
}

void html_captures(const struct html *h)
{
	enum { IN_FULL = 3 };
	const struct report_options *o = h->options;
	const struct analysis *a = h->analysis;

	for (unsigned i = 0; i < a->n_captures && a->n_captures <= IN_FULL; i++)
		capture(h, &a->captures[i]);
	if (a->n_captures > IN_FULL)
		many_captures(h);
	for (unsigned i = 0; i < o->n_errors; i++) {
		fputs("<p class=\"warning\">Not read: ", h->out);
		html_text(h, o->errors[i].reason);
		fputs("</p>\n", h->out);
	}
	if (o->comparison == NULL)
		scope(h);
}

void html_legend(const struct html *h)
{
	html_section(h, "words", "Words used");
	fputs("<dl class=\"facts\">\n", h->out);
	for (const struct words_meaning *m = words_legend; m->word != NULL; m++)
		html_said(h, m->word, m->meaning);
	for (const struct words_meaning *m = words_terms; m->word != NULL; m++)
		html_said(h, m->word, m->meaning);
	fputs("</dl>\n", h->out);
	html_section_end(h);
}

void html_run(const struct html *h)
{
	const struct report_options *o = h->options;

	html_section(h, "run", "This report");
	fputs("<dl class=\"facts\">\n", h->out);
	html_said(h, "Made by", "wmscope " WMSCOPE_VERSION);
	if (o->argc > 0) {
		html_term(h, "Called as");
		fputs("<code>", h->out);
		for (int i = 0; i < o->argc; i++) {
			fputs(i != 0 ? " " : "", h->out);
			html_name(h, o->argv[i], strlen(o->argv[i]));
		}
		fputs("</code>", h->out);
		html_term_end(h);
	}
	html_said(h, "Addresses of clients",
		  o->real_clients ? "as captured: do not share this report unless that is meant"
				  : "pseudonyms, which keep the prefixes that addresses share");
	if (o->redacted_names)
		html_said(h, "Names", "pseudonyms of as many labels; the same name has the same one in "
				      "all reports of one key");
	for (size_t i = 0; o->rules != NULL && i < ruleset_lists(o->rules); i++) {
		const struct list_info *l = ruleset_list(o->rules, i);
		html_term(h, i == 0 ? "Lists" : "");
		html_name(h, l->name, strlen(l->name));
		fprintf(h->out, " (%s, %u rows)", list_format_name[l->format], (unsigned)l->rows);
		html_term_end(h);
	}
	for (uint64_t i = 0; i < o->plugins.n; i++) {
		const struct plugin_said *p = &o->plugins.list[i];
		html_term(h, i == 0 ? "Plug-ins" : "");
		html_name(h, p->file, strlen(p->file));
		fputs(" (SHA-256 ", h->out);
		html_text(h, p->sha256);
		fputs("): ", h->out);
		html_text(h, p->adds);
		html_term_end(h);
	}
	fputs("</dl>\n", h->out);
	html_section_end(h);
}
