/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Whether a rule can only be hit at the very beginning, and by which first byte: most bytes of most
 * flows then need no search. Says "anywhere" and "any byte" wherever it is not sure.
 */

#include "classifiers/lists/rules.h"

struct opening {
	bool bound; /* every match begins at the first byte */
	int first;  /* and that byte is this one, 0 to 255, in either case with nocase; -1 any */
};

struct opening opening_of(const struct rule *r);
