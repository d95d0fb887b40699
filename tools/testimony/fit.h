/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Whether what two runs testify to could have been one run's. */

#include <stdbool.h>

#include "tools/testimony/testimony.h"

/* An option that changes what is shown, not what is found; option may have a value. */
bool testimony_is_for_show(const char *option);
/*
 * False, and why (of len bytes): they are of different versions, options or lists of rules. The names
 * are for that sentence.
 */
bool testimony_fits(const struct testimony_head *a, const char *a_name, const struct testimony_head *b,
		    const char *b_name, char *why, size_t len);
