/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* TCP sequence number arithmetic modulo 2^32 (RFC 9293, section 3.4). */

#include <stdbool.h>
#include <stdint.h>

/* a - b as a signed distance; right while the two are less than 2^31 apart. */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) < 0;
}

static inline bool seq_leq(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) <= 0;
}
