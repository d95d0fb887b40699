/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/digits.h"

#include <string.h>

/* Two digits at a time: half of the divisions. */
static const char pairs[200] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
			       "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
			       "8081828384858687888990919293949596979899";

static char *put_pair(char *end, uint64_t v)
{
	memcpy(end - 2, pairs + 2 * (v % 100), 2);
	return end - 2;
}

char *digits_put(char *out, uint64_t v)
{
	char digits[DIGITS_MAX], *at = digits + DIGITS_MAX;

	if (v < 10) {
		*out = (char)('0' + v);
		return out + 1;
	}
	for (; v >= 10; v /= 100)
		at = put_pair(at, v);
	if (v != 0)
		*--at = (char)('0' + v);
	size_t n = (size_t)(digits + DIGITS_MAX - at);
	memcpy(out, at, n);
	return out + n;
}

char *digits_pad(char *out, uint64_t v, unsigned width)
{
	char *at = out + width;

	for (; at - out >= 2; v /= 100)
		at = put_pair(at, v);
	if (at != out)
		*out = (char)('0' + v % 10);
	return out + width;
}
