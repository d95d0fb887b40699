/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Fingerprints of a ClientHello: JA3, and JA4 of TLS clients, which FoxIO publishes under the BSD
 * licence. The other JA4+ methods are under another licence and have no place here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the hello, not owned; p NULL where the hello has no such field. */
struct tls_bytes {
	const uint8_t *p;
	size_t len;
};

/* What the fingerprints are made from, as it lies in the hello, lists without their lengths. */
struct ja4_input {
	uint16_t legacy_version, highest_version;
	bool quic;                   /* the hello came in QUIC's CRYPTO frames */
	bool dtls;
	bool has_sni_extension;      /* whatever is in it */
	struct tls_bytes ciphers;    /* 2 bytes each */
	struct tls_bytes extensions; /* type, length, body; well formed */
	struct tls_bytes groups, sigalgs; /* 2 bytes each */
	struct tls_bytes formats;    /* 1 byte each */
	struct tls_bytes alpn;       /* the first protocol name */
};

/* Lower case hex; empty when libcrypto refuses (MD5 in a FIPS build) or has no memory. */
void ja3_compute(const struct ja4_input *in, char out[33]);
void ja4_compute(const struct ja4_input *in, char out[37]);
/* JA3S, of a ServerHello; extensions as in ja4_input. */
void ja3s_compute(uint16_t legacy_version, uint16_t cipher, struct tls_bytes extensions,
		  char out[33]);

/* False when libcrypto refuses or has no memory. */
bool digest_sha256(const uint8_t *data, size_t len, uint8_t out[32]);
