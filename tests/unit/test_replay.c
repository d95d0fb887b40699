/* SPDX-License-Identifier: BSD-3-Clause */

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

/* Over all queues every packet once a loop, and each flow in order in one of them. */
static void check_seen(unsigned packets, unsigned flows, uint64_t loops)
{
	static uint8_t times[KEPT], queue_of_flow[KEPT];
	unsigned next[64] = {0};

	memset(times, 0, sizeof(times));
	memset(queue_of_flow, 0xff, sizeof(queue_of_flow));
	for (unsigned q = 0; q < fake.queues; q++) {
		for (unsigned i = 0; i < fake.n[q]; i++) {
			const struct seen *s = &fake.seen[q][i];
			assert_true(s->id < packets && s->flow < flows);
			times[s->id]++;
			if (queue_of_flow[s->flow] == 0xff)
				queue_of_flow[s->flow] = (uint8_t)q;
			assert_int_equal(queue_of_flow[s->flow], q);
			if (s->id < flows)
				next[s->flow] = s->id;
			assert_int_equal(s->id, next[s->flow]);
			next[s->flow] += flows;
		}
	}
	for (unsigned i = 0; i < packets; i++)
		assert_int_equal(times[i], loops);
}

static void every_packet_once(void **state)
{
	static const unsigned rooms[] = {1, 5, LANE_BATCH};
	(void)state;

	write_capture(&(struct capture_plan){.packets = 700, .flows = 20, .gap_ns = 1000});
	for (unsigned i = 0; i < 9; i++) {
		struct replay_config cfg = config(i % 2 ? "pacing" : "plain", i < 6 ? "max" : "1mpps");
		cfg.loops = 2;
		fake.queues = i % 3 + 1;
		fake.room = rooms[i / 3];
		struct replay_stats s = run(&cfg, 0);
		assert_int_equal(s.queues, fake.queues);
		assert_int_equal(s.read, 1400);
		assert_int_equal(s.ends[REPLAY_SENT], 1400);
		assert_int_equal(s.bytes, 1400 * 54);
		assert_int_equal(s.wire_bytes, 1400 * 84);
		assert_int_equal(s.loops, 2);
		check_seen(700, 20, 2);
	}
}

static void what_is_not_sent_is_counted(void **state)
{
	(void)state;
	write_capture(&(struct capture_plan){.packets = 600, .flows = 7, .truncate_every = 10});
	struct replay_config cfg = config("plain", "max");
	fake.queues = QUEUES;
	fake.refuse_every = 9;
	struct replay_stats s = run(&cfg, 0);
	assert_int_equal(s.read, 600);
	assert_int_equal(s.ends[REPLAY_TRUNCATED], 60);
	assert_int_equal(s.ends[REPLAY_REFUSED], 540 / 9);
	assert_int_equal(s.ends[REPLAY_SENT], 480);
	assert_int_equal(s.bytes, 480 * 54);

	cfg = config("plain", "max");
	cfg.rewrite.truncated = REWRITE_CUT_PAD;
	cfg.source.bpf = "src net 10.0.0.0/8";
	s = run(&cfg, 0);
	assert_int_equal(s.read + s.filtered, 600);
	assert_int_equal(s.ends[REPLAY_SENT], s.read);
	unsigned cut = 0;
	for (unsigned i = 0; i < 600; i += 10)
		cut += i / 7 % 2 == 0;
	assert_int_equal(s.bytes, s.read * 54 + cut * 100);

	/* A capture of which nothing goes is not sent for ever. */
	cfg = config("plain", "max");
	cfg.loops = REPLAY_FOREVER;
	cfg.rewrite.mtu = 20;
	s = run(&cfg, 0);
	assert_int_equal(s.loops, 1);
	assert_int_equal(s.ends[REPLAY_TOO_LONG], 600);
}

static void never_before_its_time(void **state)
{
	(void)state;
	write_capture(&(struct capture_plan){.packets = 200, .flows = 4, .gap_ns = 500000});
	for (unsigned i = 0; i < 2; i++) {
		struct replay_config cfg = config("plain", i == 0 ? "original" : "2000pps");
		fake.room = 7;
		struct replay_stats s = run(&cfg, 0);
		assert_int_equal(s.ends[REPLAY_SENT], 200);
		assert_int_equal(s.errors.n, 200);
		assert_int_equal(s.errors.early, 0);
		check_seen(200, 4, 1);
		for (unsigned n = 0; n < 200; n++) {
			assert_int_equal(fake.seen[0][n].due_ns, s.due_ns[0] + n * 500000);
			assert_true(fake.seen[0][n].tx_ns >= fake.seen[0][n].due_ns);
		}
		assert_in_range((uint64_t)replay_asked(&s).packets, 1999, 2001);
		assert_in_range((uint64_t)replay_asked(&s).bits, 1999 * 84 * 8, 2001 * 84 * 8);
		/* How fast it went is the machine's affair; that it is told rightly is ours. */
		uint64_t span = fake.seen[0][199].tx_ns - fake.seen[0][0].tx_ns;
		uint64_t rate = 199 * UINT64_C(1000000000) / span;
		assert_in_range((uint64_t)replay_achieved(&s).packets, rate * 99 / 100,
				rate * 101 / 100 + 1);
	}
}

/* A sink that paces gets the due times; one without a wire gets the capture's. */
static void who_waits(void **state)
{
	(void)state;
	write_capture(&(struct capture_plan){.packets = 50, .flows = 4, .gap_ns = 3600000000000});
	struct replay_config cfg = config("offline", "original");
	cfg.loops = 2;
	struct replay_stats s = run(&cfg, 0);
	assert_int_equal(s.errors.n, 0);
	for (unsigned n = 0; n < 100; n++)
		assert_int_equal(fake.seen[0][n].due_ns, T0 + n * 3600000000000);
	cfg = config("offline", "x2");
	run(&cfg, 0);
	assert_int_equal(fake.seen[0][49].due_ns, T0 + 49 * 1800000000000);
	cfg = config("pacing", "10kpps");
	s = run(&cfg, 0);
	assert_int_equal(s.errors.n, 0);
	for (unsigned n = 0; n < 50; n++)
		assert_int_equal(fake.seen[0][n].due_ns, s.due_ns[0] + n * 100000);
	cfg = config("pacing", "max");
	run(&cfg, 0);
	assert_int_equal(fake.seen[0][49].due_ns, 0);
}

static void ends_early(void **state)
{
	(void)state;
	write_capture(&(struct capture_plan){.packets = 900, .flows = 30, .gap_ns = 10000});
	for (unsigned queues = 1; queues <= QUEUES; queues++) {
		struct replay_config cfg = config("plain", "original");
		cfg.loops = REPLAY_FOREVER;
		fake.queues = queues;
		fake.fail_after = 100;
		struct replay_stats s = run(&cfg, -ENETDOWN);
		assert_in_range(s.ends[REPLAY_SENT], 100 - LANE_BATCH, 100);
		assert_false(s.interrupted);

		cfg = config("plain", "original");
		cfg.loops = REPLAY_FOREVER;
		fake.queues = queues;
		fake.stop_after = 50;
		s = run(&cfg, 0);
		assert_true(s.interrupted);
		assert_in_range(s.ends[REPLAY_SENT], 50, 50 + QUEUES * LANE_BATCH);
	}
	/* Also while it waits for a packet of tomorrow. */
	write_capture(&(struct capture_plan){.packets = 2, .flows = 1, .gap_ns = 3500000000000});
	struct replay_config cfg = config("plain", "original");
	fake.stop_after = 1;
	struct replay_stats s = run(&cfg, 0);
	assert_int_equal(s.ends[REPLAY_SENT], 1);
	assert_int_equal(s.ends[REPLAY_UNSENT], 1);
	/* A sink that waits itself has not got it already. */
	for (unsigned i = 0; i < 2; i++) {
		cfg = config(i == 0 ? "pacing" : "holding", "original");
		cfg.loops = 2;
		fake.stop_after = 1;
		s = run(&cfg, 0);
		assert_true(s.interrupted);
		assert_int_equal(s.ends[REPLAY_SENT], 1);
	}
}

static void not_a_capture(void **state)
{
	const char *names[2] = {path, "/nowhere/at/all"};
	struct replay *r;
	char err[320];
	bool at_input = false;
	(void)state;

	write_capture(&(struct capture_plan){.packets = 1, .flows = 1});
	struct replay_config cfg = config("plain", "max");
	cfg.source.files = names;
	cfg.source.n_files = 2;
	assert_int_equal(replay_new(&r, &cfg, &at_input, err, sizeof(err)), -ENOENT);
	assert_true(at_input);
	assert_null(r);
	assert_int_equal(fake.opened, 0);
	cfg.source.n_files = 1;
	cfg.engine = "none such";
	assert_int_equal(replay_new(&r, &cfg, &at_input, err, sizeof(err)), -ENOENT);
	assert_false(at_input);
}

/* Frames that stay with the sink go out as those that are written anew in each loop. */
static void held_as_streamed(void **state)
{
	static const char *const rates[] = {"max", "original", "x3", "200kpps", "100mbps"};
	static struct seen want[QUEUES][KEPT];
	(void)state;

	write_capture(&(struct capture_plan){.packets = 600, .flows = 20, .gap_ns = 1700,
					     .truncate_every = 9});
	for (unsigned i = 0; i < 20; i++) {
		struct replay_stats was, is;
		unsigned queues = i / 5 % 2 == 0 ? 1 : QUEUES;
		for (unsigned k = 0; k < 2; k++) {
			struct replay_config cfg = config(k == 0 ? "pacing" : "holding", rates[i % 5]);
			cfg.loops = 3;
			cfg.source.n_files = 2;
			cfg.rewrite.truncated = i < 10 ? REWRITE_CUT_REFUSE : REWRITE_CUT_PAD;
			cfg.source.bpf = "not host 10.0.0.3"; /* the client of a flow */
			fake.queues = queues;
			fake.room = i % 3 == 0 ? 5 : LANE_BATCH;
			*(k == 0 ? &was : &is) = run(&cfg, 0);
			if (k == 0)
				memcpy(want, fake.seen, sizeof(want));
		}
		assert_true(fake.n_held[0] > 0 && fake.n_held[0] * 3 == fake.n[0]);
		assert_int_equal(was.read, is.read);
		assert_int_equal(was.filtered, is.filtered);
		assert_memory_equal(was.ends, is.ends, sizeof(was.ends));
		assert_int_equal(was.bytes, is.bytes);
		assert_int_equal(was.wire_bytes, is.wire_bytes);
		assert_int_equal(was.loops, is.loops);
		assert_int_equal(was.planned, is.planned);
		assert_int_equal(was.planned_wire_bytes, is.planned_wire_bytes);
		if (i % 5 != 0)
			assert_in_range(is.due_ns[1] - is.due_ns[0], was.due_ns[1] - was.due_ns[0] - 3,
					was.due_ns[1] - was.due_ns[0] + 3);
		for (unsigned q = 0; q < queues; q++) {
			for (unsigned n = 0; n < fake.n[q]; n++) {
				const struct seen *a = &want[q][n], *b = &fake.seen[q][n];
				uint64_t due = i % 5 == 0 ? 0 : a->due_ns - was.due_ns[0] + is.due_ns[0];
				assert_int_equal(a->id, b->id);
				assert_in_range(b->due_ns, due - (due > 3 ? 3 : 0), due + 3);
			}
		}
	}
}

static void not_held(void **state)
{
	(void)state;
	write_capture(&(struct capture_plan){.packets = 300, .flows = 20, .truncate_every = 2});
	for (unsigned i = 0; i < 6; i++) {
		struct replay_config cfg = config(i == 3 ? "unpaced" : "holding", i == 3 ? "1mpps" : "max");
		cfg.loops = i == 0 ? 1 : 2;
		cfg.rewrite.vary = i == 1 ? REWRITE_VARY_ADDRESSES : REWRITE_VARY_NONE;
		cfg.n_ports = i == 2 ? 2 : 1;
		cfg.rewrite.truncated = i == 5 ? REWRITE_CUT_PAD : REWRITE_CUT_REFUSE;
		fake.hold_room = i == 4 ? 149 : 0; /* one too few */
		struct replay_stats s = run(&cfg, 0);
		if (i < 5) {
			assert_int_equal(s.ends[REPLAY_SENT], 150 * cfg.loops);
			assert_int_equal(s.ends[REPLAY_TRUNCATED], 150 * cfg.loops);
		}
		assert_int_equal(fake.hold_bytes, i < 4 ? 0 : i == 4 ? 150 * 54 : 150 * 54 + 150 * 154);
		assert_int_equal(s.read, 300 * cfg.loops);
	}
	struct replay_config cfg = config("unpaced", "max");
	cfg.loops = 2;
	struct replay_stats s = run(&cfg, 0);
	assert_int_equal(fake.n_held[0], 150);
	assert_int_equal(s.ends[REPLAY_SENT], 300);
}

static void held_ends_early(void **state)
{
	(void)state;
	write_capture(&(struct capture_plan){.packets = 900, .flows = 30, .gap_ns = 10000});
	for (unsigned queues = 1; queues <= QUEUES; queues++) {
		struct replay_config cfg = config("holding", "original");
		cfg.loops = REPLAY_FOREVER;
		fake.queues = queues;
		fake.fail_after = 1000;
		struct replay_stats s = run(&cfg, -ENETDOWN);
		assert_in_range(s.ends[REPLAY_SENT], 1000 - LANE_BATCH, 1000);

		cfg = config("holding", "max");
		cfg.loops = REPLAY_FOREVER;
		fake.queues = queues;
		fake.stop_after = 1000;
		s = run(&cfg, 0);
		assert_true(s.interrupted);
		assert_in_range(s.ends[REPLAY_SENT], 1000, 1000 + QUEUES * LANE_BATCH);
	}
	struct replay_config cfg = config("holding", "max");
	cfg.loops = REPLAY_FOREVER;
	cfg.rewrite.mtu = 20;
	assert_int_equal(run(&cfg, 0).loops, 1);
}

/* Odd packets are answers: each side by its port, in the capture's order over both. */
static void two_ports(void **state)
{
	struct prefix servers;
	(void)state;

	write_capture(&(struct capture_plan){.packets = 400, .flows = 10, .arp_every = 40});
	assert_int_equal(prefix_parse("192.0.0.0/8", 11, &servers), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct replay_config cfg = config("plain", "max");
		cfg.n_ports = 2;
		cfg.clients = &servers;
		cfg.n_clients = i == 1;
		struct replay_stats s = run(&cfg, 0);
		assert_int_equal(s.ends[REPLAY_SENT], 400);
		/* All have one sender's MAC address, which is no reason before an IP packet had it. */
		assert_int_equal(s.undecided, 0);
		unsigned turned = 0;
		for (unsigned n = 0; n < 400; n++) {
			const struct seen *p = &fake.seen[0][n];
			bool back = p->id / 10 % 2;
			assert_int_equal(p->id, n);
			if (n % 40 != 1)
				assert_int_equal(p->port, i == 1 ? !back : back);
			turned += p->port;
		}
		assert_in_range(turned, 190, 210);
	}
}

/* What has no ports follows its sender; errors go with the answers. */
static void sides_of_odd_packets(void **state)
{
	struct sides *s;
	struct build k = {.n = 0}, frag = {.n = 0};
	(void)state;

	assert_int_equal(sides_new(&s, NULL, 0), 0);
	put_udp(&frag, 1, true, 0);
	store_be16(frag.b + 14 + 6, 3); /* a later fragment */
	put_checksum(&frag, 14, 20);
	struct packet later = packet_of(&frag, LINKTYPE_ETHERNET);
	struct headers h;
	packet_decode(&later, &h);
	assert_int_equal(h.end, DECODE_FRAGMENT);
	assert_int_equal(sides_port(s, &later, &h), 0);
	assert_int_equal(sides_undecided(s), 1);

	put_udp(&k, 1, false, 0);
	struct packet pkt = packet_of(&k, LINKTYPE_ETHERNET);
	packet_decode(&pkt, &h);
	assert_int_equal(sides_port(s, &pkt, &h), 0);
	struct build answer = {.n = 0};
	put_udp(&answer, 1, true, 0);
	struct packet back = packet_of(&answer, LINKTYPE_ETHERNET);
	packet_decode(&back, &h);
	assert_int_equal(sides_port(s, &back, &h), 1);
	packet_decode(&later, &h);
	assert_int_equal(sides_port(s, &later, &h), 1);

	struct build error = {.n = 0};
	put_ether(&error, 0x0800);
	put_ip4(&error, 1, 8 + 40); /* from a router that nobody has seen */
	put(&error, 8, 0x0301000000000000);
	put_bytes(&error, k.b + 14, 40);
	struct packet icmp = packet_of(&error, LINKTYPE_ETHERNET);
	packet_decode(&icmp, &h);
	assert_true(h.is_icmp_error && h.quoted_ok);
	assert_int_equal(sides_port(s, &icmp, &h), 1);
	assert_int_equal(sides_undecided(s), 1);
	sides_free(s);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_packet_once),
		cmocka_unit_test(what_is_not_sent_is_counted),
		cmocka_unit_test(never_before_its_time),
		cmocka_unit_test(who_waits),
		cmocka_unit_test(ends_early),
		cmocka_unit_test(not_a_capture),
		cmocka_unit_test(held_as_streamed),
		cmocka_unit_test(not_held),
		cmocka_unit_test(held_ends_early),
		cmocka_unit_test(two_ports),
		cmocka_unit_test(sides_of_odd_packets),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
