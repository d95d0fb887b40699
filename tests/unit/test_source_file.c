/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/source_file.c"

#include <setjmp.h>
#include <cmocka.h>
#include <sys/resource.h>

#include "tests/unit/capture_build.h"

#define S UINT64_C(1000000000)

static struct source *src;
static char err[512];
static char paths[4][96];

static int open_files(unsigned n, bool rotated, const char *bpf)
{
	const char *files[4];
	for (unsigned i = 0; i < n; i++)
		files[i] = paths[i];
	struct source_config cfg = {.files = files, .n_files = n, .rotated = rotated, .bpf = bpf};
	/* The paths outlive the source, the array of them need not. */
	return source_open(&src, NULL, &cfg, err, sizeof(err));
}

static void write_file(unsigned i, const struct build *b)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	build_write(b, build_path(paths[i], sizeof(paths[i]), names[i]));
}

/* An Ethernet frame of IPv4 and UDP to port, 60 octets. */
static void put_udp(struct build *b, uint32_t sec, uint16_t port)
{
	struct build net = {.be = true};
	put_pcap_record(b, sec, 0, 60, 60);
	put_data(&net, 1, 12);
	put16(&net, 0x0800);
	put(&net,
	    "\x45\x00\x00\x2e\x00\x00\x40\x00\x40\x11\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02",
	    20);
	put16(&net, 4000);
	put16(&net, port);
	put16(&net, 26);
	put16(&net, 0);
	put_data(&net, 0, 18);
	put(b, net.p, net.len);
	build_free(&net);
}

static void make_pcap(unsigned file, uint32_t linktype, const uint32_t *secs, unsigned n)
{
	struct build b = {0};
	put_pcap_header(&b, 0xa1b2c3d4, linktype);
	for (unsigned i = 0; i < n; i++)
		put_udp(&b, secs[i], (uint16_t)(50 + i));
	write_file(file, &b);
	build_free(&b);
}

static void refused(void **state)
{
	(void)state;
	struct build b = {0};
	char want[200];
	write_file(0, &b);
	assert_int_equal(open_files(1, false, NULL), -EINVAL);
	snprintf(want, sizeof(want), "%s: offset 0: not a pcap or pcapng capture (it is empty)",
		 paths[0]);
	assert_string_equal(err, want);
	assert_null(src);
	put(&b, "PK\x03\x04zip", 7);
	write_file(0, &b);
	assert_int_equal(open_files(1, false, NULL), -EINVAL);
	snprintf(want, sizeof(want), "%s: offset 0: not a pcap or pcapng capture (first bytes "
		 "50 4b 03 04 7a 69 70)", paths[0]);
	assert_string_equal(err, want);
	build_path(paths[0], sizeof(paths[0]), "missing");
	assert_int_equal(open_files(1, false, NULL), -ENOENT);
	snprintf(want, sizeof(want), "%s: %s", paths[0], strerror(ENOENT));
	assert_string_equal(err, want);
	build_path(paths[0], sizeof(paths[0]), ".");
	assert_int_equal(open_files(1, false, NULL), -EISDIR);
	assert_int_equal(open_files(0, false, NULL), -E2BIG);
	assert_int_equal(open_files(2, false, NULL), -E2BIG);
	assert_int_equal(source_open(&src, "tape", &(struct source_config){0}, err, sizeof(err)),
			 -ENOENT);
	build_free(&b);
}

static void statistics(void **state)
{
	(void)state;
	struct build b = {0};
	struct packet pkts[8];
	struct source_stats st;
	put_pcap_header(&b, 0xa1b2c3d4, LINKTYPE_ETHERNET);
	put_udp(&b, 9, 53);
	put_pcap_record(&b, 10, 0, 10, 99);
	put_data(&b, 0, 10);
	put(&b, "\0\0\0", 3);
	write_file(0, &b);
	assert_int_equal(open_files(1, true, NULL), 0);
	assert_int_equal(source_queues(src), 1);
	assert_int_equal(source_recv(src, 0, pkts, 8), 2);
	assert_true(source_now(src) == 10 * S);
	source_release(src, 0, pkts, 2);
	assert_int_equal(source_recv(src, 0, pkts, 8), SOURCE_EOF);
	assert_int_equal(source_recv(src, 0, pkts, 8), SOURCE_EOF);
	source_stats(src, &st);
	assert_int_equal(st.received, 2);
	assert_int_equal(st.bytes, 70);
	assert_int_equal(st.truncated, 1);
	assert_int_equal(st.file_bytes, b.len);
	assert_int_equal(st.read_bytes, b.len);
	assert_int_equal(st.n_damage, 1);
	assert_int_equal(st.damage[0].offset, b.len - 3);
	assert_int_equal(st.n_ifaces, 1);
	assert_int_equal(st.ifaces[0].packets, 2);
	source_close(src);
	source_close(NULL);
	build_free(&b);
}

struct seen {
	uint32_t file;
	uint64_t frame;
	uint64_t sec;
};

static void expect(const struct seen *want, unsigned n, unsigned batch)
{
	struct packet pkts[8];
	unsigned seen = 0;
	int got;
	while ((got = source_recv(src, 0, pkts, batch)) > 0) {
		for (int i = 0; i < got; i++, seen++) {
			assert_in_range(seen, 0, n - 1);
			assert_int_equal(pkts[i].file, want[seen].file);
			assert_int_equal(pkts[i].frame, want[seen].frame);
			assert_true(pkts[i].ts_ns == want[seen].sec * S);
		}
		source_release(src, 0, pkts, (unsigned)got);
	}
	assert_int_equal(got, SOURCE_EOF);
	assert_int_equal(seen, n);
}

/* Overlapping, given in the wrong order, with equal times and time that goes back in one file. */
static void rotated(void **state)
{
	(void)state;
	static const uint32_t a[] = {50, 60, 70}, b[] = {10, 50, 40, 65}, c[] = {1};
	static const struct seen want[] = {{2, 1, 1},  {1, 1, 10}, {0, 1, 50}, {1, 2, 50},
					   {1, 3, 40}, {0, 2, 60}, {1, 4, 65}, {0, 3, 70}};
	make_pcap(0, LINKTYPE_ETHERNET, a, 3);
	make_pcap(1, LINKTYPE_ETHERNET, b, 4);
	make_pcap(2, LINKTYPE_ETHERNET, c, 1);
	for (unsigned batch = 1; batch <= 8; batch++) {
		struct source_stats st;
		assert_int_equal(open_files(3, true, NULL), 0);
		expect(want, 8, batch);
		source_stats(src, &st);
		assert_int_equal(st.n_ifaces, 3);
		assert_int_equal(st.received, 8);
		assert_int_equal(st.read_bytes, st.file_bytes);
		source_close(src);
	}
}

/* The newest of a rotation is empty, another is cut: the rest is read, and both are told. */
static void rotated_damage(void **state)
{
	(void)state;
	static const uint32_t a[] = {5, 6}, d[] = {1, 9};
	static const struct seen want[] = {{3, 1, 1}, {0, 1, 5}, {0, 2, 6}, {3, 2, 9}};
	struct build b = {0};
	struct source_stats st;
	make_pcap(0, LINKTYPE_ETHERNET, a, 2);
	write_file(1, &b);
	put_pcap_header(&b, 0xa1b2c3d4, LINKTYPE_ETHERNET);
	put_pcap_record(&b, 7, 0, 60, 60);
	write_file(2, &b);
	make_pcap(3, LINKTYPE_ETHERNET, d, 2);
	assert_int_equal(open_files(4, true, NULL), 0);
	expect(want, 4, 3);
	source_stats(src, &st);
	assert_int_equal(st.n_damage, 2);
	assert_int_equal(st.damage[0].file, 1);
	assert_non_null(strstr(st.damage[0].reason, "empty"));
	assert_int_equal(st.damage[1].file, 2);
	assert_int_equal(st.damage[1].offset, 24);
	source_close(src);
	/* None of them is a capture. */
	b.len = 0;
	for (unsigned i = 0; i < 2; i++)
		write_file(i, &b);
	assert_int_equal(open_files(2, true, NULL), -EINVAL);
	build_path(paths[1], sizeof(paths[1]), "missing");
	make_pcap(0, LINKTYPE_ETHERNET, a, 2);
	assert_int_equal(open_files(2, true, NULL), -ENOENT);
	build_free(&b);
}

/* Many files with few descriptors. */
static void rotated_many(void **state)
{
	(void)state;
	enum { FILES = 300 };
	static char names[FILES][96];
	static const char *files[FILES];
	struct rlimit old, low;
	struct build b = {0};
	put_pcap_header(&b, 0xa1b2c3d4, LINKTYPE_ETHERNET);
	put_udp(&b, 0, 53);
	put_udp(&b, 0, 53);
	for (unsigned i = 0; i < FILES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "m%u", i);
		uint32_t first = (i * 7 + 3) % FILES * 10;
		for (unsigned k = 0; k < 4; k++) {
			b.p[24 + k] = (uint8_t)(first >> 8 * k);
			/* Beyond the first time of the next file. */
			b.p[24 + 76 + k] = (uint8_t)((first + 15) >> 8 * k);
		}
		build_write(&b, build_path(names[i], sizeof(names[i]), name));
		files[i] = names[i];
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 32;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	struct source_config cfg = {.files = files, .n_files = FILES, .rotated = true};
	assert_int_equal(source_open(&src, "file", &cfg, err, sizeof(err)), 0);
	struct packet pkts[64];
	struct source_stats st;
	uint64_t last = 0;
	unsigned seen = 0;
	int n;
	while ((n = source_recv(src, 0, pkts, 64)) > 0) {
		for (int i = 0; i < n; i++, seen++) {
			assert_true(pkts[i].ts_ns >= last);
			last = pkts[i].ts_ns;
		}
		source_release(src, 0, pkts, (unsigned)n);
	}
	assert_int_equal(n, SOURCE_EOF);
	assert_int_equal(seen, 2 * FILES);
	source_stats(src, &st);
	assert_int_equal(st.n_damage, 0);
	source_close(src);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (unsigned i = 0; i < FILES; i++)
		unlink(names[i]);
	build_free(&b);
}

static void filters(void **state)
{
	(void)state;
	static const uint32_t secs[] = {1, 2, 3, 4, 5};
	static const struct seen one[] = {{0, 4, 4}};
	static const struct seen all[] = {{0, 1, 1}, {0, 2, 2}, {0, 3, 3}, {0, 4, 4}, {0, 5, 5}};
	struct source_stats st;
	make_pcap(0, LINKTYPE_ETHERNET, secs, 5);
	assert_int_equal(open_files(1, false, "udp dst port 53"), 0);
	expect(one, 1, 2);
	source_stats(src, &st);
	assert_int_equal(st.received, 1);
	assert_int_equal(st.filtered, 4);
	assert_int_equal(st.bytes, 60);
	source_close(src);
	/* Nothing passes: the end comes all the same. */
	assert_int_equal(open_files(1, false, "tcp"), 0);
	expect(NULL, 0, 8);
	source_close(src);
	/* No expression at all. */
	assert_int_equal(open_files(1, false, "udp port port"), -EDOM);
	assert_non_null(strstr(err, "syntax error"));
	/* A link type that libpcap has no code for. */
	make_pcap(0, 4711, secs, 5);
	assert_int_equal(open_files(1, false, "udp port port"), -EDOM);
	assert_int_equal(open_files(1, false, "udp dst port 53"), 0);
	expect(all, 5, 2);
	source_stats(src, &st);
	assert_int_equal(st.unfiltered, 5);
	assert_int_equal(st.filtered, 0);
	source_close(src);
}

/* Closing with packets still out frees all the same. */
static void closed_early(void **state)
{
	(void)state;
	static const uint32_t secs[] = {1, 2, 3};
	struct packet pkts[2];
	make_pcap(0, LINKTYPE_ETHERNET, secs, 3);
	make_pcap(1, LINKTYPE_ETHERNET, secs, 3);
	for (unsigned files = 1; files <= 2; files++) {
		assert_int_equal(open_files(files, true, NULL), 0);
		assert_int_equal(source_recv(src, 0, pkts, 2), 2);
		source_close(src);
	}
}

static void probes(void **state)
{
	(void)state;
	assert_true(file_probe((const uint8_t *)"\xd4\xc3\xb2\xa1", 4));
	assert_true(file_probe((const uint8_t *)"\x0a\x0d\x0d\x0a\0\0\0\x1c\x1a\x2b\x3c\x4d", 12));
	assert_true(file_probe((const uint8_t *)"\x1f\x8b", 2));
	assert_true(file_probe((const uint8_t *)"\x28\xb5\x2f\xfd", 4));
	assert_false(file_probe((const uint8_t *)"GET ", 4));
	assert_false(file_probe((const uint8_t *)"", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),        cmocka_unit_test(statistics),
		cmocka_unit_test(rotated),        cmocka_unit_test(rotated_damage),
		cmocka_unit_test(rotated_many),   cmocka_unit_test(filters),
		cmocka_unit_test(closed_early),   cmocka_unit_test(probes),
	};
	return cmocka_run_group_tests(tests, build_setup, build_teardown);
}
