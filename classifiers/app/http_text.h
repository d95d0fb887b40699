/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Lines and words of HTTP/1 messages, for the readers of requests and of responses. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* A stretch of the stream: offsets, not owned. */
struct slice {
	const uint8_t *data;
	size_t from, to;
};

static inline size_t slice_len(const struct slice *s)
{
	return s->to - s->from;
}

static inline bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static inline bool is_eol(uint8_t c)
{
	return c == '\r' || c == '\n';
}

static inline void slice_trim(struct slice *s)
{
	while (s->from < s->to && is_blank(s->data[s->from]))
		s->from++;
	while (s->from < s->to && is_blank(s->data[s->to - 1]))
		s->to--;
}

/* Case does not count: probes write "GeT" and "hOsT", and boxes and servers take them. */
static inline bool slice_is(const struct slice *s, const char *word)
{
	return slice_len(s) == strlen(word) &&
	       strncasecmp((const char *)s->data + s->from, word, slice_len(s)) == 0;
}

static inline bool slice_starts(const struct slice *s, const char *word)
{
	return slice_len(s) >= strlen(word) &&
	       strncasecmp((const char *)s->data + s->from, word, strlen(word)) == 0;
}

static inline void slice_copy(const struct slice *s, char *to, size_t room)
{
	size_t n = slice_len(s) < room ? slice_len(s) : room - 1;
	memcpy(to, s->data + s->from, n);
	to[n] = '\0';
}

/*
 * The line that begins at from. CRLF, LF and a lone CR end it: probes leave either half out. False
 * while its end is not here; *next is 0 while it is not known where the next one begins (a CR is
 * the last byte).
 */
static inline bool line_at(const uint8_t *data, size_t len, size_t from, struct slice *line,
			   size_t *next)
{
	size_t to = from;
	while (to < len && !is_eol(data[to]))
		to++;
	*line = (struct slice){.data = data, .from = from, .to = to};
	*next = 0;
	if (to == len)
		return false;
	if (data[to] == '\n')
		*next = to + 1;
	else if (to + 1 < len)
		*next = to + (data[to + 1] == '\n' ? 2 : 1);
	return true;
}
