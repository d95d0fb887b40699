/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/rewrite.c"
#include "dataplane/rewrite_ip.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/packet_build.h"

static uint32_t dice_state = 1;
static uint32_t dice(uint32_t n)
{
	dice_state = dice_state * 1664525 + 1013904223;
	return (dice_state >> 8) % n;
}

/* RFC 1071, the slow way. */
static uint32_t sum_words(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i++)
		s += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	return s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static uint32_t pseudo(const uint8_t *ip, uint8_t proto, size_t len)
{
	bool v4 = ip[0] >> 4 == 4;

	return sum_words(ip + (v4 ? 12 : 8), v4 ? 8 : 32) + proto + (uint32_t)len;
}

/* How far a checksum of what starts at p is off, as a number modulo 65,535; `field` is within. */
static uint16_t deficit(uint32_t seed, const uint8_t *p, size_t n)
{
	return (uint16_t)(fold(seed + sum_words(p, n)) % 0xffff);
}

/* What the field must hold, exactly. */
static uint16_t right_sum(uint32_t seed, const uint8_t *p, size_t n, size_t field)
{
	return (uint16_t)~fold(seed + sum_words(p, n) - load_be16(p + field));
}

/* Packets whose sums are right; the layout is kept beside them. */
struct made {
	struct build k;
	size_t ip, l4, l4_len, sum; /* sum: offset of the transport's field from l4 */
	uint8_t proto;
	unsigned version;
	size_t quote;               /* of an ICMP error: where the quoted IP header is */
};

static void put_random(struct build *k, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(k, 1, dice(256));
}

static void put_addresses(struct build *k, unsigned version)
{
	/* Few values, so that maps meet them. */
	for (unsigned i = 0; i < 2; i++) {
		if (version == 4)
			put(k, 4, 0x0a000000u + (dice(4) << 16) + dice(8));
		else
			put(k, 8, 0x20010db800000000u), put(k, 8, dice(8));
	}
}

static size_t put_header(struct build *k, unsigned version, uint8_t proto, size_t len,
			 uint16_t fragment)
{
	size_t at = k->n;

	if (version == 4) {
		put(k, 4, 0x45000000u | (uint32_t)(20 + len));
		put(k, 2, dice(65536));
		put(k, 2, fragment);
		put(k, 2, 64 << 8 | proto);
		put(k, 2, 0);
		put_addresses(k, 4);
		store_be16(k->b + at + 10, right_sum(0, k->b + at, 20, 10));
	} else {
		put(k, 4, 0x60000000);
		put(k, 2, len);
		put(k, 2, (uint16_t)(proto << 8 | 64));
		put_addresses(k, 6);
	}
	return at;
}

static void put_transport(struct made *m, uint8_t proto, size_t payload)
{
	struct build *k = &m->k;

	m->proto = proto;
	m->l4 = k->n;
	put(k, 2, 30000 + dice(30000));
	put(k, 2, dice(2) ? 443 : 30000 + dice(30000));
	if (proto == PROTO_TCP) {
		put_random(k, 8);
		put(k, 2, 0x5018);
		put(k, 6, 0x200000000000);
		m->sum = 16;
	} else {
		put(k, 2, 8 + payload);
		put(k, 2, 0);
		m->sum = 6;
	}
	put_random(k, payload);
	m->l4_len = k->n - m->l4;
	const uint8_t *ip = k->b + m->ip;
	store_be16(k->b + m->l4 + m->sum, right_sum(pseudo(ip, proto, m->l4_len), k->b + m->l4,
						    m->l4_len, m->sum));
	if (proto == PROTO_UDP && load_be16(k->b + m->l4 + m->sum) == 0)
		store_be16(k->b + m->l4 + m->sum, 0xffff);
}

static void make(struct made *m, unsigned version, uint8_t proto)
{
	size_t payload = dice(40), header = proto == PROTO_TCP ? 20 : 8;

	memset(m, 0, sizeof(*m));
	m->version = version;
	put_ether(&m->k, ETHER_VLAN);
	m->k.n -= 2;
	if (dice(3) == 0)
		put(&m->k, 4, 0x81000064);
	put(&m->k, 2, version == 4 ? ETHER_IP4 : ETHER_IP6);
	m->ip = put_header(&m->k, version, proto, header + payload, 0);
	put_transport(m, proto, payload);
}

/* An error about a packet of which `quoted` bytes from its ports on came back. */
static void make_error(struct made *m, unsigned version, uint8_t proto, size_t quoted)
{
	struct made about;
	make(&about, version, proto);
	size_t ip_len = about.l4 - about.ip;
	if (quoted > about.l4_len)
		quoted = about.l4_len;

	memset(m, 0, sizeof(*m));
	m->version = version;
	put_ether(&m->k, version == 4 ? ETHER_IP4 : ETHER_IP6);
	m->proto = version == 4 ? PROTO_ICMP : PROTO_ICMP6;
	m->ip = put_header(&m->k, version, m->proto, 8 + ip_len + quoted, 0);
	m->l4 = m->k.n;
	put(&m->k, 8, version == 4 ? 0x0301000000000000 : 0x0104000000000000);
	m->quote = m->k.n;
	put_bytes(&m->k, about.k.b + about.ip, ip_len + quoted);
	m->l4_len = m->k.n - m->l4;
	m->sum = 2;
	uint32_t seed = version == 6 ? pseudo(m->k.b + m->ip, m->proto, m->l4_len) : 0;
	store_be16(m->k.b + m->l4 + 2, right_sum(seed, m->k.b + m->l4, m->l4_len, 2));
}

static uint16_t transport_deficit(const struct made *m, const uint8_t *b)
{
	bool plain = m->proto == PROTO_ICMP;

	return deficit(plain ? 0 : pseudo(b + m->ip, m->proto, m->l4_len), b + m->l4, m->l4_len);
}

static uint8_t frame_bytes[2048];

/* The frame that goes out, with nothing in front of what came. */
static uint8_t *sent(const struct rewrite_config *cfg, const struct made *m, uint64_t loop)
{
	const struct rewrite_macs macs = {.set_src = false};
	struct frame f = {.data = frame_bytes, .room = sizeof(frame_bytes)};
	struct packet pkt = packet_of(&m->k, LINKTYPE_ETHERNET);
	struct rewrite_plan plan;

	rewrite_plan(cfg, &pkt, &plan);
	assert_int_equal(plan.end, REWRITE_OK);
	assert_int_equal(plan.len, m->k.n);
	rewrite_frame(cfg, &macs, &pkt, &plan, loop, &f);
	assert_int_equal(f.len, m->k.n);
	return frame_bytes;
}

static struct rewrite_config mapping(enum rewrite_vary vary)
{
	struct rewrite_config cfg = {.vary = vary, .n_maps = 4};

	assert_int_equal(rewrite_map_parse("10.1.0.0/16=192.168.0.0/16", &cfg.maps[0]), 0);
	assert_int_equal(rewrite_map_parse("10.2.0.3=203.0.113.9", &cfg.maps[1]), 0);
	assert_int_equal(rewrite_map_parse("2001:db8::4/126=2001:db8:ffff::/126", &cfg.maps[2]), 0);
	assert_int_equal(rewrite_map_parse("2001:db8::1=fd00::ffff", &cfg.maps[3]), 0);
	return cfg;
}

/* Right sums come out exactly as computed anew; wrong ones are wrong by as much as before. */
static void sums_follow(void **state)
{
	unsigned changed = 0;
	(void)state;

	for (unsigned i = 0; i < 4000; i++) {
		struct rewrite_config cfg = mapping((enum rewrite_vary)dice(3));
		unsigned version = dice(2) ? 4 : 6;
		uint8_t proto = dice(2) ? PROTO_TCP : PROTO_UDP;
		bool error = dice(4) == 0, wrong = dice(3) == 0;
		uint64_t loop = dice(3) == 0 ? dice(70000) : dice(4);
		struct made m;

		if (error)
			make_error(&m, version, proto, dice(30));
		else
			make(&m, version, proto);
		uint8_t *field = m.k.b + m.l4 + m.sum;
		if (wrong) {
			store_be16(field, (uint16_t)(load_be16(field) + 1 + dice(65533)));
			if (proto == PROTO_UDP && !error && load_be16(field) == 0)
				continue;
		}
		uint16_t before = transport_deficit(&m, m.k.b);
		assert_int_equal(before != 0, wrong);
		uint8_t *b = sent(&cfg, &m, loop);
		changed += memcmp(b, m.k.b, m.k.n) != 0;
		assert_int_equal(transport_deficit(&m, b), before);
		if (version == 4)
			assert_int_equal(load_be16(b + m.ip + 10), right_sum(0, b + m.ip, 20, 10));
		if (wrong)
			continue;
		uint32_t seed = m.proto == PROTO_ICMP ? 0 : pseudo(b + m.ip, m.proto, m.l4_len);
		uint16_t want = right_sum(seed, b + m.l4, m.l4_len, m.sum);
		if (m.proto == PROTO_UDP && want == 0)
			want = 0xffff;
		assert_int_equal(load_be16(b + m.l4 + m.sum), want);
	}
	assert_in_range(changed, 2000, 4000);
}

/* What an error quotes is what the sender of the quoted packet will look for. */
static void errors_quote_what_was_sent(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct rewrite_config cfg = mapping(REWRITE_VARY_PORTS);
		unsigned version = dice(2) ? 4 : 6;
		struct made about, m;
		uint32_t seed = dice_state;

		make_error(&m, version, PROTO_TCP, 100);
		dice_state = seed; /* the same packet again */
		make(&about, version, PROTO_TCP);
		uint8_t *b = sent(&cfg, &about, 3);
		uint8_t quoted[512];
		memcpy(quoted, b + about.ip, about.k.n - about.ip);
		b = sent(&cfg, &m, 3);
		assert_memory_equal(b + m.quote, quoted, m.k.n - m.quote);
	}
}

/* Two fragments rewritten apart make the datagram that is right as a whole. */
static void fragments(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		struct rewrite_config cfg = mapping(dice(2) ? REWRITE_VARY_PORTS
							    : REWRITE_VARY_ADDRESSES);
		struct made m, part[2];
		uint8_t whole[256];
		make(&m, 4, PROTO_UDP);
		size_t n = m.l4_len, first = 8;
		for (unsigned p = 0; p < 2; p++) {
			part[p] = m;
			uint8_t *ip = part[p].k.b + m.ip;
			size_t len = p == 0 ? first : n - first;
			memmove(part[p].k.b + m.l4, m.k.b + m.l4 + (p == 0 ? 0 : first), len);
			part[p].k.n = m.l4 + len;
			store_be16(ip + 2, (uint16_t)(20 + len));
			store_be16(ip + 6, p == 0 ? 0x2000 : (uint16_t)(first / 8));
			store_be16(ip + 10, right_sum(0, ip, 20, 10));
			uint8_t *b = sent(&cfg, &part[p], 9);
			memcpy(whole + (p == 0 ? 0 : first), b + m.l4, len);
			assert_int_equal(deficit(0, b + m.ip, 20), 0);
		}
		uint32_t seed = pseudo(frame_bytes + m.ip, PROTO_UDP, n);
		assert_int_equal(deficit(seed, whole, n), 0);
	}
}

static void udp_without_a_sum_stays_without(void **state)
{
	struct rewrite_config cfg = mapping(REWRITE_VARY_PORTS);
	struct made m;
	(void)state;

	for (unsigned i = 0; i < 100; i++) {
		make(&m, 4, PROTO_UDP);
		store_be16(m.k.b + m.l4 + 6, 0);
		assert_int_equal(load_be16(sent(&cfg, &m, 5) + m.l4 + 6), 0);
	}
}

/* RFC 768: a sum that comes to nothing is written as all ones. */
static void udp_sum_of_nothing(void **state)
{
	struct rewrite_config cfg = mapping(REWRITE_VARY_ADDRESSES);
	struct made m;
	(void)state;

	for (unsigned i = 0; i < 50; i++) {
		do
			make(&m, dice(2) ? 4 : 6, PROTO_UDP);
		while (m.l4_len < 10);
		uint8_t *sum = m.k.b + m.l4 + 6, *word = m.k.b + m.l4 + 8;
		uint16_t after = load_be16(sent(&cfg, &m, 3) + m.l4 + 6), before = load_be16(sum);
		store_be16(word, fold((uint32_t)load_be16(word) + after));
		store_be16(sum, fold((uint32_t)before + (uint16_t)~after));
		if (load_be16(sum) == 0 || after == 0xffff)
			continue;
		assert_int_equal(transport_deficit(&m, m.k.b), 0);
		assert_int_equal(load_be16(sent(&cfg, &m, 3) + m.l4 + 6), 0xffff);
	}
}

/* RFC 8200 section 8.1: with a routing header the sum is about the last destination. */
static void routing_header(void **state)
{
	static const uint8_t routing[24] = {PROTO_TCP, 2, 4, 1, [8] = 0x20, 0x01, 0x0d, 0xb8, [23] = 9};
	struct rewrite_config cfg = {.n_maps = 1};
	(void)state;

	assert_int_equal(rewrite_map_parse("2001:db8::/64=2001:db8:5::/64", &cfg.maps[0]), 0);
	for (unsigned segments_left = 0; segments_left < 2; segments_left++) {
		struct made m;
		make(&m, 6, PROTO_TCP);
		memmove(m.k.b + m.l4 + 24, m.k.b + m.l4, m.l4_len);
		memcpy(m.k.b + m.l4, routing, sizeof(routing));
		m.k.b[m.l4 + 3] = (uint8_t)segments_left;
		m.k.b[m.ip + 6] = PROTO_ROUTING;
		m.k.b[m.ip + 8] = 0xfd; /* a source that is not mapped */
		store_be16(m.k.b + m.ip + 4, (uint16_t)(m.l4_len + 24));
		m.k.n += 24;
		size_t sum = m.l4 + 24 + 16;
		uint8_t *b = sent(&cfg, &m, 0);
		assert_int_equal(b[m.ip + 24 + 5], 5);
		if (segments_left == 1)
			assert_memory_equal(b + sum, m.k.b + sum, 2);
		else
			assert_int_equal(load_be16(b + sum), updated(load_be16(m.k.b + sum), 0, 5));
	}
}

/* In each loop other flows: no two of 65,536, or 64,512, are the same. */
static void loops_differ(void **state)
{
	static uint8_t seen[65536];
	struct rewrite_config cfg = {.vary = REWRITE_VARY_ADDRESSES};
	struct made m;
	(void)state;

	make(&m, 4, PROTO_TCP);
	memset(seen, 0, sizeof(seen));
	for (uint64_t loop = 0; loop < 65536; loop++) {
		uint8_t *b = sent(&cfg, &m, loop) + m.ip;
		assert_int_equal(b[12], 10);
		assert_int_equal(b[15], m.k.b[m.ip + 15]);
		uint8_t *mark = &seen[load_be16(b + 13)];
		assert_int_equal(*mark, 0);
		*mark = 1;
	}
	cfg.vary = REWRITE_VARY_PORTS;
	memset(seen, 0, sizeof(seen));
	store_be16(m.k.b + m.l4, 1024);
	store_be16(m.k.b + m.l4 + 2, 443);
	for (uint64_t loop = 0; loop < PORTS; loop++) {
		uint8_t *b = sent(&cfg, &m, loop) + m.l4;
		assert_int_equal(load_be16(b + 2), 443);
		assert_in_range(load_be16(b), 1024, 65535);
		uint8_t *mark = &seen[load_be16(b)];
		assert_int_equal(*mark, 0);
		*mark = 1;
	}
	assert_memory_equal(sent(&cfg, &m, PORTS) + m.l4, m.k.b + m.l4, 20);
	/* The first loop is the capture as it is. */
	assert_memory_equal(sent(&cfg, &m, 0), m.k.b, m.k.n);
}

/* Both directions of a flow are of the same flow afterwards. */
static void directions_agree(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct rewrite_config cfg = mapping((enum rewrite_vary)dice(3));
		uint64_t loop = dice(100);
		unsigned version = dice(2) ? 4 : 6, n = version == 4 ? 4 : 16;
		struct made m, back;
		uint8_t there[80];

		make(&m, version, PROTO_TCP);
		back = m;
		uint8_t *a = back.k.b + m.ip + (version == 4 ? 12 : 8), *p = back.k.b + m.l4;
		uint8_t was[36];
		memcpy(was, a, 2 * n);
		memcpy(a, was + n, n);
		memcpy(a + n, was, n);
		memcpy(was, p, 4);
		memcpy(p, was + 2, 2);
		memcpy(p + 2, was, 2);
		memcpy(there, sent(&cfg, &m, loop) + m.ip, m.l4 - m.ip + 4);
		uint8_t *b = sent(&cfg, &back, loop) + m.ip;
		size_t at = version == 4 ? 12 : 8, l4 = m.l4 - m.ip;
		assert_memory_equal(there + at, b + at + n, n);
		assert_memory_equal(there + at + n, b + at, n);
		assert_memory_equal(there + l4, b + l4 + 2, 2);
		assert_memory_equal(there + l4 + 2, b + l4, 2);
	}
}

static void special_addresses_stay(void **state)
{
	static const uint32_t kept[] = {0xe0000001, 0xffffffff, 0x7f000001, 0, 0xa9fe0101};
	struct rewrite_config cfg = {.vary = REWRITE_VARY_ADDRESSES};
	(void)state;

	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct made m;
		make(&m, 4, PROTO_UDP);
		for (unsigned n = 0; n < 4; n++)
			m.k.b[m.ip + 16 + n] = (uint8_t)(kept[i] >> (24 - 8 * n));
		assert_memory_equal(sent(&cfg, &m, 7) + m.ip + 16, m.k.b + m.ip + 16, 4);
	}
}

static void arp(void **state)
{
	struct rewrite_config cfg = mapping(REWRITE_VARY_NONE);
	struct made m = {.ip = 14};
	(void)state;

	put_ether(&m.k, ETHER_ARP);
	put(&m.k, 8, 0x0001080006040001);
	put(&m.k, 6, 0x020000000001);
	put(&m.k, 4, 0x0a010203);
	put(&m.k, 6, 0);
	put(&m.k, 4, 0x0a020003);
	uint8_t *b = sent(&cfg, &m, 0);
	assert_int_equal(load_be32(b + 28), 0xc0a80203);
	assert_int_equal(load_be32(b + 38), 0xcb007109);
}

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
		cmocka_unit_test(sums_follow),
		cmocka_unit_test(errors_quote_what_was_sent),
		cmocka_unit_test(fragments),
		cmocka_unit_test(udp_without_a_sum_stays_without),
		cmocka_unit_test(udp_sum_of_nothing),
		cmocka_unit_test(routing_header),
		cmocka_unit_test(loops_differ),
		cmocka_unit_test(directions_agree),
		cmocka_unit_test(special_addresses_stay),
		cmocka_unit_test(arp),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(links),
		cmocka_unit_test(lengths),
		cmocka_unit_test(texts),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(backing);
	return failed;
}
