/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Reads back what --jsonl or -o DIR wrote. */

#include <stdbool.h>
#include <stddef.h>

/* A value of an event. NULL is a value too: one that is not there. */
struct saved_value;

/*
 * path: JSON Lines, a folder with events.jsonl, or "-". Each event goes to each(), which borrows it
 * and ends the reading by returning something else than 0. 0, what each() returned, or -errno with
 * err filled (file, line, reason): -EINVAL for what is no report of a version that is known.
 */
int saved_read(const char *path, int (*each)(void *user, const struct saved_value *event),
		void *user, char *err, size_t errlen);

const struct saved_value *saved_get(const struct saved_value *object, const char *key);
/* By key of an object: "", 0 and false where there is none of that type. */
const char *saved_text(const struct saved_value *object, const char *key);
double saved_number(const struct saved_value *object, const char *key);
bool saved_true(const struct saved_value *object, const char *key);
/* Each member of an object, in its order. */
void saved_members(const struct saved_value *object,
		    void (*each)(void *user, const char *key, const struct saved_value *v),
		    void *user);

/* Outlives each() until it is dropped; NULL is fine. */
struct saved_value *saved_keep(const struct saved_value *v);
void saved_drop(struct saved_value *v);
