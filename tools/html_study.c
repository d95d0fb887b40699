/* SPDX-License-Identifier: BSD-3-Clause */

/* The study: what each box was seen to do, and which names fail where. */

#include <inttypes.h>
#include <string.h>

#include "tools/html.h"
#include "tools/words.h"

static void trigger_name_cell(const struct html *h, const char *name)
{
	if (name[0] != '\0')
		html_name(h, name, strlen(name));
	else
		fputs("<span class=\"quiet\">(no name)</span>", h->out);
}

static void trigger_lines(const struct html *h, const struct study_profile *p, unsigned from,
			  unsigned to)
{
	fputs("<ul class=\"plain\">", h->out);
	for (unsigned i = from; i < to; i++) {
		const struct study_trigger *t = &p->triggers[i];
		fprintf(h->out, "<li>%s ", words_trigger(t->kind));
		trigger_name_cell(h, t->name);
		fprintf(h->out, ": acted on %u, passed %u</li>", t->acted, t->passed);
	}
	if (to == p->n_triggers && p->more_triggers != 0)
		fprintf(h->out, "<li>and %u more</li>", p->more_triggers);
	fputs("</ul>", h->out);
}

static void triggers(const struct html *h, const struct study_profile *p)
{
	enum { LINES = 6 };
	unsigned n = p->n_triggers < LINES ? p->n_triggers : LINES;

	if (p->n_triggers == 0)
		return;
	html_term(h, "Triggers");
	trigger_lines(h, p, 0, n);
	if (n < p->n_triggers) {
		fprintf(h->out, "<details><summary>%u more</summary>",
			p->n_triggers - n + p->more_triggers);
		trigger_lines(h, p, n, p->n_triggers);
		fputs("</details>", h->out);
	}
	html_term_end(h);
}

static void observed(const struct html *h, const struct study_line *l)
{
	html_term(h, words_profile(l->what));
	fprintf(h->out, "observed (%u)", l->n);
	if (l->value[0] != '\0') {
		fputs(": ", h->out);
		html_text(h, l->value);
	}
	if (l->why[0] != '\0') {
		fputs("; ", h->out);
		html_text(h, l->why);
	}
	for (unsigned i = 0; i < l->n_flows && i < 6; i++)
		fprintf(h->out, "%s%" PRIu64, i == 0 ? "; flows " : ", ", l->flows[i]);
	html_term_end(h);
}

/* All that was looked for in vain, or could not be looked for. */
static void rest(const struct html *h, const struct study_profile *p, enum study_said said,
		 const char *term)
{
	bool any = false;

	for (unsigned i = 0; i < p->n_lines; i++) {
		const struct study_line *l = &p->lines[i];
		if (l->said != said)
			continue;
		if (!any)
			html_term(h, term);
		fputs(any ? "; " : "", h->out);
		html_text(h, words_profile(l->what));
		if (l->why[0] != '\0') {
			fputs(" <span class=\"quiet\">(", h->out);
			html_text(h, l->why);
			fputs(")</span>", h->out);
		}
		any = true;
	}
	if (any)
		html_term_end(h);
}

static void profile(const struct html *h, const struct study_profile *p, bool open)
{
	fprintf(h->out, "<details class=\"box\" id=\"box-%u\"%s><summary><b>Box %u</b> ", p->number,
		open ? " open" : "", p->number);
	html_verdict(h, p->verdict);
	fprintf(h->out,
		" <span class=\"quiet\">%u finding%s</span></summary>\n<dl class=\"facts\">\n",
		p->n_findings, html_plural(p->n_findings));
	html_term(h, "Place");
	fprintf(h->out, "<b>%s</b>", words_mode(p->mode));
	if (p->mode_why[0] != '\0') {
		fputs(": ", h->out);
		html_text(h, p->mode_why);
	}
	if (p->hops >= 0)
		fprintf(h->out, "; %d hop%s from the capture", p->hops,
			html_plural((uint64_t)p->hops));
	html_term_end(h);
	if (p->device != NULL) {
		html_term(h, "Looks like");
		html_text(h, p->device);
		fprintf(h->out, " (%s: %s)", attribution_name[p->device_grade],
			words_attribution(p->device_grade));
		html_term_end(h);
	}
	if (p->mbx[0] != '\0') {
		html_term(h, "Stamps");
		fputs("<code>", h->out);
		html_text(h, p->mbx);
		fputs("</code>", h->out);
		html_term_end(h);
	}
	triggers(h, p);
	if (p->n_reactions != 0) {
		html_term(h, "Reaction");
		fprintf(h->out, "median %.1f ms, p5 %.1f, p95 %.1f (%u)", p->reaction_ms[1],
			p->reaction_ms[0], p->reaction_ms[2], p->n_reactions);
		html_term_end(h);
	}
	for (unsigned i = 0; i < p->n_lines; i++) {
		if (p->lines[i].said == STUDY_OBSERVED)
			observed(h, &p->lines[i]);
	}
	rest(h, p, STUDY_NOT_OBSERVED, "Not observed");
	rest(h, p, STUDY_NOT_TESTABLE, "Not testable here");
	fputs("</dl>\n</details>\n", h->out);
}

void html_profiles(const struct html *h)
{
	const struct study *s = h->options->study;

	if (s == NULL || s->n_profiles == 0) {
		fputs("<p>No box was seen to act.</p>\n", h->out);
		return;
	}
	fputs("<p>What stamps packets alike, or behaves alike, is taken for one box. A profile is "
	      "what it was seen to do; who runs it is not known from packets.</p>\n",
	      h->out);
	for (unsigned i = 0; i < s->n_profiles && i < HTML_ROWS_MAX; i++)
		profile(h, &s->profiles[i], i < 3);
	html_left_out(h, s->n_profiles > HTML_ROWS_MAX ? s->n_profiles - HTML_ROWS_MAX : 0,
		      "boxes");
	if (s->unplaced != 0)
		fprintf(h->out, "<p class=\"left-out\">%zu findings are of boxes beyond the first %d and "
			"have no profile.</p>\n", s->unplaced, STUDY_BOXES_MAX);
}

static void name_row(const struct html *h, const struct study_name *n)
{
	char addr[64];

	fprintf(h->out, "<tr><td>%s</td><td>", words_trigger(n->kind));
	trigger_name_cell(h, n->name);
	fputs("</td>", h->out);
	html_cell_count(h, n->failed);
	html_cell_count(h, n->ok);
	html_cell_count(h, n->dependent);
	fprintf(h->out, "<td class=\"number\">%u of %u</td><td>%s</td>", n->control_ok,
		n->control_ok + n->control_failed,
		n->filtered ? "<b class=\"v4\">\xe2\x97\x8f filtered</b>"
		: study_name_open(n) ? "maybe" : "no");
	ip_addr_format(&n->server, n->ip_version, addr, sizeof(addr));
	fprintf(h->out,
		n->ip_version == 6 ? "<td class=\"address\">[%s]:%u</td></tr>\n"
				   : "<td class=\"address\">%s:%u</td></tr>\n",
		addr, n->server_port);
}

void html_names(const struct html *h)
{
	const struct study *s = h->options->study;
	uint64_t shown = 0, more = 0;

	if (s == NULL)
		return;
	fputs("<h3 id=\"names\">By name</h3>\n", h->out);
	/* Those that are filtered first: the table may be longer than what is shown of it. */
	for (unsigned pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < s->n_names; i++) {
			if (s->names[i].filtered != (pass == 0) || !study_name_matters(s, i))
				continue;
			if (shown == HTML_ROWS_MAX) {
				more++;
				continue;
			}
			if (shown++ == 0)
				html_table(h, "Names, and what became of tries with them",
					   "Kind|Name|#Failed|#Passed|#Left out|#Controls passed|"
					   "Filtered|Server");
			name_row(h, &s->names[i]);
		}
	}
	if (shown == 0) {
		fputs("<p>No name failed.</p>\n", h->out);
		return;
	}
	html_table_end(h);
	html_left_out(h, more, "names");
	fprintf(h->out,
		"<p class=\"quiet\">Controls are tries of other names at the same address, "
		"by the same client where a name fails for fewer than three. "
		"A name is called filtered if at least %.1f of %u or more tries failed and at "
		"most %.1f of %u or more controls; maybe, where the server itself or a path that "
		"loses large packets could have done that. Left out: failures that an earlier one "
		"may have caused.</p>\n",
		STUDY_FAIL_SHARE, STUDY_FAIL_TRIES, STUDY_CONTROL_SHARE, STUDY_CONTROL_TRIES);
}
