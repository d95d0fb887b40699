/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What a card or its driver does to packets before a capture sees them, or after (ethtool -k, -g). */

#include <stdint.h>

enum offload { OFFLOAD_UNKNOWN, OFFLOAD_OFF, OFFLOAD_ON }; /* an index too */

struct offloads {
	enum offload gro, lro;          /* received segments come merged */
	enum offload tso, gso;          /* own segments are seen before they are cut */
	enum offload tx_checksum;       /* own packets are seen before they are summed */
	uint32_t rx_ring, rx_ring_max;  /* descriptors; 0: not told */
};

/* 0 or -errno. What the driver does not tell stays unknown. */
int offloads_get(const char *iface, struct offloads *out);
