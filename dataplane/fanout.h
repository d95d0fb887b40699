/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Several AF_PACKET sockets of one interface share its packets (PACKET_FANOUT, packet(7)): what two
 * addresses say to each other goes to one of them, whoever speaks.
 */

#include <stdint.h>

struct fanout {
	uint16_t id; /* of the group, in the network namespace */
};

/*
 * While the group is not whole, each socket gets what the others get: a filter refuses everything
 * until then. Before bind(). 0 or -errno.
 */
int fanout_hold(int fd);
/* A bound socket: the first makes the group, the others join it. 0 or -errno. */
int fanout_join(int fd, struct fanout *f, unsigned already);
