/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/offloads.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool ask(int fd, const char *iface, void *request)
{
	struct ifreq ifr = {.ifr_data = request};

	strncpy(ifr.ifr_name, iface, sizeof(ifr.ifr_name) - 1);
	return ioctl(fd, SIOCETHTOOL, &ifr) == 0;
}

static enum offload value(int fd, const char *iface, uint32_t command, uint32_t mask)
{
	struct ethtool_value v = {.cmd = command};

	if (!ask(fd, iface, &v))
		return OFFLOAD_UNKNOWN;
	return (v.data & mask) != 0 ? OFFLOAD_ON : OFFLOAD_OFF;
}

int offloads_get(const char *iface, struct offloads *out)
{
	struct ethtool_ringparam ring = {.cmd = ETHTOOL_GRINGPARAM};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*out = (struct offloads){.gro = OFFLOAD_UNKNOWN};
	if (fd < 0)
		return -errno;
	out->gro = value(fd, iface, ETHTOOL_GGRO, UINT32_MAX);
	out->lro = value(fd, iface, ETHTOOL_GFLAGS, ETH_FLAG_LRO);
	out->tso = value(fd, iface, ETHTOOL_GTSO, UINT32_MAX);
	out->gso = value(fd, iface, ETHTOOL_GGSO, UINT32_MAX);
	out->tx_checksum = value(fd, iface, ETHTOOL_GTXCSUM, UINT32_MAX);
	if (ask(fd, iface, &ring)) {
		out->rx_ring = ring.rx_pending;
		out->rx_ring_max = ring.rx_max_pending;
	}
	close(fd);
	return 0;
}
