/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Private to evidence*.c: a flow's record of packets. */

#include "classifiers/tamper/evidence.h"

/* Room kept for what matters at the end of a long record. */
#define EVENTS_RESERVE 24

/* Events that a record takes which is no ring any more. */
static inline unsigned evidence_limit(const struct evidence *ev)
{
	return (ev->found & EVIDENCE_RST) != 0 ? EVENTS_MAX : EVENTS_MAX - EVENTS_RESERVE;
}

/*
 * Frames that a capture shows twice. RSTs are never left out: some injectors send identical ones. A
 * router captured on both sides shows the second copy with one hop less. e is known afterwards.
 */
bool evidence_is_duplicate(struct evidence_room *room, const struct flow *f, const struct event *e);
/* A payload as long as p, who gets it, takes at once. */
bool evidence_is_full(const struct half *s, const struct half *p, uint32_t len);
void evidence_append(struct evidence *ev, struct evidence_room *room, const struct event *e,
		     struct evidence_counters *n);
