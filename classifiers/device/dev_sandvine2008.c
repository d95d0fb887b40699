/* SPDX-License-Identifier: BSD-3-Clause */

/* Weaver, Sommer, Paxson, NDSS 2009: the maker confirmed the odd distance as a bug of theirs. */

#include "classifiers/device/device.h"

#define DISTANCE 12503u
#define PAIR_NS 1000000000ull

static bool match(const struct view *v, const struct suspects *s, struct attribution *out)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct event *a = &v->e[s->event[i]];
		if (!device_is_reset(v, s->event[i]))
			continue;
		for (unsigned k = 0; k < v->n_rst; k++) {
			const struct event *b = &v->e[v->rst[k]];
			if (v->rst[k] <= s->event[i] || b->seq - a->seq != DISTANCE ||
			    b->ts_ns - a->ts_ns > PAIR_NS ||
			    ((a->flags ^ b->flags) & 0xfff) != 0)
				continue;
			attribution_packet(out, s->event[i]);
			attribution_packet(out, v->rst[k]);
		}
	}
	out->grade = ATTRIBUTION_A2;
	attribution_says(out, "pair of resets, the second 12503 past the first");
	return out->n_packets != 0;
}

const struct device dev_sandvine2008[] = {
	{.id = "sandvine-2008", .doc = "pairs of resets, the second exactly 12503 past the first",
	 .source = "Weaver, Sommer, Paxson, Detecting Forged TCP Reset Packets, NDSS 2009",
	 .valid_from = "2006", .valid_to = "2009", .grade = ATTRIBUTION_A2, .attributed = true,
	 .match = match},
	{.id = NULL},
};
