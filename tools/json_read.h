/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Reads one JSON value (RFC 8259), strictly, from whoever it may come: at most JSON_READ_DEPTH levels
 * and JSON_READ_VALUES values. Values point into one document and live as long as it does.
 */

#include <stddef.h>
#include <stdint.h>

#define JSON_READ_DEPTH 16u
#define JSON_READ_VALUES (1u << 20)

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
	enum json_kind kind;
	const char *key;  /* in an object; else NULL */
	const char *text; /* a string without its escapes, NUL-terminated; a number as it stands */
	size_t len;
	const struct json_value *first, *next; /* of an array or object; the sibling */
};

struct json_document;
/* 0, -EBADMSG with *at where it stops being JSON, or -ENOMEM. */
int json_parse(struct json_document **out, const void *data, size_t len, size_t *at);
void json_document_free(struct json_document *d); /* NULL is fine */
const struct json_value *json_root(const struct json_document *d);

/* NULL, also for what is no object, or has no such key. */
const struct json_value *json_get(const struct json_value *object, const char *key);
/* NULL unless it is a string without NUL bytes in it. */
const char *json_text(const struct json_value *v);
/* UINT64_MAX unless it is a whole number below that. */
uint64_t json_whole(const struct json_value *v);
