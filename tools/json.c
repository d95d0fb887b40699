/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/json.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "tools/digits.h"
#include "tools/escape.h"

void json_start(struct json *j, FILE *out)
{
	j->out = out;
	j->depth = 0;
	j->n = 0;
}

static void flush(struct json *j)
{
	if (j->n != 0)
		fwrite(j->buf, 1, j->n, j->out);
	j->n = 0;
}

/* What the buffer has no room for. */
static void put_long(struct json *j, const char *p, size_t len)
{
	while (len > JSON_ROOM - j->n) {
		size_t n = JSON_ROOM - j->n;
		memcpy(j->buf + j->n, p, n);
		j->n += n;
		flush(j);
		p += n;
		len -= n;
	}
	memcpy(j->buf + j->n, p, len);
	j->n += len;
}

static void put(struct json *j, const void *data, size_t len)
{
	if (len > JSON_ROOM - j->n) {
		put_long(j, data, len);
		return;
	}
	memcpy(j->buf + j->n, data, len);
	j->n += len;
}

static void put_char(struct json *j, char c)
{
	if (j->n == JSON_ROOM)
		flush(j);
	j->buf[j->n++] = c;
}

static void put_text(struct json *j, const char *s)
{
	put(j, s, strlen(s));
}

static void put_decimal(struct json *j, uint64_t v)
{
	char digits[DIGITS_MAX];

	put(j, digits, (size_t)(digits_put(digits, v) - digits));
}

#define SUFFIX "_hex"

/* Keys are our own words: they need no escapes, and are short. */
static void json_key_with(struct json *j, const char *key, const char *suffix, size_t n_suffix)
{
	size_t n = key != NULL ? strlen(key) : 0;

	assert(n < JSON_ROOM / 2);
	if (n + n_suffix + 4 > JSON_ROOM - j->n)
		flush(j);
	char *at = j->buf + j->n;
	if (j->depth > 0) {
		if (j->filled[j->depth - 1])
			*at++ = ',';
		j->filled[j->depth - 1] = true;
	}
	if (key != NULL) {
		*at++ = '"';
		memcpy(at, key, n);
		memcpy(at + n, suffix, n_suffix);
		at += n + n_suffix;
		*at++ = '"';
		*at++ = ':';
	}
	j->n = (size_t)(at - j->buf);
}

static void json_key(struct json *j, const char *key)
{
	json_key_with(j, key, "", 0);
}

static void json_open(struct json *j, const char *key, char opener, char closer)
{
	json_key(j, key);
	assert(j->depth < JSON_DEPTH_MAX);
	put_char(j, opener);
	j->closer[j->depth] = closer;
	j->filled[j->depth++] = false;
}

void json_object(struct json *j, const char *key)
{
	json_open(j, key, '{', '}');
}

void json_array(struct json *j, const char *key)
{
	json_open(j, key, '[', ']');
}

void json_end(struct json *j)
{
	assert(j->depth > 0);
	put_char(j, j->closer[--j->depth]);
	if (j->depth == 0) {
		put_char(j, '\n');
		flush(j);
	}
}

static void json_unit(struct json *j, uint32_t unit)
{
	static const char hex[] = "0123456789abcdef";
	const char text[] = {'\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15],
			     hex[unit >> 4 & 15], hex[unit & 15]};

	put(j, text, sizeof(text));
}

static void json_escape(struct json *j, uint32_t cp)
{
	if (cp > 0xffff) {
		/* RFC 8259 section 7: past the basic plane as a pair of surrogates. */
		cp -= 0x10000;
		json_unit(j, 0xd800 + (cp >> 10));
		cp = 0xdc00 + (cp & 0x3ff);
	}
	json_unit(j, cp);
}

static void json_quoted(struct json *j, const uint8_t *p, size_t len)
{
	put_char(j, '"');
	for (size_t i = 0; i < len;) {
		uint32_t cp = 0;
		size_t plain = escape_plain_run(p + i, len - i, '"');
		put(j, p + i, plain);
		i += plain;
		if (i == len)
			break;
		unsigned n = utf8_next(p + i, len - i, &cp);
		if (n == 0) {
			put(j, "\xef\xbf\xbd", 3); /* U+FFFD, one for each byte */
			i++;
			continue;
		}
		if (cp == '"' || cp == '\\') {
			put_char(j, '\\');
			put_char(j, (char)cp);
		} else if (escape_needed(cp)) {
			json_escape(j, cp);
		} else {
			put(j, p + i, n);
		}
		i += n;
	}
	put_char(j, '"');
}

bool json_is_utf8(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t cp;

	for (size_t i = 0; i < len;) {
		unsigned n = p[i] < 0x80 ? 1 : utf8_next(p + i, len - i, &cp);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

static void json_hex_digits(struct json *j, const uint8_t *p, size_t len)
{
	static const char hex[] = "0123456789abcdef";

	put_char(j, '"');
	for (size_t i = 0; i < len; i++) {
		put_char(j, hex[p[i] >> 4]);
		put_char(j, hex[p[i] & 15]);
	}
	put_char(j, '"');
}

void json_hex(struct json *j, const char *key, const void *data, size_t len)
{
	json_key(j, key);
	json_hex_digits(j, data, len);
}

void json_bytes(struct json *j, const char *key, const void *data, size_t len)
{
	json_key(j, key);
	if (len != 0 && escape_plain_run(data, len, '"') == len) {
		put_char(j, '"');
		put(j, data, len);
		put_char(j, '"');
		return;
	}
	json_quoted(j, data, len);
	if (key != NULL && !json_is_utf8(data, len)) {
		json_key_with(j, key, SUFFIX, strlen(SUFFIX));
		json_hex_digits(j, data, len);
	}
}

void json_string(struct json *j, const char *key, const char *s)
{
	if (s == NULL)
		json_null(j, key);
	else
		json_bytes(j, key, s, strlen(s));
}

void json_uint(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	put_decimal(j, v);
}

void json_id(struct json *j, const char *key, uint64_t v)
{
	/* A double, which is what most readers make of a number, holds no more exactly. */
	bool quoted = v > UINT64_C(1) << 53;

	json_key(j, key);
	if (quoted)
		put_char(j, '"');
	put_decimal(j, v);
	if (quoted)
		put_char(j, '"');
}

void json_number(struct json *j, const char *key, double v)
{
	if (!isfinite(v) || v > 1e15 || v < -1e15) {
		json_null(j, key);
		return;
	}
	/* printf() would write the decimal point of the locale. */
	bool negative = v < 0;
	uint64_t thousandths = (uint64_t)((negative ? -v : v) * 1000 + 0.5);
	unsigned decimals = 3, fraction = (unsigned)(thousandths % 1000);
	char digits[3];
	while (decimals > 0 && fraction % 10 == 0) {
		fraction /= 10;
		decimals--;
	}
	json_key(j, key);
	if (negative && thousandths != 0)
		put_char(j, '-');
	put_decimal(j, thousandths / 1000);
	if (decimals > 0) {
		put_char(j, '.');
		put(j, digits, (size_t)(digits_pad(digits, fraction, decimals) - digits));
	}
}

void json_bool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	put_text(j, v ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	json_key(j, key);
	put(j, "null", 4);
}
