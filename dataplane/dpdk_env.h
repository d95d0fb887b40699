/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * DPDK's environment (EAL), once a process, and its ports by name. Only the DPDK module includes it.
 *
 * A port is named as DPDK names it: a card bound to a DPDK driver by its PCI address, or a virtual
 * device as --vdev takes it ("net_af_packet0,iface=eth1"), which is then made.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>

#define DPDK_QUEUES_MAX 16u
#define DPDK_BURST      64u

struct dpdk_port {
	uint16_t id;
	uint16_t rx_queues, tx_queues;
	uint16_t descriptors; /* of each ring */
	struct rte_mempool *pool;
	char driver[32];
	char name[RTE_ETH_NAME_MAX_LEN];
};

struct dpdk_wish {
	const char *device;   /* see above */
	const char *eal;      /* more arguments of the EAL, blank-separated; NULL: none */
	uint16_t rx_queues, tx_queues; /* at most so many */
	uint32_t frame_max;   /* bytes */
	bool only_ours;       /* not what is for other stations */
};

/*
 * Starts the EAL if it is not yet, then the port. Without hugepages it runs without, slower. The
 * threads' affinities stay what they were. 0, or -errno with err filled.
 */
int dpdk_port_open(struct dpdk_port *p, const struct dpdk_wish *w, char *err, size_t errlen);
void dpdk_port_close(struct dpdk_port *p);
/* What the driver says, which for some virtual devices is that it is up whatever happens. */
bool dpdk_port_up(const struct dpdk_port *p);
/* Before a thread's first burst: it then gets a cache of buffers of its own. */
void dpdk_thread(void);
