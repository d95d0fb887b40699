/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/svg_pen.h"

#include <stdarg.h>

#include "tools/html_assets.h"
#include "tools/markup.h"

void svg_begin(struct svg *s, FILE *out, bool alone, double width, double height, const char *label)
{
	*s = (struct svg){.out = out, .width = width, .height = height};
	if (alone)
		fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
	fprintf(out, "<svg %sclass=\"figure\" viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"",
		alone ? "xmlns=\"http://www.w3.org/2000/svg\" " : "", width, height);
	markup_string(out, label);
	if (!alone) {
		fputs("\">", out);
		return;
	}
	fprintf(out, "\" width=\"%g\" height=\"%g\">\n<title>", width, height);
	markup_string(out, label);
	fputs("</title>\n<style>", out);
	for (unsigned i = 0; html_figure_css[i] != NULL; i++)
		fputs(html_figure_css[i], out);
	fputs("</style>\n", out);
	svg_rect(s, "paper", 0, 0, width, height);
}

void svg_end(struct svg *s)
{
	fputs("</svg>\n", s->out);
}

void svg_line(struct svg *s, const char *class, double x1, double y1, double x2, double y2)
{
	fprintf(s->out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
		class, x1, y1, x2, y2);
}

void svg_rect(struct svg *s, const char *class, double x, double y, double w, double h)
{
	fprintf(s->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
		class, x, y, w, h);
}

void svg_text(struct svg *s, const char *class, enum svg_anchor anchor, double x, double y,
	      const char *fmt, ...)
{
	static const char *const anchors[] = {
		[SVG_START] = "",
		[SVG_MIDDLE] = " text-anchor=\"middle\"",
		[SVG_END] = " text-anchor=\"end\"",
	};
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(s->out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\"%s>", class, x, y,
		anchors[anchor]);
	markup_string(s->out, text);
	fputs("</text>", s->out);
}

void svg_text_up(struct svg *s, const char *class, double x, double y, const char *text)
{
	fprintf(s->out,
		"<text class=\"%s\" text-anchor=\"middle\" "
		"transform=\"translate(%.1f %.1f) rotate(-90)\">",
		class, x, y);
	markup_string(s->out, text);
	fputs("</text>", s->out);
}

static void mark_end(struct svg *s, const char *about, const char *element)
{
	if (about == NULL) {
		fputs("/>", s->out);
		return;
	}
	fputs("><title>", s->out);
	markup_string(s->out, about);
	fprintf(s->out, "</title></%s>", element);
}

void svg_mark(struct svg *s, const char *class, enum svg_mark mark, double x, double y, double r,
	      const char *about)
{
	FILE *out = s->out;

	if (mark == SVG_DOT || mark == SVG_RING) {
		fprintf(out, "<circle class=\"%s%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"", class,
			mark == SVG_RING ? " hollow" : "", x, y, r);
		mark_end(s, about, "circle");
		return;
	}
	fprintf(out, "<path class=\"%s%s\" d=\"M%.1f %.1f", class,
		mark == SVG_CROSS ? " hollow" : "",
		mark == SVG_DIAMOND || mark == SVG_TRIANGLE ? x : x - r,
		mark == SVG_DIAMOND || mark == SVG_TRIANGLE ? y - r * 1.2 : y - r);
	switch (mark) {
	case SVG_DIAMOND:
		fprintf(out, "l%.1f %.1fl%.1f %.1fl%.1f %.1fz\"", r * 1.2, r * 1.2, -r * 1.2,
			r * 1.2, -r * 1.2, -r * 1.2);
		break;
	case SVG_TRIANGLE:
		fprintf(out, "l%.1f %.1fh%.1fz\"", r * 1.1, r * 2, -r * 2.2);
		break;
	case SVG_CROSS:
		fprintf(out, "l%.1f %.1fm0 %.1fl%.1f %.1f\"", r * 2, r * 2, -r * 2, -r * 2, r * 2);
		break;
	default:
		fprintf(out, "h%.1fv%.1fh%.1fz\"", r * 2, r * 2, -r * 2);
	}
	mark_end(s, about, "path");
}

void svg_arrowhead(struct svg *s, const char *class, double x, double y, bool right)
{
	fprintf(s->out, "<path class=\"%s\" d=\"M%.1f %.1fl%d -4v8z\"/>", class, x, y,
		right ? -8 : 8);
}

void svg_path(struct svg *s, const char *class)
{
	fprintf(s->out, "<path class=\"%s\" d=\"", class);
}

void svg_path_to(struct svg *s, bool first, double x, double y)
{
	fprintf(s->out, "%c%.1f %.1f", first ? 'M' : 'L', x, y);
}

void svg_path_end(struct svg *s)
{
	fputs("\"/>", s->out);
}
