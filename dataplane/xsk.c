/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/xsk.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>
#include <xdp/xsk.h>

/* Linux 6.6, not yet in Debian 12's headers. */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#endif
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0)
#endif

/* Linux 6.17: descriptors that one system call sends in copy mode, 32 unless told. */
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

#define FRAMES_DEFAULT 4096u
#define TX_BUDGET      256
#define LINE           64u /* of the cache */
#define FRAMES_MIN     256u
#define BUSY_MS        3000
#define BUSY_STEP_MS   100

struct queue {
	struct xsk_socket *socket;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons complete, rx;
	uint64_t *free;      /* addresses of frames that nobody has; tx only */
	unsigned n_free;
	uint64_t free_end;   /* frames from here on stay, and are nobody's to take */
	unsigned pending;    /* handed to the kernel, not completed */
	uint64_t waits;
};

struct xsk {
	uint8_t *area;
	size_t area_size;
	size_t hold_at, hold; /* where the next frame that stays may begin; bytes for them, at the end */
	struct xsk_umem *umem;
	unsigned n_queues, frames;
	bool zero_copy;
	struct queue queues[XSK_QUEUES_MAX];
};

static int say(char *err, size_t errlen, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int say(char *err, size_t errlen, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	return code;
}

/* The libraries print what their callers have to say better. */
static int quiet_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

static int quiet_libxdp(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* Locked memory counts against the limit unless the process may ignore it. */
static void lift_memlock(void)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY}, now;

	if (setrlimit(RLIMIT_MEMLOCK, &all) == 0 || getrlimit(RLIMIT_MEMLOCK, &now) != 0)
		return;
	now.rlim_cur = now.rlim_max;
	(void)setrlimit(RLIMIT_MEMLOCK, &now);
}

static void close_all(struct xsk *x)
{
	/* The UMEM goes only after its last socket, and the first socket is the UMEM's own. */
	for (unsigned q = x->n_queues; q-- > 0;) {
		if (x->queues[q].socket != NULL)
			xsk_socket__delete(x->queues[q].socket);
		x->queues[q].socket = NULL;
		free(x->queues[q].free);
		x->queues[q].free = NULL;
	}
	if (x->umem != NULL)
		(void)xsk_umem__delete(x->umem);
	x->umem = NULL;
	if (x->area != NULL)
		munmap(x->area, x->area_size);
	x->area = NULL;
}

static int make_umem(struct xsk *x)
{
	const struct xsk_umem_config cfg = {
		.fill_size = x->frames,
		.comp_size = x->frames,
		.frame_size = XSK_FRAME_SIZE,
	};

	x->hold_at = (size_t)x->n_queues * x->frames * XSK_FRAME_SIZE;
	x->area_size = x->hold_at + x->hold;
	x->area = mmap(NULL, x->area_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	if (x->area == MAP_FAILED) {
		x->area = NULL;
		return -ENOMEM;
	}
	return xsk_umem__create(&x->umem, x->area, x->area_size, &x->queues[0].fill,
				&x->queues[0].complete, &cfg);
}

static int make_socket(struct xsk *x, unsigned q, const struct xsk_options *o, uint16_t bind_flags)
{
	struct queue *queue = &x->queues[q];
	const struct xsk_socket_config cfg = {
		.rx_size = x->frames,
		.tx_size = x->frames,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = bind_flags,
	};
	struct xsk_ring_cons *rx = o->rx ? &queue->rx : NULL;
	struct xsk_ring_prod *tx = o->tx ? &queue->tx : NULL;

	if (q == 0)
		return xsk_socket__create(&queue->socket, o->iface, q, x->umem, rx, tx, &cfg);
	return xsk_socket__create_shared(&queue->socket, o->iface, q, x->umem, rx, tx,
					 &queue->fill, &queue->complete, &cfg);
}

/* Frames of a queue are its own: the first to the kernel to fill, or all ours to send. */
static int deal_frames(struct xsk *x, unsigned q, const struct xsk_options *o)
{
	struct queue *queue = &x->queues[q];
	uint64_t base = (uint64_t)q * x->frames * XSK_FRAME_SIZE;
	unsigned to_fill = !o->rx ? 0 : o->tx ? x->frames / 2 : x->frames;
	uint32_t at;

	if (to_fill > 0 && xsk_ring_prod__reserve(&queue->fill, to_fill, &at) != to_fill)
		return -ENOMEM;
	for (unsigned i = 0; i < to_fill; i++)
		*xsk_ring_prod__fill_addr(&queue->fill, at + i) = base + (uint64_t)i * XSK_FRAME_SIZE;
	if (to_fill > 0)
		xsk_ring_prod__submit(&queue->fill, to_fill);
	queue->free = calloc(x->frames, sizeof(*queue->free));
	if (queue->free == NULL)
		return -ENOMEM;
	queue->free_end = (uint64_t)x->n_queues * x->frames * XSK_FRAME_SIZE;
	for (unsigned i = x->frames; i-- > to_fill;)
		queue->free[queue->n_free++] = base + (uint64_t)i * XSK_FRAME_SIZE;
	return 0;
}

static int open_once(struct xsk *x, const struct xsk_options *o, uint16_t bind_flags, unsigned *q)
{
	const int budget = TX_BUDGET;

	*q = 0;
	memset(x->queues, 0, sizeof(x->queues));
	int err = make_umem(x);
	for (; err == 0 && *q < x->n_queues; (*q)++) {
		err = make_socket(x, *q, o, bind_flags);
		if (err == 0)
			err = deal_frames(x, *q, o);
		if (err != 0)
			break;
		/* Older kernels know no such option, and do with more calls. */
		(void)setsockopt(xsk_fd(x, *q), SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
	}
	if (err != 0)
		close_all(x);
	return err;
}

/* A queue's last user takes a second or two to go, after its process is gone. */
static int open_patiently(struct xsk *x, const struct xsk_options *o, uint16_t flags, unsigned *q)
{
	static const struct timespec step = {.tv_nsec = BUSY_STEP_MS * 1000000L};
	int err;

	for (unsigned ms = 0;; ms += BUSY_STEP_MS) {
		err = open_once(x, o, flags, q);
		if (err != -EBUSY || ms >= BUSY_MS)
			return err;
		nanosleep(&step, NULL);
	}
}

static bool got_zero_copy(const struct xsk *x)
{
	struct xdp_options got = {0};
	socklen_t len = sizeof(got);

	return getsockopt(xsk_socket__fd(x->queues[0].socket), SOL_XDP, XDP_OPTIONS, &got, &len) ==
		       0 && (got.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}

static int explain(const struct xsk_options *o, unsigned q, int err, char *text, size_t len)
{
	switch (err) {
	case -EBUSY:
		return say(text, len, err, "%s: queue %u is another program's", o->iface, q);
	case -EPERM:
	case -EACCES:
		return say(text, len, err, "%s: AF_XDP needs root or CAP_NET_RAW", o->iface);
	case -ENOMEM:
	case -ENOBUFS:
		return say(text, len, err,
			   "%s: not enough memory may be locked; raise it: ulimit -l unlimited",
			   o->iface);
	case -EAFNOSUPPORT:
	case -EOPNOTSUPP:
		return say(text, len, err, "%s: this kernel or driver has no AF_XDP", o->iface);
	default:
		return say(text, len, err, "%s: AF_XDP on queue %u: %s", o->iface, q,
			   strerror(-err));
	}
}

int xsk_open(struct xsk **out, const struct xsk_options *o, char *err, size_t errlen)
{
	uint16_t flags = XDP_USE_NEED_WAKEUP | (o->big ? XDP_USE_SG : 0);
	unsigned q = 0;

	*out = NULL;
	if (o->n_queues == 0 || o->n_queues > XSK_QUEUES_MAX)
		return say(err, errlen, -EINVAL, "%s: %u queues: 1 to %u can be used", o->iface,
			   o->n_queues, XSK_QUEUES_MAX);
	struct xsk *x = calloc(1, sizeof(*x));
	if (x == NULL)
		return say(err, errlen, -ENOMEM, "%s", strerror(ENOMEM));
	libbpf_set_print(quiet_libbpf);
	libxdp_set_print(quiet_libxdp);
	lift_memlock();
	x->n_queues = o->n_queues;
	x->hold = (o->hold + XSK_FRAME_SIZE - 1) / XSK_FRAME_SIZE * XSK_FRAME_SIZE;
	int failed;
	for (x->frames = o->frames != 0 ? o->frames : FRAMES_DEFAULT;;) {
		failed = o->copy ? -EOPNOTSUPP
				 : open_patiently(x, o, flags | XDP_ZEROCOPY, &q);
		if (failed != 0 && failed != -EBUSY && failed != -EPERM)
			failed = open_patiently(x, o, flags | XDP_COPY, &q);
		if ((failed != -ENOMEM && failed != -ENOBUFS) || x->frames / 2 < FRAMES_MIN)
			break;
		if (x->hold == 0)
			x->frames /= 2;
		x->hold = 0;
	}
	if (failed != 0) {
		free(x);
		return explain(o, q, failed, err, errlen);
	}
	x->zero_copy = got_zero_copy(x);
	*out = x;
	return 0;
}

int xsk_fd(const struct xsk *x, unsigned q)
{
	return xsk_socket__fd(x->queues[q].socket);
}

bool xsk_zero_copy(const struct xsk *x)
{
	return x->zero_copy;
}

uint32_t xsk_room(const struct xsk *x)
{
	(void)x;
	return XSK_FRAME_SIZE;
}

unsigned xsk_recv(struct xsk *x, unsigned q, struct xsk_buffer bufs[], unsigned max)
{
	struct queue *queue = &x->queues[q];
	uint32_t at;
	unsigned n = xsk_ring_cons__peek(&queue->rx, max, &at);

	for (unsigned i = 0; i < n; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&queue->rx, at + i);
		bufs[i] = (struct xsk_buffer){.data = xsk_umem__get_data(x->area, d->addr),
					      .len = d->len,
					      .more = (d->options & XDP_PKT_CONTD) != 0};
	}
	if (n > 0)
		xsk_ring_cons__release(&queue->rx, n);
	/* A driver out of frames sleeps until it is told that there are some. */
	if (n == 0 && xsk_ring_prod__needs_wakeup(&queue->fill))
		(void)recvfrom(xsk_socket__fd(queue->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
	return n;
}

void xsk_recycle(struct xsk *x, unsigned q, const uint8_t *data)
{
	struct queue *queue = &x->queues[q];
	uint64_t addr = (uint64_t)(data - x->area) & ~(uint64_t)(XSK_FRAME_SIZE - 1);
	uint32_t at;

	/* There is room: the ring is as long as the queue has frames. */
	if (xsk_ring_prod__reserve(&queue->fill, 1, &at) != 1)
		return;
	*xsk_ring_prod__fill_addr(&queue->fill, at) = addr;
	xsk_ring_prod__submit(&queue->fill, 1);
}

static void take_completed(struct queue *queue)
{
	uint32_t at;
	unsigned n = xsk_ring_cons__peek(&queue->complete, queue->pending, &at);

	for (unsigned i = 0; i < n; i++) {
		uint64_t addr = *xsk_ring_cons__comp_addr(&queue->complete, at + i);
		if (addr < queue->free_end)
			queue->free[queue->n_free++] = addr;
	}
	if (n > 0)
		xsk_ring_cons__release(&queue->complete, n);
	queue->pending -= n;
}

/* In copy mode the system call is what sends; it does some frames each time. */
static int kick(struct queue *queue)
{
	if (!xsk_ring_prod__needs_wakeup(&queue->tx))
		return 0;
	if (sendto(xsk_socket__fd(queue->socket), NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
		return 0;
	/* The device is full or busy: it is asked again. */
	return errno == EAGAIN || errno == EBUSY || errno == ENOBUFS || errno == EINTR ? 0 : -errno;
}

/* Descriptors that the kernel has not looked at yet. */
static unsigned untaken(const struct queue *queue)
{
	return queue->tx.cached_prod - __atomic_load_n(queue->tx.consumer, __ATOMIC_ACQUIRE);
}

/*
 * Copy mode: until all of the ring is sent. Frames are then the same few again and again; a ring
 * full of them, each with a page of its own, would have them all in the same sets of the cache.
 */
static int kick_all(struct queue *queue)
{
	unsigned left = untaken(queue), before = left + 1;
	int err = 0;

	for (; err == 0 && left > 0 && left < before; left = untaken(queue)) {
		before = left;
		err = kick(queue);
	}
	return err;
}

unsigned xsk_alloc(struct xsk *x, unsigned q, uint8_t *data[], unsigned n)
{
	struct queue *queue = &x->queues[q];

	if (queue->n_free < n) {
		take_completed(queue);
		if (queue->n_free < n && queue->pending > 0) {
			(void)kick(queue);
			take_completed(queue);
		}
	}
	if (queue->n_free < n) {
		n = queue->n_free;
		queue->waits += n == 0;
	}
	for (unsigned i = 0; i < n; i++)
		data[i] = xsk_umem__get_data(x->area, queue->free[--queue->n_free]);
	return n;
}

/* n descriptors are written: n, or -errno of the device. */
static int transmit(const struct xsk *x, struct queue *queue, unsigned n)
{
	if (n > 0)
		xsk_ring_prod__submit(&queue->tx, n);
	queue->pending += n;
	int err = x->zero_copy ? kick(queue) : kick_all(queue);
	take_completed(queue);
	return err != 0 ? err : (int)n;
}

int xsk_send(struct xsk *x, unsigned q, uint8_t *const data[], const uint32_t len[], unsigned n)
{
	struct queue *queue = &x->queues[q];
	unsigned sent = 0;
	uint32_t at = 0;

	for (unsigned i = 0; i < n; i++)
		sent += len[i] != 0;
	/* The ring is as long as the queue has frames, so what was allocated has a place. */
	if (sent > 0 && xsk_ring_prod__reserve(&queue->tx, sent, &at) != sent)
		return -ENOBUFS;
	for (unsigned i = 0, k = 0; i < n; i++) {
		uint64_t addr = (uint64_t)(data[i] - x->area);
		if (len[i] == 0) {
			queue->free[queue->n_free++] = addr;
			continue;
		}
		*xsk_ring_prod__tx_desc(&queue->tx, at + k++) =
			(struct xdp_desc){.addr = addr, .len = len[i]};
	}
	return transmit(x, queue, sent);
}

uint8_t *xsk_hold(struct xsk *x, uint32_t len)
{
	/* Of a chunk many may have a part, none parts of two. */
	if (x->hold_at % XSK_FRAME_SIZE + len > XSK_FRAME_SIZE)
		x->hold_at += XSK_FRAME_SIZE - x->hold_at % XSK_FRAME_SIZE;
	if (len > XSK_FRAME_SIZE || x->hold_at + len > x->area_size)
		return NULL;
	uint8_t *data = x->area + x->hold_at;
	x->hold_at += (len + LINE - 1) / LINE * LINE;
	return data;
}

int xsk_resend(struct xsk *x, unsigned q, uint8_t *const data[], const uint32_t len[], unsigned n)
{
	struct queue *queue = &x->queues[q];
	uint32_t at = 0;

	/* No more than the ring of completions takes. */
	if (n > x->frames - queue->pending)
		n = x->frames - queue->pending;
	if (n > 0 && xsk_ring_prod__reserve(&queue->tx, n, &at) != n)
		n = 0;
	for (unsigned i = 0; i < n; i++)
		*xsk_ring_prod__tx_desc(&queue->tx, at + i) =
			(struct xdp_desc){.addr = (uint64_t)(data[i] - x->area), .len = len[i]};
	queue->waits += n == 0;
	return transmit(x, queue, n);
}

int xsk_pending(struct xsk *x, unsigned q)
{
	struct queue *queue = &x->queues[q];

	take_completed(queue);
	int err = queue->pending > 0 ? kick(queue) : 0;
	return err != 0 ? err : (int)queue->pending;
}

void xsk_count(struct xsk *x, struct xsk_counters *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned q = 0; q < x->n_queues; q++) {
		struct xdp_statistics s = {0};
		socklen_t len = sizeof(s);
		out->waits += x->queues[q].waits;
		if (getsockopt(xsk_fd(x, q), SOL_XDP, XDP_STATISTICS, &s, &len) != 0)
			continue;
		out->rx_dropped += s.rx_dropped;
		out->rx_ring_full += s.rx_ring_full;
		out->rx_fill_empty += s.rx_fill_ring_empty_descs;
		out->tx_invalid += s.tx_invalid_descs;
		out->tx_ring_empty += s.tx_ring_empty_descs;
	}
}

void xsk_close(struct xsk *x)
{
	if (x == NULL)
		return;
	close_all(x);
	free(x);
}
