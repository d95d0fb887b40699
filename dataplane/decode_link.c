/* SPDX-License-Identifier: BSD-3-Clause */

/* Link layers, VLAN tags, MPLS and PPPoE: everything between the wire and the first IP header. */

#include "dataplane/decode_scan.h"

/* LINKTYPE_NULL and LOOP: AF_INET and the AF_INET6 of Linux, Windows, the BSDs and macOS. */
static enum next family_next(uint32_t family)
{
	switch (family) {
	case 2:
		return NEXT_IP4;
	case 10:
	case 23:
	case 24:
	case 28:
	case 30:
		return NEXT_IP6;
	default:
		return NEXT_DONE;
	}
}

/* The family is in the byte order of the capturing machine (NULL) or in network order (LOOP). */
static enum next scan_null(struct scan *s)
{
	const uint8_t *p = cursor_bytes(&s->c, 4);
	if (p == NULL)
		return scan_end(s, DECODE_CUT_LINK);
	uint32_t be = load_be32(p);
	uint32_t le = (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
	enum next n = family_next(be);
	if (n == NEXT_DONE)
		n = family_next(le);
	return n != NEXT_DONE ? n : scan_end(s, DECODE_NOT_IP);
}

/* The label stack of RFC 3032 says nothing of what it carries: the first nibble has to do. */
static enum next scan_mpls(struct scan *s)
{
	if (!scan_tunnel(s, TUNNEL_MPLS, 0))
		return NEXT_DONE;
	bool bottom = false;
	for (unsigned i = 0; i < 16 && !bottom; i++)
		bottom = (cursor_be32(&s->c) & 0x100) != 0;
	struct cursor peek = s->c;
	uint8_t version = cursor_u8(&peek) >> 4;
	if (!cursor_ok(&peek))
		return scan_end(s, DECODE_CUT_LINK);
	if (bottom && version == 4)
		return NEXT_IP4;
	if (bottom && version == 6)
		return NEXT_IP6;
	s->h->tunnel_closed = true;
	return scan_end(s, DECODE_NOT_IP);
}

/* A PPP protocol number; one byte if compressed (RFC 1661 section 6.5): then it is odd. */
static enum next scan_ppp_proto(struct scan *s)
{
	uint16_t proto = cursor_u8(&s->c);
	if ((proto & 1) == 0)
		proto = (uint16_t)(proto << 8 | cursor_u8(&s->c));
	if (!cursor_ok(&s->c))
		return scan_end(s, DECODE_CUT_LINK);
	switch (proto) {
	case 0x0021:
		return NEXT_IP4;
	case 0x0057:
		return NEXT_IP6;
	case 0x0281:
	case 0x0283:
		return scan_mpls(s);
	default:
		return scan_end(s, DECODE_NOT_IP);
	}
}

static enum next scan_c_hdlc(struct scan *s)
{
	cursor_skip(&s->c, 2);
	uint16_t type = cursor_be16(&s->c);
	if (!cursor_ok(&s->c))
		return scan_end(s, DECODE_CUT_LINK);
	return scan_ether_type(s, type);
}

/*
 * Address and control (ff 03) may be there or not. Cisco's HDLC (0f or 8f, 00) also comes under
 * PPP's link types; a compressed protocol number never looks like that.
 */
static enum next scan_ppp(struct scan *s)
{
	struct cursor peek = s->c;
	uint8_t address = cursor_u8(&peek);
	uint8_t control = cursor_u8(&peek);
	if (!cursor_ok(&peek))
		return scan_end(s, DECODE_CUT_LINK);
	if ((address == 0x0f || address == 0x8f) && control == 0)
		return scan_c_hdlc(s);
	if (address == 0xff && control == 0x03)
		s->c = peek;
	return scan_ppp_proto(s);
}

/* RFC 2516 section 4. */
static enum next scan_pppoe(struct scan *s)
{
	const uint8_t *p = cursor_bytes(&s->c, 6);
	if (p == NULL)
		return scan_end(s, DECODE_CUT_LINK);
	if (p[0] != 0x11 || p[1] != 0)
		return scan_end(s, DECODE_NOT_IP);
	if (!scan_tunnel(s, TUNNEL_PPPOE, load_be16(p + 2)))
		return NEXT_DONE;
	scan_trim(s, load_be16(p + 4));
	return scan_ppp_proto(s);
}

/* LLC with SNAP (RFC 1042): then an Ethernet type follows. */
static enum next scan_llc(struct scan *s)
{
	static const uint8_t snap[6] = {0xaa, 0xaa, 0x03, 0, 0, 0};
	const uint8_t *p = cursor_bytes(&s->c, sizeof(snap));
	if (p == NULL)
		return scan_end(s, DECODE_CUT_LINK);
	if (memcmp(p, snap, sizeof(snap)) != 0)
		return scan_end(s, DECODE_NOT_IP);
	uint16_t type = cursor_be16(&s->c);
	if (!cursor_ok(&s->c))
		return scan_end(s, DECODE_CUT_LINK);
	return type >= ETHER_MIN ? scan_ether_type(s, type) : scan_end(s, DECODE_NOT_IP);
}

static bool is_vlan(uint16_t type)
{
	return type == ETHER_VLAN || type == ETHER_QINQ || type == ETHER_QINQ_OLD ||
	       type == ETHER_QINQ_OLDER;
}

enum next scan_ether_type(struct scan *s, uint16_t type)
{
	struct headers *h = s->h;
	while (is_vlan(type)) {
		const uint8_t *p = cursor_bytes(&s->c, 4);
		if (p == NULL)
			return scan_end(s, DECODE_CUT_LINK);
		if (h->n_vlans < 2)
			h->vlan[h->n_vlans++] = load_be16(p) & 0xfff;
		type = load_be16(p + 2);
	}
	switch (type) {
	case ETHER_IP4:
		return NEXT_IP4;
	case ETHER_IP6:
		return NEXT_IP6;
	case ETHER_MPLS:
	case ETHER_MPLS_MULTICAST:
		return scan_mpls(s);
	case ETHER_PPPOE:
		return scan_pppoe(s);
	default:
		return type < ETHER_MIN ? scan_llc(s) : scan_end(s, DECODE_NOT_IP);
	}
}

enum next scan_ethernet(struct scan *s)
{
	struct headers *h = s->h;
	s->frame = s->c.pos;
	const uint8_t *p = cursor_bytes(&s->c, 14);
	if (p == NULL)
		return scan_end(s, DECODE_CUT_LINK);
	h->has_mac = true;
	memcpy(h->dst_mac, p, 6);
	memcpy(h->src_mac, p + 6, 6);
	return scan_ether_type(s, load_be16(p + 12));
}

bool scan_ethernet_has_ip(const struct scan *s)
{
	struct cursor c = s->c;
	cursor_skip(&c, 12);
	uint16_t type = cursor_be16(&c);
	while (is_vlan(type)) {
		cursor_skip(&c, 2);
		type = cursor_be16(&c);
	}
	uint8_t version = cursor_u8(&c) >> 4;
	return cursor_ok(&c) &&
	       ((type == ETHER_IP4 && version == 4) || (type == ETHER_IP6 && version == 6));
}

/* Below ETHER_MIN a cooked header's protocol is Linux's own: 4 is 802.2 LLC, 1 is raw 802.3. */
static enum next scan_cooked_proto(struct scan *s, uint16_t arphrd, uint16_t proto)
{
	enum { ARPHRD_NETLINK = 824, COOKED_LLC = 4 };
	if (!cursor_ok(&s->c))
		return scan_end(s, DECODE_CUT_LINK);
	if (arphrd == ARPHRD_NETLINK || (proto < ETHER_MIN && proto != COOKED_LLC))
		return scan_end(s, DECODE_NOT_IP);
	return scan_ether_type(s, proto);
}

static enum next scan_sll(struct scan *s)
{
	const uint8_t *p = cursor_bytes(&s->c, 16);
	if (p == NULL)
		return scan_end(s, DECODE_CUT_LINK);
	s->h->sll_direction = load_be16(p) < 0xff ? p[1] : 0xfe;
	if (load_be16(p + 4) == 6)
		memcpy(s->h->src_mac, p + 6, 6);
	return scan_cooked_proto(s, load_be16(p + 2), load_be16(p + 14));
}

static enum next scan_sll2(struct scan *s)
{
	const uint8_t *p = cursor_bytes(&s->c, 20);
	if (p == NULL)
		return scan_end(s, DECODE_CUT_LINK);
	s->h->sll_direction = p[10] != 0xff ? p[10] : 0xfe;
	if (p[11] == 6)
		memcpy(s->h->src_mac, p + 12, 6);
	return scan_cooked_proto(s, load_be16(p + 8), load_be16(p));
}

/* Per-Packet Information: a little-endian header in front of another link type. */
static enum next scan_ppi(struct scan *s)
{
	const uint8_t *p = cursor_bytes(&s->c, 8);
	if (p == NULL)
		return scan_end(s, DECODE_CUT_LINK);
	uint32_t len = (uint32_t)(p[2] | p[3] << 8);
	uint32_t inner = (uint32_t)p[4] | (uint32_t)p[5] << 8 | (uint32_t)p[6] << 16 |
			 (uint32_t)p[7] << 24;
	cursor_skip(&s->c, len >= 8 ? len - 8 : 0);
	if (!cursor_ok(&s->c))
		return scan_end(s, DECODE_CUT_LINK);
	if (len < 8 || inner == LINKTYPE_PPI)
		return scan_end(s, DECODE_LINKTYPE);
	return scan_link(s, inner);
}

enum next scan_link(struct scan *s, uint32_t linktype)
{
	switch (linktype) {
	case LINKTYPE_ETHERNET:
		return scan_ethernet(s);
	case LINKTYPE_LINUX_SLL:
		return scan_sll(s);
	case LINKTYPE_LINUX_SLL2:
		return scan_sll2(s);
	case LINKTYPE_RAW:
	case LINKTYPE_RAW_BSD:
	case LINKTYPE_RAW_OPENBSD:
		return NEXT_IP;
	case LINKTYPE_IPV4:
		return NEXT_IP4;
	case LINKTYPE_IPV6:
		return NEXT_IP6;
	case LINKTYPE_NULL:
	case LINKTYPE_LOOP:
		return scan_null(s);
	case LINKTYPE_PPP:
	case LINKTYPE_PPP_HDLC:
		return scan_ppp(s);
	case LINKTYPE_PPP_ETHER:
		return scan_pppoe(s);
	case LINKTYPE_C_HDLC:
		return scan_c_hdlc(s);
	case LINKTYPE_PPI:
		return scan_ppi(s);
	default:
		return scan_end(s, DECODE_LINKTYPE);
	}
}
