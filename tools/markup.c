/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/markup.h"

#include <string.h>

#include "tools/escape.h"

#define PIECE 256 /* bytes of input at a time */

static const char *reference(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	}
	return NULL;
}

static void put(FILE *out, const char *s, size_t n)
{
	size_t from = 0;

	for (size_t i = 0; i < n; i++) {
		const char *instead = reference(s[i]);
		if (instead == NULL)
			continue;
		fwrite(s + from, 1, i - from, out);
		fputs(instead, out);
		from = i + 1;
	}
	fwrite(s + from, 1, n - from, out);
}

/* Where a piece of at most PIECE bytes may end: not within a character. */
static size_t piece_of(const uint8_t *p, size_t len)
{
	size_t n = len < PIECE ? len : PIECE;

	for (unsigned back = 0; n < len && back < 3 && n > 1 && (p[n] & 0xc0) == 0x80; back++)
		n--;
	return n;
}

void markup_write(FILE *out, const void *data, size_t len, unsigned flags)
{
	const uint8_t *p = data;
	char safe[4 * PIECE + 1];

	while (len > 0) {
		size_t n = piece_of(p, len);
		put(out, safe, escape_bytes(safe, sizeof(safe), p, n, flags));
		p += n;
		len -= n;
	}
}

void markup_cut(FILE *out, const void *data, size_t len, size_t most)
{
	const uint8_t *p = data;
	size_t n = len;

	if (len > most) {
		n = most;
		while (n > 0 && (p[n] & 0xc0) == 0x80)
			n--;
	}
	markup_write(out, p, n, 0);
	if (n < len)
		fprintf(out, "\xe2\x80\xa6 (%zu bytes more)", len - n);
}

void markup_string(FILE *out, const char *s)
{
	markup_write(out, s, strlen(s), ESCAPE_KEEP_BACKSLASH);
}
