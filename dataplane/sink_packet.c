/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * AF_PACKET with a transmit ring (TPACKET_V2, the kernel's Documentation/networking/packet_mmap):
 * works on every Ethernet device, a copy and a share of a system call a frame.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/interface.h"
#include "dataplane/now.h"
#include "dataplane/packet.h"
#include "dataplane/sink.h"

#define QUEUES_MAX  64u
#define RING_BYTES  (4u << 20)
#define SLOTS_MAX   2048u
#define BLOCK_MIN   (64u << 10)
#define SEND_BUFFER (32 << 20)
#define WAIT_MS     1    /* for a full ring or device */
#define STUCK       5000 /* times WAIT_MS without a frame leaving: the device is dead */

/* Where a frame's bytes are in its slot; no sockaddr_ll is read on transmission. */
#define DATA_AT (TPACKET2_HDRLEN - sizeof(struct sockaddr_ll))

struct ring {
	int fd;
	uint8_t *map;
	size_t map_len;
	unsigned slots, head; /* next to fill */
	uint64_t frames, bytes, refused, waits;
};

struct packet_sink {
	unsigned queues;
	uint32_t frame_max, slot_size;
	bool bypass;
	struct ring rings[QUEUES_MAX];
	char iface[IFNAMSIZ];
	struct interface_traffic before; /* the device's own counters */
};

/* The kernel's side writes it too. */
static _Atomic uint32_t *status_of(const struct packet_sink *s, const struct ring *r,
				   unsigned slot)
{
	void *p = r->map + (size_t)slot * s->slot_size;

	return (_Atomic uint32_t *)&((struct tpacket2_hdr *)p)->tp_status;
}

static uint32_t status(const struct packet_sink *s, const struct ring *r, unsigned slot)
{
	return atomic_load_explicit(status_of(s, r, slot), memory_order_acquire);
}

static struct tpacket2_hdr *slot_of(const struct packet_sink *s, const struct ring *r,
				    unsigned slot)
{
	void *p = r->map + (size_t)(slot % r->slots) * s->slot_size;

	return p;
}

static int ring_open(const struct packet_sink *s, struct ring *r, int index)
{
	int version = TPACKET_V2, on = 1, size = SEND_BUFFER;
	/* Without a protocol it receives nothing. */
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = index};
	struct tpacket_req req = {.tp_frame_size = s->slot_size};

	r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (r->fd < 0)
		return -errno;
	if (setsockopt(r->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0)
		return -errno;
	if (s->bypass &&
	    setsockopt(r->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) != 0)
		return -errno;
	/* A frame counts there until the device has freed it. Without the right, as much as goes. */
	if (setsockopt(r->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0)
		(void)setsockopt(r->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	req.tp_block_size = s->slot_size > BLOCK_MIN ? s->slot_size : BLOCK_MIN;
	unsigned slots = RING_BYTES / s->slot_size;
	slots = slots > SLOTS_MAX ? SLOTS_MAX : slots;
	unsigned per_block = req.tp_block_size / s->slot_size;
	req.tp_block_nr = (slots + per_block - 1) / per_block;
	req.tp_frame_nr = req.tp_block_nr * per_block;
	if (setsockopt(r->fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)) != 0)
		return -errno;
	r->slots = req.tp_frame_nr;
	r->map_len = (size_t)req.tp_block_nr * req.tp_block_size;
	void *map = mmap(NULL, r->map_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	r->map = map;
	return bind(r->fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? 0 : -errno;
}

static void packet_close(void *state)
{
	struct packet_sink *s = state;

	for (unsigned q = 0; q < QUEUES_MAX; q++) {
		struct ring *r = &s->rings[q];
		if (r->map != NULL)
			munmap(r->map, r->map_len);
		if (r->fd > 0)
			close(r->fd);
	}
	memset(s, 0, sizeof(*s));
}

static int packet_open(void *state, const struct sink_config *cfg, char *err, size_t errlen)
{
	struct packet_sink *s = state;
	struct interface i;
	int ret = cfg->iface != NULL ? interface_get(cfg->iface, &i) : -EINVAL;

	if (ret == 0 && !i.up)
		ret = -ENETDOWN;
	if (ret == 0 && i.linktype != LINKTYPE_ETHERNET)
		ret = -EPFNOSUPPORT;
	if (ret != 0)
		goto out;
	memcpy(s->iface, i.name, sizeof(s->iface));
	s->bypass = !cfg->qdisc;
	s->frame_max = cfg->frame_max != 0 ? cfg->frame_max : 1514;
	s->queues = cfg->queues > QUEUES_MAX ? QUEUES_MAX : cfg->queues != 0 ? cfg->queues : 1;
	for (s->slot_size = 2048; s->slot_size < DATA_AT + s->frame_max; s->slot_size *= 2)
		;
	for (unsigned q = 0; q < s->queues && ret == 0; q++)
		ret = ring_open(s, &s->rings[q], (int)i.index);
	s->before = interface_traffic(s->iface);
out:
	if (ret == -EPERM)
		snprintf(err, errlen, "%s: sending raw frames takes root or CAP_NET_RAW",
			 cfg->iface);
	else if (ret == -EPFNOSUPPORT)
		snprintf(err, errlen, "%s is no Ethernet device", cfg->iface);
	else if (ret != 0)
		snprintf(err, errlen, "%s: %s", cfg->iface != NULL ? cfg->iface : "no interface",
			 strerror(-ret));
	if (ret != 0)
		packet_close(s);
	return ret;
}

static unsigned packet_queues(const void *state)
{
	const struct packet_sink *s = state;

	return s->queues;
}

/* Lets the kernel walk the ring. 0, -EAGAIN if it got stuck on something that passes, or -errno. */
static int kick(struct ring *r)
{
	if (send(r->fd, NULL, 0, MSG_DONTWAIT) >= 0)
		return 0;
	switch (errno) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS: /* the device's queue is full */
	case ENOMEM:
	case EMSGSIZE: /* of one frame, whose slot says so */
	case EINVAL:
		return -EAGAIN;
	default:
		return -errno;
	}
}

static void wait_for(struct ring *r)
{
	struct pollfd p = {.fd = r->fd, .events = POLLOUT};

	r->waits++;
	(void)poll(&p, 1, WAIT_MS);
}

static int packet_alloc(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct packet_sink *s = state;
	struct ring *r = &s->rings[q];
	unsigned i;

	for (i = 0; i < n && i < r->slots; i++) {
		unsigned slot = (r->head + i) % r->slots;
		if (status(s, r, slot) != TP_STATUS_AVAILABLE)
			break;
		frames[i] = (struct frame){.data = (uint8_t *)slot_of(s, r, slot) + DATA_AT,
					   .room = s->frame_max};
	}
	if (i == 0)
		wait_for(r);
	return (int)i;
}

/*
 * The kernel stays at a frame that it will not send until its slot holds something better: the
 * later ones move up, and the last slot is free again.
 */
static void drop_slot(struct packet_sink *s, struct ring *r, unsigned slot, unsigned end)
{
	for (; slot + 1 != end; slot++) {
		struct tpacket2_hdr *to = slot_of(s, r, slot), *from = slot_of(s, r, slot + 1);
		memcpy((uint8_t *)to + DATA_AT, (uint8_t *)from + DATA_AT, from->tp_len);
		to->tp_len = from->tp_len;
		atomic_store_explicit(status_of(s, r, slot % r->slots), TP_STATUS_SEND_REQUEST,
				      memory_order_release);
	}
	atomic_store_explicit(status_of(s, r, (end - 1) % r->slots), TP_STATUS_AVAILABLE,
			      memory_order_release);
}

struct pending {
	unsigned at, end; /* slots that the kernel has not taken, counted on past the ring's end */
	unsigned frame;   /* of the caller's: what slot `at` holds, or one of length 0 before */
};

/* Frames that are on their way, in order; then the one that the kernel refuses, if it does. */
static void note_progress(struct packet_sink *s, struct ring *r, struct pending *p,
			  struct frame frames[])
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	for (; p->at != p->end; p->at++) {
		uint32_t st = status(s, r, p->at % r->slots);
		if (st == TP_STATUS_SEND_REQUEST)
			return;
		while (frames[p->frame].len == 0)
			p->frame++;
		struct frame *f = &frames[p->frame++];
		if (st == TP_STATUS_WRONG_FORMAT) {
			r->refused++;
			drop_slot(s, r, p->at, p->end);
			p->end--;
			p->at--;
			continue;
		}
		f->tx_ns = now;
		r->frames++;
		r->bytes += f->len;
	}
}

/* Nothing more will go: what the kernel has not taken must not go later. */
static void take_back(struct packet_sink *s, struct ring *r, const struct pending *p)
{
	for (unsigned i = p->at; i != p->end; i++)
		atomic_store(status_of(s, r, i % r->slots), TP_STATUS_AVAILABLE);
	r->head = p->at % r->slots;
}

static int packet_send(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct packet_sink *s = state;
	struct ring *r = &s->rings[q];
	uint64_t before = r->frames;
	struct pending p = {.at = r->head, .end = r->head};
	unsigned stuck = 0;

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &frames[i];
		struct tpacket2_hdr *h = slot_of(s, r, p.end);
		if (f->len == 0)
			continue;
		/* What was left out before it leaves a hole: the kernel wants slots in order. */
		if (f->data != (uint8_t *)h + DATA_AT)
			memcpy((uint8_t *)h + DATA_AT, f->data, f->len);
		h->tp_len = f->len;
		h->tp_snaplen = f->len;
		atomic_store_explicit(status_of(s, r, p.end % r->slots), TP_STATUS_SEND_REQUEST,
				      memory_order_release);
		p.end++;
	}
	while (p.at != p.end) {
		unsigned was = p.at;
		int err = kick(r);
		if (err == 0 || err == -EAGAIN)
			note_progress(s, r, &p, frames);
		stuck = p.at != p.end && p.at == was ? stuck + 1 : 0;
		if (stuck > STUCK)
			err = -ETIMEDOUT;
		if (err != 0 && err != -EAGAIN) {
			take_back(s, r, &p);
			return r->frames != before ? (int)(r->frames - before) : err;
		}
		if (stuck != 0)
			wait_for(r);
	}
	r->head = p.end % r->slots;
	return (int)(r->frames - before);
}

/* Everything was handed to the device; it has freed all of it when no slot is busy. */
static int packet_flush(void *state)
{
	struct packet_sink *s = state;

	for (unsigned q = 0; q < s->queues; q++) {
		struct ring *r = &s->rings[q];
		for (unsigned slot = 0, waited = 0; slot < r->slots; slot++) {
			while (status(s, r, slot) == TP_STATUS_SENDING && waited++ < STUCK)
				wait_for(r);
		}
	}
	return 0;
}

static void packet_stats(void *state, struct sink_stats *out)
{
	struct packet_sink *s = state;
	struct interface_traffic now = interface_traffic(s->iface);

	for (unsigned q = 0; q < s->queues; q++) {
		out->frames += s->rings[q].frames;
		out->bytes += s->rings[q].bytes;
		out->refused += s->rings[q].refused;
		out->waits += s->rings[q].waits;
	}
	out->lost = now.tx_dropped - s->before.tx_dropped;
	snprintf(out->mode, sizeof(out->mode), "transmit ring, %s",
		 s->bypass ? "past the queueing discipline" : "through the queueing discipline");
}

const struct sink_ops sink_packet = {
	.name = "packet",
	.doc = "an Ethernet interface, by AF_PACKET",
	.state_size = sizeof(struct packet_sink),
	.open = packet_open,
	.queues = packet_queues,
	.alloc = packet_alloc,
	.send = packet_send,
	.flush = packet_flush,
	.stats = packet_stats,
	.close = packet_close,
};
