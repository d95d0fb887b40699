/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Requests that name something, as clients make them and boxes look for them. Each writes at most
 * room bytes to out and returns how many, 0: the name is too long for it, or libcrypto refuses.
 */

#include <stddef.h>
#include <stdint.h>

#define REQUEST_MAX	 1400u /* a segment on any Ethernet */
#define REQUEST_NAME_MAX 253u  /* RFC 1035, section 2.3.4, in presentation form */

/* A TLS 1.3 ClientHello in one record (RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3). */
size_t request_tls(uint8_t *out, size_t room, const char *name);
/* Where the name is in that, for cutting it in two. */
size_t request_tls_middle(const uint8_t *hello, size_t len, const char *name);
/* GET of path from host (RFC 9112, sections 3 and 3.2). */
size_t request_http(uint8_t *out, size_t room, const char *host, const char *path);
/* A query for the A record (RFC 1035, section 4); over TCP with its length before it (4.2.2). */
size_t request_dns(uint8_t *out, size_t room, const char *name, uint16_t id, int over_tcp);
/* A QUIC version 1 Initial with that hello, sealed (RFC 9000, section 17.2.2; RFC 9001, section 5).
 */
size_t request_quic(uint8_t *out, size_t room, const char *name, uint64_t connection);
