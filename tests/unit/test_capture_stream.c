/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/capture_stream.c"
#include "dataplane/capture_unpack.c"

#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "tests/unit/capture_build.h"

#define RECORDS 3000

static struct capture_common common;
static struct capture *cap;
static struct source_damage why;

static int open_path(const char *path, size_t block_size)
{
	assert_int_equal(capture_common_init(&common, 1), 0);
	common.pool.block_size = block_size;
	return capture_open(&cap, &common, path, 0, &why);
}

static int open_bytes(const struct build *b, size_t block_size)
{
	char path[96];
	build_write(b, build_path(path, sizeof(path), "a"));
	return open_path(path, block_size);
}

static void close_all(void)
{
	capture_close(cap);
	capture_common_free(&common);
}

static void plain_capture(struct build *b)
{
	put_pcap_header(b, 0xa1b2c3d4, LINKTYPE_ETHERNET);
	for (unsigned k = 0; k < RECORDS; k++) {
		uint32_t len = 40 + k * 7919 % 1400;
		put_pcap_record(b, k, 0, len, len);
		put_data(b, (uint8_t)(k * 31), len);
	}
}

static void pack_gzip(struct build *out, const uint8_t *data, size_t len)
{
	z_stream z = {0};
	uint8_t buf[4096];
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	int ret;
	do {
		z.next_out = buf;
		z.avail_out = sizeof(buf);
		ret = deflate(&z, Z_FINISH);
		put(out, buf, sizeof(buf) - z.avail_out);
	} while (ret == Z_OK);
	assert_int_equal(ret, Z_STREAM_END);
	deflateEnd(&z);
}

#if HAVE_ZSTD
static void pack_zstd(struct build *out, const uint8_t *data, size_t len)
{
	size_t room = ZSTD_compressBound(len);
	uint8_t *buf = malloc(room);
	size_t n = ZSTD_compress(buf, room, data, len, 3);
	assert_false(ZSTD_isError(n));
	put(out, buf, n);
	free(buf);
}
#endif

typedef void (*pack_fn)(struct build *out, const uint8_t *data, size_t len);

static const pack_fn packers[] = {
	pack_gzip,
#if HAVE_ZSTD
	pack_zstd,
#endif
};
#define N_PACKERS (sizeof(packers) / sizeof(packers[0]))

/* Reads to the end, checks every byte; returns how many packets came. */
static unsigned read_all(int *end)
{
	struct packet pkts[64];
	unsigned seen = 0;
	int n;
	while ((n = capture_next(cap, pkts, 64)) > 0) {
		for (int i = 0; i < n; i++, seen++) {
			assert_int_equal(pkts[i].caplen, 40 + seen * 7919 % 1400);
			for (unsigned k = 0; k < pkts[i].caplen; k++)
				if (pkts[i].data[k] != (uint8_t)(seen * 31 + k))
					fail_msg("frame %u, byte %u", seen + 1, k);
		}
		capture_release(pkts, (unsigned)n);
	}
	*end = n;
	return seen;
}

/* One member, several members with zero padding behind, and windows from tiny to usual. */
static void packed(void **state)
{
	(void)state;
	struct build b = {0};
	plain_capture(&b);
	for (unsigned i = 0; i < N_PACKERS * 4; i++) {
		struct build z = {0};
		int end;
		pack_fn pack = packers[i / 4];
		if (i % 2 == 0) {
			pack(&z, b.p, b.len);
		} else {
			pack(&z, b.p, 1000);
			pack(&z, b.p, 0);
			pack(&z, b.p + 1000, b.len - 1000);
			if (pack == pack_gzip)
				for (unsigned k = 0; k < 512; k++)
					put(&z, "", 1);
		}
		assert_int_equal(open_bytes(&z, i % 4 < 2 ? 0 : 50), 0);
		assert_int_equal(read_all(&end), RECORDS);
		assert_int_equal(end, SOURCE_EOF);
		assert_int_equal(common.n_damage, 0);
		assert_int_equal(common.raw_bytes, z.len);
		close_all();
		build_free(&z);
	}
	build_free(&b);
}

/* Cut or altered: the packets up to there, then an offset within the unpacked stream. */
static void packed_damaged(void **state)
{
	(void)state;
	struct build b = {0};
	plain_capture(&b);
	for (unsigned i = 0; i < N_PACKERS * 3; i++) {
		struct build z = {0};
		int end;
		packers[i / 3](&z, b.p, b.len);
		if (i % 3 == 0)
			z.len = z.len / 2;
		else if (i % 3 == 1)
			put(&z, "garbage", 7);
		else
			z.len -= 1;
		assert_int_equal(open_bytes(&z, 0), 0);
		unsigned seen = read_all(&end);
		assert_int_equal(end, SOURCE_EOF);
		assert_int_equal(common.n_damage, 1);
		const struct source_damage *d = &common.damage[0];
		if (i % 3 == 0) {
			assert_in_range(seen, 1, RECORDS - 1);
			assert_in_range(d->offset, 40 * seen, b.len - 1);
			assert_non_null(strstr(d->reason, "stream is cut short"));
		} else if (i % 3 == 1) {
			assert_int_equal(seen, RECORDS);
			assert_int_equal(d->offset, b.len);
		}
		close_all();
		build_free(&z);
	}
	build_free(&b);
}

static void packed_checksum(void **state)
{
	(void)state;
	struct build b = {0}, z = {0};
	int end;
	plain_capture(&b);
	pack_gzip(&z, b.p, b.len);
	z.p[z.len - 6] ^= 1;
	assert_int_equal(open_bytes(&z, 0), 0);
	assert_int_equal(read_all(&end), RECORDS);
	assert_int_equal(common.n_damage, 1);
	assert_int_equal(common.damage[0].offset, b.len);
	assert_string_equal(common.damage[0].reason, "gzip: incorrect data check");
	close_all();
	build_free(&b);
	build_free(&z);
}

#if HAVE_ZSTD
/* All packets of a frame whose checksum is wrong, whether or not it fits one window. */
static void zstd_checksum(void **state)
{
	(void)state;
	struct build b = {0};
	int end;
	plain_capture(&b);
	for (unsigned i = 0; i < 2; i++) {
		size_t len = i == 0 ? 24 + 16 + 40 : b.len, room = ZSTD_compressBound(len);
		struct build z = {0};
		uint8_t *buf = malloc(room);
		ZSTD_CCtx *ctx = ZSTD_createCCtx();
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
		size_t n = ZSTD_compress2(ctx, buf, room, b.p, len);
		assert_false(ZSTD_isError(n));
		buf[n - 1] ^= 1;
		put(&z, buf, n);
		for (unsigned k = 0; k < 2; k++) {
			assert_int_equal(open_bytes(&z, k == 0 ? 0 : 50), 0);
			assert_int_equal(read_all(&end), i == 0 ? 1 : RECORDS);
			assert_int_equal(common.n_damage, 1);
			assert_int_equal(common.damage[0].offset, len);
			close_all();
		}
		build_free(&z);
		ZSTD_freeCCtx(ctx);
		free(buf);
	}
	build_free(&b);
}
#endif

static void packed_twice(void **state)
{
	(void)state;
	struct build b = {0};
	plain_capture(&b);
	for (unsigned i = 0; i < N_PACKERS * N_PACKERS; i++) {
		struct build z = {0}, zz = {0};
		packers[i / N_PACKERS](&z, b.p, b.len);
		packers[i % N_PACKERS](&zz, z.p, z.len);
		assert_int_equal(open_bytes(&zz, 0), -EINVAL);
		assert_non_null(strstr(why.reason, " inside "));
		close_all();
		build_free(&z);
		build_free(&zz);
	}
	build_free(&b);
}

struct feeder {
	int fd;
	size_t chunk;
	const struct build *b;
};

static void *feed(void *arg)
{
	const struct feeder *f = arg;
	for (size_t at = 0; at < f->b->len; at += f->chunk) {
		size_t n = f->b->len - at < f->chunk ? f->b->len - at : f->chunk;
		if (write(f->fd, f->b->p + at, n) != (ssize_t)n)
			abort();
	}
	close(f->fd);
	return NULL;
}

/* Short reads through a pipe on standard input, left open as it was found. */
static void pipes(void **state)
{
	(void)state;
	struct build b = {0}, z = {0};
	plain_capture(&b);
	pack_gzip(&z, b.p, b.len);
	static const size_t chunks[] = {1, 7, 1000, 65536};
	for (unsigned i = 0; i < 8; i++) {
		int fds[2], end, old = dup(0);
		assert_int_equal(pipe(fds), 0);
		assert_int_equal(dup2(fds[0], 0), 0);
		close(fds[0]);
		struct feeder f = {fds[1], chunks[i / 2], i % 2 != 0 ? &z : &b};
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
		assert_int_equal(open_path("-", 0), 0);
		assert_int_equal(read_all(&end), RECORDS);
		assert_int_equal(common.n_damage, 0);
		pthread_join(thread, NULL);
		close_all();
		assert_int_equal(fcntl(0, F_GETFD), 0);
		assert_int_equal(dup2(old, 0), 0);
		close(old);
	}
	build_free(&b);
	build_free(&z);
}

static unsigned fills;

/* Interrupted twice, then a disk that fails. */
static long bad_disk(struct stream *s, uint8_t *dst, size_t room)
{
	(void)dst;
	(void)room;
	(void)s;
	return ++fills <= 2 ? -EINTR : -EIO;
}

static void read_error(void **state)
{
	(void)state;
	struct build b = {0};
	struct packet pkts[64];
	plain_capture(&b);
	assert_int_equal(open_bytes(&b, 0), 0);
	cap->stream.fill = bad_disk;
	fills = 0;
	int n = capture_next(cap, pkts, 64);
	assert_in_range(n, 1, 10);
	assert_int_equal(capture_next(cap, pkts, 64), 0);
	assert_int_equal(capture_next(cap, pkts, 64), 0);
	assert_int_equal(capture_next(cap, pkts, 64), -EIO);
	assert_int_equal(capture_next(cap, pkts, 64), -EIO);
	assert_int_equal(common.n_damage, 1);
	assert_int_equal(common.damage[0].offset, HEAD_LEN);
	assert_string_equal(common.damage[0].reason, strerror(EIO));
	close_all();
	build_free(&b);
}

/* What is held stays as it was; what is given back is used again. */
static void blocks_live_and_die(void **state)
{
	(void)state;
	struct build b = {0};
	struct packet held[RECORDS / 100 + 1], pkt;
	unsigned n_held = 0, blocks = 0;
	plain_capture(&b);
	assert_int_equal(open_bytes(&b, 8192), 0);
	for (unsigned k = 0; k < RECORDS; k++) {
		assert_int_equal(capture_next(cap, &pkt, 1), 1);
		if (k % 100 == 0)
			held[n_held++] = pkt;
		else
			capture_release(&pkt, 1);
	}
	for (const struct block *x = common.pool.all; x != NULL; x = x->next)
		blocks++;
	assert_in_range(blocks, n_held, n_held + BLOCK_FREE_MAX + 2);
	for (unsigned i = 0; i < n_held; i++)
		for (unsigned k = 0; k < held[i].caplen; k++)
			assert_int_equal(held[i].data[k], (uint8_t)(i * 100 * 31 + k));
	for (unsigned i = n_held; i-- != 0;)
		capture_release(&held[i], 1);
	assert_int_equal(common.pool.n_free, BLOCK_FREE_MAX);
	blocks = 0;
	for (const struct block *x = common.pool.all; x != NULL; x = x->next)
		blocks++;
	assert_int_equal(blocks, BLOCK_FREE_MAX + 1);
	close_all();
	build_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed),       cmocka_unit_test(packed_damaged),
		cmocka_unit_test(packed_checksum), cmocka_unit_test(packed_twice),
		cmocka_unit_test(pipes),        cmocka_unit_test(read_error),
		cmocka_unit_test(blocks_live_and_die),
#if HAVE_ZSTD
		cmocka_unit_test(zstd_checksum),
#endif
	};
	return cmocka_run_group_tests(tests, build_setup, build_teardown);
}
