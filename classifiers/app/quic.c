/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/quic.h"

enum {
	BIT_LONG = 0x80,
	BIT_FIXED = 0x40,
	RETRY_TAG = 16, /* RFC 9001 section 5.8 */
};

#define SALT_22 "\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a"
#define SALT_23 "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
#define SALT_29 "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
#define SALT_V1 "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
#define SALT_V2 "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
#define SALT_V2_DRAFT                                                                             \
	"\xa7\x07\xc2\x03\xa5\x9b\x47\x18\x4a\x1d\x62\xca\x57\x04\x06\xea\x7a\xe3\xe5\xd3"
#define SALT_Q050 "\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45"
#define SALT_T050 "\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10"
#define SALT_T051 "\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d"

/*
 * RFC 9001 section 5.2 and RFC 9369 section 3.3.1; draft-ietf-quic-tls-22, -23 and -29,
 * draft-ietf-quic-v2-04. 0xfaceb0xx are Facebook's, Q050 to T051 Google's, as Wireshark's
 * packet-quic.c has them.
 */
static const struct quic_version versions[] = {
	{.first = QUIC_V1, .last = QUIC_V1, .tls = true, .salt = SALT_V1},
	{.first = QUIC_V2, .last = QUIC_V2, .tls = true, .v2 = true, .salt = SALT_V2},
	{.first = 0xff000016, .last = 0xff000016, .tls = true, .salt = SALT_22},
	{.first = 0xff000017, .last = 0xff00001c, .tls = true, .salt = SALT_23},
	{.first = 0xff00001d, .last = 0xff000020, .tls = true, .salt = SALT_29},
	{.first = 0xff000021, .last = 0xff000022, .tls = true, .salt = SALT_V1},
	{.first = 0x709a50c4, .last = 0x709a50c4, .tls = true, .v2 = true, .salt = SALT_V2_DRAFT},
	{.first = 0xfaceb001, .last = 0xfaceb001, .tls = true, .salt = SALT_22},
	{.first = 0xfaceb002, .last = 0xfaceb00f, .tls = true, .salt = SALT_23},
	{.first = 0x51303530, .last = 0x51303530, .salt = SALT_Q050},
	{.first = 0x54303530, .last = 0x54303530, .tls = true, .salt = SALT_T050},
	{.first = 0x54303531, .last = 0x54303531, .tls = true, .salt = SALT_T051},
};

const struct quic_version *quic_version_find(uint32_t version)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (version >= versions[i].first && version <= versions[i].last)
			return &versions[i];
	return NULL;
}

bool quic_version_forces_negotiation(uint32_t version)
{
	return (version & 0x0f0f0f0f) == 0x0a0a0a0a;
}

/* "Q024" to "Q049": before the long header of RFC 8999. */
static bool is_google(uint32_t version)
{
	uint8_t tens = (uint8_t)(version >> 8), ones = (uint8_t)version;
	return version >> 16 == 0x5130 && tens >= '2' && tens <= '4' && ones >= '0' && ones <= '9';
}

/* RFC 9000 section 16. */
static uint64_t read_varint(struct cursor *c)
{
	uint8_t first = cursor_u8(c);
	uint64_t v = first & 0x3f;
	for (unsigned more = (1u << (first >> 6)) - 1; more > 0; more--)
		v = v << 8 | cursor_u8(c);
	return cursor_ok(c) ? v : 0;
}

/* Of bytes that must follow. */
static size_t read_length(struct cursor *c)
{
	uint64_t n = read_varint(c);
	c->failed |= n > cursor_left(c);
	return cursor_ok(c) ? (size_t)n : 0;
}

static void read_cid(struct cursor *c, struct quic_cid *out)
{
	size_t len = cursor_u8(c);
	if (len > QUIC_CID_MAX)
		c->failed = true;
	const uint8_t *p = cursor_bytes(c, len);
	if (p == NULL || len > QUIC_CID_MAX)
		return;
	out->len = (uint8_t)len;
	memcpy(out->b, p, len);
}

static enum quic_kind long_kind(const struct quic_version *v, uint8_t first)
{
	static const uint8_t v1[] = {QUIC_INITIAL, QUIC_ZERO_RTT, QUIC_HANDSHAKE, QUIC_RETRY};
	static const uint8_t v2[] = {QUIC_RETRY, QUIC_INITIAL, QUIC_ZERO_RTT, QUIC_HANDSHAKE};
	return (v->v2 ? v2 : v1)[first >> 4 & 3];
}

/* The rest of the datagram is this packet's. */
static bool take_rest(struct cursor *c, bool cut, struct quic_packet *out)
{
	cursor_skip(c, cursor_left(c));
	out->len = (size_t)(c->base + c->pos - out->data);
	out->cut = cut;
	return cursor_ok(c);
}

/* RFC 9000 sections 17.2.2 to 17.2.4, from behind the connection IDs. */
static bool read_numbered(struct cursor *c, bool cut, struct quic_packet *out)
{
	size_t start = (size_t)(out->data - c->base);
	if (out->kind == QUIC_INITIAL)
		cursor_skip(c, read_length(c));
	uint64_t length = read_varint(c);
	if (!cursor_ok(c))
		return false;
	out->pn_offset = c->pos - start;
	out->cut = length > cursor_left(c);
	if (out->cut && !cut)
		return false;
	cursor_skip(c, out->cut ? cursor_left(c) : (size_t)length);
	out->len = c->pos - start;
	return true;
}

/* Long header of RFC 8999, section 5.1. */
static bool read_long(struct cursor *c, bool cut, uint8_t first, struct quic_packet *out)
{
	out->version = cursor_be32(c);
	if (cursor_ok(c) && is_google(out->version)) { /* Q046 to Q049: both lengths in one byte */
		out->kind = QUIC_GOOGLE;
		return take_rest(c, cut, out);
	}
	read_cid(c, &out->dcid);
	read_cid(c, &out->scid);
	if (!cursor_ok(c))
		return false;
	if (out->version == 0) {
		out->kind = QUIC_NEGOTIATION;
		return cursor_left(c) >= 4 && take_rest(c, cut, out);
	}
	if ((first & BIT_FIXED) == 0)
		return false;
	const struct quic_version *v = quic_version_find(out->version);
	if (v == NULL) {
		out->kind = QUIC_RESERVED;
		return quic_version_forces_negotiation(out->version) && take_rest(c, cut, out);
	}
	out->kind = long_kind(v, first);
	if (out->kind == QUIC_RETRY)
		return (cut || cursor_left(c) > RETRY_TAG) && take_rest(c, cut, out);
	return read_numbered(c, cut, out);
}

/*
 * Google's public header up to Q043: flags (a version and an 8-byte connection ID follow, no
 * reset), the ID, the version.
 */
static bool read_google(struct cursor *c, bool cut, uint8_t first, struct quic_packet *out)
{
	if ((first & 0xcb) != 0x09)
		return false;
	cursor_skip(c, 8);
	out->version = cursor_be32(c);
	out->kind = QUIC_GOOGLE;
	return cursor_ok(c) && is_google(out->version) && take_rest(c, cut, out);
}

bool quic_packet_next(struct cursor *c, bool cut, struct quic_packet *out)
{
	*out = (struct quic_packet){.kind = QUIC_SHORT};
	if (cursor_left(c) == 0)
		return false;
	out->data = c->base + c->pos;
	uint8_t first = cursor_u8(c);
	if ((first & BIT_LONG) != 0)
		return read_long(c, cut, first, out);
	if ((first & BIT_FIXED) != 0)
		return take_rest(c, cut, out);
	return read_google(c, cut, first, out);
}

/* RFC 9000 section 19.3; nobody needs the ranges. */
static void skip_ack(struct cursor *c, bool ecn)
{
	(void)read_varint(c);
	(void)read_varint(c);
	uint64_t ranges = read_varint(c);
	(void)read_varint(c);
	for (; ranges > 0 && cursor_ok(c); ranges--) {
		(void)read_varint(c);
		(void)read_varint(c);
	}
	for (unsigned i = 0; ecn && i < 3; i++)
		(void)read_varint(c);
}

bool quic_frame_next(struct cursor *c, struct quic_frame *out)
{
	*out = (struct quic_frame){.type = QUIC_PADDING};
	while (cursor_left(c) > 0 && out->type == QUIC_PADDING)
		out->type = read_varint(c);
	if (!cursor_ok(c) || out->type == QUIC_PADDING)
		return false;
	if (out->type == QUIC_CRYPTO_GOOGLE)
		out->type = QUIC_CRYPTO;
	switch (out->type) {
	case QUIC_PING:
		break;
	case QUIC_ACK:
	case QUIC_ACK_ECN:
		skip_ack(c, out->type == QUIC_ACK_ECN);
		break;
	case QUIC_CRYPTO:
		out->offset = read_varint(c);
		out->len = read_length(c);
		out->data = cursor_bytes(c, out->len);
		break;
	case QUIC_CLOSE:
		out->code = read_varint(c);
		(void)read_varint(c);
		cursor_skip(c, read_length(c));
		break;
	default:
		c->failed = true;
	}
	return cursor_ok(c);
}
