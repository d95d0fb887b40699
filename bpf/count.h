/* SPDX-License-Identifier: (BSD-3-Clause OR GPL-2.0-only) */
#pragma once

/* What a counting receiver keeps of each of its queues. */

#include <linux/types.h>

#include "bpf/replay.h"

#define COUNT_QUEUES 64

struct count_queue {
	__u64 frames, bytes;
	__u64 first_ns, last_ns; /* CLOCK_MONOTONIC, */
	__u64 timed;             /* and how many had come by the latter */
	/* Of the frames that tests/bench/send.c makes: not the sender's next; not the bytes it wrote. */
	__u64 disordered, changed;
	__u64 pad;               /* a cache line of its own */
};

#define COUNT_TIMED 32 /* one of so many frames is timed, unless gaps are: a clock costs as much */
#define COUNT_SENDERS 16 /* queues of the sender */

/* Of one queue alone: how far each gap is from what user space wrote into asked_ns. */
struct count_gaps {
	__u64 asked_ns;    /* 0: nothing is counted */
	__u64 before_ns;   /* when the last frame came */
	__u64 n, max_ns;
	__u64 errors[REPLAY_BUCKETS]; /* replay_bucket() */
};
