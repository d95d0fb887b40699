/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* How sources, sinks and modules decline to open: "WHAT: WHY" for the user, a code for the caller. */

#include <stddef.h>
#include <stdio.h>

static inline int refuse(char *err, size_t errlen, int code, const char *what, const char *why)
{
	snprintf(err, errlen, "%s: %s", what, why);
	return code;
}
