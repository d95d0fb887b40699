/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Ethernet frames of hosts that are played: IPv4, TCP (RFC 9293, 3.1), UDP (RFC 768), ARP (RFC
 * 826). */

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 1514u

struct frame_end {
	uint8_t mac[6], ip[4];
	uint16_t port;
};

struct frame_fields {
	const struct frame_end *from, *to; /* to->mac: the next hop's */
	uint8_t proto, ttl;
	uint16_t ip_id;
	uint32_t seq, ack;
	uint16_t flags;		/* enum tcp_flags */
	const uint8_t *payload; /* len bytes */
	size_t len;
};

/* Length of the frame; 0: it would be longer than room. */
size_t frame_make(uint8_t *out, size_t room, const struct frame_fields *f);
/* The answer to an ARP request (in, n bytes) for an address that begins as net does, in /24: its
 * length, or 0 for what is none. */
size_t frame_arp_answer(uint8_t *out, size_t room, const uint8_t *in, size_t n,
			const uint8_t net[3], const uint8_t mac[6]);
