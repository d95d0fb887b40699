/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Bytes from packets, file names and arguments made harmless for a terminal: what could move the
 * cursor, hide or reorder text is spelt out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum escape_flags {
	ESCAPE_ASCII = 1 << 0,          /* spell out everything that is not ASCII */
	ESCAPE_KEEP_BACKSLASH = 1 << 1, /* text that went through here before */
};

/*
 * The code point at p, of n > 0 bytes: its length, 1 to 4, or 0 if the bytes are not well-formed
 * UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF).
 */
unsigned utf8_next(const uint8_t *p, size_t n, uint32_t *code_point);

/*
 * Bytes at the start that stand for themselves wherever text is escaped: printable ASCII but the
 * backslash, and but one more.
 */
size_t escape_plain_run(const uint8_t *p, size_t n, uint8_t but);

/* Controls, bidirectional overrides, zero-width, line separators and other characters not seen. */
bool escape_needed(uint32_t code_point);

/*
 * Spells controls and bytes that are not UTF-8 as \xNN, hidden code points as \u{NNNN} and a
 * backslash as two. Always ends with NUL and never within an escape or a character; returns the
 * bytes written without NUL. 4 * len + 1 bytes are always enough.
 */
size_t escape_bytes(char *out, size_t room, const void *data, size_t len, unsigned flags);
size_t escape_string(char *out, size_t room, const char *s, unsigned flags);

/* The same to a stream. */
void escape_write(FILE *out, const void *data, size_t len, unsigned flags);
