/* SPDX-License-Identifier: BSD-3-Clause */

/* Resets by tsg.h's relation: what they say of the client once its address is another. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/privacy/relation.c"

/* CenTrace's test data of 222.138.4.221, archive.org: IP-ID, window, TTL. */
static const struct tsg_stamp published[] = {
	{.ip_id = 0xb90b, .window = 1503, .ttl = 128},
	{.ip_id = 0xb2d4, .window = 1541, .ttl = 166},
	{.ip_id = 0xb68d, .window = 1549, .ttl = 174},
	{.ip_id = 0xb36f, .window = 1558, .ttl = 183},
	{.ip_id = 0xb28f, .window = 1576, .ttl = 201},
	{.ip_id = 0xb323, .window = 1596, .ttl = 221},
};
#define N (sizeof(published) / sizeof(published[0]))

static struct ip_addr ip4(const char *text)
{
	struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff}};
	assert_int_equal(inet_pton(AF_INET, text, a.b + 12), 1);
	return a;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t r = a % b;
		a = b;
		b = r;
	}
	return a;
}

/*
 * What an observer does: each reset gives sip modulo its window, and together they leave one
 * address. Returns 0 if they contradict each other.
 */
static uint32_t solve(const struct tsg_stamp s[], unsigned n, uint32_t dip, uint32_t seed,
		      uint32_t m)
{
	uint64_t x = 0, lcm = 1;
	for (unsigned i = 0; i < n; i++) {
		uint32_t val = s[i].window - dip % seed;
		uint32_t rest = (uint16_t)(s[i].ip_id - (m - val * seed));
		unsigned steps = 0;
		for (; x % s[i].window != rest && lcm >> 32 == 0 && steps < s[i].window; steps++)
			x += lcm;
		if (x % s[i].window != rest)
			return 0;
		/* From here on the others only confirm it. */
		if (lcm >> 32 == 0)
			lcm = lcm / gcd(lcm, s[i].window) * s[i].window;
	}
	assert_true(lcm >> 32 != 0);
	return x >> 32 == 0 ? (uint32_t)x : 0;
}

static const struct {
	const char *client, *server;
} shown[] = {
	{"93.7.200.18", "222.138.4.221"},
	{"1.2.3.4", "222.138.4.221"},
	{"223.255.255.254", "222.138.4.221"},
	{"93.7.200.18", "17.99.0.3"}, /* a server that is a client elsewhere */
};

static void test_published(void **state)
{
	(void)state;
	struct relation r = {.src = ip4("222.138.4.221"), .dst = ip4("141.212.123.145")};
	assert_int_equal(solve(published, N, tsg_addr(&r.src), 13, 65535), tsg_addr(&r.dst));
	for (unsigned k = 0; k < sizeof(shown) / sizeof(shown[0]); k++) {
		struct tsg_stamp s[N];
		r.as_src = ip4(shown[k].server);
		r.as_dst = ip4(shown[k].client);
		for (unsigned i = 0; i < N; i++) {
			uint32_t val;
			int hops;
			s[i] = published[i];
			assert_true(relation_apply(&r, &s[i]));
			assert_true(tsg_fits(tsg_addr(&r.as_dst), tsg_addr(&r.as_src), &s[i], 13,
					     &hops, &val));
			assert_int_equal(hops, 16);
		}
		assert_int_equal(solve(s, N, tsg_addr(&r.as_src), 13, 65535), tsg_addr(&r.as_dst));
	}
}

/* Towards the server either orientation is possible. */
static void test_orientations(void **state)
{
	(void)state;
	struct ip_addr server = ip4("222.138.4.221"), client = ip4("141.212.123.145");
	struct relation r = {
		.src = client, .dst = server, .as_src = ip4("93.7.200.18"), .as_dst = server};
	struct tsg_stamp s = published[0];
	uint32_t val;
	int hops;
	assert_true(relation_apply(&r, &s));
	assert_true(tsg_fits(tsg_addr(&r.as_src), tsg_addr(&server), &s, 13, &hops, &val));
}

/* A seed that only several resets together show. */
static void test_seed(void **state)
{
	(void)state;
	struct ip_addr server = ip4("203.0.113.10"), client = ip4("192.0.2.77");
	struct relation r = {.src = server,
			     .dst = client,
			     .as_src = server,
			     .as_dst = ip4("93.7.200.18"),
			     .seed = {29}};
	struct tsg_stamp s[5];
	for (unsigned i = 0; i < 5; i++) {
		uint32_t val = 1900 + 7 * i * i;
		s[i].window = (uint16_t)(val + tsg_addr(&server) % 29);
		s[i].ip_id = (uint16_t)(60000 - val * 29 + tsg_addr(&client) % s[i].window);
		s[i].ttl = 99;
	}
	assert_int_equal(tsg_seed(tsg_addr(&client), tsg_addr(&server), s, 5), 29);
	for (unsigned i = 0; i < 5; i++)
		assert_true(relation_apply(&r, &s[i]));
	assert_int_equal(solve(s, 5, tsg_addr(&server), 29, 60000), tsg_addr(&r.as_dst));
	assert_int_equal(tsg_seed(tsg_addr(&r.as_dst), tsg_addr(&server), s, 5), 29);
}

/* Resets that know nothing of addresses stay as they are. */
static void test_others(void **state)
{
	(void)state;
	struct relation r = {.src = ip4("203.0.113.10"),
			     .dst = ip4("192.0.2.77"),
			     .as_src = ip4("203.0.113.10"),
			     .as_dst = ip4("93.7.200.18")};
	static const struct tsg_stamp others[] = {{.window = 0, .ip_id = 0},
						  {.window = 0, .ip_id = 9},
						  {.window = 1024, .ip_id = 54321},
						  {.window = 65535, .ip_id = 1}};
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct tsg_stamp s = others[i];
		assert_false(relation_apply(&r, &s));
		assert_memory_equal(&s, &others[i], sizeof(s));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_orientations),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
