/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/rewrite.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/rewrite_build.h"

/* Cut anywhere, and padded: nothing is written past what there is, and zeros stay zeros. */
static void cut_short(void **state)
{
	struct rewrite_config cfg = mapping(REWRITE_VARY_PORTS);
	const struct rewrite_macs macs = {.set_dst = true};
	(void)state;

	cfg.truncated = REWRITE_CUT_PAD;
	for (unsigned i = 0; i < 400; i++) {
		struct made m;
		if (i % 2 == 0)
			make(&m, i % 4 == 0 ? 4 : 6, PROTO_TCP);
		else
			make_error(&m, i % 4 == 1 ? 4 : 6, PROTO_UDP, 60);
		for (size_t cut = 1; cut < m.k.n; cut++) {
			uint8_t *bytes = malloc(cut), *out = malloc(m.k.n);
			struct packet pkt = packet_of(&m.k, LINKTYPE_ETHERNET);
			struct frame f = {.data = out, .room = (uint32_t)m.k.n};
			struct rewrite_plan plan;
			memcpy(bytes, m.k.b, cut);
			pkt.data = bytes;
			pkt.caplen = (uint32_t)cut;
			rewrite_plan(&cfg, &pkt, &plan);
			assert_int_equal(plan.end, cut < 14 ? REWRITE_RUNT : REWRITE_OK);
			if (plan.end == REWRITE_OK) {
				rewrite_frame(&cfg, &macs, &pkt, &plan, 2, &f);
				assert_int_equal(f.len, m.k.n);
				for (size_t n = cut; n < m.k.n; n++)
					assert_int_equal(out[n], 0);
			}
			free(bytes);
			free(out);
		}
	}
}

static enum rewrite_end plan_of(const struct build *k, uint32_t linktype,
				const struct rewrite_config *cfg, struct rewrite_plan *plan)
{
	struct packet pkt = packet_of(k, linktype);

	rewrite_plan(cfg, &pkt, plan);
	return plan->end;
}

static void links(void **state)
{
	static const struct {
		uint32_t linktype;
		uint8_t head[20];
		unsigned skip;
		enum rewrite_end end;
		bool src;
	} rows[] = {
		{LINKTYPE_RAW, {0}, 0, REWRITE_OK, false},
		{LINKTYPE_IPV4, {0}, 0, REWRITE_OK, false},
		{LINKTYPE_NULL, {2}, 4, REWRITE_OK, false},
		{LINKTYPE_LOOP, {0, 0, 0, 2}, 4, REWRITE_OK, false},
		{LINKTYPE_LINUX_SLL, {0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0, 8, 0}, 16,
		 REWRITE_OK, true},
		{LINKTYPE_LINUX_SLL, {0, 4, 3, 56, 0, 0, [14] = 8, 0}, 16, REWRITE_NOT_ETHERNET, false},
		{LINKTYPE_LINUX_SLL, {0, 4, 0, 1, 0, 6, [14] = 0, 4}, 16, REWRITE_NOT_ETHERNET, true},
		{LINKTYPE_LINUX_SLL2,
		 {8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0}, 20, REWRITE_OK, true},
		{LINKTYPE_PPP, {0xff, 3, 0, 0x21}, 4, REWRITE_OK, false},
		{LINKTYPE_PPP, {0, 0x21}, 2, REWRITE_OK, false},
		{LINKTYPE_PPP, {0xc0, 0x21}, 2, REWRITE_NOT_ETHERNET, false},
		{LINKTYPE_C_HDLC, {0x0f, 0, 8, 0}, 4, REWRITE_OK, false},
		{LINKTYPE_C_HDLC, {0x0f, 0, 0x80, 0x35}, 4, REWRITE_NOT_ETHERNET, false},
		{147, {0}, 0, REWRITE_NOT_ETHERNET, false},
	};
	const struct rewrite_config cfg = {.vlan = 77};
	const struct rewrite_macs macs = {.set_dst = true, .dst = {2, 3, 4, 5, 6, 7}};
	(void)state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct build k = {.n = 0};
		struct rewrite_plan plan;
		put_bytes(&k, rows[i].head, rows[i].skip);
		put_tcp4(&k);
		size_t ip_len = k.n - rows[i].skip;
		assert_int_equal(plan_of(&k, rows[i].linktype, &cfg, &plan), rows[i].end);
		if (rows[i].end != REWRITE_OK)
			continue;
		struct frame f = {.data = frame_bytes, .room = sizeof(frame_bytes)};
		struct packet pkt = packet_of(&k, rows[i].linktype);
		assert_int_equal(plan.len, 18 + ip_len);
		rewrite_frame(&cfg, &macs, &pkt, &plan, 0, &f);
		assert_memory_equal(f.data, macs.dst, 6);
		assert_int_equal(f.data[6], 2);
		assert_int_equal(f.data[11], rows[i].src ? 9 : 1);
		assert_int_equal(load_be32(f.data + 12), 0x81000000u + 77);
		assert_int_equal(load_be16(f.data + 16), ETHER_IP4);
		assert_memory_equal(f.data + 18, k.b + rows[i].skip, ip_len);
	}
}

static void lengths(void **state)
{
	struct rewrite_config cfg = {.mtu = 1500};
	struct rewrite_plan plan;
	uint8_t bytes[1600] = {[12] = 8};
	struct packet pkt = {.data = bytes, .caplen = 1514, .wirelen = 1514,
			     .linktype = LINKTYPE_ETHERNET};
	(void)state;

	rewrite_plan(&cfg, &pkt, &plan);
	assert_int_equal(plan.end, REWRITE_OK);
	pkt.caplen = pkt.wirelen = 1515;
	rewrite_plan(&cfg, &pkt, &plan);
	assert_int_equal(plan.end, REWRITE_TOO_LONG);
	store_be16(bytes + 12, ETHER_VLAN);
	pkt.caplen = pkt.wirelen = 1518;
	rewrite_plan(&cfg, &pkt, &plan);
	assert_int_equal(plan.end, REWRITE_OK);
	cfg.vlan = 5;
	rewrite_plan(&cfg, &pkt, &plan);
	assert_int_equal(plan.end, REWRITE_TOO_LONG);
	cfg.vlan = 0;
	/* Too long wins: padding would not help it. */
	pkt = (struct packet){.data = bytes, .caplen = 96, .wirelen = 3000,
			      .linktype = LINKTYPE_ETHERNET};
	rewrite_plan(&cfg, &pkt, &plan);
	assert_int_equal(plan.end, REWRITE_TOO_LONG);
	pkt.wirelen = 1000;
	rewrite_plan(&cfg, &pkt, &plan);
	assert_int_equal(plan.end, REWRITE_TRUNCATED);
	pkt.wirelen = UINT32_MAX;
	cfg = (struct rewrite_config){.vlan = 9, .truncated = REWRITE_CUT_PAD};
	rewrite_plan(&cfg, &pkt, &plan);
	assert_int_equal(plan.end, REWRITE_TOO_LONG);
	/* A capture that says less than it has. */
	pkt.wirelen = 0;
	rewrite_plan(&cfg, &pkt, &plan);
	assert_int_equal(plan.end, REWRITE_OK);
	assert_int_equal(plan.len, 100);
}

static void texts(void **state)
{
	static const char *const bad[] = {
		"10.0.0.1", "=", "10.0.0.0/8=10.0.0.0/9", "10.0.0.1=2001:db8::1", "10.0.0.0/33=1.1.1.1/33",
		"10.0.0.1=10.0.0.2=10.0.0.3", "10.0.0.0/=10.0.0.0/", "10.0.0.0/+8=11.0.0.0/+8", "x=y"};
	struct rewrite_map map;
	uint8_t mac[6];
	(void)state;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(rewrite_map_parse(bad[i], &map), -EINVAL);
	assert_int_equal(rewrite_map_parse("10.9.9.9/8=11.1.1.1/8", &map), 0);
	assert_int_equal(map.from.addr.b[13], 0);
	assert_int_equal(map.to.bits, 104);
	assert_int_equal(rewrite_map_parse("::/0=2001:db8::/0", &map), 0);
	assert_int_equal(rewrite_mac_parse("02:aB:00:fF:10:09", mac), 0);
	assert_memory_equal(mac, ((uint8_t[]){2, 0xab, 0, 0xff, 0x10, 9}), 6);
	assert_int_equal(rewrite_mac_parse("02:ab:00:ff:10", mac), -EINVAL);
	assert_int_equal(rewrite_mac_parse("02:ab:00:ff:10:09:", mac), -EINVAL);
	assert_int_equal(rewrite_mac_parse("2:ab:00:ff:10:09", mac), -EINVAL);
	assert_int_equal(rewrite_mac_parse("", mac), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_short),
		cmocka_unit_test(links),
		cmocka_unit_test(lengths),
		cmocka_unit_test(texts),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(backing);
	return failed;
}
