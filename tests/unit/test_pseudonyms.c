/* SPDX-License-Identifier: BSD-3-Clause */

/* Who gets a pseudonym, and that it is nobody else's address. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tools/privacy/pseudonyms.c"

static uint8_t key[CRYPTO_PAN_KEY] = {7, 1, 9};

static struct ip_addr address(const char *text)
{
	struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET, text, a.b + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

static struct ip_addr ip4(uint32_t v)
{
	return (struct ip_addr){.b = {[10] = 0xff,
				      0xff,
				      (uint8_t)(v >> 24),
				      (uint8_t)(v >> 16),
				      (uint8_t)(v >> 8),
				      (uint8_t)v}};
}

static struct pseudonyms *fresh(void)
{
	struct pseudonyms *p = NULL;
	assert_int_equal(pseudonyms_new(&p, key), 0);
	return p;
}

static void note(struct pseudonyms *p, const char *text, enum pseudonym_role role)
{
	struct ip_addr a = address(text);
	assert_int_equal(pseudonyms_note(p, &a, role), 0);
}

static bool changed(struct pseudonyms *p, const char *text)
{
	struct ip_addr a = address(text), as;
	bool is = pseudonyms_of(p, &a, &as);
	assert_int_equal(is, memcmp(&a, &as, sizeof(a)) != 0);
	return is;
}

static void test_roles(void **state)
{
	(void)state;
	struct pseudonyms *p = fresh();
	note(p, "10.0.0.1", ROLE_CLIENT);
	note(p, "203.0.113.5", ROLE_SHOWN);
	note(p, "203.0.113.6", ROLE_SHOWN);
	note(p, "203.0.113.6", ROLE_CLIENT);
	note(p, "10.0.0.7", ROLE_NEIGHBOUR);
	note(p, "10.0.0.8", ROLE_NEIGHBOUR);
	note(p, "10.0.0.8", ROLE_SHOWN);
	note(p, "2001:db8::9", ROLE_CLIENT);
	note(p, "0.0.0.0", ROLE_CLIENT);
	note(p, "224.0.0.251", ROLE_CLIENT);
	assert_int_equal(pseudonyms_settle(p), 0);
	assert_true(changed(p, "10.0.0.1"));
	assert_true(changed(p, "::ffff:10.0.0.1"));
	assert_false(changed(p, "203.0.113.5"));
	assert_true(changed(p, "203.0.113.6"));
	assert_true(changed(p, "10.0.0.7"));
	assert_false(changed(p, "10.0.0.8"));
	assert_true(changed(p, "2001:db8::9"));
	assert_false(changed(p, "0.0.0.0"));
	assert_false(changed(p, "224.0.0.251"));
	assert_false(changed(p, "198.51.100.1"));
	assert_int_equal(pseudonyms_count(p), 4);
	pseudonyms_free(p);
	pseudonyms_free(NULL);
}

static unsigned common(const struct ip_addr *a, const struct ip_addr *b)
{
	unsigned n = 0;
	while (n < 128 && ((a->b[n / 8] ^ b->b[n / 8]) & 0x80 >> n % 8) == 0)
		n++;
	return n;
}

/* Prefixes are kept, and hosts stay hosts of their kind. */
static void test_kinds(void **state)
{
	(void)state;
	static const char *const hosts[] = {
		"1.2.3.4",     "1.2.3.5",	"10.0.0.1",  "100.64.0.9", "172.16.9.9",
		"192.168.1.1", "223.255.255.1", "224.1.2.3", "239.1.1.1",  "241.0.0.1",
		"2001:db8::1", "2001:db8::2",	"2a00::1",   "fe80::1",	   "fe80::2",
		"fd00:1::1",   "fc00::1",	"fec0::1",   "64:ff9b::1", "5f00::1",
		"ff02::1"};
	enum { N = sizeof(hosts) / sizeof(hosts[0]) };
	for (unsigned round = 0; round < 50; round++) {
		struct ip_addr a[N], as[N];
		key[5] = (uint8_t)round;
		struct pseudonyms *p = fresh();
		for (unsigned i = 0; i < N; i++) {
			a[i] = address(hosts[i]);
			assert_int_equal(encrypt(p, &a[i], &as[i]), 0);
			assert_int_equal(pseudonyms_is_special(&a[i]) && a[i].b[0] == 0xff,
					 as[i].b[0] == 0xff);
			if (pseudonyms_is_ip4(&a[i]))
				assert_int_equal(a[i].b[12] >> 4 == 14, as[i].b[12] >> 4 == 14);
			/* Mapped addresses are IPv4's, with a tree of their own. */
			for (unsigned k = 0; k < i; k++)
				if (pseudonyms_is_ip4(&a[i]) == pseudonyms_is_ip4(&a[k]))
					assert_int_equal(common(&a[i], &a[k]),
							 common(&as[i], &as[k]));
		}
		assert_int_equal(as[10].b[0] >> 5, 1);
		assert_int_equal(as[13].b[0], 0xfe);
		assert_int_equal(as[13].b[1] >> 6, 2);
		assert_int_equal(as[15].b[0], 0xfd);
		pseudonyms_free(p);
	}
}

/* A dense /20 where half are servers: nearly every pseudonym has to be moved. */
static void test_collisions(void **state)
{
	(void)state;
	enum { N = 4096 };
	static struct ip_addr as[N];
	for (unsigned round = 0; round < 8; round++) {
		struct pseudonyms *p = fresh(), *q;
		struct ip_addr one, other;
		key[9] = (uint8_t)round;
		q = fresh();
		for (unsigned i = 0; i < N; i++) {
			one = ip4(0x5d000000u + i);
			assert_int_equal(pseudonyms_note(p, &one, ROLE_CLIENT), 0);
			assert_int_equal(encrypt(p, &one, &other), 0);
			/* Where it would go there is a server already. */
			if (i % 2 == 0)
				assert_int_equal(pseudonyms_note(p, &other, ROLE_SHOWN), 0);
		}
		assert_int_equal(pseudonyms_settle(p), 0);
		assert_int_equal(pseudonyms_count(p), N);
		for (unsigned i = 0; i < N; i++) {
			one = ip4(0x5d000000u + i);
			assert_true(pseudonyms_of(p, &one, &as[i]));
			assert_null(find(&p->hosts, &as[i]));
			/* What is shown is nobody's pseudonym, so a second look changes nothing. */
			assert_false(pseudonyms_of(p, &as[i], &other));
			assert_int_equal(pseudonyms_note(q, &as[i], ROLE_SHOWN), 0);
		}
		assert_int_equal(q->hosts.n, N);
		pseudonyms_free(p);
		pseudonyms_free(q);
	}
}

/* The same key gives the same, in whatever order; another key another. */
static void test_stable(void **state)
{
	(void)state;
	struct pseudonyms *p[3];
	struct ip_addr a = address("10.1.2.3"), b = address("10.1.9.9"), as[3];
	for (unsigned i = 0; i < 3; i++) {
		key[0] = (uint8_t)(i / 2);
		p[i] = fresh();
		assert_int_equal(pseudonyms_note(p[i], i == 0 ? &a : &b, ROLE_CLIENT), 0);
		assert_int_equal(pseudonyms_note(p[i], i == 0 ? &b : &a, ROLE_CLIENT), 0);
		assert_int_equal(pseudonyms_settle(p[i]), 0);
		pseudonyms_of(p[i], &a, &as[i]);
	}
	assert_memory_equal(&as[0], &as[1], sizeof(a));
	assert_memory_not_equal(&as[0], &as[2], sizeof(a));
	for (unsigned i = 0; i < 3; i++)
		pseudonyms_free(p[i]);
}

/* Whatever the key, a host becomes one: some networks would be loopback. */
static void test_hosts(void **state)
{
	(void)state;
	unsigned moved = 0;
	for (unsigned round = 0; round < 1000; round++) {
		struct ip_addr a = ip4(0x3f010203), b = ip4(0x3f010204), as[2], own;
		key[3] = (uint8_t)round;
		key[4] = (uint8_t)(round >> 8);
		struct pseudonyms *p = fresh();
		assert_int_equal(pseudonyms_note(p, &a, ROLE_CLIENT), 0);
		assert_int_equal(pseudonyms_note(p, &b, ROLE_CLIENT), 0);
		assert_int_equal(pseudonyms_settle(p), 0);
		assert_true(pseudonyms_of(p, &a, &as[0]) && pseudonyms_of(p, &b, &as[1]));
		assert_false(pseudonyms_is_special(&as[0]) || pseudonyms_is_special(&as[1]));
		assert_int_equal(common(&a, &b), common(&as[0], &as[1]));
		assert_int_equal(encrypt(p, &a, &own), 0);
		moved += pseudonyms_is_special(&own);
		pseudonyms_free(p);
	}
	assert_true(moved != 0);
}

static void test_mac(void **state)
{
	(void)state;
	static const uint8_t host[6] = {0x00, 0x1b, 0x21, 1, 2, 3},
			     all[6] = {255, 255, 255, 255, 255, 255}, none[6] = {0},
			     group[6] = {0x01, 0, 0x5e, 0, 0, 0xfb},
			     node[6] = {0x33, 0x33, 0xff, 1, 2, 3};
	uint8_t out[6], again[6], bits[3];
	struct pseudonyms *p = fresh();
	pseudonyms_mac(p, host, out);
	assert_memory_not_equal(out, host, 6);
	assert_int_equal(out[0] & 3, 2);
	memcpy(again, host, 6);
	pseudonyms_mac(p, again, again);
	assert_memory_equal(out, again, 6);
	pseudonyms_mac(p, all, out);
	assert_memory_equal(out, all, 6);
	pseudonyms_mac(p, none, out);
	assert_memory_equal(out, none, 6);
	pseudonyms_mac(p, group, out);
	assert_memory_equal(out, group, 6);
	pseudonyms_mac(p, node, out);
	pseudonyms_solicited(p, node + 3, bits);
	assert_memory_equal(out, node, 3);
	assert_memory_equal(out + 3, bits, 3);
	assert_memory_not_equal(bits, node + 3, 3);
	pseudonyms_free(p);
}

/* A neighbour that nobody noted is private; one that is shown stays. */
static void test_neighbours(void **state)
{
	(void)state;
	struct pseudonyms *p = fresh();
	struct ip_addr a = address("192.168.1.77"), s = address("192.168.1.1"), as;
	note(p, "192.168.1.1", ROLE_SHOWN);
	assert_int_equal(pseudonyms_settle(p), 0);
	assert_true(pseudonyms_of_neighbour(p, &a, &as));
	assert_memory_not_equal(&a, &as, sizeof(a));
	assert_false(pseudonyms_of_neighbour(p, &s, &as));
	a = address("0.0.0.0");
	assert_false(pseudonyms_of_neighbour(p, &a, &as));
	pseudonyms_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),	   cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_collisions), cmocka_unit_test(test_stable),
		cmocka_unit_test(test_mac),	   cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_hosts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
