/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A bounded reader with a sticky error: read all fields of a format, then ask cursor_ok() once.
 * After an overrun every read returns 0 and the position stays where the overrun happened.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *base;
	size_t pos, len;
	bool failed;
};

static inline struct cursor cursor_of(const void *data, size_t len)
{
	return (struct cursor){.base = data, .len = len};
}

static inline bool cursor_ok(const struct cursor *c)
{
	return !c->failed;
}

static inline size_t cursor_left(const struct cursor *c)
{
	return c->failed ? 0 : c->len - c->pos;
}

/* Fields of bytes that are known to be there, at any alignment. */
static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void store_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* n bytes in place, or NULL (and the error sticks) if there are fewer. */
static inline const uint8_t *cursor_bytes(struct cursor *c, size_t n)
{
	if (cursor_left(c) < n || c->failed) {
		c->failed = true;
		return NULL;
	}
	const uint8_t *p = c->base != NULL ? c->base + c->pos : NULL;
	c->pos += n;
	return p;
}

static inline void cursor_skip(struct cursor *c, size_t n)
{
	(void)cursor_bytes(c, n);
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 1);
	return p != NULL ? p[0] : 0;
}

static inline uint16_t cursor_be16(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 2);
	return p != NULL ? load_be16(p) : 0;
}

static inline uint32_t cursor_be24(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 3);
	return p != NULL ? (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2] : 0;
}

static inline uint32_t cursor_be32(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 4);
	return p != NULL ? load_be32(p) : 0;
}

/* The next n bytes as a cursor of their own; empty and failed if there are fewer. */
static inline struct cursor cursor_sub(struct cursor *c, size_t n)
{
	const uint8_t *p = cursor_bytes(c, n);
	return (struct cursor){.base = p, .len = p != NULL ? n : 0, .failed = p == NULL};
}
