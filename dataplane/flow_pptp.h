/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Private to flow.c: PPTP carries data in GRE, which has no ports (RFC 2637, section 4), and either end
 * may speak first. Who is the client there, the control connection of the same two hosts says.
 */

#include <netinet/in.h>
#include <string.h>

#include "dataplane/flow.h"

#define PPTP_PORT 1723   /* RFC 2637, section 3.1 */
#define PPTP_REMEMBERED 8 /* a shard: the newest */

/* Zeroed before use: no address is all zero here. */
struct pptp_controls {
	struct {
		struct ip_addr client, server;
		uint32_t tunnel_id;
	} of[PPTP_REMEMBERED];
	uint32_t next;
};

/* A flow that has just begun, its client decided. */
static inline void pptp_note(struct pptp_controls *c, const struct flow *f)
{
	if (f->key.proto != IPPROTO_TCP || flow_port(f, DIR_S2C) != PPTP_PORT)
		return;
	uint32_t at = c->next++ % PPTP_REMEMBERED;
	c->of[at].client = *flow_addr(f, DIR_C2S);
	c->of[at].server = *flow_addr(f, DIR_S2C);
	c->of[at].tunnel_id = f->key.tunnel_id;
}

/* The packet is GRE of the server's. */
static inline bool pptp_from_server(const struct pptp_controls *c, const struct headers *h)
{
	for (unsigned i = 0; h->proto == IPPROTO_GRE && i < PPTP_REMEMBERED; i++)
		if (memcmp(&c->of[i].server, &h->src, sizeof(h->src)) == 0 &&
		    memcmp(&c->of[i].client, &h->dst, sizeof(h->dst)) == 0 &&
		    c->of[i].tunnel_id == h->tunnel_id)
			return true;
	return false;
}
