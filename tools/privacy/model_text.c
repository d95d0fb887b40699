/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <string.h>

#include "classifiers/tamper/dns_address.h"
#include "tools/privacy/model_private.h"
#include "tools/privacy/text.h"

#define TEXT_MAX 1024u

/* What is written in place of an address; false: it stays. */
static bool replacement(const struct privacy *p, const struct text_address *t,
			char out[TEXT_ADDRESS_SIZE], size_t *len)
{
	struct ip_addr as, other = text_reversed(&t->addr);

	if (pseudonyms_of(p->pseudonyms, &t->addr, &as)) {
		*len = text_address_write(&as, t->form, out);
		return true;
	}
	if ((t->form == TEXT_DOTS || t->form == TEXT_DASHES) &&
	    pseudonyms_of(p->pseudonyms, &other, &as)) {
		as = text_reversed(&as);
		*len = text_address_write(&as, t->form, out);
		return true;
	}
	return false;
}

static bool rewrite(const struct privacy *p, const char *in, size_t len, char *out, size_t room)
{
	struct text_address t;
	size_t at = 0, n = 0;
	bool changed = false;

	while (text_address_next(in, at, len, &t)) {
		char text[TEXT_ADDRESS_SIZE];
		size_t some;
		if (!replacement(p, &t, text, &some)) {
			some = t.end - t.start < sizeof(text) ? t.end - t.start : sizeof(text);
			memcpy(text, in + t.start, some);
		} else {
			changed = true;
		}
		n += (size_t)snprintf(out + n, room - n, "%.*s%.*s", (int)(t.start - at), in + at,
				      (int)some, text);
		if (n >= room)
			return changed;
		at = t.end;
	}
	snprintf(out + n, room - n, "%.*s", (int)(len - at), in + at);
	return changed;
}

bool privacy_text(struct privacy *p, char *text, size_t room)
{
	char out[TEXT_MAX];
	size_t len = strnlen(text, room);

	if (!rewrite(p, text, len, out, sizeof(out)))
		return false;
	snprintf(text, room, "%s", out);
	return true;
}

const char *privacy_keep(struct privacy *p, const char *text)
{
	const char *copy = arena_text(&p->arena, text);

	p->no_memory |= copy == NULL;
	return copy != NULL ? copy : "";
}

const char *privacy_said(struct privacy *p, const char *text, size_t room)
{
	char out[PRIVACY_ROOM];

	room = room < sizeof(out) ? room : sizeof(out);
	snprintf(out, room, "%s", text);
	return privacy_text(p, out, room) ? privacy_keep(p, out) : text;
}

const char *privacy_string(struct privacy *p, const char *text)
{
	char out[TEXT_MAX];

	if (text == NULL || !rewrite(p, text, strlen(text), out, sizeof(out)))
		return text;
	return privacy_keep(p, out);
}

static bool is_unwelcome(const struct privacy *p, const struct text_address *t)
{
	char text[TEXT_ADDRESS_SIZE];
	size_t len;
	unsigned version = t->form == TEXT_DOTS || t->form == TEXT_DASHES ? 4 : 6;

	return replacement(p, t, text, &len) ||
	       (!pseudonyms_knows(p->pseudonyms, &t->addr) &&
		dns_address_class(&t->addr, version) == ADDRESS_PUBLIC);
}

void privacy_mask(struct privacy *p, char *text, size_t len)
{
	struct text_address t;

	for (size_t at = 0; text_address_next(text, at, len, &t); at = t.end) {
		if (!is_unwelcome(p, &t))
			continue;
		for (size_t i = t.start; i < t.end; i++)
			text[i] =
				text[i] == '.' || text[i] == ':' || text[i] == '-' ? text[i] : 'x';
	}
}

int privacy_note_text(struct privacy *p, const char *text)
{
	struct text_address t;
	size_t len = text != NULL ? strlen(text) : 0;
	int err = 0;

	for (size_t at = 0; err == 0 && text_address_next(text, at, len, &t); at = t.end)
		err = pseudonyms_note(p->pseudonyms, &t.addr, ROLE_SHOWN);
	return err;
}
