/* SPDX-License-Identifier: BSD-3-Clause */

/* packet_decode(), and the IP layer. */

#include "dataplane/decode.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "dataplane/decode_scan.h"

#define IP6_EXT_MAX 8

const char *const decode_end_name[DECODE_N_ENDS] = {
	[DECODE_OK] = "ok",
	[DECODE_NO_PORTS] = "no_ports",
	[DECODE_FRAGMENT] = "fragment",
	[DECODE_NOT_IP] = "not_ip",
	[DECODE_LINKTYPE] = "linktype",
	[DECODE_CUT_LINK] = "cut_link",
	[DECODE_CUT_IP] = "cut_ip",
	[DECODE_CUT_TRANSPORT] = "cut_transport",
	[DECODE_BAD_IP] = "bad_ip",
	[DECODE_TUNNEL_DEPTH] = "tunnel_depth",
};

enum next scan_end(struct scan *s, enum decode_end end)
{
	struct headers *h = s->h;
	h->end = end;
	switch (end) {
	case DECODE_NOT_IP:
	case DECODE_LINKTYPE:
	case DECODE_CUT_LINK:
	case DECODE_CUT_IP:
	case DECODE_BAD_IP:
		h->reached = end == DECODE_LINKTYPE || end == DECODE_CUT_LINK ? LAYER_NONE
									     : LAYER_LINK;
		if (h->ip_version != 0)
			memset(&h->ip_version, 0,
			       sizeof(*h) - offsetof(struct headers, ip_version));
		break;
	default:
		break;
	}
	return NEXT_DONE;
}

/*
 * Where the datagram ends, by its own claim and by what the wire had; sets ip_len and anomalies.
 * hlen is the IP header's length, at the start of which the cursor stands.
 */
static void scan_ip_length(struct scan *s, uint32_t claim, uint32_t hlen)
{
	struct headers *h = s->h;
	size_t wire = scan_wire_left(s);
	if (claim > LARGEST_MTU)
		h->anomalies |= ANOMALY_TSO;
	if (claim < hlen || claim > wire)
		h->anomalies |= ANOMALY_IP_LEN;
	scan_trim(s, claim > hlen ? claim : hlen);
	h->ip_len = claim;
	h->l3_caplen = (uint32_t)cursor_left(&s->c);
}

static void ip4_addr(struct ip_addr *a, const uint8_t *p)
{
	memset(a->b, 0, 10);
	a->b[10] = a->b[11] = 0xff;
	memcpy(a->b + 12, p, 4);
}

/* RFC 791 section 3.1. The cursor stands at the header, version 4. */
static enum next scan_ip4(struct scan *s)
{
	struct headers *h = s->h;
	struct cursor start = s->c;
	const uint8_t *p = cursor_bytes(&start, 20);
	if (p == NULL)
		return scan_end(s, DECODE_CUT_IP);
	uint32_t hlen = (p[0] & 0xfu) * 4;
	if (hlen < 20 || hlen > scan_wire_left(s)) {
		h->anomalies |= ANOMALY_IP_HLEN;
		return scan_end(s, DECODE_BAD_IP);
	}
	if (hlen > cursor_left(&s->c))
		return scan_end(s, DECODE_CUT_IP);

	uint32_t claim = load_be16(p + 2);
	if (claim == 0 && scan_wire_left(s) > hlen) {
		/* The sender's card cuts it into segments and fills this in (TSO). */
		claim = (uint32_t)scan_wire_left(s);
		h->anomalies |= ANOMALY_TSO;
	}
	h->l3 = p;
	scan_ip_length(s, claim, hlen);
	cursor_skip(&s->c, hlen);

	uint16_t frag = load_be16(p + 6);
	if (frag & 0x8000)
		h->anomalies |= ANOMALY_IP_FLAG_RESERVED;
	if (load_be16(p + 10) != 0 && inet_fold(inet_sum(p, hlen)) != 0xffff)
		h->anomalies |= ANOMALY_IP_CHECKSUM;
	h->ip_version = 4;
	h->tos = p[1];
	h->ip_id = load_be16(p + 4);
	h->df = (frag & 0x4000) != 0;
	h->mf = (frag & 0x2000) != 0;
	h->frag_offset = (uint16_t)((frag & 0x1fff) * 8);
	h->frag_id = 0;
	h->flow_label = 0;
	h->ttl = p[8];
	h->proto = p[9];
	h->ip_hlen = (uint16_t)hlen;
	ip4_addr(&h->src, p + 12);
	ip4_addr(&h->dst, p + 16);
	h->reached = LAYER_IP;
	if (h->mf || h->frag_offset != 0) {
		h->frag_id = h->ip_id;
		return scan_end(s, DECODE_FRAGMENT);
	}
	return scan_transport(s);
}

/* Length of an extension header by its second byte, or 0: not an extension header we step over. */
static uint32_t ip6_ext_len(uint8_t proto, uint8_t len)
{
	switch (proto) {
	case PROTO_HOP_BY_HOP:
	case PROTO_ROUTING:
	case PROTO_DESTINATION:
	case PROTO_MOBILITY:
		return (len + 1u) * 8;
	case PROTO_FRAGMENT:
		return 8;
	case PROTO_AH: /* RFC 4302 section 2.2 counts in words, less two */
		return (len + 2u) * 4;
	default:
		return 0;
	}
}

void scan_ip6_chain(struct cursor *c, uint8_t first, struct ip6_chain *out)
{
	*out = (struct ip6_chain){.proto = first};
	for (unsigned n = 0; ip6_ext_len(out->proto, 0) != 0; n++) {
		if (n == IP6_EXT_MAX) {
			out->malformed = true;
			return;
		}
		struct cursor ext = *c;
		uint8_t next = cursor_u8(&ext);
		uint32_t len = ip6_ext_len(out->proto, cursor_u8(&ext));
		const uint8_t *p = cursor_bytes(c, len);
		if (!cursor_ok(&ext) || p == NULL) {
			out->cut = true;
			return;
		}
		/* RFC 8200 section 4.1: hop-by-hop options come first or not at all. */
		if (out->proto == PROTO_HOP_BY_HOP && n != 0)
			out->malformed = true;
		bool fragment = out->proto == PROTO_FRAGMENT;
		out->proto = next;
		if (fragment) {
			uint16_t field = load_be16(p + 2);
			out->offset = field & 0xfff8;
			out->mf = (field & 1) != 0;
			out->id = load_be32(p + 4);
			/* An atomic fragment is whole (RFC 6946). */
			out->fragment = out->mf || out->offset != 0;
			if (out->fragment)
				return;
		}
	}
}

static enum next scan_ip6_payload(struct scan *s, uint8_t first)
{
	struct headers *h = s->h;
	size_t start = s->c.pos;
	struct ip6_chain chain;
	scan_ip6_chain(&s->c, first, &chain);
	h->proto = chain.proto;
	h->mf = chain.mf;
	h->frag_offset = chain.offset;
	h->frag_id = chain.fragment ? chain.id : 0;
	h->ip_hlen = (uint16_t)(40 + s->c.pos - start);
	if (chain.malformed)
		h->anomalies |= ANOMALY_IP6_EXT;
	if (chain.cut) {
		/* Broken only if nothing of the datagram is missing here. */
		if (s->c.len == s->wire)
			h->anomalies |= ANOMALY_IP6_EXT;
		return scan_end(s, DECODE_CUT_TRANSPORT);
	}
	if (chain.fragment)
		return scan_end(s, DECODE_FRAGMENT);
	if (ip6_ext_len(chain.proto, 0) != 0)
		return scan_end(s, DECODE_NO_PORTS);
	return scan_transport(s);
}

/* RFC 8200 section 3. The cursor stands at the header, version 6. */
static enum next scan_ip6(struct scan *s)
{
	struct headers *h = s->h;
	struct cursor start = s->c;
	const uint8_t *p = cursor_bytes(&start, 40);
	if (p == NULL)
		return scan_end(s, DECODE_CUT_IP);
	uint32_t first = load_be32(p);
	uint32_t claim = 40u + load_be16(p + 4);
	if (claim == 40 && p[6] != PROTO_NONE && scan_wire_left(s) > 40) {
		claim = (uint32_t)scan_wire_left(s);
		h->anomalies |= ANOMALY_TSO;
	}
	h->l3 = p;
	scan_ip_length(s, claim, 40);
	cursor_skip(&s->c, 40);
	h->ip_version = 6;
	h->tos = (uint8_t)(first >> 20);
	h->flow_label = first & 0xfffff;
	h->df = false;
	h->ip_id = 0;
	h->ttl = p[7];
	memcpy(h->src.b, p + 8, 16);
	memcpy(h->dst.b, p + 24, 16);
	h->reached = LAYER_IP;
	return scan_ip6_payload(s, p[6]);
}

static enum next scan_ip(struct scan *s, enum next expected)
{
	struct cursor peek = s->c;
	uint8_t version = cursor_u8(&peek) >> 4;
	if (!cursor_ok(&peek))
		return scan_end(s, DECODE_CUT_IP);
	if ((expected == NEXT_IP4 && version != 4) || (expected == NEXT_IP6 && version != 6))
		s->h->anomalies |= ANOMALY_IP_VERSION;
	if (version == 4)
		return scan_ip4(s);
	if (version == 6)
		return scan_ip6(s);
	s->h->anomalies |= ANOMALY_IP_VERSION;
	return scan_end(s, DECODE_BAD_IP);
}

/* Each turn but the first goes through scan_tunnel(), which ends it after TUNNELS_MAX. */
static void scan_all(struct scan *s, enum next next)
{
	while (next != NEXT_DONE)
		next = next == NEXT_ETHERNET ? scan_ethernet(s) : scan_ip(s, next);
}

static void scan_start(struct scan *s, const struct packet *pkt, struct headers *h)
{
	s->c.base = pkt->data;
	s->c.len = pkt->caplen;
	s->c.pos = 0;
	s->c.failed = false;
	s->wire = pkt->wirelen > pkt->caplen ? pkt->wirelen : pkt->caplen;
	s->frame = SCAN_NOT_ETHERNET;
	s->h = h;
}

void packet_decode(const struct packet *pkt, struct headers *out)
{
	memset(out, 0, sizeof(*out));
	out->sll_direction = 0xff;
	if (scan_usual(pkt, out))
		return;
	struct scan s;
	scan_start(&s, pkt, out);
	enum next next = scan_link(&s, pkt->linktype);
	if (next != NEXT_DONE)
		out->reached = LAYER_LINK;
	scan_all(&s, next);
}

void scan_ip_packet(const struct packet *pkt, struct headers *h)
{
	memset(&h->ip_version, 0, sizeof(*h) - offsetof(struct headers, ip_version));
	h->end = DECODE_OK;
	h->reached = LAYER_LINK;
	struct scan s;
	scan_start(&s, pkt, h);
	scan_all(&s, NEXT_IP);
}

/* As inet_ntop() writes it, which goes through printf(): reports hold many addresses. */
static void format4(const uint8_t b[4], char out[INET_ADDRSTRLEN])
{
	for (unsigned i = 0; i < 4; i++) {
		if (b[i] >= 100)
			*out++ = (char)('0' + b[i] / 100);
		if (b[i] >= 10)
			*out++ = (char)('0' + b[i] / 10 % 10);
		*out++ = (char)('0' + b[i] % 10);
		*out++ = i < 3 ? '.' : '\0';
	}
}

const char *ip_addr_format(const struct ip_addr *a, unsigned ip_version, char *buf, size_t len)
{
	char text[INET6_ADDRSTRLEN] = "";
	if (ip_version == 4)
		format4(a->b + 12, text);
	else
		inet_ntop(AF_INET6, a->b, text, sizeof(text));
	size_t n = strlen(text) + 1;
	if (n <= len)
		memcpy(buf, text, n);
	else if (len != 0)
		buf[0] = '\0';
	return buf;
}
