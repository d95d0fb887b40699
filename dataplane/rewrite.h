/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * From a captured packet to the Ethernet frame that is sent: a link header where it has none,
 * other addresses and ports, MAC addresses, a VLAN tag.
 *
 * Checksums are changed by what changed under them (RFC 1624): right ones stay right, wrong ones
 * wrong, also in fragments and in what an ICMP error quotes. The outermost IP header is the one
 * rewritten; what a tunnel carries stays.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/packet.h"
#include "dataplane/prefix.h"
#include "dataplane/sink.h"

/* What to do with packets of which the capture has not all bytes. */
enum rewrite_truncated {
	REWRITE_CUT_REFUSE, /* not sent */
	REWRITE_CUT_PAD,    /* zeros instead of what is missing */
};

/* Repeated loops look like new flows. */
enum rewrite_vary {
	REWRITE_VARY_NONE,
	/*
	 * The middle two bytes of an IPv4 address, the third group of an IPv6 one, at both ends: a
	 * permutation for each of 65,536 loops. Multicast, broadcast, loopback and link-local stay.
	 */
	REWRITE_VARY_ADDRESSES,
	/*
	 * TCP and UDP: the higher port (both where they are equal), if it is above 1023; in UDP never a
	 * tunnel's, which is how its packets are known. Again a permutation, for each of 64,512 loops.
	 */
	REWRITE_VARY_PORTS,
};

/* Addresses at either end, and in ARP, that are in `from` move to `to`: same version and length. */
struct rewrite_map {
	struct prefix from, to;
};
#define REWRITE_MAPS_MAX 16

/* "A=B", addresses or prefixes. 0 or -EINVAL. */
int rewrite_map_parse(const char *text, struct rewrite_map *out);
int rewrite_mac_parse(const char *text, uint8_t out[6]); /* "02:00:00:00:00:01"; 0 or -EINVAL */

#define REWRITE_VLAN_MAX 4094 /* IEEE 802.1Q table 9-2: 4095 is reserved */

struct rewrite_config {
	enum rewrite_truncated truncated;
	enum rewrite_vary vary; /* after the maps */
	struct rewrite_map maps[REWRITE_MAPS_MAX]; /* the first that fits */
	unsigned n_maps;
	uint16_t vlan; /* 1..4094: an 802.1Q tag outside of all others; 0: none */
	uint32_t mtu;  /* longest packet above Ethernet header and one tag; 0: no limit */
};

/* By the port that it leaves by. */
struct rewrite_macs {
	bool set_src, set_dst;
	uint8_t src[6], dst[6];
};

enum rewrite_end {
	REWRITE_OK,
	REWRITE_TRUNCATED,
	REWRITE_TOO_LONG,
	REWRITE_NOT_ETHERNET, /* a link type or protocol that no Ethernet header can be made for */
	REWRITE_RUNT,         /* shorter than its link header */
	REWRITE_N
};

/* What becomes of a packet: known before, and apart from where, it is written. */
struct rewrite_plan {
	enum rewrite_end end;
	bool make_link;   /* the capture's link header is replaced */
	bool has_src;     /* and it named the sender */
	uint8_t src[6];
	uint16_t type;    /* EtherType for it */
	uint32_t skip;    /* bytes of it */
	uint32_t len;     /* of the frame */
	uint32_t present; /* of those, captured */
};

/* Pure: threads that see the same packet say the same. Fills *out, always. */
void rewrite_plan(const struct rewrite_config *cfg, const struct packet *pkt,
		  struct rewrite_plan *out);
/* plan->end is REWRITE_OK and f->room at least plan->len. loop counts from 0. Sets f->len. */
void rewrite_frame(const struct rewrite_config *cfg, const struct rewrite_macs *macs,
		   const struct packet *pkt, const struct rewrite_plan *plan, uint64_t loop,
		   struct frame *f);
