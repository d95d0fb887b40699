/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Names that text quotes, as sentences and evidence do: raw, spelt out or cut, and in the midst of other
 * words. What is known of the connection that the text is about gives way to its pseudonym (names.h), and
 * so does whatever else reads as a host name, unless a list of rules has it.
 */

#include "classifiers/lists/rules.h"
#include "tools/privacy/names.h"

#define QUOTES_TEXT 1024u /* bytes of the longest text */
#define QUOTES_MAX  24u   /* names known at once; later ones are found only if they read as names */

/* A name that a text may quote, and what is written in its place. */
struct quote {
	const char *raw; /* the caller's, for as long as it is looked for */
	size_t len, spelt_len;
	char spelt[QUOTES_TEXT];
	char as[PSEUDONYM_SIZE];
};

/* n = 0 forgets what is known. */
struct quotes {
	const struct names_key *names;
	const struct ruleset *rules; /* NULL: none */
	struct quote known[QUOTES_MAX];
	unsigned n;
};

void quotes_know(struct quotes *q, const char *raw, size_t len, name_fn fn);
void quotes_know_string(struct quotes *q, const char *raw, name_fn fn); /* NULL is fine */
/* The URL, and the host within. */
void quotes_know_url(struct quotes *q, const char *url);

/* Puts pseudonyms in the place of names in text of room bytes, at most QUOTES_TEXT. */
void quotes_hide(const struct quotes *q, char *text, size_t room);
