/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/rewrite_ip.h"

#include <string.h>

#include "dataplane/cursor.h"
#include "dataplane/decode_scan.h"

/*
 * Loop k adds k times this, modulo the number of values: what is near the golden ratio keeps loops
 * apart for as long as possible, and what has no common divisor with it makes every loop another.
 */
#define ADDRESS_STEP 40503u /* of 65,536 */
#define PORT_FIRST   1024u
#define PORTS        (65536u - PORT_FIRST)
#define PORT_STEP    39869u

#define HEADERS_MAX 8 /* IPv6 extension headers, as in decode.c */

/* A checksum field: what it covers was changed, so it changes, and that under `outer`. */
struct sum {
	uint8_t *at; /* NULL: not captured, or there is none */
	bool udp;    /* 0 means none, and a sum of 0 is written as 0xffff: RFC 768 */
	struct sum *outer;
};

struct walk {
	const struct rewrite_config *cfg;
	uint64_t loop;
	uint8_t *base;
	struct cursor c;
};

/* RFC 1624, equation 3. */
static uint16_t updated(uint16_t sum, uint16_t was, uint16_t is)
{
	uint32_t s = (uint32_t)(uint16_t)~sum + (uint16_t)~was + is;

	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void sum_update(struct sum *s, uint16_t was, uint16_t is)
{
	if (s == NULL || s->at == NULL)
		return;
	uint16_t old = load_be16(s->at);
	if (s->udp && old == 0)
		return;
	uint16_t new = updated(old, was, is);
	if (s->udp && new == 0)
		new = 0xffff;
	store_be16(s->at, new);
	sum_update(s->outer, old, new);
}

/* n bytes, even, at an even distance from where its sums begin; all of sums[] cover them. */
static void replace(uint8_t *p, const uint8_t *new, size_t n, struct sum *const sums[],
		    unsigned n_sums)
{
	for (size_t i = 0; i < n; i += 2) {
		uint16_t was = load_be16(p + i), is = load_be16(new + i);
		if (was == is)
			continue;
		for (unsigned k = 0; k < n_sums; k++)
			sum_update(sums[k], was, is);
		store_be16(p + i, is);
	}
}

/* Addresses that are of one host, and mean the same on any link. */
static bool may_vary(const struct ip_addr *a, unsigned version)
{
	const uint8_t *b = a->b;

	if (version == 4)
		return b[12] != 0 && b[12] != 127 && b[12] < 224 &&
		       !(b[12] == 169 && b[13] == 254);
	bool tiny = load_be32(b) == 0 && load_be32(b + 4) == 0; /* ::, ::1, mapped ones */
	return b[0] != 0xff && !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80) && !tiny;
}

static bool new_address(const struct walk *w, unsigned version, struct ip_addr *a)
{
	const struct ip_addr old = *a;

	for (unsigned i = 0; i < w->cfg->n_maps; i++) {
		if (!prefix_contains(&w->cfg->maps[i].from, a, version))
			continue;
		prefix_move(&w->cfg->maps[i].to, a);
		break;
	}
	if (w->cfg->vary == REWRITE_VARY_ADDRESSES && may_vary(a, version)) {
		uint8_t *p = a->b + (version == 4 ? 13 : 4);
		store_be16(p, (uint16_t)(load_be16(p) + (uint32_t)w->loop * ADDRESS_STEP));
	}
	return memcmp(&old, a, sizeof(old)) != 0;
}

static void rewrite_address(const struct walk *w, unsigned version, uint8_t *p,
			    struct sum *const sums[], unsigned n_sums)
{
	struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff}};
	uint8_t n = version == 4 ? 4 : 16;

	memcpy(a.b + 16 - n, p, n);
	if (new_address(w, version, &a))
		replace(p, a.b + 16 - n, n, sums, n_sums);
}

static uint16_t new_port(const struct walk *w, uint16_t port)
{
	uint64_t step = w->loop % PORTS * PORT_STEP % PORTS;

	return (uint16_t)((port - PORT_FIRST + step) % PORTS + PORT_FIRST);
}

/*
 * Of the ports that may change, the higher one is the client's, unless somebody knows better; both
 * directions agree on it. By a tunnel's own port its packets are known for what they are.
 */
static void rewrite_ports(const struct walk *w, uint8_t *p, struct sum *transport,
			  struct sum *outer)
{
	struct sum *const sums[2] = {transport, outer};
	uint16_t port[2] = {load_be16(p), load_be16(p + 2)};
	bool fixed[2];

	for (unsigned i = 0; i < 2; i++)
		fixed[i] = port[i] < PORT_FIRST || (transport->udp && udp_port_of_tunnel(0, port[i]));
	for (unsigned i = 0; i < 2; i++) {
		uint8_t new[2];
		if (fixed[i] || (!fixed[1 - i] && port[i] < port[1 - i]))
			continue;
		store_be16(new, new_port(w, port[i]));
		replace(p + 2 * i, new, 2, sums, 2);
	}
}

/* Where this protocol keeps its checksum, if that covers addresses too: 0 it does not. */
static unsigned checksum_offset(unsigned version, uint8_t proto)
{
	enum { PROTO_DCCP = 33, PROTO_UDPLITE = 136 };

	switch (proto) {
	case PROTO_TCP:
		return 16;
	case PROTO_UDP:
	case PROTO_UDPLITE: /* RFC 3828 section 3.1 */
	case PROTO_DCCP:    /* RFC 4340 section 5.1 */
		return 6;
	case PROTO_ICMP6:
		return version == 6 ? 2 : 0;
	default:
		return 0;
	}
}

struct ip {
	unsigned version;
	uint8_t proto;
	uint8_t *src, *dst, *header_sum;
	bool later_fragment;
	bool routed; /* dst is not the final one, which the transport's checksum is about */
};

static uint8_t *at(const struct walk *w)
{
	return w->base + w->c.pos;
}

/* A packet ends where its length says, before any padding; 0 is offload's, or a jumbogram's. */
static void trim(struct walk *w, size_t done, size_t length)
{
	if (length > done && length - done < cursor_left(&w->c))
		w->c.len = w->c.pos + (length - done);
}

/* Both parse functions leave the cursor behind the header; false: not an IP header. */
static bool parse_ip4(struct walk *w, struct ip *ip)
{
	uint8_t *p = at(w);
	const uint8_t *b = cursor_bytes(&w->c, 20);

	if (b == NULL || b[0] >> 4 != 4 || (b[0] & 15) < 5)
		return false;
	*ip = (struct ip){.version = 4, .proto = b[9], .src = p + 12, .dst = p + 16,
			  .header_sum = p + 10,
			  .later_fragment = (load_be16(b + 6) & 0x1fff) != 0};
	trim(w, 20, load_be16(b + 2));
	cursor_skip(&w->c, (size_t)(b[0] & 15) * 4 - 20);
	return true;
}

static bool parse_ip6(struct walk *w, struct ip *ip)
{
	uint8_t *p = at(w);
	const uint8_t *b = cursor_bytes(&w->c, 40);

	if (b == NULL || b[0] >> 4 != 6)
		return false;
	*ip = (struct ip){.version = 6, .proto = b[6], .src = p + 8, .dst = p + 24};
	trim(w, 0, load_be16(b + 4));
	for (unsigned i = 0; i < HEADERS_MAX; i++) {
		uint8_t this = ip->proto;
		if (this != PROTO_HOP_BY_HOP && this != PROTO_ROUTING && this != PROTO_FRAGMENT &&
		    this != PROTO_DESTINATION && this != PROTO_AH)
			break;
		const uint8_t *x = cursor_bytes(&w->c, 8);
		if (x == NULL)
			break;
		ip->proto = x[0];
		if (this == PROTO_ROUTING)
			ip->routed = x[3] != 0; /* segments left: RFC 8200 section 8.1 */
		if (this == PROTO_FRAGMENT)
			ip->later_fragment |= (load_be16(x + 2) & 0xfff8) != 0;
		else if (this == PROTO_AH)
			cursor_skip(&w->c, (size_t)x[1] * 4); /* words, less two: RFC 4302 */
		else
			cursor_skip(&w->c, (size_t)x[1] * 8);
	}
	return true;
}

static void rewrite_packet(struct walk *w, unsigned version, struct sum *outer, unsigned depth);

/* ICMP errors quote a packet, 8 bytes in: RFC 792, RFC 4443 section 3. */
static void rewrite_icmp(struct walk *w, const struct ip *ip, struct sum *outer)
{
	uint8_t *p = at(w);
	const uint8_t *b = cursor_bytes(&w->c, 8);

	if (b == NULL)
		return;
	bool error4 = (b[0] >= 3 && b[0] <= 5) || b[0] == 11 || b[0] == 12;
	bool error = ip->version == 4 ? error4 : b[0] >= 1 && b[0] <= 4;
	if (!error)
		return;
	struct sum sum = {.at = p + 2, .outer = outer};
	rewrite_packet(w, ip->version, &sum, 1);
}

/* outer: the sum of the ICMP error that this packet is quoted in. */
static void rewrite_packet(struct walk *w, unsigned version, struct sum *outer, unsigned depth)
{
	struct ip ip;

	if (!(version == 4 ? parse_ip4(w, &ip) : parse_ip6(w, &ip)))
		return;
	struct sum header = {.at = ip.header_sum, .outer = outer};
	struct sum transport = {.udp = ip.proto == PROTO_UDP, .outer = outer};
	unsigned offset = checksum_offset(ip.version, ip.proto);
	bool first = cursor_ok(&w->c) && !ip.later_fragment;
	if (first && offset != 0 && cursor_left(&w->c) >= offset + 2)
		transport.at = at(w) + offset;
	struct sum *sums[3] = {&header, outer, &transport};
	rewrite_address(w, ip.version, ip.src, sums, 3);
	rewrite_address(w, ip.version, ip.dst, sums, ip.routed ? 2 : 3);
	if (!first)
		return;
	bool ports = ip.proto == PROTO_TCP || ip.proto == PROTO_UDP;
	if (ports && w->cfg->vary == REWRITE_VARY_PORTS && w->loop > 0 && cursor_left(&w->c) >= 4)
		rewrite_ports(w, at(w), &transport, outer);
	if (depth == 0 && ip.proto == (ip.version == 4 ? PROTO_ICMP : PROTO_ICMP6))
		rewrite_icmp(w, &ip, outer);
}

/* RFC 826, of IPv4 over Ethernet: hardware 1, protocol 0x0800, lengths 6 and 4. */
static void rewrite_arp(struct walk *w)
{
	static const uint8_t ip4[6] = {0, 1, 0x08, 0, 6, 4};
	uint8_t *p = at(w);
	const uint8_t *b = cursor_bytes(&w->c, 28);

	if (b == NULL || memcmp(b, ip4, sizeof(ip4)) != 0)
		return;
	rewrite_address(w, 4, p + 14, NULL, 0);
	rewrite_address(w, 4, p + 24, NULL, 0);
}

/* RFC 2516 section 4 and the protocols of IP over PPP; 0: something else. */
static uint16_t behind_pppoe(struct walk *w)
{
	cursor_skip(&w->c, 6);
	uint16_t protocol = cursor_be16(&w->c);
	return protocol == 0x0021 ? ETHER_IP4 : protocol == 0x0057 ? ETHER_IP6 : 0;
}

void rewrite_ip(const struct rewrite_config *cfg, uint64_t loop, uint8_t *frame, uint32_t len)
{
	struct walk w = {.cfg = cfg, .loop = loop, .base = frame, .c = cursor_of(frame, len)};

	cursor_skip(&w.c, 12);
	uint16_t type = cursor_be16(&w.c);
	for (unsigned i = 0; i < HEADERS_MAX; i++) {
		if (type != ETHER_VLAN && type != ETHER_QINQ && type != ETHER_QINQ_OLD &&
		    type != ETHER_QINQ_OLDER)
			break;
		cursor_skip(&w.c, 2);
		type = cursor_be16(&w.c);
	}
	if (type == ETHER_PPPOE)
		type = behind_pppoe(&w);
	if (type == ETHER_ARP)
		rewrite_arp(&w);
	else if (type == ETHER_IP4 || type == ETHER_IP6)
		rewrite_packet(&w, type == ETHER_IP4 ? 4 : 6, NULL, 0);
}
