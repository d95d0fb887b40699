/* SPDX-License-Identifier: BSD-3-Clause */

/* When what was found: a lane for each family. */

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/facts.h"
#include "tools/figures.h"

#define BINS 120  /* marks in a lane: what falls into one is one mark */
#define GAP  0.03 /* of all time, between captures that do not touch */

struct span {
	uint64_t first_ns, last_ns;
	double at; /* seconds on the axis */
};

struct event {
	const struct finding *f;
	double at;
};

struct timeline {
	const struct analysis *a;
	struct span *spans;
	size_t n_spans;
	double total; /* seconds */
	struct event *events;
	size_t n;
	uint64_t families[FAMILY_N];
	unsigned lanes;
};

static void timeline_free(void *data)
{
	struct timeline *t = data;

	free(t->spans);
	free(t->events);
	free(t);
}

static int by_first(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->first_ns < y->first_ns ? -1 : x->first_ns > y->first_ns;
}

/* Captures one after another; those that overlap are one span. */
static void lay_out(struct timeline *t)
{
	size_t n = 0;

	for (unsigned i = 0; i < t->a->n_captures; i++) {
		const struct capture_result *c = &t->a->captures[i];
		if (c->stats.source.received > 0)
			t->spans[n++] = (struct span){c->stats.first_ns, c->stats.last_ns, 0};
	}
	qsort(t->spans, n, sizeof(*t->spans), by_first);
	for (size_t i = 0; i < n; i++) {
		struct span *last = &t->spans[t->n_spans != 0 ? t->n_spans - 1 : 0];
		if (t->n_spans == 0 || t->spans[i].first_ns > last->last_ns)
			t->spans[t->n_spans++] = t->spans[i];
		else if (t->spans[i].last_ns > last->last_ns)
			last->last_ns = t->spans[i].last_ns;
	}
	double sum = 0, at = 0;
	for (size_t i = 0; i < t->n_spans; i++)
		sum += (double)(t->spans[i].last_ns - t->spans[i].first_ns) / 1e9;
	for (size_t i = 0; i < t->n_spans; i++) {
		t->spans[i].at = at;
		at += (double)(t->spans[i].last_ns - t->spans[i].first_ns) / 1e9;
		at += i + 1 < t->n_spans ? sum * GAP : 0;
	}
	t->total = at > 0 ? at : 1;
}

static double place_of(const struct timeline *t, uint64_t ts_ns)
{
	size_t lo = 0, hi = t->n_spans;

	while (hi - lo > 1) {
		size_t middle = lo + (hi - lo) / 2;
		if (t->spans[middle].first_ns <= ts_ns)
			lo = middle;
		else
			hi = middle;
	}
	if (t->n_spans == 0 || ts_ns < t->spans[lo].first_ns)
		return 0;
	return t->spans[lo].at + (double)(ts_ns - t->spans[lo].first_ns) / 1e9;
}

static int timeline_gather(const struct analysis *a, const struct report_options *o, void **out)
{
	struct timeline *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->a = a;
	t->spans = calloc(a->n_captures + 1, sizeof(*t->spans));
	t->events = calloc(a->n_findings + 1, sizeof(*t->events));
	if (t->spans == NULL || t->events == NULL) {
		timeline_free(t);
		return -ENOMEM;
	}
	lay_out(t);
	for (size_t i = 0; i < a->n_findings; i++) {
		const struct finding *f = a->findings[i];
		/* What speaks of several connections has no one time. */
		if (f->verdict < o->min_verdict || f->scope != SCOPE_FLOW)
			continue;
		t->events[t->n++] = (struct event){f, place_of(t, f->ts_ns)};
		t->lanes += t->families[f->family]++ == 0;
	}
	if (t->n == 0) {
		timeline_free(t);
		return 0;
	}
	*out = t;
	return 0;
}

static const struct {
	double seconds;
	const char *name;
} units[] = {{86400, "days"}, {3600, "hours"}, {60, "minutes"}, {1, "seconds"}};

static unsigned unit_of(double total)
{
	unsigned u = 0;

	while (u < 3 && total < 3 * units[u].seconds)
		u++;
	return u;
}

struct bin {
	uint64_t n;
	enum verdict worst;
	const struct finding *f; /* the worst */
	double at;
};

static void draw_lane(struct svg_plot *p, const struct timeline *t, enum family family, double y,
		      double unit)
{
	static const enum svg_mark shapes[VERDICT_N] = {
		[VERDICT_INCONCLUSIVE] = SVG_RING,
		[VERDICT_ANOMALY] = SVG_DIAMOND,
		[VERDICT_LIKELY] = SVG_TRIANGLE,
		[VERDICT_CONFIRMED] = SVG_DOT,
	};
	static const char *const classes[VERDICT_N] = {"mark", "mark v1", "mark v2", "mark v3",
						       "mark v4"};
	struct bin bins[BINS + 1] = {{.n = 0}};

	for (size_t i = 0; i < t->n; i++) {
		const struct event *e = &t->events[i];
		double part = e->at / t->total * BINS;
		struct bin *b = &bins[part < 0 ? 0 : part > BINS ? BINS : (unsigned)part];
		if (e->f->family != family)
			continue;
		if (b->n++ == 0 || e->f->verdict > b->worst) {
			b->worst = e->f->verdict;
			b->f = e->f;
			b->at = e->at;
		}
	}
	svg_line(&p->svg, "grid", p->left, y, p->right, y);
	svg_text(&p->svg, "fact", SVG_START, p->left + 4, y - 12, "%s: %" PRIu64,
		 family_name[family], t->families[family]);
	for (unsigned i = 0; i <= BINS; i++) {
		const struct bin *b = &bins[i];
		char about[160];
		if (b->n == 0)
			continue;
		snprintf(about, sizeof(about), "%" PRIu64 " finding%s, %s: %.60s, frame %" PRIu64,
			 b->n, b->n == 1 ? "" : "s, the strongest", verdict_name[b->worst],
			 b->f->id, facts_decisive_frame(b->f));
		svg_mark(&p->svg, classes[b->worst], shapes[b->worst], svg_plot_x(p, b->at / unit),
			 y, 3.5 + 1.5 * log10((double)b->n), about);
	}
}

static void timeline_draw(const void *data, FILE *out, bool alone)
{
	const struct timeline *t = data;
	unsigned u = unit_of(t->total), lane = 0;
	char label[160], when[FACTS_TIME_SIZE];
	uint64_t start = t->n_spans > 0 ? t->spans[0].first_ns : 0;
	struct svg_plot p;

	facts_time(start, when);
	if (t->n_spans > 1)
		snprintf(label, sizeof(label),
			 "%s, %zu captures that do not overlap, one after the "
			 "other",
			 units[u].name, t->n_spans);
	else
		snprintf(label, sizeof(label), "%s since %.10s %.8s UTC", units[u].name, when,
			 when + 11);
	const struct svg_axis x = {.label = label, .min = 0, .max = t->total / units[u].seconds};
	const struct svg_axis y = {
		.label = "", .min = 0, .max = t->lanes, .bare = true, .length = 40 + 40 * t->lanes};
	svg_plot_begin(&p, out, alone, "Timeline of the findings, a lane for each family", &x, &y,
		       4);
	for (size_t i = 1; i < t->n_spans && t->n_spans <= 40; i++) {
		double at = svg_plot_x(&p, t->spans[i].at / units[u].seconds);
		svg_line(&p.svg, "axis", at, p.top, at, p.bottom);
	}
	for (unsigned f = 0; f < FAMILY_N; f++) {
		if (t->families[f] != 0)
			draw_lane(&p, t, (enum family)f, svg_plot_y(&p, t->lanes - lane++ - 0.65),
				  units[u].seconds);
	}
	svg_plot_legend(&p, "mark v4", SVG_DOT, false, "confirmed");
	svg_plot_legend(&p, "mark v3", SVG_TRIANGLE, false, "likely");
	svg_plot_legend(&p, "mark v2", SVG_DIAMOND, false, "anomaly");
	svg_plot_legend(&p, "mark v1", SVG_RING, false, "inconclusive");
	svg_plot_end(&p);
}

static void timeline_csv(const void *data, FILE *out)
{
	const struct timeline *t = data;
	char when[FACTS_TIME_SIZE];

	fputs("time,flow_id,frame,finding,family,verdict,trigger_kind,trigger\n", out);
	for (size_t i = 0; i < t->n; i++) {
		const struct finding *f = t->events[i].f;
		fprintf(out, "%s,%" PRIu64 ",%" PRIu64 ",%s,%s,%s,%s,", facts_time(f->ts_ns, when),
			f->flow->id, facts_decisive_frame(f), f->id, family_name[f->family],
			verdict_name[f->verdict], trigger_name[f->trigger]);
		figure_csv_name(out, f->trigger_value,
				strlen(f->trigger_value));
		putc('\n', out);
	}
}

const struct figure figure_timeline = {
	.name = "timeline",
	.title = "Timeline of findings",
	.caption = "Findings about single connections by time and family. Close together they are "
		   "one mark, the larger the more, with the shape of the strongest.",
	.gather = timeline_gather,
	.draw = timeline_draw,
	.csv = timeline_csv,
	.free = timeline_free,
};
