/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Private to rate*.c: what several of them ask of a trace or of numbers. */

#include <math.h>
#include <stdlib.h>

#include "classifiers/tamper/rate.h"

#define RATE_SAMPLES_MIN 15      /* of the published detector: of lost segments, and of passed ones */
#define RATE_SEGMENT 1448.0      /* bytes, of Ethernet with timestamps */

static inline int by_double(const void *x, const void *y)
{
	const double a = *(const double *)x, b = *(const double *)y;
	return a < b ? -1 : a > b;
}

/* Of a sorted list, interpolating as numpy does by default. */
static inline double percentile(const double *v, unsigned n, double share)
{
	double at = share * (n - 1);
	unsigned i = (unsigned)at;
	return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[n - 1];
}

/* Sorts. */
static inline double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_double);
	return percentile(v, n, 0.5);
}

static inline double mean(const double *v, unsigned n)
{
	double sum = 0;
	for (unsigned i = 0; i < n; i++)
		sum += v[i];
	return sum / n;
}

static inline bool is_lost(const struct rate_segment *s)
{
	return (s->bits & RATE_LOST) != 0;
}

/*
 * rate_shape.c: how much longer than the quickest each segment had been under way, by its sender's clock,
 * in us; -1 for what did not come. False: the clock is not known.
 */
bool rate_waits(const struct rate_trace *t, double *us);

/* Bytes that had to come again, and holes that nothing filled, are none that went by. */
static inline bool has_passed(const struct rate_segment *s)
{
	return (s->bits & (RATE_LOST | RATE_HOLE)) == 0;
}
