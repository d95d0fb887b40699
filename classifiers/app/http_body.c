/* SPDX-License-Identifier: BSD-3-Clause */

/* Bodies of HTTP/1 responses: where they end, what they say, codings undone within fixed memory. */

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "classifiers/app/http_response.h"
#include "classifiers/app/http_text.h"

/* A chunk's first line with its extensions: RFC 9112 section 7.1.1 wants them limited. */
#define CHUNK_LINE_MAX 1024
#define CHUNK_DIGITS_MAX 8

/* For inflateReset2(): a wrapper of gzip's or zlib's, whichever is there; none. */
#define WINDOW_WRAPPED (15 + 32)
#define WINDOW_BARE (-15)

struct http_decoder {
	z_stream z;
	uint8_t body[HTTP_BODY_MAX];
};

enum chunk { CHUNK_DATA, CHUNK_LAST, CHUNK_MORE, CHUNK_BROKEN };

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The line end behind a chunk's bytes; *next as in line_at(). */
static bool chunk_closed(const uint8_t *data, size_t len, size_t to, size_t *next)
{
	struct slice line;
	if (to >= len) {
		*next = 0;
		return true;
	}
	return line_at(data, len, to, &line, next) && slice_len(&line) == 0;
}

/*
 * The chunk whose first line begins at `at`: those of its bytes that are here, also where what
 * follows them is broken. *next: where the next one begins, 0 while that is not known.
 */
static enum chunk chunk_at(const uint8_t *data, size_t len, size_t at, struct slice *bytes,
			   size_t *next)
{
	struct slice line;
	size_t from, size = 0, digits = 0;
	bool ended = line_at(data, len, at, &line, &from);
	*bytes = (struct slice){.data = data};
	*next = 0;
	slice_trim(&line);
	for (size_t i = line.from; i < line.to && hex_digit(data[i]) >= 0; i++, digits++)
		size = size << 4 | (size_t)hex_digit(data[i]);
	if (digits > CHUNK_DIGITS_MAX || slice_len(&line) > CHUNK_LINE_MAX ||
	    (digits == 0 && (ended || slice_len(&line) != 0)))
		return CHUNK_BROKEN;
	if (!ended || from == 0)
		return CHUNK_MORE;
	if (size == 0)
		return CHUNK_LAST;
	*bytes = (struct slice){.data = data, .from = from, .to = len};
	if (size > len - from)
		return CHUNK_DATA;
	bytes->to = from + size;
	return chunk_closed(data, len, bytes->to, next) ? CHUNK_DATA : CHUNK_BROKEN;
}

bool http_body_ended(const struct http_response *r, const uint8_t *data, size_t len,
		     struct http_body_end *end)
{
	if (end->whole || end->broken)
		return true;
	if (r->truncated || r->head_end > len)
		return false;
	if (r->bodyless)
		return end->whole = true;
	if (!r->chunked)
		return end->whole = r->has_length && len - r->head_end >= r->length;
	if (end->at == 0)
		end->at = r->head_end;
	for (;;) {
		struct slice bytes;
		size_t next = 0;
		enum chunk c = chunk_at(data, len, end->at, &bytes, &next);
		end->whole = c == CHUNK_LAST;
		end->broken = c == CHUNK_BROKEN;
		if (c != CHUNK_DATA || next == 0)
			return end->whole || end->broken;
		end->at = (uint32_t)next;
	}
}

int http_decoder_new(struct http_decoder **out)
{
	struct http_decoder *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return -ENOMEM;
	if (inflateInit2(&d->z, WINDOW_WRAPPED) != Z_OK) {
		free(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

void http_decoder_free(struct http_decoder *d)
{
	if (d == NULL)
		return;
	inflateEnd(&d->z);
	free(d);
}

/* The next bytes of the body, as they came. *at: 0 at first, then what the call left there. */
static bool next_bytes(const struct http_response *r, const uint8_t *data, size_t len, size_t *at,
		       struct slice *bytes)
{
	size_t next = 0;
	if (*at == SIZE_MAX)
		return false;
	if (r->chunked) {
		enum chunk c = chunk_at(data, len, *at != 0 ? *at : r->head_end, bytes, &next);
		*at = next != 0 ? next : SIZE_MAX;
		return c == CHUNK_DATA || (c == CHUNK_BROKEN && slice_len(bytes) != 0);
	}
	*bytes = (struct slice){.data = data, .from = r->head_end, .to = len};
	if (r->has_length && slice_len(bytes) > r->length)
		bytes->to = bytes->from + (size_t)r->length;
	*at = SIZE_MAX;
	return true;
}

/* Adds to the n bytes that d has; false once no more can be added. */
static bool add_plain(struct http_decoder *d, const struct slice *bytes, size_t *n)
{
	size_t room = sizeof(d->body) - *n;
	size_t add = slice_len(bytes) < room ? slice_len(bytes) : room;
	memcpy(d->body + *n, bytes->data + bytes->from, add);
	*n += add;
	return add < room;
}

static bool add_inflated(struct http_decoder *d, const struct slice *bytes, size_t *n)
{
	d->z.next_in = (z_const Bytef *)(bytes->data + bytes->from);
	d->z.avail_in = (uInt)slice_len(bytes);
	d->z.next_out = d->body + *n;
	d->z.avail_out = (uInt)(sizeof(d->body) - *n);
	int answer = inflate(&d->z, Z_SYNC_FLUSH);
	*n = sizeof(d->body) - d->z.avail_out;
	return answer == Z_OK && d->z.avail_out != 0;
}

/* window: 0 for no compression. */
static size_t gather(struct http_decoder *d, const struct http_response *r, const uint8_t *data,
		     size_t len, int window)
{
	struct slice bytes;
	size_t n = 0, at = 0;
	bool more = window == 0 || inflateReset2(&d->z, window) == Z_OK;
	while (more && next_bytes(r, data, len, &at, &bytes))
		more = window != 0 ? add_inflated(d, &bytes, &n) : add_plain(d, &bytes, &n);
	return n;
}

size_t http_body_decode(struct http_decoder *d, const struct http_response *r, const uint8_t *data,
			size_t len, const uint8_t **out)
{
	struct slice bytes;
	size_t n = 0, at = 0;

	*out = d->body;
	if (r->truncated || r->bodyless || r->head_end > len || r->coding == HTTP_CODING_OTHER)
		return 0;
	if (r->coding == HTTP_IDENTITY && !r->chunked) {
		next_bytes(r, data, len, &at, &bytes);
		*out = data + bytes.from;
		return slice_len(&bytes) < HTTP_BODY_MAX ? slice_len(&bytes) : HTTP_BODY_MAX;
	}
	if (r->coding != HTTP_IDENTITY)
		n = gather(d, r, data, len, WINDOW_WRAPPED);
	if (n == 0 && r->coding == HTTP_DEFLATE)
		n = gather(d, r, data, len, WINDOW_BARE);
	return n != 0 ? n : gather(d, r, data, len, 0);
}

/* What follows the next "<name", 0 if there is none. */
static size_t find_tag(const uint8_t *body, size_t len, const char *name)
{
	size_t n = strlen(name);
	for (size_t at = 0; at + n + 1 < len;) {
		const uint8_t *open = memchr(body + at, '<', len - at - n - 1);
		if (open == NULL)
			return 0;
		at = (size_t)(open - body) + 1;
		if (strncasecmp((const char *)body + at, name, n) == 0 &&
		    (is_blank(body[at + n]) || is_eol(body[at + n]) || body[at + n] == '>'))
			return at + n;
	}
	return 0;
}

static void copy_text(const uint8_t *body, size_t from, size_t to, char *out, size_t size)
{
	struct slice s = {.data = body, .from = from, .to = to};
	while (s.from < s.to && (is_blank(body[s.from]) || is_eol(body[s.from])))
		s.from++;
	while (s.from < s.to && (is_blank(body[s.to - 1]) || is_eol(body[s.to - 1])))
		s.to--;
	slice_copy(&s, out, size);
}

void http_body_title(const uint8_t *body, size_t len, char *out, size_t size)
{
	size_t from = find_tag(body, len, "title"), to;
	out[0] = '\0';
	while (from != 0 && from < len && body[from] != '>')
		from++;
	if (from == 0 || from == len)
		return;
	for (to = ++from; to < len && body[to] != '<';)
		to++;
	copy_text(body, from, to, out, size);
}

void http_body_frame(const uint8_t *body, size_t len, char *out, size_t size)
{
	size_t at = find_tag(body, len, "iframe");
	out[0] = '\0';
	for (; at != 0 && at + 4 < len && body[at] != '>'; at++) {
		if (!(is_blank(body[at]) || is_eol(body[at])) ||
		    strncasecmp((const char *)body + at + 1, "src=", 4) != 0)
			continue;
		size_t from = at + 5, to;
		bool quoted = from < len && (body[from] == '"' || body[from] == '\'');
		uint8_t quote = quoted ? body[from++] : ' ';
		for (to = from; to < len && body[to] != quote && (quoted || body[to] != '>');)
			to++;
		copy_text(body, from, to, out, size);
		return;
	}
}
