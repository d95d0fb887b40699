/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/sink_live.c"

/* A time counts in the bucket whose end is the first not below it, and ends are within 1/16. */
static void buckets(void **state)
{
	(void)state;
	for (uint32_t b = 0; b < REPLAY_BUCKETS; b++) {
		uint64_t end = replay_bucket_end(b);
		assert_int_equal(replay_bucket(end), b);
		if (b + 1 < REPLAY_BUCKETS)
			assert_int_equal(replay_bucket(end + 1), b + 1);
		uint64_t start = b == 0 ? 0 : replay_bucket_end(b - 1) + 1;
		assert_true(end - start <= start / 16);
	}
	assert_int_equal(replay_bucket_end(REPLAY_BUCKETS - 1), UINT64_MAX);
}

static void percentiles(void **state)
{
	uint64_t hist[REPLAY_BUCKETS] = {0};

	(void)state;
	assert_int_equal(percentile(hist, 0, 0.5), 0);
	hist[replay_bucket(3)] = 98;
	hist[replay_bucket(1000)] = 1;
	hist[replay_bucket(50000)] = 1;
	assert_int_equal(percentile(hist, 100, 0.5), 3);
	assert_in_range(percentile(hist, 100, 0.98), 1000, 1063);
	assert_in_range(percentile(hist, 100, 0.99), 50000, 53125);
}

/* A lane without a kernel: the test takes the slots. */
static struct replay_shared shared;
static struct lane lane = {.shared = &shared};
static struct live live = {.lanes = &lane, .n_lanes = 1, .room = 100, .len_max = 80, .stride = 128};

static int setup(void **state)
{
	(void)state;
	memset(&shared, 0, sizeof(shared));
	lane.head = lane.refused = 0;
	lane.slots = calloc(REPLAY_SLOTS, live.stride);
	return lane.slots == NULL;
}

static int teardown(void **state)
{
	(void)state;
	free(lane.slots);
	return 0;
}

/* What is not sent leaves no hole: the kernel takes every slot below head. */
static void closes_up(void **state)
{
	static const uint32_t lens[] = {60, 0, 13, 80, 81, 14};
	struct frame frames[6];

	(void)state;
	assert_int_equal(live_alloc(&live, 0, frames, 6), 6);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(frames[i].room, 100);
		memset(frames[i].data, (int)('a' + i), 100);
		frames[i].len = lens[i];
		frames[i].due_ns = 1000 + i;
	}
	assert_int_equal(live_send(&live, 0, frames, 6), 3);
	assert_int_equal(shared.head, 3);
	static const char want[] = "adf";
	static const uint64_t due[] = {1000, 1003, 1005};
	static const uint32_t len[] = {60, 80, 14};
	for (unsigned i = 0; i < 3; i++) {
		const struct replay_slot *s = slot_at(&live, &lane, i);
		assert_int_equal(s->len, len[i]);
		assert_int_equal(s->due_ns, due[i]);
		assert_int_equal(s->data[0], want[i]);
		assert_int_equal(s->data[len[i] - 1], want[i]);
	}
	struct sink_stats st = {0};
	live_stats(&live, &st);
	assert_int_equal(st.refused, 2);
}

static void full_ring(void **state)
{
	struct frame frames[64];
	unsigned sent = 0;

	(void)state;
	for (;;) {
		int n = live_alloc(&live, 0, frames, 63);
		if (n == 0)
			break;
		for (int i = 0; i < n; i++)
			frames[i].len = 60;
		assert_int_equal(live_send(&live, 0, frames, (unsigned)n), n);
		sent += (unsigned)n;
	}
	assert_int_equal(sent, REPLAY_SLOTS);
	shared.tail = 5;
	assert_int_equal(live_alloc(&live, 0, frames, 64), 5);
	assert_ptr_equal(frames[0].data, slot_at(&live, &lane, 0)->data);
}

static void ended_run(void **state)
{
	struct frame frames[1];

	(void)state;
	lane.error = -ENOMEM;
	lane.ended = true;
	assert_int_equal(live_alloc(&live, 0, frames, 1), -ENOMEM);
	lane.head = 1;
	assert_int_equal(live_flush(&live), -ENOMEM);
	lane.ended = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets),
		cmocka_unit_test(percentiles),
		cmocka_unit_test_setup_teardown(closes_up, setup, teardown),
		cmocka_unit_test_setup_teardown(full_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(ended_run, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
