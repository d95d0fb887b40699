/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Private to rewrite.c: addresses and ports of a frame that is ready otherwise. */

#include "dataplane/rewrite.h"

/* frame: an Ethernet frame, len bytes of it captured. What is malformed stays as it is. */
void rewrite_ip(const struct rewrite_config *cfg, uint64_t loop, uint8_t *frame, uint32_t len);
