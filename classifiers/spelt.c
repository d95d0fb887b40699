/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/spelt.h"

#include <stdio.h>

size_t spelt(const char *raw, size_t len, char *out, size_t room)
{
	size_t n = 0, i = 0;

	for (; i < len && n + 5 < room; i++) {
		unsigned char c = (unsigned char)raw[i];
		if (c > ' ' && c <= '~' && c != '\\')
			out[n++] = raw[i];
		else
			n += (size_t)snprintf(out + n, room - n, "\\x%02x", c);
	}
	out[n] = '\0';
	return i;
}
