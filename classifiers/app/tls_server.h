/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The server's side of a TLS handshake, as far as it is in the clear: ServerHello, an alert in its
 * place, and up to TLS 1.2 the leaf of the certificate chain (RFC 5246 section 7.4, RFC 8446 section
 * 4.1.3). With JA3S, which Salesforce published under the BSD licence.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/classifier.h"

struct tls_server {
	uint16_t version;      /* negotiated; 0 without a ServerHello */
	uint16_t cipher;
	bool has_hello, has_certificate;
	bool retry;            /* a HelloRetryRequest came first, or alone */
	bool has_alert;        /* in the clear */
	uint8_t alert_level, alert; /* RFC 8446 section 6 */
	uint8_t interceptor;   /* of the chain, as interceptor_find(); 0: none of its issuers is known */
	uint32_t alert_offset; /* stream offset of the alert's record */
	uint8_t spki[32];      /* SHA-256 of the leaf's SubjectPublicKeyInfo, with has_certificate */
	char ja3s[33];         /* MD5, lower case hex; "" without a whole ServerHello */
	char issuer[96];       /* of the leaf, "CN=…, O=…"; may be hostile */
	char subject[64];      /* its common name */
};

/*
 * data: the first len bytes of the server's stream, from byte 0 at each call. *out is written whole
 * at each call; *need: how many bytes there must be for another call to learn more. MORE: a
 * server's records so far, or too little to tell. DONE: nothing more comes in the clear that is read
 * here: the certificate, TLS 1.3's ServerHello, an alert, or encryption; or REASSEMBLY_LIMIT was
 * reached. NEVER: not TLS.
 */
enum classify tls_server_read(const uint8_t *data, size_t len, struct tls_server *out,
			      uint32_t *need);

/* "handshake_failure"; "unknown". RFC 8446 section 6, RFC 5246 section 7.2. */
const char *tls_alert_name(uint8_t alert);
