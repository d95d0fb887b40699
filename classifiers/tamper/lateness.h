/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How much a capture's network reorders: acknowledgements and timestamps of one sender never go back, so a
 * packet that lags behind both shows how long another one has overtaken it. Counted over connections, since
 * a forger's packets are of one; from packets that forgers have no use for: those of a client but for its
 * FINs and RSTs, a server's pure acknowledgements, and its data that fill a hole and are stamped as old.
 */

#include <stdint.h>

#include "classifiers/tamper/evidence.h"

#define LATENESS_STEPS 10 /* from 1 ms, each twice the one before, to 512 ms */

struct lateness {
	uint32_t flows;                /* with packets enough to tell */
	uint32_t late[LATENESS_STEPS]; /* flows by their largest lag: below 2 ms, 4 ms, … */
};

/* ev is finished. The largest lag of one connection in ns, 0 for none of a millisecond or more. */
uint64_t lateness_of(const struct evidence *ev);
void lateness_note(struct lateness *l, const struct evidence *ev);
void lateness_merge(struct lateness *to, const struct lateness *from);
/*
 * What packets of these connections may lag, in ns: twice what one in a hundred of them and three at least
 * reach, since the records hold few packets of each. 0: they keep their order.
 */
uint64_t lateness_extent(const struct lateness *l);
