/* SPDX-License-Identifier: BSD-3-Clause */

/* The link layer of a frame to be sent; rewrite_ip.c does what is above it. */

#include "dataplane/rewrite.h"

#include <errno.h>
#include <string.h>

#include "dataplane/cursor.h"
#include "dataplane/decode_scan.h"
#include "dataplane/rewrite_ip.h"

#define ETHER_LEN 14u
#define TAG_LEN   4u

int rewrite_map_parse(const char *text, struct rewrite_map *out)
{
	const char *equals = strchr(text, '=');

	if (equals == NULL || prefix_parse(text, (size_t)(equals - text), &out->from) != 0 ||
	    prefix_parse(equals + 1, strlen(equals + 1), &out->to) != 0)
		return -EINVAL;
	return out->from.ip_version == out->to.ip_version && out->from.bits == out->to.bits
		       ? 0
		       : -EINVAL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int rewrite_mac_parse(const char *text, uint8_t out[6])
{
	for (unsigned i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

/* What the first byte of a packet without a link header says. */
static uint16_t type_of_ip(const struct packet *pkt, uint32_t at)
{
	unsigned version = pkt->caplen > at ? pkt->data[at] >> 4 : 0;

	return version == 4 ? ETHER_IP4 : version == 6 ? ETHER_IP6 : 0;
}

/* Linux cooked: an EtherType, unless it is one of Linux's own numbers or of no Ethernet. */
static uint16_t type_of_cooked(uint16_t arphrd, uint16_t protocol)
{
	enum { ARPHRD_NETLINK = 824 };

	return arphrd != ARPHRD_NETLINK && protocol >= ETHER_MIN ? protocol : 0;
}

static void plan_sll(struct cursor c, struct rewrite_plan *p)
{
	cursor_skip(&c, 2);
	uint16_t arphrd = cursor_be16(&c);
	uint16_t mac_len = cursor_be16(&c);
	const uint8_t *mac = cursor_bytes(&c, 8);
	p->type = type_of_cooked(arphrd, cursor_be16(&c));
	p->skip = 16;
	p->has_src = cursor_ok(&c) && mac_len == 6;
	if (p->has_src)
		memcpy(p->src, mac, sizeof(p->src));
}

static void plan_sll2(struct cursor c, struct rewrite_plan *p)
{
	uint16_t protocol = cursor_be16(&c);
	cursor_skip(&c, 6);
	uint16_t arphrd = cursor_be16(&c);
	cursor_skip(&c, 1);
	uint8_t mac_len = cursor_u8(&c);
	const uint8_t *mac = cursor_bytes(&c, 8);
	p->type = type_of_cooked(arphrd, protocol);
	p->skip = 20;
	p->has_src = cursor_ok(&c) && mac_len == 6;
	if (p->has_src)
		memcpy(p->src, mac, sizeof(p->src));
}

/* RFC 1661 section 2, with or without address and control; IP only. */
static void plan_ppp(struct cursor c, struct rewrite_plan *p)
{
	uint16_t protocol = cursor_be16(&c);

	p->skip = 2;
	if (protocol == 0xff03) {
		protocol = cursor_be16(&c);
		p->skip = 4;
	}
	p->type = protocol == 0x0021 ? ETHER_IP4 : protocol == 0x0057 ? ETHER_IP6 : 0;
}

static void plan_c_hdlc(struct cursor c, struct rewrite_plan *p)
{
	cursor_skip(&c, 2);
	uint16_t type = cursor_be16(&c);
	p->type = type == ETHER_IP4 || type == ETHER_IP6 ? type : 0;
	p->skip = 4;
}

/* Where the packet starts behind its link header, and which EtherType it would have: 0 none. */
static void plan_link(const struct packet *pkt, struct rewrite_plan *p)
{
	struct cursor c = cursor_of(pkt->data, pkt->caplen);

	p->make_link = true;
	switch (pkt->linktype) {
	case LINKTYPE_ETHERNET:
		p->make_link = false;
		p->type = ETHER_IP4; /* it has one of its own */
		return;
	case LINKTYPE_RAW:
	case LINKTYPE_RAW_BSD:
	case LINKTYPE_RAW_OPENBSD:
	case LINKTYPE_IPV4:
	case LINKTYPE_IPV6:
		p->type = type_of_ip(pkt, 0);
		return;
	case LINKTYPE_NULL:
	case LINKTYPE_LOOP:
		p->skip = 4;
		p->type = type_of_ip(pkt, 4);
		return;
	case LINKTYPE_LINUX_SLL:
		plan_sll(c, p);
		return;
	case LINKTYPE_LINUX_SLL2:
		plan_sll2(c, p);
		return;
	case LINKTYPE_PPP:
	case LINKTYPE_PPP_HDLC:
		plan_ppp(c, p);
		return;
	case LINKTYPE_C_HDLC:
		plan_c_hdlc(c, p);
		return;
	case LINKTYPE_PPP_ETHER:
		p->type = ETHER_PPPOE;
		return;
	default:
		p->type = 0;
	}
}

/* The kernel and most cards let a frame with one tag be longer by that tag. */
static uint32_t longest(const struct rewrite_config *cfg, const struct packet *pkt,
			const struct rewrite_plan *p)
{
	bool tagged = cfg->vlan != 0 || (p->make_link && p->type == ETHER_VLAN) ||
		      (!p->make_link && load_be16(pkt->data + 12) == ETHER_VLAN);

	return cfg->mtu == 0 ? UINT32_MAX : cfg->mtu + ETHER_LEN + (tagged ? TAG_LEN : 0);
}

void rewrite_plan(const struct rewrite_config *cfg, const struct packet *pkt,
		  struct rewrite_plan *out)
{
	uint32_t wire = pkt->wirelen > pkt->caplen ? pkt->wirelen : pkt->caplen;
	uint32_t added = cfg->vlan != 0 ? TAG_LEN : 0;

	*out = (struct rewrite_plan){.end = REWRITE_OK};
	plan_link(pkt, out);
	if (out->make_link)
		added += ETHER_LEN;
	if (pkt->caplen < (out->make_link ? out->skip + 1 : ETHER_LEN)) {
		out->end = REWRITE_RUNT;
	} else if (out->type == 0) {
		out->end = REWRITE_NOT_ETHERNET;
	} else if (wire > UINT32_MAX - added || wire - out->skip + added > longest(cfg, pkt, out)) {
		out->end = REWRITE_TOO_LONG;
	} else if (pkt->caplen < wire && cfg->truncated == REWRITE_CUT_REFUSE) {
		out->end = REWRITE_TRUNCATED;
	}
	if (out->end != REWRITE_OK)
		return;
	out->len = wire - out->skip + added;
	out->present = pkt->caplen - out->skip + added;
}

static void put_macs(uint8_t *p, const struct rewrite_macs *macs, const struct rewrite_plan *plan)
{
	/* Locally administered, so nobody's: IEEE 802 section 8.4. */
	static const uint8_t nobody[2][6] = {{0x02, [5] = 2}, {0x02, [5] = 1}};

	if (plan->make_link) {
		memcpy(p, nobody, sizeof(nobody));
		if (plan->has_src)
			memcpy(p + 6, plan->src, 6);
	}
	if (macs->set_dst)
		memcpy(p, macs->dst, 6);
	if (macs->set_src)
		memcpy(p + 6, macs->src, 6);
}

void rewrite_frame(const struct rewrite_config *cfg, const struct rewrite_macs *macs,
		   const struct packet *pkt, const struct rewrite_plan *plan, uint64_t loop,
		   struct frame *f)
{
	uint8_t *p = f->data;
	const uint8_t *from = pkt->data + plan->skip;
	uint32_t left = pkt->caplen - plan->skip;

	if (!plan->make_link) {
		memcpy(p, from, 12);
		from += 12;
		left -= 12;
	}
	put_macs(p, macs, plan);
	p += 12;
	if (cfg->vlan != 0) {
		store_be16(p, ETHER_VLAN);
		store_be16(p + 2, cfg->vlan);
		p += TAG_LEN;
	}
	if (plan->make_link) {
		store_be16(p, plan->type);
		p += 2;
	}
	memcpy(p, from, left);
	memset(f->data + plan->present, 0, plan->len - plan->present);
	f->len = plan->len;
	if (cfg->n_maps > 0 || (cfg->vary != REWRITE_VARY_NONE && loop > 0))
		rewrite_ip(cfg, loop, f->data, plan->present);
}
