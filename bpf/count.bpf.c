// SPDX-License-Identifier: (BSD-3-Clause OR GPL-2.0-only)
/* Counts the frames that arrive at an interface and drops them: the far end of a benchmark. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/count.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct count_queue counts[COUNT_QUEUES] __attribute__((aligned(64)));

SEC("xdp.frags")
int count_frame(struct xdp_md *ctx)
{
	struct count_queue *q = &counts[ctx->rx_queue_index % COUNT_QUEUES];

	q->last_ns = bpf_ktime_get_ns();
	if (q->frames == 0)
		q->first_ns = q->last_ns;
	q->frames++;
	q->bytes += bpf_xdp_get_buff_len(ctx);
	return XDP_DROP;
}
