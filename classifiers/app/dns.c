/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/dns.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/cursor.h"

#define POINTER 0xc0
#define CLASS_IN 1

/* Of each label of the name at `at`, in order. */
struct name_walk {
	const uint8_t *data;
	size_t len;
	size_t at;        /* of the next length byte */
	size_t start;     /* where the labels began that are being read: pointers lead before it */
	size_t end;       /* behind the name where it stands; 0 while not known */
	unsigned octets;  /* so far, without the root's */
	unsigned jumps;
	const uint8_t *label;
	unsigned label_len;
};

static struct name_walk walk_from(const uint8_t *data, size_t len, size_t at)
{
	return (struct name_walk){.data = data, .len = len, .at = at, .start = at};
}

/* 1: a label, 0: the root, -1: no name. */
static int walk_next(struct name_walk *w)
{
	for (;;) {
		if (w->at >= w->len)
			return -1;
		unsigned n = w->data[w->at];
		if (n == 0) {
			if (w->end == 0)
				w->end = w->at + 1;
			return 0;
		}
		if (n <= DNS_LABEL_MAX) {
			/* With the root's octet behind it. */
			if (w->len - w->at <= n || w->octets + n + 2 > DNS_NAME_MAX)
				return -1;
			w->label = w->data + w->at + 1;
			w->label_len = n;
			w->octets += n + 1;
			w->at += n + 1;
			return 1;
		}
		if ((n & POINTER) != POINTER || w->len - w->at < 2 || w->jumps == DNS_JUMPS_MAX)
			return -1;
		size_t to = load_be16(w->data + w->at) & 0x3fffu;
		if (to >= w->start)
			return -1;
		if (w->end == 0)
			w->end = w->at + 2;
		w->at = w->start = to;
		w->jumps++;
	}
}

size_t dns_name_length(const uint8_t *data, size_t len, size_t at, size_t *end)
{
	struct name_walk w = walk_from(data, len, at);
	int more;
	while ((more = walk_next(&w)) > 0)
		;
	if (more < 0)
		return 0;
	if (end != NULL)
		*end = w.end;
	return w.octets + 1;
}

/* In a zone file (RFC 1035, section 5.1). */
static bool means_something(uint8_t c)
{
	switch (c) {
	case '.':
	case '\\':
	case '"':
	case '(':
	case ')':
	case ';':
	case '@':
	case '$':
		return true;
	default:
		return false;
	}
}

bool dns_name_text(const struct dns_message *m, size_t at, char out[DNS_TEXT_SIZE])
{
	struct name_walk w = walk_from(m->data, m->len, at);
	size_t n = 0;
	int more;
	while ((more = walk_next(&w)) > 0) {
		if (n != 0)
			out[n++] = '.';
		for (unsigned i = 0; i < w.label_len; i++) {
			uint8_t c = w.label[i];
			bool odd = c <= 0x20 || c >= 0x7f;
			if (odd || means_something(c))
				out[n++] = '\\';
			if (odd) {
				out[n++] = (char)('0' + c / 100);
				out[n++] = (char)('0' + c / 10 % 10);
				out[n++] = (char)('0' + c % 10);
				continue;
			}
			out[n++] = (char)c;
		}
	}
	if (n == 0 && more == 0)
		out[n++] = '.';
	out[more < 0 ? 0 : n] = '\0';
	return more == 0;
}

size_t dns_name_wire(const struct dns_message *m, size_t at, bool lower, uint8_t out[DNS_NAME_MAX])
{
	struct name_walk w = walk_from(m->data, m->len, at);
	size_t n = 0;
	int more;
	while ((more = walk_next(&w)) > 0) {
		out[n++] = (uint8_t)w.label_len;
		for (unsigned i = 0; i < w.label_len; i++) {
			uint8_t c = w.label[i];
			out[n++] = lower && c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
		}
	}
	if (more < 0)
		return 0;
	out[n++] = 0;
	return n;
}

bool dns_name_is_pointer(const struct dns_message *m, size_t at)
{
	return at < m->len && m->data[at] >= POINTER;
}

/* A name within a record's data, at its offset `from` (several types' second field). */
static bool rdata_is_name(const struct dns_message *m, const struct dns_rr *r, unsigned from)
{
	size_t end, last = (size_t)r->rdata + r->rdlen;
	return r->rdlen > from &&
	       dns_name_length(m->data, last, (size_t)r->rdata + from, &end) != 0 && end == last;
}

/* What is read of a record's data must be what its type promises. */
static bool rdata_ok(const struct dns_message *m, const struct dns_rr *r)
{
	switch (r->type) {
	case DNS_A:
		return r->class != CLASS_IN || r->rdlen == 4;
	case DNS_AAAA:
		return r->class != CLASS_IN || r->rdlen == 16;
	case DNS_CNAME:
	case DNS_DNAME:
	case DNS_NS:
	case DNS_PTR:
		return rdata_is_name(m, r, 0);
	case DNS_MX:
		return rdata_is_name(m, r, 2);
	default:
		return true;
	}
}

static bool skip_name(struct cursor *c, uint16_t *at)
{
	size_t end;
	*at = (uint16_t)c->pos;
	if (dns_name_length(c->base, c->len, c->pos, &end) == 0)
		return false;
	c->pos = end;
	return true;
}

/* It ends within a name only where the bytes do. */
static enum dns_end broken_name(const struct cursor *c)
{
	struct name_walk w = walk_from(c->base, c->len, c->pos);
	while (walk_next(&w) > 0)
		;
	bool label = w.at < w.len && w.data[w.at] <= DNS_LABEL_MAX && w.data[w.at] != 0 &&
		     w.len - w.at <= w.data[w.at] && w.octets + w.data[w.at] + 2u <= DNS_NAME_MAX;
	bool pointer = w.at + 1 == w.len && w.data[w.at] >= POINTER;
	return w.at >= w.len || label || pointer ? DNS_CUT : DNS_BAD;
}

static enum dns_end read_question(struct dns_message *m, struct cursor *c, bool first)
{
	uint16_t name;
	if (!skip_name(c, &name))
		return broken_name(c);
	uint16_t type = cursor_be16(c), class = cursor_be16(c);
	if (!cursor_ok(c))
		return DNS_CUT;
	if (first) {
		m->has_question = true;
		m->qname = name;
		m->qtype = type;
		m->qclass = class;
	}
	return DNS_OK;
}

/* RFC 6891 section 6.1: of the root, once, among the additional records. */
static bool take_opt(struct dns_message *m, const struct dns_rr *r)
{
	if (m->has_opt || r->section != DNS_ADDITIONAL ||
	    dns_name_length(m->data, m->len, r->name, NULL) != 1)
		return false;
	m->has_opt = true;
	m->rcode = (uint16_t)(r->ttl >> 24 << 4 | (m->flags & DNS_RCODE));
	return true;
}

static enum dns_end read_record(struct dns_message *m, struct cursor *c, enum dns_section section)
{
	struct dns_rr r = {.section = (uint8_t)section};
	if (!skip_name(c, &r.name))
		return broken_name(c);
	r.type = cursor_be16(c);
	r.class = cursor_be16(c);
	r.ttl = cursor_be32(c);
	r.rdlen = cursor_be16(c);
	r.rdata = (uint16_t)c->pos;
	cursor_skip(c, r.rdlen);
	if (!cursor_ok(c))
		return DNS_CUT;
	if (r.type == DNS_OPT)
		return take_opt(m, &r) ? DNS_OK : DNS_BAD;
	if (!rdata_ok(m, &r))
		return DNS_BAD;
	if (m->n_rrs < DNS_RRS_MAX)
		m->rr[m->n_rrs++] = r;
	else
		m->more_rrs++;
	return DNS_OK;
}

bool dns_read(const uint8_t *data, size_t len, struct dns_message *out)
{
	struct cursor c = cursor_of(data, len < UINT16_MAX ? len : UINT16_MAX);
	enum dns_end end = DNS_OK;
	if (c.len < DNS_HEADER_SIZE)
		return false;
	memset(out, 0, offsetof(struct dns_message, rr));
	out->data = data;
	out->len = (uint16_t)c.len;
	out->txid = cursor_be16(&c);
	out->flags = cursor_be16(&c);
	out->rcode = out->flags & DNS_RCODE;
	for (unsigned s = 0; s < DNS_SECTIONS; s++)
		out->count[s] = cursor_be16(&c);
	out->end_offset = DNS_HEADER_SIZE;
	for (unsigned s = 0; s < DNS_SECTIONS; s++) {
		for (unsigned i = 0; i < out->count[s] && end == DNS_OK; i++) {
			end = s == DNS_QUESTION ? read_question(out, &c, i == 0)
						: read_record(out, &c, (enum dns_section)s);
			if (end == DNS_OK)
				out->end_offset = (uint16_t)c.pos;
		}
	}
	if (end == DNS_OK && c.pos < c.len)
		end = DNS_TRAILING;
	out->end = (uint8_t)end;
	return true;
}

bool dns_read_prefix(const uint8_t *stream, size_t len, size_t *at, const uint8_t **message,
		     size_t *message_len)
{
	if (*at > len)
		return false;
	struct cursor c = cursor_of(stream + *at, len - *at);
	size_t n = cursor_be16(&c);
	const uint8_t *p = cursor_bytes(&c, n);
	if (!cursor_ok(&c) || n == 0)
		return false;
	*message = p;
	*message_len = n;
	*at += 2 + n;
	return true;
}

struct code_name {
	uint16_t code;
	const char *name;
};

/* IANA, Domain Name System (DNS) Parameters */
static const struct code_name type_names[] = {
	{DNS_A, "A"},	       {DNS_NS, "NS"},	 {DNS_CNAME, "CNAME"}, {DNS_SOA, "SOA"},
	{DNS_PTR, "PTR"},      {13, "HINFO"},	 {DNS_MX, "MX"},       {DNS_TXT, "TXT"},
	{DNS_AAAA, "AAAA"},    {DNS_SRV, "SRV"}, {35, "NAPTR"},	       {DNS_DNAME, "DNAME"},
	{43, "DS"},	       {46, "RRSIG"},	 {47, "NSEC"},	       {48, "DNSKEY"},
	{50, "NSEC3"},	       {52, "TLSA"},	 {64, "SVCB"},	       {65, "HTTPS"},
	{251, "IXFR"},	       {252, "AXFR"},	 {DNS_ANY, "ANY"},     {257, "CAA"},
};

static const struct code_name rcode_names[] = {
	{DNS_NOERROR, "NOERROR"},   {DNS_FORMERR, "FORMERR"}, {DNS_SERVFAIL, "SERVFAIL"},
	{DNS_NXDOMAIN, "NXDOMAIN"}, {DNS_NOTIMP, "NOTIMP"},   {DNS_REFUSED, "REFUSED"},
	{6, "YXDOMAIN"},	    {7, "YXRRSET"},	      {8, "NXRRSET"},
	{9, "NOTAUTH"},		    {10, "NOTZONE"},	      {16, "BADVERS"},
	{23, "BADCOOKIE"},
};

static const char *name_of(const struct code_name *list, size_t n, uint16_t code, const char *other,
			   char buf[12])
{
	for (size_t i = 0; i < n; i++)
		if (list[i].code == code)
			return list[i].name;
	snprintf(buf, 12, "%s%u", other, code);
	return buf;
}

const char *dns_type_text(uint16_t type, char buf[12])
{
	return name_of(type_names, sizeof(type_names) / sizeof(*type_names), type, "TYPE", buf);
}

const char *dns_rcode_text(uint16_t rcode, char buf[12])
{
	return name_of(rcode_names, sizeof(rcode_names) / sizeof(*rcode_names), rcode, "RCODE",
		       buf);
}
