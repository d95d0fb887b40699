/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Words and numbers one behind the other, without printf(): of what is written for each flow or finding
 * it would take most of the time. What does not fit is cut off, as snprintf() does; the text always ends
 * with NUL.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tools/digits.h"

struct spelling {
	char *at, *end; /* the NUL behind what is written; the last place that it may have */
};

/* An empty text in out; room is at least 1. */
static inline struct spelling spelling_of(char *out, size_t room)
{
	*out = '\0';
	return (struct spelling){.at = out, .end = out + room - 1};
}

static inline void spell_bytes(struct spelling *s, const char *text, size_t len)
{
	size_t room = (size_t)(s->end - s->at);
	len = len < room ? len : room;
	memcpy(s->at, text, len);
	s->at += len;
	*s->at = '\0';
}

/* NULL is nothing. */
static inline void spell(struct spelling *s, const char *text)
{
	if (text != NULL)
		spell_bytes(s, text, strlen(text));
}

/* No more than most bytes of it, as "%.*s". */
static inline void spell_some(struct spelling *s, const char *text, size_t most)
{
	if (text != NULL)
		spell_bytes(s, text, strnlen(text, most));
}

static inline void spell_number(struct spelling *s, uint64_t v)
{
	char digits[DIGITS_MAX];
	spell_bytes(s, digits, (size_t)(digits_put(digits, v) - digits));
}

/* Its last width digits, at most DIGITS_MAX of them, with zeros in front. */
static inline void spell_padded(struct spelling *s, uint64_t v, unsigned width)
{
	char digits[DIGITS_MAX];
	spell_bytes(s, digits, (size_t)(digits_pad(digits, v, width) - digits));
}
