/* SPDX-License-Identifier: BSD-3-Clause */

/* Against the sample trace of the reference implementation, and the published values for IPv6. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/privacy/crypto_pan.c"

/* The key of the reference implementation's sample. */
static const uint8_t sample_key[CRYPTO_PAN_KEY] = {
	21,  34,  23,  141, 51,	 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16,
	216, 152, 143, 131, 121, 121, 101, 39,	98, 87, 76, 45, 42, 132, 34,  2};

/* sample_trace_raw.dat and sample_trace_sanitized.dat. */
static const char *const sample[][2] = {
	{"128.11.68.132", "135.242.180.132"},	{"129.118.74.4", "134.136.186.123"},
	{"130.132.252.244", "133.68.164.234"},	{"141.223.7.43", "141.167.8.160"},
	{"141.233.145.108", "141.129.237.235"}, {"152.163.225.39", "151.140.114.167"},
	{"156.29.3.236", "147.225.12.42"},	{"165.247.96.84", "162.9.99.234"},
	{"166.107.77.190", "160.132.178.185"},	{"192.102.249.13", "252.138.62.131"},
	{"192.215.32.125", "252.43.47.189"},	{"192.233.80.103", "252.25.108.8"},
	{"192.41.57.43", "252.222.221.184"},	{"193.150.244.223", "253.169.52.216"},
	{"195.205.63.100", "255.186.223.5"},	{"198.200.171.101", "249.199.68.213"},
	{"202.49.198.20", "245.206.7.234"},	{"203.12.160.252", "244.248.163.4"},
	{"207.188.7.45", "241.255.249.220"},	{"208.147.89.59", "227.237.98.191"},
	{"209.85.249.6", "226.170.70.6"},	{"212.120.124.31", "228.135.163.231"},
	{"216.35.217.178", "235.195.157.81"},	{"24.0.250.221", "100.15.198.226"},
	{"24.94.26.44", "100.88.228.35"},	{"38.15.67.68", "64.3.66.187"},
	{"4.3.88.225", "124.60.155.63"},	{"63.14.55.111", "95.9.215.7"},
	{"64.14.118.196", "0.255.183.58"},	{"64.39.15.238", "0.219.7.41"},
	{"10.185.25.118", "117.161.29.118"},
};

/* The same key, as other implementations publish them for IPv6. */
static const char *const sample6[][2] = {
	{"::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"},
	{"::2", "78ff:f001:9fc0:20df:8380:b1f1:704:ef"},
	{"::ffff", "78ff:f001:9fc0:20df:8380:b1f1:704:f838"},
	{"2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"},
	{"2001:db8::2", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c"},
};

/* The example of yacryptopan's manual. */
static const char text_key[] = "32-char-str-for-AES-key-and-pad.";
static const char *const example[][2] = {
	{"192.0.2.1", "192.0.125.244"},
	{"2001:db8::1", "27fe:8bc7:fee:1e:1e1f:f0fe:f0e1:83fd"},
};

static void expect(struct crypto_pan *c, const char *from, const char *to)
{
	bool v4 = strchr(from, ':') == NULL;
	unsigned bits = v4 ? 32 : 128;
	uint8_t a[16], flips[16];
	char text[46];

	assert_int_equal(inet_pton(v4 ? AF_INET : AF_INET6, from, a), 1);
	assert_int_equal(crypto_pan_flips(c, a, bits, flips), 0);
	for (unsigned i = 0; i < bits / 8; i++)
		a[i] ^= flips[i];
	assert_string_equal(inet_ntop(v4 ? AF_INET : AF_INET6, a, text, sizeof(text)), to);
}

static void test_published(void **state)
{
	(void)state;
	struct crypto_pan *c;
	assert_int_equal(crypto_pan_new(&c, sample_key), 0);
	for (size_t i = 0; i < sizeof(sample) / sizeof(sample[0]); i++)
		expect(c, sample[i][0], sample[i][1]);
	for (size_t i = 0; i < sizeof(sample6) / sizeof(sample6[0]); i++)
		expect(c, sample6[i][0], sample6[i][1]);
	crypto_pan_free(c);
	assert_int_equal(crypto_pan_new(&c, (const uint8_t *)text_key), 0);
	for (size_t i = 0; i < sizeof(example) / sizeof(example[0]); i++)
		expect(c, example[i][0], example[i][1]);
	crypto_pan_free(c);
	crypto_pan_free(NULL);
}

static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned n = 0;
	while (n < bits && ((a[n / 8] ^ b[n / 8]) & 0x80 >> n % 8) == 0)
		n++;
	return n;
}

static void test_prefixes(void **state)
{
	(void)state;
	struct crypto_pan *c;
	assert_int_equal(crypto_pan_new(&c, sample_key), 0);
	for (unsigned bit = 0; bit < 128; bit++) {
		uint8_t a[2][16] = {{0x20, 1, 0xd, 0xb8, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0xa5, 0x5a, bit}};
		uint8_t flips[2][16];
		memcpy(a[1], a[0], 16);
		a[1][bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		for (unsigned k = 0; k < 2; k++) {
			assert_int_equal(crypto_pan_flips(c, a[k], 128, flips[k]), 0);
			for (unsigned i = 0; i < 16; i++)
				flips[k][i] ^= a[k][i];
		}
		assert_int_equal(common_bits(flips[0], flips[1], 128), bit);
	}
	crypto_pan_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_prefixes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
