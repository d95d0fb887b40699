/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The machine's clock, for what sends or receives live. Analysis knows the packets' times alone. */

#include <stdint.h>
#include <time.h>

/* ns; CLOCK_MONOTONIC since some start, CLOCK_REALTIME since 1970 UTC. */
static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}
