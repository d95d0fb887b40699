/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Two axes with ticks, and what lies between them. */

#include "tools/svg_pen.h"

struct svg_axis {
	const char *label;
	double min, max; /* made to differ, and both above 0 with log, by svg_plot_begin() */
	bool log;
	bool whole;    /* counts: no ticks between whole numbers */
	bool bare;     /* no ticks: the caller says what lies where */
	double length; /* of the axis of y; 0: as usual */
};

struct svg_plot {
	struct svg svg;
	struct svg_axis x, y;
	double left, top, right, bottom; /* of the area between the axes */
	unsigned n_legend;
};

#define SVG_SERIES 6			 /* "s0" to "s5", each with a dash and a mark of its own */
const char *svg_series_line(unsigned i); /* class */
const char *svg_series_mark(unsigned i); /* class */
enum svg_mark svg_series_shape(unsigned i);

/* legend: how many entries svg_plot_legend() will have. */
void svg_plot_begin(struct svg_plot *p, FILE *out, bool alone, const char *label,
		    const struct svg_axis *x, const struct svg_axis *y, unsigned legend);
void svg_plot_end(struct svg_plot *p);
/* Places within the area; what lies outside is put on its edge. */
double svg_plot_x(const struct svg_plot *p, double v);
double svg_plot_y(const struct svg_plot *p, double v);
/* An entry below the plot; mark: a point of the series, else its line. text may be hostile. */
void svg_plot_legend(struct svg_plot *p, const char *class, enum svg_mark mark, bool line,
		     const char *text);
/* "12.5 ms", "3 s" and the like are left to the caller: digits only, no more than are needed. */
void svg_number(double v, double step, char out[32]);
