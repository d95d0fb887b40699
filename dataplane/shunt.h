/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Shunting: of a TCP flow whose further data nobody needs, a source counts the packets that are in
 * character where they arrive, in the kernel, and hands out only the others. It lasts until the first
 * packet that is not in character, a SYN, FIN or RST, a fragment or an ICMP error about the flow among
 * them: that one and everything after it is handed out again, so that races between a forged reset and
 * genuine data are seen in full. What was counted is told before that packet (source_unshunt()).
 *
 *   source_shunt()        the flow is watched: its packets come with a ticket in them
 *   source_shunt_grant()  once a watched packet of both directions, and so everything older, has
 *                         been worked off and the flow is still fit: counting may begin
 *   a packet with the ticket and shunt_over, or the flow's end: source_unshunt()
 *
 * What needs every packet cannot be had with it: rates (throttling), payload inspection that has not
 * finished, recordings, checksums of the packets passed over.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/packet.h"

#define SHUNT_LAST 4 /* packets that are told of in full; as many as evidence keeps of a flow's end */
#define SHUNT_SNAP 160 /* bytes of each: headers with two VLAN tags, IPv6, timestamps; 64 of payload */

/* Arrays are by enum dir of the sender; addresses are network order, IPv4 as ::ffff:a.b.c.d. */
struct shunt_flow {
	uint8_t addr[2][16];
	uint16_t port[2];
	bool timestamps;     /* every packet carries them, and no other option; else none at all */
	struct shunt_side {  /* what is in character, besides the next sequence number */
		uint8_t ttl;
		bool df;
		uint16_t data_max; /* most bytes of payload; 0: acknowledgements alone */
	} side[2];
};

struct shunt_count {
	uint64_t packets, data; /* passed over; of those, with payload */
	uint64_t bytes;         /* their IP lengths */
	uint64_t last_ns;
	uint32_t last_len;      /* bytes of the last payload, valid with data */
	uint32_t next, ack;     /* sequence number expected, highest acknowledged; valid with packets */
};

struct shunt_counts {
	struct shunt_count side[2];
	unsigned n_last;
	struct packet last[SHUNT_LAST]; /* the last that were passed over, in order; data is bytes[] */
	uint8_t last_dir[SHUNT_LAST];   /* enum dir */
	uint8_t bytes[SHUNT_LAST][SHUNT_SNAP];
};
