/* SPDX-License-Identifier: BSD-3-Clause */

/* Frames as they are shared: what is replaced, what is cut, and which checksums are right. */

#include "tools/privacy/scrub.c"

#include "tests/unit/scrub_build.h"

static void test_tcp(void **state)
{
	(void)state;
	start(false, false);
	struct build k = tcp4(20, "hello", 5);
	static const uint8_t options[20] = {254,  8, 10, 0, 0, 1, 0x9c, 0x40, 30, 8,
					    0x30, 1, 10, 0, 0, 1, 3,	3,    7,  0};
	memcpy(k.b + 54, options, sizeof(options));
	set_sum(&k, 14, 6, 34, 45, 16);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 14 + 20 + 40);
	assert_memory_not_equal(out, k.b, 6);
	assert_memory_not_equal(out + 6, k.b + 6, 6);
	assert_memory_equal(out + 26, as4, 4);
	assert_memory_equal(out + 30, server4, 4);
	static const uint8_t zero[6];
	assert_memory_equal(out + 56, zero, 6);
	assert_memory_equal(out + 66, as4, 4);
	assert_memory_equal(out + 70, "\3\3\7", 3);
	assert_true(folded(NULL, out + 14, 20) == 0xffff);
	/* With the payload that was cut it is still right. */
	memcpy(out + 74, "hello", 5);
	assert_true(sum_right(out, 14, 6, 34, 45));
	stop();
}

/* Right, offload's with and without length, absent, and wrong. */
static void test_checksums(void **state)
{
	(void)state;
	start(false, false);
	struct build k = tcp4(0, "", 0);
	for (unsigned with = 0; with < 2; with++) {
		struct walk_ip ip = pseudo_of(k.b + 14, 6);
		const uint8_t pseudo[8] = {[3] = with ? 20 : 0, [7] = 6};
		uint16_t half = inet_fold(inet_sum(pseudo, 8) + inet_sum(ip.src.b + 12, 4) +
					  inet_sum(ip.dst.b + 12, 4));
		memcpy(k.b + 50, &half, 2);
		scrub_build(&k, LINKTYPE_ETHERNET);
		half = inet_fold(inet_sum(pseudo, 8) + inet_sum(as4, 4) + inet_sum(server4, 4));
		assert_memory_equal(out + 50, &half, 2);
	}
	memset(k.b + 50, 0, 2);
	memset(k.b + 24, 0, 2);
	scrub_build(&k, LINKTYPE_ETHERNET);
	static const uint8_t zero[2];
	assert_memory_equal(out + 50, zero, 2);
	assert_memory_equal(out + 24, zero, 2);
	/* Wrong by whatever amount, it is wrong by the same one. */
	uint8_t seen[2] = {0};
	for (unsigned i = 0; i < 3; i++) {
		k.b[50] = (uint8_t)(0x11 * (i + 1));
		k.b[51] = 0x99;
		scrub_build(&k, LINKTYPE_ETHERNET);
		assert_false(sum_right(out, 14, 6, 34, 20));
		if (i != 0)
			assert_memory_equal(seen, out + 50, 2);
		memcpy(seen, out + 50, 2);
	}
	/* Cut short: what was right stays right with the bytes that are not here. */
	k = tcp4(0, "0123456789", 10);
	struct packet pkt = packet_of(&k, LINKTYPE_ETHERNET);
	pkt.caplen -= 7;
	scrub_packet(scrub, &pkt, out);
	memcpy(out + 54, "0123456789", 10);
	assert_true(sum_right(out, 14, 6, 34, 30));
	stop();
}

static void test_quoted(void **state)
{
	(void)state;
	start(false, false);
	struct build k = {0};
	put_ether(&k, 0x0800);
	size_t outer = put_ip4(&k, 1, 8 + 28);
	put(&k, 4, 0x0b000000);
	put(&k, 4, 0);
	put_ip4(&k, 6, 40);
	put(&k, 8, 0x9c4001bb01020304);
	/* From a router to the client. */
	memcpy(k.b + outer + 12, "\xc6\x33\x64\x09", 4);
	memcpy(k.b + outer + 16, client4, 4);
	put_checksum(&k, outer, 20);
	uint16_t sum = (uint16_t)~folded(NULL, k.b + 34, 36);
	memcpy(k.b + 36, &sum, 2);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), k.n);
	assert_memory_equal(out + 26, "\xc6\x33\x64\x09", 4);
	assert_memory_equal(out + 30, as4, 4);
	assert_memory_equal(out + 42 + 12, as4, 4);
	assert_memory_equal(out + 42 + 16, server4, 4);
	assert_int_equal(folded(NULL, out + 42, 20), 0xffff);
	assert_int_equal(folded(NULL, out + 34, 36), 0xffff);
	assert_int_equal(folded(NULL, out + 14, 20), 0xffff);
	/* Of the client's own packet the IP-ID tells which one it was. */
	assert_int_equal(load_be16(out + 46), 0xbeef);
	/* Of one towards the client, with no window to see, it might give the address away. */
	memcpy(k.b + 42 + 12, server4, 4);
	memcpy(k.b + 42 + 16, client4, 4);
	scrub_build(&k, LINKTYPE_ETHERNET);
	assert_int_equal(load_be16(out + 46), 0);
	stop();
}

static void test_arp(void **state)
{
	(void)state;
	start(false, false);
	struct build k = {0};
	put_ether(&k, 0x0806);
	put(&k, 8, 0x0001080006040001);
	put(&k, 6, 0x0200000000a5);
	put_bytes(&k, client4, 4);
	put(&k, 6, 0);
	put_bytes(&k, server4, 4);
	memcpy(k.b + k.n, "left in memory    ", 18);
	k.n += 18;
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 60);
	assert_memory_equal(out + 22, out + 6, 6);
	assert_memory_equal(out + 28, as4, 4);
	assert_memory_equal(out + 32, "\0\0\0\0\0\0", 6);
	assert_memory_equal(out + 38, server4, 4);
	for (unsigned i = 42; i < 60; i++)
		assert_int_equal(out[i], 0);
	/* Not Ethernet and IPv4: nobody knows what is where. */
	k.b[18] = 8;
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 14);
	stop();
}

static void test_neighbours(void **state)
{
	(void)state;
	start(false, false);
	struct build k = {0};
	put(&k, 6, 0x3333ff000001);
	put(&k, 6, 0x0200000000a5);
	put(&k, 2, 0x86dd);
	put_ip6(&k, 58, 32);
	memcpy(k.b + 14 + 24, "\xff\2\0\0\0\0\0\0\0\0\0\1\xff\0\0\1", 16);
	put(&k, 8, 0x8700000000000000);
	put_bytes(&k, client6, 16);
	put(&k, 8, 0x01010200000000a5);
	set_sum(&k, 14, 58, 54, 32, 2);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), k.n);
	assert_memory_equal(out + 22, as6, 16);
	assert_memory_equal(out + 62, as6, 16);
	assert_memory_equal(out + 80, out + 6, 6);
	/* Bits of the address in the group's, at both layers alike. */
	assert_memory_not_equal(out + 51, k.b + 51, 3);
	assert_memory_equal(out + 51, out + 3, 3);
	assert_true(sum_right(out, 14, 58, 54, 32));
	stop();
}

/* A home address and a route in extension headers, over IPv6. */
static void test_extensions(void **state)
{
	(void)state;
	start(false, false);
	struct build k = {0};
	put_ether(&k, 0x86dd);
	put_ip6(&k, 60, 24 + 24 + 20);
	put(&k, 8, 0x2b020104000000c9 & ~0xffull);
	k.b[k.n - 1] = 0;
	put_bytes(&k, client6, 16);
	put(&k, 8, 0x0602000000000000);
	put_bytes(&k, client6, 16);
	put_tcp(&k, TCP_SYN, 0);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), k.n);
	assert_null(memmem(out, k.n, client6, 16));
	assert_memory_equal(out + 14 + 24, server6, 16);
	assert_memory_equal(out + 14 + 40 + 24 + 8, as6, 16);
	stop();
}

static const char request[] = "GET /?me=10.0.0.1&rev=1.0.0.10&you=10.0.0.2 HTTP/1.1\r\n"
			      "Cookie: secret=1\r\nHost: blocked.example\r\nX: y\r\n\r\nbody";

static void test_http(void **state)
{
	(void)state;
	static const char wanted[] = "GET /?me=xx.x.x.x&rev=x.x.x.xx&you=10.0.0.2 HTTP/1.1\r\n"
				     "Cookie: xxxxxxxx\r\nHost: blocked.example\r\n";
	start(false, false);
	struct build k = tcp4(0, request, sizeof(request) - 1);
	uint32_t n = scrub_build(&k, LINKTYPE_ETHERNET);
	assert_int_equal(n, 54 + sizeof(wanted) - 1);
	assert_memory_equal(out + 54, wanted, sizeof(wanted) - 1);
	k = tcp4(0, "HTTP/1.1 403 Forbidden\r\nLocation: x\r\n\r\n", 39);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 54 + 24);
	k = tcp4(0, "SSH-2.0-x\r\n", 11);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 54);
	stop();
	start(true, false);
	k = tcp4(0, request, sizeof(request) - 1);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), k.n);
	assert_memory_equal(out + k.n - 12, "X: y\r\n\r\nbody", 12);
	assert_non_null(memmem(out, k.n, "secret", 6));
	assert_null(memmem(out, k.n, "10.0.0.1&", 9));
	stop();
	start(false, true);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 54 + sizeof(wanted) - 1);
	assert_null(memmem(out, k.n, "blocked", 7));
	stop();
}

/* A ClientHello of 100 bytes in two records over three segments, then something else. */
static void test_hello(void **state)
{
	(void)state;
	uint8_t s[160] = {22, 3, 1, 0, 60, 1, 0, 0, 96};
	memset(s + 9, 'h', 56);
	memcpy(s + 65, "\x16\3\1\0\x28", 5);
	memset(s + 70, 'h', 40);
	memset(s + 110, '?', 50);
	static const struct {
		size_t from, n, kept;
	} parts[] = {{0, 1, 1}, {1, 2, 2}, {3, 66, 66}, {69, 91, 41}, {110, 50, 0}};
	start(false, false);
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct build k = tcp4(0, s + parts[i].from, parts[i].n);
		uint32_t seq = htonl(1000 + (uint32_t)parts[i].from);
		memcpy(k.b + 38, &seq, 4);
		assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 54 + parts[i].kept);
	}
	/* A segment of which nobody knows where it belongs. */
	struct build k = tcp4(0, s + 30, 40);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 54);
	/* A record of TLS that is no ClientHello. */
	k = tcp4(0, "\x16\3\3\0\x04\2\0\0\0", 9);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 54);
	stop();
}

static struct build dns(const uint8_t *message, size_t n)
{
	struct build k = {0};
	put_ether(&k, 0x0800);
	put_ip4(&k, 17, 8 + n);
	put(&k, 4, 5000u << 16 | 53);
	put(&k, 4, (8 + n) << 16);
	put_bytes(&k, message, n);
	set_sum(&k, 14, 17, 34, 8 + n, 6);
	return k;
}

static void test_dns(void **state)
{
	(void)state;
	/* PTR of the client; its A; the client's subnet; bytes behind the message. */
	static const uint8_t message[] = "\x12\x34\x81\x80\0\1\0\1\0\0\0\1"
					 "\1"
					 "1\1"
					 "0\1"
					 "0\2"
					 "10\7in-addr\4arpa\0\0\x0c\0\1"
					 "\4home\0\0\1\0\1\0\0\0\1\0\4\x0a\0\0\1"
					 "\0\0\x29\x10\0\0\0\0\0\0\x0b\0\x08\0\7\0\1\x18\0\x0a\0\0"
					 "behind";
	size_t n = sizeof(message) - 1;
	start(false, false);
	struct build k = dns(message, n);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), k.n - 6);
	static const char blank[] = "\1x\1x\1x\2xx\7xxxxxxx\4xxxx";
	assert_memory_equal(out + 54, blank, sizeof(blank));
	assert_non_null(memmem(out, k.n, as4, 4));
	assert_null(memmem(out + 34, k.n - 34, client4, 4));
	const uint8_t *subnet = memmem(out, k.n, "\0\x08\0\7", 4);
	assert_non_null(subnet);
	assert_memory_equal(subnet + 4, "\0\0\0\0\0\0\0", 7);
	memcpy(out + k.n - 6, "behind", 6);
	assert_true(sum_right(out, 14, 17, 34, 8 + n));
	/* One that asks for somebody else is left alone. */
	uint8_t other[sizeof(message)];
	memcpy(other, message, sizeof(other));
	other[13] = '2';
	k = dns(other, n);
	scrub_build(&k, LINKTYPE_ETHERNET);
	assert_memory_equal(out + 54, other + 12, 27);
	stop();
	start(false, true);
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), k.n - 6);
	assert_null(memmem(out, k.n, "arpa", 4));
	stop();
}

/* What nobody knows to read goes, and no packet is too short to be read. */
static void test_unknown(void **state)
{
	(void)state;
	start(true, false);
	struct build k = tcp4(0, "hello", 5);
	assert_int_equal(scrub_build(&k, 105), 0);
	k.b[12] = 0x88;
	k.b[13] = 0xcc;
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 14);
	k = tcp4(0, "hello", 5);
	k.b[23] = 89;
	assert_int_equal(scrub_build(&k, LINKTYPE_ETHERNET), 34);
	k = tcp4(0, "hello", 5);
	for (uint32_t n = 0; n <= k.n; n++) {
		struct packet pkt = packet_of(&k, LINKTYPE_ETHERNET);
		pkt.caplen = n;
		assert_true(scrub_packet(scrub, &pkt, out) <= n);
		assert_null(memmem(out, n, client4, 4));
	}
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),	   cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_quoted),	   cmocka_unit_test(test_arp),
		cmocka_unit_test(test_neighbours), cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_http),	   cmocka_unit_test(test_hello),
		cmocka_unit_test(test_dns),	   cmocka_unit_test(test_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
