// SPDX-License-Identifier: (BSD-3-Clause OR GPL-2.0-only)
/*
 * Counts the frames that arrive at an interface, and drops them or lets them pass: the far end of a
 * benchmark. Of numbered frames (tests/bench/send.c) it checks the order within each queue of the
 * sender, and their bytes.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/count.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 verdict = XDP_DROP;

struct count_queue counts[COUNT_QUEUES] __attribute__((aligned(64)));
__u64 expected[COUNT_SENDERS]; /* number that comes next */

struct count_gaps gaps __attribute__((aligned(64)));

#define ETHERTYPE 0x88b5

struct numbered {
	__u8 macs[12];
	__be16 ethertype;
	__u8 queue;
	__u8 number[8]; /* most significant byte first */
	__u8 first;     /* all of the frame from here on is this byte */
} __attribute__((packed));

static void check(const struct numbered *f, __u8 last, struct count_queue *q)
{
	__u64 number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | f->number[i];
	__u64 *next = &expected[f->queue % COUNT_SENDERS];
	if (number != *next)
		q->disordered++;
	*next = number + 1;
	__u8 pattern = number * 31 + f->queue;
	if (f->first != pattern || last != pattern)
		q->changed++;
}

static void count_gap(__u64 now)
{
	__u64 gap = now - gaps.before_ns;
	__u64 error = gap > gaps.asked_ns ? gap - gaps.asked_ns : gaps.asked_ns - gap;

	if (gaps.before_ns != 0) {
		__u32 b = replay_bucket(error);
		if (b < REPLAY_BUCKETS)
			gaps.errors[b]++;
		gaps.n++;
		if (error > gaps.max_ns)
			gaps.max_ns = error;
	}
	gaps.before_ns = now;
}

SEC("xdp.frags")
int count_frame(struct xdp_md *ctx)
{
	struct count_queue *q = &counts[ctx->rx_queue_index % COUNT_QUEUES];
	__u32 len = bpf_xdp_get_buff_len(ctx);
	struct numbered frame;
	__u8 last;

	if (gaps.asked_ns != 0 || q->frames % COUNT_TIMED == 0) {
		q->last_ns = bpf_ktime_get_ns();
		q->timed = q->frames + 1;
		if (q->frames == 0)
			q->first_ns = q->last_ns;
	}
	q->frames++;
	q->bytes += len;
	if (gaps.asked_ns != 0)
		count_gap(q->last_ns);
	if (bpf_xdp_load_bytes(ctx, 0, &frame, sizeof(frame)) == 0 &&
	    frame.ethertype == bpf_htons(ETHERTYPE) &&
	    bpf_xdp_load_bytes(ctx, len - 1, &last, 1) == 0)
		check(&frame, last, q);
	return verdict;
}
