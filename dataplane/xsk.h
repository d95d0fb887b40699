/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * AF_XDP sockets of one interface: one a queue, over one UMEM that is shared out between them
 * (kernel: Documentation/networking/af_xdp.rst). The only user of libxdp.
 *
 * Threads: a queue's calls come from one thread. A frame belongs to the kernel, or to the caller
 * from xsk_recv() to xsk_recycle() and from xsk_alloc() to xsk_send().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XSK_QUEUES_MAX 64u
#define XSK_FRAME_SIZE 4096u /* a page: what every driver takes */

struct xsk_options {
	const char *iface;
	unsigned n_queues;  /* sockets on queues 0 … n-1, at most XSK_QUEUES_MAX */
	unsigned frames;    /* wanted a queue; 0: 4096. A power of two; fewer if memory is short */
	bool rx, tx;        /* which rings; one of them, or both */
	bool copy;          /* do not ask for zero copy */
	bool big;           /* frames of several buffers (MTU above 3,500 or so) */
	size_t hold;        /* bytes of UMEM for xsk_hold(); none if memory is short */
};

/* One buffer that arrived. more: the frame goes on in the next one. */
struct xsk_buffer {
	uint8_t *data;
	uint32_t len;
	bool more;
};

struct xsk_counters {
	uint64_t rx_dropped, rx_ring_full, rx_fill_empty; /* XDP_STATISTICS, over all queues */
	uint64_t tx_invalid, tx_ring_empty;
	uint64_t waits;     /* sends that found no free frame */
};

struct xsk;

/*
 * 0 or -errno; err says which queue and what would help. A queue that another process is leaving
 * is retried for three seconds.
 */
int xsk_open(struct xsk **out, const struct xsk_options *o, char *err, size_t errlen);
int xsk_fd(const struct xsk *x, unsigned q);      /* for an XSKMAP */
bool xsk_zero_copy(const struct xsk *x);          /* what the kernel says that it got */

unsigned xsk_recv(struct xsk *x, unsigned q, struct xsk_buffer bufs[], unsigned max);
void xsk_recycle(struct xsk *x, unsigned q, const uint8_t *data); /* any byte of the frame */

/* How many frames, each of xsk_room() bytes, of the n wanted. */
unsigned xsk_alloc(struct xsk *x, unsigned q, uint8_t *data[], unsigned n);
uint32_t xsk_room(const struct xsk *x);
/* In order; len 0 gives the frame back unsent. How many went, or -errno of the device. */
int xsk_send(struct xsk *x, unsigned q, uint8_t *const data[], const uint32_t len[], unsigned n);
/* Room for a frame that stays, of any queue, or NULL: there is no more, or it is too long. */
uint8_t *xsk_hold(struct xsk *x, uint32_t len);
/* Sends such ones, in order: how many, as far as there is room. Or -errno. */
int xsk_resend(struct xsk *x, unsigned q, uint8_t *const data[], const uint32_t len[], unsigned n);
/* Frames handed to the kernel that it has not said to be sent; looks, and kicks it on. Or -errno. */
int xsk_pending(struct xsk *x, unsigned q);

void xsk_count(struct xsk *x, struct xsk_counters *out);
void xsk_close(struct xsk *x); /* NULL is fine */
