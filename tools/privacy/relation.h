/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A reset's window and IP-ID after the generator of tsg.h, which computes them from both
 * addresses: a few resets, and the Chinese remainder theorem gives the client's. With other
 * addresses the same counter gives other values, and these are what is shown.
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/tamper/tsg.h"

/* The IPv4 addresses of a connection, as they are and as they are shown. */
struct relation {
	struct ip_addr src, dst; /* of the reset */
	struct ip_addr as_src, as_dst;
	/* Another one that its resets follow, made with sip the receiver's, or the sender's; 0
	 * none. */
	uint32_t seed[2];
};

/* False: the stamp knows nothing of the addresses, and stays. */
bool relation_apply(const struct relation *r, struct tsg_stamp *stamp);
