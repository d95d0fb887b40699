/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * JSON written as it comes, without blanks (RFC 8259). Nothing depends on the locale. The stream has
 * all of it once the outermost object or array has ended; errors stick to it: ask ferror() then. key
 * is NULL inside arrays and for the outermost value.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 16
#define JSON_ROOM 4096 /* bytes that go to the stream in one piece */

struct json {
	FILE *out;
	unsigned depth;
	bool filled[JSON_DEPTH_MAX]; /* this level has a value already: a comma comes first */
	char closer[JSON_DEPTH_MAX];
	size_t n; /* of buf: not yet in the stream */
	char buf[JSON_ROOM];
};

void json_start(struct json *j, FILE *out);
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
/* Closes the innermost object or array; ends the line after the outermost. */
void json_end(struct json *j);

/* NULL is null. */
void json_string(struct json *j, const char *key, const char *s);
/*
 * Any bytes. What is not UTF-8 becomes U+FFFD, and then key_hex (with a key) has all of them.
 * Controls, and what a terminal would obey or hide, are \u escapes.
 */
void json_bytes(struct json *j, const char *key, const void *data, size_t len);
bool json_is_utf8(const void *data, size_t len);
void json_hex(struct json *j, const char *key, const void *data, size_t len);
void json_uint(struct json *j, const char *key, uint64_t v);
void json_id(struct json *j, const char *key, uint64_t v); /* past 2^53 a string */
/* At most three decimals, no trailing zeros; not a number or beyond 10^15: null. */
void json_number(struct json *j, const char *key, double v);
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key);
