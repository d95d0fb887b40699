/* SPDX-License-Identifier: BSD-3-Clause */

/* Of a name of any bytes nothing is left in text that quotes it as findings do. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/spelt.h"
#include "tools/privacy/quotes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t report_key[NAMES_KEY] = {7};

static void require(int ok)
{
	if (!ok)
		abort();
}

static void check_pseudonym(const struct names_key *key, name_fn fn, const char *name, size_t len)
{
	char out[PSEUDONYM_SIZE], again[PSEUDONYM_SIZE];
	size_t n = fn(key, name, len, out);

	require(n < sizeof(out) && out[n] == '\0' && (n == 0) == (len == 0));
	require(fn(key, out, n, again) == n && memcmp(out, again, n) == 0);
}

/* Nothing of form is left of before + name + behind, but what its pseudonym there spells, as
 * "sni=name" is. */
static void check_sentence(struct quotes *q, const char *before, const char *name,
			   const char *behind, size_t room, const char *as, const char *form)
{
	char text[QUOTES_TEXT], right[QUOTES_TEXT];

	snprintf(right, sizeof(right), "%s%s%s", before, as, behind);
	snprintf(text, room, "%s%s%s", before, name, behind);
	quotes_hide(q, text, room);
	require(strlen(form) < 6 || strcasestr(right, form) != NULL ||
		strcasestr(text, form) == NULL);
}

/* What was found of a request for this name, said as narrate.c does. */
static void check_text(const struct names_key *key, const char *name)
{
	static struct quotes q;
	char form[QUOTES_TEXT], as[PSEUDONYM_SIZE], cut[45];

	q = (struct quotes){.names = key};
	spelt(name, strlen(name), form, sizeof(form));
	quotes_know_string(&q, name, name_of_host);
	name_of_host(key, name, strlen(name), as);
	form[900] = '\0';
	check_sentence(&q, "reset 1.5 ms after a ClientHello with SNI ", form, ", yet", QUOTES_TEXT,
		       as, form);
	snprintf(cut, sizeof(cut), "%s", name);
	check_sentence(&q, "ClientHello sni=", cut, "", 64, as, cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const name_fn fns[] = {name_of_host, name_of_path, name_of_url, name_of_text};
	struct names_key key;
	char name[NAMES_USED + 1] = "";

	if (size > 1024)
		return 0;
	require(names_key_make(&key, report_key, sizeof(report_key)) == 0);
	for (size_t i = 0; i < sizeof(fns) / sizeof(fns[0]); i++)
		check_pseudonym(&key, fns[i], (const char *)data, size);
	memcpy(name, data, size < NAMES_USED ? size : NAMES_USED);
	check_text(&key, name);
	names_key_forget(&key);
	return 0;
}
