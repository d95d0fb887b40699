/* SPDX-License-Identifier: BSD-3-Clause */

/* The findings: by kind, then by likeness, then as many in full as a page can hold. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/html.h"
#include "tools/words.h"

#define OPEN_GROUPS 3 /* shown without being asked for */

struct kind {
	const struct finding *f; /* one of them */
	uint64_t by[VERDICT_N];
};

/* Kinds are as many as signatures: a short list, searched from its start. */
static void kinds(const struct html *h, const struct html_groups *g)
{
	enum { KINDS_MAX = 256 };
	struct kind *list = calloc(KINDS_MAX, sizeof(*list));
	unsigned n = 0;

	if (list == NULL)
		return; /* the groups below have the same */
	for (size_t i = 0; i < g->n; i++) {
		unsigned k = 0;
		while (k < n && strcmp(list[k].f->id, g->list[i].id) != 0)
			k++;
		if (k == KINDS_MAX)
			continue;
		if (k == n)
			list[n++].f = g->list[i].list[0];
		for (unsigned v = 0; v < VERDICT_N; v++)
			list[k].by[v] += g->list[i].by[v];
	}
	html_table(h, "Findings by kind",
		   "Finding|Family|#Confirmed|#Likely|#Anomaly|#Inconclusive|What it is");
	for (unsigned k = 0; k < n; k++) {
		fputs("<tr><td class=\"id\">", h->out);
		html_text(h, list[k].f->id);
		fprintf(h->out, "</td><td class=\"id\">%s</td>", family_name[list[k].f->family]);
		for (int v = VERDICT_CONFIRMED; v >= VERDICT_INCONCLUSIVE; v--)
			html_cell_count(h, list[k].by[v]);
		html_cell(h, list[k].f->summary != NULL ? list[k].f->summary : "");
		fputs("</tr>\n", h->out);
	}
	html_table_end(h);
	free(list);
}

static void summary_line(const struct html *h, const struct html_group *g)
{
	const struct finding *f = g->list[0];
	char server[WORDS_END_SIZE];

	fputs("<summary>", h->out);
	html_verdict(h, f->verdict);
	fputs(" <span class=\"kind\">", h->out);
	html_text(h, f->id);
	fputs("</span> <span class=\"what\">", h->out);
	html_trigger(h, f);
	fprintf(h->out, "</span> <span class=\"address\">%s</span> <span class=\"many\">",
		words_end(f->flow, false, server));
	if (f->scope != SCOPE_FLOW)
		fprintf(h->out, "%u connections together", f->n_flows);
	else
		html_count(h, g->n);
	if (f->scope == SCOPE_FLOW)
		fprintf(h->out, " connection%s", html_plural(g->n));
	fputs("</span></summary>\n", h->out);
}

static void one(const struct html *h, const struct finding *f)
{
	char sentence[WORDS_SENTENCE_SIZE];

	fprintf(h->out, "<article id=\"finding-%u\">\n<h3>[%u] ", f->number, f->number);
	html_verdict(h, f->verdict);
	fputs(" ", h->out);
	words_sentence(f, sentence);
	html_text(h, sentence[0] != '\0' ? sentence : f->id);
	fputs("</h3>\n", h->out);
	html_finding(h, f);
	fputs("</article>\n", h->out);
}

static void rest_of_group(const struct html *h, const struct html_group *g, size_t from)
{
	enum { LINES = 20 };

	if (from >= g->n || g->list[0]->scope != SCOPE_FLOW)
		return;
	fputs("<details class=\"rest\"><summary>", h->out);
	html_count(h, g->n - from);
	fputs(" more like it</summary>\n", h->out);
	html_table(h, "More findings of this kind", "Verdict|#Frame|Connection|Time");
	size_t to = from + LINES < g->n ? from + LINES : g->n;
	for (size_t i = from; i < to; i++) {
		fputs("<tr><td>", h->out);
		html_verdict(h, g->list[i]->verdict);
		fprintf(h->out, "</td><td class=\"number\">%" PRIu64 "</td><td>",
			facts_decisive_frame(g->list[i]));
		html_connection(h, g->list[i]->flow);
		fputs("</td><td>", h->out);
		html_time(h, g->list[i]->ts_ns);
		fputs("</td></tr>\n", h->out);
	}
	html_table_end(h);
	html_left_out(h, g->n - to, "findings");
	fputs("</details>\n", h->out);
}

/* How many are given in full of a group, of which extra at most are more than its strongest. */
static size_t full_of(const struct html_group *g, size_t extra)
{
	size_t most = extra + 1 < HTML_FULL_IN_GROUP ? extra + 1 : HTML_FULL_IN_GROUP;

	return g->n < most ? g->n : most;
}

static void group(const struct html *h, const struct html_group *g, size_t full,
		  bool open)
{
	fprintf(h->out,
		"<details class=\"group\"%s data-verdict=\"%d\" data-n=\"%zu\" "
		"data-time=\"%" PRIu64 "\">",
		open ? " open" : "", (int)g->list[0]->verdict, g->n, g->list[0]->ts_ns / 1000000);
	summary_line(h, g);
	one(h, g->list[0]);
	for (size_t i = 1; i < full; i++) {
		fputs("<details class=\"next\"><summary>", h->out);
		html_verdict(h, g->list[i]->verdict);
		fprintf(h->out, " frame %" PRIu64 " ", facts_decisive_frame(g->list[i]));
		html_connection(h, g->list[i]->flow);
		fputs("</summary>\n", h->out);
		one(h, g->list[i]);
		fputs("</details>\n", h->out);
	}
	rest_of_group(h, g, full);
	fputs("</details>\n", h->out);
}

/* Every group's strongest, and HTML_EXTRA_MAX more. */
static uint64_t in_full(const struct html_groups *g)
{
	uint64_t n = 0;
	size_t extra = HTML_EXTRA_MAX;

	for (size_t i = 0; i < g->n && i < HTML_GROUPS_MAX; i++) {
		size_t full = full_of(&g->list[i], extra);
		extra -= full - 1;
		n += full;
	}
	return n;
}

void html_findings(const struct html *h, const struct html_groups *g)
{
	size_t extra = HTML_EXTRA_MAX;

	if (g->n == 0) {
		fputs("<p>There is nothing to show.</p>\n", h->out);
		return;
	}
	if (g->n > 1)
		kinds(h, g);
	uint64_t shown = in_full(g);
	fputs("<p>", h->out);
	html_count(h, g->n_findings);
	fprintf(h->out, " finding%s, told together where kind, trigger and server are the same: ",
		html_plural(g->n_findings));
	html_count(h, g->n);
	fprintf(h->out, " group%s. ", html_plural(g->n));
	if (shown == g->n_findings) {
		fputs("All are given in full.</p>\n", h->out);
	} else {
		html_count(h, shown);
		fprintf(h->out,
			" are given in full, the strongest and at most %d of a group; events.jsonl "
			"(--jsonl) has all of them.</p>\n",
			HTML_FULL_IN_GROUP);
	}
	fputs("<div id=\"groups\">\n", h->out);
	for (size_t i = 0; i < g->n && i < HTML_GROUPS_MAX; i++) {
		size_t full = full_of(&g->list[i], extra);
		group(h, &g->list[i], full, i < OPEN_GROUPS);
		extra -= full - 1;
	}
	fputs("</div>\n", h->out);
	html_left_out(h, g->n > HTML_GROUPS_MAX ? g->n - HTML_GROUPS_MAX : 0,
		      "groups of findings, weaker than these");
}
