/* SPDX-License-Identifier: BSD-3-Clause */

/* Of a name of any bytes nothing is left in text that quotes it as findings do. */

#include <stdlib.h>
#include <string.h>

#include "tools/privacy/model_redact.c"

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

/* What was found of a request for this name, said as narrate.c does. */
static void check_text(struct privacy *p, const char *name)
{
	static struct redact r;
	char form[TEXT_MAX], text[TEXT_MAX], as[PSEUDONYM_SIZE];
	size_t n = spelt(name, strlen(name), form);

	r = (struct redact){.p = p};
	know_string(&r, name, name_of_host);
	name_of_host(&p->names, name, strlen(name), as);
	/* What is kept is an address, or in each pseudonym, as ".example" is. */
	bool kept = strcasestr(as, form) != NULL;
	snprintf(text, sizeof(text), "reset 1.5 ms after a ClientHello with SNI %.900s, yet", form);
	text_of(&r, text, sizeof(text));
	require(kept || n < 6 || strcasestr(text, form) == NULL);
	snprintf(text, 64, "ClientHello sni=%.44s", name);
	text_of(&r, text, 64);
	snprintf(form, 45, "%s", name);
	require(kept || strlen(form) < 6 || strcasestr(text, form) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const name_fn fns[] = {name_of_host, name_of_path, name_of_url, name_of_text};
	struct privacy p = {.cited = NULL};
	char name[NAMES_USED + 1] = "";

	if (size > 1024)
		return 0;
	require(names_key_make(&p.names, report_key, sizeof(report_key)) == 0);
	for (size_t i = 0; i < sizeof(fns) / sizeof(fns[0]); i++)
		check_pseudonym(&p.names, fns[i], (const char *)data, size);
	memcpy(name, data, size < NAMES_USED ? size : NAMES_USED);
	check_text(&p, name);
	names_key_forget(&p.names);
	return 0;
}
