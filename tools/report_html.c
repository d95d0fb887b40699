/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The report as one page for people: opened from disk, with nothing fetched, whole without its
 * script, which only sorts, filters and enlarges. What came from packets is text and nothing else;
 * the policy in its head would not run it if it were more.
 */

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tools/html_assets.h"
#include "tools/html.h"
#include "tools/words.h"

#define HASH_SIZE 72

/* A source of Content-Security-Policy (CSP Level 3, 2.3.1). 0 or -errno. */
static int hash_of(const char *const *pieces[], unsigned n_pieces, char out[HASH_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE], base64[64];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned len = 0;
	int ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL);

	for (unsigned k = 0; k < n_pieces && ok; k++) {
		for (unsigned i = 0; pieces[k][i] != NULL && ok; i++)
			ok = EVP_DigestUpdate(md, pieces[k][i], strlen(pieces[k][i]));
	}
	ok = ok && EVP_DigestFinal_ex(md, digest, &len);
	EVP_MD_CTX_free(md);
	if (!ok)
		return -ENOMEM;
	EVP_EncodeBlock(base64, digest, (int)len);
	snprintf(out, HASH_SIZE, "sha256-%s", (const char *)base64);
	return 0;
}

static void put(const struct html *h, const char *const *pieces)
{
	for (unsigned i = 0; pieces[i] != NULL; i++)
		fputs(pieces[i], h->out);
}

static int head(const struct html *h, const char *headline)
{
	char script[HASH_SIZE], style[HASH_SIZE];
	int err = hash_of((const char *const *[]){html_script_js}, 1, script);

	if (err == 0)
		err = hash_of((const char *const *[]){html_figure_css, html_page_css}, 2, style);
	if (err != 0)
		return err;
	fprintf(h->out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src "
		"'%s'; script-src '%s'; base-uri 'none'; form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<meta name=\"referrer\" content=\"no-referrer\">\n<title>",
		style, script);
	html_text(h, headline);
	fputs(" wmscope</title>\n<style>", h->out);
	put(h, html_figure_css);
	put(h, html_page_css);
	fputs("</style>\n</head>\n<body>\n", h->out);
	return 0;
}

static void counts(const struct html *h)
{
	const struct facts_tally *t = &h->tally;
	unsigned boxes = h->options->study != NULL ? h->options->study->n_profiles : 0;

	fputs("<ul class=\"counts\" aria-label=\"Counts\">\n<li><b>", h->out);
	html_count(h, t->flows);
	fprintf(h->out, "</b> connection%s</li>\n", html_plural(t->flows));
	for (int v = VERDICT_CONFIRMED; v >= VERDICT_INCONCLUSIVE; v--) {
		fprintf(h->out, "<li data-count=\"%s\"><b>", verdict_name[v]);
		html_count(h, t->flows_by[v]);
		fputs("</b> ", h->out);
		html_verdict(h, (enum verdict)v);
		fputs("</li>\n", h->out);
	}
	fputs("<li><b>", h->out);
	html_count(h, t->names);
	fprintf(h->out, "</b> name%s filtered</li>\n<li><b>", html_plural(t->names));
	html_count(h, boxes);
	fprintf(h->out, "</b> %s</li>\n<li><b>", boxes == 1 ? "box" : "boxes");
	html_count(h, t->packets);
	fputs("</b> packets</li>\n</ul>\n", h->out);
}

static void short_line(const struct html *h, const struct html_group *g)
{
	const struct finding *f = g->list[0];
	char sentence[WORDS_SENTENCE_SIZE];

	fputs("<li>", h->out);
	html_verdict(h, f->verdict);
	fputs(" ", h->out);
	words_sentence(f, sentence);
	html_text(h, sentence[0] != '\0' ? sentence : f->summary != NULL ? f->summary : f->id);
	if (g->n > 1)
		fprintf(h->out, " <span class=\"quiet\">And %zu more like it.</span>", g->n - 1);
	fputs("</li>\n", h->out);
}

static void short_box(const struct html *h, const struct study_profile *p)
{
	fputs("<li>", h->out);
	html_verdict(h, p->verdict);
	fprintf(h->out, " <a href=\"#box-%u\">Box %u</a>: ", p->number, p->number);
	html_text(h, p->mode == STUDY_MODE_UNKNOWN ? "somewhere on the path" : words_mode(p->mode));
	if (p->hops >= 0)
		fprintf(h->out, ", %d hop%s from the capture", p->hops,
			html_plural((uint64_t)p->hops));
	for (unsigned i = 0; i < p->n_lines; i++) {
		const struct study_line *l = &p->lines[i];
		bool deed =
			strncmp(l->what, "injects", 7) == 0 || strncmp(l->what, "drops", 5) == 0;
		if (l->said == STUDY_OBSERVED && deed)
			fprintf(h->out, ", %s", words_profile(l->what));
	}
	if (p->n_reactions != 0)
		fprintf(h->out, " after %.1f ms (median)", p->reaction_ms[1]);
	if (p->device != NULL) {
		fputs("; looks like ", h->out);
		html_text(h, p->device);
		fprintf(h->out, " (%s)", attribution_name[p->device_grade]);
	}
	fputs(".</li>\n", h->out);
}

static bool box_before(const struct study_profile *x, const struct study_profile *y)
{
	if (x->verdict != y->verdict)
		return x->verdict > y->verdict;
	return x->n_findings != y->n_findings ? x->n_findings > y->n_findings
					      : x->number < y->number;
}

/* By strength, then by how much it did; after NULL the first. */
static const struct study_profile *next_box(const struct study *s,
					    const struct study_profile *after)
{
	const struct study_profile *best = NULL;

	for (unsigned i = 0; i < s->n_profiles; i++) {
		const struct study_profile *p = &s->profiles[i];
		if ((after == NULL || box_before(after, p)) &&
		    (best == NULL || box_before(p, best)))
			best = p;
	}
	return best;
}

/* Some of the strongest, a sentence each: for who reads no further. */
static void in_short(const struct html *h, const struct html_groups *g)
{
	enum { LINES = 6, OF_A_KIND = 2, BOXES = 3 };
	enum verdict least = g->n > 0 && g->list[0].list[0]->verdict >= VERDICT_LIKELY
				     ? VERDICT_LIKELY
				     : VERDICT_INCONCLUSIVE;
	const struct study *s = h->options->study;
	const char *shown[LINES];
	unsigned n = 0;

	if (g->n == 0)
		return;
	fputs("<h2 class=\"quiet-title\">In short</h2>\n<ul class=\"in-short\">\n", h->out);
	for (size_t i = 0; i < g->n && n < LINES && g->list[i].list[0]->verdict >= least; i++) {
		unsigned same = 0;
		for (unsigned k = 0; k < n; k++)
			same += strcmp(shown[k], g->list[i].list[0]->id) == 0;
		if (same >= OF_A_KIND)
			continue;
		shown[n++] = g->list[i].list[0]->id;
		short_line(h, &g->list[i]);
	}
	const struct study_profile *last = NULL;
	for (unsigned i = 0; s != NULL && i < BOXES; i++) {
		last = next_box(s, last);
		if (last == NULL || last->verdict < least)
			break;
		short_box(h, last);
	}
	fputs("</ul>\n", h->out);
}

static void say_filtered(const struct html *h)
{
	enum { SHOWN = 3 };
	const char **names;
	size_t n = facts_filtered_names(h->options->study, &names);

	for (size_t i = 0; i < n && i < SHOWN; i++) {
		fputs(i == 0 ? " Names that failed while others passed: " : ", ", h->out);
		html_name(h, names[i], strlen(names[i]));
	}
	if (n > SHOWN)
		fprintf(h->out, ", and %zu more", n - SHOWN);
	fputs(n != 0 ? "." : "", h->out);
	free(names);
}

/* What happened, for who knows none of the words below. */
static void plain_words(const struct html *h, const struct html_groups *g)
{
	enum verdict best[FAMILY_N] = {VERDICT_NONE};
	bool any = false;

	for (size_t i = 0; i < g->n_findings; i++) {
		const struct finding *f = g->findings[i];
		if (f->verdict > best[f->family])
			best[f->family] = f->verdict;
	}
	for (unsigned i = 0; i < FAMILY_N; i++) {
		if (best[i] < VERDICT_LIKELY)
			continue;
		fprintf(h->out, "%s%s%s", any ? " " : "<p class=\"plain-words\">",
			best[i] == VERDICT_LIKELY ? "Most probably: " : "", words_plain(i));
		any = true;
	}
	if (!any && g->n_findings != 0)
		fputs("<p class=\"plain-words\">Nothing here proves that anybody interfered. What is listed "
		      "is unusual, is a measured rate, or is something that was expected and did not come; "
		      "it has innocent explanations, and nobody is accused.", h->out);
	if (any)
		say_filtered(h);
	if (any || g->n_findings != 0)
		fputs("</p>\n", h->out);
}

static void opening(const struct html *h, const struct html_groups *g, const char *headline)
{
	uint64_t touched = h->tally.flows_by[VERDICT_CONFIRMED] + h->tally.flows_by[VERDICT_LIKELY];

	fprintf(h->out,
		"<header>\n<p class=\"brand\">wmscope %s <span class=\"quiet\">what a network "
		"did to the connections in a capture</span></p>\n<h1 class=\"%s\">",
		WMSCOPE_VERSION,
		touched > 0			  ? "touched"
		: g->n > 0 || h->tally.flows == 0 ? "unsure"
						  : "untouched");
	html_text(h, headline);
	fputs("</h1>\n", h->out);
	plain_words(h, g);
	counts(h);
	in_short(h, g);
	if (h->tally.hidden > 0) {
		fputs("<p class=\"quiet\">", h->out);
		html_count(h, h->tally.hidden);
		fprintf(h->out,
			" finding%s below \xe2\x80\x9c%s\xe2\x80\x9d are counted but not "
			"shown.</p>\n",
			html_plural(h->tally.hidden), verdict_name[h->options->min_verdict]);
	}
	fprintf(h->out, "<p class=\"privacy%s\">%s</p>\n",
		h->options->real_clients ? " warning" : "",
		h->options->real_clients ? "Addresses of clients are shown as captured. Do not "
					   "share this page unless "
					   "that is meant."
		: h->options->redacted_names ? "Names and addresses of clients are pseudonyms; "
					       "servers' addresses are shown as captured."
					 : "Addresses of clients are pseudonyms that keep their "
					   "prefixes; servers are "
					   "shown as captured.");
	fputs("<nav aria-label=\"Contents\"><ul>\n", h->out);
	static const char *const links[][2] = {
		{"quality", "Capture"},	  {"boxes", "Boxes"},	  {"timeline", "Timeline"},
		{"findings", "Findings"}, {"tables", "Tables"},	  {"plots", "Plots"},
		{"words", "Words"},	  {"run", "This report"},
	};
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		fprintf(h->out, "<li><a href=\"#%s\">%s</a></li>\n", links[i][0], links[i][1]);
	fputs("</ul></nav>\n</header>\n<main>\n", h->out);
}

static int body(const struct html *h, const struct html_groups *g)
{
	html_section(h, "quality", "How good the capture is");
	html_captures(h);
	html_section_end(h);
	html_comparison(h);
	html_audit(h);
	html_section(h, "boxes", "Middleboxes, by what they did");
	html_profiles(h);
	html_section_end(h);
	html_section(h, "timeline", "Timeline");
	int err = html_figures(h, true);
	html_section_end(h);
	html_section(h, "findings", "Findings");
	html_findings(h, g);
	html_section_end(h);
	html_section(h, "tables", "Tables");
	if (err == 0)
		err = html_tables(h);
	html_section_end(h);
	html_section(h, "plots", "Plots");
	if (err == 0)
		err = html_figures(h, false);
	html_section_end(h);
	html_legend(h);
	html_run(h);
	return err;
}

static int html_write(const struct analysis *a, const struct report_options *o, FILE *out)
{
	struct html h = {.out = out, .analysis = a, .options = o};
	struct html_groups groups;
	char headline[320];

	facts_tally(a, o, &h.tally);
	words_headline(a, &h.tally, headline, sizeof(headline));
	int err = html_groups_make(&groups, &h);
	if (err == 0)
		err = head(&h, headline);
	if (err != 0)
		goto out;
	opening(&h, &groups, headline);
	err = body(&h, &groups);
	fputs("</main>\n<script>", out);
	put(&h, html_script_js);
	fputs("</script>\n</body>\n</html>\n", out);
	errno = 0;
	if (err == 0 && (fflush(out) != 0 || ferror(out)))
		err = errno != 0 ? -errno : -EIO;
out:
	html_groups_free(&groups);
	return err;
}

const struct report report_html = {
	.name = "html",
	.doc = "one page for people: what happened, with ladder diagrams, evidence and plots",
	.write = html_write,
};
