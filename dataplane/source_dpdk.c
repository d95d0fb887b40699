/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A DPDK port as a packet source. All queues are read on one thread. DPDK gives times only with some
 * cards: one reading of the clock serves a burst.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_mbuf.h>

#include "dataplane/abi.h"
#include "dataplane/capture.h"
#include "dataplane/dpdk_env.h"
#include "dataplane/now.h"
#include "dataplane/plugin.h"

extern const struct source_ops source_dpdk;

struct dpdk_source {
	struct dpdk_port port;
	uint64_t utc_offset; /* CLOCK_REALTIME minus CLOCK_MONOTONIC, fixed at open */
	uint64_t last_ns, frames, bytes, cut, filtered;
	uint32_t snaplen;
	struct filter *filter; /* NULL: everything */
	bool was_up;
	uint64_t looked_ns;    /* when the link was looked at */
	struct source_iface described;
};

#define LOOK_NS 200000000u /* how soon a link that went down is noticed */

static int dpdk_open(void *state, const struct source_config *cfg, char *err, size_t errlen)
{
	struct dpdk_source *d = state;
	const struct dpdk_wish wish = {.device = cfg->iface, .eal = cfg->eal, .rx_queues = 1,
				       .tx_queues = 1, .frame_max = 9018,
				       .only_ours = cfg->no_promisc};
	int ret = 0;

	if (cfg->bpf != NULL)
		ret = filter_new(&d->filter, cfg->bpf, LINKTYPE_ETHERNET, err, errlen);
	if (ret == 0)
		ret = dpdk_port_open(&d->port, &wish, err, errlen);
	if (ret != 0) {
		filter_free(d->filter);
		return ret;
	}
	d->snaplen = cfg->snaplen != 0 ? cfg->snaplen : CAPLEN_MAX;
	d->was_up = dpdk_port_up(&d->port);
	uint64_t mono = clock_ns(CLOCK_MONOTONIC);
	d->utc_offset = clock_ns(CLOCK_REALTIME) - mono;
	d->described = (struct source_iface){.linktype = LINKTYPE_ETHERNET, .snaplen = d->snaplen};
	snprintf(d->described.name, sizeof(d->described.name), "%.31s", d->port.name);
	return 0;
}

static unsigned dpdk_queues(const void *state)
{
	const struct dpdk_source *d = state;

	return d->port.rx_queues;
}

static uint64_t dpdk_now(void *state)
{
	struct dpdk_source *d = state;
	uint64_t now = clock_ns(CLOCK_MONOTONIC) + d->utc_offset;

	if (now > d->last_ns)
		d->last_ns = now;
	return d->last_ns;
}

/* A port that never said that it is up does not say when it is down either. */
static int look_at_link(struct dpdk_source *d)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now - d->looked_ns < LOOK_NS)
		return 0;
	d->looked_ns = now;
	bool up = dpdk_port_up(&d->port), went_down = d->was_up && !up;
	d->was_up |= up;
	return went_down ? -ENETDOWN : 0;
}

/* False: the filter does not want it. */
static bool take(struct dpdk_source *d, struct rte_mbuf *m, struct packet *out)
{
	/* Where the pieces do not fit into the first, the first is what there is. */
	if (m->nb_segs > 1)
		(void)rte_pktmbuf_linearize(m);
	*out = (struct packet){.data = rte_pktmbuf_mtod(m, const uint8_t *), .caplen = m->data_len,
			       .wirelen = m->pkt_len, .ts_ns = d->last_ns,
			       .linktype = LINKTYPE_ETHERNET, .cookie = (uint64_t)(uintptr_t)m};
	if (d->filter != NULL && filter_run(d->filter, out) == FILTER_DROP) {
		d->filtered++;
		return false;
	}
	if (out->caplen > d->snaplen)
		out->caplen = d->snaplen;
	d->cut += out->caplen < out->wirelen;
	d->bytes += out->caplen;
	d->frames++;
	return true;
}

static int dpdk_recv(void *state, unsigned q, struct packet pkts[], unsigned max)
{
	struct dpdk_source *d = state;
	struct rte_mbuf *bufs[DPDK_BURST];
	unsigned kept = 0;

	dpdk_thread();
	unsigned n = rte_eth_rx_burst(d->port.id, (uint16_t)q, bufs,
				      (uint16_t)RTE_MIN(max, DPDK_BURST));
	if (n == 0)
		return look_at_link(d);
	(void)dpdk_now(d);
	for (unsigned i = 0; i < n; i++) {
		if (take(d, bufs[i], &pkts[kept]))
			kept++;
		else
			rte_pktmbuf_free(bufs[i]);
	}
	return (int)kept;
}

static void dpdk_release(void *state, unsigned q, const struct packet pkts[], unsigned n)
{
	(void)state;
	(void)q;
	for (unsigned i = 0; i < n; i++)
		rte_pktmbuf_free((struct rte_mbuf *)(uintptr_t)pkts[i].cookie);
}

/*
 * These lose packets in a socket or queue of the kernel, and DPDK 22.11 does not ask it how many. Where a
 * newer one does, what it says holds.
 */
static bool tells_losses(const struct dpdk_source *d, const struct rte_eth_stats *st)
{
	return st->imissed != 0 || (strcmp(d->port.driver, "net_af_packet") != 0 &&
				    strcmp(d->port.driver, "net_tap") != 0);
}

static void dpdk_stats(void *state, struct source_stats *out)
{
	struct dpdk_source *d = state;
	struct rte_eth_stats st = {0};

	(void)rte_eth_stats_get(d->port.id, &st);
	d->described.packets = d->frames;
	d->described.dropped = tells_losses(d, &st) ? st.imissed + st.rx_nombuf : UINT64_MAX;
	*out = (struct source_stats){.received = d->frames, .bytes = d->bytes, .truncated = d->cut,
				     .filtered = d->filtered, .ifaces = &d->described,
				     .n_ifaces = 1};
	snprintf(out->mode, sizeof(out->mode), "DPDK %.20s, %u queue%s, times of reading", d->port.driver,
		 d->port.rx_queues, d->port.rx_queues == 1 ? "" : "s");
}

static void dpdk_close(void *state)
{
	struct dpdk_source *d = state;

	dpdk_port_close(&d->port);
	filter_free(d->filter);
}

const struct source_ops source_dpdk = {
	.name = "dpdk",
	.doc = "a DPDK port: a card bound to it, or a virtual device",
	.state_size = sizeof(struct dpdk_source),
	.open = dpdk_open,
	.queues = dpdk_queues,
	.recv = dpdk_recv,
	.release = dpdk_release,
	.now = dpdk_now,
	.stats = dpdk_stats,
	.close = dpdk_close,
};

extern const struct sink_ops sink_dpdk;

const struct plugin wmscope_plugin[] = {
	{.abi = WMSCOPE_ABI, .kind = PLUGIN_SOURCE, .source = &source_dpdk},
	{.abi = WMSCOPE_ABI, .kind = PLUGIN_SINK, .sink = &sink_dpdk},
	{.kind = PLUGIN_END},
};
