/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Connections that carried data and then died in silence, and after how many packets of the server:
 * devices that cut off after so many do so at one index, whoever is asked (DROP-NPKT: "bytes
 * s2c 14-34 KB, or about 25 packets, at least 3 flows to at least 2 foreign ASNs, spread at most 2").
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/tamper/evidence.h"

struct freeze {
	uint64_t flow_id;
	uint64_t start_ns;    /* when the segment that was not acknowledged was sent again */
	uint32_t packets;     /* of the server with new payload */
	uint32_t net;         /* hash of the server's IPv4 /16 or IPv6 /32, in the place of its ASN */
};

struct freezes {
	struct freeze *list;
	size_t n, room;
};

/* What froze with a flow: within two packets of its index. */
struct freeze_peers {
	unsigned flows, nets; /* it among them */
	uint64_t span_ns;     /* from the first freeze to the last */
};

/*
 * ev is finished. The direction whose data, or whose FIN, is no longer acknowledged; false: the flow
 * did not freeze. A client that only receives has nothing to send again but its FIN, and an idle
 * connection that a translator forgot ends like that too: so the server must have stopped at a full
 * segment, with more to come, and ten seconds before.
 */
bool freezes_is_frozen(const struct evidence *ev, enum dir *stuck);

void freezes_note(struct freezes *z, const struct flow *f, const struct evidence *ev);
int freezes_merge(struct freezes *to, const struct freezes *from); /* 0 or -ENOMEM */
void freezes_sort(struct freezes *z); /* once, before the first question */
struct freeze_peers freezes_like(const struct freezes *z, uint64_t flow_id, uint32_t packets);
void freezes_free(struct freezes *z); /* what it points to */
