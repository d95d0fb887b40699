/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/fet.h"

#include <string.h>

static bool is_printable(uint8_t b)
{
	return b >= 0x20 && b <= 0x7e;
}

/* Ex5: protocols that are known by their first bytes. */
static bool has_known_prefix(const uint8_t *p, size_t len)
{
	static const char verbs[][4] = {"GET", "HEA", "POS", "PUT", "DEL",
					"CON", "OPT", "TRA", "PAT"};
	if (len < 3)
		return false;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (memcmp(p, verbs[i], 3) == 0)
			return true;
	return (p[0] == 0x16 || p[0] == 0x17) && p[1] == 3 && p[2] <= 9;
}

bool fet_is(const uint8_t *p, size_t len)
{
	size_t bits = 0, printable = 0, run = 0, longest = 0, leading = 0;
	if (len == 0 || has_known_prefix(p, len))
		return false;
	for (size_t i = 0; i < len; i++) {
		for (unsigned b = p[i]; b != 0; b &= b - 1)
			bits++;
		run = is_printable(p[i]) ? run + 1 : 0;
		printable += run != 0;
		longest = run > longest ? run : longest;
		leading = run == i + 1 ? run : leading;
	}
	bool ex1 = bits * 10 <= len * 34 || bits * 10 >= len * 46;
	return !ex1 && leading < 6 && printable * 2 <= len && longest <= 20;
}
