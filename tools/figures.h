/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The plots of a report, for the page and for papers: each is drawn, and has the numbers behind it.
 * A figure that the captures have no data for is left out.
 */

#include "tools/report.h"
#include "tools/svg_plot.h"

struct figure {
	const char *name; /* of its files, without extension */
	const char *title;
	const char *caption; /* what is drawn, and from what */
	/* Data of its own from the model: 0 or -ENOMEM; *out stays NULL where there are none. */
	int (*gather)(const struct analysis *a, const struct report_options *o, void **out);
	void (*draw)(const void *data, FILE *out, bool alone);
	void (*csv)(const void *data, FILE *out);
	/* What of the data is not drawn, a sentence; NULL or "" if all is. */
	const char *(*left_out)(const void *data, char *out, size_t room);
	void (*free)(void *data);
};

extern const struct figure figure_timeline, figure_reaction, figure_ttl, figure_ip_id,
	figure_residual, figure_goodput, figure_sequence;
extern const struct figure *const figure_table[]; /* NULL-terminated, the timeline first */

/*
 * NAME.svg and NAME.csv of every figure with data, in the folder that dirfd is of; what was there
 * by these names is replaced. 0 or the first -errno; the others are tried all the same.
 */
int figures_write(const struct analysis *a, const struct report_options *o, int dirfd);

/* A field of CSV (RFC 4180) whose bytes are from outside; inert in a spreadsheet too. */
void figure_csv_name(FILE *out, const void *data, size_t len);
/* What makes one series of a figure: the box that the study took a finding to be of, or its id. */
struct figure_series {
	unsigned box; /* number of the profile; 0 none */
	const char *key;
};
struct figure_series figure_series_of(const struct report_options *o, const struct finding *f);
int figure_series_compare(const struct figure_series *x, const struct figure_series *y);
/* "box 1, mbx1_…" */
#define FIGURE_SERIES_SIZE 160
const char *figure_series_name(const struct figure_series *s, char out[FIGURE_SERIES_SIZE]);
