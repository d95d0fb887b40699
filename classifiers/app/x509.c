/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/x509.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/cursor.h"

/* X.690 tags, as DER writes them. */
enum {
	TAG_INTEGER = 0x02,
	TAG_OID = 0x06,
	TAG_SEQUENCE = 0x30,
	TAG_SET = 0x31,
	TAG_VERSION = 0xa0, /* [0] of TBSCertificate */
	TAG_BMP_STRING = 0x1e,
};

/* A value with its tag; whole covers both. */
struct der {
	uint8_t tag;
	struct cursor value, whole;
};

/* The next element; an error sticks to c. Lengths are definite and at most three bytes. */
static struct der der_next(struct cursor *c)
{
	struct cursor start = *c;
	struct der d = {.tag = cursor_u8(c)};
	size_t len = cursor_u8(c);
	if (len == 0x81)
		len = cursor_u8(c);
	else if (len == 0x82)
		len = cursor_be16(c);
	else if (len == 0x83)
		len = cursor_be24(c);
	else if (len >= 0x80)
		c->failed = true;
	d.value = cursor_sub(c, len);
	if (cursor_ok(c))
		d.whole = cursor_sub(&start, c->pos - start.pos);
	return d;
}

static struct der der_expect(struct cursor *c, uint8_t tag)
{
	struct der d = der_next(c);
	c->failed |= d.tag != tag;
	return d;
}

/* Bytes of a string type as text: those of BMPString are UTF-16, of which Latin letters are kept. */
static void take_string(const struct der *s, char *out, size_t size)
{
	struct cursor c = s->value;
	size_t n = 0;
	while (cursor_left(&c) > 0 && n + 1 < size) {
		uint16_t ch = s->tag == TAG_BMP_STRING ? cursor_be16(&c) : cursor_u8(&c);
		if (cursor_ok(&c))
			out[n++] = ch == 0 || ch > 0xff ? '?' : (char)ch;
	}
	out[n] = '\0';
}

/* Name: a sequence of sets of (type, value). The first commonName and organizationName. */
static bool read_name(struct cursor name, char *cn, size_t cn_size, char *org, size_t org_size)
{
	static const uint8_t common_name[] = {0x55, 0x04, 0x03}, organization[] = {0x55, 0x04, 0x0a};
	cn[0] = org[0] = '\0';
	while (cursor_left(&name) > 0) {
		struct der set = der_expect(&name, TAG_SET);
		struct der pair = der_expect(&set.value, TAG_SEQUENCE);
		struct der type = der_expect(&pair.value, TAG_OID);
		struct der value = der_next(&pair.value);
		if (!cursor_ok(&name) || !cursor_ok(&set.value) || !cursor_ok(&pair.value))
			return false;
		const uint8_t *oid = cursor_bytes(&type.value, sizeof(common_name));
		if (oid == NULL || cursor_left(&type.value) != 0)
			continue;
		if (cn[0] == '\0' && memcmp(oid, common_name, sizeof(common_name)) == 0)
			take_string(&value, cn, cn_size);
		else if (org[0] == '\0' && memcmp(oid, organization, sizeof(organization)) == 0)
			take_string(&value, org, org_size);
	}
	return cursor_ok(&name);
}

/* TBSCertificate up to the key. */
static bool read_fields(struct cursor tbs, struct x509_facts *out)
{
	char cn[64], org[64];
	struct cursor before = tbs;
	if (der_next(&tbs).tag != TAG_VERSION) /* version 1 has none */
		tbs = before;
	der_expect(&tbs, TAG_INTEGER);
	der_expect(&tbs, TAG_SEQUENCE); /* signature algorithm */
	struct der issuer = der_expect(&tbs, TAG_SEQUENCE);
	der_expect(&tbs, TAG_SEQUENCE); /* validity */
	struct der subject = der_expect(&tbs, TAG_SEQUENCE);
	struct der key = der_expect(&tbs, TAG_SEQUENCE);
	if (!cursor_ok(&tbs) ||
	    !read_name(subject.value, out->subject, sizeof(out->subject), org, sizeof(org)) ||
	    !read_name(issuer.value, cn, sizeof(cn), org, sizeof(org)))
		return false;
	snprintf(out->issuer, sizeof(out->issuer), "%s%.47s%s%s%.40s", cn[0] != '\0' ? "CN=" : "", cn,
		 cn[0] != '\0' && org[0] != '\0' ? ", " : "", org[0] != '\0' ? "O=" : "", org);
	out->spki_len = key.whole.len;
	out->spki = cursor_bytes(&key.whole, key.whole.len);
	return out->spki != NULL;
}

bool x509_read(const uint8_t *der, size_t len, struct x509_facts *out)
{
	struct cursor c = cursor_of(der, len);
	struct der certificate = der_expect(&c, TAG_SEQUENCE);
	struct der tbs = der_expect(&certificate.value, TAG_SEQUENCE);
	*out = (struct x509_facts){.spki = NULL};
	if (cursor_ok(&c) && cursor_left(&c) == 0 && cursor_ok(&certificate.value) &&
	    read_fields(tbs.value, out))
		return true;
	*out = (struct x509_facts){.spki = NULL};
	return false;
}
