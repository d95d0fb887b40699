/* SPDX-License-Identifier: BSD-3-Clause */

/* Names of packets under pseudonyms of the same length. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "dataplane/decode_scan.h"
#include "tests/unit/packet_build.h"
#include "tools/privacy/names_fit.c"
#include "tools/privacy/scrub.h"

static const uint8_t key[CRYPTO_PAN_KEY] = {1, 2, 3};
static struct names_key names;
static struct pseudonyms *pseudonyms;
static struct scrub *scrub;
static uint8_t out[1024];

static int start(void **state)
{
	struct scrub_config cfg = {.names = &names};

	(void)state;
	assert_int_equal(names_key_make(&names, key, sizeof(key)), 0);
	assert_int_equal(pseudonyms_new(&pseudonyms, key), 0);
	assert_int_equal(pseudonyms_settle(pseudonyms), 0);
	cfg.pseudonyms = pseudonyms;
	return scrub_new(&scrub, &cfg);
}

static int stop(void **state)
{
	(void)state;
	scrub_free(scrub);
	pseudonyms_free(pseudonyms);
	names_key_forget(&names);
	return 0;
}

static const char *host(const char *name)
{
	static char fitted[600];
	size_t n = strlen(name);

	memset(fitted, '!', sizeof(fitted));
	name_fit_host(&names, name, n, fitted);
	assert_int_equal(fitted[n], '!');
	fitted[n] = '\0';
	return fitted;
}

static const char *url(const char *text)
{
	static char fitted[600];
	size_t n = strlen(text);

	memset(fitted, '!', sizeof(fitted));
	name_fit_url(&names, text, n, fitted);
	assert_int_equal(fitted[n], '!');
	fitted[n] = '\0';
	return fitted;
}

/* Each hash is that of name_of_host(). */
static void test_fit(void **state)
{
	char whole[PSEUDONYM_SIZE], want[600], many[80] = "";

	(void)state;
	name_of_host(&names, "www.blocked.example", 19, whole);
	const char *www = whole + 5, *blocked = whole + 21;
	snprintf(want, sizeof(want), "%.3s.%.7s.example", www, blocked);
	assert_string_equal(host("www.blocked.example"), want);
	assert_string_equal(host("WWW.Blocked.EXAMPLE"), want);
	snprintf(want, sizeof(want), "%.7s.example.:8443", blocked);
	assert_string_equal(host("blocked.example.:8443"), want);
	name_of_host(&names, "a-label-of-twenty-xx.twelve-chars.museums.ru", 44, whole);
	snprintf(want, sizeof(want), "name-%.10sxxxxx.%.10sxx.%.7s.ex", whole + 5, whole + 21, whole + 37);
	assert_string_equal(host("a-label-of-twenty-xx.twelve-chars.museums.ru"), want);
	name_of_host(&names, "localhost", 9, whole);
	snprintf(want, sizeof(want), "%.9s", whole + 5);
	assert_string_equal(host("localhost"), want);
	assert_string_equal(host("192.0.2.1:80"), "192.0.2.1:80");
	assert_string_equal(host("name-aaaaaaaaaa.name-bbbbbbbbbb.example"),
			    "name-aaaaaaaaaa.name-bbbbbbbbbb.example");
	assert_string_equal(host(""), "");
	/* More labels than a pseudonym has. */
	for (unsigned i = 0; i < 20; i++)
		snprintf(many + 3 * i, 4, "x%c.", 'a' + (int)i);
	many[59] = '\0';
	name_of_host(&names, many, 59, whole);
	const char *fitted = host(many);
	for (unsigned i = 0; i < 19; i++)
		assert_memory_equal(fitted + 3 * i, whole + 16 * (i > 8 ? i - 8 : 0) + 5, 2);
	assert_string_equal(fitted + 57, "ex");
	/* Longer than any name. */
	memset(want, 'n', 500);
	want[500] = '\0';
	fitted = host(want);
	assert_null(strchr(fitted, 'n') != NULL ? strstr(fitted, "nnnn") : NULL);
}

static void test_fit_urls(void **state)
{
	char whole[PSEUDONYM_SIZE], want[400];

	(void)state;
	name_of_path(&names, "/a/page?q=1", 11, whole);
	snprintf(want, sizeof(want), "/%.10s", whole + 6);
	assert_string_equal(url("/a/page?q=1"), want);
	name_of_path(&names, "/a/rather/long/path", 19, whole);
	snprintf(want, sizeof(want), "%sxxx", whole);
	assert_string_equal(url("/a/rather/long/path"), want);
	assert_string_equal(url("/"), "/");
	assert_string_equal(url("*"), "*");
	name_of_path(&names, "/a?u=http://x.test/", 19, whole);
	snprintf(want, sizeof(want), "%sxxx", whole);
	assert_string_equal(url("/a?u=http://x.test/"), want);
	name_of_path(&names, "/p", 2, whole);
	snprintf(want, sizeof(want), "http://%s/%.1s", host("blocked.example"), whole + 6);
	assert_string_equal(url("http://blocked.example/p"), want);
}

static struct build tcp(const void *payload, size_t n, uint32_t seq)
{
	struct build k = {0};
	uint32_t at = htonl(seq);

	put_ether(&k, 0x0800);
	put_ip4(&k, 6, 20 + n);
	put_tcp(&k, TCP_PSH | TCP_ACK, 0);
	memcpy(k.b + 38, &at, 4);
	put_bytes(&k, payload, n);
	return k;
}

static uint32_t scrubbed(const struct build *k)
{
	struct packet pkt = packet_of(k, LINKTYPE_ETHERNET);

	memset(out, 0xee, sizeof(out));
	return scrub_packet(scrub, &pkt, out);
}

static void test_http(void **state)
{
	static const char get[] = "GET /secret HTTP/1.1\r\nX-blocked.test: blocked\r\n"
				  "host: \twww.blocked.example \r\nCookie: blocked\r\n\r\n";
	char want[200], path[16];
	struct build k = tcp(get, sizeof(get) - 1, 1);

	(void)state;
	snprintf(path, sizeof(path), "%s", url("/secret"));
	snprintf(want, sizeof(want), "GET %s HTTP/1.1\r\nxxxxxxxxxxxxxx: xxxxxxx\r\nhost: \t%s \r\n", path,
		 host("www.blocked.example"));
	assert_int_equal(scrubbed(&k), 54 + strlen(want));
	assert_memory_equal(out + 54, want, strlen(want));
	/* Lines that are not here to their end. */
	for (size_t n = 22; n < strlen(want); n++) {
		k = tcp(get, n, 1);
		uint32_t kept = scrubbed(&k);
		assert_true(kept == 54 + 22 || kept == 54 + 47);
		assert_memory_equal(out + 54, want, kept - 54);
	}
	for (size_t n = 0; n < 22; n++) {
		k = tcp(get, n, 1);
		assert_int_equal(scrubbed(&k), 54);
	}
	k = tcp("HTTP/1.1 302 To blocked\r\nLocation: x\r\n\r\n", 40, 1);
	assert_int_equal(scrubbed(&k), 54 + 25);
	assert_memory_equal(out + 54, "HTTP/1.1 302 xx xxxxxxx\r\n", 25);
	static const char *const odd[] = {"GET /secret\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
					  "GET /secret FTP/1.1\r\n\r\n",
					  "GET /secret HTTP/1.1234567\r\n\r\n"};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		k = tcp(odd[i], strlen(odd[i]), 1);
		assert_int_equal(scrubbed(&k), 54);
	}
}

/* Of one extension with a name, one that is known and one that is not. */
static const uint8_t hello[] = "\x16\3\1\0\x58\1\0\0\x54\3\3"
			       "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\0\0\2\x13\1\1\0\0\x29"
			       "\0\x10\0\3\2h2"
			       "\0\0\0\x14\0\x12\0\0\x0f"
			       "blocked.example"
			       "\xab\xcd\0\6secret";
#define HELLO_N	   (sizeof(hello) - 1)
#define HELLO_NAME 68u /* offset of the name */

static void test_hello(void **state)
{
	uint8_t want[HELLO_N];
	struct build k = tcp(hello, HELLO_N, 1);

	(void)state;
	memcpy(want, hello, HELLO_N);
	assert_memory_equal(want + HELLO_NAME, "blocked", 7);
	memcpy(want + HELLO_NAME, host("blocked.example"), 15);
	memset(want + HELLO_N - 6, 0, 6);
	assert_int_equal(scrubbed(&k), 54 + HELLO_N);
	assert_memory_equal(out + 54, want, HELLO_N);
	/* Cut anywhere: the name is kept whole or not at all, and what comes before it always. */
	for (size_t cut = 1; cut < HELLO_N; cut++) {
		k = tcp(hello, cut, 1000 * (uint32_t)cut);
		size_t kept = scrubbed(&k) - 54;
		bool within = cut >= HELLO_NAME - 5 && cut < HELLO_NAME + 15;
		assert_int_equal(kept, within ? HELLO_NAME - 5 : cut);
		assert_memory_equal(out + 54, want, kept);
		k = tcp(hello + cut, HELLO_N - cut, 1001 * (uint32_t)cut);
		kept = scrubbed(&k) - 54;
		/* Where the name was begun nobody knows what follows. */
		assert_int_equal(kept, within ? 0 : HELLO_N - cut);
		assert_memory_equal(out + 54, want + cut, kept);
	}
	/* A list of names that is none. */
	uint8_t odd[HELLO_N];
	memcpy(odd, hello, HELLO_N);
	odd[HELLO_NAME - 3] = 1;
	k = tcp(odd, HELLO_N, 7);
	assert_int_equal(scrubbed(&k), 54 + HELLO_N);
	assert_null(memmem(out, HELLO_N + 54, "blocked", 7));
}

static struct build dns(const void *message, size_t n)
{
	struct build k = {0};

	put_ether(&k, 0x0800);
	put_ip4(&k, 17, 8 + n);
	put(&k, 4, 5000u << 16 | 53);
	put(&k, 4, (8 + n) << 16);
	put_bytes(&k, message, n);
	return k;
}

static void test_dns(void **state)
{
	/* www.blocked.example CNAME cdn.blocked.example, its A, a text, and bytes behind the message. */
	static const char message[] = "\x12\x34\x81\x80\0\1\0\3\0\0\0\0"
				      "\3wwW\7blocked\7example\0\0\1\0\1"
				      "\xc0\x0c\0\5\0\1\0\0\0\1\0\6\3cdn\xc0\x10"
				      "\xc0\x31\0\1\0\1\0\0\0\1\0\4\xc0\0\2\1"
				      "\xc0\x0c\0\x10\0\1\0\0\0\1\0\7\6secret"
				      "behind";
	const size_t n = sizeof(message) - 1;
	char want[sizeof(message)];
	struct build k = dns(message, n);

	(void)state;
	memcpy(want, message, n);
	memcpy(want + 13, host("www.blocked.example"), 3);
	memcpy(want + 17, host("blocked.example"), 7);
	memcpy(want + 50, host("cdn.blocked.example"), 3);
	memset(want + n - 13, 0, 7);
	assert_int_equal(scrubbed(&k), k.n - 6);
	assert_memory_equal(out + 42, want, n - 6);
	/* A record that does not end where it says, and all behind it. */
	char odd[sizeof(message)];
	memcpy(odd, message, n);
	odd[48] = 7;
	k = dns(odd, n);
	assert_int_equal(scrubbed(&k), 42 + 37);
	assert_memory_equal(out + 42, want, 37);
	/* An address in place of a name stays one. */
	static const char address[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\003192\1" "0\1" "2\1" "1\0\0\1\0\1";
	k = dns(address, sizeof(address) - 1);
	assert_int_equal(scrubbed(&k), k.n);
	assert_memory_equal(out + 42, address, sizeof(address) - 1);
}

/* With a name in it that is another now. */
static void test_checksum(void **state)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: blocked.example\r\n";
	struct build k = tcp(get, sizeof(get) - 1, 1);
	const size_t n = 20 + sizeof(get) - 1;
	uint64_t pseudo = inet_sum(k.b + 26, 8) + htons(6) + htons((uint16_t)n);

	(void)state;
	memset(k.b + 50, 0, 2);
	uint16_t sum = (uint16_t)~inet_fold(inet_sum(k.b + 34, n) + pseudo);
	memcpy(k.b + 50, &sum, 2);
	assert_int_equal(scrubbed(&k), k.n);
	assert_null(memmem(out, k.n, "blocked", 7));
	pseudo = inet_sum(out + 26, 8) + htons(6) + htons((uint16_t)n);
	assert_int_equal(inet_fold(inet_sum(out + 34, n) + pseudo), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fit),   cmocka_unit_test(test_fit_urls),
		cmocka_unit_test(test_http),  cmocka_unit_test(test_hello),
		cmocka_unit_test(test_dns),   cmocka_unit_test(test_checksum),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
