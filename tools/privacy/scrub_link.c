/* SPDX-License-Identifier: BSD-3-Clause */

/* Link layers as dataplane/decode_link.c reads them, and ARP. */

#include "tools/privacy/scrub_walk.h"

#include "dataplane/decode_scan.h"

#define ETHER_ARP 0x0806

/* RFC 826, for Ethernet and IPv4; anything else of it is cut. */
static void walk_arp(struct walk *w)
{
	static const uint8_t usual[6] = {0, 1, 8, 0, 6, 4};
	size_t at = w->pos;
	uint8_t *p = walk_take(w, 28);

	if (p == NULL || memcmp(p, usual, sizeof(usual)) != 0) {
		walk_cut(w, at);
		return;
	}
	walk_mac(w, p + 8);
	walk_ip4(w, p + 14);
	walk_mac(w, p + 18);
	walk_ip4(w, p + 24);
	/* Padding, in which cards have left what was in memory. */
	memset(w->now + w->pos, 0, walk_left(w));
}

static void walk_mpls(struct walk *w)
{
	bool bottom = false;

	for (unsigned i = 0; i < 16 && !bottom; i++) {
		const uint8_t *p = walk_take(w, 4);
		if (p == NULL)
			break;
		bottom = (p[2] & 1) != 0;
	}
	uint8_t version = walk_left(w) != 0 ? w->now[w->pos] >> 4 : 0;
	if (bottom && (version == 4 || version == 6))
		walk_ip(w);
	else
		walk_cut(w, w->pos);
}

static void walk_ppp_proto(struct walk *w)
{
	size_t at = w->pos;
	const uint8_t *p = walk_take(w, 1);
	uint16_t proto = p != NULL ? *p : 0;

	if (p != NULL && (proto & 1) == 0) {
		p = walk_take(w, 1);
		proto = p != NULL ? (uint16_t)(proto << 8 | *p) : 0;
	}
	if (proto == 0x0021 || proto == 0x0057)
		walk_ip(w);
	else if (proto == 0x0281 || proto == 0x0283)
		walk_mpls(w);
	else /* its link control has identities in it */
		walk_cut(w, p != NULL ? w->pos : at);
}

static void walk_c_hdlc(struct walk *w)
{
	const uint8_t *p = walk_take(w, 4);

	if (p != NULL)
		walk_ether_type(w, load_be16(p + 2));
	else
		walk_cut(w, w->pos);
}

static void walk_ppp(struct walk *w)
{
	const uint8_t *p = w->now + w->pos;

	if (walk_left(w) >= 2 && (p[0] == 0x0f || p[0] == 0x8f) && p[1] == 0) {
		walk_c_hdlc(w);
		return;
	}
	if (walk_left(w) >= 2 && p[0] == 0xff && p[1] == 0x03)
		w->pos += 2;
	walk_ppp_proto(w);
}

static void walk_pppoe(struct walk *w)
{
	const uint8_t *p = walk_take(w, 6);

	if (p != NULL && p[0] == 0x11 && p[1] == 0)
		walk_ppp_proto(w);
	else
		walk_cut(w, w->pos);
}

static void walk_llc(struct walk *w)
{
	static const uint8_t snap[6] = {0xaa, 0xaa, 0x03, 0, 0, 0};
	size_t at = w->pos;
	const uint8_t *p = walk_take(w, 8);

	if (p != NULL && memcmp(p, snap, sizeof(snap)) == 0 && load_be16(p + 6) >= ETHER_MIN)
		walk_ether_type(w, load_be16(p + 6));
	else
		walk_cut(w, at);
}

static bool is_vlan(uint16_t type)
{
	return type == ETHER_VLAN || type == ETHER_QINQ || type == ETHER_QINQ_OLD ||
	       type == ETHER_QINQ_OLDER;
}

void walk_ether_type(struct walk *w, uint16_t type)
{
	while (is_vlan(type)) {
		const uint8_t *p = walk_take(w, 4);
		if (p == NULL) {
			walk_cut(w, w->pos);
			return;
		}
		type = load_be16(p + 2);
	}
	switch (type) {
	case ETHER_IP4:
	case ETHER_IP6:
		walk_ip(w);
		break;
	case ETHER_ARP:
		walk_arp(w);
		break;
	case ETHER_MPLS:
	case ETHER_MPLS_MULTICAST:
		walk_mpls(w);
		break;
	case ETHER_PPPOE:
		walk_pppoe(w);
		break;
	default:
		if (type < ETHER_MIN)
			walk_llc(w);
		else
			walk_cut(w, w->pos);
		break;
	}
}

void walk_ethernet(struct walk *w)
{
	size_t at = w->pos;
	uint8_t *p = walk_take(w, 14);

	if (p == NULL) {
		walk_cut(w, at);
		return;
	}
	walk_mac(w, p);
	walk_mac(w, p + 6);
	walk_ether_type(w, load_be16(p + 12));
}

/* A cooked header's address of n bytes in a field of 8. */
static void cooked_address(struct walk *w, uint8_t p[8], unsigned n)
{
	if (n == 6) {
		walk_mac(w, p);
		memset(p + 6, 0, 2);
	} else {
		memset(p, 0, 8);
	}
}

static void walk_cooked(struct walk *w, bool second)
{
	enum { COOKED_LLC = 4, ARPHRD_NETLINK = 824 };
	size_t at = w->pos;
	uint8_t *p = walk_take(w, second ? 20 : 16);

	if (p == NULL) {
		walk_cut(w, at);
		return;
	}
	cooked_address(w, p + (second ? 12 : 6), second ? p[11] : load_be16(p + 4));
	uint16_t proto = load_be16(p + (second ? 0 : 14)), kind = load_be16(p + (second ? 8 : 2));
	if (kind != ARPHRD_NETLINK && (proto >= ETHER_MIN || proto == COOKED_LLC))
		walk_ether_type(w, proto);
	else
		walk_cut(w, w->pos);
}

/* What a driver put beside the packet, such as where the antenna stood, is not the packet. */
static void walk_ppi(struct walk *w)
{
	const uint8_t *p = walk_take(w, 8);
	uint32_t len = p != NULL ? (uint32_t)(p[2] | p[3] << 8) : 0;
	uint8_t *fields = len >= 8 ? walk_take(w, len - 8) : NULL;

	if (fields == NULL) {
		walk_cut(w, 0);
		return;
	}
	memset(fields, 0, len - 8);
	uint32_t inner =
		(uint32_t)p[4] | (uint32_t)p[5] << 8 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 24;
	if (inner != LINKTYPE_PPI)
		walk_link(w, inner);
	else
		walk_cut(w, w->pos);
}

void walk_link(struct walk *w, uint32_t linktype)
{
	switch (linktype) {
	case LINKTYPE_ETHERNET:
		walk_ethernet(w);
		break;
	case LINKTYPE_LINUX_SLL:
	case LINKTYPE_LINUX_SLL2:
		walk_cooked(w, linktype == LINKTYPE_LINUX_SLL2);
		break;
	case LINKTYPE_NULL:
	case LINKTYPE_LOOP:
		if (walk_take(w, 4) == NULL) {
			walk_cut(w, w->pos);
			break;
		}
		walk_ip(w);
		break;
	case LINKTYPE_RAW:
	case LINKTYPE_RAW_BSD:
	case LINKTYPE_RAW_OPENBSD:
	case LINKTYPE_IPV4:
	case LINKTYPE_IPV6:
		walk_ip(w);
		break;
	case LINKTYPE_PPP:
	case LINKTYPE_PPP_HDLC:
		walk_ppp(w);
		break;
	case LINKTYPE_PPP_ETHER:
		walk_pppoe(w);
		break;
	case LINKTYPE_C_HDLC:
		walk_c_hdlc(w);
		break;
	case LINKTYPE_PPI:
		walk_ppi(w);
		break;
	default:
		walk_cut(w, w->pos);
		break;
	}
}
