/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * For tests of replay, which it includes: sinks that keep what they get, captures to send, and a run
 * from the one to the other.
 */

#include "dataplane/replay.c"
#include "dataplane/replay_held.c"
#include "dataplane/replay_lane.c"
#include "dataplane/replay_side.c"
#include "dataplane/sink.c"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/pcapng_write.h"
#include "tests/unit/packet_build.h"
#include "tests/unit/temporary.h"

#define QUEUES 3
#define KEPT   4096
#define T0     UINT64_C(1700000000000000000)

/* A sink that keeps what it gets, has little room at times and refuses some. */
static struct fake {
	unsigned queues, room;
	unsigned refuse_every, fail_after, stop_after;
	atomic_uint sent;
	unsigned opened;
	struct seen {
		uint32_t flow, id;
		uint64_t due_ns, tx_ns;
		unsigned port;
	} seen[QUEUES][KEPT];
	unsigned n[QUEUES];
	uint8_t bytes[REPLAY_PORTS][QUEUES][LANE_BATCH][2048];
	uint8_t held[QUEUES][KEPT][160];
	unsigned n_held[QUEUES], hold_room;
	uint64_t hold_bytes;
	unsigned hungry[QUEUES];
} fake;
static atomic_bool stop;

struct fake_state {
	unsigned port;
};

static int fake_open(void *state, const struct sink_config *cfg, char *err, size_t errlen)
{
	struct fake_state *s = state;

	(void)err;
	(void)errlen;
	s->port = fake.opened++;
	fake.hold_bytes = cfg->hold_bytes;
	return 0;
}

static unsigned fake_queues(const void *state)
{
	(void)state;
	return fake.queues;
}

static int fake_alloc(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct fake_state *s = state;

	/* Every third time there is no room at first. */
	if (++fake.hungry[q] % 3 == 0)
		return 0;
	n = n < fake.room ? n : fake.room;
	for (unsigned i = 0; i < n; i++)
		frames[i] = (struct frame){.data = fake.bytes[s->port][q][i], .room = 2048};
	return (int)n;
}

static int fake_send(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct fake_state *s = state;
	int sent = 0;

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &frames[i];
		if (f->len == 0)
			continue;
		unsigned order = atomic_fetch_add(&fake.sent, 1) + 1;
		if (fake.fail_after != 0 && order > fake.fail_after)
			return -ENETDOWN;
		if (fake.stop_after != 0 && order == fake.stop_after)
			atomic_store(&stop, true);
		if (fake.refuse_every != 0 && order % fake.refuse_every == 0)
			continue;
		assert_true(fake.n[q] < KEPT);
		f->tx_ns = pace_now();
		fake.seen[q][fake.n[q]++] = (struct seen){
			.flow = load_be32(f->data + 42), .id = load_be32(f->data + 46),
			.due_ns = f->due_ns, .tx_ns = f->tx_ns, .port = s->port};
		sent++;
	}
	return sent;
}

static int fake_hold(void *state, unsigned q, struct frame *f)
{
	(void)state;
	if (f->len > sizeof(fake.held[0][0]))
		return -EMSGSIZE;
	if (fake.n_held[q] == (fake.hold_room != 0 ? fake.hold_room : KEPT))
		return -ENOSPC;
	f->data = fake.held[q][fake.n_held[q]++];
	f->room = f->len;
	return 0;
}

/* Takes as many as it has room for, and at times none. */
static int fake_resend(void *state, unsigned q, const struct frame frames[], unsigned n)
{
	struct frame copy[LANE_BATCH];

	if (++fake.hungry[q] % 3 == 0)
		return 0;
	n = n < fake.room ? n : fake.room;
	memcpy(copy, frames, n * sizeof(*frames));
	return fake_send(state, q, copy, n);
}

static int fake_flush(void *state)
{
	(void)state;
	return 0;
}

static void fake_stats(void *state, struct sink_stats *out)
{
	(void)state;
	(void)out;
}

static void fake_close(void *state)
{
	(void)state;
}

#define FAKE(n, ...)                                                                               \
	{.name = n, .doc = "", .state_size = sizeof(struct fake_state), .open = fake_open,         \
	 .queues = fake_queues, .alloc = fake_alloc, .send = fake_send, .flush = fake_flush,       \
	 .stats = fake_stats, .close = fake_close, __VA_ARGS__}
static const struct sink_ops plain = FAKE("plain", .paces = false);
static const struct sink_ops pacing = FAKE("pacing", .paces = true);
static const struct sink_ops offline = FAKE("offline", .offline = true);
static const struct sink_ops holding =
	FAKE("holding", .paces = true, .hold = fake_hold, .resend = fake_resend);
static const struct sink_ops unpaced = FAKE("unpaced", .hold = fake_hold, .resend = fake_resend);
const struct sink_ops *const sink_table[] = {&plain, &pacing, &offline, &holding, &unpaced, NULL};

/* Captures: packet i belongs to flow i % flows, odd ones go back. */
static struct temporary tmp;
static char path[96];
static const char *files[2] = {path, path};

static void put_udp(struct build *k, uint32_t flow, bool back, uint32_t id)
{
	put_ether(k, 0x0800);
	size_t ip = put_ip4(k, 17, 20);
	store_be16(k->b + ip + (back ? 18 : 14), (uint16_t)flow); /* the client's host */
	k->b[ip + 12] = back ? 192 : 10;
	k->b[ip + 16] = back ? 10 : 192;
	k->b[ip + (back ? 15 : 19)] = 2; /* and the server's */
	put_checksum(k, ip, 20);
	put(k, 4, back ? 53u << 16 | 40000 : 40000u << 16 | 53);
	put(k, 4, 20u << 16);
	put(k, 4, flow);
	put(k, 4, id);
	put(k, 4, 0);
}

struct capture_plan {
	unsigned packets, flows;
	uint64_t gap_ns;
	unsigned truncate_every, arp_every;
};

static void write_capture(const struct capture_plan *p)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const struct pcapng_section section = {.application = "test"};
	struct pcapng_writer *w;

	assert_true(fd >= 0);
	assert_int_equal(pcapng_writer_new(&w, fd, &section), 0);
	assert_int_equal(pcapng_write_interface(
				 w, &(struct pcapng_interface){.linktype = LINKTYPE_ETHERNET}),
			 0);
	for (unsigned i = 0; i < p->packets; i++) {
		struct build k = {.n = 0};
		put_udp(&k, i % p->flows, i / p->flows % 2, i);
		if (p->arp_every != 0 && i % p->arp_every == 1)
			store_be16(k.b + 12, 0x0806);
		struct packet pkt = packet_of(&k, LINKTYPE_ETHERNET);
		pkt.ts_ns = T0 + i * p->gap_ns;
		pkt.wirelen += p->truncate_every != 0 && i % p->truncate_every == 0 ? 100 : 0;
		assert_int_equal(pcapng_write_packet(w, 0, &pkt, NULL), 0);
	}
	assert_int_equal(pcapng_writer_free(w), 0);
	close(fd);
}

static struct replay_config config(const char *engine, const char *rate)
{
	struct replay_config cfg = {.source = {.files = files, .n_files = 1},
				    .engine = engine, .n_ports = 1, .stop = &stop,
				    .rewrite = {.mtu = 1500}};

	assert_int_equal(pace_rate_parse(rate, &cfg.rate), 0);
	memset(&fake, 0, sizeof(fake));
	fake.queues = 1;
	fake.room = LANE_BATCH;
	atomic_store(&stop, false);
	return cfg;
}

static struct replay_stats run(const struct replay_config *cfg, int want)
{
	struct replay *r;
	char err[320] = "";
	bool at_input;

	assert_int_equal(replay_new(&r, cfg, &at_input, err, sizeof(err)), 0);
	assert_int_equal(replay_run(r, err, sizeof(err)), want);
	assert_int_equal(err[0] != '\0', want != 0);
	struct replay_stats s = *replay_stats(r);
	replay_free(r);
	uint64_t sum = 0;
	for (unsigned i = 0; i < REPLAY_N; i++)
		sum += s.ends[i];
	assert_int_equal(sum, s.read);
	return s;
}

static int begin(void **state)
{
	(void)state;
	tmp = temporary_new();
	snprintf(path, sizeof(path), "%s/capture.pcapng", tmp.path);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	temporary_free(&tmp);
	return 0;
}
