/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The parts of report.html, and the pen that they share. One page, nothing fetched; what is not a
 * constant of ours goes through markup.h. Class names are those of html.css.
 */

#include <stdio.h>

#include "tools/facts.h"
#include "tools/report.h"

struct compare_totals; /* tools/compare/compare.h */

struct html {
	FILE *out;
	const struct analysis *analysis;
	const struct report_options *options;
	struct facts_tally tally;
};

/* Findings of one kind, with one trigger, towards one server. */
struct html_group {
	const struct finding **list; /* strongest first */
	size_t n, order;
	size_t by[VERDICT_N];
	const char *id;       /* the kind's */
	enum verdict verdict; /* of the strongest */
	bool wider;           /* it speaks of several connections */
};

struct html_groups {
	const struct finding **findings; /* what the lists are slices of */
	struct html_group *list;	 /* strongest first, then by number */
	size_t n, n_findings;
};

/* How much is written; what is beyond is counted, and the page says so. */
#define HTML_GROUPS_MAX	   300 /* with a line of their own */
#define HTML_FULL_IN_GROUP 5   /* findings with packets and evidence */
#define HTML_EXTRA_MAX	   100 /* of them beyond the strongest of each group, in all */
#define HTML_ROWS_MAX	   200 /* of a table */
#define HTML_NAME_MAX	   255 /* bytes of a name: more than DNS has (RFC 1035, 2.3.4) */

int html_groups_make(struct html_groups *g, const struct html *h); /* 0 or -ENOMEM */
void html_groups_free(struct html_groups *g);

/* html_pen.c. Text of ours, or that went through escape_bytes(). */
void html_text(const struct html *h, const char *s);
/* Bytes from outside, apart from what is around them as to the direction of writing. */
void html_name(const struct html *h, const void *data, size_t len);
void html_verdict(const struct html *h, enum verdict v);
void html_trigger(const struct html *h, const struct finding *f);
void html_connection(const struct html *h, const struct flow_record *f);
void html_time(const struct html *h, uint64_t ts_ns);
/* " of FILE" behind a frame of one timeline of several files; else nothing. */
void html_frame_file(const struct html *h, const struct finding *f, uint32_t file);
void html_count(const struct html *h, uint64_t n); /* "1,234,567" */
const char *html_plural(uint64_t n);
/* <h2> with an anchor. */
void html_section(const struct html *h, const char *id, const char *title);
void html_section_end(const struct html *h);
/* A term and what is said of it, in a <dl>. */
void html_term(const struct html *h, const char *term);
void html_term_end(const struct html *h);
void html_said(const struct html *h, const char *term, const char *text); /* nothing for "" */
/* Column heads, split by '|'; '#' before one: numbers. caption: what the table is. */
void html_table(const struct html *h, const char *caption, const char *heads);
void html_table_end(const struct html *h);
void html_cell(const struct html *h, const char *text);
void html_cell_count(const struct html *h, uint64_t n);
/* "… and 5 more", as a paragraph; nothing for 0. */
void html_left_out(const struct html *h, uint64_t n, const char *what);

void html_captures(const struct html *h);
/* Totals of both ways; fates that no packet met have no column. */
void html_fates(const struct html *h, const char *caption, const struct compare_totals *up,
		const struct compare_totals *down);
void html_comparison(const struct html *h); /* nothing where two captures were not compared */
void html_audit(const struct html *h);	    /* nothing where no box was audited */
void html_profiles(const struct html *h);
void html_findings(const struct html *h, const struct html_groups *g);
void html_finding(const struct html *h, const struct finding *f);
void html_evidence(const struct html *h, const struct finding *f);
void html_names(const struct html *h);
int html_tables(const struct html *h); /* 0 or -ENOMEM */
int html_figures(const struct html *h,
		 bool timeline); /* the timeline, or all others; 0 or -ENOMEM */
void html_legend(const struct html *h);
void html_run(const struct html *h);
