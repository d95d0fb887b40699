/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The capture clock: what expiry and idle times are measured with. It follows the packets' times
 * but never goes back, and one packet with a broken time cannot throw it into the future, since
 * everything after would then look late and every flow would have ended.
 */

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_JUMP_NS (3600 * 1000000000ULL) /* further ahead than this is not believed at once */
#define CLOCK_AGREE 16 /* packets in a row, each within CLOCK_JUMP_NS of the last, are believed */

/* Zero is a clock that has seen nothing. */
struct capture_clock {
	bool started;
	uint8_t n_ahead;
	uint64_t ahead_ns; /* of the latest of n_ahead packets that are too far ahead */
	uint64_t first_ns, now_ns;
	uint64_t backwards, jumps; /* packets before it; packets ahead that it did not follow */
};

/* The clock's time at the next packet, which says ts_ns. */
static inline uint64_t capture_clock_stamp(struct capture_clock *c, uint64_t ts_ns)
{
	if (!c->started) {
		c->started = true;
		c->first_ns = c->now_ns = ts_ns;
	} else if (ts_ns < c->now_ns) {
		c->backwards++;
		c->n_ahead = 0;
	} else if (ts_ns - c->now_ns <= CLOCK_JUMP_NS) {
		c->now_ns = ts_ns;
		c->n_ahead = 0;
	} else {
		uint64_t apart = ts_ns > c->ahead_ns ? ts_ns - c->ahead_ns : c->ahead_ns - ts_ns;
		c->n_ahead = c->n_ahead > 0 && apart <= CLOCK_JUMP_NS ? c->n_ahead + 1 : 1;
		c->ahead_ns = ts_ns;
		if (c->n_ahead == CLOCK_AGREE) {
			c->now_ns = ts_ns;
			c->n_ahead = 0;
		} else {
			c->jumps++;
		}
	}
	return c->now_ns;
}
