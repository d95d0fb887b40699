/* SPDX-License-Identifier: (BSD-3-Clause OR GPL-2.0-only) */
#pragma once

/*
 * steer.bpf.c and who loads it: frames go to the AF_XDP socket of their queue; of a TCP flow that is
 * shunted, what is in character is counted here and dropped.
 */

#include <linux/types.h>

#define STEER_QUEUES_MAX 64
#define STEER_FLOWS_MAX  262144 /* directions, so half as many flows */
#define STEER_STAMPED_MAX 3500  /* bytes of a frame; longer ones may be in several buffers */

/* One direction of a TCP flow; addresses and ports as on the wire, IPv4 as ::ffff:a.b.c.d. */
struct steer_key {
	__u8 src[16], dst[16];
	__be16 sport, dport;
};

/*
 * In character is: the next segment (seq is seq_end) or an acknowledgement without data, flags ACK or
 * PSH+ACK, this TTL, no fragment. The first packet that is not ends the shunt of both directions
 * (over is set) and is delivered, as is everything after it, so that the counts stand still when
 * user space reads them.
 */
struct steer_flow {
	__u64 packets, bytes;   /* passed over: count, and bytes of the frames */
	__u64 last_ns;          /* of the last of them: CLOCK_MONOTONIC */
	__u32 seq_end, ack;     /* host order */
	__u16 ip_id, window;    /* of the last of them */
	__u8 ttl;               /* or hop limit */
	__u8 over;
	__u8 pad[2];
};

/*
 * Lies right before a frame that goes to a socket, where the driver has room for metadata: a socket
 * has no times of its own, and whoever reads it may come late.
 */
struct steer_stamp {
	__u64 key;              /* stamp_key: what is there without it is something else */
	__u64 ns;               /* CLOCK_MONOTONIC */
};

enum steer_count {
	STEER_DELIVERED, /* to a socket */
	STEER_SHUNTED,
	STEER_OTHER,     /* no socket on their queue: left to the host */
	STEER_COUNTS
};
