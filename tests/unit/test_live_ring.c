/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/live_ring.c"

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

static void quantiles(void **state)
{
	uint64_t hist[REPLAY_BUCKETS] = {0};

	(void)state;
	assert_int_equal(live_ring_quantile(hist, 0, 0.5), 0);
	hist[replay_bucket(3)] = 98;
	hist[replay_bucket(1000)] = 1;
	hist[replay_bucket(50000)] = 1;
	assert_int_equal(live_ring_quantile(hist, 100, 0.5), 3);
	assert_in_range(live_ring_quantile(hist, 100, 0.98), 1000, 1063);
	assert_in_range(live_ring_quantile(hist, 100, 0.99), 50000, 53125);
}

/* A ring without a kernel: the test takes the slots. */
static struct replay_shared shared;
static struct live_ring ring;

static void start(uint32_t room, uint32_t len_max, uint64_t frames, uint64_t bytes)
{
	uint32_t n = live_ring_chunks(room, frames, bytes);

	memset(&shared, 0, sizeof(shared));
	free(ring.slots);
	free(ring.chunks);
	ring = (struct live_ring){.shared = &shared, .n_chunks = n, .room = room, .len_max = len_max,
				  .slots = calloc(REPLAY_SLOTS, sizeof(*ring.slots)),
				  .chunks = malloc((size_t)n * REPLAY_CHUNK_LEN)};
	assert_non_null(ring.slots);
	assert_non_null(ring.chunks);
	live_ring_start(&ring);
}

static int setup(void **state)
{
	(void)state;
	start(100, 80, 0, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(ring.slots);
	free(ring.chunks);
	ring = (struct live_ring){.slots = NULL};
	return 0;
}

/* As the kernel's side finds it. */
static const uint8_t *data_of(const struct replay_slot *s)
{
	assert_true(s->at / REPLAY_CHUNK < ring.n_chunks);
	assert_true(s->at % REPLAY_CHUNK + s->len <= REPLAY_CHUNK_LEN);
	return ring.chunks + (size_t)(s->at / REPLAY_CHUNK) * REPLAY_CHUNK_LEN + s->at % REPLAY_CHUNK;
}

/* What is not sent leaves no hole: the kernel takes every slot below head. */
static void closes_up(void **state)
{
	static const uint32_t lens[] = {60, 0, 13, 80, 81, 14};
	struct frame frames[6];

	(void)state;
	assert_int_equal(live_ring_alloc(&ring, frames, 6), 6);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(frames[i].room, 100);
		memset(frames[i].data, (int)('a' + i), 100);
		frames[i].len = lens[i];
		frames[i].due_ns = 1000 + i;
	}
	assert_int_equal(live_ring_send(&ring, frames, 6), 3);
	assert_int_equal(shared.head, 3);
	static const char want[] = "adf";
	static const uint64_t due[] = {1000, 1003, 1005};
	static const uint32_t len[] = {60, 80, 14};
	for (unsigned i = 0; i < 3; i++) {
		const struct replay_slot *s = &ring.slots[i];
		assert_int_equal(s->len, len[i]);
		assert_int_equal(s->due_ns, due[i]);
		assert_int_equal(data_of(s)[0], want[i]);
		assert_int_equal(data_of(s)[len[i] - 1], want[i]);
	}
	struct sink_stats st = {0};
	uint64_t late[REPLAY_BUCKETS] = {0};
	live_ring_count(&ring, &st, late);
	assert_int_equal(st.refused, 2);
}

static void full_ring(void **state)
{
	struct frame frames[64];
	unsigned sent = 0;

	(void)state;
	for (;;) {
		unsigned n = live_ring_alloc(&ring, frames, 63);
		if (n == 0)
			break;
		for (unsigned i = 0; i < n; i++)
			frames[i].len = 60;
		assert_int_equal(live_ring_send(&ring, frames, n), n);
		sent += n;
	}
	assert_int_equal(sent, REPLAY_PLACES);
	shared.tail = 5;
	assert_int_equal(live_ring_alloc(&ring, frames, 64), 5);
	assert_ptr_equal(frames[0].data, place(&ring, 0));
}

/* Every place and every held frame has bytes of its own, whatever their lengths. */
static void nothing_overlaps(void **state)
{
	static const uint32_t rooms[] = {14, 60, 1518, 1600, REPLAY_FRAME_MAX};
	const uint32_t n = 3000;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		uint32_t room = rooms[i];
		uint64_t bytes = 0, held = 0;
		for (uint32_t k = 0; k < n; k++)
			bytes += 14 + k * 7919 % (room - 13);
		start(room, room, n, bytes);
		uint8_t *used = calloc(ring.n_chunks, REPLAY_CHUNK_LEN);
		assert_non_null(used);
		for (uint64_t k = 0; k < REPLAY_PLACES + n; k++) {
			struct frame f = {.data = place(&ring, k), .len = room};
			if (k >= REPLAY_PLACES) {
				f.len = 14 + (uint32_t)(k - REPLAY_PLACES) * 7919 % (room - 13);
				assert_int_equal(live_ring_hold(&ring, &f), 0);
				held += f.len;
			}
			size_t at = (size_t)(f.data - ring.chunks);
			assert_true(at % REPLAY_CHUNK_LEN < REPLAY_CHUNK);
			assert_true(at % REPLAY_CHUNK_LEN + f.len <= REPLAY_CHUNK_LEN);
			assert_true(at / REPLAY_CHUNK_LEN < ring.n_chunks);
			for (uint32_t b = 0; b < f.len; b++)
				assert_int_equal(used[at + b]++, 0);
		}
		assert_int_equal(held, bytes);
		free(used);
	}
}

static void held_frames(void **state)
{
	static const uint32_t lens[] = {60, 13, 14, 80, 81};
	struct frame f[5], wanted[3];
	unsigned n = 0;

	(void)state;
	start(100, 80, 3, 60 + 14 + 80);
	for (unsigned i = 0; i < 5; i++) {
		f[i] = (struct frame){.len = lens[i], .due_ns = 70 + i};
		int ret = live_ring_hold(&ring, &f[i]);
		assert_int_equal(ret, i == 1 || i == 4 ? -EMSGSIZE : 0);
		if (ret != 0)
			continue;
		memset(f[i].data, (int)('a' + i), f[i].len);
		wanted[n++] = f[i];
	}
	struct frame more = {.len = 60};
	int ret = 0;
	for (unsigned i = 0; i < REPLAY_CHUNK && ret == 0; i++)
		ret = live_ring_hold(&ring, &more);
	assert_int_equal(ret, -ENOSPC);

	/* Any number of times, and as far as there is room. */
	for (uint64_t loop = 0; loop < REPLAY_SLOTS / 3; loop++) {
		assert_int_equal(live_ring_resend(&ring, wanted, 3), 3);
		for (unsigned i = 0; i < 3; i++) {
			const struct replay_slot *s = &ring.slots[loop * 3 + i];
			assert_int_equal(s->len, wanted[i].len);
			assert_int_equal(s->due_ns, wanted[i].due_ns);
			assert_ptr_equal(data_of(s), wanted[i].data);
		}
	}
	assert_int_equal(live_ring_resend(&ring, wanted, 3), REPLAY_SLOTS % 3);
	assert_int_equal(live_ring_resend(&ring, wanted, 3), 0);
	assert_int_equal(shared.head, REPLAY_SLOTS);
	shared.tail = 2;
	assert_int_equal(live_ring_resend(&ring, wanted, 3), 2);
	assert_int_equal(wanted[0].data[59], 'a');
	/* Places are fewer than slots. */
	assert_int_equal(live_ring_alloc(&ring, f, 1), 0);
	shared.tail = shared.head - REPLAY_PLACES + 2;
	assert_int_equal(live_ring_alloc(&ring, f, 3), 2);
}

static void too_much_to_hold(void **state)
{
	(void)state;
	uint32_t least = live_ring_chunks(1518, 0, 0);
	assert_true((uint64_t)least * REPLAY_CHUNK_LEN >= (uint64_t)REPLAY_PLACES * 1518);
	assert_int_equal(live_ring_chunks(1518, UINT64_MAX, 1), least);
	assert_int_equal(live_ring_chunks(1518, 1, UINT64_MAX), least);
	assert_int_equal(live_ring_chunks(1518, 1 << 20, UINT32_MAX), least);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets),
		cmocka_unit_test(quantiles),
		cmocka_unit_test_setup_teardown(closes_up, setup, teardown),
		cmocka_unit_test_setup_teardown(full_ring, setup, teardown),
		cmocka_unit_test_teardown(nothing_overlaps, teardown),
		cmocka_unit_test_teardown(held_frames, teardown),
		cmocka_unit_test(too_much_to_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
