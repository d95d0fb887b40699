/* SPDX-License-Identifier: BSD-3-Clause */

/* IP headers with their options, and what is behind them. */

#include "tools/privacy/scrub_walk.h"


#define EXTENSIONS_MAX 8

/* RFC 791 section 3.1: what of an option's n bytes at p is an address; what is not known is zeroed.
 */
static void ip4_option(const struct walk *w, uint8_t kind, uint8_t *p, size_t n)
{
	enum {
		RECORD_ROUTE = 7,
		TIMESTAMP = 68,
		SECURITY = 130,
		LOOSE = 131,
		STRICT = 137,
		ROUTER_ALERT = 148
	};

	switch (kind) {
	case RECORD_ROUTE:
	case LOOSE:
	case STRICT:
		for (size_t i = 3; i + 4 <= n; i += 4)
			walk_ip4(w, p + i);
		if (n > 3)
			memset(p + n - (n - 3) % 4, 0, (n - 3) % 4);
		break;
	case TIMESTAMP:
		/* Flags 1 and 3: an address before every timestamp; 0: none. */
		for (size_t i = 4; n >= 4 && (p[3] & 0xf) != 0 && i + 4 <= n; i += 8)
			walk_ip4(w, p + i);
		break;
	case SECURITY:
	case ROUTER_ALERT:
		break;
	default:
		memset(p + 2, 0, n - 2);
		break;
	}
}

static void ip4_options(const struct walk *w, uint8_t *p, size_t len)
{
	enum { END, NOP };

	for (size_t i = 0; i < len;) {
		uint8_t kind = p[i];
		if (kind == NOP) {
			i++;
			continue;
		}
		size_t n = i + 1 < len ? p[i + 1] : 0;
		if (kind == END || n < 2 || n > len - i) {
			memset(p + i + (kind == END), 0, len - i - (kind == END));
			return;
		}
		ip4_option(w, kind, p + i, n);
		i += n;
	}
}

static void walk_body(struct walk *w, const struct walk_ip *ip)
{
	w->pos = ip->body;
	switch (ip->proto) {
	case WALK_TCP:
	case WALK_UDP:
		walk_transport(w, ip);
		break;
	case WALK_ICMP:
	case WALK_ICMP6:
		walk_icmp(w, ip);
		break;
	case WALK_IP4:
	case WALK_IP6:
		walk_ip(w);
		break;
	case WALK_GRE:
		walk_gre(w, ip);
		break;
	default:
		walk_cut(w, ip->body);
		break;
	}
}

/* What is behind the datagram is padding or a frame's checksum: it says nothing that is wanted. */
static void end_at(struct walk *w, struct walk_ip *ip, size_t claimed, size_t header)
{
	size_t end = claimed > header ? ip->at + claimed : ip->at + header;

	if (claimed != 0 && end < w->len) {
		memset(w->now + end, 0, w->len - end);
		w->len = end;
	}
	if (claimed != 0 && end < w->wire)
		w->wire = end;
	ip->end = w->len;
}

static void walk_ip_v4(struct walk *w)
{
	struct walk_ip ip = {.at = w->pos, .version = 4};
	uint8_t *p = walk_take(w, 20);
	size_t hlen = p != NULL ? (p[0] & 0xfu) * 4u : 0;

	if (hlen < 20 || walk_take(w, hlen - 20) == NULL) {
		walk_cut(w, ip.at);
		return;
	}
	size_t claimed = load_be16(p + 2), len = w->len, wire = w->wire;
	ip.src = ip.dst = (struct ip_addr){.b = {[10] = 0xff, [11] = 0xff}};
	memcpy(ip.src.b + 12, p + 12, 4);
	memcpy(ip.dst.b + 12, p + 16, 4);
	ip4_options(w, p + 20, hlen - 20);
	walk_ip4(w, p + 12);
	walk_ip4(w, p + 16);
	ip.as_src = ip.as_dst = ip.src;
	memcpy(ip.as_src.b + 12, p + 12, 4);
	memcpy(ip.as_dst.b + 12, p + 16, 4);
	ip.proto = p[9];
	ip.body = ip.at + hlen;
	end_at(w, &ip, claimed, hlen);
	ip.body_len = (uint32_t)(claimed > hlen ? claimed - hlen : ip.end - ip.body);
	uint16_t fragment = load_be16(p + 6) & 0x3fff;
	ip.whole = fragment == 0 && ip.end - ip.body == ip.body_len;
	if ((fragment & 0x1fff) != 0) {
		if (!w->s->cfg.keep_payload || w->quoted)
			walk_cut(w, ip.body);
	} else {
		walk_body(w, &ip);
	}
	walk_checksum(w, NULL, 0, ip.at, hlen, ip.at + 10, true);
	w->len = len;
	w->wire = wire;
}

/* Addresses in extension headers: of routes (RFC 8200 section 4.4), of homes (RFC 6275). */
static void ip6_extension(const struct walk *w, uint8_t kind, uint8_t *p, size_t n)
{
	if (kind == WALK_ROUTING) {
		for (size_t i = 8; i + 16 <= n; i += 16)
			walk_ip6(w, p + i);
		return;
	}
	if (kind == WALK_FRAGMENT)
		return;
	/* Hop-by-hop and destination options, mobility, authentication: their length is all we
	 * need. */
	memset(p + 2, 0, n - 2);
	if ((kind == WALK_HOP_BY_HOP || kind == WALK_DESTINATION) && n - 4 <= 255) {
		p[2] = 1; /* PadN */
		p[3] = (uint8_t)(n - 4);
	}
}

static size_t extension_length(uint8_t kind, uint8_t len)
{
	switch (kind) {
	case WALK_HOP_BY_HOP:
	case WALK_ROUTING:
	case WALK_DESTINATION:
	case WALK_MOBILITY:
		return (len + 1u) * 8;
	case WALK_FRAGMENT:
		return 8;
	case WALK_AH:
		return (len + 2u) * 4;
	default:
		return 0;
	}
}

/* False: there is no body that could be read. */
static bool ip6_chain(struct walk *w, struct walk_ip *ip, bool *fragment)
{
	for (unsigned i = 0; extension_length(ip->proto, 0) != 0; i++) {
		size_t at = w->pos;
		size_t n = walk_left(w) >= 2 ? extension_length(ip->proto, w->now[at + 1]) : 0;
		uint8_t *p = n >= 8 && i < EXTENSIONS_MAX ? walk_take(w, n) : NULL;
		if (p == NULL) {
			walk_cut(w, at);
			return false;
		}
		uint8_t kind = ip->proto;
		ip->proto = p[0];
		ip6_extension(w, kind, p, n);
		if (kind == WALK_FRAGMENT && (load_be16(p + 2) & 0xfff9) != 0) {
			*fragment = true;
			if ((load_be16(p + 2) & 0xfff8) != 0)
				return false;
		}
	}
	return true;
}

static void walk_ip_v6(struct walk *w)
{
	struct walk_ip ip = {.at = w->pos, .version = 6};
	uint8_t *p = walk_take(w, 40);
	bool fragment = false;

	if (p == NULL) {
		walk_cut(w, ip.at);
		return;
	}
	size_t claimed = load_be16(p + 4), len = w->len, wire = w->wire;
	memcpy(ip.src.b, p + 8, 16);
	memcpy(ip.dst.b, p + 24, 16);
	walk_ip6(w, p + 8);
	walk_ip6(w, p + 24);
	memcpy(ip.as_src.b, p + 8, 16);
	memcpy(ip.as_dst.b, p + 24, 16);
	ip.proto = p[6];
	end_at(w, &ip, claimed != 0 ? claimed + 40 : 0, 40);
	bool readable = ip6_chain(w, &ip, &fragment);
	ip.body = w->pos;
	size_t extensions = ip.body - ip.at - 40;
	ip.body_len = (uint32_t)(claimed > extensions ? claimed - extensions : ip.end - ip.body);
	ip.whole = !fragment && ip.end - ip.body == ip.body_len;
	if (readable)
		walk_body(w, &ip);
	else if (!w->s->cfg.keep_payload || !fragment || w->quoted)
		walk_cut(w, ip.body);
	w->len = len;
	w->wire = wire;
}

void walk_ip(struct walk *w)
{
	uint8_t version = walk_left(w) != 0 ? w->now[w->pos] >> 4 : 0;

	if (w->depth == WALK_DEPTH || (version != 4 && version != 6)) {
		walk_cut(w, w->pos);
		return;
	}
	w->depth++;
	if (version == 4)
		walk_ip_v4(w);
	else
		walk_ip_v6(w);
}
