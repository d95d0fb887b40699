/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * AF_XDP receive: steer.bpf.c hands each queue's frames to a socket, and so takes them from the host.
 * All sockets are read on one thread, so that the card's spreading needs no symmetry.
 */

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/steer.h"
#include "dataplane/capture.h"
#include "dataplane/interface.h"
#include "dataplane/now.h"
#include "dataplane/refuse.h"
#include "dataplane/source.h"
#include "dataplane/xdp_shunt.h"
#include "dataplane/xsk.h"
#include "bpf/steer.skel.h"

extern const struct source_ops source_xdp;

#define BURST 256u
/* Above some MTU, different for each driver, a program without the frags flag is refused. */
#define MTU_PLAIN 3000u
#define JOINED_MAX 65536u /* a frame of several buffers, put together */
#define JOINED_SLOTS 64u
/*
 * From the program's stamp to the socket's ring, which is filled burst by burst: a few us. More would be
 * too long for the ring of a busy queue beside one that is quiet.
 */
#define LATE_NS 500000u
#define FRAMES_MIN 256u
#define FRAMES_USUAL 4096u
#define FRAMES_MAX (1u << 18) /* 4 MiB of descriptors: the most that kernels give in one piece */
#define WATCH_NS 100000000u /* how often an idle interface is asked whether it is still up */

struct joined {
	uint32_t len;
	uint64_t ts_ns; /* of its first buffer */
	bool used;
	uint8_t data[JOINED_MAX];
};

struct xdp_source {
	struct xsk *xsk;
	struct steer *skel;
	struct xdp_shunt *shunt; /* NULL: none is to be */
	int link;        /* attached as long as this is open: the kernel detaches, however we end */
	int promiscuous;
	struct interface_watch *watch;
	uint64_t watched_ns, stamp_key;
	int ended;       /* -errno to be said, then SOURCE_EOF */
	unsigned quiet;  /* reads since then that brought nothing */
	struct interface iface;
	unsigned n_queues;
	bool native;
	uint64_t utc_offset; /* CLOCK_REALTIME minus CLOCK_MONOTONIC, fixed at open */
	uint64_t last_ns[XSK_QUEUES_MAX], last_number;
	uint64_t received, bytes, truncated, filtered, no_room;
	struct filter *filter;
	struct source_iface described;
	struct joined *joined[JOINED_SLOTS];
	struct joined *joining[XSK_QUEUES_MAX];
	bool skipping[XSK_QUEUES_MAX]; /* what is left of a frame that found no room */
};

/* A membership of a socket, so that it ends with the process. */
static int listen_to_all(const struct interface *i)
{
	const struct packet_mreq all = {.mr_ifindex = (int)i->index, .mr_type = PACKET_MR_PROMISC};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0 && setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int load_program(struct xdp_source *x, bool big, bool shunting)
{
	x->skel = steer__open();
	if (x->skel == NULL)
		return -errno;
	if (big)
		bpf_program__set_flags(x->skel->progs.steer, BPF_F_XDP_HAS_FRAGS);
	if (getrandom(&x->stamp_key, sizeof(x->stamp_key), 0) != sizeof(x->stamp_key))
		return -EIO;
	x->stamp_key |= 1; /* never 0, which is what a stamp that was read is set to */
	x->skel->rodata->stamp_key = x->stamp_key;
	x->skel->rodata->shunting = shunting;
	int failed = steer__load(x->skel);
	if (failed == 0 && shunting)
		failed = xdp_shunt_open(&x->shunt, x->skel, x->utc_offset, x->described.snaplen);
	return failed;
}

/* In the driver where it can; else the kernel does it later, and slower. */
static int attach_program(struct xdp_source *x)
{
	static const __u32 modes[] = {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};
	int prog = bpf_program__fd(x->skel->progs.steer);

	for (unsigned i = 0; i < 2; i++) {
		LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = modes[i]);
		x->link = bpf_link_create(prog, (int)x->iface.index, BPF_XDP, &opts);
		x->native = i == 0;
		if (x->link >= 0)
			return 0;
		if (x->link == -EBUSY || x->link == -EEXIST)
			break;
	}
	return x->link;
}

static int put_sockets(struct xdp_source *x)
{
	int map = bpf_map__fd(x->skel->maps.sockets);

	for (uint32_t q = 0; q < x->n_queues; q++) {
		int fd = xsk_fd(x->xsk, q);
		if (bpf_map_update_elem(map, &q, &fd, BPF_ANY) != 0)
			return -errno;
	}
	return 0;
}

static void xdp_close(void *state)
{
	struct xdp_source *x = state;

	if (x->link > 0)
		close(x->link);
	xsk_close(x->xsk);
	xdp_shunt_close(x->shunt);
	steer__destroy(x->skel);
	if (x->promiscuous > 0)
		close(x->promiscuous);
	interface_watch_free(x->watch);
	filter_free(x->filter);
	for (unsigned i = 0; i < JOINED_SLOTS; i++)
		free(x->joined[i]);
	memset(x, 0, sizeof(*x));
}

/* What makes this interface unfit, or NULL. */
static const char *unfit(const struct interface *i, const struct source_config *cfg)
{
	static _Thread_local char text[256];

	if (i->linktype != LINKTYPE_ETHERNET)
		return "XDP is for Ethernet";
	if (cfg->shunt && i->mtu > MTU_PLAIN)
		return "shunting needs an MTU of 3000 at most: longer frames go without stamps";
	if (cfg->shunt && cfg->bpf != NULL)
		return "a filter cannot be applied to packets that are shunted";
	const char *why = interface_in_use(i);
	if (why == NULL || cfg->take_used)
		return NULL;
	snprintf(text, sizeof(text),
		 "AF_XDP would take its packets from this machine: %s; --engine packet copies, "
		 "--yes-this-interface takes them", why);
	return text;
}

/* Frames of each queue. With many queues the usual memory would be too little for any of them. */
static unsigned ring_frames(const struct xdp_source *x, const struct source_config *cfg)
{
	uint64_t mib = cfg->ring_mib != 0 ? cfg->ring_mib : SOURCE_RING_MIB;
	uint64_t each = (mib << 20) / XSK_FRAME_SIZE / x->n_queues;
	unsigned frames = cfg->ring_mib != 0 ? FRAMES_MIN : FRAMES_USUAL;

	while (frames < FRAMES_MAX && (uint64_t)frames * 2 <= each)
		frames *= 2;
	return frames;
}

static int open_parts(struct xdp_source *x, const struct source_config *cfg, char *err,
		      size_t errlen)
{
	bool big = x->iface.mtu > MTU_PLAIN;
	const struct xsk_options o = {.iface = cfg->iface, .n_queues = x->n_queues, .rx = true,
				      .frames = ring_frames(x, cfg), .copy = cfg->copy, .big = big};

	int failed = xsk_open(&x->xsk, &o, err, errlen);
	if (failed != 0)
		return failed;
	failed = load_program(x, big, cfg->shunt);
	if (failed != 0)
		return refuse(err, errlen, failed, cfg->iface,
			      failed == -EPERM ? "loading an XDP program needs root or CAP_BPF"
					       : "the kernel does not load the XDP program");
	failed = put_sockets(x);
	if (failed == 0)
		failed = attach_program(x);
	if (failed == -EBUSY || failed == -EEXIST)
		return refuse(err, errlen, failed, cfg->iface,
			      "another XDP program is attached; ip link set dev IFACE xdp off "
			      "takes it away");
	if (failed != 0)
		return refuse(err, errlen, failed, cfg->iface, strerror(-failed));
	if (!cfg->no_promisc)
		x->promiscuous = listen_to_all(&x->iface);
	return interface_watch_new(&x->watch, &x->iface);
}

static int xdp_open(void *state, const struct source_config *cfg, char *err, size_t errlen)
{
	struct xdp_source *x = state;

	if (cfg->iface == NULL)
		return refuse(err, errlen, -EINVAL, "xdp", "no interface is named");
	int failed = interface_get(cfg->iface, &x->iface);
	if (failed != 0)
		return refuse(err, errlen, failed, cfg->iface, strerror(-failed));
	const char *why = unfit(&x->iface, cfg);
	if (why != NULL)
		return refuse(err, errlen, -EINVAL, cfg->iface, why);
	if (cfg->bpf != NULL) {
		failed = filter_new(&x->filter, cfg->bpf, LINKTYPE_ETHERNET, err, errlen);
		if (failed != 0)
			return failed;
	}
	x->n_queues = x->iface.rx_queues < XSK_QUEUES_MAX ? x->iface.rx_queues : XSK_QUEUES_MAX;
	uint64_t mono = clock_ns(CLOCK_MONOTONIC);
	x->utc_offset = clock_ns(CLOCK_REALTIME) - mono;
	x->described = (struct source_iface){.linktype = LINKTYPE_ETHERNET,
					     .snaplen = cfg->snaplen != 0 ? cfg->snaplen : CAPLEN_MAX};
	snprintf(x->described.name, sizeof(x->described.name), "%s", cfg->iface);
	failed = open_parts(x, cfg, err, errlen);
	if (failed != 0)
		xdp_close(x);
	return failed;
}

static unsigned xdp_queues(const void *state)
{
	const struct xdp_source *x = state;

	return x->n_queues;
}

static struct joined *joined_get(struct xdp_source *x)
{
	for (unsigned i = 0; i < JOINED_SLOTS; i++) {
		if (x->joined[i] == NULL)
			x->joined[i] = malloc(sizeof(*x->joined[i]));
		if (x->joined[i] == NULL || x->joined[i]->used)
			continue;
		x->joined[i]->used = true;
		x->joined[i]->len = 0;
		return x->joined[i];
	}
	return NULL;
}

/* A frame in several buffers is put together; each buffer goes back at once. */
static struct joined *join(struct xdp_source *x, unsigned q, const struct xsk_buffer *b,
			   uint64_t ts_ns)
{
	struct joined *j = x->joining[q];

	if (j == NULL && !x->skipping[q]) {
		j = x->joining[q] = joined_get(x);
		if (j != NULL)
			j->ts_ns = ts_ns;
	}
	if (j != NULL && b->len <= JOINED_MAX - j->len) {
		memcpy(j->data + j->len, b->data, b->len);
		j->len += b->len;
	} else {
		if (j != NULL)
			j->used = false;
		j = x->joining[q] = NULL;
		x->skipping[q] = true;
	}
	xsk_recycle(x->xsk, q, b->data);
	if (b->more)
		return NULL;
	x->no_room += x->skipping[q];
	x->joining[q] = NULL;
	x->skipping[q] = false;
	return j;
}

static bool keep(struct xdp_source *x, struct packet *p)
{
	if (x->filter != NULL && filter_run(x->filter, p) == FILTER_DROP) {
		x->filtered++;
		return false;
	}
	if (p->caplen > x->described.snaplen) {
		p->caplen = x->described.snaplen;
		x->truncated++;
	}
	x->received++;
	x->bytes += p->caplen;
	return true;
}

static void give_back(struct xdp_source *x, unsigned q, const struct packet *p)
{
	if (p->cookie != 0)
		x->joined[p->cookie - 1]->used = false;
	else
		xsk_recycle(x->xsk, q, p->data);
}

static uint64_t xdp_now(void *state)
{
	const struct xdp_source *x = state;

	return clock_ns(CLOCK_MONOTONIC) + x->utc_offset;
}

/*
 * When a frame came: as steer.bpf.c stamped it, else when its burst was read, and never before what
 * came in its queue already. With shunting the stamp also says
 * which frame of the interface it is, and what became of its flow's shunt.
 */
static void read_stamp(struct xdp_source *x, unsigned q, struct packet *p, uint8_t *data,
		       uint64_t now)
{
	struct steer_stamp st;
	uint64_t ns = now;

	memcpy(&st, data - sizeof(st), sizeof(st));
	bool stamped = st.key == x->stamp_key;
	if (stamped) {
		ns = st.ns + x->utc_offset < now ? st.ns + x->utc_offset : now;
		/* Not to be taken for one of the next frame in this place. */
		memset(data - sizeof(st), 0, sizeof(st));
	}
	if (ns > x->last_ns[q])
		x->last_ns[q] = ns;
	p->ts_ns = x->last_ns[q];
	if (x->shunt == NULL)
		return;
	/* Without a stamp it is some later frame, and its flow is not shunted any more. */
	p->frame = stamped ? st.number : x->last_number + 1;
	p->shunt = stamped ? st.ticket : 0;
	p->shunt_over = !stamped || st.over != 0;
	if (p->frame > x->last_number)
		x->last_number = p->frame;
}

/* Nothing comes: perhaps nothing can any more. The sockets themselves do not say. */
static int idle(struct xdp_source *x)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int ended = x->ended;

	if (ended == 0) {
		if (now - x->watched_ns < WATCH_NS)
			return 0;
		x->watched_ns = now;
		x->ended = interface_watch_state(x->watch);
		x->quiet = 0;
		return 0;
	}
	/* What came before is read first, from all rings. */
	if (++x->quiet < x->n_queues)
		return 0;
	x->ended = SOURCE_EOF;
	return ended;
}

static int xdp_recv(void *state, unsigned q, struct packet pkts[], unsigned max)
{
	struct xdp_source *x = state;
	struct xsk_buffer bufs[BURST];
	unsigned got = xsk_recv(x->xsk, q, bufs, max < BURST ? max : BURST), n = 0;

	if (got == 0)
		return idle(x);
	x->quiet = 0;
	uint64_t now = xdp_now(x);
	for (unsigned i = 0; i < got; i++) {
		struct packet *p = &pkts[n];
		*p = (struct packet){.data = bufs[i].data, .caplen = bufs[i].len,
				     .linktype = LINKTYPE_ETHERNET};
		bool first = x->joining[q] == NULL && !x->skipping[q];
		if (first)
			read_stamp(x, q, p, bufs[i].data, now);
		if (bufs[i].more || !first) {
			struct joined *j = join(x, q, &bufs[i], p->ts_ns);
			if (j == NULL)
				continue;
			p->data = j->data;
			p->caplen = j->len;
			p->ts_ns = j->ts_ns;
			for (unsigned k = 0; k < JOINED_SLOTS; k++)
				p->cookie = x->joined[k] == j ? k + 1 : p->cookie;
		}
		p->wirelen = p->caplen;
		if (keep(x, p))
			n++;
		else
			give_back(x, q, p);
	}
	return (int)n;
}

static void xdp_release(void *state, unsigned q, const struct packet pkts[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		give_back(state, q, &pkts[i]);
}

static uint64_t program_count(struct xdp_source *x, uint32_t what)
{
	static _Thread_local uint64_t each[1024];
	int cpus = libbpf_num_possible_cpus();
	uint64_t sum = 0;

	if (cpus < 0 || cpus > 1024 ||
	    bpf_map_lookup_elem(bpf_map__fd(x->skel->maps.counts), &what, each) != 0)
		return 0;
	for (int i = 0; i < cpus; i++)
		sum += each[i];
	return sum;
}

static int xdp_begin_shunt(void *state, const struct shunt_flow *f, uint32_t *ticket)
{
	struct xdp_source *x = state;

	return x->shunt != NULL ? xdp_shunt_begin(x->shunt, f, ticket) : -ENOTSUP;
}

static void xdp_grant_shunt(void *state, uint32_t ticket)
{
	struct xdp_source *x = state;

	xdp_shunt_grant(x->shunt, ticket);
}

static int xdp_end_shunt(void *state, const struct shunt_flow *f, uint32_t ticket,
			 struct shunt_counts *out)
{
	struct xdp_source *x = state;

	return xdp_shunt_end(x->shunt, f, ticket, out);
}

static void xdp_stats(void *state, struct source_stats *out)
{
	struct xdp_source *x = state;
	struct xsk_counters c;

	xsk_count(x->xsk, &c);
	x->described.packets = x->received;
	x->described.dropped = c.rx_dropped + c.rx_ring_full + x->no_room;
	*out = (struct source_stats){.received = x->received, .bytes = x->bytes,
				     .truncated = x->truncated, .filtered = x->filtered,
				     .ifaces = &x->described, .n_ifaces = 1};
	if (x->shunt != NULL) {
		out->shunted = program_count(x, STEER_SHUNTED);
		xdp_shunt_count(x->shunt, &out->shunts, &out->shunts_refused);
	}
	snprintf(out->mode, sizeof(out->mode), "AF_XDP, %s, %s program, %u queue%s",
		 xsk_zero_copy(x->xsk) ? "zero copy" : "copy", x->native ? "native" : "generic",
		 x->n_queues, x->n_queues == 1 ? "" : "s");
}

const struct source_ops source_xdp = {
	.name = "xdp",
	.doc = "a live interface through AF_XDP: takes its packets from the host",
	.state_size = sizeof(struct xdp_source),
	.late_ns = LATE_NS,
	.open = xdp_open,
	.queues = xdp_queues,
	.recv = xdp_recv,
	.release = xdp_release,
	.now = xdp_now,
	.stats = xdp_stats,
	.shunt = xdp_begin_shunt,
	.shunt_grant = xdp_grant_shunt,
	.unshunt = xdp_end_shunt,
	.close = xdp_close,
};
