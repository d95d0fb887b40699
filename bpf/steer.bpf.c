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

/* By slot, written by user space: the ticket that may be shunted, 0 none. */
__u32 granted[STEER_FLOWS_MAX];
/* Frames seen at this interface: one count for all queues, so that no two have the same number. */
__u64 numbered;

enum options { OPTIONS_NONE, OPTIONS_TIMESTAMPS, OPTIONS_OTHER };

struct seen {
	struct steer_key key;
	__u32 seq, ack, len; /* len: of the payload */
	__u32 ip_len;
	__u32 side;          /* of key's ends, the sender */
	__u8 ttl, df, flags, options;
	_Bool whole;         /* no fragment, lengths agree, nothing that is rare */
};

#define TCP_FLAG_ACK 0x10
#define TCP_FLAG_PSH 0x08
#define VLANS_MAX    4
#define ETH_P_QINQ_OLD 0x9100
#define EXTENSIONS_MAX 8
#define BUSY_TRIES     256 /* an entry is written in a tenth of that */
#define NOP_NOP_TIMESTAMPS 0x0101080a
#define IP_FRAGMENT 0x3fff
#define IP_OFFSET   0x1fff
#define IP_DF       0x4000

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

static __always_inline __u64 half_of(const __u8 *addr)
{
	__u64 h;

	__builtin_memcpy(&h, addr, 8);
	return bpf_be64_to_cpu(h);
}

/* Fills key and side; in user space dataplane/flow_key.h orders ends the same way. */
static __always_inline void set_key(struct seen *s, const __u8 *src, const __u8 *dst, __be16 sport,
				    __be16 dport)
{
	__u64 a = half_of(src), b = half_of(dst);

	if (a == b) {
		a = half_of(src + 8);
		b = half_of(dst + 8);
	}
	_Bool lower = a != b ? a < b : bpf_ntohs(sport) <= bpf_ntohs(dport);
	s->side = !lower;
	__builtin_memcpy(s->key.addr[0], lower ? src : dst, 16);
	__builtin_memcpy(s->key.addr[1], lower ? dst : src, 16);
	s->key.port[0] = lower ? sport : dport;
	s->key.port[1] = lower ? dport : sport;
}

/* room: bytes that IP says are there. */
static __always_inline _Bool read_tcp(struct tcphdr *tcp, void *end, __u32 room, struct seen *s)
{
	if ((void *)(tcp + 1) > end)
		return 0;
	__u32 head = tcp->doff * 4u;
	s->seq = bpf_ntohl(tcp->seq);
	s->ack = bpf_ntohl(tcp->ack_seq);
	s->flags = ((__u8 *)tcp)[13];
	/* The reserved bits and AE are as telling as a flag out of place. */
	s->whole = head >= sizeof(*tcp) && head <= room && (((__u8 *)tcp)[12] & 0x0f) == 0;
	s->len = s->whole ? room - head : 0;
	s->options = head == sizeof(*tcp) ? OPTIONS_NONE : OPTIONS_OTHER;
	__be32 *first = (void *)(tcp + 1);
	if (head == sizeof(*tcp) + 12 && (void *)(first + 3) <= end &&
	    *first == bpf_htonl(NOP_NOP_TIMESTAMPS))
		s->options = OPTIONS_TIMESTAMPS;
	return 1;
}

/* Anything but a header of 20 bytes, an unfragmented packet and a whole TCP header is rare. */
static __always_inline _Bool read_v4(struct iphdr *ip, void *end, __u32 room, struct seen *s)
{
	struct tcphdr *tcp = (void *)(ip + 1);
	__u8 src[16], dst[16];

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl != 5 ||
	    ip->protocol != IPPROTO_TCP || (ip->frag_off & bpf_htons(IP_FRAGMENT)) != 0)
		return 0;
	s->ip_len = bpf_ntohs(ip->tot_len);
	s->ttl = ip->ttl;
	s->df = (ip->frag_off & bpf_htons(IP_DF)) != 0;
	if (s->ip_len > room || s->ip_len < sizeof(*ip) ||
	    !read_tcp(tcp, end, s->ip_len - sizeof(*ip), s))
		return 0;
	mapped(src, ip->saddr);
	mapped(dst, ip->daddr);
	set_key(s, src, dst, tcp->source, tcp->dest);
	s->whole = s->whole && (ip->frag_off & bpf_htons(0x8000)) == 0;
	return 1;
}

static __always_inline _Bool read_v6(struct ipv6hdr *ip, void *end, __u32 room, struct seen *s)
{
	struct tcphdr *tcp = (void *)(ip + 1);
	__u8 src[16], dst[16];

	if ((void *)(ip + 1) > end || ip->version != 6 || ip->nexthdr != IPPROTO_TCP)
		return 0;
	s->ip_len = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	s->ttl = ip->hop_limit;
	if (s->ip_len > room || !read_tcp(tcp, end, s->ip_len - sizeof(*ip), s))
		return 0;
	__builtin_memcpy(src, &ip->saddr, 16);
	__builtin_memcpy(dst, &ip->daddr, 16);
	set_key(s, src, dst, tcp->source, tcp->dest);
	return 1;
}

/* Of one IP packet, wherever its parts lie: its addresses, what it carries, and where that begins. */
struct rare {
	__u8 src[16], dst[16];
	__u32 at;
	__u32 proto;
};

static __always_inline _Bool rare_v4(struct xdp_md *ctx, struct rare *r)
{
	struct iphdr ip;

	if (bpf_xdp_load_bytes(ctx, r->at, &ip, sizeof(ip)) != 0 || ip.ihl < 5 ||
	    (ip.frag_off & bpf_htons(IP_OFFSET)) != 0)
		return 0;
	mapped(r->src, ip.saddr);
	mapped(r->dst, ip.daddr);
	r->proto = ip.protocol;
	r->at += ip.ihl * 4;
	return 1;
}

static __always_inline _Bool rare_v6(struct xdp_md *ctx, struct rare *r)
{
	struct ipv6hdr ip;
	__u8 head[4];

	if (bpf_xdp_load_bytes(ctx, r->at, &ip, sizeof(ip)) != 0)
		return 0;
	__builtin_memcpy(r->src, &ip.saddr, 16);
	__builtin_memcpy(r->dst, &ip.daddr, 16);
	r->proto = ip.nexthdr;
	r->at += sizeof(ip);
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		if (r->proto != IPPROTO_HOPOPTS && r->proto != IPPROTO_ROUTING &&
		    r->proto != IPPROTO_DSTOPTS && r->proto != IPPROTO_FRAGMENT)
			return 1;
		if (bpf_xdp_load_bytes(ctx, r->at, head, sizeof(head)) != 0)
			return 0;
		if (r->proto == IPPROTO_FRAGMENT && (head[2] != 0 || (head[3] & 0xf8) != 0))
			return 0;
		r->at += r->proto == IPPROTO_FRAGMENT ? 8 : (head[1] + 1) * 8;
		r->proto = head[0];
	}
	return 1;
}

static __always_inline _Bool rare_ip(struct xdp_md *ctx, struct rare *r)
{
	__u8 first;

	if (bpf_xdp_load_bytes(ctx, r->at, &first, 1) != 0)
		return 0;
	if (first >> 4 == 4)
		return rare_v4(ctx, r);
	return first >> 4 == 6 && rare_v6(ctx, r);
}

/* An error of ICMP or ICMPv6, and where the packet is that it quotes. */
static __always_inline _Bool rare_error(struct xdp_md *ctx, struct rare *r)
{
	__u8 kind;

	if (bpf_xdp_load_bytes(ctx, r->at, &kind, 1) != 0)
		return 0;
	r->at += 8;
	return r->proto == IPPROTO_ICMP ? kind == 3 || kind == 4 || kind == 5 || kind == 11 || kind == 12
					: kind >= 1 && kind <= 4;
}

/*
 * Which flow a packet belongs to that is never in character: with IP options or extension headers,
 * the first fragment of one, or an ICMP error about it. 1: key is set. Verified by itself.
 */
__attribute__((noinline)) int read_rare(struct xdp_md *ctx, struct seen *s, __u32 at)
{
	struct rare r = {};
	__be16 ports[2];

	if (!s)
		return 0;
	r.at = at;
	s->whole = 0;
	if (!rare_ip(ctx, &r))
		return 0;
	if ((r.proto == IPPROTO_ICMP || r.proto == IPPROTO_ICMPV6) &&
	    (!rare_error(ctx, &r) || !rare_ip(ctx, &r)))
		return 0;
	if (r.proto != IPPROTO_TCP || bpf_xdp_load_bytes(ctx, r.at, ports, sizeof(ports)) != 0)
		return 0;
	set_key(s, r.src, r.dst, ports[0], ports[1]);
	return 1;
}

/* True: key is set. */
static __always_inline _Bool read_frame(struct xdp_md *ctx, __u32 size, struct seen *s)
{
	void *at = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 before = sizeof(struct ethhdr);
	struct ethhdr *eth = at;

	if ((void *)(eth + 1) > end)
		return 0;
	__be16 type = eth->h_proto;
	at = eth + 1;
	for (int i = 0; i < VLANS_MAX; i++) {
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD) &&
		    type != bpf_htons(ETH_P_QINQ_OLD))
			break;
		if (at + 4 > end)
			return 0;
		type = *(__be16 *)(at + 2);
		at += 4;
		before += 4;
	}
	if (type == bpf_htons(ETH_P_IP))
		return read_v4(at, end, size - before, s) || read_rare(ctx, s, before);
	if (type == bpf_htons(ETH_P_IPV6))
		return read_v6(at, end, size - before, s) || read_rare(ctx, s, before);
	return 0;
}

static __always_inline _Bool in_character(const struct seen *s, const struct steer_flow *f,
					  const struct steer_side *me, const struct steer_side *peer)
{
	if (!s->whole || s->ttl != me->ttl || s->df != me->df || s->len > me->data_max ||
	    s->options != f->timestamps ||
	    (s->flags != TCP_FLAG_ACK && s->flags != (TCP_FLAG_ACK | TCP_FLAG_PSH)))
		return 0;
	if (me->seen && (s->seq != me->seq_end || (__s32)(s->ack - me->ack) < 0))
		return 0;
	return !peer->seen || (__s32)(s->ack - peer->seq_end) <= 0;
}

/* As bpf_xdp_load_bytes(), whose call takes longer than to copy what lies in one piece. */
static __always_inline void snap(struct xdp_md *ctx, struct steer_last *l)
{
	const void *from = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 len = *(volatile __u32 *)&l->caplen, at = 0; /* read again: as a number of 32 bits */

	if (len == 0 || len > STEER_SNAP)
		return;
	if (from + len > end) {
		if (bpf_xdp_load_bytes(ctx, 0, l->data, len) != 0)
			l->caplen = 0;
		return;
	}
#pragma unroll
	for (int i = 0; i < STEER_SNAP / 8; i++, at += 8) {
		if (from + at + 8 > end)
			break;
		*(__u64 *)(l->data + at) = *(const __u64 *)(from + at);
	}
	for (int i = 0; i < 7 && at < STEER_SNAP && from + at + 1 <= end; i++, at++)
		l->data[at] = *(const __u8 *)(from + at);
}

/*
 * With busy set, the look at the grant included: what user space takes away before it reads the entry is
 * not counted afterwards. True: the frame goes no further.
 */
static __always_inline _Bool track(struct xdp_md *ctx, struct steer_flow *f, const struct seen *s,
				   const struct steer_stamp *stamp, __u32 size)
{
	__u32 grant = *(volatile __u32 *)&granted[f->ticket & (STEER_FLOWS_MAX - 1)];
	struct steer_side *me = s->side ? &f->side[1] : &f->side[0];
	struct steer_side *peer = s->side ? &f->side[0] : &f->side[1];

	/* Frames were counted, so the grant was given once: now it was taken away. */
	if (f->passed != 0 && grant != f->ticket)
		f->over = 1;
	if (f->over)
		return 0;
	if (!in_character(s, f, me, peer)) {
		f->over = 1;
		return 0;
	}
	_Bool watched = !me->seen || !peer->seen || grant != f->ticket;
	me->seen = 1;
	me->seq_end = s->seq + s->len;
	me->ack = s->ack;
	if (watched)
		return 0;
	me->packets++;
	me->data += s->len != 0;
	me->last_len = s->len != 0 ? s->len : me->last_len;
	me->bytes += s->ip_len;
	me->last_ns = stamp->ns;
	struct steer_last *l = &f->last[f->passed++ & (STEER_LAST - 1)];
	l->ns = stamp->ns;
	l->number = stamp->number;
	l->side = s->side;
	l->wirelen = size;
	l->caplen = size < STEER_SNAP ? size : STEER_SNAP;
	snap(ctx, l);
	return 1;
}

/* False: another CPU was at it for so long that its frame and this one have no order. */
static __always_inline _Bool take(struct steer_flow *f)
{
	for (int i = 0; i < BUSY_TRIES; i++)
		if (__sync_val_compare_and_swap(&f->busy, 0, 1) == 0)
			return 1;
	return 0;
}

/* True if the packet is counted here and goes no further. */
static __always_inline _Bool shunt(struct xdp_md *ctx, struct steer_stamp *stamp, __u32 size)
{
	struct seen s = {};
	_Bool passed;

	if (!read_frame(ctx, size, &s))
		return 0;
	struct steer_flow *f = bpf_map_lookup_elem(&flows, &s.key);
	if (!f)
		return 0;
	/* No stamp could say that it was watched, or came after the end. */
	if (size > STEER_STAMPED_MAX)
		s.whole = 0;
	stamp->ticket = f->ticket;
	if (!take(f)) {
		stamp->over = f->over = 1;
		return 0;
	}
	passed = track(ctx, f, &s, stamp, size);
	stamp->over = f->over;
	__sync_lock_test_and_set(&f->busy, 0);
	return passed;
}

/* Frames of several buffers go without: there the stamp takes room that the kernel does not count. */
static __always_inline void put_stamp(struct xdp_md *ctx, const struct steer_stamp *stamp, __u32 size)
{
	if (size > STEER_STAMPED_MAX)
		return;
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(struct steer_stamp)) != 0)
		return;
	struct steer_stamp *s = (void *)(long)ctx->data_meta;
	if ((void *)(s + 1) > (void *)(long)ctx->data)
		return;
	*s = *stamp;
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
	struct steer_stamp stamp = {.key = stamp_key, .ns = bpf_ktime_get_ns()};
	__u32 queue = ctx->rx_queue_index, size = bpf_xdp_get_buff_len(ctx);

	if (shunting) {
		stamp.number = __sync_fetch_and_add(&numbered, 1) + 1;
		if (shunt(ctx, &stamp, size)) {
			count(STEER_SHUNTED);
			return XDP_DROP;
		}
	}
	if (!bpf_map_lookup_elem(&sockets, &queue)) {
		count(STEER_OTHER);
		return XDP_PASS;
	}
	count(STEER_DELIVERED);
	put_stamp(ctx, &stamp, size);
	return bpf_redirect_map(&sockets, queue, XDP_PASS);
}
