/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/device/device.h"

/*
 * "RST+AE+RE", DF clear, one packet. RST+ACK+AE is another, older generator's
 * (Weaver et al. 2009), so the flags are taken as they were published.
 */
static bool match_rst(const struct view *v, const struct suspects *s, struct attribution *out)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct event *e = &v->e[s->event[i]];
		if (!device_is_reset(v, s->event[i]) || v->flow->ip_version != 4 ||
		    (e->flags & TCP_AE) == 0 || (e->flags & TCP_RESERVED) == 0 ||
		    (e->flags & TCP_ACK) != 0 || (e->bits & (EVENT_DF | EVENT_OPTIONS)) != 0 ||
		    (device_resets_around(v, s->event[i]) != 1 && v->ev->duplicates == 0))
			continue;
		if (out->n_packets == 0)
			attribution_says(out, "flags 0x%03x, no DF, a single reset",
					 e->flags & 0xfffu);
		attribution_packet(out, s->event[i]);
	}
	out->grade = ATTRIBUTION_A2;
	return out->n_packets != 0;
}

/* Quoted in public fingerprint lists since 2013; a page without status line carries it too. */
static bool match_page(const struct view *v, const struct suspects *s, struct attribution *out)
{
	int event;
	(void)s;
	if (!device_page_has(v, "prohibited for viewership from within Pakistan", &event) ||
	    event < 0)
		return false;
	attribution_packet(out, (unsigned)event);
	attribution_says(out, "the page says \"prohibited for viewership from within Pakistan\"");
	out->grade = ATTRIBUTION_A2;
	return true;
}

const struct device dev_pakistan[] = {
	{.id = "pk-rst", .doc = "a single RST with AE and reserved bits, without DF",
	 .source = "Ablove et al., USENIX Security 2026, measurements in Karachi and Islamabad",
	 .valid_from = "2025", .grade = ATTRIBUTION_A2, .attributed = true, .match = match_rst},
	{.id = "pk-page", .doc = "the national block page of Pakistan",
	 .source = "Censored Planet and OONI fingerprint lists, common block page of Pakistan's ISPs",
	 .valid_from = "2013", .grade = ATTRIBUTION_A2, .attributed = true, .match = match_page},
	{.id = NULL},
};
