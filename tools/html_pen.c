/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <string.h>

#include "tools/html.h"
#include "tools/markup.h"
#include "tools/words.h"

void html_text(const struct html *h, const char *s)
{
	markup_string(h->out, s);
}

void html_name(const struct html *h, const void *data, size_t len)
{
	fputs("<bdi class=\"name\">", h->out);
	markup_cut(h->out, data, len, HTML_NAME_MAX);
	fputs("</bdi>", h->out);
}

void html_verdict(const struct html *h, enum verdict v)
{
	/* The mark says it again to those to whom colours say little. */
	static const char *const marks[VERDICT_N] = {
		[VERDICT_NONE] = "",
		[VERDICT_INCONCLUSIVE] = "\xe2\x97\x8b",
		[VERDICT_ANOMALY] = "\xe2\x97\x86",
		[VERDICT_LIKELY] = "\xe2\x96\xb2",
		[VERDICT_CONFIRMED] = "\xe2\x97\x8f",
	};

	fprintf(h->out,
		"<span class=\"verdict v%d\"><span aria-hidden=\"true\">%s</span> %s</span>",
		(int)v, marks[v], verdict_name[v]);
}

void html_trigger(const struct html *h, const struct finding *f)
{
	if (f->trigger == TRIGGER_NONE) {
		fputs("<span class=\"quiet\">no trigger known</span>", h->out);
		return;
	}
	fprintf(h->out, "%s ", words_trigger(f->trigger));
	size_t n = strlen(f->trigger_value);
	if (n == 0)
		fputs("<span class=\"quiet\">without a name</span>", h->out);
	else
		html_name(h, f->trigger_value, n);
}

void html_frame_file(const struct html *h, const struct finding *f, uint32_t file)
{
	if (!facts_rotated(h->analysis, f))
		return;
	const char *name = facts_file(h->analysis, f->flow, file);
	fputs(" of ", h->out);
	html_name(h, name, strlen(name));
}

void html_connection(const struct html *h, const struct flow_record *f)
{
	char client[WORDS_END_SIZE], server[WORDS_END_SIZE];

	fprintf(h->out,
		"<span class=\"address\">%s</span> \xe2\x86\x92 "
		"<span class=\"address\">%s</span>",
		words_end(f, true, client), words_end(f, false, server));
}

void html_time(const struct html *h, uint64_t ts_ns)
{
	char when[FACTS_TIME_SIZE];

	facts_time(ts_ns, when);
	fprintf(h->out, "<time datetime=\"%s\">%.10s %.12s UTC</time>", when, when, when + 11);
}

void html_count(const struct html *h, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			putc(',', h->out);
		putc(digits[i], h->out);
	}
}

const char *html_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

void html_section(const struct html *h, const char *id, const char *title)
{
	fprintf(h->out,
		"<section id=\"%s\" aria-labelledby=\"%s-title\">\n<h2 id=\"%s-title\">%s"
		"</h2>\n",
		id, id, id, title);
}

void html_section_end(const struct html *h)
{
	fputs("</section>\n", h->out);
}

void html_term(const struct html *h, const char *term)
{
	fprintf(h->out, "<div><dt>%s</dt><dd>", term);
}

void html_term_end(const struct html *h)
{
	fputs("</dd></div>\n", h->out);
}

void html_said(const struct html *h, const char *term, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	html_term(h, term);
	html_text(h, text);
	html_term_end(h);
}

void html_table(const struct html *h, const char *caption, const char *heads)
{
	/* It may be wider than a phone: then it scrolls by itself, with keys too. */
	fprintf(h->out,
		"<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"%s\">"
		"<table><caption>%s</caption><thead><tr>",
		caption, caption);
	while (*heads != '\0') {
		size_t n = strcspn(heads, "|");
		bool number = heads[0] == '#';
		fprintf(h->out, "<th scope=\"col\"%s>%.*s</th>", number ? " class=\"number\"" : "",
			(int)(n - number), heads + number);
		heads += n + (heads[n] == '|');
	}
	fputs("</tr></thead><tbody>\n", h->out);
}

void html_table_end(const struct html *h)
{
	fputs("</tbody></table></div>\n", h->out);
}

void html_cell(const struct html *h, const char *text)
{
	fputs("<td>", h->out);
	html_text(h, text);
	fputs("</td>", h->out);
}

void html_cell_count(const struct html *h, uint64_t n)
{
	fprintf(h->out, "<td class=\"number%s\">", n == 0 ? " zero" : "");
	html_count(h, n);
	fputs("</td>", h->out);
}

void html_left_out(const struct html *h, uint64_t n, const char *what)
{
	if (n == 0)
		return;
	fputs("<p class=\"left-out\">\xe2\x80\xa6 and ", h->out);
	html_count(h, n);
	fprintf(h->out, " more %s; events.jsonl (--jsonl) has all of them.</p>\n", what);
}
