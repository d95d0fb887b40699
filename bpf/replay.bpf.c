// SPDX-License-Identifier: (BSD-3-Clause OR GPL-2.0-only)
/*
 * Sends captured frames from inside the kernel: an XDP program that BPF_PROG_RUN calls with live
 * frames. Each call turns one blank page into the next frame of the ring and redirects it. At the
 * end of a batch the kernel hands all of it to the driver at once and says at the tracepoint
 * xdp:xdp_devmap_xmit how many were taken; the rest is taken back and sent again, first thing in
 * the next batch. A full ring at the receiver therefore costs time and no frames.
 *
 * One ring, one thread, one CPU: softirqs are off during a batch, so whatever xdp_devmap_xmit says
 * on that CPU between a redirect and the end of the batch is about this ring.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/replay.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Looks for something to do before the batch starts, while no frame waits for its end: some 3 µs. */
#define SPINS 128
#define HOLD_NS 4000 /* for a receiver whose ring is full */

/* Set before loading. */
const volatile __u32 ifindex = 0;
const volatile __u32 room = 0;     /* bytes of the longest frame, and length of a blank one */
const volatile __u64 stuck_ns = 0; /* without one frame taken for this long, frames are refused */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, REPLAY_SLOTS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct replay_slot));
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* as many as are needed: the loader knows */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, REPLAY_CHUNK_LEN);
} chunks SEC(".maps");

struct replay_shared shared __attribute__((aligned(REPLAY_LINE)));

/* The batch: the kernel's own, but at, which the loader sets to 0 before each run. */
__u32 at __attribute__((aligned(REPLAY_LINE)));
static __u32 in_flight; /* redirected in this batch, not yet heard of */
static __u32 cpu;
static bool blocked;    /* nothing more in this batch */
static __u64 next;      /* slot to send next */
static __u64 filled;    /* head as last seen, its slots with it */
static __u64 hold_until;

static struct replay_slot *slot_at(__u64 i)
{
	__u32 key = i & (REPLAY_SLOTS - 1);

	return bpf_map_lookup_elem(&ring, &key);
}

/* A full barrier: what user space wrote before head is seen after it, and what is read is read. */
static __u64 head_acquire(void)
{
	return __sync_fetch_and_add(&shared.head, 0);
}

/* Also one: user space may overwrite these slots, so whatever read them is done. */
static void tail_release(__u64 by)
{
	__sync_lock_test_and_set(&shared.tail, shared.tail + by);
}

static void note_failure(__u64 now)
{
	hold_until = now + HOLD_NS;
	shared.waits++;
	if (shared.failing_since == 0)
		shared.failing_since = now;
}

/* Waits shortly for a frame to send; the batch is blocked if there is none. */
static void await_frame(void)
{
	__u64 due = 0, now = 0;

	blocked = true;
	for (int i = 0; i < SPINS && blocked; i++) {
		if (next == filled && *(volatile __u64 *)&shared.head != filled)
			filled = head_acquire();
		if (next == filled || due > now || hold_until > now)
			now = bpf_ktime_get_ns();
		if (next == filled)
			continue;
		struct replay_slot *slot = slot_at(next);
		if (slot == NULL)
			return;
		due = slot->due_ns;
		blocked = due > now || hold_until > now;
	}
}

static void start_batch(void)
{
	if (in_flight != 0) {
		/* Not one word from the driver: the redirects failed, for want of a device that is up. */
		in_flight = 0;
		note_failure(bpf_ktime_get_ns());
	}
	next = shared.tail;
	if (shared.failing_since != 0 && next != filled &&
	    bpf_ktime_get_ns() - shared.failing_since > stuck_ns) {
		shared.refused++;
		tail_release(1);
		next++;
	}
	cpu = bpf_get_smp_processor_id();
	await_frame();
}

SEC("xdp")
int replay_frame(struct xdp_md *ctx)
{
	if (at++ % REPLAY_BATCH == 0)
		start_batch();
	if (blocked || next == filled)
		return XDP_DROP;

	struct replay_slot *slot = slot_at(next);
	if (slot == NULL)
		return XDP_DROP;
	if (slot->due_ns != 0 && slot->due_ns > bpf_ktime_get_ns())
		return XDP_DROP;
	__u32 len = slot->len, at_chunk = slot->at / REPLAY_CHUNK, at_byte = slot->at % REPLAY_CHUNK;
	__u8 *chunk = bpf_map_lookup_elem(&chunks, &at_chunk);
	if (chunk == NULL || len == 0 || len > room ||
	    bpf_xdp_adjust_tail(ctx, (int)len - (int)room) != 0 ||
	    bpf_xdp_store_bytes(ctx, 0, chunk + at_byte, len) != 0) {
		/* User space lets no such slot in. */
		blocked = true;
		return XDP_DROP;
	}
	next++;
	in_flight++;
	return bpf_redirect(ifindex, 0);
}

static void count_taken(__u32 slots)
{
	__u64 now = 0, bytes = 0;

	for (__u32 i = 0; i < REPLAY_BATCH && i < slots; i++) {
		struct replay_slot *slot = slot_at(shared.tail + i);
		if (slot == NULL)
			break;
		bytes += slot->len;
		if (slot->due_ns == 0)
			continue;
		if (now == 0)
			now = bpf_ktime_get_ns();
		__u64 late = now > slot->due_ns ? now - slot->due_ns : 0;
		__u32 b = replay_bucket(late);
		if (b < REPLAY_BUCKETS)
			shared.late[b]++;
		if (late > shared.late_max)
			shared.late_max = late;
	}
	shared.frames += slots;
	shared.bytes += bytes;
	tail_release(slots);
}

/* (from, to, sent, drops, err): drops are the last of a bulk, given back by the driver and freed. */
SEC("raw_tp/xdp_devmap_xmit")
int replay_sent(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 taken = ctx->args[2], given_back = ctx->args[3];
	__s32 err = ctx->args[4];

	if (in_flight == 0 || cpu != bpf_get_smp_processor_id())
		return 0;
	if (given_back > in_flight)
		given_back = in_flight;
	if (err != 0)
		shared.error = err;
	if (given_back != in_flight) {
		/* Fewer than were redirected: the device's MTU fell, and which went is not known. */
		__u32 unheard = in_flight - given_back;
		count_taken(unheard);
		if (unheard > taken) {
			shared.lost += unheard - taken;
			shared.frames -= unheard - taken;
		}
		shared.failing_since = 0;
	}
	if (given_back != 0)
		note_failure(bpf_ktime_get_ns());
	in_flight = 0;
	return 0;
}
