/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Drawings as SVG, either within a page, which brings the style, or alone in a file. Lengths are
 * units of the drawing, y grows downwards. Classes are those of figure.css.
 */

#include <stdbool.h>
#include <stdio.h>

struct svg {
	FILE *out;
	double width, height;
};

/* label says to those who do not see it what the drawing shows; it may hold bytes from outside. */
void svg_begin(struct svg *s, FILE *out, bool alone, double width, double height,
	       const char *label);
void svg_end(struct svg *s);

void svg_line(struct svg *s, const char *class, double x1, double y1, double x2, double y2);
void svg_rect(struct svg *s, const char *class, double x, double y, double w, double h);

enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };
/* Whatever it holds is made harmless, whether or not it went through escape_bytes() before. */
void svg_text(struct svg *s, const char *class, enum svg_anchor anchor, double x, double y,
	      const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* The same up the page, around (x, y). */
void svg_text_up(struct svg *s, const char *class, double x, double y, const char *text);

/* Marks differ in shape, not in colour alone. */
enum svg_mark { SVG_DOT, SVG_DIAMOND, SVG_TRIANGLE, SVG_SQUARE, SVG_CROSS, SVG_RING, SVG_MARKS };
/* about: shown where the pointer is; NULL none. */
void svg_mark(struct svg *s, const char *class, enum svg_mark mark, double x, double y, double r,
	      const char *about);
/* A head at (x, y), pointing right or left. */
void svg_arrowhead(struct svg *s, const char *class, double x, double y, bool right);

/* Points in order: svg_path(s, class), svg_path_to() for each, svg_path_end(). */
void svg_path(struct svg *s, const char *class);
void svg_path_to(struct svg *s, bool first, double x, double y);
void svg_path_end(struct svg *s);
