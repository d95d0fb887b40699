/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Messages of VPN and tunnel protocols. Each reader gets one message (a UDP payload, or the start of
 * a TCP stream) whose true length may exceed what was captured, and answers by its structure: what
 * nobody but the protocol would send. MTProto is not among them: what it sends over TCP is made to
 * look like TLS, or is fully encrypted (fet.h), and no published structure tells it from either.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vpn_proto {
	VPN_NONE,
	VPN_OPENVPN,
	VPN_WIREGUARD,
	VPN_IKE,  /* and ESP in UDP on the same ports (RFC 3948) */
	VPN_ESP,  /* in UDP, seen midway: without its IKE */
	VPN_L2TP,
	VPN_DTLS, /* AnyConnect, Snowflake, WebRTC: which of them it does not say */
	VPN_PPTP, /* its control over TCP, and its data over GRE */
	VPN_SSTP, /* without TLS; within, nobody can see it */
	VPN_SSH,
	VPN_N
};
extern const char *const vpn_proto_name[VPN_N]; /* app_proto; NULL for VPN_NONE */
extern const char *const vpn_label_name[VPN_N]; /* as labels have it; same */

enum vpn_kind { VPN_OTHER, VPN_HANDSHAKE, VPN_DATA, VPN_KEEPALIVE };

/* What a flow's packets said; by enum dir where there are two. Times are of packets, in ns. */
struct vpn_facts {
	uint8_t proto;          /* enum vpn_proto; VPN_NONE: only fet was said */
	bool both;              /* the answer fits the initiation: "dpi", else "guess" */
	bool midway;            /* known by its data alone, which is never more than a guess */
	bool complete;          /* handshake answered, and data went either way */
	bool cookie;            /* DTLS: the client returned one, so that the server had answered */
	bool fet;               /* TCP: fet_is() holds for the first payload */
	uint64_t payload;       /* hash of that payload where it is 50 bytes or more; 0 */
	char variant[16];       /* "tls-auth", "v2", "1.2", …; empty: none known */
	/* UDP; of TCP streams only what began them is read */
	uint32_t handshakes[2], data[2], keepalives[2]; /* packets */
	uint64_t first_data_ns, last_data_ns[2]; /* 0: none */
};

/* Of an initiation: what its answer must repeat. */
struct vpn_first {
	uint8_t proto;      /* enum vpn_proto */
	bool cookie;        /* DTLS */
	char variant[16];
	uint8_t id[8];      /* OpenVPN session id, WireGuard sender index, IKE initiator's SPI */
	uint8_t trailer;    /* OpenVPN: bytes of HMAC, packet-id and time */
};

/* A datagram that begins a session. Needs all of it: len is what the headers claim. */
bool vpn_first_datagram(const uint8_t *p, size_t caplen, size_t len, struct vpn_first *out);
bool vpn_answer_datagram(const uint8_t *p, size_t caplen, size_t len,
			 const struct vpn_first *first);
enum vpn_kind vpn_datagram_kind(const uint8_t *p, size_t caplen, size_t len,
				const struct vpn_first *first);

/*
 * The number that a packet of data has in the clear, and the session that it counts in: WireGuard, ESP,
 * and OpenVPN's DATA_V2 with an AEAD cipher (with others the place holds noise). False: none.
 */
bool vpn_data_number(enum vpn_proto proto, const uint8_t *p, size_t caplen, size_t len,
		     uint32_t *session, uint64_t *number);

/* Data of a session that began before the capture. Zeroed before use. */
struct vpn_midway {
	uint8_t proto;         /* enum vpn_proto */
	struct {
		uint32_t id;   /* WireGuard's receiver index, ESP's SPI */
		uint64_t last; /* their counter */
		uint8_t n;     /* packets that fit */
	} side[2];
};
/*
 * One more datagram of direction dir: 1 enough of them fit to guess midway->proto, 0 more are wanted,
 * -1 it is something else. natt: one of the ports is 4500, without which nobody guesses ESP.
 */
int vpn_midway_next(struct vpn_midway *m, unsigned dir, const uint8_t *p, size_t caplen, size_t len,
		    bool natt);

/*
 * PPTP's data: enhanced GRE (RFC 2637 section 4.1), p from the GRE header on. Its sender is not asked
 * whether it carries payload or only acknowledges.
 */
bool vpn_is_pptp_data(const uint8_t *p, size_t caplen);

/* The start of a stream: 1 fits, 0 more bytes are wanted, -1 it is something else. */
int vpn_first_stream(const uint8_t *p, size_t len, struct vpn_first *out);
int vpn_answer_stream(const uint8_t *p, size_t len, const struct vpn_first *first);
