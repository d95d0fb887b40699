/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Whether a RST came sooner after the packet that drew it than its supposed sender could have answered: a
 * round trip is known of the flow's own handshake, or of other connections of the server.
 */

#include "classifiers/tamper/signature.h"

/* Below this a host's own delays are as long as the path's. */
#define RTT_FLOOR_NS 3000000ull
/* By which round trips of one path differ where nothing is amiss: radios, busy hosts. */
#define RTT_JITTER_NS 3000000ull

/* Of struct signature; says why where no round trip is known, or one too short to tell by. */
bool sub_rtt_match(const struct view *v, const struct signature *self, struct testimony *t);
