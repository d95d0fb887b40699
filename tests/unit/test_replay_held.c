/* SPDX-License-Identifier: BSD-3-Clause */

#include "tests/unit/replay_fake.h"

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
		/* Each queue may be given up within a batch. */
		assert_in_range(s.ends[REPLAY_SENT], 1000 - queues * LANE_BATCH, 1000);

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_as_streamed),
		cmocka_unit_test(not_held),
		cmocka_unit_test(held_ends_early),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
