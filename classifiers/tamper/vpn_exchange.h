/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * One tunnel's session over UDP, as long as its pair of ports: the client's initiations, whether the
 * server answered them, and what the client still asked for after the server's last datagram.
 */

#include "classifiers/app/vpn.h"
#include "classifiers/tamper/exchange.h"
#include "classifiers/verdict.h"

#define VPN_FLIGHT_NS 1000000000ull    /* initiations closer than that are one try: all retry later */
#define VPN_SILENCE_NS 15000000000ull  /* WireGuard's KEEPALIVE_TIMEOUT + REKEY_TIMEOUT */
#define VPN_ASKS_MIN 100u /* bytes of a data packet that is more than a ping: OpenVPN's take 86 */
#define VPN_AFTER 6       /* packets kept of those after the server's last */

struct vpn_exchange {
	struct exchange x;      /* first */
	uint8_t proto;          /* enum vpn_proto */
	bool initiated;         /* by the client, within the capture */
	bool answered;          /* the server's answer fits */
	bool heard;             /* a datagram of the server was captured */
	/* Initiations since the server's last datagram, saturating. */
	uint16_t n_initiations;
	uint16_t n_flights;     /* the same, those of one try counted once */
	uint64_t first_ns, last_ns;
	/* All that a server would answer since then: initiations, and data that is more than a ping. */
	uint16_t n_after;
	uint64_t after_ns;      /* the last of them */
	uint64_t heard_ns;      /* the server's last datagram */
	uint32_t data;          /* data packets either way */
	uint32_t data_heard;    /* the same up to the server's last datagram */
	uint16_t n_datagrams;   /* saturating */
	struct rate_facts rate; /* RATE_NONE: nothing held it to one, or nobody knows */
	struct event last_heard, after[VPN_AFTER];
	uint8_t kept_after;
};

static inline const struct vpn_exchange *vpn_exchange_of(const struct exchange *x)
{
	return (const struct vpn_exchange *)(const void *)x;
}

/* What the reader said of a datagram. */
struct vpn_said {
	bool begins, answers;
	enum vpn_kind kind;
};

struct vpn_exchange *vpn_exchange_new(bool ipv6); /* NULL: no memory */
void vpn_exchange_packet(struct vpn_exchange *q, enum dir dir, const struct packet *pkt,
			 const struct headers *h, struct vpn_said said);
/* Complete: the inspector's, or freed where nobody can judge it. */
void vpn_exchange_finish(struct vpn_exchange *q, const struct vpn_facts *v,
			 struct app_facts *facts);

/* It worked, and then the server was silent to what it would have answered. */
bool vpn_exchange_is_cut(const struct vpn_exchange *q);
