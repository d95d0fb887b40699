/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The constants that PacketLogic stamped on what it injected in 2018. */

#include <stdbool.h>

#include "classifiers/tamper/view.h"

#define PACKETLOGIC_IPID 0x3412
#define PACKETLOGIC_WINDOW 32120

#define PACKETLOGIC_TRAITS 4

/* How many of the four hold: IP-ID, window, no DF, a header of 20 bytes. 0 in IPv6. */
static inline unsigned packetlogic_traits(const struct view *v, unsigned event)
{
	const struct event *e = &v->e[event];
	if (v->flow->ip_version != 4 || (e->flags & TCP_SYN) != 0)
		return 0;
	return (e->ip_id == PACKETLOGIC_IPID) + (e->window == PACKETLOGIC_WINDOW) +
	       ((e->bits & EVENT_DF) == 0) + ((e->bits & EVENT_OPTIONS) == 0);
}
