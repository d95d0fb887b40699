// SPDX-License-Identifier: (BSD-3-Clause OR GPL-2.0-only)

/* Nothing here drops a packet for being odd: what cannot be read is delivered. */

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/steer.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, STEER_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_FLOWS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct steer_key);
	__type(value, struct steer_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEER_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

/* Set before loading: without flows to look for, no packet is read. */
const volatile _Bool shunting;
const volatile __u64 stamp_key;

struct seen {
	struct steer_key key;
	__u32 seq, ack, len; /* len: of the payload, and one each for SYN and FIN */
	__u16 ip_id, window;
	__u8 ttl, flags;
	_Bool whole;         /* no fragment, lengths agree */
};

#define TCP_FLAG_ACK 0x10
#define TCP_FLAG_PSH 0x08
#define VLANS_MAX    2

static __always_inline void count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&counts, &what);

	if (n)
		(*n)++;
}

static __always_inline void mapped(__u8 *to, __be32 v4)
{
	__builtin_memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, &v4, 4);
}

static __always_inline _Bool read_tcp(void *at, void *end, __u32 room, struct seen *s)
{
	struct tcphdr *tcp = at;

	if ((void *)(tcp + 1) > end)
		return 0;
	__u32 head = tcp->doff * 4u;
	s->key.sport = tcp->source;
	s->key.dport = tcp->dest;
	s->seq = bpf_ntohl(tcp->seq);
	s->ack = bpf_ntohl(tcp->ack_seq);
	s->window = bpf_ntohs(tcp->window);
	s->flags = ((__u8 *)tcp)[13];
	/* The reserved bits and AE are as telling as a flag out of place. */
	s->whole = s->whole && head >= sizeof(*tcp) && head <= room &&
		   (((__u8 *)tcp)[12] & 0x0f) == 0;
	s->len = s->whole ? room - head : 0;
	return 1;
}

static __always_inline _Bool read_v4(void *at, void *end, struct seen *s)
{
	struct iphdr *ip = at;

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_TCP)
		return 0;
	__u32 total = bpf_ntohs(ip->tot_len);
	if (total < sizeof(*ip))
		return 0;
	mapped(s->key.src, ip->saddr);
	mapped(s->key.dst, ip->daddr);
	s->ttl = ip->ttl;
	s->ip_id = bpf_ntohs(ip->id);
	s->whole = (ip->frag_off & bpf_htons(0x3fff)) == 0;
	return read_tcp(ip + 1, end, total - sizeof(*ip), s);
}

static __always_inline _Bool read_v6(void *at, void *end, struct seen *s)
{
	struct ipv6hdr *ip = at;

	if ((void *)(ip + 1) > end || ip->version != 6 || ip->nexthdr != IPPROTO_TCP)
		return 0;
	__builtin_memcpy(s->key.src, &ip->saddr, 16);
	__builtin_memcpy(s->key.dst, &ip->daddr, 16);
	s->ttl = ip->hop_limit;
	s->ip_id = 0;
	s->whole = 1;
	return read_tcp(ip + 1, end, bpf_ntohs(ip->payload_len), s);
}

static __always_inline _Bool read_frame(struct xdp_md *ctx, struct seen *s)
{
	void *at = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = at;

	if ((void *)(eth + 1) > end)
		return 0;
	__be16 type = eth->h_proto;
	at = eth + 1;
	for (int i = 0; i < VLANS_MAX; i++) {
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if (at + 4 > end)
			return 0;
		type = *(__be16 *)(at + 2);
		at += 4;
	}
	if (type == bpf_htons(ETH_P_IP))
		return read_v4(at, end, s);
	return type == bpf_htons(ETH_P_IPV6) && read_v6(at, end, s);
}

static __always_inline _Bool in_character(const struct seen *s, const struct steer_flow *f)
{
	return s->whole && s->ttl == f->ttl && s->seq == f->seq_end &&
	       (s->flags == TCP_FLAG_ACK || s->flags == (TCP_FLAG_ACK | TCP_FLAG_PSH)) &&
	       (__s32)(s->ack - f->ack) >= 0;
}

/* True if the packet is counted here and goes no further. */
static __always_inline _Bool shunt(struct xdp_md *ctx)
{
	struct seen s = {};
	struct steer_key back = {};

	if (!read_frame(ctx, &s))
		return 0;
	struct steer_flow *f = bpf_map_lookup_elem(&flows, &s.key);
	if (!f || f->over)
		return 0;
	if (in_character(&s, f)) {
		__u64 size = bpf_xdp_get_buff_len(ctx);
		__sync_fetch_and_add(&f->packets, 1);
		__sync_fetch_and_add(&f->bytes, size);
		f->last_ns = bpf_ktime_get_ns();
		f->seq_end = s.seq + s.len;
		f->ack = s.ack;
		f->ip_id = s.ip_id;
		f->window = s.window;
		return 1;
	}
	f->over = 1;
	__builtin_memcpy(back.src, s.key.dst, 16);
	__builtin_memcpy(back.dst, s.key.src, 16);
	back.sport = s.key.dport;
	back.dport = s.key.sport;
	f = bpf_map_lookup_elem(&flows, &back);
	if (f)
		f->over = 1;
	return 0;
}

/* Frames of several buffers go without: there the stamp takes room that the kernel does not count. */
static __always_inline void stamp(struct xdp_md *ctx)
{
	if (bpf_xdp_get_buff_len(ctx) > STEER_STAMPED_MAX)
		return;
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(struct steer_stamp)) != 0)
		return;
	struct steer_stamp *s = (void *)(long)ctx->data_meta;
	if ((void *)(s + 1) > (void *)(long)ctx->data)
		return;
	s->key = stamp_key;
	s->ns = bpf_ktime_get_ns();
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;

	if (shunting && shunt(ctx)) {
		count(STEER_SHUNTED);
		return XDP_DROP;
	}
	if (!bpf_map_lookup_elem(&sockets, &queue)) {
		count(STEER_OTHER);
		return XDP_PASS;
	}
	count(STEER_DELIVERED);
	stamp(ctx);
	return bpf_redirect_map(&sockets, queue, XDP_PASS);
}
