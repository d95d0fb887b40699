/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Private to decode*.c and defrag.c (rewrite*.c takes its numbers): one walk over one packet,
 * outermost header first. Each step reads its header, fills its part of struct headers and names
 * what comes next.
 */

#include <string.h>

#include "dataplane/cursor.h"
#include "dataplane/decode.h"

#define SCAN_NOT_ETHERNET SIZE_MAX

/* UDP ports of tunnels, as IANA has them. */
enum tunnel_port {
	L2TP_PORT = 1701,     /* RFC 2661 section 8.1 */
	GTP_PORT = 2152,      /* 3GPP TS 29.281 section 4.4.2 */
	ESP_PORT = 4500,      /* RFC 3948 section 2.1 */
	VXLAN_PORT = 4789,    /* RFC 7348 section 5 */
	GENEVE_PORT = 6081,   /* RFC 8926 section 3.3 */
	VXLAN_PORT_LINUX = 8472, /* the kernel's default, from before there was a number */
};

/* Larger than a datagram of any usual jumbo frame: segments not cut yet, or already merged. */
#define LARGEST_MTU 9216

struct scan {
	struct cursor c;   /* the bytes captured */
	size_t wire;       /* where the bytes on the wire ended, as a position of c; >= c.len */
	size_t frame;      /* where the innermost Ethernet frame starts, or SCAN_NOT_ETHERNET */
	struct headers *h;
};

enum next { NEXT_DONE, NEXT_ETHERNET, NEXT_IP, NEXT_IP4, NEXT_IP6 };

enum ether_type {
	ETHER_IP4 = 0x0800,
	ETHER_ARP = 0x0806,
	ETHER_ERSPAN3 = 0x22eb,
	ETHER_TEB = 0x6558,
	ETHER_VLAN = 0x8100,
	ETHER_IP6 = 0x86dd,
	ETHER_MPLS = 0x8847,
	ETHER_MPLS_MULTICAST = 0x8848,
	ETHER_PPPOE = 0x8864,
	ETHER_QINQ = 0x88a8,
	ETHER_ERSPAN = 0x88be, /* types I and II */
	ETHER_QINQ_OLD = 0x9100,
	ETHER_QINQ_OLDER = 0x9200,
	ETHER_MIN = 0x0600, /* below it the field is a length: IEEE 802.3 with LLC */
};

enum ip_proto {
	PROTO_HOP_BY_HOP = 0,
	PROTO_ICMP = 1,
	PROTO_IP4 = 4,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_IP6 = 41,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_GRE = 47,
	PROTO_ESP = 50,
	PROTO_AH = 51,
	PROTO_ICMP6 = 58,
	PROTO_NONE = 59,
	PROTO_DESTINATION = 60,
	PROTO_L2TP = 115, /* version 3: RFC 3931 section 4.1.1 */
	PROTO_MOBILITY = 135,
};

/* decode.c: an IP datagram at the cursor; h already has what lies outside of it. */
void scan_ip_packet(const struct packet *pkt, struct headers *h);
/* Stops; without a usable innermost IP header nothing of an outer one is left in its place. */
enum next scan_end(struct scan *s, enum decode_end end);

/* IPv6 extension headers from the cursor on (RFC 8200 section 4). Stops at a fragment. */
struct ip6_chain {
	uint8_t proto;
	bool fragment, mf;
	bool malformed; /* a rule broken, or a ninth header */
	bool cut;       /* the capture or the packet ends within a header */
	uint16_t offset;
	uint32_t id;
};
void scan_ip6_chain(struct cursor *c, uint8_t first, struct ip6_chain *out);

/* decode_usual.c: true: it was of the usual kind, and h, which was empty, is what the walk would make. */
bool scan_usual(const struct packet *pkt, struct headers *h);
/* As scan_usual() would, but says only between whom it is, and h->anomalies. */
bool scan_usual_ends(const struct packet *pkt, struct ip_addr *src, struct ip_addr *dst,
		     uint32_t *anomalies);

/* decode_link.c */
enum next scan_link(struct scan *s, uint32_t linktype);
enum next scan_ethernet(struct scan *s);
enum next scan_ether_type(struct scan *s, uint16_t type);
/* An Ethernet frame at the cursor holds IP, as far as that shows; s is not moved. */
bool scan_ethernet_has_ip(const struct scan *s);

/* decode_transport.c */
enum next scan_transport(struct scan *s);

/* decode_tunnel.c */
enum next scan_gre(struct scan *s);
enum next scan_ip_in_ip(struct scan *s);
/* The header of a tunnel that carries IP. */
struct tunnel_head {
	enum tunnel kind;
	uint32_t key;  /* VNI and the like; 0: it has none, or another in each direction */
	uint16_t type; /* EtherType of what it carries; ETHER_TEB: an Ethernet frame */
	size_t len;    /* bytes of it */
};
/* Behind it; a layer is noted. */
enum next scan_enter(struct scan *s, const struct tunnel_head *t);
/* IP, or with ETHER_TEB an Ethernet frame with IP, len bytes after the cursor; s is not moved. */
bool scan_holds(const struct scan *s, size_t len, uint16_t type);
/* The capture ends before scan_holds() could tell. */
bool scan_too_short(const struct scan *s, size_t len);
/*
 * ERSPAN, len bytes after the cursor, where a GRE header of this type and with or without a sequence
 * number ends; false: not a version or frame that is known. out->len counts from the cursor, too.
 */
bool scan_erspan(const struct scan *s, size_t len, uint16_t type, bool numbered,
		 struct tunnel_head *out);
/*
 * decode_tunnel_udp.c: the payload at the cursor, of a datagram from sport to dport. closed: a tunnel
 * all the same, but one that is not opened.
 */
bool scan_udp_tunnel(const struct scan *s, uint16_t sport, uint16_t dport, struct tunnel_head *out,
		     bool *closed);
/* Whether scan_udp_tunnel() has anything to say of a datagram with these ports. */
static inline bool udp_port_of_tunnel(uint16_t sport, uint16_t dport)
{
	/* Most datagrams have neither port in the range of these. */
	const uint16_t range = VXLAN_PORT_LINUX - L2TP_PORT;
	if ((uint16_t)(dport - L2TP_PORT) > range && (uint16_t)(sport - L2TP_PORT) > range)
		return false;
	return dport == GTP_PORT || dport == VXLAN_PORT || dport == GENEVE_PORT ||
	       dport == VXLAN_PORT_LINUX || dport == ESP_PORT || sport == ESP_PORT ||
	       dport == L2TP_PORT || sport == L2TP_PORT;
}
/* Notes a tunnel; false when there are too many, and the scan has ended. key: VNI and the like. */
bool scan_tunnel(struct scan *s, enum tunnel kind, uint32_t key);

/* Two NOPs, then the timestamps option (RFC 7323, appendix A). */
#define TIMESTAMPS_HEAD 0x0101080a

static inline void scan_timestamps(struct headers *h, const uint8_t *p)
{
	memcpy(h->options, (const uint8_t[]){1, 1, 8}, 3);
	h->n_options = 3;
	h->has_ts = true;
	h->tsval = load_be32(p + 4);
	h->tsecr = load_be32(p + 8);
}

static inline size_t scan_wire_left(const struct scan *s)
{
	return s->wire - s->c.pos;
}

/* What follows the cursor is n bytes long, where that is less than there seems to be. */
static inline void scan_trim(struct scan *s, size_t n)
{
	if (n < s->wire - s->c.pos)
		s->wire = s->c.pos + n;
	if (s->c.len > s->wire)
		s->c.len = s->wire;
}

/*
 * One's complement sum of RFC 1071 in the host's own byte order: whether it comes to 0xffff does
 * not depend on that order. Sums of even lengths may be added up.
 */
static inline uint64_t inet_sum(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;
	for (; n >= 4; n -= 4, p += 4) {
		uint32_t w;
		memcpy(&w, p, 4);
		sum += w;
	}
	if (n != 0) {
		uint8_t tail[4] = {0};
		uint32_t w;
		memcpy(tail, p, n);
		memcpy(&w, tail, 4);
		sum += w;
	}
	return sum;
}

static inline uint16_t inet_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
