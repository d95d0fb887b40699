/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* One attempt to open a QUIC connection: the client's Initials and what came back. */

#include "classifiers/app/quic.h"
#include "classifiers/tamper/exchange.h"

/* What any host on the path could have sent to end an attempt. */
enum quic_odd { QUIC_ODD_NEGOTIATION, QUIC_ODD_RETRY, QUIC_ODD_CLOSE };

#define QUIC_ODDS 4
#define QUIC_FLIGHT_NS 100000000ull /* Initials closer than that were sent at once */

struct quic_exchange {
	struct exchange x;      /* first */
	uint32_t version;       /* of the first Initial */
	/* All since the last Retry or negotiation, after which the client begins anew. */
	uint16_t n_initials;    /* datagrams with an Initial, saturating */
	uint16_t n_flights;     /* the same, those sent at once counted once */
	uint16_t n_answers;     /* datagrams of the server, saturating */
	uint16_t size;          /* UDP payload of the largest of the Initials, bytes */
	uint64_t first_ns, last_ns; /* of these Initials */
	bool opened;            /* surely QUIC: decrypted, or what was captured of it fits */
	bool heard;             /* a datagram of the server was captured, at whatever time */
	bool went_on;           /* the client sent what it can send only once it was answered */
	bool above;             /* source port above the destination port */
	bool spread;            /* the hello did not fit into one datagram */
	uint8_t n_odd;
	struct {
		uint8_t event;  /* index into x.events */
		uint8_t what;   /* enum quic_odd */
		uint64_t code;  /* QUIC_ODD_CLOSE: RFC 9000 section 20.1 */
	} odd[QUIC_ODDS];
	char sni[256];
};

static inline const struct quic_exchange *quic_exchange_of(const struct exchange *x)
{
	return (const struct quic_exchange *)(const void *)x;
}
