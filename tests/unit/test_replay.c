/* SPDX-License-Identifier: BSD-3-Clause */

#include "tests/unit/replay_fake.h"

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

/* Nothing is early, and who is waited for is late by all of it; those due meanwhile go along. */
static void sleeps_where_it_may(void **state)
{
	(void)state;
	write_capture(&(struct capture_plan){.packets = 200, .flows = 4, .gap_ns = 100000});
	struct replay_config cfg = config("plain", "original");
	cfg.slack_ns = 2000000;
	struct replay_stats s = run(&cfg, 0);

	assert_int_equal(s.ends[REPLAY_SENT], 200);
	assert_int_equal(s.errors.early, 0);
	check_seen(200, 4, 1);
	for (unsigned n = 0; n < 200; n++)
		assert_true(fake.seen[0][n].tx_ns >= fake.seen[0][n].due_ns);
	assert_true(s.errors.max_ns >= cfg.slack_ns);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_packet_once),
		cmocka_unit_test(what_is_not_sent_is_counted),
		cmocka_unit_test(never_before_its_time),
		cmocka_unit_test(sleeps_where_it_may),
		cmocka_unit_test(who_waits),
		cmocka_unit_test(ends_early),
		cmocka_unit_test(not_a_capture),
		cmocka_unit_test(two_ports),
		cmocka_unit_test(sides_of_odd_packets),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
