/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The parts of the report for people, and the pen that they share. */

#include <stdio.h>

#include "tools/report.h"

#define TEXT_WIDTH 98

struct text {
	FILE *out;
	const struct analysis *analysis;
	const struct report_options *options;
	unsigned escape;         /* for escape_bytes() */
	const char *dash, *ellipsis, *to_server, *to_client;
};

/* A finding in the order of the report: strongest first. */
struct text_finding {
	const struct finding *f;
	size_t order;  /* place in the model */
	unsigned more; /* on the last one in full of a group: how many like it are left out */
	bool folded;   /* left out */
};

struct text text_of(const struct analysis *a, const struct report_options *o, FILE *out);
/* Anything that came from outside. */
void text_raw(const struct text *t, const void *data, size_t len);
/* Columns that the escaped bytes take. */
unsigned text_columns(const char *s);
void text_blanks(const struct text *t, unsigned n);
/* Breaks text at blanks; begins at column indent, and goes on there. text is harmless already. */
void text_wrap(const struct text *t, unsigned indent, const char *text);
/* Begins and ends what a verdict is printed in; nothing without colour. */
void text_colour(const struct text *t, enum verdict v);
void text_plain(const struct text *t);
/* "10.0.0.1:40000 -> 192.0.2.1:443"; returns out. */
const char *text_flow(const struct text *t, const struct flow_record *f, char *out, size_t room);
/* "SNI blocked.example", escaped; "-" without a trigger. */
const char *text_trigger(const struct text *t, const struct finding *f, char *out, size_t room);

void text_captures(const struct text *t);
void text_finding(const struct text *t, const struct finding *f);
void text_ladder(const struct text *t, const struct finding *f);
void text_study(const struct text *t);
void text_comparison(const struct text *t); /* nothing where two captures were not compared */
void text_audit(const struct text *t);      /* nothing where no box was audited */
void text_legend(const struct text *t);
