/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* DTLS's first messages (RFC 4347, RFC 6347, RFC 9147), each a datagram. */

#include "classifiers/app/tls.h"
#include "classifiers/app/vpn.h"

/* A ClientHello; variant is the version that its record names, "1.0" or "1.2" (1.3 names 1.2). */
bool dtls_first(const uint8_t *p, size_t caplen, size_t len, struct vpn_first *out);
/* What a server sends first: HelloVerifyRequest, ServerHello, or an alert. */
bool dtls_answer(const uint8_t *p, size_t caplen, size_t len);
enum vpn_kind dtls_kind(const uint8_t *p);
/*
 * The hello in such a datagram, as tls_quic_hello_read(): offsets count from the payload's first byte.
 * truncated where the datagram holds a fragment of it, or was cut. False: no ClientHello.
 */
bool dtls_hello_read(const uint8_t *p, size_t caplen, size_t len, struct tls_client_hello *out);
