/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/json_read.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/escape.h"

#define CHUNK 256u

/* Values are linked, so they never move. */
struct chunk {
	struct chunk *older;
	struct json_value values[CHUNK];
};

struct json_document {
	struct chunk *chunks;
	uint32_t n;
	char *strings;      /* never longer than what was read */
	size_t strings_len;
	const struct json_value *root;
};

struct reader {
	const char *p, *begin, *end;
	struct json_document *d;
	unsigned depth;
	int err;
};

static void stop(struct reader *r, int err)
{
	if (r->err == 0)
		r->err = err;
}

static struct json_value *value_new(struct reader *r)
{
	struct json_document *d = r->d;

	if (d->n >= JSON_READ_VALUES) {
		stop(r, -EBADMSG);
		return NULL;
	}
	if (d->n % CHUNK == 0) {
		struct chunk *c = calloc(1, sizeof(*c));
		if (c == NULL) {
			stop(r, -ENOMEM);
			return NULL;
		}
		c->older = d->chunks;
		d->chunks = c;
	}
	return &d->chunks->values[d->n++ % CHUNK];
}

static void blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool take(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static bool four_digits(struct reader *r, uint32_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (r->p == r->end)
			return false;
		char c = *r->p++;
		unsigned digit = c >= '0' && c <= '9'	? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
				 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
							: 16;
		if (digit == 16)
			return false;
		*out = *out << 4 | digit;
	}
	return true;
}

static size_t put_utf8(char *out, uint32_t cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = n - 1; i > 0; i--, cp >>= 6)
		out[i] = (char)(0x80 | (cp & 0x3f));
	out[0] = (char)(lead[n] | cp);
	return n;
}

/* Behind \u; the halves of a pair belong together. */
static bool code_point(struct reader *r, uint32_t *cp)
{
	uint32_t low;

	if (!four_digits(r, cp))
		return false;
	if (*cp < 0xd800 || *cp > 0xdfff)
		return true;
	if (*cp > 0xdbff || !take(r, '\\') || !take(r, 'u') || !four_digits(r, &low) ||
	    low < 0xdc00 || low > 0xdfff)
		return false;
	*cp = 0x10000 + ((*cp - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

static bool escaped(struct reader *r, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint32_t cp;

	if (take(r, 'u')) {
		if (!code_point(r, &cp))
			return false;
		*out += put_utf8(*out, cp);
		return true;
	}
	const char *which = r->p < r->end && *r->p != '\0' ? strchr(from, *r->p) : NULL;
	if (which == NULL)
		return false;
	r->p++;
	*(*out)++ = to[which - from];
	return true;
}

/* The opening quote is read. */
static const char *string(struct reader *r, size_t *len)
{
	char *text = r->d->strings + r->d->strings_len, *out = text;
	uint32_t cp;

	while (r->p < r->end && *r->p != '"') {
		if (take(r, '\\')) {
			if (escaped(r, &out))
				continue;
			stop(r, -EBADMSG);
			return NULL;
		}
		unsigned n = utf8_next((const uint8_t *)r->p, (size_t)(r->end - r->p), &cp);
		if (n == 0 || cp < 0x20)
			break;
		memcpy(out, r->p, n);
		out += n;
		r->p += n;
	}
	if (!take(r, '"')) {
		stop(r, -EBADMSG);
		return NULL;
	}
	*len = (size_t)(out - text);
	*out = '\0';
	r->d->strings_len += *len + 1;
	return text;
}

static bool digits(struct reader *r)
{
	const char *from = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return r->p != from;
}

static void number(struct reader *r, struct json_value *v)
{
	const char *from = r->p;
	bool good = true;

	(void)take(r, '-');
	if (!take(r, '0'))
		good = digits(r);
	if (good && take(r, '.'))
		good = digits(r);
	if (good && (take(r, 'e') || take(r, 'E'))) {
		if (!take(r, '+'))
			(void)take(r, '-');
		good = digits(r);
	}
	if (!good) {
		stop(r, -EBADMSG);
		return;
	}
	char *text = r->d->strings + r->d->strings_len;
	v->kind = JSON_NUMBER;
	v->len = (size_t)(r->p - from);
	memcpy(text, from, v->len);
	text[v->len] = '\0';
	v->text = text;
	r->d->strings_len += v->len + 1;
}

static struct json_value *value(struct reader *r);

static void members(struct reader *r, struct json_value *v, char close)
{
	const struct json_value **end = &v->first;
	bool object = close == '}';

	if (r->depth++ == JSON_READ_DEPTH)
		stop(r, -EBADMSG);
	blanks(r);
	for (bool more = !take(r, close); more && r->err == 0;) {
		const char *key = NULL;
		size_t len;
		blanks(r);
		if (object) {
			if (take(r, '"'))
				key = string(r, &len);
			blanks(r);
			if (key == NULL || !take(r, ':'))
				stop(r, -EBADMSG);
		}
		struct json_value *one = r->err == 0 ? value(r) : NULL;
		if (one == NULL)
			break;
		one->key = key;
		*end = one;
		end = &one->next;
		blanks(r);
		more = !take(r, close);
		if (more && !take(r, ','))
			stop(r, -EBADMSG);
	}
	r->depth--;
}

static bool literal(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

/* NULL: r->err says why. */
static struct json_value *value(struct reader *r)
{
	struct json_value *v = value_new(r);

	if (v == NULL)
		return NULL;
	blanks(r);
	if (take(r, '{')) {
		v->kind = JSON_OBJECT;
		members(r, v, '}');
	} else if (take(r, '[')) {
		v->kind = JSON_ARRAY;
		members(r, v, ']');
	} else if (take(r, '"')) {
		v->kind = JSON_STRING;
		v->text = string(r, &v->len);
	} else if (literal(r, "true")) {
		v->kind = JSON_TRUE;
	} else if (literal(r, "false")) {
		v->kind = JSON_FALSE;
	} else if (literal(r, "null")) {
		v->kind = JSON_NULL;
	} else {
		number(r, v);
	}
	return r->err == 0 ? v : NULL;
}

int json_parse(struct json_document **out, const void *data, size_t len, size_t *at)
{
	struct json_document *d = calloc(1, sizeof(*d));
	struct reader r = {.p = data, .begin = data, .end = (const char *)data + len, .d = d};

	*out = NULL;
	*at = 0;
	/* A string is shorter than its quotes, a number is followed by something or by the end. */
	char *strings = d != NULL ? malloc(2 * len + 1) : NULL;
	if (strings == NULL) {
		free(d);
		return -ENOMEM;
	}
	d->strings = strings;
	d->root = value(&r);
	blanks(&r);
	if (r.p != r.end)
		stop(&r, -EBADMSG);
	*at = (size_t)(r.p - r.begin);
	if (r.err != 0)
		json_document_free(d);
	else
		*out = d;
	return r.err;
}

void json_document_free(struct json_document *d)
{
	if (d == NULL)
		return;
	while (d->chunks != NULL) {
		struct chunk *older = d->chunks->older;
		free(d->chunks);
		d->chunks = older;
	}
	free(d->strings);
	free(d);
}

const struct json_value *json_root(const struct json_document *d)
{
	return d->root;
}

const struct json_value *json_get(const struct json_value *object, const char *key)
{
	const struct json_value *v = object != NULL && object->kind == JSON_OBJECT ? object->first : NULL;

	while (v != NULL && strcmp(v->key, key) != 0)
		v = v->next;
	return v;
}

const char *json_text(const struct json_value *v)
{
	return v != NULL && v->kind == JSON_STRING && strlen(v->text) == v->len ? v->text : NULL;
}

uint64_t json_whole(const struct json_value *v)
{
	uint64_t n = 0;

	if (v == NULL || v->kind != JSON_NUMBER)
		return UINT64_MAX;
	for (size_t i = 0; i < v->len; i++) {
		unsigned digit = (unsigned char)v->text[i] - (unsigned)'0';
		if (digit > 9 || n > (UINT64_MAX - 1 - digit) / 10)
			return UINT64_MAX;
		n = n * 10 + digit;
	}
	return n;
}
