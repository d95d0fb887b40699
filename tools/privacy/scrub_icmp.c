/* SPDX-License-Identifier: BSD-3-Clause */

/* ICMP with the packets that it quotes, and neighbour discovery (RFC 4861). */

#include "tools/privacy/scrub_walk.h"

static void walk_quote(struct walk *w)
{
	w->quoted = true;
	walk_ip(w);
}

static void walk_icmp4(struct walk *w, uint8_t *p)
{
	enum { UNREACHABLE = 3, QUENCH, REDIRECT, EXCEEDED = 11, PROBLEM, STAMP, STAMP_REPLY };

	switch (p[0]) {
	case REDIRECT:
		walk_ip4(w, p + 4);
		walk_quote(w);
		break;
	case UNREACHABLE:
	case QUENCH:
	case EXCEEDED:
	case PROBLEM:
		walk_quote(w);
		break;
	case STAMP:
	case STAMP_REPLY:
		walk_cut(w, w->pos + 12);
		break;
	default:
		/* Of an echo the tool that sent it, of the others addresses or a mask. */
		if (!w->s->cfg.keep_payload || (p[0] != 0 && p[0] != 8))
			walk_cut(w, w->pos);
		break;
	}
}

/* Bits of a prefix that are not its own become zero again. */
static void mask(uint8_t b[16], unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static void neighbour_options(struct walk *w)
{
	enum { SOURCE_LINK = 1, TARGET_LINK, PREFIX, MTU = 5 };

	while (walk_left(w) >= 2) {
		size_t at = w->pos, n = w->now[at + 1] * 8u;
		uint8_t *p = n != 0 ? walk_take(w, n) : NULL;
		if (p == NULL) {
			walk_cut(w, at);
			return;
		}
		if ((p[0] == SOURCE_LINK || p[0] == TARGET_LINK) && n == 8) {
			walk_mac(w, p + 2);
		} else if (p[0] == PREFIX && n == 32) {
			walk_ip6(w, p + 16);
			mask(p + 16, p[2]);
		} else if (p[0] != MTU) {
			memset(p + 2, 0, n - 2);
		}
	}
	walk_cut(w, w->pos);
}

/* count addresses, then options. */
static void neighbour(struct walk *w, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		size_t at = w->pos;
		uint8_t *p = walk_take(w, 16);
		if (p == NULL) {
			walk_cut(w, at);
			return;
		}
		walk_ip6(w, p);
	}
	neighbour_options(w);
}

static void walk_icmp6(struct walk *w, const uint8_t *p)
{
	enum {
		PROBLEM = 4,
		ECHO = 128,
		ECHO_REPLY,
		SOLICIT_ROUTER = 133,
		ROUTER,
		SOLICIT,
		NEIGHBOUR,
		REDIRECT
	};

	switch (p[0]) {
	case SOLICIT_ROUTER:
		neighbour(w, 0);
		break;
	case ROUTER:
		if (walk_take(w, 8) != NULL)
			neighbour(w, 0);
		else
			walk_cut(w, w->pos);
		break;
	case SOLICIT:
	case NEIGHBOUR:
		neighbour(w, 1);
		break;
	case REDIRECT:
		neighbour(w, 2);
		break;
	default:
		if (p[0] >= 1 && p[0] <= PROBLEM)
			walk_quote(w);
		else if (!w->s->cfg.keep_payload || (p[0] != ECHO && p[0] != ECHO_REPLY))
			walk_cut(w, w->pos);
		break;
	}
}

void walk_icmp(struct walk *w, const struct walk_ip *ip)
{
	size_t at = w->pos;
	uint8_t *p = walk_take(w, 8);

	/* A message that a message quotes is one that nobody answers with its own quote. */
	if (p == NULL || w->quoted || (ip->proto == WALK_ICMP6) != (ip->version == 6)) {
		walk_cut(w, p != NULL ? w->pos : at);
		if (p == NULL)
			return;
	} else if (ip->version == 4) {
		walk_icmp4(w, p);
	} else {
		walk_icmp6(w, p);
	}
	walk_checksum(w, ip->version == 6 ? ip : NULL, ip->body_len, at, w->len - at, at + 2,
		      ip->whole);
}
