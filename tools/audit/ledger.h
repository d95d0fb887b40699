/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What went into a box by one port and what came out by the other, frame by frame. Both ends are
 * the tester's, and one clock stamps both: a frame that arrives was sent by us or by the box, and
 * one that does not arrive was dropped by the box, unless the tester itself lost frames. Words are
 * those of tools/compare; unlike there nothing has to be inferred of clocks, ends or what a host
 * must have had.
 *
 * A router's work is no change: link header, TTL or hop limit, and the IPv4 header's checksum.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/flow.h"
#include "dataplane/pace.h"
#include "tools/compare/compare.h"

#define LEDGER_NONE UINT32_MAX

enum ledger_kind {
	LEDGER_FLOW,	 /* has a conversation: flow key and direction */
	LEDGER_FRAGMENT, /* of an IP packet */
	LEDGER_ERROR,	 /* ICMP error that quotes a packet; key is the quoted one's */
	LEDGER_OTHER,	 /* not IP, or too broken to tell: whole bytes decide */
};

enum ledger_has { LEDGER_TS = 1, LEDGER_MSS = 2, LEDGER_WSCALE = 4, LEDGER_DF = 8 };

/* A frame at a port; its number in that port's capture is its index + 1. */
struct ledger_frame {
	struct flow_key key; /* tunnel_id 0 */
	uint64_t ts_ns;
	uint64_t same;	  /* hash of all that a router leaves alone */
	uint64_t payload; /* hash */
	uint64_t bytes;	  /* place of a TCP payload in the arena; UINT64_MAX: not kept */
	uint32_t seq, ack, len, tsval, options, ip_len;
	uint32_t ident; /* IPv4 identification, or that of an IPv6 fragment */
	uint32_t peer;	/* index at the other port, or LEDGER_NONE */
	uint32_t flow;	/* in flows, or LEDGER_NONE */
	uint16_t flags, window, mss, changed;
	uint8_t ttl, tos, wscale, has, proto, kind;
	uint8_t fate; /* enum compare_fate; FATE_NONE on arrival: of no conversation that was sent
		       */
	bool ours, from_lo, reflected;
	bool not_routable; /* dropped, as any router must: TTL at its end, addresses of one link */
	bool prohibits;	   /* LEDGER_ERROR that says that somebody does not want it */
};

struct ledger_flow {
	struct flow_key key;
	bool lo_is_client; /* the lower end is behind the client's port */
	uint64_t first_ns;
	uint64_t sent[WAYS];
	uint64_t fates[WAYS][FATE_N]; /* as struct compare_totals */
	uint64_t errors,
		prohibited;    /* ICMP errors about it that the box sent; of those, refusals */
	uint64_t not_routable; /* dropped, as any router must */
	uint64_t slowest_ns[WAYS];
};

struct ledger_way {
	struct compare_totals totals;
	struct pace_errors transit; /* of what arrived: its arrival after its departure */
	uint64_t not_routable;
	int hops;	    /* TTL lost by nine in ten and more; -1: no one value */
	uint64_t other_ttl; /* that lost another number */
	uint64_t errors;    /* ICMP errors about what was sent, from the box */
};

/* Frames at a port that are not of a conversation that was sent. */
struct ledger_others {
	uint64_t arrived, reflected; /* reflected: our own, back at the port that it left by */
	uint64_t left;		     /* left by the port, and were not ours: the host's own */
};

/* What the tester itself lost, as far as it can tell. */
struct ledger_losses {
	bool broken;		/* a port failed: what is missing at either says nothing */
	uint64_t missed[SIDES]; /* frames at the port that its capture did not take */
	uint64_t unsent[SIDES]; /* frames handed to the port that did not leave it */
	uint64_t
		handed[SIDES]; /* frames handed to the port, for telling the host's own from ours */
};

struct ledger;

/* max_frames of one port, 0: 4 Mi. 0 or -errno. */
int ledger_new(struct ledger **out, uint32_t max_frames);
void ledger_free(struct ledger *l); /* NULL is fine */
/* In order of the port's capture; the two ports on a thread each. What does not fit is counted. */
void ledger_add(struct ledger *l, enum compare_side port, const struct packet *pkt);
/* Pairs all of it, once. 0 or -ENOMEM. */
int ledger_close(struct ledger *l, const struct ledger_losses *losses);

const struct ledger_way *ledger_way(const struct ledger *l, enum compare_way way);
const struct ledger_others *ledger_others(const struct ledger *l, enum compare_side port);
const struct ledger_losses *ledger_losses(const struct ledger *l);
const struct ledger_flow *ledger_flows(const struct ledger *l, uint32_t *n);
const struct ledger_frame *ledger_frames(const struct ledger *l, enum compare_side port,
					 uint32_t *n);
/* What this port lacks may have been lost by the tester: neither dropped nor injected is said of
 * it. */
bool ledger_unsure(const struct ledger *l, enum compare_way way);
bool ledger_full(const struct ledger *l);

static inline enum compare_side way_from(enum compare_way way)
{
	return way == WAY_UP ? SIDE_CLIENT : SIDE_SERVER;
}

static inline enum compare_side way_to(enum compare_way way)
{
	return way == WAY_UP ? SIDE_SERVER : SIDE_CLIENT;
}
