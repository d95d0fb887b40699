/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * TTL and window that move together from one reset to the next (EV-LOCKSTEP; Marczak et al., "China's
 * Great Cannon", 2015): one counter feeds both. The TTL wraps every 200.
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/tamper/view.h"

#define LOCKSTEP_PACKETS 24
#define LOCKSTEP_MIN 3 /* different stamps, each with a TTL of its own */

struct lockstep {
	uint16_t packets[LOCKSTEP_PACKETS]; /* event indices of this flow */
	unsigned n_packets;
	unsigned n_stamps;  /* different ones, other connections' included */
	unsigned n_others;
	int offset;         /* window minus TTL of the first */
};

/*
 * Of n events the resets with the first one's flags and DF, and those of earlier connections between
 * the same hosts: true only if all of them keep step.
 */
bool lockstep_examine(const struct view *v, const uint16_t events[], unsigned n,
		      struct lockstep *out);
