/* SPDX-License-Identifier: BSD-3-Clause */

/* Whether two sets of goodput samples differ: WeHe's two tests. */

#include "classifiers/tamper/rate_parts.h"

#define RESAMPLE_SEED UINT64_C(0x9e3779b97f4a7c15)
#define RESAMPLE_MAX 2000u /* samples drawn from a side each time */

/* xorshift64*: Vigna, ACM TOMS 42(4), 2016. */
static uint64_t draw(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* The largest distance of the two distributions; both sorted. */
static double ks_distance(const double *x, unsigned n_x, const double *y, unsigned n_y)
{
	double most = 0;
	unsigned i = 0, k = 0;
	while (i < n_x && k < n_y) {
		double at = x[i] < y[k] ? x[i] : y[k];
		while (i < n_x && x[i] <= at)
			i++;
		while (k < n_y && y[k] <= at)
			k++;
		double d = fabs((double)i / n_x - (double)k / n_y);
		most = d > most ? d : most;
	}
	return most;
}

/* Kolmogorov's limiting distribution, with Stephens' correction for few samples (1970). */
static double ks_p(double distance, unsigned n_x, unsigned n_y)
{
	double n = sqrt((double)n_x * n_y / ((double)n_x + n_y));
	double l = (n + 0.12 + 0.11 / n) * distance, sum = 0, sign = 1;
	if (l < 0.2)
		return 1;
	for (int k = 1; k <= 100; k++, sign = -sign) {
		double term = exp(-2 * k * k * l * l);
		sum += sign * term;
		if (term < 1e-12)
			break;
	}
	return sum < 0 ? 0 : 2 * sum > 1 ? 1 : 2 * sum;
}

/* The area between the two distribution functions; both sorted. */
static double area_between(const double *x, unsigned n_x, const double *y, unsigned n_y)
{
	double area = 0, at = x[0] < y[0] ? x[0] : y[0];
	unsigned i = 0, k = 0;
	while (i < n_x || k < n_y) {
		double next = i == n_x	       ? y[k]
			      : k == n_y       ? x[i]
			      : x[i] < y[k] ? x[i]
					    : y[k];
		area += (next - at) * fabs((double)i / n_x - (double)k / n_y);
		at = next;
		while (i < n_x && x[i] <= at)
			i++;
		while (k < n_y && y[k] <= at)
			k++;
	}
	return area;
}

static void resample(const double *from, unsigned n, double *out, unsigned m, uint64_t *state)
{
	for (unsigned i = 0; i < m; i++)
		out[i] = from[draw(state) % n];
	qsort(out, m, sizeof(*out), by_double);
}

struct rate_comparison rate_compare(double *x, unsigned n_x, double *y, unsigned n_y)
{
	struct rate_comparison c = {.said = RATE_UNDECIDED, .ks_p = 1};
	if (n_x == 0 || n_y == 0)
		return c;
	qsort(x, n_x, sizeof(*x), by_double);
	qsort(y, n_y, sizeof(*y), by_double);
	c.mean_x = mean(x, n_x);
	c.mean_y = mean(y, n_y);
	double larger = c.mean_x > c.mean_y ? c.mean_x : c.mean_y;
	if (larger <= 0)
		return c;
	c.area = area_between(x, n_x, y, n_y) / larger * (c.mean_x < c.mean_y ? 1 : -1);
	c.ks_p = ks_p(ks_distance(x, n_x, y, n_y), n_x, n_y);
	unsigned m_x = n_x < RESAMPLE_MAX ? n_x : RESAMPLE_MAX;
	unsigned m_y = n_y < RESAMPLE_MAX ? n_y : RESAMPLE_MAX, agree = 0;
	double *room = malloc((m_x + m_y) * sizeof(*room));
	uint64_t state = RESAMPLE_SEED;
	if (room == NULL)
		return c;
	for (unsigned k = 0; k < RATE_RESAMPLES; k++) {
		resample(x, n_x, room, m_x, &state);
		resample(y, n_y, room + m_x, m_y, &state);
		double p = ks_p(ks_distance(room, m_x, room + m_x, m_y), m_x, m_y);
		agree += (p < RATE_KS_P) == (c.ks_p < RATE_KS_P);
	}
	free(room);
	c.ks_trust = (double)agree / RATE_RESAMPLES;
	if (c.ks_trust > RATE_KS_TRUST && c.ks_p < RATE_KS_P && fabs(c.area) > RATE_AREA)
		c.said = RATE_DIFFERENT;
	else if (c.ks_p >= RATE_KS_P && fabs(c.area) <= RATE_AREA)
		c.said = RATE_SAME;
	return c;
}
