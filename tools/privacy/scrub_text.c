/* SPDX-License-Identifier: BSD-3-Clause */

/* Addresses in payload: written out, as in a query string or a TXT record, and as bytes. */

#include "tools/privacy/scrub_walk.h"
#include "tools/privacy/text.h"

static bool is_private(const struct walk *w, const struct text_address *t)
{
	const struct pseudonyms *p = w->s->cfg.pseudonyms;
	struct ip_addr other = text_reversed(&t->addr), as;
	bool ip4 = t->form == TEXT_DOTS || t->form == TEXT_DASHES;

	return pseudonyms_of(p, &t->addr, &as) || (ip4 && pseudonyms_of(p, &other, &as));
}

void walk_text(const struct walk *w, size_t at, size_t end)
{
	char *p = (char *)w->now;
	struct text_address found;

	while (text_address_next(p, at, end, &found)) {
		at = found.end;
		for (size_t i = found.start; i < found.end && is_private(w, &found); i++)
			p[i] = p[i] == '.' || p[i] == ':' || p[i] == '-' ? p[i] : 'x';
	}
}

static void wipe(const struct walk *w, const uint8_t *what, size_t n, size_t at, size_t end)
{
	uint8_t *p = w->now + at, *stop = w->now + end;

	while ((p = memmem(p, (size_t)(stop - p), what, n)) != NULL) {
		memset(p, 0, n);
		p += n;
	}
}

void walk_wipe(const struct walk *w, const struct ip_addr *a, size_t at, size_t end)
{
	struct ip_addr as, other = text_reversed(a);

	if (!pseudonyms_of(w->s->cfg.pseudonyms, a, &as))
		return;
	if (!pseudonyms_is_ip4(a)) {
		wipe(w, a->b, 16, at, end);
		return;
	}
	wipe(w, a->b + 12, 4, at, end);
	wipe(w, other.b + 12, 4, at, end);
}
