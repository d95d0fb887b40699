/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/capture_pcap.c"

#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/capture_build.h"

#define SEC UINT64_C(1000000000)

static struct capture_common common;
static struct capture *cap;
static struct source_damage why;

static int open_bytes(const struct build *b, size_t block_size)
{
	char path[96];
	build_write(b, build_path(path, sizeof(path), "a"));
	assert_int_equal(capture_common_init(&common, 1), 0);
	common.pool.block_size = block_size;
	return capture_open(&cap, &common, path, 3, &why);
}

static void close_all(void)
{
	capture_close(cap);
	capture_common_free(&common);
}

static struct packet next_one(void)
{
	struct packet pkt;
	assert_int_equal(capture_next(cap, &pkt, 1), 1);
	return pkt;
}

struct variant {
	uint32_t magic;
	uint64_t ns; /* of the tick 123456 */
	unsigned file_extra, record_extra;
};

static const struct variant variants[] = {
	{0xa1b2c3d4, 123456000, 0, 0},
	{0xa1b23c4d, 123456, 0, 0},
	{0xa1b2cd34, 123456000, 0, 8},
	{0x1c0001ac, 123456, 4, 0},
	{0x1c0001ab, 123456000, 4, 0},
};

static void every_magic(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(variants) / sizeof(variants[0]); i++) {
		const struct variant *v = &variants[i / 2];
		struct build b = {.be = i % 2 != 0};
		put_pcap_header(&b, v->magic, 0x10000000u | LINKTYPE_LINUX_SLL);
		put_data(&b, 0xee, v->file_extra);
		for (unsigned k = 0; k < 3; k++) {
			put_pcap_record(&b, 0xfffffff0, 123456, 60 + k, 1500);
			put_data(&b, 0xcc, v->record_extra);
			put_data(&b, (uint8_t)k, 60 + k);
		}
		assert_true(pcap_probe(b.p, b.len));
		assert_int_equal(open_bytes(&b, 0), 0);
		for (unsigned k = 0; k < 3; k++) {
			struct packet pkt = next_one();
			assert_true(pkt.ts_ns == 0xfffffff0 * SEC + v->ns);
			assert_int_equal(pkt.caplen, 60 + k);
			assert_int_equal(pkt.wirelen, 1500);
			assert_int_equal(pkt.frame, k + 1);
			assert_int_equal(pkt.file, 3);
			assert_int_equal(pkt.linktype, LINKTYPE_LINUX_SLL);
			assert_int_equal(pkt.data[0], k);
			assert_int_equal(pkt.data[59 + k], (uint8_t)(59 + 2 * k));
			capture_release(&pkt, 1);
		}
		struct packet none;
		assert_int_equal(capture_next(cap, &none, 1), SOURCE_EOF);
		assert_int_equal(common.n_damage, 0);
		assert_int_equal(common.n_ifaces, 1);
		assert_int_equal(common.ifaces[0].packets, 3);
		assert_true(common.ifaces[0].dropped == UINT64_MAX);
		close_all();
		build_free(&b);
	}
}

/* Windows of every small size and batches of every size give the same packets. */
static void every_window(void **state)
{
	(void)state;
	struct build b = {0};
	put_pcap_header(&b, 0xa1b2c3d4, LINKTYPE_ETHERNET);
	for (unsigned k = 0; k < 40; k++) {
		put_pcap_record(&b, k, 0, k * 3, k * 3);
		put_data(&b, (uint8_t)k, k * 3);
	}
	for (size_t window = 1; window < 300; window += 7) {
		assert_int_equal(open_bytes(&b, window), 0);
		unsigned max = 1 + window % 11, frame = 0;
		struct packet pkts[16];
		int n;
		while ((n = capture_next(cap, pkts, max)) > 0) {
			for (int i = 0; i < n; i++, frame++) {
				assert_int_equal(pkts[i].frame, frame + 1);
				assert_true(pkts[i].ts_ns == frame * SEC);
				assert_int_equal(pkts[i].caplen, frame * 3);
				for (unsigned k = 0; k < pkts[i].caplen; k++)
					assert_int_equal(pkts[i].data[k], (uint8_t)(frame + k));
			}
			capture_release(pkts, (unsigned)n);
		}
		assert_int_equal(n, SOURCE_EOF);
		assert_int_equal(frame, 40);
		assert_int_equal(common.n_damage, 0);
		close_all();
	}
	build_free(&b);
}

/* Cut at every byte: all whole packets, and the offset where the first cut record begins. */
static void cut_anywhere(void **state)
{
	(void)state;
	struct build b = {0};
	put_pcap_header(&b, 0xa1b2c3d4, LINKTYPE_ETHERNET);
	for (unsigned k = 0; k < 3; k++) {
		put_pcap_record(&b, k, 0, 20, 20);
		put_data(&b, 0, 20);
	}
	size_t whole = b.len;
	for (size_t len = 1; len <= whole; len++) {
		b.len = len;
		int ret = open_bytes(&b, 0);
		if (len < 24) {
			assert_int_equal(ret, -EINVAL);
			assert_int_equal(why.offset, len < 4 ? 0 : len);
			assert_non_null(strstr(why.reason, len < 4 ? "first bytes" : "cut short"));
		} else {
			struct packet pkts[4];
			size_t frames = (len - 24) / 36, rest = (len - 24) % 36;
			assert_int_equal(ret, 0);
			if (frames != 0)
				assert_int_equal(capture_next(cap, pkts, 4), frames);
			assert_int_equal(capture_next(cap, pkts, 4), SOURCE_EOF);
			assert_int_equal(capture_next(cap, pkts, 4), SOURCE_EOF);
			assert_int_equal(common.n_damage, rest != 0);
			if (rest != 0) {
				assert_int_equal(common.damage[0].offset, 24 + 36 * frames);
				assert_int_equal(common.damage[0].file, 3);
				assert_non_null(strstr(common.damage[0].reason, "cut short"));
			}
		}
		close_all();
	}
	build_free(&b);
}

static void absurd_length(void **state)
{
	(void)state;
	struct build b = {0};
	put_pcap_header(&b, 0xa1b2c3d4, LINKTYPE_ETHERNET);
	put_pcap_record(&b, 1, 0, 4, 4);
	put_data(&b, 0, 4);
	put_pcap_record(&b, 1, 0, 262145, 262145);
	put_data(&b, 0, 262145);
	assert_int_equal(open_bytes(&b, 0), 0);
	struct packet pkts[4];
	assert_int_equal(capture_next(cap, pkts, 4), 1);
	assert_int_equal(capture_next(cap, pkts, 4), SOURCE_EOF);
	assert_int_equal(common.n_damage, 1);
	assert_int_equal(common.damage[0].offset, 44);
	assert_non_null(strstr(common.damage[0].reason, "frame 2 claims 262145"));
	close_all();
	build_free(&b);
}

/* The largest sane record is larger than a window. */
static void large_record(void **state)
{
	(void)state;
	struct build b = {0};
	put_pcap_header(&b, 0xa1b2c3d4, LINKTYPE_ETHERNET);
	for (unsigned k = 0; k < 3; k++) {
		put_pcap_record(&b, k, 0, 262144, 262144);
		put_data(&b, (uint8_t)k, 262144);
		put_pcap_record(&b, k, 0, 1, 1);
		put_data(&b, (uint8_t)k, 1);
	}
	assert_int_equal(open_bytes(&b, 0), 0);
	struct packet pkts[6];
	for (unsigned k = 0; k < 6; k++) {
		pkts[k] = next_one();
		assert_int_equal(pkts[k].caplen, k % 2 != 0 ? 1 : 262144);
	}
	for (unsigned k = 0; k < 6; k++) {
		assert_int_equal(pkts[k].data[0], k / 2);
		assert_int_equal(pkts[k].data[pkts[k].caplen - 1],
				 (uint8_t)(k / 2 + pkts[k].caplen - 1));
	}
	capture_release(pkts, 6);
	close_all();
	build_free(&b);
}

struct lengths {
	uint16_t major, minor;
	uint32_t first, second, caplen, wirelen;
};

/* Order of the two lengths by version, and captured lengths beyond the wire's. */
static void old_versions(void **state)
{
	(void)state;
	static const struct lengths cases[] = {
		{2, 4, 10, 90, 10, 90}, {2, 4, 20, 10, 20, 20},  {2, 2, 90, 10, 10, 90},
		{2, 3, 10, 90, 10, 90}, {2, 3, 90, 10, 10, 90},  {543, 0, 90, 10, 10, 90},
		{7, 9, 10, 90, 10, 90}, {2, 4, 10, UINT32_MAX, 10, UINT32_MAX},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct lengths *l = &cases[i];
		struct build b = {0};
		put32(&b, 0xa1b2c3d4);
		put16(&b, l->major);
		put16(&b, l->minor);
		put_data(&b, 0, 12);
		put32(&b, LINKTYPE_RAW);
		put_pcap_record(&b, 5, 6, l->first, l->second);
		put_data(&b, 0, l->caplen);
		assert_int_equal(open_bytes(&b, 0), 0);
		struct packet pkt = next_one();
		assert_int_equal(pkt.caplen, l->caplen);
		assert_int_equal(pkt.wirelen, l->wirelen);
		assert_int_equal(capture_next(cap, &pkt, 1), SOURCE_EOF);
		assert_int_equal(common.n_damage, 0);
		close_all();
		build_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_magic),   cmocka_unit_test(every_window),
		cmocka_unit_test(cut_anywhere),  cmocka_unit_test(absurd_length),
		cmocka_unit_test(large_record),  cmocka_unit_test(old_versions),
	};
	return cmocka_run_group_tests(tests, build_setup, build_teardown);
}
