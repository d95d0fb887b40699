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
	bool truncated;           /* ended (flow end, limit) before the hello did: fields so far */
	uint16_t sni_len;
	char sni[256];            /* first 255 bytes, NUL-terminated; sni_len is the true length */
	uint8_t n_alpn;
	char alpn[TLS_ALPN_MAX][16];
	bool ech;                 /* extension 0xfe0d (RFC 9849) */
	bool esni;                /* extension 0xffce */
	uint32_t hello_end;       /* stream offset after the last record that the hello is in */
	uint32_t sni_offset;      /* stream offset of the name's first byte; 0 without */
	uint32_t sni_end;         /* stream offset after its last byte */
	uint8_t n_records;
	char ja3[33];             /* MD5, lower case hex */
	char ja4[37];             /* t13d1516h2_8daaf6152771_e5627efa2ab1 */
};

/*
 * data: the first len bytes of the client's stream. DONE: *out is whole. MORE: a ClientHello so far;
 * *out holds the SNI if it was already seen. NEVER: not a TLS ClientHello.
 */
enum classify tls_client_hello_read(const uint8_t *data, size_t len, struct tls_client_hello *out);
