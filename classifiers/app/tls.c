/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/tls.h"

#include <string.h>

#include "classifiers/app/ja4.h"
#include "dataplane/cursor.h"
#include "dataplane/reassembly.h"

enum {
	RECORD_HEADER = 5,
	RECORD_HANDSHAKE = 22,
	RECORD_MAX = 16384 + 2048, /* RFC 5246 section 6.2.3: what any receiver ever let through */
	MESSAGE_HEADER = 4,
	MESSAGE_CLIENT_HELLO = 1,
	HELLO_MIN = 2 + 32 + 1 + 2 + 1, /* version, random, three empty lists */
};

enum {
	EXT_SERVER_NAME = 0,
	EXT_GROUPS = 10,
	EXT_POINT_FORMATS = 11,
	EXT_SIGNATURE_ALGORITHMS = 13,
	EXT_ALPN = 16,
	EXT_SUPPORTED_VERSIONS = 43,
	EXT_ECH = 0xfe0d,
	EXT_ECH_DRAFT7 = 0xff02, /* draft-ietf-tls-esni-07, the first under this name */
	EXT_ECH_DRAFT8 = 0xfe08, /* those after it count on from here, up to EXT_ECH */
	EXT_ESNI = 0xffce,
};

/*
 * A field of the hello of which perhaps only the front is here. Two things can go wrong, and they
 * mean different things: more bytes are needed (the cursor's error), or the length contradicts the
 * one around it (bad). Both stick.
 */
struct field {
	struct cursor c; /* the bytes that are here */
	size_t claimed;  /* the length that the hello gives */
	bool bad;
};

static bool field_ok(const struct field *f)
{
	return !f->bad && cursor_ok(&f->c);
}

static size_t field_left(const struct field *f)
{
	return f->claimed - f->c.pos;
}

static bool field_has(struct field *f, size_t n)
{
	f->bad |= n > field_left(f);
	return !f->bad;
}

static uint8_t field_u8(struct field *f)
{
	return field_has(f, 1) ? cursor_u8(&f->c) : 0;
}

static uint16_t field_be16(struct field *f)
{
	return field_has(f, 2) ? cursor_be16(&f->c) : 0;
}

/* The next n claimed bytes as a field of their own; f moves past those of them that are here. */
static struct field field_sub(struct field *f, size_t n)
{
	struct field sub = {.claimed = n, .bad = !field_has(f, n)};
	if (!field_ok(f)) {
		sub.c.failed = true;
		return sub;
	}
	size_t here = cursor_left(&f->c) < n ? cursor_left(&f->c) : n;
	sub.c = cursor_sub(&f->c, here);
	if (here < n)
		f->c.failed = true;
	return sub;
}

/* All bytes of a field that is here in full, else none. */
static struct tls_bytes field_bytes(const struct field *f)
{
	if (!field_ok(f) || f->c.len < f->claimed)
		return (struct tls_bytes){0};
	return (struct tls_bytes){.p = f->c.base + f->c.pos, .len = field_left(f)};
}

/* Where the handshake bytes lie: records of type 22 from the stream's start. */
struct records {
	size_t n_bytes; /* handshake bytes here */
	unsigned n;     /* record headers met with bytes behind them */
	uint16_t version;
	bool broken;    /* a record of another kind, or one that cannot be, follows */
	bool never;     /* that was the first record */
};

/*
 * Walks the records until want handshake bytes are found. Copies them to buf where that is given.
 * *end is the stream offset after the last record needed, as its header has it.
 */
static struct records records_walk(const uint8_t *data, size_t len, size_t want, uint8_t *buf,
				   uint32_t *end)
{
	struct records r = {0};
	struct cursor c = cursor_of(data, len);
	while (r.n_bytes < want && cursor_left(&c) > 0) {
		size_t here = cursor_left(&c);
		uint8_t type = cursor_u8(&c), major = cursor_u8(&c), minor = cursor_u8(&c);
		uint16_t length = cursor_be16(&c);
		r.broken = type != RECORD_HANDSHAKE || (here > 1 && major != 3) ||
			   (here >= RECORD_HEADER && length > RECORD_MAX);
		r.never = r.broken && r.n_bytes == 0;
		if (r.broken || !cursor_ok(&c))
			break;
		*end = (uint32_t)(c.pos + length);
		size_t n = cursor_left(&c) < length ? cursor_left(&c) : length;
		if (n == 0)
			continue;
		if (r.n++ == 0)
			r.version = (uint16_t)(major << 8 | minor);
		n = n < want - r.n_bytes ? n : want - r.n_bytes;
		const uint8_t *bytes = cursor_bytes(&c, n);
		if (buf != NULL)
			memcpy(buf + r.n_bytes, bytes, n);
		r.n_bytes += n;
		cursor_skip(&c, *end > len ? cursor_left(&c) : *end - c.pos);
	}
	return r;
}

/* Stream offset of the byte at offset pos of the handshake. The byte is here. */
static uint32_t stream_offset(const uint8_t *data, size_t len, size_t pos)
{
	struct cursor c = cursor_of(data, len);
	while (cursor_left(&c) > 0) {
		cursor_skip(&c, 3);
		uint16_t length = cursor_be16(&c);
		if (pos < length)
			return (uint32_t)(c.pos + pos);
		pos -= length;
		cursor_skip(&c, length);
	}
	return 0;
}

/* What reading a hello needs besides its result. */
struct reader {
	struct tls_client_hello *out;
	struct ja4_input ja4;
	const uint8_t *message; /* the handshake bytes, from the type */
	size_t sni_pos;         /* in message */
	bool has_alpn;
};

/* RFC 6066 section 3. */
static void read_server_name(struct reader *r, struct field *ext)
{
	struct tls_client_hello *out = r->out;
	struct field list = field_sub(ext, field_be16(ext));
	while (field_ok(&list) && field_left(&list) > 0) {
		uint8_t type = field_u8(&list);
		struct field name = field_sub(&list, field_be16(&list));
		struct tls_bytes bytes = field_bytes(&name);
		if (type != 0 || out->has_sni || bytes.len == 0) /* scanners send empty names */
			continue;
		out->has_sni = true;
		out->sni_len = (uint16_t)bytes.len;
		r->sni_pos = (size_t)(bytes.p - r->message);
		size_t n = bytes.len < sizeof(out->sni) ? bytes.len : sizeof(out->sni) - 1;
		memcpy(out->sni, bytes.p, n);
	}
	ext->bad |= list.bad;
}

/* RFC 7301 section 3.1. Names are cut to their first 15 bytes. */
static void read_alpn(struct reader *r, struct field *ext)
{
	struct tls_client_hello *out = r->out;
	struct field list = field_sub(ext, field_be16(ext));
	while (field_ok(&list) && field_left(&list) > 0) {
		struct field name = field_sub(&list, field_u8(&list));
		struct tls_bytes bytes = field_bytes(&name);
		if (bytes.p == NULL)
			break;
		if (!r->has_alpn)
			r->ja4.alpn = bytes;
		r->has_alpn = true;
		if (out->n_alpn == TLS_ALPN_MAX)
			continue;
		size_t room = sizeof(out->alpn[0]) - 1;
		memcpy(out->alpn[out->n_alpn++], bytes.p, bytes.len < room ? bytes.len : room);
	}
	ext->bad |= list.bad;
}

/* RFC 8446 section 4.2.1. */
static void read_versions(struct reader *r, struct field *ext)
{
	struct field list = field_sub(ext, field_u8(ext));
	uint16_t highest = 0;
	while (field_ok(&list) && field_left(&list) > 0) {
		uint16_t v = field_be16(&list);
		/* DTLS counts downwards. */
		bool higher = r->ja4.dtls ? v >> 8 == 0xfe && (highest == 0 || v < highest)
					  : v > highest;
		if (field_ok(&list) && !tls_is_grease(v) && higher)
			highest = v;
	}
	if (highest != 0 && cursor_ok(&list.c))
		r->out->highest_version = highest;
	ext->bad |= list.bad;
}

/* A list behind its length; the first of its kind is kept. */
static void read_list(struct tls_bytes *to, struct field *ext, unsigned width)
{
	size_t n = width == 2 ? field_be16(ext) : field_u8(ext);
	struct field list = field_sub(ext, n);
	ext->bad |= n % width != 0;
	if (to->p == NULL)
		*to = field_bytes(&list);
}

static void read_extension(struct reader *r, uint16_t type, struct field *ext)
{
	switch (type) {
	case EXT_SERVER_NAME:
		r->ja4.has_sni_extension = true;
		if (ext->claimed != 0) /* an empty one is a server's, but its sense is clear */
			read_server_name(r, ext);
		break;
	case EXT_GROUPS:
		read_list(&r->ja4.groups, ext, 2);
		break;
	case EXT_POINT_FORMATS:
		read_list(&r->ja4.formats, ext, 1);
		break;
	case EXT_SIGNATURE_ALGORITHMS:
		read_list(&r->ja4.sigalgs, ext, 2);
		break;
	case EXT_ALPN:
		read_alpn(r, ext);
		break;
	case EXT_SUPPORTED_VERSIONS:
		read_versions(r, ext);
		break;
	case EXT_ECH:
		r->out->ech = true;
		break;
	case EXT_ESNI:
		r->out->esni = true;
		break;
	default:
		r->out->ech |= type == EXT_ECH_DRAFT7 || (type >= EXT_ECH_DRAFT8 && type < EXT_ECH);
		break;
	}
}

static void read_extensions(struct reader *r, struct field *hello)
{
	if (field_left(hello) == 0) /* SSL 3 and TLS 1.0 may end here */
		return;
	struct field all = field_sub(hello, field_be16(hello));
	r->ja4.extensions = field_bytes(&all);
	while (field_ok(&all) && field_left(&all) > 0) {
		uint16_t type = field_be16(&all);
		struct field ext = field_sub(&all, field_be16(&all));
		if (ext.bad || !cursor_ok(&ext.c))
			break;
		read_extension(r, type, &ext);
		all.bad |= ext.bad;
	}
	hello->bad |= all.bad || (cursor_ok(&hello->c) && field_left(hello) != 0);
}

/* RFC 8446 section 4.1.2, from the version on. */
static void read_hello(struct reader *r, struct field *hello)
{
	struct tls_client_hello *out = r->out;
	out->legacy_version = out->highest_version = field_be16(hello);
	(void)field_sub(hello, 32);
	uint8_t session_len = field_u8(hello);
	hello->bad |= session_len > 32;
	(void)field_sub(hello, session_len);
	if (r->ja4.dtls) /* RFC 6347 section 4.2.1: the cookie */
		(void)field_sub(hello, field_u8(hello));
	uint16_t ciphers_len = field_be16(hello);
	struct field ciphers = field_sub(hello, ciphers_len);
	hello->bad |= ciphers_len % 2 != 0;
	r->ja4.ciphers = field_bytes(&ciphers);
	(void)field_sub(hello, field_u8(hello)); /* compression */
	if (field_ok(hello))
		read_extensions(r, hello);
}

/* The bytes that say that it is a hello. NEVER as soon as one of them does not. */
static enum classify check_message(const uint8_t *message, size_t n, size_t *total)
{
	struct cursor c = cursor_of(message, n);
	uint8_t type = cursor_u8(&c);
	if (cursor_ok(&c) && type != MESSAGE_CLIENT_HELLO)
		return CLASSIFY_NEVER;
	uint32_t length = cursor_be24(&c);
	if (cursor_ok(&c) && length < HELLO_MIN)
		return CLASSIFY_NEVER;
	if (!cursor_ok(&c))
		return CLASSIFY_MORE;
	*total = MESSAGE_HEADER + length;
	uint8_t major = cursor_u8(&c);
	return cursor_ok(&c) && major != 3 ? CLASSIFY_NEVER : CLASSIFY_DONE;
}

static void fingerprint(struct reader *r)
{
	r->ja4.legacy_version = r->out->legacy_version;
	r->ja4.highest_version = r->out->highest_version;
	ja3_compute(&r->ja4, r->out->ja3);
	ja4_compute(&r->ja4, r->out->ja4);
}

/* The first here of total message bytes, which begin with what check_message() found. */
static void read_message(struct reader *r, size_t here, size_t total)
{
	struct field hello = {
		.c = cursor_of(r->message + MESSAGE_HEADER, here - MESSAGE_HEADER),
		.claimed = total - MESSAGE_HEADER,
	};
	read_hello(r, &hello);
	if (here == total)
		r->out->truncated = !field_ok(&hello);
	if (!r->out->truncated)
		fingerprint(r);
}

enum classify tls_client_hello_read(const uint8_t *data, size_t len, struct tls_client_hello *out)
{
	uint8_t buf[REASSEMBLY_LIMIT];
	uint32_t end = 0;
	size_t total = REASSEMBLY_LIMIT;

	*out = (struct tls_client_hello){.truncated = true};
	bool full = len >= REASSEMBLY_LIMIT;
	if (full)
		len = REASSEMBLY_LIMIT;
	struct records rec = records_walk(data, len, MESSAGE_HEADER + 1, buf, &end);
	if (rec.never)
		return CLASSIFY_NEVER;
	enum classify sure = check_message(buf, rec.n_bytes, &total);
	if (sure == CLASSIFY_NEVER)
		return CLASSIFY_NEVER;
	size_t want = total < sizeof(buf) ? total : sizeof(buf);
	rec = records_walk(data, len, want, buf, &end);
	out->record_version = rec.version;
	out->n_records = rec.n < UINT8_MAX ? (uint8_t)rec.n : UINT8_MAX;
	bool whole = sure == CLASSIFY_DONE && rec.n_bytes == total;
	if (sure == CLASSIFY_DONE) {
		struct reader r = {.out = out, .message = buf};
		read_message(&r, rec.n_bytes, total);
		if (out->has_sni) {
			out->sni_offset = stream_offset(data, len, r.sni_pos);
			out->sni_end = stream_offset(data, len, r.sni_pos + out->sni_len - 1) + 1;
		}
		if (whole)
			out->hello_end = end;
	}
	return whole || rec.broken || full ? CLASSIFY_DONE : CLASSIFY_MORE;
}

enum classify tls_quic_hello_read(const uint8_t *data, size_t len, struct tls_client_hello *out)
{
	size_t total = REASSEMBLY_LIMIT;

	*out = (struct tls_client_hello){.truncated = true};
	bool full = len >= REASSEMBLY_LIMIT;
	if (full)
		len = REASSEMBLY_LIMIT;
	enum classify sure = check_message(data, len, &total);
	if (sure != CLASSIFY_DONE)
		return sure;
	bool whole = len >= total;
	struct reader r = {.out = out, .message = data, .ja4 = {.quic = true}};
	read_message(&r, whole ? total : len, total);
	if (out->has_sni) {
		out->sni_offset = (uint32_t)r.sni_pos;
		out->sni_end = (uint32_t)(r.sni_pos + out->sni_len);
	}
	if (whole)
		out->hello_end = (uint32_t)total;
	return whole || full ? CLASSIFY_DONE : CLASSIFY_MORE;
}

void tls_dtls_hello_read(const uint8_t *body, size_t here, size_t total,
			 struct tls_client_hello *out)
{
	*out = (struct tls_client_hello){.truncated = true};
	struct reader r = {.out = out, .message = body, .ja4 = {.dtls = true}};
	struct field hello = {.c = cursor_of(body, here), .claimed = total};
	read_hello(&r, &hello);
	out->truncated = here != total || !field_ok(&hello);
	if (!out->truncated)
		fingerprint(&r);
	if (out->has_sni) {
		out->sni_offset = (uint32_t)r.sni_pos;
		out->sni_end = (uint32_t)(r.sni_pos + out->sni_len);
	}
}
