/* SPDX-License-Identifier: BSD-3-Clause */

/* The packet generator of tsg.h, by the arithmetic in its headers. */

#include "classifiers/device/device.h"
#include "classifiers/tamper/tsg.h"

static bool match(const struct view *v, const struct suspects *s, struct attribution *out)
{
	static const enum attribution_grade grades[] = {
		[TSG_PACKET] = ATTRIBUTION_A1,
		[TSG_PACKET_TTL] = ATTRIBUTION_A2,
		[TSG_SERIES] = ATTRIBUTION_A3,
		[TSG_UNKNOWN_SEED] = ATTRIBUTION_A3,
	};
	struct tsg_result r;
	if (!tsg_examine(v, s->event, s->n, &r))
		return false;
	out->grade = grades[r.rule];
	out->hops = r.hops;
	for (unsigned i = 0; i < r.n_packets; i++)
		attribution_packet(out, r.packets[i]);
	if (r.rule == TSG_UNKNOWN_SEED)
		attribution_says(out, "IP-ID, window and addresses agree on seed %u in every pair "
				      "of resets", r.seed);
	else
		attribution_says(out, "IP-ID, window and addresses fit seed %u, %u counter value%s, "
				      "TTL %s", r.seed, r.n_vals, r.n_vals == 1 ? "" : "s",
				 r.hops >= 0 ? "too" : "does not");
	return true;
}

const struct device dev_tsg[] = {
	{.id = "tsg-lineage", .doc = "packet generator whose window, IP-ID and TTL come from one "
				     "counter, a seed and the two addresses",
	 .source = "Ablove et al., Technical Analysis of the Geedge Networks Firewall Source Code "
		   "Leak, USENIX Security 2026, section 6.3",
	 .valid_from = "2022", .grade = ATTRIBUTION_A3, .attributed = true, .match = match},
	{.id = NULL},
};
