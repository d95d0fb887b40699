/* SPDX-License-Identifier: BSD-3-Clause */

/* Why a finding says what it says, what speaks against it, and who it may have been. */

#include <inttypes.h>
#include <string.h>

#include "tools/html.h"
#include "tools/words.h"

static void evidence_row(const struct html *h, const struct finding *f, const struct evidence_row *r)
{
	static const char *const words[] = {[GRADE_D1] = "weak",
					    [GRADE_D2] = "fair",
					    [GRADE_D3] = "strong",
					    [GRADE_D4] = "decisive"};
	unsigned grade = r->grade >= GRADE_D1 && r->grade <= GRADE_D4 ? r->grade : 1;

	fprintf(h->out, "<tr%s><td><span class=\"grade d%u\">D%u</span> %s%s</td><td>",
		r->counted ? "" : " class=\"restated\"", grade, grade, words[grade],
		r->counted ? "" : ", restates another row: not counted");
	html_text(h, r->kind);
	fputs("</td><td class=\"number\">", h->out);
	if (r->packet != 0) {
		fprintf(h->out, "%" PRIu64, r->packet);
		html_frame_file(h, f, r->packet_file);
	}
	fputs("</td>", h->out);
	html_cell(h, r->value);
	html_cell(h, r->expected);
	fputs("</tr>\n", h->out);
}

static void list(const struct html *h, const char *title, const char *class, const char **items,
		 unsigned n)
{
	if (n == 0)
		return;
	fprintf(h->out, "<h4>%s</h4>\n<ul class=\"%s\">\n", title, class);
	for (unsigned i = 0; i < n; i++) {
		fputs("<li>", h->out);
		html_text(h, items[i]);
		fputs("</li>\n", h->out);
	}
	fputs("</ul>\n", h->out);
}

static void not_testable(const struct html *h, const struct finding *f)
{
	if (f->n_untestable == 0)
		return;
	fputs("<h4>Not testable here</h4>\n<ul>\n", h->out);
	for (unsigned i = 0; i < f->n_untestable; i++) {
		fputs("<li>", h->out);
		html_text(h, f->untestable[i].kind);
		fputs(": ", h->out);
		html_text(h, f->untestable[i].why);
		fputs("</li>\n", h->out);
	}
	fputs("</ul>\n", h->out);
}

/* An opinion on who made the packets; what was found stands without it. */
static void devices(const struct html *h, const struct finding *f)
{
	for (unsigned i = 0; i < f->n_devices; i++) {
		const struct device_match *d = &f->devices[i];
		html_term(h, i == 0 ? "Looks like" : "and like");
		fputs("<b>", h->out);
		html_text(h, d->id);
		fprintf(h->out, "</b> (%s: %s", attribution_name[d->grade],
			words_attribution(d->grade));
		if (d->hops >= 0)
			fprintf(h->out, ", %d hops away", d->hops);
		fputs("); ", h->out);
		html_text(h, d->detail);
		fputs("; described in ", h->out);
		html_text(h, d->source);
		html_term_end(h);
	}
	for (unsigned i = 0; i < f->n_injectors; i++) {
		html_term(h, i == 0 ? "Stamped as" : "and as");
		fputs("<code>", h->out);
		html_text(h, f->injectors[i].mbx);
		fputs("</code>", h->out);
		html_term_end(h);
	}
}

void html_evidence(const struct html *h, const struct finding *f)
{
	if (f->n_rows > 0) {
		html_table(h, "Evidence", "Grade|Kind|#Frame|Seen|Expected of innocent traffic");
		for (unsigned i = 0; i < f->n_rows; i++)
			evidence_row(h, f, &f->rows[i]);
		html_table_end(h);
		fprintf(h->out,
			"<p class=\"quiet\">Score %.1f; the words are explained at the "
			"<a href=\"#words\">end of the page</a>.</p>\n",
			f->score > 0 && f->score < 1e6 ? f->score : 0.0);
	}
	list(h, "What else could explain it", "benign", f->benign, f->n_benign);
	list(h, "Ruled out by the packets", "ruled-out", f->ruled_out, f->n_ruled_out);
	not_testable(h, f);
	fputs("<dl class=\"facts\">\n", h->out);
	html_term(h, "Conditional");
	html_text(h, words_conditional(f));
	for (unsigned i = 0; i < f->n_controls && i < 20; i++)
		fprintf(h->out, "%s%" PRIu64, i == 0 ? "; compared with flows " : ", ",
			f->controls[i]);
	if (f->n_controls > 20)
		fprintf(h->out, " and %u more", f->n_controls - 20);
	html_term_end(h);
	devices(h, f);
	html_said(h, "References", f->refs);
	fputs("</dl>\n", h->out);
}
