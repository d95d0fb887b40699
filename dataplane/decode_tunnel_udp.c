/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Tunnels in UDP. A port alone would turn any datagram to it into a tunnel, so all that a header says of
 * itself must agree, and IP must be what is behind it; else the datagram stays what it is.
 */

#include "dataplane/decode_scan.h"

/* RFC 7348 section 5: the I flag must be there; alone, on a port that is nobody's. */
static bool vxlan_head(const struct scan *s, uint16_t dport, struct tunnel_head *out)
{
	enum { FLAG_I = 0x08000000 };
	struct cursor c = s->c;
	uint32_t flags = cursor_be32(&c), vni = cursor_be32(&c);
	bool alone = flags == FLAG_I && (vni & 0xff) == 0;
	*out = (struct tunnel_head){.kind = TUNNEL_VXLAN, .key = vni >> 8, .type = ETHER_TEB, .len = 8};
	return cursor_ok(&c) && (flags & FLAG_I) != 0 && (dport == VXLAN_PORT || alone);
}

/* Class, type, and in five bits the length behind this word: RFC 8926 section 3.5. */
static bool geneve_options(struct cursor *c, size_t len)
{
	size_t end = c->pos + len;
	while (cursor_ok(c) && c->pos < end)
		cursor_skip(c, (cursor_be32(c) & 0x1f) * 4);
	return cursor_ok(c) && c->pos == end;
}

/* RFC 8926 section 3.4: version 0, not a control packet, and what is reserved is zero. */
static bool geneve_head(const struct scan *s, struct tunnel_head *out)
{
	enum { NOT_READ = 0xc0bf0000, OPTIONS = 0x3f000000 };
	struct cursor c = s->c;
	uint32_t head = cursor_be32(&c), vni = cursor_be32(&c);
	if (!cursor_ok(&c) || (head & NOT_READ) != 0 || (vni & 0xff) != 0)
		return false;
	size_t options = ((head & OPTIONS) >> 24) * 4;
	*out = (struct tunnel_head){.kind = TUNNEL_GENEVE, .key = vni >> 8,
				    .type = (uint16_t)head, .len = 8 + options};
	bool read = out->type == ETHER_TEB || out->type == ETHER_IP4 || out->type == ETHER_IP6;
	/* Options that were not captured cannot be wrong. */
	bool cut = cursor_left(&c) < options && s->c.len < s->wire;
	return read && (cut || geneve_options(&c, options));
}

/*
 * 3GPP TS 29.281 section 5.2: each extension header begins with its length in words and ends with the
 * next one's type, 0 none. False: one has no length, or ends behind the capture.
 */
static bool gtp_extensions(struct cursor *c, uint8_t type)
{
	while (type != 0) {
		size_t len = cursor_u8(c) * 4u;
		if (len == 0)
			return false;
		cursor_skip(c, len - 2);
		type = cursor_u8(c);
		if (!cursor_ok(c))
			return false;
	}
	return true;
}

/* TS 29.281 section 5.1, table 6.1-1: version 1, GTP and not GTP', and a user's packet (G-PDU). */
static bool gtp_head(const struct scan *s, struct tunnel_head *out, bool *is_gtp)
{
	enum { VERSION_1 = 0x30, EXTENSION = 4, OPTIONAL = 7, G_PDU = 255 };
	struct cursor c = s->c;
	uint8_t flags = cursor_u8(&c), message = cursor_u8(&c);
	uint16_t len = cursor_be16(&c);
	cursor_skip(&c, 4);
	*is_gtp = cursor_ok(&c) && (flags & ~OPTIONAL) == VERSION_1 && message == G_PDU &&
		  len + 8u == scan_wire_left(s);
	if (!*is_gtp)
		return false;
	if ((flags & OPTIONAL) != 0) {
		cursor_skip(&c, 3);
		uint8_t type = cursor_u8(&c);
		if ((flags & EXTENSION) != 0 && !gtp_extensions(&c, type))
			return false;
	}
	struct cursor peek = c;
	uint8_t version = cursor_u8(&peek) >> 4;
	*out = (struct tunnel_head){.kind = TUNNEL_GTP, .type = version == 6 ? ETHER_IP6 : ETHER_IP4,
				    .len = c.pos - s->c.pos};
	return cursor_ok(&peek);
}

/* RFC 2661 section 3.1 and RFC 3931 section 4.1.2.1: a data message, not one that controls. */
static bool is_l2tp_data(const struct scan *s)
{
	enum { FIXED = 0xb4ff, LENGTH = 0x4000, VERSION_2 = 2, VERSION_3 = 3 };
	struct cursor c = s->c;
	uint16_t flags = cursor_be16(&c), len = cursor_be16(&c);
	if (!cursor_ok(&c))
		return false;
	if (flags == VERSION_3)
		return len == 0; /* reserved */
	return (flags & FIXED) == VERSION_2 &&
	       ((flags & LENGTH) == 0 || len == scan_wire_left(s));
}

/* RFC 3948 section 2: IKE has zeros here, and a keepalive is one byte; SPIs below 256 are reserved. */
static bool is_esp(const struct scan *s)
{
	struct cursor c = s->c;
	uint32_t spi = cursor_be32(&c);
	return cursor_ok(&c) && spi > 255 && scan_wire_left(s) >= 16;
}

bool scan_udp_tunnel(const struct scan *s, uint16_t sport, uint16_t dport, struct tunnel_head *out,
		     bool *closed)
{
	bool head = false, is_gtp = false;
	switch (dport) {
	case VXLAN_PORT:
	case VXLAN_PORT_LINUX:
		head = vxlan_head(s, dport, out);
		break;
	case GENEVE_PORT:
		head = geneve_head(s, out);
		break;
	case GTP_PORT:
		head = gtp_head(s, out, &is_gtp);
		break;
	default:
		break;
	}
	if (head && scan_holds(s, out->len, out->type))
		return true;
	bool cut = head && scan_too_short(s, out->len);
	/* A bearer may carry Ethernet or anything else; what is no IP in the others is a neighbour's. */
	bool esp = (sport == ESP_PORT || dport == ESP_PORT) && is_esp(s);
	bool l2tp = (sport == L2TP_PORT || dport == L2TP_PORT) && is_l2tp_data(s);
	if (is_gtp || esp || l2tp || cut)
		*closed = true;
	return false;
}
