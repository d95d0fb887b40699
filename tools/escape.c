/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/escape.h"

#include <string.h>

unsigned utf8_next(const uint8_t *p, size_t n, uint32_t *code_point)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned len = 0;
	uint32_t cp = 0;

	if (p[0] < 0x80) {
		*code_point = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		len = 2;
		cp = p[0] & 0x1f;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		len = 3;
		cp = p[0] & 0x0f;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		len = 4;
		cp = p[0] & 0x07;
	}
	if (len == 0 || n < len)
		return 0;
	for (unsigned i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if (cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*code_point = cp;
	return len;
}

bool escape_needed(uint32_t cp)
{
	/* Sorted by first: Unicode's Cc, Cf, Zl, Zp, fillers drawn as nothing, noncharacters. */
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0x0000, 0x001f},   {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},
		{0x0600, 0x0605},   {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},
		{0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},
		{0x2028, 0x202e},   {0x2060, 0x206f},   {0x2800, 0x2800},   {0x3164, 0x3164},
		{0xe000, 0xf8ff},   {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
		{0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x13430, 0x1345f},
		{0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]) && cp >= hidden[i].first; i++) {
		if (cp <= hidden[i].last)
			return true;
	}
	return false;
}

size_t escape_plain_run(const uint8_t *p, size_t n, uint8_t but)
{
	/* Eight at a time: a high bit stays or comes up where one is not plain, and nowhere if all are. */
	const uint64_t each = UINT64_C(0x0101010101010101);
	size_t i = 0;

	for (; n - i >= 8; i += 8) {
		uint64_t w;
		memcpy(&w, p + i, sizeof(w));
		uint64_t backslash = w ^ each * '\\', other = w ^ each * but;
		if (((w | (w + each) | (w - each * 0x20) | (backslash - each) | (other - each)) &
		     each << 7) != 0)
			break;
	}
	while (i < n && p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\' && p[i] != but)
		i++;
	return i;
}

/* One unit of the input into piece; returns the bytes eaten and sets *piece_len. */
static size_t escape_one(const uint8_t *p, size_t n, unsigned flags, char piece[16],
			 size_t *piece_len)
{
	uint32_t cp = 0;
	unsigned len = utf8_next(p, n, &cp);

	if (len == 0 || (len == 1 && (p[0] < 0x20 || p[0] == 0x7f))) {
		*piece_len = (size_t)snprintf(piece, 16, "\\x%02x", p[0]);
		return 1;
	}
	if (cp == '\\' && (flags & ESCAPE_KEEP_BACKSLASH) == 0) {
		memcpy(piece, "\\\\", 2);
		*piece_len = 2;
	} else if (escape_needed(cp) || (cp > 0x7f && (flags & ESCAPE_ASCII) != 0)) {
		*piece_len = (size_t)snprintf(piece, 16, "\\u{%x}", (unsigned)cp);
	} else {
		memcpy(piece, p, len);
		*piece_len = len;
	}
	return len;
}

size_t escape_bytes(char *out, size_t room, const void *data, size_t len, unsigned flags)
{
	const uint8_t *p = data;
	size_t used = 0;

	if (room == 0)
		return 0;
	for (size_t i = 0; i < len;) {
		char piece[16];
		size_t n = escape_plain_run(p + i, len - i, '\\');
		n = n < room - used - 1 ? n : room - used - 1;
		memcpy(out + used, p + i, n);
		used += n;
		i += n;
		if (i == len)
			break;
		i += escape_one(p + i, len - i, flags, piece, &n);
		if (n >= room - used)
			break;
		memcpy(out + used, piece, n);
		used += n;
	}
	out[used] = '\0';
	return used;
}

size_t escape_string(char *out, size_t room, const char *s, unsigned flags)
{
	return escape_bytes(out, room, s, strlen(s), flags);
}

void escape_write(FILE *out, const void *data, size_t len, unsigned flags)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len;) {
		char piece[16];
		size_t n = escape_plain_run(p + i, len - i, '\\');
		fwrite(p + i, 1, n, out);
		i += n;
		if (i == len)
			break;
		i += escape_one(p + i, len - i, flags, piece, &n);
		fwrite(piece, 1, n, out);
	}
}
