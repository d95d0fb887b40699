/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/svg_plot.h"

#include <math.h>
#include <string.h>

#define WIDTH  720
#define AREA   270 /* height between the axes */
#define LEFT   64
#define RIGHT  16
#define TOP    14
#define BELOW  46 /* ticks and label of x */
#define LEGEND 18 /* height of an entry */

const char *svg_series_line(unsigned i)
{
	static const char *const classes[SVG_SERIES] = {"line s0", "line s1", "line s2",
							"line s3", "line s4", "line s5"};

	return classes[i % SVG_SERIES];
}

const char *svg_series_mark(unsigned i)
{
	static const char *const classes[SVG_SERIES] = {"mark s0", "mark s1", "mark s2",
							"mark s3", "mark s4", "mark s5"};

	return classes[i % SVG_SERIES];
}

enum svg_mark svg_series_shape(unsigned i)
{
	return (enum svg_mark)(i % SVG_MARKS);
}

void svg_number(double v, double step, char out[32])
{
	int decimals = 0;

	for (double s = step; decimals < 6 && s > 0 && s < 0.999; s *= 10)
		decimals++;
	if (fabs(v) < step / 1000)
		v = 0;
	snprintf(out, 32, "%.*f", decimals, v);
}

/* 1, 2 or 5 times a power of ten, so that about n of them span the axis. */
static double tick_step(const struct svg_axis *a, unsigned n)
{
	double raw = (a->max - a->min) / n, power = pow(10, floor(log10(raw)));
	double step = raw / power > 5	? 10 * power
		      : raw / power > 2 ? 5 * power
		      : raw / power > 1 ? 2 * power
					: power;

	return a->whole && step < 1 ? 1 : step;
}

static double place(const struct svg_axis *a, double v)
{
	double at = a->log ? (log10(v > a->min ? v : a->min) - log10(a->min)) /
				     (log10(a->max) - log10(a->min))
			   : (v - a->min) / (a->max - a->min);

	return at > 1 ? 1 : at > 0 ? at : 0;
}

double svg_plot_x(const struct svg_plot *p, double v)
{
	return p->left + place(&p->x, v) * (p->right - p->left);
}

double svg_plot_y(const struct svg_plot *p, double v)
{
	return p->bottom - place(&p->y, v) * (p->bottom - p->top);
}

static void tick(struct svg_plot *p, bool of_x, double v, double step)
{
	char number[32];

	svg_number(v, step, number);
	if (of_x) {
		double x = svg_plot_x(p, v);
		svg_line(&p->svg, "grid", x, p->top, x, p->bottom);
		svg_text(&p->svg, "tick", SVG_MIDDLE, x, p->bottom + 16, "%s", number);
	} else {
		double y = svg_plot_y(p, v);
		svg_line(&p->svg, "grid", p->left, y, p->right, y);
		svg_text(&p->svg, "tick", SVG_END, p->left - 6, y + 4, "%s", number);
	}
}

static void ticks(struct svg_plot *p, bool of_x)
{
	const struct svg_axis *a = of_x ? &p->x : &p->y;

	if (a->bare)
		return;
	if (a->log) {
		double decades = log10(a->max / a->min);
		for (double power = pow(10, floor(log10(a->min))); power <= a->max * 1.001;
		     power *= 10) {
			for (unsigned k = 1; k < 10; k++) {
				bool wanted = k == 1 || (decades < 3 && (k == 2 || k == 5));
				if (wanted && k * power >= a->min * 0.999 &&
				    k * power <= a->max * 1.001)
					tick(p, of_x, k * power, power);
			}
		}
		return;
	}
	double step = tick_step(a, of_x ? 8 : 5);
	double first = ceil(a->min / step - 1e-9);
	for (unsigned i = 0; i < 40 && (first + i) * step <= a->max + step * 1e-9; i++)
		tick(p, of_x, (first + i) * step, step);
}

/* An axis of no length, or of numbers that are none, would put everything nowhere. */
static void mend(struct svg_axis *a)
{
	if (!isfinite(a->min))
		a->min = 0;
	if (a->log && a->min <= 0)
		a->min = 1e-3;
	if (!isfinite(a->max) || a->max <= a->min)
		a->max = a->log ? a->min * 10 : a->min + 1;
}

void svg_plot_begin(struct svg_plot *p, FILE *out, bool alone, const char *label,
		    const struct svg_axis *x, const struct svg_axis *y, unsigned legend)
{
	double area = y->length > 0 ? y->length : AREA;

	*p = (struct svg_plot){.x = *x,
			       .y = *y,
			       .left = LEFT,
			       .top = TOP,
			       .right = WIDTH - RIGHT,
			       .bottom = TOP + area};
	mend(&p->x);
	mend(&p->y);
	svg_begin(&p->svg, out, alone, WIDTH, TOP + area + BELOW + LEGEND * legend, label);
	ticks(p, true);
	ticks(p, false);
	svg_line(&p->svg, "axis", p->left, p->bottom, p->right, p->bottom);
	svg_line(&p->svg, "axis", p->left, p->top, p->left, p->bottom);
	svg_text(&p->svg, "label", SVG_MIDDLE, (p->left + p->right) / 2, p->bottom + 36, "%s",
		 x->label);
	svg_text_up(&p->svg, "label", 14, (p->top + p->bottom) / 2, y->label);
}

void svg_plot_legend(struct svg_plot *p, const char *class, enum svg_mark mark, bool line,
		     const char *text)
{
	double y = p->bottom + BELOW + LEGEND * p->n_legend++ + 8;

	if (line)
		svg_line(&p->svg, class, p->left, y, p->left + 28, y);
	else
		svg_mark(&p->svg, class, mark, p->left + 14, y, 4, NULL);
	svg_text(&p->svg, "legend", SVG_START, p->left + 36, y + 4, "%s", text);
}

void svg_plot_end(struct svg_plot *p)
{
	svg_end(&p->svg);
}
