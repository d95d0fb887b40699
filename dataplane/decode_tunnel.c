/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Tunnels over IP, but for those in UDP. One that carries no IP stays what it is outside, a flow of
 * outer addresses.
 */

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
		h->tunnel_closed = true;
		scan_end(s, DECODE_TUNNEL_DEPTH);
		return false;
	}
	if (kind != TUNNEL_MPLS && kind != TUNNEL_ERSPAN)
		h->tunnel_id = tunnel_hash(h, kind, key);
	h->tunnels[h->n_tunnels++] = (uint8_t)kind;
	return true;
}

/* Version, header length and total length as they should be; options and checksum are not looked at. */
static bool ip_fits(const uint8_t *p, size_t here, size_t wire)
{
	if (here == 0)
		return false;
	if (p[0] >> 4 == 4 && here >= 20) {
		size_t hlen = (p[0] & 0xfu) * 4, claim = load_be16(p + 2);
		return hlen >= 20 && claim >= hlen && claim <= wire;
	}
	return p[0] >> 4 == 6 && here >= 40 && load_be16(p + 4) + 40u <= wire;
}

bool scan_holds(const struct scan *s, size_t len, uint16_t type)
{
	struct scan in = *s;
	cursor_skip(&in.c, len);
	if (!cursor_ok(&in.c))
		return false;
	if (type == ETHER_TEB)
		return scan_ethernet_has_ip(&in);
	const uint8_t *p = in.c.base + in.c.pos;
	return ip_fits(p, cursor_left(&in.c), scan_wire_left(&in)) &&
	       p[0] >> 4 == (type == ETHER_IP6 ? 6 : 4);
}

bool scan_too_short(const struct scan *s, size_t len)
{
	enum { VLANS = 8, ETHERNET_AND_IP = 14 + 20 };
	return s->c.len < s->wire && cursor_left(&s->c) < len + VLANS + ETHERNET_AND_IP;
}

enum next scan_enter(struct scan *s, const struct tunnel_head *t)
{
	if (!scan_tunnel(s, t->kind, t->key))
		return NEXT_DONE;
	cursor_skip(&s->c, t->len);
	s->frame = SCAN_NOT_ETHERNET;
	return t->type == ETHER_TEB ? NEXT_ETHERNET : scan_ether_type(s, t->type);
}

/*
 * draft-foschiano-erspan-03, sections 4.1 to 4.3. Type I has no header but GRE's; of type III only
 * Ethernet frames (FT 0) are read.
 */
bool scan_erspan(const struct scan *s, size_t len, uint16_t type, bool numbered,
		 struct tunnel_head *out)
{
	enum { PLATFORM_LEN = 8 };
	struct cursor c = s->c;
	cursor_skip(&c, len);
	bool third = type == ETHER_ERSPAN3;
	/* Type III should be numbered; Cisco's switches send it without. */
	if (third || numbered) {
		uint32_t head = cursor_be32(&c);
		cursor_skip(&c, third ? 6 : 4);
		uint16_t last = third ? cursor_be16(&c) : 0;
		bool platform = (last & 1) != 0, ethernet = (last & 0x7c00) == 0;
		cursor_skip(&c, platform ? PLATFORM_LEN : 0);
		if (!cursor_ok(&c) || head >> 28 != (third ? 2 : 1) || !ethernet)
			return false;
		len = c.pos - s->c.pos;
	}
	*out = (struct tunnel_head){.kind = TUNNEL_ERSPAN, .type = ETHER_TEB, .len = len};
	return true;
}

/* A tunnel, but not one that is opened. */
static enum next gre_closed(struct scan *s, enum decode_end end)
{
	s->h->tunnel_closed = true;
	return scan_end(s, end);
}

/* RFC 2784 with the key and sequence number of RFC 2890. PPTP's version 1 is not opened. */
enum next scan_gre(struct scan *s)
{
	enum { GRE_CHECKSUM = 0x8000, GRE_ROUTING = 0x4000, GRE_KEY = 0x2000, GRE_SEQ = 0x1000 };
	struct cursor c = s->c;
	uint16_t flags = cursor_be16(&c);
	uint16_t type = cursor_be16(&c);
	if (!cursor_ok(&c))
		return gre_closed(s, DECODE_CUT_TRANSPORT);
	if ((flags & 7) != 0 || (flags & GRE_ROUTING) != 0)
		return gre_closed(s, DECODE_NO_PORTS);
	if (flags & GRE_CHECKSUM)
		cursor_skip(&c, 4);
	uint32_t key = flags & GRE_KEY ? cursor_be32(&c) : 0;
	if (flags & GRE_SEQ)
		cursor_skip(&c, 4);
	if (!cursor_ok(&c))
		return gre_closed(s, DECODE_CUT_TRANSPORT);
	struct tunnel_head t = {.kind = TUNNEL_GRE, .key = key, .type = type, .len = c.pos - s->c.pos};
	switch (type) {
	case ETHER_ERSPAN:
	case ETHER_ERSPAN3:
		if (!scan_erspan(s, t.len, type, (flags & GRE_SEQ) != 0, &t))
			return gre_closed(s, DECODE_NO_PORTS);
		break;
	case ETHER_TEB:
		break;
	case ETHER_IP4:
	case ETHER_IP6:
	case ETHER_MPLS:
	case ETHER_MPLS_MULTICAST:
		return scan_enter(s, &t);
	default:
		return gre_closed(s, DECODE_NO_PORTS);
	}
	if (scan_holds(s, t.len, t.type))
		return scan_enter(s, &t);
	/* What is no IP in a frame is a neighbour's: ARP and its like. */
	s->h->tunnel_closed = scan_too_short(s, t.len);
	return scan_end(s, DECODE_NO_PORTS);
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
