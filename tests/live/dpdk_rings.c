/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The DPDK source and sink on a port whose wire is two rings, with the test at their other ends: what
 * arrives, what is lost when the wire is full, and that every buffer comes back.
 */

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ring.h>

#include "dataplane/dpdk_env.c"
#define dpdk_open sink_open_
#define dpdk_queues sink_queues_
#define dpdk_stats sink_stats_
#define dpdk_close sink_close_
#include "dataplane/sink_dpdk.c"
#undef dpdk_open
#undef dpdk_queues
#undef dpdk_stats
#undef dpdk_close
#include "dataplane/source_dpdk.c"

#define RING 64u

static struct rte_ring *to_port, *from_port;

static int failed(const char *what)
{
	printf("FAIL: %s\n", what);
	return 1;
}

static bool make_wire(void)
{
	struct dpdk_port starter;
	char err[320];

	if (dpdk_port_open(&starter, &(struct dpdk_wish){.device = "net_null0,no-rx=1"}, err,
			   sizeof(err)) != 0) {
		puts(err);
		return false;
	}
	to_port = rte_ring_create("to_port", RING, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	from_port = rte_ring_create("from_port", RING, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return to_port != NULL && from_port != NULL &&
	       rte_eth_from_rings("wire", &to_port, 1, &from_port, 1, 0) >= 0;
}

/* Only what the filter wants, and no more of it than asked for; a link that goes down is an end. */
static int narrowed(const struct dpdk_port *port)
{
	static struct dpdk_source source = {.snaplen = 64, .was_up = true};
	struct rte_mbuf *bufs[10];
	struct packet pkts[RING];
	struct source_stats in;
	char err[320];

	source.port = *port;
	if (filter_new(&source.filter, "less 104", LINKTYPE_ETHERNET, err, sizeof(err)) != 0)
		return failed(err);
	for (unsigned i = 0; i < 10; i++) {
		bufs[i] = rte_pktmbuf_alloc(port->pool);
		memset(rte_pktmbuf_append(bufs[i], (uint16_t)(100 + i)), (int)i, 100 + i);
	}
	if (rte_ring_enqueue_burst(to_port, (void **)bufs, 10, NULL) != 10)
		return failed("the wire is full");
	int got = source_dpdk.recv(&source, 0, pkts, RING);
	if (got != 5 || pkts[4].caplen != 64 || pkts[4].wirelen != 104 || pkts[4].data[63] != 4)
		return failed("not what was asked for");
	source_dpdk.release(&source, 0, pkts, (unsigned)got);
	source_dpdk.stats(&source, &in);
	if (in.received != 5 || in.filtered != 5 || in.truncated != 5 || in.bytes != 5 * 64)
		return failed("miscounted what was narrowed");
	if (rte_mempool_in_use_count(port->pool) != 0)
		return failed("buffers of filtered packets are lost");
	if (source_dpdk.recv(&source, 0, pkts, RING) != 0)
		return failed("a link that is up is quiet");
	(void)rte_eth_dev_set_link_down(port->id);
	source.looked_ns = 0;
	if (source_dpdk.recv(&source, 0, pkts, RING) != -ENETDOWN)
		return failed("a link that went down is no end");
	filter_free(source.filter);
	return 0;
}

/* The sink's frames come out of the ring whole and in order, and go back into the source. */
static int through(void)
{
	static struct dpdk_sink sink;
	static struct dpdk_source source;
	struct sink_config to = {.iface = "net_ring_wire"};
	struct frame frames[32];
	struct rte_mbuf *bufs[RING];
	struct packet pkts[RING];
	struct sink_stats st = {0};
	struct source_stats in;
	char err[320];

	if (sink_dpdk.open(&sink, &to, err, sizeof(err)) != 0)
		return failed(err);
	if (sink_dpdk.alloc(&sink, 0, frames, 32) != 32)
		return failed("no frames");
	for (unsigned i = 0; i < 32; i++) {
		memset(frames[i].data, (int)i, 100 + i);
		frames[i].len = i == 7 ? 0 : 100 + i;
	}
	if (sink_dpdk.send(&sink, 0, frames, 32) != 31)
		return failed("31 of 32 frames were to go");
	unsigned n = rte_ring_dequeue_burst(from_port, (void **)bufs, RING, NULL);
	if (n != 31 || bufs[6]->pkt_len != 106 || bufs[7]->pkt_len != 108 ||
	    *rte_pktmbuf_mtod(bufs[7], uint8_t *) != 8)
		return failed("the wire carries something else");
	/* The same port cannot be opened twice: the source is looked at by hand. */
	source.port = sink.port;
	source.snaplen = CAPLEN_MAX;
	if (rte_ring_enqueue_burst(to_port, (void **)bufs, n, NULL) != n)
		return failed("the wire back is full");
	int got = source_dpdk.recv(&source, 0, pkts, RING);
	if (got != 31 || pkts[7].caplen != 108 || pkts[7].wirelen != 108 || pkts[7].frame != 0 ||
	    pkts[7].data[100] != 8 || pkts[7].ts_ns == 0)
		return failed("the source hands out something else");
	source_dpdk.release(&source, 0, pkts, (unsigned)got);
	source_dpdk.stats(&source, &in);
	sink_dpdk.stats(&sink, &st);
	if (in.received != 31 || st.frames != 31 || st.refused != 0)
		return failed("miscounted");
	if (rte_mempool_in_use_count(sink.port.pool) != 0)
		return failed("buffers are lost");

	/* 63 fit; the 64th is waited for, and then given up and counted. */
	unsigned sent = 0;
	for (unsigned round = 0; round < 2; round++) {
		if (sink_dpdk.alloc(&sink, 0, frames, 32) != 32)
			return failed("no frames");
		for (unsigned i = 0; i < 32; i++)
			frames[i].len = 60;
		sent += (unsigned)sink_dpdk.send(&sink, 0, frames, 32);
	}
	st = (struct sink_stats){0};
	sink_dpdk.stats(&sink, &st);
	if (sent != 63 || st.refused != 1 || st.waits == 0)
		return failed("a full wire is not told");
	n = rte_ring_dequeue_burst(from_port, (void **)bufs, RING, NULL);
	rte_pktmbuf_free_bulk(bufs, n);
	int wrong = narrowed(&sink.port);
	sink_dpdk.close(&sink);
	return wrong;
}

int main(void)
{
	if (!make_wire())
		return failed("no wire");
	return through();
}
