/* SPDX-License-Identifier: BSD-3-Clause */

/* A DPDK port as a packet sink. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_mbuf.h>

#include "dataplane/dpdk_env.h"
#include "dataplane/now.h"
#include "dataplane/sink.h"

extern const struct sink_ops sink_dpdk;

#define STUCK_NS 2000000000u /* a port that takes nothing for so long will not */

struct lane {
	uint64_t frames, bytes, refused, waits;
	unsigned n;                        /* buffers that the caller has */
	struct rte_mbuf *bufs[DPDK_BURST];
};

struct dpdk_sink {
	struct dpdk_port port;
	struct lane lanes[DPDK_QUEUES_MAX];
};

static int dpdk_open(void *state, const struct sink_config *cfg, char *err, size_t errlen)
{
	struct dpdk_sink *d = state;
	unsigned queues = RTE_MIN(RTE_MAX(cfg->queues, 1u), DPDK_QUEUES_MAX);
	const struct dpdk_wish wish = {.device = cfg->iface, .eal = cfg->eal, .rx_queues = 1,
				       .tx_queues = (uint16_t)queues,
				       .frame_max = cfg->frame_max};

	return dpdk_port_open(&d->port, &wish, err, errlen);
}

static unsigned dpdk_queues(const void *state)
{
	const struct dpdk_sink *d = state;

	return d->port.tx_queues;
}

static int dpdk_alloc(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct dpdk_sink *d = state;
	struct lane *l = &d->lanes[q];

	dpdk_thread();
	if (l->n != 0)
		return -EINVAL;
	n = RTE_MIN(n, DPDK_BURST);
	if (rte_pktmbuf_alloc_bulk(d->port.pool, l->bufs, n) != 0) {
		l->waits++;
		(void)rte_eth_tx_done_cleanup(d->port.id, (uint16_t)q, 0);
		return 0;
	}
	l->n = n;
	for (unsigned i = 0; i < n; i++)
		frames[i] = (struct frame){.data = rte_pktmbuf_mtod(l->bufs[i], uint8_t *),
					   .room = rte_pktmbuf_tailroom(l->bufs[i])};
	return (int)n;
}

/* A full ring is waited for. How many of the n went. */
static unsigned push(struct dpdk_sink *d, unsigned q, struct rte_mbuf *bufs[], unsigned n)
{
	unsigned done = 0;
	uint64_t since = 0;

	while (done < n) {
		unsigned went = rte_eth_tx_burst(d->port.id, (uint16_t)q, bufs + done,
						 (uint16_t)(n - done));
		done += went;
		if (went > 0) {
			since = 0;
			continue;
		}
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		if (since == 0) {
			since = now;
			d->lanes[q].waits++;
		} else if (now - since > STUCK_NS) {
			break;
		}
	}
	return done;
}

static int dpdk_send(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct dpdk_sink *d = state;
	struct lane *l = &d->lanes[q];
	struct rte_mbuf *out[DPDK_BURST];
	unsigned n_out = 0;

	if (n != l->n)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = l->bufs[i];
		if (frames[i].len == 0 || frames[i].len > frames[i].room) {
			l->refused += frames[i].len != 0;
			rte_pktmbuf_free(m);
			continue;
		}
		m->data_len = (uint16_t)frames[i].len;
		m->pkt_len = frames[i].len;
		out[n_out++] = m;
	}
	l->n = 0;
	uint64_t bytes = 0;
	for (unsigned i = 0; i < n_out; i++)
		bytes += out[i]->pkt_len;
	unsigned done = push(d, q, out, n_out);
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < n; i++)
		frames[i].tx_ns = now;
	for (unsigned i = done; i < n_out; i++) {
		bytes -= out[i]->pkt_len;
		rte_pktmbuf_free(out[i]);
	}
	l->frames += done;
	l->bytes += bytes;
	l->refused += n_out - done;
	return done == 0 && n_out > 0 ? -EIO : (int)done;
}

/* What a driver still holds goes when it goes: rings of virtual devices are empty by now. */
static int dpdk_flush(void *state)
{
	static const struct timespec a_moment = {.tv_nsec = 10000000};
	struct dpdk_sink *d = state;

	for (uint16_t q = 0; q < d->port.tx_queues; q++)
		(void)rte_eth_tx_done_cleanup(d->port.id, q, 0);
	nanosleep(&a_moment, NULL);
	return 0;
}

static void dpdk_stats(void *state, struct sink_stats *out)
{
	struct dpdk_sink *d = state;
	struct rte_eth_stats st = {0};

	for (unsigned q = 0; q < DPDK_QUEUES_MAX; q++) {
		out->frames += d->lanes[q].frames;
		out->bytes += d->lanes[q].bytes;
		out->refused += d->lanes[q].refused;
		out->waits += d->lanes[q].waits;
	}
	(void)rte_eth_stats_get(d->port.id, &st);
	out->lost = st.oerrors;
	snprintf(out->mode, sizeof(out->mode), "DPDK %s, %u queue%s", d->port.driver,
		 d->port.tx_queues, d->port.tx_queues == 1 ? "" : "s");
}

static void dpdk_close(void *state)
{
	struct dpdk_sink *d = state;

	dpdk_port_close(&d->port);
}

const struct sink_ops sink_dpdk = {
	.name = "dpdk",
	.doc = "a DPDK port: a card bound to it, or a virtual device",
	.state_size = sizeof(struct dpdk_sink),
	.open = dpdk_open,
	.queues = dpdk_queues,
	.alloc = dpdk_alloc,
	.send = dpdk_send,
	.flush = dpdk_flush,
	.stats = dpdk_stats,
	.close = dpdk_close,
};
