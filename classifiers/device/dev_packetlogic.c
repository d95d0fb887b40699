/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Marczak et al., Citizen Lab, "Bad Traffic" (2018). The TTL is no trait: it equalled the server's in
 * one country and was 186 off in another.
 */

#include "classifiers/device/device.h"
#include "classifiers/tamper/packetlogic.h"

#define TRAITS_MIN 3

static bool match(const struct view *v, const struct suspects *s, struct attribution *out)
{
	unsigned best = 0;
	for (unsigned i = 0; i < s->n; i++) {
		unsigned n = packetlogic_traits(v, s->event[i]);
		best = n > best ? n : best;
		if (n >= TRAITS_MIN)
			attribution_packet(out, s->event[i]);
	}
	if (best < TRAITS_MIN)
		return false;
	/* Its bare ACK of the client's FIN is nobody's suspect, yet has all four. */
	for (unsigned i = 0; i < v->n; i++)
		if (event_dir(&v->e[i]) == v->dir && packetlogic_traits(v, i) == PACKETLOGIC_TRAITS)
			attribution_packet(out, i);
	out->grade = best == PACKETLOGIC_TRAITS ? ATTRIBUTION_A3 : ATTRIBUTION_A2;
	attribution_says(out, "%u of 4: IP-ID 0x3412, window 32120, no DF, no options", best);
	return true;
}

const struct device dev_packetlogic[] = {
	{.id = "sandvine-packetlogic",
	 .doc = "redirects and resets with IP-ID 0x3412 and window 32120",
	 .source = "Marczak et al., Bad Traffic, Citizen Lab, 2018",
	 .valid_from = "2017", .valid_to = "2023", .grade = ATTRIBUTION_A3, .attributed = true,
	 .match = match},
	{.id = NULL},
};
