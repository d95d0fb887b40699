/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * QUIC as far as an observer can read it: long headers (RFC 9000 section 17.2, RFC 9369 section
 * 3.2) and the frames of an Initial's plaintext (section 19), which quic_crypto.h opens.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/app/tls.h"
#include "dataplane/cursor.h"

#define QUIC_CID_MAX 20      /* RFC 9000 section 17.2 */
#define QUIC_V1 0x00000001u  /* RFC 9000 */
#define QUIC_V2 0x6b3343cfu  /* RFC 9369 */

struct quic_cid {
	uint8_t len;
	uint8_t b[QUIC_CID_MAX];
};

static inline bool quic_cid_equal(const struct quic_cid *x, const struct quic_cid *y)
{
	return x->len == y->len && memcmp(x->b, y->b, x->len) == 0;
}

/* What is known of a version: how its packets lie and how its Initials are protected. */
struct quic_version {
	uint32_t first, last;
	bool v2;             /* RFC 9369's packet types and labels */
	bool tls;            /* CRYPTO frames carry TLS, not Google's own handshake */
	const char *salt;    /* 20 bytes */
};

/* NULL: neither v1, v2, a draft of theirs nor one of the experiments that are laid out alike. */
const struct quic_version *quic_version_find(uint32_t version);
/* Reserved to force a Version Negotiation: 0x?a?a?a?a (RFC 9000 section 15). */
bool quic_version_forces_negotiation(uint32_t version);

enum quic_kind {
	QUIC_INITIAL,
	QUIC_ZERO_RTT,
	QUIC_HANDSHAKE,
	QUIC_RETRY,
	QUIC_NEGOTIATION,  /* Version Negotiation */
	QUIC_SHORT,        /* 1-RTT; without the connection's state no more can be said of it */
	QUIC_GOOGLE,       /* Google's own versions up to Q049: recognised, never read */
	QUIC_RESERVED,     /* a version that forces a negotiation: only RFC 8999 holds */
};

/* One packet of a datagram. It points into the datagram. */
struct quic_packet {
	uint8_t kind;              /* enum quic_kind */
	bool cut;                  /* the capture does not hold its end */
	uint32_t version;          /* 0 in QUIC_SHORT and QUIC_NEGOTIATION */
	struct quic_cid dcid, scid;
	const uint8_t *data;       /* from its first byte */
	size_t len;                /* bytes here */
	size_t pn_offset;          /* INITIAL, ZERO_RTT, HANDSHAKE: of the packet number */
};

/*
 * The next of the packets that are coalesced in a datagram (RFC 9000 section 12.2); c is what the
 * capture holds of it, cut says that this is not all. False: its end, padding, or no QUIC.
 */
bool quic_packet_next(struct cursor *c, bool cut, struct quic_packet *out);

/* RFC 9000 section 12.4: those that an Initial may carry. */
enum quic_frame_type {
	QUIC_PADDING = 0x00,
	QUIC_PING = 0x01,
	QUIC_ACK = 0x02,
	QUIC_ACK_ECN = 0x03,
	QUIC_CRYPTO = 0x06,
	QUIC_CRYPTO_GOOGLE = 0x08, /* Q050 to T051; no other Initial may carry it */
	QUIC_CLOSE = 0x1c,
};

struct quic_frame {
	uint64_t type;       /* enum quic_frame_type; no padding, one kind of CRYPTO */
	uint64_t offset;     /* CRYPTO */
	const uint8_t *data; /* CRYPTO */
	size_t len;
	uint64_t code;       /* CLOSE: RFC 9000 section 20.1 */
};

/* False: the end, or (the cursor's error is set) a frame that an Initial cannot carry. */
bool quic_frame_next(struct cursor *c, struct quic_frame *out);

/* Of a client's first Initials, as reports show it. */
struct quic_hello {
	uint32_t version;
	struct quic_cid dcid, scid;  /* of the first Initial */
	bool opened;                 /* an Initial was decrypted: tls is what was in it */
	bool has_tls;                /* at least the start of a ClientHello was there */
	struct tls_client_hello tls; /* truncated is set until it is whole */
};
