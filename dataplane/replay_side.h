/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which of two ports a packet leaves by: 0 what clients send, 1 what servers send. The client is
 * who opened the flow, or whose address is in a given prefix. What has no ports (later fragments,
 * ARP) goes where its sender's packets went last. One thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/decode.h"
#include "dataplane/prefix.h"

struct sides;

/* clients must outlive it; n 0: the flow table decides. 0 or -errno. */
int sides_new(struct sides **out, const struct prefix *clients, unsigned n);
void sides_free(struct sides *s); /* NULL is fine */
/* In order of the capture. */
unsigned sides_port(struct sides *s, const struct packet *pkt, const struct headers *h);
/* Flows of a new timeline are new. */
void sides_seam(struct sides *s);
/* Packets that went by the first port for want of a reason. */
uint64_t sides_undecided(const struct sides *s);
