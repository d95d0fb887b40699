/* SPDX-License-Identifier: BSD-3-Clause */

/* DNS messages: addresses in answers and in reverse names, and what EDNS says of the client. */

#include "classifiers/app/dns.h"
#include "tools/privacy/scrub_walk.h"
#include "tools/privacy/text.h"

#define LABELS_MAX 127u

/* The labels of the name at offset at become x's, up to the first pointer. */
static void blank_name(uint8_t *m, size_t n, size_t at)
{
	for (unsigned i = 0; i < LABELS_MAX && at < n; i++) {
		uint8_t len = m[at];
		if (len == 0 || len > DNS_LABEL_MAX || len >= n - at)
			return;
		memset(m + at + 1, 'x', len);
		at += len + 1u;
	}
}

/* A name below in-addr.arpa or ip6.arpa that has a client's address in it; m is as it was sent. */
static bool is_private(const struct walk *w, const struct dns_message *m, size_t at)
{
	char text[DNS_TEXT_SIZE];
	struct text_address found;
	struct ip_addr as;

	if (!dns_name_text(m, at, text) || strcasestr(text, ".arpa") == NULL)
		return false;
	if (!text_address_next(text, 0, strlen(text), &found))
		return false;
	struct ip_addr other = text_reversed(&found.addr);
	return pseudonyms_of(w->s->cfg.pseudonyms,
			     found.form == TEXT_NIBBLES ? &found.addr : &other, &as);
}

/* RFC 6891 section 6.1.2. A client's subnet, cookie or device: all but what is the server's own. */
static void blank_options(uint8_t *p, size_t n)
{
	enum {
		NSID = 3,
		DAU = 5,
		DHU,
		N3U,
		EXPIRE = 9,
		KEEPALIVE = 11,
		PADDING,
		CHAIN,
		KEY_TAG,
		ERROR
	};

	for (size_t i = 0; n - i >= 4;) {
		uint16_t code = load_be16(p + i), len = load_be16(p + i + 2);
		i += 4;
		if (len > n - i)
			len = (uint16_t)(n - i);
		bool known = code == NSID || (code >= DAU && code <= N3U) || code == EXPIRE ||
			     (code >= KEEPALIVE && code <= ERROR);
		if (!known)
			memset(p + i, 0, len);
		i += len;
	}
}

struct record {
	uint16_t type, len;
	size_t name, data;
};

static bool next_record(const uint8_t *m, size_t n, size_t *at, struct record *r)
{
	size_t end;

	if (dns_name_length(m, n, *at, &end) == 0 || n - end < 10)
		return false;
	*r = (struct record){.name = *at,
			     .type = load_be16(m + end),
			     .len = load_be16(m + end + 8),
			     .data = end + 10};
	if (r->len > n - r->data)
		return false;
	*at = r->data + r->len;
	return true;
}

static void scrub_record(const struct walk *w, const struct dns_message *m, uint8_t *now,
			 const struct record *r)
{
	struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff}}, as;
	const struct pseudonyms *p = w->s->cfg.pseudonyms;

	if (r->type == DNS_A && r->len == 4) {
		memcpy(a.b + 12, m->data + r->data, 4);
		pseudonyms_of(p, &a, &as);
		memcpy(now + r->data, as.b + 12, 4);
	} else if (r->type == DNS_AAAA && r->len == 16) {
		memcpy(a.b, m->data + r->data, 16);
		pseudonyms_of(p, &a, &as);
		memcpy(now + r->data, as.b, 16);
	} else if (r->type == DNS_OPT) {
		blank_options(now + r->data, r->len);
	}
	if (!is_private(w, m, r->name))
		return;
	blank_name(now, m->len, r->name);
	if (r->type == DNS_PTR)
		blank_name(now, m->len, r->data);
}

/* Of the labels that are spelled out here; those behind a pointer are spelled out elsewhere. */
static bool rename_at(const struct walk *w, const struct dns_message *m, uint8_t *now, size_t at)
{
	char name[DNS_TEXT_SIZE];

	for (unsigned i = 0; i < LABELS_MAX && at < m->len; i++) {
		uint8_t len = m->data[at];
		if (len == 0 || len > DNS_LABEL_MAX)
			return true;
		if (len >= m->len - at || !dns_name_text(m, at, name))
			return false;
		if (!name_fit_label(w->s->cfg.names, name, strlen(name), i == 0,
				    (char *)now + at + 1, len))
			return true;
		at += len + 1u;
	}
	return false;
}

/* What of a record's data is no name and says none. */
static size_t nameless(uint16_t type)
{
	enum { NS = 2, CNAME = 5, SOA = 6, PTR = 12, MX = 15, SRV = 33, DNAME = 39 };

	switch (type) {
	case NS:
	case CNAME:
	case SOA:
	case PTR:
	case DNAME:
		return 0;
	case MX:
		return 2;
	case SRV:
		return 6;
	}
	return SIZE_MAX;
}

static bool rename_data(const struct walk *w, const struct dns_message *m, uint8_t *now,
			const struct record *r)
{
	enum { SOA = 6, TIMES = 20 };
	size_t at = r->data, end = r->data + r->len, skip = nameless(r->type);

	if ((r->type == DNS_A && r->len == 4) || (r->type == DNS_AAAA && r->len == 16))
		return true;
	/* EDNS, text, signatures, services: whatever is in there. */
	if (skip == SIZE_MAX || skip > r->len) {
		memset(now + at, 0, r->len);
		return true;
	}
	at += skip;
	for (unsigned i = 0; i < (r->type == SOA ? 2 : 1); i++)
		if (!rename_at(w, m, now, at) || dns_name_length(m->data, m->len, at, &at) == 0 || at > end)
			return false;
	return end - at == (r->type == SOA ? TIMES : 0);
}

/* Names under their pseudonyms. Returns how many bytes have been understood. */
static size_t rename_all(const struct walk *w, const struct dns_message *m, uint8_t *now)
{
	size_t pos = DNS_HEADER_SIZE, end;
	struct record r;

	for (unsigned i = 0; i < m->count[DNS_QUESTION]; i++) {
		if (dns_name_length(m->data, m->len, pos, &end) == 0 || m->len - end < 4 ||
		    !rename_at(w, m, now, pos))
			return pos;
		pos = end + 4;
	}
	for (size_t next = pos; pos < m->end_offset; pos = next)
		if (!next_record(m->data, m->len, &next, &r) || !rename_at(w, m, now, r.name) ||
		    !rename_data(w, m, now, &r))
			break;
	return pos;
}

size_t walk_dns(struct walk *w, size_t at, size_t n)
{
	struct dns_message m;
	uint8_t *now = w->now + at;

	if (!dns_read(w->was + at, n, &m))
		return 0;
	size_t pos = DNS_HEADER_SIZE, end;
	for (unsigned i = 0; i < m.count[DNS_QUESTION] && pos < m.end_offset; i++) {
		if (dns_name_length(m.data, m.len, pos, &end) == 0 || m.len - end < 4)
			break;
		if (is_private(w, &m, pos))
			blank_name(now, m.len, pos);
		pos = end + 4;
	}
	struct record r;
	while (pos < m.end_offset && next_record(m.data, m.len, &pos, &r))
		scrub_record(w, &m, now, &r);
	return w->s->cfg.names != NULL ? rename_all(w, &m, now) : m.end_offset;
}
