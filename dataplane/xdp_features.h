/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What an interface can do with XDP, as its driver tells the kernel and Linux 6.3 or newer tells us. */

#include <stdint.h>

/* As numbered by Linux include/uapi/linux/netdev.h (enum netdev_xdp_act). */
#define XDP_FEATURE_BASIC     1u
#define XDP_FEATURE_REDIRECT  2u
#define XDP_FEATURE_XMIT      4u /* takes frames that a program redirects to it (ndo_xdp_xmit) */
#define XDP_FEATURE_ZERO_COPY 8u

/* ifindex is of this network namespace. 0; -ENOENT: this kernel does not tell; or -errno. */
int xdp_features_get(unsigned ifindex, uint64_t *out);
