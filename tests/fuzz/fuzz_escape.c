/* SPDX-License-Identifier: BSD-3-Clause */

/* Whatever comes in, a terminal and a JSON reader get what cannot harm them. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/escape.h"
#include "tools/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
	if (!ok)
		abort();
}

static void must_be_harmless(const char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint32_t cp = 0;
		unsigned n = utf8_next((const uint8_t *)text + i, len - i, &cp);
		require(n != 0 && !escape_needed(cp));
		i += n;
	}
}

static void check_escape(const uint8_t *data, size_t size, unsigned flags)
{
	size_t room = 4 * size + 1;
	char *out = malloc(room), *again = malloc(4 * room + 1);

	if (out == NULL || again == NULL)
		abort();
	size_t n = escape_bytes(out, room, data, size, flags);
	require(n < room && out[n] == '\0' && strlen(out) == n);
	must_be_harmless(out, n);
	size_t m = escape_bytes(again, 4 * room + 1, out, n, flags | ESCAPE_KEEP_BACKSLASH);
	require(m == n && memcmp(out, again, n) == 0);
	/* A smaller buffer gets a beginning of the same. */
	room = size / 2 + 1;
	m = escape_bytes(again, room, data, size, flags);
	require(m < room && memcmp(out, again, m) == 0);
	free(out);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = NULL;
	size_t len = 0;

	if (size > 4096)
		return 0;
	check_escape(data, size, 0);
	check_escape(data, size, ESCAPE_ASCII);

	FILE *f = open_memstream(&text, &len);
	if (f == NULL)
		abort();
	struct json j;
	json_start(&j, f);
	json_object(&j, NULL);
	json_bytes(&j, "k", data, size);
	json_end(&j);
	fclose(f);
	require(len >= 9 && text[len - 1] == '\n' && memcmp(text, "{\"k\":\"", 6) == 0);
	must_be_harmless(text, len - 1);
	require((strstr(text, "\",\"k_hex\":\"") != NULL) == !json_is_utf8(data, size));
	/* A quote within the string is never bare. */
	size_t quotes = 0;
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] == '\\')
			i++;
		else
			quotes += text[i] == '"';
	}
	require(quotes == (json_is_utf8(data, size) ? 4 : 8));
	free(text);
	return 0;
}
