/* SPDX-License-Identifier: BSD-3-Clause */

/* Tunnels over IP. One that carries no IP stays what it is outside, a flow of outer addresses. */

#include <xxhash.h>

#include "dataplane/decode_scan.h"

/* Both directions of a tunnel hash alike; chained, so that nesting counts. */
static uint32_t tunnel_hash(const struct headers *h, enum tunnel kind, uint32_t key)
{
	uint8_t bytes[1 + 4 + 4 + 32] = {(uint8_t)kind};
	const struct ip_addr *lo = &h->src, *hi = &h->dst;
	if (memcmp(lo, hi, sizeof(*lo)) > 0) {
		lo = &h->dst;
		hi = &h->src;
	}
	for (unsigned i = 0; i < 4; i++) {
		bytes[1 + i] = (uint8_t)(key >> 8 * i);
		bytes[5 + i] = (uint8_t)(h->tunnel_id >> 8 * i);
	}
	if (h->ip_version != 0) {
		memcpy(bytes + 9, lo, sizeof(*lo));
		memcpy(bytes + 25, hi, sizeof(*hi));
	}
	uint32_t id = XXH32(bytes, sizeof(bytes), 0);
	return id != 0 ? id : 1;
}

bool scan_tunnel(struct scan *s, enum tunnel kind, uint32_t key)
{
	struct headers *h = s->h;
	if (h->n_tunnels == TUNNELS_MAX) {
		h->anomalies |= ANOMALY_TUNNEL_DEPTH;
		scan_end(s, DECODE_TUNNEL_DEPTH);
		return false;
	}
	if (kind != TUNNEL_MPLS)
		h->tunnel_id = tunnel_hash(h, kind, key);
	h->tunnels[h->n_tunnels++] = (uint8_t)kind;
	return true;
}

/* RFC 2784 with the key and sequence number of RFC 2890. PPTP's version 1 is not opened. */
enum next scan_gre(struct scan *s)
{
	enum { GRE_CHECKSUM = 0x8000, GRE_ROUTING = 0x4000, GRE_KEY = 0x2000, GRE_SEQ = 0x1000 };
	struct scan in = *s;
	uint16_t flags = cursor_be16(&in.c);
	uint16_t type = cursor_be16(&in.c);
	if (!cursor_ok(&in.c))
		return scan_end(s, DECODE_CUT_TRANSPORT);
	if ((flags & 7) != 0 || (flags & GRE_ROUTING) != 0)
		return scan_end(s, DECODE_NO_PORTS);
	if (flags & GRE_CHECKSUM)
		cursor_skip(&in.c, 4);
	uint32_t key = flags & GRE_KEY ? cursor_be32(&in.c) : 0;
	if (flags & GRE_SEQ)
		cursor_skip(&in.c, 4);
	if (!cursor_ok(&in.c))
		return scan_end(s, DECODE_CUT_TRANSPORT);
	switch (type) {
	case ETHER_TEB:
		if (!scan_ethernet_has_ip(&in))
			return scan_end(s, DECODE_NO_PORTS);
		break;
	case ETHER_IP4:
	case ETHER_IP6:
	case ETHER_MPLS:
	case ETHER_MPLS_MULTICAST:
		break;
	default:
		return scan_end(s, DECODE_NO_PORTS);
	}
	if (!scan_tunnel(s, TUNNEL_GRE, key))
		return NEXT_DONE;
	*s = in;
	s->frame = SCAN_NOT_ETHERNET;
	return type == ETHER_TEB ? NEXT_ETHERNET : scan_ether_type(s, type);
}

/* IPv4 (4) or IPv6 (41) directly in IP: RFC 2003, RFC 2473, RFC 4213. */
enum next scan_ip_in_ip(struct scan *s)
{
	const struct headers *h = s->h;
	bool inner6 = h->proto == PROTO_IP6, outer6 = h->ip_version == 6;
	struct cursor peek = s->c;
	uint8_t version = cursor_u8(&peek) >> 4;
	if (!cursor_ok(&peek))
		return scan_end(s, DECODE_CUT_TRANSPORT);
	if (version != (inner6 ? 6 : 4))
		return scan_end(s, DECODE_NO_PORTS);
	enum tunnel kind = inner6 ? (outer6 ? TUNNEL_IP6IP6 : TUNNEL_6IN4)
				  : (outer6 ? TUNNEL_4IN6 : TUNNEL_IPIP);
	if (!scan_tunnel(s, kind, 0))
		return NEXT_DONE;
	s->frame = SCAN_NOT_ETHERNET;
	return inner6 ? NEXT_IP6 : NEXT_IP4;
}

/*
 * RFC 7348 section 5. The port alone would turn any datagram to 4789 into a tunnel, so the I flag
 * must be there and IP must be what the inner frame holds.
 */
bool scan_vxlan(struct scan *s, enum next *next)
{
	struct scan in = *s;
	uint32_t flags = cursor_be32(&in.c);
	uint32_t vni = cursor_be32(&in.c) >> 8;
	if (!cursor_ok(&in.c) || (flags & 0x08000000) == 0 || !scan_ethernet_has_ip(&in))
		return false;
	*next = NEXT_DONE;
	if (scan_tunnel(s, TUNNEL_VXLAN, vni)) {
		*s = in;
		*next = NEXT_ETHERNET;
	}
	return true;
}
