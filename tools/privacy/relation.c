/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/privacy/relation.h"

/* sip and dip as in the published listing, 0: as captured, 1: as shown. The counter stays. */
static bool recompute(const uint32_t sip[2], const uint32_t dip[2], uint32_t seed, bool any,
		      struct tsg_stamp *s)
{
	uint32_t val;
	int hops;

	if (seed == 0 || s->window == 0)
		return false;
	if (!any && !tsg_fits(sip[0], dip[0], s, seed, &hops, &val))
		return false;
	uint32_t window = s->window - dip[0] % seed + dip[1] % seed;
	if (window == 0 || window > UINT16_MAX)
		return false;
	/* Whatever the generator's constant is, the address is in the remainder alone. */
	s->ip_id = (uint16_t)(s->ip_id - sip[0] % s->window + sip[1] % window);
	s->window = (uint16_t)window;
	return true;
}

bool relation_apply(const struct relation *r, struct tsg_stamp *stamp)
{
	const uint32_t src[2] = {tsg_addr(&r->src), tsg_addr(&r->as_src)};
	const uint32_t dst[2] = {tsg_addr(&r->dst), tsg_addr(&r->as_dst)};

	/* Towards the client sip is the receiver; towards the server nobody has seen which. */
	return recompute(dst, src, TSG_SEED, false, stamp) ||
	       recompute(src, dst, TSG_SEED, false, stamp) ||
	       recompute(dst, src, r->seed[0], true, stamp) ||
	       recompute(src, dst, r->seed[1], true, stamp);
}
