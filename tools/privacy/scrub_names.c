/* SPDX-License-Identifier: BSD-3-Clause */

/* Pseudonyms in the places of names, in a ClientHello and in HTTP. */

#include "tools/privacy/scrub_walk.h"

#define STATUS_END 12u /* "HTTP/1.1 302" */

/* What follows next in a ClientHello (RFC 8446 section 4.1.2): the length of its parts, then extensions. */
enum part { START, SESSION, CIPHERS, COMPRESSIONS, EXTENSIONS, EXTENSION };
#define VERSION_RANDOM 34u

/* Numbers and keys, by which clients are told apart (JA3, JA4) and which are nobody's name. */
static bool is_harmless(uint16_t type)
{
	static const uint16_t types[] = {5,  10, 11, 13, 16, 18, 22, 23, 27, 28,
					 43, 45, 49, 50, 51, 65281};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i] == type)
			return true;
	return false;
}

/* RFC 6066 section 3: one name of type 0, or else the whole becomes zeros. */
static void rename_sni(const struct walk *w, size_t at, size_t n)
{
	const uint8_t *p = w->was + at;

	if (n > 5 && load_be16(p) == n - 2 && p[2] == 0 && load_be16(p + 3) == n - 5)
		name_fit_host(w->s->cfg.names, (const char *)p + 5, n - 5, (char *)w->now + at + 5);
	else
		memset(w->now + at, 0, n);
}

/* The field that says how long the next part is. False: a name begins that is not here whole. */
static bool begin_part(const struct walk *w, struct scrub_stream *t, size_t at, size_t n, size_t *took)
{
	enum { SERVER_NAME = 0 };

	*took = 0;
	t->n_field = 0;
	switch ((enum part)t->part) {
	case SESSION:
	case COMPRESSIONS:
		t->part_left = t->field[0];
		t->part++;
		return true;
	case CIPHERS:
		t->part_left = load_be16(t->field);
		t->part++;
		return true;
	case START:
	case EXTENSIONS:
		t->part++;
		return true;
	case EXTENSION:
		break;
	}
	uint16_t type = load_be16(t->field), len = load_be16(t->field + 2);
	t->blank = !is_harmless(type);
	if (type != SERVER_NAME) {
		t->part_left = len;
		return true;
	}
	if (len > n)
		return false;
	rename_sni(w, at, len);
	*took = len;
	return true;
}

bool names_hello(const struct walk *w, struct scrub_stream *t, size_t at, size_t n, size_t *kept)
{
	static const uint8_t field_size[] = {0, 1, 2, 1, 2, 4};
	size_t i = 0, step;

	while (i < n) {
		if (t->part == START) {
			t->part_left = VERSION_RANDOM;
			t->part = SESSION;
		} else if (t->part_left != 0) {
			step = n - i < t->part_left ? n - i : t->part_left;
			if (t->blank)
				memset(w->now + at + i, 0, step);
			t->part_left -= (uint32_t)step;
			i += step;
		} else {
			t->field[t->n_field++] = w->was[at + i++];
			if (t->n_field < field_size[t->part])
				continue;
			if (!begin_part(w, t, at + i, n - i, &step)) {
				*kept = i;
				return false;
			}
			i += step;
		}
	}
	*kept = n;
	return true;
}

/* Behind the line that begins at i; 0: its end is not here. */
static size_t line_end(const uint8_t *p, size_t n, size_t i)
{
	const uint8_t *lf = memchr(p + i, '\n', n - i);

	return lf != NULL ? (size_t)(lf - p) + 1 : 0;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void blank_text(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_space(p[i]) && p[i] != ':')
			p[i] = 'x';
}

/* METHOD target HTTP/1.x, of n bytes with the line's end. False: it is nothing of the kind. */
static bool rename_target(const struct walk *w, size_t at, size_t n)
{
	const char *p = (const char *)w->was + at;
	const char *from = memchr(p, ' ', n), *to = memrchr(p, ' ', n);

	if (from == NULL || to <= from + 1 || (size_t)(p + n - to) < 10 ||
	    memcmp(to + 1, "HTTP/1.", 7) != 0 || !is_space((uint8_t)to[9]))
		return false;
	from++;
	size_t start = at + (size_t)(from - p);
	name_fit_url(w->s->cfg.names, from, (size_t)(to - from), (char *)w->now + start);
	return true;
}

static void rename_host(const struct walk *w, size_t at, size_t n)
{
	const uint8_t *p = w->was + at;
	size_t from = 0;

	while (from < n && is_space(p[from]))
		from++;
	while (n > from && is_space(p[n - 1]))
		n--;
	if (n > from)
		name_fit_host(w->s->cfg.names, (const char *)p + from, n - from, (char *)w->now + at + from);
}

size_t names_http(const struct walk *w, size_t at, size_t n)
{
	static const char host[] = "Host:";
	const size_t skip = sizeof(host) - 1;
	const uint8_t *p = w->was + at;
	size_t first = line_end(p, n, 0), i = first, next;

	if (first < STATUS_END)
		return 0;
	if (strncasecmp((const char *)p, "HTTP/", 5) == 0) {
		blank_text(w->now + at + STATUS_END, first - STATUS_END);
		return first;
	}
	if (!rename_target(w, at, first))
		return 0;
	for (; i < n && p[i] != '\r' && p[i] != '\n'; i = next) {
		next = line_end(p, n, i);
		/* Which field it is may not be here either. */
		if (next == 0)
			return i;
		if (next - i >= skip && strncasecmp((const char *)p + i, host, skip) == 0) {
			rename_host(w, at + i + skip, next - i - skip);
			return next;
		}
		blank_text(w->now + at + i, next - i);
	}
	/* No Host came, so nothing but the start line is wanted. */
	return first;
}
