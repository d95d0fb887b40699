/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/testimony/fit.h"

#include <stdio.h>
#include <string.h>

bool testimony_is_for_show(const char *option)
{
	static const char *const names[] = {"--min-verdict", "--all-names"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(option, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static bool has_option(const struct testimony_head *h, const char *option)
{
	bool has = testimony_is_for_show(option);

	for (uint64_t i = 0; i < h->n_options && !has; i++)
		has = strcmp(h->options[i], option) == 0;
	return has;
}

/* An option that one run had and the other had not; NULL: none. */
static const char *differs(const struct testimony_head *a, const struct testimony_head *b)
{
	for (uint64_t i = 0; i < a->n_options; i++)
		if (!has_option(b, a->options[i]))
			return a->options[i];
	return NULL;
}

/* By what it is: the file may have another name. NULL: none. */
static const struct plugin_said *plugin_only_of(const struct testimony_head *a,
						const struct testimony_head *b)
{
	for (uint64_t i = 0; i < a->plugins.n; i++) {
		uint64_t k = 0;
		while (k < b->plugins.n && strcmp(a->plugins.list[i].sha256, b->plugins.list[k].sha256) != 0)
			k++;
		if (k == b->plugins.n)
			return &a->plugins.list[i];
	}
	return NULL;
}

bool testimony_fits(const struct testimony_head *a, const char *a_name, const struct testimony_head *b,
		    const char *b_name, char *why, size_t len)
{
	const char *only = differs(a, b), *other = differs(b, a);

	if (strcmp(a->version, b->version) != 0) {
		snprintf(why, len, "%s: was made by wmscope %s, %s by %s", a_name, a->version, b_name,
			 b->version);
		return false;
	}
	if (only != NULL || other != NULL) {
		snprintf(why, len, "%s was analysed with %s, %s was not", only != NULL ? a_name : b_name,
			 only != NULL ? only : other, only != NULL ? b_name : a_name);
		return false;
	}
	if (memcmp(a->rules, b->rules, sizeof(a->rules)) != 0) {
		snprintf(why, len, "%s and %s were analysed with different lists of rules", b_name, a_name);
		return false;
	}
	const struct plugin_said *own = plugin_only_of(a, b), *others = plugin_only_of(b, a);
	if (own != NULL || others != NULL) {
		const struct plugin_said *p = own != NULL ? own : others;
		snprintf(why, len, "%s was analysed with the plug-in %.60s (SHA-256 %.16s...), %s was not",
			 own != NULL ? a_name : b_name, p->file, p->sha256, own != NULL ? b_name : a_name);
		return false;
	}
	return true;
}
