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

/* Nothing of form is left of before + name + behind, but what its pseudonym there spells, as
 * "sni=name" is. */
static void check_sentence(struct redact *r, const char *before, const char *name,
			   const char *behind, size_t room, const char *as, const char *form)
{
	char text[TEXT_MAX], right[TEXT_MAX];

	snprintf(right, sizeof(right), "%s%s%s", before, as, behind);
	snprintf(text, room, "%s%s%s", before, name, behind);
	text_of(r, text, room);
	require(strlen(form) < 6 || strcasestr(right, form) != NULL ||
		strcasestr(text, form) == NULL);
}

/* What was found of a request for this name, said as narrate.c does. */
static void check_text(struct privacy *p, const char *name)
{
	static struct redact r;
	char form[TEXT_MAX], as[PSEUDONYM_SIZE], cut[45];

	r = (struct redact){.p = p};
	spelt(name, strlen(name), form);
	know_string(&r, name, name_of_host);
	name_of_host(&p->names, name, strlen(name), as);
	form[900] = '\0';
	check_sentence(&r, "reset 1.5 ms after a ClientHello with SNI ", form, ", yet", TEXT_MAX,
		       as, form);
	snprintf(cut, sizeof(cut), "%s", name);
	check_sentence(&r, "ClientHello sni=", cut, "", 64, as, cut);
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
