/* SPDX-License-Identifier: BSD-3-Clause */

/* Internet checksums (RFC 1071) of headers in which addresses were replaced. */

#include "tools/privacy/scrub_walk.h"

#include "dataplane/decode_scan.h"

/* Added to what would be right, where it was wrong: nothing of the old address is left in it. */
#define WRONG_BY 0x5aa5u

static uint16_t field(const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t add(uint16_t a, uint16_t b)
{
	return inet_fold((uint64_t)a + b);
}

static uint16_t not16(uint16_t v)
{
	return (uint16_t)~v;
}

/* Zero has two forms. */
static bool same(uint16_t a, uint16_t b)
{
	return a == b || (not16(a) == b && (a == 0 || b == 0));
}

static uint16_t addresses(const struct walk_ip *ip, bool as)
{
	const struct ip_addr *src = as ? &ip->as_src : &ip->src, *dst = as ? &ip->as_dst : &ip->dst;
	size_t at = ip->version == 4 ? 12 : 0;

	return inet_fold(inet_sum(src->b + at, 16 - at) + inet_sum(dst->b + at, 16 - at));
}

/* Length and protocol of the pseudo header, which sum up alike in both versions. */
static uint16_t rest_of_pseudo(const struct walk_ip *ip, uint32_t len)
{
	const uint8_t b[8] = {(uint8_t)(len >> 24),
			      (uint8_t)(len >> 16),
			      (uint8_t)(len >> 8),
			      (uint8_t)len,
			      0,
			      0,
			      0,
			      ip->proto};

	return inet_fold(inet_sum(b, sizeof(b)));
}

/*
 * The sender left it to its card and put the sum of the pseudo header there: with the length, or
 * without it where the card cuts segments itself.
 */
static bool offloaded(const struct walk_ip *ip, uint32_t n, uint16_t had, uint16_t *becomes)
{
	for (unsigned i = 0; i < 2; i++) {
		uint16_t rest = rest_of_pseudo(ip, i == 0 ? n : 0);
		if (had != add(addresses(ip, false), rest))
			continue;
		*becomes = add(addresses(ip, true), rest);
		return true;
	}
	return false;
}

/* Of n bytes at p but for the checksum, which has to lie at an even offset. */
static uint16_t sum_without(const uint8_t *p, size_t n, size_t at)
{
	uint64_t sum = inet_sum(p, at);

	if (n > at + 2)
		sum += inet_sum(p + at + 2, n - at - 2);
	return inet_fold(sum);
}

void walk_checksum(struct walk *w, const struct walk_ip *ip, uint32_t claimed, size_t from,
		   size_t n, size_t at, bool whole)
{
	if (from + n > w->len || at < from || at + 2 > from + n)
		return;
	uint16_t had = field(w->was + at), becomes;
	uint16_t was = sum_without(w->was + from, n, at - from);
	uint16_t now = sum_without(w->now + from, n, at - from);
	if (ip != NULL) {
		uint16_t rest = rest_of_pseudo(ip, claimed);
		was = add(was, add(addresses(ip, false), rest));
		now = add(now, add(addresses(ip, true), rest));
	}
	bool udp = ip != NULL && ip->proto == WALK_UDP;
	bool right = whole && same(had, not16(was)) && !(udp && had == 0);
	if (right)
		becomes = not16(now);
	else if (had == 0)
		becomes = 0; /* none, or left to the card */
	else if (ip != NULL && offloaded(ip, claimed, had, &becomes))
		;
	else if (whole)
		becomes = was == now ? had : add(not16(now), WRONG_BY);
	else
		becomes = not16(add(add(not16(had), not16(was)), now));
	if (udp && had != 0 && becomes == 0)
		becomes = 0xffff;
	memcpy(w->now + at, &becomes, sizeof(becomes));
}
