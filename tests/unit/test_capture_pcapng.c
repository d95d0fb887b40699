/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/capture_pcapng.c"

#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/capture_build.h"

#define S UINT64_C(1000000000)

static struct capture_common common;
static struct capture *cap;
static struct source_damage why;

static int open_bytes(const struct build *b, size_t block_size)
{
	char path[96];
	build_write(b, build_path(path, sizeof(path), "a"));
	assert_int_equal(capture_common_init(&common, 1), 0);
	common.pool.block_size = block_size;
	return capture_open(&cap, &common, path, 0, &why);
}

static void close_all(void)
{
	capture_close(cap);
	capture_common_free(&common);
}

static void old_packet(struct build *b, uint16_t iface, uint64_t ts, uint8_t seed, uint32_t caplen)
{
	size_t at = ng_begin(b, 2);
	put16(b, iface);
	put16(b, 7);
	put32(b, (uint32_t)(ts >> 32));
	put32(b, (uint32_t)ts);
	put32(b, caplen);
	put32(b, caplen + 1);
	put_data(b, seed, caplen);
	ng_end(b, at);
}

static void statistics(struct build *b, uint32_t iface, uint64_t ifdrop, uint64_t osdrop)
{
	size_t at = ng_begin(b, 5);
	put32(b, iface);
	put_uint(b, 0, 8);
	for (unsigned k = 0; k < 2; k++) {
		put16(b, k != 0 ? 7 : 5);
		put16(b, 8);
		put_uint(b, k != 0 ? osdrop : ifdrop, 8);
	}
	put32(b, 0);
	ng_end(b, at);
}

static void other(struct build *b, uint32_t type, unsigned body)
{
	size_t at = ng_begin(b, type);
	put_data(b, 0x55, body);
	ng_end(b, at);
}

/* Two sections of opposite byte order with every kind of block. */
static void build_all_blocks(struct build *b)
{
	ng_section(b);
	ng_interface(b, LINKTYPE_ETHERNET, 32, -1, 0);
	other(b, 4, 8);
	ng_interface(b, LINKTYPE_RAW, 0, 9, 0);
	ng_packet(b, 1, 1700000000 * S + 7, 1, 20, 40, "first");
	ng_simple_packet(b, 2, 32, 99);
	other(b, 0x0bad, 8);
	old_packet(b, 0, 1700000000000001, 3, 13);
	statistics(b, 0, 3, 4);
	statistics(b, 0, 5, 6);
	b->be = !b->be;
	ng_section(b);
	other(b, 0x7777, 0);
	ng_interface(b, LINKTYPE_LINUX_SLL, 0, 3, 0);
	ng_simple_packet(b, 4, 10, 10);
	ng_packet(b, 0, 1700000001500, 5, 9, 9, "second");
	ng_packet(b, 0, 1700000001501, 6, 0, 9, NULL);
	b->be = !b->be;
}

static const struct packet expected[] = {
	{.frame = 1, .ts_ns = 1700000000 * S + 7, .caplen = 20, .wirelen = 40, .linktype = 101,
	 .iface = 1, .cookie = 1},
	{.frame = 2, .ts_ns = 1700000000 * S + 7, .caplen = 32, .wirelen = 99, .linktype = 1,
	 .iface = 0, .cookie = 2},
	{.frame = 4, .ts_ns = 1700000000 * S + 1000, .caplen = 13, .wirelen = 14, .linktype = 1,
	 .iface = 0, .cookie = 3},
	{.frame = 5, .ts_ns = 1700000000 * S + 1000, .caplen = 10, .wirelen = 10, .linktype = 113,
	 .iface = 2, .cookie = 4},
	{.frame = 6, .ts_ns = 1700000001 * S + S / 2, .caplen = 9, .wirelen = 9, .linktype = 113,
	 .iface = 2, .cookie = 5},
	{.frame = 7, .ts_ns = 1700000001 * S + S / 2 + 1000000, .caplen = 0, .wirelen = 9,
	 .linktype = 113, .iface = 2, .cookie = 6},
};
#define N_EXPECTED (sizeof(expected) / sizeof(expected[0]))

static void check_packet(const struct packet *got, const struct packet *want)
{
	assert_int_equal(got->frame, want->frame);
	assert_true(got->ts_ns == want->ts_ns);
	assert_int_equal(got->caplen, want->caplen);
	assert_int_equal(got->wirelen, want->wirelen);
	assert_int_equal(got->linktype, want->linktype);
	assert_int_equal(got->iface, want->iface);
	for (unsigned k = 0; k < got->caplen; k++)
		assert_int_equal(got->data[k], (uint8_t)(want->cookie + k));
}

static void all_blocks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * 40; i++) {
		struct build b = {.be = i % 2 != 0};
		build_all_blocks(&b);
		assert_true(pcapng_probe(b.p, b.len));
		assert_int_equal(open_bytes(&b, i < 2 ? 0 : i * 5), 0);
		struct packet pkts[8];
		unsigned seen = 0;
		int n;
		while ((n = capture_next(cap, pkts, 1 + i % 7)) > 0) {
			for (int k = 0; k < n; k++)
				check_packet(&pkts[k], &expected[seen++]);
			capture_release(pkts, (unsigned)n);
		}
		assert_int_equal(n, SOURCE_EOF);
		assert_int_equal(seen, N_EXPECTED);
		assert_int_equal(common.n_damage, 0);
		assert_int_equal(common.ignored_blocks, 2);
		assert_int_equal(common.comments, 2);
		assert_int_equal(common.n_kept, 2);
		assert_string_equal(common.kept[0].text, "first");
		assert_int_equal(common.kept[0].frame, 1);
		assert_string_equal(common.kept[1].text, "second");
		assert_int_equal(common.kept[1].frame, 6);
		assert_int_equal(common.n_ifaces, 3);
		assert_int_equal(common.ifaces[0].packets, 2);
		assert_int_equal(common.ifaces[0].dropped, 11);
		assert_string_equal(common.ifaces[0].name, "eth7");
		assert_true(common.ifaces[1].dropped == UINT64_MAX);
		assert_int_equal(common.ifaces[2].packets, 3);
		close_all();
		build_free(&b);
	}
}

struct clock {
	int tsresol;
	int64_t tsoffset;
	uint64_t units, ns;
};

static void resolutions(void **state)
{
	(void)state;
	static const struct clock cases[] = {
		{-1, 0, 1700000000123456, 1700000000123456000},
		{6, 0, 1, 1000},
		{0, 0, 1700000000, 1700000000 * S},
		{9, 0, 1700000000123456789, 1700000000123456789},
		{9, 0, UINT64_MAX, INT64_MAX},
		{12, 0, 1999, 1},
		{12, 0, UINT64_MAX, UINT64_C(18446744073709551)},
		{28, 0, UINT64_MAX, 1},
		{29, 0, UINT64_MAX, 0},
		{127, 0, UINT64_MAX, 0},
		{0x80, 0, 5, 5 * S},
		{0x80 | 10, 0, 1024 + 512, S + S / 2},
		{0x80 | 32, 0, UINT64_C(1700000000) << 32 | 0x80000000, 1700000000 * S + S / 2},
		{0x80 | 64, 0, UINT64_MAX, S - 1},
		{0x80 | 127, 0, UINT64_MAX, 0},
		{0, 0, UINT64_MAX, INT64_MAX},
		{6, 1700000000, 5, 1700000000 * S + 5000},
		{6, -1, 2000000, S},
		{6, -1, 999999, 0},
		{6, INT64_MIN, UINT64_MAX, 0},
		{6, INT64_MAX, 0, INT64_MAX},
	};
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const struct clock *t = &cases[i / 2];
		struct build b = {.be = i % 2 != 0};
		struct packet pkt;
		ng_section(&b);
		ng_interface(&b, LINKTYPE_ETHERNET, 0, t->tsresol, t->tsoffset);
		ng_packet(&b, 0, t->units, 0, 4, 4, NULL);
		assert_int_equal(open_bytes(&b, 0), 0);
		assert_int_equal(capture_next(cap, &pkt, 1), 1);
		if (pkt.ts_ns != t->ns)
			fail_msg("case %u: %llu ns", i / 2, (unsigned long long)pkt.ts_ns);
		close_all();
		build_free(&b);
	}
}

/* Each writes one bad block after a good packet. */
static void bad_trailer(struct build *b)
{
	ng_packet(b, 0, 1, 0, 8, 8, NULL);
	b->p[b->len - (b->be ? 1 : 4)] ^= 4;
}

static void bad_short(struct build *b)
{
	put32(b, 6);
	put32(b, 8);
	put32(b, 8);
}

static void bad_odd(struct build *b)
{
	put32(b, 0x1234);
	put32(b, 13);
	put_data(b, 0, 12);
}

static void bad_huge(struct build *b)
{
	put32(b, 0x1234);
	put32(b, 0x40000000);
	put_data(b, 0, 64);
}

static void bad_cut(struct build *b)
{
	ng_packet(b, 0, 1, 0, 8, 8, NULL);
	b->len -= 3;
}

static void bad_iface(struct build *b)
{
	ng_packet(b, 1, 1, 0, 8, 8, NULL);
}

static void bad_caplen(struct build *b)
{
	size_t at = b->len;
	ng_packet(b, 0, 1, 0, 8, 8, NULL);
	b->p[at + 20 + (b->be ? 3 : 0)] = 9;
}

static void bad_packet(struct build *b)
{
	other(b, 6, 16);
}

static void bad_simple(struct build *b)
{
	ng_simple_packet(b, 0, 4, 40);
}

static void bad_idb(struct build *b)
{
	other(b, 1, 4);
}

static void bad_order(struct build *b)
{
	ng_section(b);
	b->p[b->len - 20] ^= 1;
}

static void bad_version(struct build *b)
{
	ng_section(b);
	b->p[b->len - 16 + b->be] = 2;
}

struct damage_case {
	void (*make)(struct build *b);
	const char *says;
};

static const struct damage_case damages[] = {
	{bad_trailer, "begins with length 40 and ends with 44"},
	{bad_short, "type 0x00000006 claims a length of 8"},
	{bad_odd, "claims a length of 13"},
	{bad_huge, "claims a length of 1073741824"},
	{bad_cut, "cut short: 37 of 40"},
	{bad_iface, "frame 2 is of interface 1"},
	{bad_caplen, "frame 2 claims 9 captured bytes"},
	{bad_packet, "packet block that is too short"},
	{bad_simple, "frame 2 claims 40 captured bytes"},
	{bad_idb, "description that is too short"},
	{bad_order, "byte-order magic"},
	{bad_version, "version 2.0"},
};

static void damaged_blocks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(damages) / sizeof(damages[0]); i++) {
		struct build b = {.be = i % 2 != 0};
		ng_section(&b);
		ng_interface(&b, LINKTYPE_ETHERNET, 0, -1, 0);
		ng_packet(&b, 0, 1, 0, 8, 8, NULL);
		size_t at = b.len;
		damages[i / 2].make(&b);
		if (damages[i / 2].make != bad_cut)
			ng_packet(&b, 0, 1, 0, 8, 8, NULL);
		assert_int_equal(open_bytes(&b, 0), 0);
		struct packet pkts[8];
		assert_int_equal(capture_next(cap, pkts, 8), 1);
		assert_int_equal(capture_next(cap, pkts, 8), SOURCE_EOF);
		assert_int_equal(common.n_damage, 1);
		assert_int_equal(common.damage[0].offset, at);
		if (strstr(common.damage[0].reason, damages[i / 2].says) == NULL)
			fail_msg("case %u: %s", i / 2, common.damage[0].reason);
		assert_int_equal(common.ifaces[0].packets, 1);
		close_all();
		build_free(&b);
	}
}

/* Without a whole section header there is no capture, rather than a damaged one. */
static void no_section(void **state)
{
	(void)state;
	struct build b = {0};
	ng_section(&b);
	b.len -= 4;
	assert_int_equal(open_bytes(&b, 0), -EINVAL);
	assert_non_null(strstr(why.reason, "cut short"));
	assert_int_equal(common.n_damage, 0);
	close_all();
	b.len += 4;
	b.p[12] = 9;
	assert_int_equal(open_bytes(&b, 0), -EINVAL);
	assert_non_null(strstr(why.reason, "version 9.0"));
	close_all();
	b.p[12] = 1;
	/* Sections and nothing in them are a capture of no packets. */
	assert_int_equal(open_bytes(&b, 0), 0);
	struct packet pkt;
	assert_int_equal(capture_next(cap, &pkt, 1), SOURCE_EOF);
	assert_int_equal(common.n_damage, 0);
	close_all();
	build_free(&b);
}

/* A packet before any interface is damage; so is a simple one. */
static void undeclared(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct build b = {0};
		struct packet pkt;
		ng_section(&b);
		if (i == 0)
			ng_simple_packet(&b, 0, 4, 4);
		else
			ng_packet(&b, 0, 0, 0, 4, 4, NULL);
		assert_int_equal(open_bytes(&b, 0), 0);
		assert_int_equal(capture_next(cap, &pkt, 1), SOURCE_EOF);
		assert_int_equal(common.n_damage, 1);
		assert_int_equal(common.damage[0].offset, 28);
		close_all();
		build_free(&b);
	}
}

/* Options that overrun their block, lengths that no option has, a name of 300 bytes. */
static void hostile_options(void **state)
{
	(void)state;
	struct build b = {0};
	char name[301];
	memset(name, 'n', 300);
	ng_section(&b);
	size_t at = ng_begin(&b, 1);
	put32(&b, LINKTYPE_ETHERNET);
	put32(&b, 0);
	ng_option(&b, 2, name, 300);
	ng_option(&b, 9, "\x09\x09", 2);
	ng_option(&b, 14, "\x09", 1);
	put16(&b, 9);
	put16(&b, 60000);
	ng_end(&b, at);
	at = ng_begin(&b, 6);
	put32(&b, 0);
	put32(&b, 0);
	put32(&b, 5);
	put32(&b, 1);
	put32(&b, 1);
	put32(&b, 0xaa);
	ng_option(&b, 1, "kept", 4);
	put16(&b, 1);
	put16(&b, 9);
	put32(&b, 0);
	ng_end(&b, at);
	assert_int_equal(open_bytes(&b, 0), 0);
	struct packet pkt;
	assert_int_equal(capture_next(cap, &pkt, 1), 1);
	assert_true(pkt.ts_ns == 5000);
	assert_int_equal(strlen(common.ifaces[0].name), 31);
	assert_int_equal(common.comments, 1);
	assert_string_equal(common.kept[0].text, "kept");
	assert_int_equal(capture_next(cap, &pkt, 1), SOURCE_EOF);
	assert_int_equal(common.n_damage, 0);
	close_all();
	build_free(&b);
}

/* More comments than are kept: counted all the same, and the store stays in its bounds. */
static void many_comments(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct build b = {0};
		char text[1001];
		memset(text, 'c', 1000);
		text[i == 0 ? 1000 : 1] = 0;
		ng_section(&b);
		ng_interface(&b, LINKTYPE_ETHERNET, 0, -1, 0);
		for (unsigned k = 0; k < 1500; k++)
			ng_packet(&b, 0, k, 0, 4, 4, text);
		assert_int_equal(open_bytes(&b, 0), 0);
		struct packet pkts[8];
		int n;
		while ((n = capture_next(cap, pkts, 8)) > 0)
			capture_release(pkts, (unsigned)n);
		assert_int_equal(common.comments, 1500);
		assert_int_equal(common.n_kept, i == 0 ? 65 : COMMENTS_MAX);
		assert_string_equal(common.kept[64].text, text);
		close_all();
		build_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_blocks),     cmocka_unit_test(resolutions),
		cmocka_unit_test(damaged_blocks), cmocka_unit_test(no_section),
		cmocka_unit_test(undeclared),     cmocka_unit_test(hostile_options),
		cmocka_unit_test(many_comments),
	};
	return cmocka_run_group_tests(tests, build_setup, build_teardown);
}
