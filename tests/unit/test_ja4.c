/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The expected values come from FoxIO's technical details of JA4 (the worked example, the cases of
 * ALPN and of absent lists), from a browser's published JA3 and JA4 pair, and from RFC 8701.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "classifiers/app/ja4.c"

struct list {
	uint8_t bytes[1024];
	size_t len;
};

static void add16(struct list *l, uint16_t v)
{
	l->bytes[l->len++] = (uint8_t)(v >> 8);
	l->bytes[l->len++] = (uint8_t)v;
}

/* "1301,1302": values; with bodies each is followed by an empty extension body. */
static struct tls_bytes values_of(struct list *l, const char *text, bool bodies)
{
	l->len = 0;
	for (char *end; *text != '\0'; text = *end == ',' ? end + 1 : end) {
		add16(l, (uint16_t)strtoul(text, &end, 16));
		if (bodies)
			add16(l, 0);
	}
	return (struct tls_bytes){.p = l->bytes, .len = l->len};
}

static const char example_ciphers[] =
	"3a3a,1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035";
static const char example_extensions[] =
	"dada,001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015,eaea";
static const char example_sigalgs[] = "0403,0804,0401,0503,0805,0501,0806,0601";

static struct list ciphers, extensions, sigalgs, groups;

static struct ja4_input example(void)
{
	return (struct ja4_input){
		.legacy_version = 0x0303,
		.highest_version = 0x0304,
		.has_sni_extension = true,
		.ciphers = values_of(&ciphers, example_ciphers, false),
		.extensions = values_of(&extensions, example_extensions, true),
		.sigalgs = values_of(&sigalgs, example_sigalgs, false),
		.alpn = {.p = (const uint8_t *)"h2", .len = 2},
	};
}

static void worked_example(void **state)
{
	(void)state;
	char out[37];
	struct ja4_input in = example();
	ja4_compute(&in, out);
	assert_string_equal(out, "t13d1516h2_8daaf6152771_e5627efa2ab1");
	in.quic = true;
	in.has_sni_extension = false;
	ja4_compute(&in, out);
	assert_string_equal(out, "q13i1516h2_8daaf6152771_e5627efa2ab1");
	in.sigalgs.len = 0;
	ja4_compute(&in, out);
	assert_string_equal(out, "q13i1516h2_8daaf6152771_6d807ffa2a79");
}

static void published_browser_pair(void **state)
{
	(void)state;
	char ja4[37], ja3[33];
	uint8_t formats[] = {0};
	struct ja4_input in = example();
	in.extensions = values_of(&extensions,
				  "4a4a,002d,0033,0010,fe0d,0017,44cd,0000,000b,000a,002b,ff01,"
				  "0023,0012,0005,000d,001b", true);
	in.groups = values_of(&groups, "8a8a,11ec,001d,0017,0018", false);
	in.formats = (struct tls_bytes){.p = formats, .len = sizeof(formats)};
	ja4_compute(&in, ja4);
	ja3_compute(&in, ja3);
	assert_string_equal(ja4, "t13d1516h2_8daaf6152771_d8a2da3f94cd");
	assert_string_equal(ja3, "98487aa16281980e7d1120d399efb6a4");
}

static void empty_lists_are_zeros(void **state)
{
	(void)state;
	char out[37];
	struct ja4_input in = {.highest_version = 0x0301};
	ja4_compute(&in, out);
	assert_string_equal(out, "t10i000000_000000000000_000000000000");
	/* SNI and ALPN count, but are not hashed: nothing is left to hash. */
	in.extensions = values_of(&extensions, "0000,0010", true);
	in.has_sni_extension = true;
	in.sigalgs = values_of(&sigalgs, "0403", false);
	ja4_compute(&in, out);
	assert_string_equal(out, "t10d000200_000000000000_000000000000");
}

static void ja3_without_extensions(void **state)
{
	(void)state;
	char out[33];
	/* MD5 of "769,4-5-10-9-100-98-3-6-19-18-99,,,", the example of JA3's own description */
	struct ja4_input in = {
		.legacy_version = 0x0301,
		.ciphers = values_of(&ciphers,
				     "0004,0005,000a,0009,0064,0062,0003,0006,0013,"
				     "0012,0063", false),
	};
	ja3_compute(&in, out);
	assert_string_equal(out, "de350869b8c85de67a350c8d186f11e6");
}

static void counts_end_at_99(void **state)
{
	(void)state;
	char out[37];
	struct ja4_input in = {.highest_version = 0x0303};
	ciphers.len = 0;
	for (unsigned i = 1; i <= 120; i++)
		add16(&ciphers, (uint16_t)i);
	in.ciphers = (struct tls_bytes){.p = ciphers.bytes, .len = ciphers.len};
	ja4_compute(&in, out);
	assert_memory_equal(out, "t12i990000_", 11);
	assert_memory_not_equal(out + 11, "000000000000", 12);
}

/* The digest of text as a whole, its first chars hex digits. */
static void hash_of(const char *text, const EVP_MD *md, char *out, size_t chars)
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	assert_int_equal(EVP_Digest(text, strlen(text), sum, NULL, md, NULL), 1);
	for (size_t i = 0; i < chars / 2; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

/* n ciphers, the highest first, of all lengths in decimal. Returns what would come next. */
static unsigned many_ciphers(struct ja4_input *in, unsigned n)
{
	unsigned v = 0xffff;
	ciphers.len = 0;
	for (unsigned i = 0; i < n; i++) {
		add16(&ciphers, (uint16_t)v);
		unsigned step = v > 11000 ? 1009 : v > 1000 ? 211 : 7;
		v = v > step ? v - step : 0;
		v -= tls_is_grease((uint16_t)v);
	}
	in->ciphers = (struct tls_bytes){.p = ciphers.bytes, .len = ciphers.len};
	return v;
}

/* Around the sort's and the text pieces' limits; some values come more than once. */
static void lists_of_any_length(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 400; n++) {
		char text[4096], expected[33], ja3[33], ja4[37];
		struct ja4_input in = {.legacy_version = 0xffff};
		unsigned next = many_ciphers(&in, n);
		int at = snprintf(text, sizeof(text), "65535,");
		for (size_t i = 0; i < ciphers.len; i += 2)
			at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%u",
				       i == 0 ? "" : "-", load_be16(ciphers.bytes + i));
		snprintf(text + at, sizeof(text) - (size_t)at, ",,,");
		hash_of(text, EVP_md5(), expected, 32);
		ja3_compute(&in, ja3);
		assert_string_equal(ja3, expected);

		at = 0;
		for (size_t i = ciphers.len; i > 0; i -= 2)
			at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%04x",
				       at == 0 ? "" : ",", load_be16(ciphers.bytes + i - 2));
		hash_of(text, EVP_sha256(), expected, JA4_HASH_CHARS);
		ja4_compute(&in, ja4);
		assert_memory_equal(ja4 + 11, expected, JA4_HASH_CHARS);
		assert_true(n < 400 || next == 0);
	}
}

/* More texts than a thread remembers, each by both algorithms, again and again. */
static void remembered_or_not(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6 * KNOWN; i++) {
		char text[16], expected[33], out[33];
		unsigned n = i % (2 * KNOWN);
		struct digest d;
		digest_open(&d);
		for (unsigned k = 0; k < 3; k++) {
			const EVP_MD *md = k == 1 ? sha256 : md5;
			snprintf(text, sizeof(text), "%u", n);
			digest_start(&d, md);
			digest_decimal(&d, (uint16_t)n);
			digest_finish(&d, out, 32);
			hash_of(text, md, expected, 32);
			assert_string_equal(out, expected);
		}
		digest_close(&d);
	}
}

static void decimal_lengths(void **state)
{
	(void)state;
	char out[33], expected[33];
	struct ja4_input in = {
		.ciphers = values_of(&ciphers,
				     "0000,0009,0009,000b,0063,0064,03e7,03e8,270f,2710,ffff",
				     false),
		.formats = {.p = (const uint8_t *)"\x00\x09\x63\x64\xff", .len = 5},
	};
	hash_of("0,0-9-9-11-99-100-999-1000-9999-10000-65535,,,0-9-99-100-255", EVP_md5(),
		expected, 32);
	ja3_compute(&in, out);
	assert_string_equal(out, expected);
}

static void alpn_forms(void **state)
{
	(void)state;
	static const struct {
		const char *name, *expected;
	} cases[] = {
		{"", "00"}, {"h2", "h2"}, {"http/1.1", "h1"}, {"x", "xx"}, {"\xab", "ab"},
		{"\xab\xcd", "ad"}, {"0\xab", "3b"}, {"01\xab\xcd", "3d"},
		{"0\xab\xcd" "1", "01"}, {"h/", "6f"}, {"@h", "48"}, {"Z[", "5b"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[37];
		struct ja4_input in = {.alpn = {.p = (const uint8_t *)cases[i].name,
						.len = strlen(cases[i].name)}};
		ja4_compute(&in, out);
		out[10] = '\0';
		assert_string_equal(out + 8, cases[i].expected);
	}
}

static void version_names(void **state)
{
	(void)state;
	static const struct {
		uint16_t version;
		const char *name;
	} cases[] = {
		{0x0304, "13"}, {0x0303, "12"}, {0x0302, "11"}, {0x0301, "10"},
		{0x0300, "s3"}, {0x0002, "s2"}, {0x7f1c, "00"}, {0, "00"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(ja4_version(cases[i].version), cases[i].name);
}

static void grease_values(void **state)
{
	(void)state;
	unsigned n = 0;
	for (unsigned v = 0; v <= 0xffff; v++)
		n += tls_is_grease((uint16_t)v);
	assert_int_equal(n, 16);
	assert_true(tls_is_grease(0x0a0a) && tls_is_grease(0xfafa));
	assert_false(tls_is_grease(0x0a1a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worked_example),
		cmocka_unit_test(published_browser_pair),
		cmocka_unit_test(empty_lists_are_zeros),
		cmocka_unit_test(ja3_without_extensions),
		cmocka_unit_test(counts_end_at_99),
		cmocka_unit_test(lists_of_any_length),
		cmocka_unit_test(remembered_or_not),
		cmocka_unit_test(decimal_lengths),
		cmocka_unit_test(alpn_forms),
		cmocka_unit_test(version_names),
		cmocka_unit_test(grease_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
