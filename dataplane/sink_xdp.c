/* SPDX-License-Identifier: BSD-3-Clause */

/* AF_XDP transmit: frames go out of an interface past its qdisc, one socket a queue. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dataplane/interface.h"
#include "dataplane/now.h"
#include "dataplane/packet.h"
#include "dataplane/refuse.h"
#include "dataplane/sink.h"
#include "dataplane/xsk.h"

extern const struct sink_ops sink_xdp;

#define BURST    256u
#define FLUSH_MS 2000
#define HOLD_MAX (128u << 20) /* bytes of frames that stay: memory that is locked */
#define NAP_NS   20000

struct lane {
	uint64_t frames, bytes, refused;
};

struct xdp_sink {
	struct xsk *xsk;
	unsigned n_queues;
	uint64_t dropped; /* by the device, before we came */
	char iface[32];
	struct lane lanes[XSK_QUEUES_MAX];
};

/* Frames begin on cache lines and lie within chunks, which the longest leave half empty. */
static size_t bytes_to_hold(const struct sink_config *cfg)
{
	if (cfg->hold_frames > HOLD_MAX / 64 || cfg->hold_bytes > HOLD_MAX)
		return 0;
	uint64_t bytes = cfg->hold_bytes + cfg->hold_frames * 63;
	bytes = cfg->hold_bytes / 1024 > cfg->hold_frames ? 2 * bytes : bytes + bytes / 2;
	return bytes <= HOLD_MAX ? (size_t)bytes : 0;
}

static int xdp_open(void *state, const struct sink_config *cfg, char *err, size_t errlen)
{
	struct xdp_sink *x = state;
	struct interface i;

	if (cfg->iface == NULL)
		return refuse(err, errlen, -EINVAL, "xdp", "no interface is named");
	int failed = interface_get(cfg->iface, &i);
	if (failed != 0)
		return refuse(err, errlen, failed, cfg->iface, strerror(-failed));
	if (i.linktype != LINKTYPE_ETHERNET)
		return refuse(err, errlen, -EINVAL, cfg->iface, "AF_XDP is for Ethernet");
	if (!i.up)
		return refuse(err, errlen, -ENETDOWN, cfg->iface, "it is down");
	if (cfg->frame_max > XSK_FRAME_SIZE)
		return refuse(err, errlen, -EMSGSIZE, cfg->iface,
			      "frames above 4,096 bytes do not fit into AF_XDP's buffers; "
			      "--engine packet sends them");
	x->n_queues = cfg->queues == 0 ? 1 : cfg->queues;
	if (x->n_queues > i.tx_queues)
		x->n_queues = i.tx_queues;
	if (x->n_queues > XSK_QUEUES_MAX)
		x->n_queues = XSK_QUEUES_MAX;
	const struct xsk_options o = {.iface = cfg->iface, .n_queues = x->n_queues, .tx = true,
				      .copy = cfg->copy, .hold = bytes_to_hold(cfg)};
	failed = xsk_open(&x->xsk, &o, err, errlen);
	if (failed != 0)
		return failed;
	memcpy(x->iface, i.name, sizeof(i.name));
	x->dropped = interface_traffic(cfg->iface).tx_dropped;
	return 0;
}

static unsigned xdp_queues(const void *state)
{
	const struct xdp_sink *x = state;

	return x->n_queues;
}

static int xdp_alloc(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct xdp_sink *x = state;
	uint8_t *data[BURST];

	n = xsk_alloc(x->xsk, q, data, n < BURST ? n : BURST);
	for (unsigned i = 0; i < n; i++)
		frames[i] = (struct frame){.data = data[i], .room = xsk_room(x->xsk)};
	return (int)n;
}

static int xdp_send(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct xdp_sink *x = state;
	struct lane *lane = &x->lanes[q];
	uint8_t *data[BURST] = {NULL};
	uint32_t len[BURST] = {0};

	if (n == 0 || n > BURST)
		return n == 0 ? 0 : -EINVAL;
	for (unsigned i = 0; i < n; i++) {
		data[i] = frames[i].data;
		len[i] = frames[i].len <= frames[i].room ? frames[i].len : 0;
		lane->refused += frames[i].len > frames[i].room;
		lane->bytes += len[i];
	}
	int sent = xsk_send(x->xsk, q, data, len, n);
	if (sent < 0)
		return sent;
	lane->frames += (unsigned)sent;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < n; i++)
		frames[i].tx_ns = now;
	return sent;
}

static int xdp_hold(void *state, unsigned q, struct frame *f)
{
	struct xdp_sink *x = state;

	(void)q;
	if (f->len > xsk_room(x->xsk))
		return -EMSGSIZE;
	f->data = xsk_hold(x->xsk, f->len);
	f->room = f->len;
	return f->data != NULL ? 0 : -ENOSPC;
}

static int xdp_resend(void *state, unsigned q, const struct frame frames[], unsigned n)
{
	static const struct timespec step = {.tv_nsec = NAP_NS};
	struct xdp_sink *x = state;
	struct lane *lane = &x->lanes[q];
	uint8_t *data[BURST] = {NULL};
	uint32_t len[BURST] = {0};

	n = n < BURST ? n : BURST;
	for (unsigned i = 0; i < n; i++) {
		data[i] = frames[i].data;
		len[i] = frames[i].len;
	}
	int sent = xsk_resend(x->xsk, q, data, len, n);
	if (sent == 0)
		nanosleep(&step, NULL);
	for (int i = 0; i < sent; i++)
		lane->bytes += len[i];
	lane->frames += sent > 0 ? (unsigned)sent : 0;
	return sent;
}

/* Every frame completed; a device that completes none for two seconds will not. */
static int xdp_flush(void *state)
{
	static const struct timespec step = {.tv_nsec = 100000};
	struct xdp_sink *x = state;

	for (unsigned q = 0; q < x->n_queues; q++) {
		int before = -1, left;
		for (unsigned quiet = 0; (left = xsk_pending(x->xsk, q)) > 0; before = left) {
			quiet = left == before ? quiet + 1 : 0;
			if (quiet > FLUSH_MS * 10)
				return -ETIMEDOUT;
			if (quiet > 0)
				nanosleep(&step, NULL);
		}
		if (left < 0)
			return left;
	}
	return 0;
}

static void xdp_stats(void *state, struct sink_stats *out)
{
	struct xdp_sink *x = state;
	struct xsk_counters c;

	xsk_count(x->xsk, &c);
	for (unsigned q = 0; q < x->n_queues; q++) {
		out->frames += x->lanes[q].frames;
		out->bytes += x->lanes[q].bytes;
		out->refused += x->lanes[q].refused;
	}
	out->refused += c.tx_invalid;
	out->frames -= c.tx_invalid < out->frames ? c.tx_invalid : out->frames;
	out->waits = c.waits;
	out->lost = interface_traffic(x->iface).tx_dropped - x->dropped;
	snprintf(out->mode, sizeof(out->mode), "AF_XDP, %s, %u queue%s",
		 xsk_zero_copy(x->xsk) ? "zero copy" : "copy", x->n_queues,
		 x->n_queues == 1 ? "" : "s");
}

static void xdp_close(void *state)
{
	struct xdp_sink *x = state;

	xsk_close(x->xsk);
	x->xsk = NULL;
}

const struct sink_ops sink_xdp = {
	.name = "xdp",
	.doc = "an interface through AF_XDP, zero copy where the driver has it",
	.state_size = sizeof(struct xdp_sink),
	.open = xdp_open,
	.queues = xdp_queues,
	.alloc = xdp_alloc,
	.send = xdp_send,
	.hold = xdp_hold,
	.resend = xdp_resend,
	.flush = xdp_flush,
	.stats = xdp_stats,
	.close = xdp_close,
};
