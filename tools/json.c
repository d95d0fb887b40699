/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tools/escape.h"

void json_start(struct json *j, FILE *out)
{
	*j = (struct json){.out = out};
}

/* Keys are our own words: they need no escapes. */
static void json_key(struct json *j, const char *key, const char *suffix)
{
	if (j->depth > 0) {
		if (j->filled[j->depth - 1])
			putc_unlocked(',', j->out);
		j->filled[j->depth - 1] = true;
	}
	if (key != NULL)
		fprintf(j->out, "\"%s%s\":", key, suffix);
}

static void json_open(struct json *j, const char *key, char opener, char closer)
{
	json_key(j, key, "");
	assert(j->depth < JSON_DEPTH_MAX);
	putc_unlocked(opener, j->out);
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
	putc_unlocked(j->closer[--j->depth], j->out);
	if (j->depth == 0)
		putc_unlocked('\n', j->out);
}

static void json_unit(FILE *out, uint32_t cp)
{
	if (cp > 0xffff) {
		/* RFC 8259 section 7: past the basic plane as a pair of surrogates. */
		cp -= 0x10000;
		fprintf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + (cp >> 10)),
			(unsigned)(0xdc00 + (cp & 0x3ff)));
	} else {
		fprintf(out, "\\u%04x", (unsigned)cp);
	}
}

static void json_quoted(FILE *out, const uint8_t *p, size_t len)
{
	putc_unlocked('"', out);
	for (size_t i = 0; i < len;) {
		uint32_t cp = 0;
		unsigned n = utf8_next(p + i, len - i, &cp);
		if (n == 0) {
			fputs("\xef\xbf\xbd", out); /* U+FFFD, one for each byte */
			i++;
			continue;
		}
		if (cp == '"' || cp == '\\') {
			putc_unlocked('\\', out);
			putc_unlocked((int)cp, out);
		} else if (escape_needed(cp)) {
			json_unit(out, cp);
		} else {
			fwrite(p + i, 1, n, out);
		}
		i += n;
	}
	putc_unlocked('"', out);
}

bool json_is_utf8(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t cp;

	for (size_t i = 0; i < len;) {
		unsigned n = utf8_next(p + i, len - i, &cp);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

void json_hex(struct json *j, const char *key, const void *data, size_t len)
{
	const uint8_t *p = data;

	json_key(j, key, "");
	putc_unlocked('"', j->out);
	for (size_t i = 0; i < len; i++)
		fprintf(j->out, "%02x", p[i]);
	putc_unlocked('"', j->out);
}

void json_bytes(struct json *j, const char *key, const void *data, size_t len)
{
	json_key(j, key, "");
	json_quoted(j->out, data, len);
	if (key != NULL && !json_is_utf8(data, len)) {
		json_key(j, key, "_hex");
		json_hex(&(struct json){.out = j->out}, NULL, data, len);
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
	json_key(j, key, "");
	fprintf(j->out, "%" PRIu64, v);
}

void json_id(struct json *j, const char *key, uint64_t v)
{
	/* A double, which is what most readers make of a number, holds no more exactly. */
	const char *quote = v > UINT64_C(1) << 53 ? "\"" : "";

	json_key(j, key, "");
	fprintf(j->out, "%s%" PRIu64 "%s", quote, v, quote);
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
	while (decimals > 0 && fraction % 10 == 0) {
		fraction /= 10;
		decimals--;
	}
	json_key(j, key, "");
	fprintf(j->out, "%s%" PRIu64, negative && thousandths != 0 ? "-" : "", thousandths / 1000);
	if (decimals > 0)
		fprintf(j->out, ".%0*u", (int)decimals, fraction);
}

void json_bool(struct json *j, const char *key, bool v)
{
	json_key(j, key, "");
	fputs(v ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
	json_key(j, key, "");
	fputs("null", j->out);
}
