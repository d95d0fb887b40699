/* SPDX-License-Identifier: BSD-3-Clause */

/* TCP and UDP headers. */

#include "tools/privacy/scrub_walk.h"

#include "tools/privacy/relation.h"

/* RFC 8684 section 3.4.1: an address that a host has besides. p: the option of n bytes. */
static void mptcp_option(const struct walk *w, uint8_t *p, size_t n)
{
	enum { ADD_ADDR = 3 };

	if (n < 4 || p[2] >> 4 != ADD_ADDR)
		return;
	/* With or without a port and, if it is no echo, an authentication code. */
	if (n == 8 || n == 10 || n == 16 || n == 18)
		walk_ip4(w, p + 4);
	else if (n == 20 || n == 22 || n == 28 || n == 30)
		walk_ip6(w, p + 4);
	else
		memset(p + 4, 0, n - 4);
}

static void tcp_option(const struct walk *w, uint8_t kind, uint8_t *p, size_t n)
{
	enum {
		MSS = 2,
		WSCALE,
		SACK_PERMITTED,
		SACK,
		TIMESTAMPS = 8,
		MD5 = 19,
		USER_TIMEOUT = 28,
		AO = 29,
		MPTCP = 30,
		FAST_OPEN = 34
	};

	switch (kind) {
	case MSS:
	case WSCALE:
	case SACK_PERMITTED:
	case SACK:
	case TIMESTAMPS:
	case MD5:
	case USER_TIMEOUT:
	case AO:
	case FAST_OPEN:
		break;
	case MPTCP:
		mptcp_option(w, p, n);
		break;
	default:
		/* Load balancers put the client's address into options of their own. */
		memset(p + 2, 0, n - 2);
		break;
	}
}

static void tcp_options(const struct walk *w, uint8_t *p, size_t len)
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
			/* What is behind the end, or cannot be told apart, is no option. */
			size_t from = i + (kind == END ? 1 : 2);
			if (from < len)
				memset(p + from, 0, len - from);
			return;
		}
		tcp_option(w, kind, p + i, n);
		i += n;
	}
}

static void tcp_relation(const struct walk *w, const struct walk_ip *ip, uint8_t *p)
{
	uint8_t *id = w->now + ip->at + 4, *window = p + 14;

	if (ip->version != 4 || (p[13] & TCP_RST) == 0)
		return;
	const struct pseudonyms *names = w->s->cfg.pseudonyms;
	struct relation r = {.src = ip->src,
			     .dst = ip->dst,
			     .as_src = ip->as_src,
			     .as_dst = ip->as_dst,
			     .seed = {pseudonyms_seed(names, &ip->dst, &ip->src),
				      pseudonyms_seed(names, &ip->src, &ip->dst)}};
	struct tsg_stamp s = {
		.window = load_be16(window), .ip_id = load_be16(id), .ttl = w->now[ip->at + 8]};
	if (relation_apply(&r, &s)) {
		store_be16(window, s.window);
		store_be16(id, s.ip_id);
	}
}

/*
 * A quote that ends before the flags may be of a reset whose IP-ID follows from the address, while
 * the window that would show it is not there.
 */
static void forget_id(const struct walk *w, const struct walk_ip *ip)
{
	struct ip_addr as;

	if (ip->version == 4 && pseudonyms_of(w->s->cfg.pseudonyms, &ip->dst, &as))
		memset(w->now + ip->at + 4, 0, 2);
}

static void walk_tcp(struct walk *w, const struct walk_ip *ip)
{
	size_t at = w->pos;
	uint8_t *p = walk_take(w, 20);

	if (p == NULL) {
		forget_id(w, ip);
		walk_cut(w, at + 14);
		return;
	}
	tcp_relation(w, ip, p);
	size_t hlen = (p[12] >> 4) * 4u;
	if (hlen < 20 || hlen - 20 > walk_left(w)) {
		if (hlen > 20)
			tcp_options(w, w->now + w->pos, walk_left(w));
		else
			walk_cut(w, w->pos);
	} else {
		tcp_options(w, w->now + w->pos, hlen - 20);
		w->pos += hlen - 20;
		if (w->quoted)
			walk_cut(w, w->pos);
		else
			walk_payload(w, ip, w->pos, w->len, load_be32(p + 4));
	}
	walk_checksum(w, ip, ip->body_len, at, w->len - at, at + 16, ip->whole);
}

static void walk_udp(struct walk *w, const struct walk_ip *ip)
{
	size_t at = w->pos, len = w->len;
	const uint8_t *p = walk_take(w, 8);

	if (p == NULL)
		return;
	size_t claimed = load_be16(p + 4);
	bool fits = claimed >= 8 && claimed <= ip->body_len;
	/* What is behind the datagram within IP's length is nobody's payload. */
	if (fits && at + claimed < w->len) {
		memset(w->now + at + claimed, 0, w->len - at - claimed);
		w->len = at + claimed;
	}
	size_t n = fits ? claimed : ip->body_len, wire = w->wire;
	if (claimed >= 8 && at + claimed < wire)
		wire = at + claimed;
	if (w->quoted)
		walk_cut(w, w->pos);
	else if (!walk_udp_tunnel(w, load_be16(p), load_be16(p + 2), wire))
		walk_payload(w, ip, w->pos, w->len, 0);
	walk_checksum(w, ip, (uint32_t)n, at, w->len - at, at + 6, ip->whole && w->len - at == n);
	w->len = len;
}

void walk_transport(struct walk *w, const struct walk_ip *ip)
{
	if (ip->proto == WALK_TCP)
		walk_tcp(w, ip);
	else
		walk_udp(w, ip);
}
