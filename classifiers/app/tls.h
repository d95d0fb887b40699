/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* TLS ClientHello reader (RFC 8446 section 4.1.2), with JA3 and the BSD-licensed JA4 client. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/classifier.h"

#define TLS_ALPN_MAX 8

struct tls_client_hello {
	uint16_t record_version, legacy_version;
	uint16_t highest_version; /* of supported_versions without GREASE, else legacy_version */
	bool has_sni;             /* extension 0 with a host name; bytes as sent, may be hostile */
	bool truncated;           /* fields so far: the hello or its sense ended early; no JA3 */
	uint16_t sni_len;
	char sni[256];            /* first 255 bytes, NUL-terminated; sni_len is the true length */
	uint8_t n_alpn;
	char alpn[TLS_ALPN_MAX][16];
	bool ech;                 /* extension 0xfe0d (RFC 9849), or those of its drafts */
	bool esni;                /* extension 0xffce */
	uint32_t hello_end;       /* stream offset after the hello's last record; 0 if not whole */
	uint32_t sni_offset;      /* stream offset of the name's first byte; 0 without */
	uint32_t sni_end;         /* stream offset after its last byte */
	uint8_t n_records;        /* that the hello's bytes so far are in, at most 255; 0 in QUIC */
	char ja3[33];             /* MD5, lower case hex */
	char ja4[37];             /* t13d1516h2_8daaf6152771_e5627efa2ab1 */
};

/*
 * data: the first len bytes of the client's stream, from byte 0 at each call. *out is written whole
 * at each call. MORE: a ClientHello so far; truncated is set, and the SNI is there as soon as its
 * last byte is. n_records is 0 until the handshake type is there, that is, until it is clear that
 * this is a hello. DONE: nothing can come to it: the hello is whole, or (truncated) its inner
 * lengths contradict each other, another record type cuts it short, or REASSEMBLY_LIMIT was
 * reached. NEVER: not a TLS ClientHello.
 */
enum classify tls_client_hello_read(const uint8_t *data, size_t len, struct tls_client_hello *out);

/*
 * The same of handshake bytes without records, as QUIC's CRYPTO frames carry them (RFC 9001 section
 * 4.1.3). Offsets count from the message's first byte; record_version and n_records are 0.
 */
enum classify tls_quic_hello_read(const uint8_t *data, size_t len, struct tls_client_hello *out);

/*
 * The same of a DTLS hello's body, from its version on: the first here bytes of total. Offsets count
 * from body; record_version, n_records and hello_end stay 0. app/dtls.h finds it in a datagram.
 */
void tls_dtls_hello_read(const uint8_t *body, size_t here, size_t total,
			 struct tls_client_hello *out);

/* The 16 values that RFC 8701 reserves to keep parsers honest: 0x0a0a, 0x1a1a, … 0xfafa. */
static inline bool tls_is_grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}
