/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The few fields of an X.509 certificate (RFC 5280 section 4.1) that tell one issuer and one key from
 * another. Nothing is verified: what a certificate says is what somebody wrote into it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct x509_facts {
	char issuer[96];       /* "CN=…, O=…", what there is of both; cut, NUL-terminated, hostile */
	char subject[64];      /* common name */
	const uint8_t *spki;   /* SubjectPublicKeyInfo, DER, within the bytes that were read */
	size_t spki_len;
};

/* der: one certificate of exactly len bytes. False, and *out empty: not one. */
bool x509_read(const uint8_t *der, size_t len, struct x509_facts *out);
