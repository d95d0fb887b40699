/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A copy of what passes an interface: an AF_PACKET socket with a TPACKET_V3 receive ring (Linux,
 * Documentation/networking/packet_mmap.rst). The host keeps its traffic. Several rings take what
 * several processors receive without waiting for each other; flows are spread over workers behind
 * them, where fragments and tunnels are understood.
 */

#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/capture.h"
#include "dataplane/fanout.h"
#include "dataplane/interface.h"
#include "dataplane/log.h"
#include "dataplane/now.h"
#include "dataplane/source.h"

#define RING_BLOCK     (1u << 20) /* holds any frame, offloaded ones too */
#define RING_MIB_MAX   4095 /* its bytes have to fit the kernel's 32 bits */
#define RING_FRAME     2048 /* V3 packs frames itself; the kernel checks the arithmetic only */
#define RETIRE_MS      20   /* a block that is not full is handed over after this time, or twice of it */
#define LATE_MS        (2 * RETIRE_MS + 10)
#define RINGS_MAX      16   /* as many as there are shards */
#define PROMPT_MS      1    /* or this, which the kernel rounds up to its tick */
#define POLL_MS        50
#define VLAN_TAG       4
#define MACS           12

struct ring_block {
	bool ours;    /* the kernel filled it and has not got it back */
	bool walked;  /* every packet of it was handed out or refused */
	uint32_t out; /* packets handed out and not released */
};

struct ring {
	int fd;
	uint8_t *map;
	unsigned n_blocks, at;        /* at: the block that is being read or comes next */
	struct ring_block *blocks;
	const uint8_t *next;          /* in that block */
	uint32_t left;
	uint64_t packets;
};

struct packet_source {
	struct ring rings[RINGS_MAX];
	unsigned n_rings;
	struct interface iface;
	struct filter *filter;
	unsigned quiet;               /* so many recv() in a row had nothing */
	int ended;                    /* what recv() says once the rings are empty: 0 it goes on */
	uint64_t utc_offset_ns;       /* CLOCK_REALTIME less CLOCK_MONOTONIC when opened */
	struct source_stats stats;
	struct source_iface described;
};

static struct tpacket_hdr_v1 *block_head(const struct ring *r, unsigned i)
{
	/* The kernel's own layout, at a page's start. */
	void *at = r->map + (size_t)i * RING_BLOCK;

	return &((struct tpacket_block_desc *)at)->hdr.bh1;
}

static void block_return(struct ring *r, unsigned i)
{
	r->blocks[i] = (struct ring_block){.ours = false};
	__atomic_store_n(&block_head(r, i)->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

/* Opening */

static int set(int fd, int name, const void *value, size_t len)
{
	return setsockopt(fd, SOL_PACKET, name, value, (socklen_t)len) == 0 ? 0 : -errno;
}

static int ring_open(struct ring *r, uint32_t mib, unsigned retire_ms)
{
	unsigned n = mib < 2 ? 2 : mib > RING_MIB_MAX ? RING_MIB_MAX : mib;
	int err;

	/* A small machine gets a smaller ring rather than none. */
	do {
		struct tpacket_req3 req = {
			.tp_block_size = RING_BLOCK,
			.tp_block_nr = n,
			.tp_frame_size = RING_FRAME,
			.tp_frame_nr = RING_BLOCK / RING_FRAME * n,
			.tp_retire_blk_tov = retire_ms,
		};
		err = set(r->fd, PACKET_RX_RING, &req, sizeof(req));
		r->n_blocks = n;
		n /= 2;
	} while (err == -ENOMEM && n >= 2);
	if (err != 0)
		return err;
	void *map = mmap(NULL, (size_t)r->n_blocks * RING_BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED,
			 r->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	r->map = map;
	r->blocks = calloc(r->n_blocks, sizeof(*r->blocks));
	return r->blocks != NULL ? 0 : -ENOMEM;
}

/* The kernel refuses what it can judge, and cuts; it has no tags, so tagged frames all come up. */
static int filter_attach(const struct packet_source *s, const struct ring *r, const char *expr,
			 uint32_t snaplen)
{
	struct sock_filter *ops;
	unsigned n;
	int err = filter_for_kernel(&ops, &n, expr, s->iface.linktype, snaplen);

	if (err != 0)
		return err;
	struct sock_fprog code = {.len = (unsigned short)n, .filter = ops};
	if (setsockopt(r->fd, SOL_SOCKET, SO_ATTACH_FILTER, &code, sizeof(code)) != 0)
		err = -errno;
	free(ops);
	return err;
}

/* Bound, but with one of several rings before anything comes. */
static int socket_start(struct packet_source *s, struct ring *r, const struct source_config *cfg)
{
	const uint32_t mib = cfg->ring_mib != 0 ? cfg->ring_mib : SOURCE_RING_MIB;
	static const int version = TPACKET_V3, reserve = VLAN_TAG, on = 1;
	struct packet_mreq promisc = {.mr_ifindex = (int)s->iface.index, .mr_type = PACKET_MR_PROMISC};
	struct sockaddr_ll where = {.sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL),
				    .sll_ifindex = (int)s->iface.index};

	/* Of no protocol, so that nothing comes before all is set. */
	r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (r->fd < 0)
		return -errno;
	int err = set(r->fd, PACKET_VERSION, &version, sizeof(version));
	if (err == 0)
		err = set(r->fd, PACKET_RESERVE, &reserve, sizeof(reserve));
	if (err == 0)
		err = ring_open(r, mib / s->n_rings, cfg->prompt ? PROMPT_MS : RETIRE_MS);
	if (err == 0)
		err = s->n_rings > 1 ? fanout_hold(r->fd)
				     : filter_attach(s, r, cfg->bpf, cfg->snaplen);
	/* Each packet of the loopback interface goes out and comes in: once is enough. */
	if (err == 0 && s->iface.loopback)
		err = set(r->fd, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	if (err == 0 && !cfg->no_promisc && s->iface.linktype == LINKTYPE_ETHERNET)
		err = set(r->fd, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc));
	if (err == 0 && bind(r->fd, (struct sockaddr *)&where, sizeof(where)) != 0)
		err = -errno;
	return err;
}

static int sockets_start(struct packet_source *s, const struct source_config *cfg)
{
	struct fanout group;
	int err = 0;

	for (unsigned i = 0; i < s->n_rings && err == 0; i++) {
		err = socket_start(s, &s->rings[i], cfg);
		if (err == 0 && s->n_rings > 1)
			err = fanout_join(s->rings[i].fd, &group, i);
	}
	for (unsigned i = 0; i < s->n_rings && err == 0 && s->n_rings > 1; i++)
		err = filter_attach(s, &s->rings[i], cfg->bpf, cfg->snaplen);
	return err;
}

static void packet_close(void *state)
{
	struct packet_source *s = state;

	for (unsigned i = 0; i < s->n_rings; i++) {
		struct ring *r = &s->rings[i];
		if (s->n_rings > 1)
			log_info(NULL, "%s: %" PRIu64 " packets of receiver %u", s->iface.name, r->packets,
				 i + 1);
		if (r->map != NULL)
			munmap(r->map, (size_t)r->n_blocks * RING_BLOCK);
		if (r->fd >= 0)
			close(r->fd);
		free(r->blocks);
	}
	filter_free(s->filter);
	*s = (struct packet_source){.n_rings = 0};
}

static int packet_open(void *state, const struct source_config *cfg, char *err, size_t errlen)
{
	struct packet_source *s = state;
	const char *why = NULL;

	s->n_rings = cfg->rings == 0 ? 1 : cfg->rings < RINGS_MAX ? cfg->rings : RINGS_MAX;
	for (unsigned i = 0; i < s->n_rings; i++)
		s->rings[i].fd = -1;
	int ret = interface_get(cfg->iface, &s->iface);
	if (ret == 0 && s->iface.linktype == UINT32_MAX) {
		ret = -EOPNOTSUPP;
		why = "frames of this kind of interface are not understood";
	} else if (ret == 0 && !s->iface.up) {
		ret = -ENETDOWN;
		why = "the interface is down (ip link set up)";
	}
	if (ret != 0)
		goto out;
	if (cfg->bpf != NULL) {
		ret = filter_new(&s->filter, cfg->bpf, s->iface.linktype, err, errlen);
		if (ret != 0)
			return ret;
	}
	ret = sockets_start(s, cfg);
	if (ret == -EPERM)
		why = "capturing needs CAP_NET_RAW: run as root, with sudo for instance";
	s->utc_offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	s->described = (struct source_iface){.linktype = s->iface.linktype,
					     .snaplen = cfg->snaplen != 0 ? cfg->snaplen : CAPLEN_MAX};
	snprintf(s->described.name, sizeof(s->described.name), "%s", s->iface.name);
out:
	if (ret != 0) {
		snprintf(err, errlen, "%s: %s", cfg->iface, why != NULL ? why : strerror(-ret));
		packet_close(s);
	}
	return ret;
}

/* Receiving */

/* The kernel took the outer tag off and keeps it beside the frame: it goes back where it was. */
static void tag_restore(const struct tpacket3_hdr *h, struct packet *pkt, uint8_t *data)
{
	uint16_t tpid = (h->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? h->hv1.tp_vlan_tpid
									: ETH_P_8021Q;
	uint16_t tci = (uint16_t)h->hv1.tp_vlan_tci;
	uint8_t tag[VLAN_TAG] = {(uint8_t)(tpid >> 8), (uint8_t)tpid, (uint8_t)(tci >> 8),
				 (uint8_t)tci};

	memmove(data - VLAN_TAG, data, MACS);
	memcpy(data - VLAN_TAG + MACS, tag, sizeof(tag));
	pkt->data = data - VLAN_TAG;
	pkt->caplen += VLAN_TAG;
	pkt->wirelen += VLAN_TAG;
}

/* The frame at r->next. False: the filter does not want it. */
static bool packet_take(struct packet_source *s, struct ring *r, struct packet *pkt)
{
	/* The ring is this process's to write, and the kernel leaves VLAN_TAG bytes before a frame. */
	uint8_t *at = r->map + (r->next - r->map);
	struct tpacket3_hdr h;
	struct sockaddr_ll from;

	memcpy(&h, at, sizeof(h));
	memcpy(&from, at + TPACKET_ALIGN(sizeof(h)), sizeof(from));
	*pkt = (struct packet){
		.data = at + h.tp_mac,
		.caplen = h.tp_snaplen,
		.wirelen = h.tp_len,
		.ts_ns = (uint64_t)h.tp_sec * 1000000000 + h.tp_nsec,
		.linktype = s->iface.linktype,
		.cookie = r->at,
		.direction = from.sll_pkttype == PACKET_OUTGOING ? PACKET_OUTBOUND : PACKET_INBOUND,
	};
	bool tagged = (h.tp_status & TP_STATUS_VLAN_VALID) != 0 && h.tp_snaplen >= MACS;
	if (tagged)
		tag_restore(&h, pkt, at + h.tp_mac);
	r->next += h.tp_next_offset;
	r->left--;
	/* What has no tag was judged by the kernel. */
	if (!tagged || s->filter == NULL || filter_run(s->filter, pkt) != FILTER_DROP)
		return true;
	s->stats.filtered++;
	return false;
}

/* The next block that the kernel has filled. False: there is none. */
static bool block_enter(struct ring *r)
{
	struct tpacket_hdr_v1 *head = block_head(r, r->at);

	if (r->blocks[r->at].ours ||
	    (__atomic_load_n(&head->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
		return false;
	r->blocks[r->at] = (struct ring_block){.ours = true};
	r->next = (const uint8_t *)head - offsetof(struct tpacket_block_desc, hdr) +
		  head->offset_to_first_pkt;
	r->left = head->num_pkts;
	return true;
}

static void block_leave(struct ring *r)
{
	struct ring_block *b = &r->blocks[r->at];

	b->walked = true;
	if (b->out == 0)
		block_return(r, r->at);
	r->at = (r->at + 1) % r->n_blocks;
}

static unsigned ring_read(struct packet_source *s, struct ring *r, struct packet pkts[],
			  unsigned max)
{
	unsigned n = 0;

	while (n < max) {
		if (r->left == 0 && !block_enter(r))
			break;
		struct ring_block *b = &r->blocks[r->at];
		while (r->left > 0 && n < max) {
			if (packet_take(s, r, &pkts[n])) {
				b->out++;
				n++;
			}
		}
		if (r->left == 0)
			block_leave(r);
	}
	r->packets += n;
	return n;
}

/* Waits for packets; what the kernel says instead is kept for when the rings are empty. */
static void rings_wait(struct packet_source *s)
{
	struct pollfd p[RINGS_MAX];
	int error = 0;
	unsigned at = 0;
	socklen_t len = sizeof(error);

	for (unsigned i = 0; i < s->n_rings; i++)
		p[i] = (struct pollfd){.fd = s->rings[i].fd, .events = POLLIN};
	if (poll(p, s->n_rings, POLL_MS) <= 0)
		return;
	while (at < s->n_rings && (p[at].revents & (POLLERR | POLLHUP)) == 0)
		at++;
	if (at == s->n_rings)
		return;
	if (getsockopt(p[at].fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error == 0)
		error = EIO;
	s->ended = -error;
	/* The block that was being filled comes when its time is over. */
	struct timespec late = {.tv_nsec = 2 * RETIRE_MS * 1000000L};
	nanosleep(&late, NULL);
}

static int packet_recv(void *state, unsigned q, struct packet pkts[], unsigned max)
{
	struct packet_source *s = state;

	/* Waiting only the second time: before it the pipeline hands on what it holds. */
	if (s->quiet >= s->n_rings && s->ended == 0) {
		rings_wait(s);
		s->quiet = 0;
	}
	unsigned n = ring_read(s, &s->rings[q], pkts, max);
	s->quiet = n == 0 ? s->quiet + 1 : 0;
	if (s->quiet >= s->n_rings && s->ended != 0) {
		int ended = s->ended;
		s->ended = SOURCE_EOF;
		return ended;
	}
	for (unsigned i = 0; i < n; i++) {
		s->stats.bytes += pkts[i].caplen;
		s->stats.truncated += pkts[i].caplen < pkts[i].wirelen;
	}
	s->stats.received += n;
	return (int)n;
}

static void packet_release(void *state, unsigned q, const struct packet pkts[], unsigned n)
{
	struct packet_source *s = state;
	struct ring *r = &s->rings[q];

	for (unsigned i = 0; i < n; i++) {
		struct ring_block *b = &r->blocks[pkts[i].cookie];
		if (--b->out == 0 && b->walked)
			block_return(r, (unsigned)pkts[i].cookie);
	}
}

static unsigned packet_queues(const void *state)
{
	return ((const struct packet_source *)state)->n_rings;
}

static uint64_t packet_now(void *state)
{
	const struct packet_source *s = state;

	return clock_ns(CLOCK_MONOTONIC) + s->utc_offset_ns;
}

static void packet_stats(void *state, struct source_stats *out)
{
	struct packet_source *s = state;
	struct tpacket_stats_v3 st;
	socklen_t len = sizeof(st);

	/* Reading sets the kernel's counters to 0; its packets include those that it dropped. */
	for (unsigned i = 0; i < s->n_rings; i++) {
		if (getsockopt(s->rings[i].fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) != 0)
			continue;
		s->described.dropped += st.tp_drops;
		s->stats.stalls += st.tp_freeze_q_cnt;
	}
	s->described.packets = s->stats.received;
	*out = s->stats;
	out->ifaces = &s->described;
	out->n_ifaces = 1;
	snprintf(out->mode, sizeof(out->mode), "AF_PACKET, TPACKET_V3, %u receiver%s", s->n_rings,
		 s->n_rings == 1 ? "" : "s");
}

extern const struct source_ops source_packet;
const struct source_ops source_packet = {
	.name = "packet",
	.doc = "a copy of what passes an interface (AF_PACKET); the host keeps its traffic",
	.state_size = sizeof(struct packet_source),
	.late_ns = LATE_MS * 1000000ULL,
	.open = packet_open,
	.queues = packet_queues,
	.recv = packet_recv,
	.release = packet_release,
	.now = packet_now,
	.stats = packet_stats,
	.close = packet_close,
};
