/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which networks answered when: the control of an unanswered SYN (DROP-SYN). A network is
 * an IPv4 /24 or an IPv6 /64, and of each the first two hosts that answered are remembered.
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/tamper/host_table.h"

#define NET_HOSTS 2

struct net_answers {
	struct ip_addr net;
	struct ip_addr host[NET_HOSTS]; /* lowest addresses */
	uint64_t minutes[NET_HOSTS];    /* bit per minute since 1970, modulo 64; 0: no host */
};

extern const struct host_table nets_table; /* empty */

void nets_note(struct host_table *t, const struct ip_addr *server, unsigned ip_version, uint64_t ns);
int nets_merge(struct host_table *to, const struct host_table *from); /* 0 or -ENOMEM */
/* Another host of the server's network answered somebody within a minute of `ns`. */
bool nets_neighbour_answered(const struct host_table *t, const struct ip_addr *server,
			     unsigned ip_version, uint64_t ns);
