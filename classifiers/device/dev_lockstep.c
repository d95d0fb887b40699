/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/device/device.h"
#include "classifiers/tamper/lockstep.h"

static bool match(const struct view *v, const struct suspects *s, struct attribution *out)
{
	struct lockstep l;
	if (!lockstep_examine(v, s->event, s->n, &l))
		return false;
	out->grade = ATTRIBUTION_A2;
	for (unsigned i = 0; i < l.n_packets; i++)
		attribution_packet(out, l.packets[i]);
	attribution_says(out, "window and TTL of %u resets differ by %d, up to multiples of 200",
			 l.n_stamps, l.offset);
	return true;
}

const struct device dev_lockstep[] = {
	{.id = "ttl-window-lockstep",
	 .doc = "resets whose TTL and window come from one counter",
	 .source = "Marczak et al., China's Great Cannon, 2015; verified in a CenTrace capture of 2022",
	 .valid_from = "2015", .grade = ATTRIBUTION_A2, .attributed = true, .match = match},
	{.id = NULL},
};
