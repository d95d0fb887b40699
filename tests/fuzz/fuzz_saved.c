/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Input: the lines of two reports, A's where a line begins with a blank and else B's. Whoever wrote
 * them, they are read within bounds, what was read is what our own writer would write, and the reports
 * are compared.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/diff/items.h"
#include "tools/json.h"
#include "tools/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void written_is_read(const struct json_value *v)
{
	struct json_document *d;
	struct json j;
	char *text = NULL;
	size_t len = 0, at = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		abort();
	json_start(&j, f);
	json_array(&j, NULL);
	json_bytes(&j, NULL, v->text, v->len);
	json_end(&j);
	fclose(f);
	require(json_parse(&d, text, len, &at) == 0);
	const struct json_value *again = json_root(d)->first;
	require(again != NULL && again->kind == JSON_STRING);
	require(again->len == v->len && memcmp(again->text, v->text, v->len) == 0);
	json_document_free(d);
	free(text);
}

static void check_value(const struct json_value *v, unsigned depth)
{
	require(depth <= JSON_READ_DEPTH);
	if (v->kind == JSON_STRING || v->kind == JSON_NUMBER) {
		require(v->text != NULL && v->text[v->len] == '\0' && v->first == NULL);
		require(json_is_utf8(v->text, v->len));
		require((json_text(v) != NULL) ==
			(v->kind == JSON_STRING && strlen(v->text) == v->len));
	}
	if (v->kind == JSON_STRING)
		written_is_read(v);
	for (const struct json_value *k = v->first; k != NULL; k = k->next) {
		require((k->key != NULL) == (v->kind == JSON_OBJECT));
		require(k->key == NULL || json_get(v, k->key) != NULL);
		check_value(k, depth + 1);
	}
}

static void take_line(struct items *items, const uint8_t *line, size_t len)
{
	struct json_document *d;
	size_t at = 0;
	/* An exact allocation, so that a sanitizer sees one byte too many. */
	uint8_t *exact = malloc(len != 0 ? len : 1);

	if (exact == NULL)
		abort();
	memcpy(exact, line, len);
	int err = json_parse(&d, exact, len, &at);
	free(exact);
	require(err == 0 || (err == -EBADMSG && at <= len));
	if (err != 0)
		return;
	check_value(json_root(d), 0);
	require(items_add(items, line[0] == ' ' ? SIDE_A : SIDE_B, json_root(d)) == 0);
	json_document_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct items items = {.n = 0};

	if (size > 1u << 16)
		return 0;
	for (size_t from = 0, to; from < size; from = to + 1) {
		const uint8_t *end = memchr(data + from, '\n', size - from);
		to = end != NULL ? (size_t)(end - data) : size;
		if (to > from)
			take_line(&items, data + from, to - from);
	}
	items_compare(&items);
	for (size_t i = 0; i < items.n; i++) {
		const struct item *x = &items.list[i];
		require(x->change < CHANGES && strlen(x->why) < sizeof(x->why));
		require(i == 0 || items.list[i - 1].kind < x->kind ||
			(items.list[i - 1].kind == x->kind &&
			 strcmp(items.list[i - 1].key, x->key) < 0));
	}
	items_free(&items);
	return 0;
}
