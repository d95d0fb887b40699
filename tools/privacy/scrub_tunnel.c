/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Tunnels: GRE with ERSPAN, and those in UDP. The decoder says which they are; what their headers have
 * besides lengths, types and the network's number is zeroed.
 */

#include "tools/privacy/scrub_walk.h"

#include "dataplane/decode_scan.h"

/* What is here, of what ended at wire. */
static struct scan scan_here(const struct walk *w, size_t wire)
{
	size_t here = walk_left(w);

	return (struct scan){.c = cursor_of(w->now + w->pos, here),
			     .wire = wire > w->len ? wire - w->pos : here};
}

/* The platform's own of type III may name ports and chassis (draft-foschiano-erspan-03, section 4.3). */
static void walk_erspan(struct walk *w, uint16_t type, bool numbered)
{
	enum { COMMON = 12 };
	struct scan in = scan_here(w, w->wire);
	struct tunnel_head t;

	if (!scan_erspan(&in, 0, type, numbered, &t)) {
		walk_cut(w, w->pos);
		return;
	}
	if (type == ETHER_ERSPAN3 && t.len > COMMON)
		memset(w->now + w->pos + COMMON, 0, t.len - COMMON);
	w->pos += t.len;
	walk_ethernet(w);
}

/* RFC 2784 with RFC 2890, as far as the decoder opens it. */
void walk_gre(struct walk *w, const struct walk_ip *ip)
{
	enum {
		GRE_CHECKSUM = 0x8000,
		GRE_ROUTING = 0x4000,
		GRE_KEY = 0x2000,
		GRE_SEQ = 0x1000
	};
	size_t at = w->pos;
	const uint8_t *p = walk_take(w, 4);
	uint16_t flags = p != NULL ? load_be16(p) : 0;

	if (p == NULL || (flags & 7) != 0 || (flags & GRE_ROUTING) != 0 ||
	    ((flags & GRE_CHECKSUM) != 0 && walk_take(w, 4) == NULL) ||
	    ((flags & GRE_KEY) != 0 && walk_take(w, 4) == NULL) ||
	    ((flags & GRE_SEQ) != 0 && walk_take(w, 4) == NULL)) {
		walk_cut(w, at);
		return;
	}
	uint16_t type = load_be16(p + 2);
	if (type == ETHER_TEB)
		walk_ethernet(w);
	else if (type == ETHER_ERSPAN || type == ETHER_ERSPAN3)
		walk_erspan(w, type, (flags & GRE_SEQ) != 0);
	else
		walk_ether_type(w, type);
	if ((flags & GRE_CHECKSUM) != 0)
		walk_checksum(w, NULL, 0, at, ip->end - at, at + 4, ip->whole);
}

/* What an option says may name an endpoint or a subscriber: class, type and length stay. */
static void blank_geneve(uint8_t *p, size_t len)
{
	for (size_t at = 8; at + 4 <= len;) {
		size_t n = (p[at + 3] & 0x1fu) * 4;
		if (n > len - at - 4)
			n = len - at - 4;
		memset(p + at + 4, 0, n);
		at += 4 + n;
	}
}

/* A TEID is one subscriber's; what extension headers say is of one, too. */
static void blank_gtp(uint8_t *p, size_t len)
{
	memset(p + 4, 0, 4);
	if (len < 12)
		return;
	memset(p + 8, 0, 3);
	for (size_t at = 12; at + 4 <= len;) {
		size_t n = p[at] * 4u;
		if (n == 0 || n > len - at)
			return;
		memset(p + at + 1, 0, n - 2);
		at += n;
	}
}

bool walk_udp_tunnel(struct walk *w, uint16_t sport, uint16_t dport, size_t wire)
{
	struct scan in = scan_here(w, wire);
	struct tunnel_head t;
	bool closed;

	if (!udp_port_of_tunnel(sport, dport) || !scan_udp_tunnel(&in, sport, dport, &t, &closed))
		return false;
	uint8_t *p = w->now + w->pos;
	if (t.kind == TUNNEL_GENEVE)
		blank_geneve(p, t.len);
	else if (t.kind == TUNNEL_GTP)
		blank_gtp(p, t.len);
	w->pos += t.len;
	if (t.type == ETHER_TEB)
		walk_ethernet(w);
	else
		walk_ether_type(w, t.type);
	return true;
}
