/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/tls_server.h"

#include <string.h>

#include "classifiers/app/interceptor.h"
#include "classifiers/app/ja4.h"
#include "classifiers/app/x509.h"
#include "dataplane/cursor.h"
#include "dataplane/reassembly.h"

enum {
	RECORD_HEADER = 5,
	RECORD_MAX = 16384 + 2048, /* RFC 5246 section 6.2.3 */
	RECORD_CHANGE_CIPHER_SPEC = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_DATA = 23,
	MESSAGE_HEADER = 4,
	MESSAGE_HELLO_REQUEST = 0,
	MESSAGE_SERVER_HELLO = 2,
	MESSAGE_CERTIFICATE = 11,
	MESSAGE_KEY_EXCHANGE = 12,
	MESSAGE_HELLO_DONE = 14,
	EXT_SUPPORTED_VERSIONS = 43,
	TLS13 = 0x0304,
	CHAIN_MOST = 8,            /* certificates that are looked at: longer chains are nobody's */
};

/* RFC 8446 section 4.1.3: the random of a HelloRetryRequest. */
static const uint8_t retry_random[32] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

/* RFC 8446 section 4.1.3. False: its lengths contradict each other. */
static bool read_hello(struct cursor c, struct tls_server *out)
{
	uint16_t legacy = cursor_be16(&c), version = legacy;
	const uint8_t *random = cursor_bytes(&c, 32);
	cursor_skip(&c, cursor_u8(&c)); /* session id */
	uint16_t cipher = cursor_be16(&c);
	cursor_skip(&c, 1); /* compression */
	struct cursor all = {0};
	if (cursor_ok(&c) && cursor_left(&c) > 0)
		all = cursor_sub(&c, cursor_be16(&c));
	if (!cursor_ok(&c) || cursor_left(&c) != 0)
		return false;
	struct tls_bytes extensions = {.p = all.base, .len = all.len};
	while (cursor_left(&all) > 0) {
		uint16_t type = cursor_be16(&all);
		struct cursor ext = cursor_sub(&all, cursor_be16(&all));
		if (cursor_ok(&all) && type == EXT_SUPPORTED_VERSIONS && ext.len == 2)
			version = cursor_be16(&ext);
	}
	if (!cursor_ok(&all))
		return false;
	out->retry |= memcmp(random, retry_random, sizeof(retry_random)) == 0;
	out->has_hello = memcmp(random, retry_random, sizeof(retry_random)) != 0;
	out->version = version;
	out->cipher = cipher;
	ja3s_compute(legacy, cipher, extensions, out->ja3s);
	return true;
}

/* Who intercepts signs leaves by an intermediate of another name: any issuer of the chain will do. */
static uint8_t find_interceptor(struct cursor chain, const char *issuer)
{
	uint8_t found = interceptor_find(issuer);
	for (unsigned i = 1; found == 0 && i < CHAIN_MOST && cursor_left(&chain) > 0; i++) {
		struct x509_facts next;
		uint32_t len = cursor_be24(&chain);
		const uint8_t *der = cursor_bytes(&chain, len);
		if (der == NULL || !x509_read(der, len, &next))
			break;
		found = interceptor_find(next.issuer);
	}
	return found;
}

/* RFC 5246 section 7.4.2: the first of the chain is the server's own. */
static void read_certificate(struct cursor c, struct tls_server *out)
{
	struct x509_facts leaf;
	struct cursor chain = cursor_sub(&c, cursor_be24(&c));
	uint32_t len = cursor_be24(&chain);
	const uint8_t *der = cursor_bytes(&chain, len);
	if (der == NULL || !x509_read(der, len, &leaf) ||
	    !digest_sha256(leaf.spki, leaf.spki_len, out->spki))
		return;
	out->has_certificate = true;
	memcpy(out->issuer, leaf.issuer, sizeof(out->issuer));
	memcpy(out->subject, leaf.subject, sizeof(out->subject));
	out->interceptor = find_interceptor(chain, leaf.issuer);
}

/* What the records held so far. */
struct server_bytes {
	struct tls_server *out;
	size_t n, at; /* handshake bytes gathered; where the next message begins */
	bool sure;    /* it is a server's handshake */
	uint8_t handshake[REASSEMBLY_LIMIT];
};

/* The whole messages among the handshake bytes. DONE: the last one of interest was here. */
static enum classify read_messages(struct server_bytes *b)
{
	struct tls_server *out = b->out;
	while (b->n - b->at >= MESSAGE_HEADER) {
		struct cursor c = cursor_of(b->handshake + b->at, b->n - b->at);
		uint8_t type = cursor_u8(&c);
		uint32_t len = cursor_be24(&c);
		if (!b->sure && type != MESSAGE_SERVER_HELLO && type != MESSAGE_HELLO_REQUEST)
			return CLASSIFY_NEVER;
		b->sure = true;
		if (cursor_left(&c) < len)
			return CLASSIFY_MORE;
		b->at += MESSAGE_HEADER + len;
		struct cursor body = cursor_sub(&c, len);
		if (type == MESSAGE_SERVER_HELLO && !read_hello(body, out))
			return CLASSIFY_DONE;
		if (type == MESSAGE_CERTIFICATE)
			read_certificate(body, out);
		if (type == MESSAGE_CERTIFICATE || type == MESSAGE_KEY_EXCHANGE ||
		    type == MESSAGE_HELLO_DONE ||
		    (type == MESSAGE_SERVER_HELLO && out->has_hello && out->version >= TLS13))
			return CLASSIFY_DONE;
	}
	return CLASSIFY_MORE;
}

/* One record, whole; at: its stream offset. */
static enum classify read_record(struct server_bytes *b, uint8_t type, struct cursor record,
				 uint32_t at)
{
	struct tls_server *out = b->out;
	switch (type) {
	case RECORD_HANDSHAKE:
		if (record.len > sizeof(b->handshake) - b->n)
			return CLASSIFY_DONE;
		memcpy(b->handshake + b->n, record.base, record.len);
		b->n += record.len;
		return read_messages(b);
	case RECORD_ALERT:
		/* In the clear it is two bytes; what is longer was encrypted. */
		if (record.len == 2) {
			out->has_alert = true;
			out->alert_level = cursor_u8(&record);
			out->alert = cursor_u8(&record);
			out->alert_offset = at;
		}
		return CLASSIFY_DONE;
	default:
		/* RFC 8446 appendix D.4: a server may send this behind its HelloRetryRequest. */
		return type == RECORD_CHANGE_CIPHER_SPEC && out->retry && !out->has_hello
			       ? CLASSIFY_MORE
			       : CLASSIFY_DONE;
	}
}

/* A record's header, as far as it is here, could begin a server's stream. */
static bool may_be_tls(const uint8_t *p, size_t n)
{
	if ((n > 0 && p[0] != RECORD_HANDSHAKE && p[0] != RECORD_ALERT) || (n > 1 && p[1] != 3))
		return false;
	if (n < RECORD_HEADER)
		return true;
	uint16_t len = load_be16(p + 3);
	if (p[0] == RECORD_ALERT && (len != 2 || (n > RECORD_HEADER && p[5] != 1 && p[5] != 2)))
		return false;
	return len != 0 && len <= RECORD_MAX;
}

enum classify tls_server_read(const uint8_t *data, size_t len, struct tls_server *out,
			      uint32_t *need)
{
	struct server_bytes b; /* its bytes stay as they are: they are many */
	enum classify answer = CLASSIFY_MORE;

	b.out = out;
	b.n = b.at = 0;
	b.sure = false;
	memset(out, 0, sizeof(*out));
	*need = RECORD_HEADER;
	bool full = len >= REASSEMBLY_LIMIT;
	if (full)
		len = REASSEMBLY_LIMIT;
	if (!may_be_tls(data, len))
		return CLASSIFY_NEVER;
	struct cursor c = cursor_of(data, len);
	while (answer == CLASSIFY_MORE && cursor_left(&c) >= RECORD_HEADER) {
		uint32_t at = (uint32_t)c.pos;
		uint8_t type = cursor_u8(&c), major = cursor_u8(&c);
		cursor_skip(&c, 1);
		uint16_t length = cursor_be16(&c);
		if (type < RECORD_CHANGE_CIPHER_SPEC || type > RECORD_DATA || major != 3 ||
		    length > RECORD_MAX) {
			answer = CLASSIFY_DONE;
			break;
		}
		*need = (uint32_t)c.pos + length;
		if (cursor_left(&c) < length)
			break;
		answer = read_record(&b, type, cursor_sub(&c, length), at);
		*need += RECORD_HEADER;
	}
	return answer == CLASSIFY_MORE && full ? CLASSIFY_DONE : answer;
}

const char *tls_alert_name(uint8_t alert)
{
	static const struct {
		uint8_t code;
		const char *name;
	} names[] = {
		{0, "close_notify"}, {10, "unexpected_message"}, {20, "bad_record_mac"},
		{21, "decryption_failed"}, {22, "record_overflow"}, {30, "decompression_failure"},
		{40, "handshake_failure"}, {41, "no_certificate"}, {42, "bad_certificate"},
		{43, "unsupported_certificate"}, {44, "certificate_revoked"},
		{45, "certificate_expired"}, {46, "certificate_unknown"}, {47, "illegal_parameter"},
		{48, "unknown_ca"}, {49, "access_denied"}, {50, "decode_error"},
		{51, "decrypt_error"}, {60, "export_restriction"}, {70, "protocol_version"},
		{71, "insufficient_security"}, {80, "internal_error"},
		{86, "inappropriate_fallback"}, {90, "user_canceled"}, {100, "no_renegotiation"},
		{109, "missing_extension"}, {110, "unsupported_extension"},
		{112, "unrecognized_name"}, {113, "bad_certificate_status_response"},
		{115, "unknown_psk_identity"}, {116, "certificate_required"},
		{120, "no_application_protocol"},
	};
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].code == alert)
			return names[i].name;
	return "unknown";
}
