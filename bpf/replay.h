/* SPDX-License-Identifier: (BSD-3-Clause OR GPL-2.0-only) */
#pragma once

/*
 * What replay.bpf.c and dataplane/sink_live.c share: one ring of what to send, the frames' memory and
 * one page of counters a thread. User space writes slots and `head`; the kernel takes them in order
 * and moves `tail` past one only when the device has taken its frame, so a slot between the two is
 * either waiting or on its way and may be sent again. Slots are apart from frames so that a frame
 * that is sent many times is written once, and stays in the cache of the CPU that sends it.
 */

#include <linux/types.h>

/*
 * Frames to a batch of BPF_PROG_RUN. Not above DEV_MAP_BULK_SIZE (16, Linux include/net/xdp.h): then
 * a batch leaves in one call of the driver's ndo_xdp_xmit, and what it did not take can be sent
 * again before anything that comes after it.
 */
#define REPLAY_BATCH 16

/* Powers of two. Slots last for 3 ms at 10 M packets/s: who fills them may have to wait for a CPU. */
#define REPLAY_SLOTS  32768
#define REPLAY_PLACES 4096 /* frames in the ring, of those that are not held */

/*
 * Longest frame: BPF_PROG_RUN gives each frame one page, of which it takes 256 bytes of headroom,
 * skb_shared_info and a head of its own (Linux net/bpf/test_run.c, struct xdp_page_head).
 */
#define REPLAY_FRAME_MAX 3072

#define REPLAY_LINE 64 /* bytes written by one side and read by the other stay on lines of their own */

/*
 * Frames lie in chunks: one begins at byte `at % REPLAY_CHUNK` of chunk `at / REPLAY_CHUNK`, and may
 * end past REPLAY_CHUNK, in bytes that are the chunk's own too.
 */
#define REPLAY_CHUNK     65536u
#define REPLAY_CHUNK_LEN (REPLAY_CHUNK + REPLAY_FRAME_MAX)

struct replay_slot {
	__u64 due_ns; /* CLOCK_MONOTONIC; 0: at once */
	__u32 at;
	__u32 len;    /* bytes, without FCS; 14 to the ring's room */
};

/*
 * Times past due in ns, as a histogram with 16 buckets to an octave: exact below 16, then within
 * 1/16 of the time.
 */
#define REPLAY_BUCKETS (61 * 16)

static inline __attribute__((always_inline)) __u32 replay_bucket(__u64 ns)
{
	__u64 v = ns;
	__u32 log2 = 0;

	if (ns < 16)
		return (__u32)ns;
	for (__u32 step = 32; step != 0; step /= 2) {
		if (v >> step) {
			v >>= step;
			log2 += step;
		}
	}
	return (log2 - 3) * 16 + (__u32)((ns >> (log2 - 4)) & 15);
}

/* The longest time that is counted there. */
static inline __u64 replay_bucket_end(__u32 bucket)
{
	if (bucket < 16)
		return bucket;
	return (((__u64)(bucket % 16) + 17) << (bucket / 16 - 1)) - 1;
}

struct replay_shared {
	/* Written by user space. */
	__u64 head; /* slots filled since the start */
	__u8 pad_head[REPLAY_LINE - 8];

	/* Written by the kernel. */
	__u64 tail;            /* slots done with since the start */
	__u64 frames, bytes;   /* that the device took */
	__u64 refused;         /* given up on after stuck_ns without one frame taken */
	__u64 lost;            /* neither taken nor given back, as far as the kernel says */
	__u64 waits;           /* batches that the device did not take whole */
	__u64 failing_since;   /* CLOCK_MONOTONIC; 0: the last batch got on */
	__s32 error;           /* of ndo_xdp_xmit, the last one that there was: -errno */
	__u32 pad_kernel;
	__u64 late_max;        /* ns past due, among frames with a due time */
	__u64 late[REPLAY_BUCKETS];
};
