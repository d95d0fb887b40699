/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/dtls.h"

#include <stdio.h>

#include "dataplane/cursor.h"

/* RFC 6347 sections 4.1 and 4.2.2; RFC 9147 section 4: the unified header, and connection IDs. */
enum {
	RECORD_CHANGE = 20, RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23,
	RECORD_CID = 25,
	CLIENT_HELLO = 1, SERVER_HELLO = 2, HELLO_VERIFY = 3,
};
#define RECORD_HEADER 13u
#define MESSAGE_HEADER 12u
#define ALERT_SIZE 2u
#define HELLO_LEAST 41u    /* version, random, four empty lists of 1, 1, 2 and 1 bytes */
#define HELLO_FIXED 34u    /* version and random */
#define DTLS_1_0 0xfeff
#define DTLS_1_2 0xfefd
#define DTLS_CISCO 0x0100  /* before the RFC, of AnyConnect */
#define UNIFIED_MASK 0xe0
#define UNIFIED 0x20

/* The front of a datagram: one plaintext record, and the message or fragment that it begins with. */
struct front {
	uint8_t type;            /* of the record */
	uint16_t version, length;
	uint8_t message;         /* handshake only */
	uint32_t total, offset, here; /* bytes of the message, of the fragment */
};

static bool front_read(const uint8_t *p, size_t caplen, size_t len, struct front *f)
{
	struct cursor c = cursor_of(p, caplen);
	*f = (struct front){.type = cursor_u8(&c), .version = cursor_be16(&c)};
	uint16_t epoch = cursor_be16(&c);
	cursor_skip(&c, 6);
	f->length = cursor_be16(&c);
	if (!cursor_ok(&c) || epoch != 0 || RECORD_HEADER + f->length > len ||
	    (f->version != DTLS_1_0 && f->version != DTLS_1_2 && f->version != DTLS_CISCO))
		return false;
	if (f->type != RECORD_HANDSHAKE)
		return f->type == RECORD_ALERT && f->length == ALERT_SIZE;
	f->message = cursor_u8(&c);
	f->total = cursor_be24(&c);
	cursor_skip(&c, 2);
	f->offset = cursor_be24(&c);
	f->here = cursor_be24(&c);
	return cursor_ok(&c) && f->offset <= f->total && f->here <= f->total - f->offset &&
	       f->length >= MESSAGE_HEADER && f->here <= f->length - MESSAGE_HEADER;
}

static bool hello_front(const uint8_t *p, size_t caplen, size_t len, struct front *f)
{
	return front_read(p, caplen, len, f) && f->type == RECORD_HANDSHAKE &&
	       f->message == CLIENT_HELLO && f->offset == 0 && f->total >= HELLO_LEAST;
}

/* The bytes of the message that are here. */
static struct cursor message_of(const uint8_t *p, size_t caplen, const struct front *f)
{
	struct cursor c = cursor_of(p, caplen);
	cursor_skip(&c, RECORD_HEADER + MESSAGE_HEADER);
	return cursor_sub(&c, cursor_left(&c) < f->here ? cursor_left(&c) : f->here);
}

bool dtls_first(const uint8_t *p, size_t caplen, size_t len, struct vpn_first *out)
{
	struct front f;
	if (!hello_front(p, caplen, len, &f))
		return false;
	struct cursor c = message_of(p, caplen, &f);
	uint16_t version = cursor_be16(&c);
	if (cursor_ok(&c) && version >> 8 != DTLS_1_0 >> 8 && version != DTLS_CISCO)
		return false;
	cursor_skip(&c, HELLO_FIXED - 2);
	cursor_skip(&c, cursor_u8(&c));
	uint8_t cookie = cursor_u8(&c);
	out->proto = VPN_DTLS;
	out->cookie = cursor_ok(&c) && cookie != 0;
	snprintf(out->variant, sizeof(out->variant), "%s",
		 version == DTLS_1_2 ? "1.2" : version == DTLS_CISCO ? "anyconnect" : "1.0");
	return true;
}

bool dtls_answer(const uint8_t *p, size_t caplen, size_t len)
{
	struct front f;
	return front_read(p, caplen, len, &f) &&
	       (f.type == RECORD_ALERT || f.message == SERVER_HELLO || f.message == HELLO_VERIFY);
}

enum vpn_kind dtls_kind(const uint8_t *p)
{
	if (p[0] >= RECORD_CHANGE && p[0] <= RECORD_HANDSHAKE)
		return VPN_HANDSHAKE;
	bool data = p[0] == RECORD_DATA || p[0] == RECORD_CID || (p[0] & UNIFIED_MASK) == UNIFIED;
	return data ? VPN_DATA : VPN_OTHER;
}

bool dtls_hello_read(const uint8_t *p, size_t caplen, size_t len, struct tls_client_hello *out)
{
	struct front f;
	if (!hello_front(p, caplen, len, &f))
		return false;
	struct cursor c = message_of(p, caplen, &f);
	size_t here = cursor_left(&c);
	tls_dtls_hello_read(cursor_bytes(&c, here), here, f.total, out);
	out->record_version = f.version;
	out->n_records = 1;
	uint32_t at = RECORD_HEADER + MESSAGE_HEADER;
	out->sni_offset += out->has_sni ? at : 0;
	out->sni_end += out->has_sni ? at : 0;
	out->hello_end = here == f.total ? (uint32_t)(at + here) : 0;
	return true;
}
