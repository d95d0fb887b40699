/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/digits.h"

#include <string.h>

char *digits_put(char *out, uint64_t v)
{
	char digits[DIGITS_MAX], *at = digits + DIGITS_MAX;

	do
		*--at = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	size_t n = (size_t)(digits + DIGITS_MAX - at);
	memcpy(out, at, n);
	return out + n;
}

char *digits_pad(char *out, uint64_t v, unsigned width)
{
	for (unsigned i = width; i > 0; i--, v /= 10)
		out[i - 1] = (char)('0' + v % 10);
	return out + width;
}
