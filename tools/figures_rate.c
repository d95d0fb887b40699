/* SPDX-License-Identifier: BSD-3-Clause */

/* Connections held to a rate, and those compared with them: goodput, and bytes over time. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/attempt.h"
#include "tools/facts.h"
#include "tools/figures.h"

#define POINTS 600 /* of a curve */

struct curve {
	uint64_t flow_id;
	const struct goodput *goodput;
	const struct rate_facts *rate; /* what held it, NULL */
	bool control;		       /* compared with one that was held */
};

struct curves {
	struct curve list[SVG_SERIES];
	unsigned n, more;
	double seconds, bytes, bps; /* most of any */
};

static void curve_add(struct curves *c, uint64_t id, const struct goodput *g,
		      const struct rate_facts *rate, bool control)
{
	if (g == NULL || g->n == 0 || g->bin_ns == 0)
		return;
	for (unsigned i = 0; i < c->n; i++) {
		if (c->list[i].flow_id != id)
			continue;
		if (c->list[i].rate == NULL)
			c->list[i].rate = rate;
		return;
	}
	if (c->n == SVG_SERIES) {
		c->more++;
		return;
	}
	c->list[c->n++] = (struct curve){id, g, rate, control};
	double seconds = (double)g->n * (double)g->bin_ns / 1e9, sum = 0;
	c->seconds = seconds > c->seconds ? seconds : c->seconds;
	for (unsigned i = 0; i < g->n; i++) {
		double bps = g->bytes[i] * 8e9 / (double)g->bin_ns;
		sum += g->bytes[i];
		c->bps = bps > c->bps ? bps : c->bps;
	}
	c->bytes = sum > c->bytes ? sum : c->bytes;
}

static bool is_listed(const uint64_t *list, unsigned n, uint64_t id)
{
	for (unsigned i = 0; i < n; i++) {
		if (list[i] == id)
			return true;
	}
	return false;
}

static const struct rate_facts *held(const struct rate_facts *r)
{
	return r != NULL && r->form != RATE_NONE ? r : NULL;
}

/* What a finding over several connections stands on, and its controls. */
static void add_scope(struct curves *c, const struct analysis *a, const struct finding *f)
{
	for (unsigned control = 0; control < 2; control++) {
		const uint64_t *list = control ? f->controls : f->flows;
		unsigned n = control ? f->n_controls : f->n_flows;
		for (size_t i = 0; n != 0 && i < a->n_attempts; i++) {
			const struct attempt *t = &a->attempts[i];
			if (t->goodput != NULL && is_listed(list, n, t->flow_id))
				curve_add(c, t->flow_id, t->goodput, held(t->rate), control != 0);
		}
	}
}

static int rate_gather(const struct analysis *a, const struct report_options *o, void **out)
{
	enum { SCOPES = 4 };
	struct curves *c = calloc(1, sizeof(*c));
	unsigned scopes = 0;

	if (c == NULL)
		return -ENOMEM;
	/* Findings over several connections come last, and say more: they are asked first. */
	for (size_t i = a->n_findings; i > 0 && a->findings[i - 1]->scope != SCOPE_FLOW; i--) {
		const struct finding *f = a->findings[i - 1];
		if (f->family == FAMILY_THROTTLING && f->verdict >= o->min_verdict &&
		    scopes++ < SCOPES)
			add_scope(c, a, f);
	}
	for (size_t i = 0; i < a->n_findings; i++) {
		const struct finding *f = a->findings[i];
		if (f->family == FAMILY_THROTTLING && f->scope == SCOPE_FLOW &&
		    f->verdict >= o->min_verdict)
			curve_add(c, f->flow->id, f->flow->goodput, held(f->rate), false);
	}
	if (c->n == 0)
		free(c);
	else
		*out = c;
	return 0;
}

static void legend(struct svg_plot *p, const struct curve *k, unsigned number)
{
	char text[200];

	if (k->rate != NULL)
		snprintf(text, sizeof(text), "flow %" PRIu64 ": %s to %.0f kbit/s", k->flow_id,
			 rate_form_name[k->rate->form], k->rate->rate_bps / 1e3);
	else
		snprintf(text, sizeof(text), "flow %" PRIu64 "%s", k->flow_id,
			 k->control ? ": control" : "");
	svg_plot_legend(p, svg_series_line(number), SVG_DOT, true, text);
}

/* Bins that one point of the curve stands for. */
static unsigned bins_of(const struct goodput *g)
{
	return g->n / POINTS + 1;
}

static double unit_of(double most, double kilo, const char **prefix)
{
	static const char *const prefixes[] = {"", "k", "M", "G"};
	double unit = 1;
	unsigned i = 0;

	for (; i < 3 && most / unit >= 2 * kilo; i++)
		unit *= kilo;
	*prefix = prefixes[i];
	return unit;
}

static void goodput_draw(const void *data, FILE *out, bool alone)
{
	const struct curves *c = data;
	const char *prefix;
	double unit = unit_of(c->bps, 1000, &prefix);
	char label[64];
	struct svg_plot p;

	snprintf(label, sizeof(label), "goodput, %sbit/s", prefix);
	const struct svg_axis x = {.label = "seconds since the first payload", .max = c->seconds};
	const struct svg_axis y = {.label = label, .max = c->bps / unit * 1.05};
	svg_plot_begin(&p, out, alone, "Goodput over time", &x, &y, c->n);
	for (unsigned i = 0; i < c->n; i++) {
		const struct goodput *g = c->list[i].goodput;
		unsigned step = bins_of(g);
		double bin = (double)g->bin_ns / 1e9;
		svg_path(&p.svg, svg_series_line(i));
		for (unsigned k = 0; k < g->n; k += step) {
			uint64_t sum = 0;
			unsigned n = 0;
			for (; n < step && k + n < g->n; n++)
				sum += g->bytes[k + n];
			double rate = svg_plot_y(&p, (double)sum * 8 / (n * bin) / unit);
			svg_path_to(&p.svg, k == 0, svg_plot_x(&p, k * bin), rate);
			svg_path_to(&p.svg, false, svg_plot_x(&p, (k + n) * bin), rate);
		}
		svg_path_end(&p.svg);
		legend(&p, &c->list[i], i);
	}
	svg_plot_end(&p);
}

/* What a token bucket lets pass: its size at once, then the rate. */
static void bucket_draw(struct svg_plot *p, const struct curve *k, double unit)
{
	double burst = (double)k->rate->burst_bytes, per_second = k->rate->rate_bps / 8;
	double seconds = (double)k->goodput->n * (double)k->goodput->bin_ns / 1e9;

	if (per_second <= 0)
		return;
	/* To the edge of the plot and no further. */
	double most = (p->y.max * unit - burst) / per_second;
	seconds = seconds < most ? seconds : most;
	if (seconds <= 0)
		return;
	svg_path(&p->svg, "line fit");
	svg_path_to(&p->svg, true, svg_plot_x(p, 0), svg_plot_y(p, burst / unit));
	svg_path_to(&p->svg, false, svg_plot_x(p, seconds),
		    svg_plot_y(p, (burst + per_second * seconds) / unit));
	svg_path_end(&p->svg);
}

static void sequence_draw(const void *data, FILE *out, bool alone)
{
	const struct curves *c = data;
	const char *prefix;
	double unit = unit_of(c->bytes, 1000, &prefix);
	bool fits = false;
	char label[64];
	struct svg_plot p;

	for (unsigned i = 0; i < c->n; i++)
		fits = fits || c->list[i].rate != NULL;
	snprintf(label, sizeof(label), "payload that arrived, %sB", prefix);
	const struct svg_axis x = {.label = "seconds since the first payload", .max = c->seconds};
	const struct svg_axis y = {.label = label, .max = c->bytes / unit * 1.05};
	svg_plot_begin(&p, out, alone,
		       "Payload that arrived over time, with the fit of a token bucket", &x, &y,
		       c->n + fits);
	for (unsigned i = 0; i < c->n; i++) {
		const struct goodput *g = c->list[i].goodput;
		unsigned step = bins_of(g);
		double sum = 0;
		svg_path(&p.svg, svg_series_line(i));
		svg_path_to(&p.svg, true, svg_plot_x(&p, 0), svg_plot_y(&p, 0));
		for (unsigned k = 0; k < g->n; k++) {
			sum += g->bytes[k];
			if ((k + 1) % step == 0 || k + 1 == g->n)
				svg_path_to(&p.svg, false,
					    svg_plot_x(&p, (k + 1) * (double)g->bin_ns / 1e9),
					    svg_plot_y(&p, sum / unit));
		}
		svg_path_end(&p.svg);
		if (c->list[i].rate != NULL)
			bucket_draw(&p, &c->list[i], unit);
		legend(&p, &c->list[i], i);
	}
	if (fits)
		svg_plot_legend(
			&p, "line fit", SVG_DOT, true,
			"fit: a bucket of the bytes before the first loss, filled at the rate");
	svg_plot_end(&p);
}

static const char *rate_left_out(const void *data, char *out, size_t room)
{
	const struct curves *c = data;

	if (c->more == 0)
		return NULL;
	snprintf(out, room, "Drawn are %u of %u connections.", c->n, c->n + c->more);
	return out;
}

static void rate_csv(const void *data, FILE *out)
{
	const struct curves *c = data;

	fputs("flow_id,role,form,rate_bps,burst_bytes,seconds,bytes,total_bytes\n", out);
	for (unsigned i = 0; i < c->n; i++) {
		const struct curve *k = &c->list[i];
		uint64_t total = 0;
		for (unsigned b = 0; b < k->goodput->n; b++) {
			total += k->goodput->bytes[b];
			fprintf(out,
				"%" PRIu64 ",%s,%s,%.0f,%" PRIu64 ",%.3f,%" PRIu32 ",%" PRIu64 "\n",
				k->flow_id, k->control ? "control" : "finding",
				k->rate != NULL ? rate_form_name[k->rate->form] : "none",
				k->rate != NULL ? k->rate->rate_bps : 0.0,
				k->rate != NULL ? k->rate->burst_bytes : 0,
				(double)b * (double)k->goodput->bin_ns / 1e9, k->goodput->bytes[b],
				total);
		}
	}
}

const struct figure figure_goodput = {
	.name = "goodput",
	.title = "Goodput",
	.caption = "Payload that arrived, once each byte, of connections that something held to a "
		   "rate, and of those that they were compared with.",
	.gather = rate_gather,
	.draw = goodput_draw,
	.csv = rate_csv,
	.left_out = rate_left_out,
	.free = free,
};

const struct figure figure_sequence = {
	.name = "sequence-time",
	.title = "Sequence and time",
	.caption =
		"The same bytes summed up. Under a policer the curve follows a straight line from "
		"the size of its bucket on.",
	.gather = rate_gather,
	.draw = sequence_draw,
	.csv = rate_csv,
	.left_out = rate_left_out,
	.free = free,
};
