/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sends from inside the kernel (bpf/replay.bpf.c): no system call a frame. Each queue is a lane: a
 * ring that the caller fills and a thread that sits in one long BPF_PROG_RUN on a CPU of its own,
 * since every call costs some 30 ms at its ends, and since veth chooses the receiver's ring by CPU.
 */
#include "dataplane/now.h"
#include "dataplane/sink.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bpf/replay.h"
#include "dataplane/interface.h"
#include "dataplane/live_ring.h"
#include "dataplane/log.h"
#include "dataplane/thread.h"
#include "dataplane/xdp_features.h"
#include "bpf/replay.skel.h"

#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1) /* Linux 5.18 */
#endif

#define LANES_MAX 16
#define ETHER_LEN 14
#define VLAN_TAG  4  /* that a device lets through above its MTU (Linux is_skb_forwardable()) */
#define STUCK_NS  2000000000ULL /* a receiver that takes nothing for so long is not there */
#define YIELD_NS  20000000ULL
#define FULL_NS   100000 /* a full ring lasts longer */

/* Ends a BPF_PROG_RUN, which a signal alone can. */
#define SIGNAL_END (SIGRTMIN + 1)

struct lane {
	struct replay *skel;
	struct live_ring ring;
	int cpu;
	bool started;
	pthread_t thread;
	atomic_bool stop, ended;
	int error;              /* of the run, valid once ended */
	uint64_t yielded_ns;    /* when lane_yield() last had an effect */
};

struct live {
	char iface[32];
	unsigned ifindex;
	uint32_t room, len_max;
	uint32_t n_chunks;
	unsigned n_lanes;
	struct lane *lanes;
	struct sigaction before;
	cpu_set_t callers;      /* where the caller ran before it made room for us */
	bool caught, moved, warned;
};

__attribute__((format(printf, 2, 0)))
static int to_log(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[512];

	if (level == LIBBPF_DEBUG || log_get_level() < LOG_LEVEL_INFO)
		return 0;
	int n = vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = 0;
	log_info("libbpf", "%s", line);
	return n;
}

static void on_end(int sig)
{
	(void)sig;
}

static void nap(long ns)
{
	struct timespec t = {.tv_nsec = ns};

	nanosleep(&t, NULL);
}

/* The thread. */

static void prepare_thread(const struct lane *lane)
{
	cpu_set_t cpus;
	sigset_t set;

	CPU_ZERO(&cpus);
	CPU_SET(lane->cpu, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	pthread_setname_np(pthread_self(), "wmscope-live");
	sigemptyset(&set);
	sigaddset(&set, SIGNAL_END);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void *lane_run(void *arg)
{
	struct lane *lane = arg;
	static const uint8_t blank[REPLAY_FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = blank,
		    .data_size_in = lane->skel->rodata->room,
		    .repeat = (int)(UINT32_MAX - UINT32_MAX % REPLAY_BATCH),
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = REPLAY_BATCH);
	int ret = 0;

	prepare_thread(lane);
	while (!atomic_load(&lane->stop) && (ret == 0 || ret == -EINTR)) {
		if (ret == -EINTR)
			nap(1000000);
		lane->skel->bss->at = 0;
		ret = bpf_prog_test_run_opts(bpf_program__fd(lane->skel->progs.replay_frame), &opts);
	}
	lane->error = ret == -EINTR ? 0 : ret;
	atomic_store(&lane->ended, true);
	return NULL;
}

static void lane_stop(struct lane *lane)
{
	if (!lane->started)
		return;
	atomic_store(&lane->stop, true);
	/* Again and again: a signal just before the system call would be forgotten. */
	while (!atomic_load(&lane->ended)) {
		pthread_kill(lane->thread, SIGNAL_END);
		nap(1000000);
	}
	pthread_join(lane->thread, NULL);
	lane->started = false;
}

/*
 * A receiver that polls in a thread of its own (veth with threaded NAPI) may share the CPU, and the
 * scheduler has been seen to keep it from running for seconds beside a run that never sleeps.
 */
static void lane_yield(struct lane *lane)
{
	uint64_t since = __atomic_load_n(&lane->ring.shared->failing_since, __ATOMIC_RELAXED);

	if (since == 0)
		return;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	if (now - since > YIELD_NS && now - lane->yielded_ns > 3 * YIELD_NS) {
		lane->yielded_ns = now;
		pthread_kill(lane->thread, SIGNAL_END);
	}
}

static int lane_start(struct lane *lane)
{
	/* No signal may end a run but SIGNAL_END. */
	int ret = thread_start(&lane->thread, lane_run, lane);
	if (ret != 0)
		return ret;
	lane->started = true;
	while (__atomic_load_n(&lane->skel->bss->at, __ATOMIC_RELAXED) == 0) {
		if (atomic_load(&lane->ended))
			return lane->error != 0 ? lane->error : -EIO;
		nap(1000000);
	}
	return 0;
}

/* Opening. */

/* Of a map of n elements; NULL with errno set. */
static void *map_memory(const struct bpf_map *map, size_t n, size_t element)
{
	void *memory = mmap(NULL, n * element, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			    bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int lane_load(const struct live *l, struct lane *lane, const char **step)
{
	struct replay *skel = lane->skel = replay__open();
	struct live_ring *ring = &lane->ring;
	int ret;

	*step = "loading the XDP program";
	if (skel == NULL)
		return -errno;
	skel->rodata->ifindex = l->ifindex;
	skel->rodata->room = l->room;
	skel->rodata->stuck_ns = STUCK_NS;
	bpf_map__set_max_entries(skel->maps.chunks, l->n_chunks);
	ret = replay__load(skel);
	if (ret != 0)
		return ret;
	*step = "watching the tracepoint xdp:xdp_devmap_xmit";
	skel->links.replay_sent = bpf_program__attach(skel->progs.replay_sent);
	if (skel->links.replay_sent == NULL)
		return -errno;
	*step = "mapping the ring";
	*ring = (struct live_ring){.shared = &skel->bss->shared, .n_chunks = l->n_chunks,
				   .room = l->room, .len_max = l->len_max};
	ring->slots = map_memory(skel->maps.ring, REPLAY_SLOTS, sizeof(*ring->slots));
	ring->chunks = map_memory(skel->maps.chunks, l->n_chunks, REPLAY_CHUNK_LEN);
	if (ring->slots == NULL || ring->chunks == NULL)
		return -errno;
	live_ring_start(ring);
	*step = "BPF_PROG_RUN with live frames (Linux 5.18 or newer)";
	return lane_start(lane);
}

static void lane_close(struct lane *lane)
{
	struct live_ring *ring = &lane->ring;

	lane_stop(lane);
	if (ring->slots != NULL)
		munmap(ring->slots, REPLAY_SLOTS * sizeof(*ring->slots));
	if (ring->chunks != NULL)
		munmap(ring->chunks, (size_t)ring->n_chunks * REPLAY_CHUNK_LEN);
	replay__destroy(lane->skel);
	*lane = (struct lane){.cpu = lane->cpu};
}

static int check_xmit(const struct interface *dev, char *err, size_t errlen)
{
	uint64_t features;

	if (xdp_features_get(dev->index, &features) != 0) {
		log_info("live", "%s: this kernel does not say whether %s sends XDP frames",
			 dev->name, dev->driver);
		return 0;
	}
	if ((features & XDP_FEATURE_XMIT) != 0)
		return 0;
	if (strcmp(dev->driver, "veth") == 0)
		snprintf(err, errlen, "%s: the other end of this veth pair takes no XDP frames: there,"
			 " attach an XDP program or run 'ethtool -K PEER gro on' (slower)",
			 dev->name);
	else
		snprintf(err, errlen, "%s: its driver (%s) sends no XDP frames; use another engine",
			 dev->name, dev->driver);
	return -EOPNOTSUPP;
}

static int check_device(struct live *l, const struct sink_config *cfg, char *err, size_t errlen)
{
	struct interface dev;
	int ret = interface_get(cfg->iface, &dev);

	if (ret != 0) {
		snprintf(err, errlen, "%s: %s", cfg->iface, strerror(-ret));
		return ret;
	}
	if (!dev.up) {
		snprintf(err, errlen, "%s is down: ip link set %s up", dev.name, dev.name);
		return -ENETDOWN;
	}
	snprintf(l->iface, sizeof(l->iface), "%s", dev.name);
	l->ifindex = dev.index;
	l->len_max = dev.mtu + ETHER_LEN + VLAN_TAG;
	if (l->len_max > l->room)
		l->len_max = l->room;
	return check_xmit(&dev, err, errlen);
}

/*
 * One CPU a lane, from the last down: the first ones have other work. A lane never sleeps, so who
 * fills its ring goes to the other CPUs, where there are any: the scheduler may not think of it.
 */
static unsigned choose_cpus(struct live *l, unsigned wanted)
{
	cpu_set_t *cpus = &l->callers;
	unsigned n = 0;

	if (sched_getaffinity(0, sizeof(*cpus), cpus) != 0) {
		CPU_ZERO(cpus);
		CPU_SET(0, cpus);
	}
	cpu_set_t left = *cpus;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && n < wanted; cpu--) {
		if (!CPU_ISSET(cpu, cpus))
			continue;
		l->lanes[n++].cpu = cpu;
		CPU_CLR(cpu, &left);
	}
	l->moved = CPU_COUNT(&left) > 0 && sched_setaffinity(0, sizeof(left), &left) == 0;
	return n;
}

static void close_lanes(struct live *l)
{
	while (l->n_lanes > 0)
		lane_close(&l->lanes[--l->n_lanes]);
}

static int load_lanes(struct live *l, unsigned wanted, const char **step)
{
	int ret = 0;

	while (ret == 0 && l->n_lanes < wanted)
		ret = lane_load(l, &l->lanes[l->n_lanes++], step);
	if (ret != 0)
		close_lanes(l);
	return ret;
}

static void live_close(void *state)
{
	struct live *l = state;

	close_lanes(l);
	if (l->caught)
		sigaction(SIGNAL_END, &l->before, NULL);
	if (l->moved)
		(void)sched_setaffinity(0, sizeof(l->callers), &l->callers);
	free(l->lanes);
}

static int live_open(void *state, const struct sink_config *cfg, char *err, size_t errlen)
{
	struct live *l = state;
	struct sigaction act = {.sa_handler = on_end};
	unsigned wanted = cfg->queues == 0 ? 1 : cfg->queues;
	const char *step = "";

	l->room = cfg->frame_max == 0 ? 1514 : cfg->frame_max;
	if (l->room < ETHER_LEN)
		l->room = ETHER_LEN;
	if (l->room > REPLAY_FRAME_MAX)
		l->room = REPLAY_FRAME_MAX;
	int ret = check_device(l, cfg, err, errlen);
	if (ret != 0)
		return ret;
	if (wanted > LANES_MAX)
		wanted = LANES_MAX;
	l->lanes = calloc(wanted, sizeof(*l->lanes));
	if (l->lanes == NULL)
		return -ENOMEM;
	libbpf_set_print(to_log);
	sigaction(SIGNAL_END, &act, &l->before);
	l->caught = true;
	wanted = choose_cpus(l, wanted);
	l->n_chunks = live_ring_chunks(l->room, cfg->hold_frames, cfg->hold_bytes);
	ret = load_lanes(l, wanted, &step);
	if (ret == -ENOMEM && cfg->hold_frames > 0) {
		log_info("live", "no memory for %llu bytes of frames that stay",
			 (unsigned long long)cfg->hold_bytes);
		l->n_chunks = live_ring_chunks(l->room, 0, 0);
		ret = load_lanes(l, wanted, &step);
	}
	if (ret == -EPERM || ret == -EACCES)
		snprintf(err, errlen, "%s: %s: needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN",
			 cfg->iface, step);
	else if (ret != 0)
		snprintf(err, errlen, "%s: %s: %s", cfg->iface, step, strerror(-ret));
	if (ret != 0)
		live_close(l);
	return ret;
}

/* Sending. */

static unsigned live_queues(const void *state)
{
	return ((const struct live *)state)->n_lanes;
}

/* The ring is full, and lasts for longer than this. */
static void lane_wait(struct lane *lane)
{
	lane_yield(lane);
	nap(FULL_NS);
}

static int lane_error(const struct lane *lane)
{
	return lane->error != 0 ? lane->error : -EIO;
}

static int live_alloc(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct live *l = state;
	struct lane *lane = &l->lanes[q];

	if (atomic_load(&lane->ended))
		return lane_error(lane);
	if (live_ring_used(&lane->ring) + n > REPLAY_PLACES)
		lane_wait(lane);
	return (int)live_ring_alloc(&lane->ring, frames, n);
}

static int live_send(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct live *l = state;

	return (int)live_ring_send(&l->lanes[q].ring, frames, n);
}

static int live_hold(void *state, unsigned q, struct frame *f)
{
	struct live *l = state;

	return live_ring_hold(&l->lanes[q].ring, f);
}

static int live_resend(void *state, unsigned q, const struct frame frames[], unsigned n)
{
	struct live *l = state;
	struct lane *lane = &l->lanes[q];

	if (live_ring_used(&lane->ring) + n > REPLAY_SLOTS)
		lane_wait(lane);
	if (atomic_load(&lane->ended))
		return lane_error(lane);
	return (int)live_ring_resend(&lane->ring, frames, n);
}

static int live_flush(void *state)
{
	struct live *l = state;
	uint64_t refused = 0;

	for (unsigned i = 0; i < l->n_lanes; i++) {
		struct lane *lane = &l->lanes[i];
		while (live_ring_used(&lane->ring) > 0) {
			if (atomic_load(&lane->ended))
				return lane_error(lane);
			lane_wait(lane);
		}
		refused += lane->ring.shared->refused;
	}
	if (refused != 0 && !l->warned) {
		int error = -l->lanes[0].ring.shared->error;
		log_warn("live", "%s took none for two seconds, so frames were given up: %s", l->iface,
			 error > 0 ? strerror(error) : "is it up, and does the receiver receive?");
		l->warned = true;
	}
	return 0;
}

static void live_stats(void *state, struct sink_stats *out)
{
	const struct live *l = state;
	uint64_t late[REPLAY_BUCKETS] = {0};

	for (unsigned i = 0; i < l->n_lanes; i++)
		live_ring_count(&l->lanes[i].ring, out, late);
	out->late_p50_ns = live_ring_quantile(late, out->timed, 0.5);
	out->late_p99_ns = live_ring_quantile(late, out->timed, 0.99);
	int n = snprintf(out->mode, sizeof(out->mode), "live frames, batch %d, %u thread%s",
			 REPLAY_BATCH, l->n_lanes, l->n_lanes == 1 ? "" : "s");
	if (l->room == REPLAY_FRAME_MAX)
		snprintf(out->mode + n, sizeof(out->mode) - (size_t)n, ", to %d bytes",
			 REPLAY_FRAME_MAX);
}

const struct sink_ops sink_live = {
	.name = "live",
	.doc = "from inside the kernel, by XDP with live frames: the fastest without a card of its own",
	.state_size = sizeof(struct live),
	.paces = true,
	.open = live_open,
	.queues = live_queues,
	.alloc = live_alloc,
	.send = live_send,
	.hold = live_hold,
	.resend = live_resend,
	.flush = live_flush,
	.stats = live_stats,
	.close = live_close,
};
