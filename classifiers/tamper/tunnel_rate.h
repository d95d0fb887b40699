/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Whether something held a tunnel over UDP to a rate. Nobody acknowledges its datagrams, but many
 * tunnels number them in the clear: what is missing on arrival was dropped before the capture. Numbers
 * are followed in each direction of every tunnel, packets logged only once some were missing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/verdict.h"

/* What those that share a thread may take for their logs; zeroed before use. */
struct tunnel_room {
	size_t used;
	bool off; /* nobody wants to know */
};
#define TUNNEL_ROOM_BYTES (8u << 20)

/* One direction. Zeroed before use. */
struct tunnel_rate {
	uint32_t id;            /* of the session that the numbers are of */
	bool begun;
	bool random;            /* what should be numbers are none */
	uint8_t jumps;
	uint32_t missing;       /* saturating */
	uint64_t next;          /* number */
	uint64_t first_ns;
	uint64_t bytes;         /* of datagrams before the log began */
	uint32_t n, room;
	struct tunnel_packet *log;
};

/* A datagram's number within a session, and its payload's length. */
struct tunnel_number {
	uint32_t id;
	uint64_t number;
	uint32_t len;
	uint64_t ts_ns, frame;
};

void tunnel_rate_packet(struct tunnel_rate *r, struct tunnel_room *room, struct tunnel_number p);
/* rtt_us: 0 unknown. False: nothing held it to a rate, or nobody knows. out->dir is the caller's. */
bool tunnel_rate_judge(const struct tunnel_rate *r, double rtt_us, struct rate_facts *out);
void tunnel_rate_free(struct tunnel_rate *r, struct tunnel_room *room);
