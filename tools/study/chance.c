/* SPDX-License-Identifier: BSD-3-Clause */

/* Fisher's exact test, one-sided. */

#include <math.h>

#include "tools/study/study_private.h"

/* Log of the number of ways to choose k of n. */
static double log_choose(unsigned n, unsigned k)
{
	return lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0);
}

double study_chance(const unsigned failed[2], const unsigned passed[2])
{
	unsigned n = failed[1] + passed[1], all = n + failed[0] + passed[0];
	unsigned bad = failed[0] + failed[1], most = bad < n ? bad : n;
	double p = 0;
	for (unsigned k = failed[1]; k <= most; k++)
		if (n - k <= all - bad)
			p += exp(log_choose(bad, k) + log_choose(all - bad, n - k) -
				 log_choose(all, n));
	return p;
}
