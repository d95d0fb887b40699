/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A client and a server that are played at the two ports, frame by frame: each frame goes on only
 * when the one before it has come out of the box, and again if it has not, as hosts do. One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/audit/frames.h"
#include "tools/audit/outcome.h"

struct hosts_config {
	const char *iface[SIDES];
	const char *path[SIDES]; /* captures, NULL: none */
	uint8_t net[SIDES][3];	 /* /24 of the addresses at each port */
	bool set_mac[SIDES];	 /* else frames are addressed to the other port */
	uint8_t mac[SIDES][6];	 /* next hop of each port */
	uint64_t wait_ns;	 /* for one copy of a frame to arrive */
	unsigned tries;		 /* copies of a frame */
	uint64_t linger_ns;	 /* after the last one, for what a box adds */
};

struct hosts;

/* 0 or -errno, why (len) says it. */
int hosts_new(struct hosts **out, const struct hosts_config *cfg, char *why, size_t len);
/* Ends both captures. Frames that the tester lost; error: 0 or -errno of a port. */
uint64_t hosts_stop(struct hosts *h, int *error);
void hosts_free(struct hosts *h); /* NULL is fine */

/* A client somewhere that was not used before, and a server. client: the port it is behind. */
void hosts_meet(struct hosts *h, enum compare_side client, uint16_t server_port);
/* The same two; other_port: from another port of the client. What came before is forgotten. */
void hosts_again(struct hosts *h, bool other_port);
/* 0 or -errno: nothing can be sent any more. Facts of all since hosts_meet() or hosts_again(). */
int hosts_facts(struct hosts *h, struct outcome_facts *out);

/* Each says whether it came out of the box; of several frames, whether all did. */
bool hosts_handshake(struct hosts *h);
/* From the client, or from the server; bytes of a connection, acknowledged by the other. */
bool hosts_say(struct hosts *h, bool client, const uint8_t *bytes, size_t len);
bool hosts_datagram(struct hosts *h, bool client, const uint8_t *bytes, size_t len);
void hosts_close(struct hosts *h); /* FINs, whatever becomes of them */
