/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Reads back what --jsonl or -o DIR wrote. */

#include <stdbool.h>
#include <stddef.h>

#include "tools/json_read.h"

/*
 * path: JSON Lines, a folder with events.jsonl, or "-". Each event goes to each(), which borrows it
 * and ends the reading by returning something else than 0. 0, what each() returned, or -errno with
 * err filled (file, line, reason): -EINVAL for what is no report of a version that is known.
 */
int saved_read(const char *path, int (*each)(void *user, const struct json_value *event),
		void *user, char *err, size_t errlen);

/* By key of an object: "", 0 and false where there is none of that type. */
const char *saved_text(const struct json_value *object, const char *key);
double saved_number(const struct json_value *object, const char *key);
bool saved_true(const struct json_value *object, const char *key);
