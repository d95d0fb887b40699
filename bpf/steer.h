/* SPDX-License-Identifier: (BSD-3-Clause OR GPL-2.0-only) */
#pragma once

/*
 * steer.bpf.c and who loads it: frames go to the AF_XDP socket of their queue; of a TCP flow that is
 * shunted, what is in character is counted here and dropped.
 *
 * A shunt begins in two steps, so that nothing which passed here before is overtaken by what is
 * counted. Its entry is put into the map: the program then watches the flow, delivers all of it, and
 * says so in the stamps. Once user space has worked off a watched frame of both directions, so
 * everything older too, it grants the ticket: frames in character are counted from then on. The first
 * frame that is out of character, watched or shunted, ends it for good (over): that one and all later
 * ones are delivered, stamped as coming after the counts, which then stand still. Taking the grant
 * away does the same.
 */

#include <linux/bpf.h>
#include <linux/types.h>

#define STEER_QUEUES_MAX 64
#define STEER_FLOWS_MAX  131072 /* a slot each: the lower 17 bits of a ticket */
#define STEER_STAMPED_MAX 3500  /* bytes of a frame; longer ones may be in several buffers */
#define STEER_LAST 4            /* frames of a shunted flow that are kept, */
#define STEER_SNAP 160          /* so much of each */

/*
 * A TCP flow, the lower of its ends (address, then port, compared as bytes) first; addresses and
 * ports as on the wire, IPv4 as ::ffff:a.b.c.d.
 */
struct steer_key {
	__u8 addr[2][16];
	__be16 port[2];
};

/*
 * One direction, by its sender. In character is: the next segment (seq is seq_end), of at most
 * data_max bytes, or an acknowledgement without data; flags ACK or PSH+ACK; what it acknowledges
 * neither falls nor goes beyond what was seen; this TTL and DF; options as in steer_flow; no IP
 * options or extension headers, no fragment, not cut short.
 */
struct steer_side {
	/* set by user space */
	__u16 data_max;         /* 0: acknowledgements alone */
	__u8 ttl, df;           /* or hop limit; df is 0 in IPv6 */
	/* the program's */
	__u32 seen;             /* a watched frame of it set what follows */
	__u32 seq_end, ack;     /* host order */
	__u32 last_len;         /* payload of the last with any */
	__u32 pad;
	__u64 packets, data;    /* passed over: frames, and those with payload */
	__u64 bytes;            /* their IP lengths */
	__u64 last_ns;          /* of the last of them: CLOCK_MONOTONIC */
};

/* A frame that was passed over. */
struct steer_last {
	__u64 ns, number;
	__u32 wirelen, caplen;
	__u32 side;             /* of its sender */
	__u32 pad;
	__u8 data[STEER_SNAP];
};

/*
 * Two CPUs may have a direction each: who has set busy writes the entry. The kernel's own lock would take
 * as long as all the rest. Once the grant is gone and busy was seen to be 0, counts stand still.
 */
struct steer_flow {
	__u32 busy;
	__u32 ticket;           /* never 0 */
	__u32 timestamps;       /* 1: options are NOP, NOP, timestamps (RFC 7323, appendix A); 0: none */
	__u32 over;
	__u64 passed;           /* frames: the place of the next in last, modulo STEER_LAST */
	struct steer_side side[2];
	struct steer_last last[STEER_LAST];
};

/*
 * Lies right before a frame that goes to a socket, where the driver has room for metadata: a socket
 * has no times of its own, and whoever reads it may come late. The kernel takes 32 bytes at most.
 */
struct steer_stamp {
	__u64 key;              /* stamp_key: what is there without it is something else */
	__u64 ns;               /* CLOCK_MONOTONIC */
	__u64 number;           /* of the frame at this interface, from 1; 0: not shunting */
	__u32 ticket;           /* of its flow's shunt; 0: none */
	__u32 over;             /* that shunt ended here or before */
};

enum steer_count {
	STEER_DELIVERED, /* to a socket */
	STEER_SHUNTED,
	STEER_OTHER,     /* no socket on their queue: left to the host */
	STEER_COUNTS
};
