/* SPDX-License-Identifier: BSD-3-Clause */

/* TCP, UDP and ICMP: the innermost layer that the analysis reads. */

#include "dataplane/decode_scan.h"

/* The transport payload from the cursor on, len bytes of it by the headers' claim. */
static enum next scan_payload(struct scan *s, size_t len)
{
	struct headers *h = s->h;
	size_t here = cursor_left(&s->c);
	h->payload = s->c.base + s->c.pos;
	h->payload_len = (uint32_t)len;
	h->payload_caplen = (uint32_t)(here < len ? here : len);
	h->reached = LAYER_TRANSPORT;
	return scan_end(s, DECODE_OK);
}

static bool all_zero(const uint8_t *p, size_t n)
{
	uint8_t any = 0;
	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return any == 0;
}

/* Some boxes put a frame's padding into the IP length: zeros that end where 60 bytes do. */
static void check_padding(const struct scan *s)
{
	struct headers *h = s->h;
	if (h->payload_len == 0 || h->payload_len > 6 || h->payload_caplen != h->payload_len)
		return;
	size_t before = 14;
	if (s->frame != SCAN_NOT_ETHERNET)
		before = (size_t)(h->l3 - s->c.base) - s->frame;
	else if (h->sll_direction == 0xff || h->n_tunnels != 0)
		return;
	if (before + h->ip_len == 60 && all_zero(h->payload, h->payload_len))
		h->anomalies |= ANOMALY_ETH_PADDING;
}

/* One SACK option's edges, RFC 2018 section 3; more than four pairs do not fit the option space. */
static void parse_sack(struct headers *h, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 8 <= n && h->n_sack < 4; i += 8) {
		h->sack[2 * h->n_sack] = load_be32(p + i);
		h->sack[2 * h->n_sack + 1] = load_be32(p + i + 4);
		h->n_sack++;
	}
}

/* p: an option's n bytes after kind and length. False when n is not what its kind asks for. */
static bool parse_option(struct headers *h, uint8_t kind, const uint8_t *p, size_t n)
{
	switch (kind) {
	case 2:
		if (n != 2)
			return false;
		h->has_mss = true;
		h->mss = load_be16(p);
		return true;
	case 3:
		if (n != 1)
			return false;
		h->has_wscale = true;
		h->wscale = p[0];
		return true;
	case 4:
		if (n != 0)
			return false;
		h->sack_permitted = true;
		return true;
	case 5:
		if (n == 0 || n % 8 != 0)
			return false;
		parse_sack(h, p, n);
		return true;
	case 8:
		if (n != 8)
			return false;
		h->has_ts = true;
		h->tsval = load_be32(p);
		h->tsecr = load_be32(p + 4);
		return true;
	default:
		return true;
	}
}

/* What nearly every segment of an established connection has (RFC 7323, appendix A). */
static bool parse_timestamps_only(struct headers *h, const struct cursor *c)
{
	const uint8_t *p = c->base + c->pos;
	if (cursor_left(c) != 12 || load_be32(p) != TIMESTAMPS_HEAD)
		return false;
	scan_timestamps(h, p);
	return true;
}

/*
 * RFC 9293 section 3.2. c holds the options that are here; cut: it does not hold them all. What is
 * known is kept when one is impossible, for a forger's list ends as tellingly as it starts.
 */
static void parse_options(struct headers *h, struct cursor c, bool cut)
{
	enum { EOL, NOP };
	if (!cut && parse_timestamps_only(h, &c))
		return;
	while (cursor_left(&c) != 0) {
		uint8_t kind = cursor_u8(&c);
		if (h->n_options < TCP_OPTIONS_MAX)
			h->options[h->n_options++] = kind;
		if (kind == EOL)
			break;
		if (kind == NOP)
			continue;
		uint8_t len = cursor_u8(&c);
		const uint8_t *p = len >= 2 ? cursor_bytes(&c, len - 2u) : NULL;
		if (!cursor_ok(&c) && cut)
			break;
		if (len < 2 || !cursor_ok(&c)) {
			h->anomalies |= ANOMALY_TCP_OPTIONS;
			break;
		}
		if (!parse_option(h, kind, p, len - 2u))
			h->anomalies |= ANOMALY_TCP_OPTIONS;
	}
	h->options_cut = cut;
}

static enum next scan_tcp(struct scan *s)
{
	struct headers *h = s->h;
	size_t seg = scan_wire_left(s), here = cursor_left(&s->c);
	const uint8_t *p = s->c.base + s->c.pos;
	if (here >= 4) {
		h->sport = load_be16(p);
		h->dport = load_be16(p + 2);
	}
	/* Up to the flags, unless the segment itself is shorter than its header should be. */
	if (here < 14 || (here < 20 && seg >= 20))
		return scan_end(s, DECODE_CUT_TRANSPORT);
	h->seq = load_be32(p + 4);
	h->ack = load_be32(p + 8);
	h->tcp_hlen = (uint8_t)((p[12] >> 4) * 4);
	h->flags = load_be16(p + 12) & 0xfff;
	if (here >= 16)
		h->window = load_be16(p + 14);
	if (here >= 20)
		h->urgent = load_be16(p + 18);
	bool syn_and = (h->flags & TCP_SYN) && (h->flags & (TCP_FIN | TCP_RST));
	if (syn_and || (h->flags & 0x3f) == 0)
		h->anomalies |= ANOMALY_TCP_FLAGS;
	if (h->tcp_hlen < 20 || h->tcp_hlen > seg) {
		h->anomalies |= ANOMALY_TCP_HLEN;
		cursor_skip(&s->c, here);
		return scan_payload(s, 0);
	}
	if (h->tcp_hlen > 20) {
		size_t end = here < h->tcp_hlen ? here : h->tcp_hlen;
		parse_options(h, cursor_of(p + 20, end - 20), end < h->tcp_hlen);
	}
	cursor_skip(&s->c, here < h->tcp_hlen ? here : h->tcp_hlen);
	scan_payload(s, seg - h->tcp_hlen);
	check_padding(s);
	return NEXT_DONE;
}

/* RFC 768. A length of 0 is a datagram too long for the field (RFC 2675) or broken: take it all. */
static enum next scan_udp(struct scan *s)
{
	struct headers *h = s->h;
	size_t seg = scan_wire_left(s), here = cursor_left(&s->c);
	const uint8_t *p = s->c.base + s->c.pos;
	if (here < 4)
		return scan_end(s, DECODE_CUT_TRANSPORT);
	h->sport = load_be16(p);
	h->dport = load_be16(p + 2);
	size_t len = here >= 6 ? load_be16(p + 4) : seg;
	if (seg < 8 || len < 8 || len > seg)
		h->anomalies |= ANOMALY_UDP_LEN;
	size_t body = len >= 8 && len < seg ? len : seg;
	cursor_skip(&s->c, here < 8 ? here : 8);
	if (here >= 8)
		scan_trim(s, body - 8);
	struct tunnel_head tunnel;
	if (here >= 8 && body >= 8 && udp_port_of_tunnel(h->sport, h->dport) &&
	    scan_udp_tunnel(s, h->sport, h->dport, &tunnel, &h->tunnel_closed)) {
		h->sport = h->dport = 0;
		return scan_enter(s, &tunnel);
	}
	return scan_payload(s, body < 8 ? 0 : body - 8);
}

/* Transport header of a quoted packet: 8 bytes are all that RFC 792 promises. */
static void parse_quoted_transport(struct headers *h, struct cursor *c)
{
	switch (h->quoted_proto) {
	case PROTO_TCP:
	case PROTO_UDP:
		h->quoted_sport = cursor_be16(c);
		h->quoted_dport = cursor_be16(c);
		h->quoted_ok = cursor_ok(c);
		if (h->quoted_proto == PROTO_TCP)
			h->quoted_seq = cursor_be32(c);
		break;
	case PROTO_ICMP:
	case PROTO_ICMP6:
		h->quoted_sport = cursor_u8(c);
		h->quoted_dport = cursor_u8(c);
		h->quoted_ok = cursor_ok(c);
		break;
	default:
		h->quoted_ok = true;
		break;
	}
}

static void parse_quoted_ip4(struct headers *h, struct cursor c)
{
	const uint8_t *p = cursor_bytes(&c, 20);
	if (p == NULL || p[0] >> 4 != 4 || (p[0] & 0xf) < 5)
		return;
	cursor_skip(&c, (p[0] & 0xfu) * 4 - 20);
	h->quoted_tos = p[1];
	h->quoted_ip_id = load_be16(p + 4);
	h->quoted_df = (p[6] & 0x40) != 0;
	h->quoted_ttl = p[8];
	h->quoted_proto = p[9];
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	memcpy(h->quoted_src.b, mapped, sizeof(mapped));
	memcpy(h->quoted_dst.b, mapped, sizeof(mapped));
	memcpy(h->quoted_src.b + 12, p + 12, 4);
	memcpy(h->quoted_dst.b + 12, p + 16, 4);
	if ((load_be16(p + 6) & 0x1fff) == 0 && cursor_ok(&c))
		parse_quoted_transport(h, &c);
}

static void parse_quoted_ip6(struct headers *h, struct cursor c)
{
	const uint8_t *p = cursor_bytes(&c, 40);
	if (p == NULL || p[0] >> 4 != 6)
		return;
	struct ip6_chain chain;
	scan_ip6_chain(&c, p[6], &chain);
	h->quoted_tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
	h->quoted_ttl = p[7];
	h->quoted_proto = chain.proto;
	memcpy(h->quoted_src.b, p + 8, 16);
	memcpy(h->quoted_dst.b, p + 24, 16);
	/* Of a fragmented packet the first fragment has the ports. */
	if (!chain.cut && chain.offset == 0)
		parse_quoted_transport(h, &c);
}

static enum next scan_icmp(struct scan *s)
{
	struct headers *h = s->h;
	bool v6 = h->ip_version == 6;
	const uint8_t *p = cursor_bytes(&s->c, 4);
	if (p == NULL)
		return scan_end(s, DECODE_CUT_TRANSPORT);
	h->sport = p[0];
	h->dport = p[1];
	size_t rest = cursor_left(&s->c), seg = scan_wire_left(s);
	cursor_skip(&s->c, rest < 4 ? rest : 4);
	uint8_t type = p[0];
	h->is_icmp_error = v6 ? type >= 1 && type <= 4
			      : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
	if (h->is_icmp_error && v6)
		parse_quoted_ip6(h, s->c);
	else if (h->is_icmp_error)
		parse_quoted_ip4(h, s->c);
	return scan_payload(s, seg < 4 ? 0 : seg - 4);
}

enum next scan_transport(struct scan *s)
{
	struct headers *h = s->h;
	switch (h->proto) {
	case PROTO_TCP:
		return scan_tcp(s);
	case PROTO_UDP:
		return scan_udp(s);
	case PROTO_ICMP:
		return h->ip_version == 4 ? scan_icmp(s) : scan_end(s, DECODE_NO_PORTS);
	case PROTO_ICMP6:
		return h->ip_version == 6 ? scan_icmp(s) : scan_end(s, DECODE_NO_PORTS);
	case PROTO_GRE:
		return scan_gre(s);
	case PROTO_IP4:
	case PROTO_IP6:
		return scan_ip_in_ip(s);
	case PROTO_ESP:
	case PROTO_L2TP:
		h->tunnel_closed = true;
		return scan_end(s, DECODE_NO_PORTS);
	default:
		return scan_end(s, DECODE_NO_PORTS);
	}
}

bool tcp_is_whole(const struct headers *h)
{
	return h->end == DECODE_OK && h->proto == PROTO_TCP && h->l3 != NULL &&
	       h->ip_len >= h->ip_hlen + 20u && h->l3_caplen == h->ip_len;
}

/* RFC 9293 section 3.1; length and protocol sit alike in both pseudo headers. */
static uint64_t pseudo_sum(const struct headers *h)
{
	uint32_t len = h->ip_len - h->ip_hlen;
	const uint8_t pseudo[8] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
				   (uint8_t)len, 0, 0, 0, h->proto};
	uint64_t sum = inet_sum(pseudo, sizeof(pseudo));
	if (h->ip_version == 4)
		return sum + inet_sum(h->src.b + 12, 4) + inet_sum(h->dst.b + 12, 4);
	return sum + inet_sum(h->src.b, 16) + inet_sum(h->dst.b, 16);
}

bool tcp_checksum_ok(const struct headers *h)
{
	return !tcp_is_whole(h) ||
	       inet_fold(pseudo_sum(h) + inet_sum(h->l3 + h->ip_hlen, h->ip_len - h->ip_hlen)) == 0xffff;
}

bool transport_is_damaged(const struct headers *h)
{
	bool udp = h->end == DECODE_OK && h->proto == PROTO_UDP && h->l3 != NULL &&
		   h->ip_len >= h->ip_hlen + 8u && h->l3_caplen == h->ip_len;
	if (!udp && !tcp_is_whole(h))
		return false;
	const uint8_t *segment = h->l3 + h->ip_hlen;
	uint32_t len = h->ip_len - h->ip_hlen;
	uint16_t field;
	memcpy(&field, segment + (udp ? 6 : 16), sizeof(field));
	if (udp && (field == 0 || len != ((uint32_t)segment[4] << 8 | segment[5])))
		return false;
	uint64_t sum = pseudo_sum(h);
	return field != inet_fold(sum) && inet_fold(sum + inet_sum(segment, len)) != 0xffff;
}
