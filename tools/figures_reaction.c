/* SPDX-License-Identifier: BSD-3-Clause */

/* How soon boxes act: the distribution of the time from a trigger to what it drew. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/facts.h"
#include "tools/figures.h"

#define POINTS 400 /* of a curve: more cannot be told apart in print */

struct reaction {
	struct figure_series series;
	const struct finding *f;
};

struct reactions {
	struct reaction *list; /* by series, then time */
	size_t n;
};

static void reaction_free(void *data)
{
	struct reactions *r = data;

	free(r->list);
	free(r);
}

static int by_series(const void *a, const void *b)
{
	const struct reaction *x = a, *y = b;
	int order = figure_series_compare(&x->series, &y->series);

	if (order == 0)
		order = x->f->reaction_ms < y->f->reaction_ms
				? -1
				: x->f->reaction_ms > y->f->reaction_ms;
	if (order == 0)
		order = x->f->flow->id < y->f->flow->id ? -1 : x->f->flow->id > y->f->flow->id;
	return order;
}

static bool counts(const struct report_options *o, const struct finding *f)
{
	return f->scope == SCOPE_FLOW && f->reaction_ms >= 0 && f->verdict >= o->min_verdict &&
	       (f->verdict >= VERDICT_LIKELY || f->filtered);
}

static int reaction_gather(const struct analysis *a, const struct report_options *o, void **out)
{
	struct reactions *r = calloc(1, sizeof(*r));
	size_t n = 0;

	if (r == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_findings; i++)
		n += counts(o, a->findings[i]);
	r->list = n != 0 ? calloc(n, sizeof(*r->list)) : NULL;
	if (r->list == NULL) {
		reaction_free(r);
		return n != 0 ? -ENOMEM : 0;
	}
	for (size_t i = 0; i < a->n_findings; i++) {
		if (!counts(o, a->findings[i]))
			continue;
		r->list[r->n++] = (struct reaction){.f = a->findings[i],
						    .series = figure_series_of(o, a->findings[i])};
	}
	qsort(r->list, r->n, sizeof(*r->list), by_series);
	*out = r;
	return 0;
}

/* One past the last of the series that begins at i. */
static size_t series_end(const struct reactions *r, size_t i)
{
	size_t k = i;

	while (k < r->n && figure_series_compare(&r->list[k].series, &r->list[i].series) == 0)
		k++;
	return k;
}

/* How large a series must be to be among the `most` largest; of equal ones the first are drawn. */
static size_t least_drawn(const struct reactions *r, unsigned most)
{
	size_t top[SVG_SERIES] = {0};

	for (size_t i = 0, end; i < r->n; i = end) {
		end = series_end(r, i);
		size_t n = end - i;
		for (unsigned k = 0; k < most; k++) {
			size_t other = top[k];
			if (n <= other)
				continue;
			top[k] = n;
			n = other;
		}
	}
	return most > 0 ? top[most - 1] : 0;
}

static void draw_series(struct svg_plot *p, const struct reactions *r, size_t from, size_t to,
			unsigned number)
{
	size_t n = to - from, step = n / POINTS + 1;
	char text[FIGURE_SERIES_SIZE + 64], name[FIGURE_SERIES_SIZE];

	svg_path(&p->svg, svg_series_line(number));
	svg_path_to(&p->svg, true, svg_plot_x(p, r->list[from].f->reaction_ms), svg_plot_y(p, 0));
	for (size_t i = 0; i < n; i += step) {
		/* The last of those that the step takes together: the curve reaches 1. */
		size_t at = i + step < n ? i + step - 1 : n - 1;
		double x = svg_plot_x(p, r->list[from + at].f->reaction_ms);
		svg_path_to(&p->svg, false, x, svg_plot_y(p, (double)i / (double)n));
		svg_path_to(&p->svg, false, x, svg_plot_y(p, (double)(at + 1) / (double)n));
	}
	svg_path_to(&p->svg, false, p->right, svg_plot_y(p, 1));
	svg_path_end(&p->svg);
	for (size_t i = 0; n <= 40 && i < n; i++)
		svg_mark(&p->svg, svg_series_mark(number), svg_series_shape(number),
			 svg_plot_x(p, r->list[from + i].f->reaction_ms),
			 svg_plot_y(p, (double)(i + 1) / (double)n), 3, NULL);
	snprintf(text, sizeof(text), "%s (%zu, median %.1f ms)",
		 figure_series_name(&r->list[from].series, name), n,
		 r->list[from + (n - 1) / 2].f->reaction_ms);
	svg_plot_legend(p, svg_series_line(number), SVG_DOT, true, text);
}

static void reaction_draw(const void *data, FILE *out, bool alone)
{
	const struct reactions *r = data;
	double lo = r->list[0].f->reaction_ms, hi = lo;
	unsigned series = 0, shown = 0;
	struct svg_plot p;

	for (size_t i = 0; i < r->n; i++) {
		double v = r->list[i].f->reaction_ms;
		lo = v < lo ? v : lo;
		hi = v > hi ? v : hi;
	}
	for (size_t i = 0; i < r->n; i = series_end(r, i))
		series++;
	shown = series < SVG_SERIES ? series : SVG_SERIES;
	const struct svg_axis x = {.label = "reaction time, ms (logarithmic)",
				   .log = true,
				   .min = (lo > 0.01 ? lo : 0.01) / 2,
				   .max = (hi > 0.02 ? hi : 0.02) * 2};
	const struct svg_axis y = {.label = "share of findings", .min = 0, .max = 1};
	svg_plot_begin(&p, out, alone, "Cumulative distribution of the reaction time, by box", &x,
		       &y, shown);
	size_t least = least_drawn(r, shown);
	unsigned number = 0, equal = shown;
	for (size_t i = 0; i < r->n; i = series_end(r, i))
		equal -= series_end(r, i) - i > least;
	for (size_t i = 0, end; i < r->n; i = end) {
		end = series_end(r, i);
		if (end - i < least || (end - i == least && equal == 0))
			continue;
		equal -= end - i == least;
		draw_series(&p, r, i, end, number++);
	}
	svg_plot_end(&p);
}

static const char *reaction_left_out(const void *data, char *out, size_t room)
{
	const struct reactions *r = data;
	unsigned series = 0;

	for (size_t i = 0; i < r->n; i = series_end(r, i))
		series++;
	if (series <= SVG_SERIES)
		return NULL;
	snprintf(out, room, "Drawn are %u of %u boxes and kinds, the most frequent.", SVG_SERIES,
		 series);
	return out;
}

static void reaction_csv(const void *data, FILE *out)
{
	const struct reactions *r = data;
	char name[FIGURE_SERIES_SIZE];

	fputs("series,reaction_ms,share,flow_id,frame,verdict\n", out);
	for (size_t i = 0, end; i < r->n; i = end) {
		end = series_end(r, i);
		for (size_t k = i; k < end; k++) {
			const struct finding *f = r->list[k].f;
			fprintf(out, "\"%s\",%.6f,%.6f,%" PRIu64 ",%" PRIu64 ",%s\n",
				figure_series_name(&r->list[k].series, name), f->reaction_ms,
				(double)(k - i + 1) / (double)(end - i), f->flow->id,
				facts_decisive_frame(f), verdict_name[f->verdict]);
		}
	}
}

const struct figure figure_reaction = {
	.name = "reaction-time",
	.title = "Reaction time",
	.caption = "From the packet that triggered to the first that answered it, of findings that "
		   "are at least likely; a curve for each box.",
	.gather = reaction_gather,
	.draw = reaction_draw,
	.csv = reaction_csv,
	.left_out = reaction_left_out,
	.free = reaction_free,
};
