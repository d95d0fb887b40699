/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/app/dtls.c"
#include "classifiers/app/fet.c"
#include "classifiers/app/openvpn.c"
#include "classifiers/app/vpn.c"
#include "classifiers/app/vpn_stream.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t client[8] = {0xc1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t server[8] = {0x51, 9, 8, 7, 6, 5, 4, 3};

static void put32(uint8_t *p, uint32_t v)
{
	store_be16(p, (uint16_t)(v >> 16));
	store_be16(p + 2, (uint16_t)v);
}

static void noise(uint8_t *p, size_t n, uint32_t x)
{
	for (size_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		p[i] = (uint8_t)(x >> 24);
	}
}

/* A client's reset with so many bytes of HMAC; 0: none, and no packet-id either. */
static size_t reset(uint8_t *p, size_t hmac)
{
	size_t trailer = hmac != 0 ? hmac + 8 : 0;
	memset(p, 0, 128);
	p[0] = RESET_CLIENT_V2 << 3;
	memcpy(p + 1, client, 8);
	noise(p + 9, hmac, 7);
	if (hmac != 0)
		put32(p + 9 + hmac, 1);
	return 9 + trailer + 5;
}

static size_t reset_answer(uint8_t *p, size_t hmac)
{
	size_t trailer = hmac != 0 ? hmac + 8 : 0;
	memset(p, 0, 128);
	p[0] = RESET_SERVER_V2 << 3;
	memcpy(p + 1, server, 8);
	p[9 + trailer] = 1;
	memcpy(p + 9 + trailer + 5, client, 8);
	return 9 + trailer + 17;
}

static void random_datagrams_are_nothing(void **state)
{
	(void)state;
	uint8_t p[300];
	struct vpn_first first;
	for (uint32_t i = 0; i < 200000; i++) {
		size_t len = 1 + i % sizeof(p);
		noise(p, len, i * 2654435761u);
		assert_false(vpn_first_datagram(p, len, len, &first));
	}
}

/* Byte 0x38 begins many of them; only the sizes and zeros of a reset make it one. */
static void look_alikes_are_nothing(void **state)
{
	(void)state;
	uint8_t p[256];
	struct vpn_first first;
	size_t len = reset(p, 0);
	assert_false(vpn_first_datagram(p, len + 1, len + 1, &first));
	p[len - 1] = 1; /* a reset is message 0 */
	assert_false(vpn_first_datagram(p, len, len, &first));
	len = reset(p, 20);
	put32(p + 9 + 20, 0x31323334); /* no early packet-id */
	assert_false(vpn_first_datagram(p, len, len, &first));
	memset(p, 0, sizeof(p));
	p[0] = 1; /* a padded game packet as long as an initiation */
	assert_false(vpn_first_datagram(p, 148, 148, &first));
	noise(p + 4, 200, 3);
	assert_false(vpn_first_datagram(p, 149, 149, &first));
	assert_false(vpn_first_datagram(p, 30, 148, &first)); /* cut within the key: not known */
	memset(p + 20, 0, 10);
	assert_false(vpn_first_datagram(p, 54, 148, &first)); /* nor what has runs where a key would be */
}

static void openvpn_resets_of_all_kinds(void **state)
{
	(void)state;
	static const size_t hmac[] = {0, 16, 20, 28, 32, 48, 64};
	uint8_t p[128], q[128];
	struct vpn_first first;
	for (size_t i = 0; i < 7; i++) {
		size_t n = reset(p, hmac[i]);
		assert_true(vpn_first_datagram(p, n, n, &first));
		assert_int_equal(first.proto, VPN_OPENVPN);
		assert_string_equal(first.variant, hmac[i] != 0 ? "tls-auth" : "plain");
		size_t m = reset_answer(q, hmac[i]);
		assert_true(vpn_answer_datagram(q, m, m, &first));
		q[m - 5] ^= 1; /* another client's session id */
		assert_false(vpn_answer_datagram(q, m, m, &first));
	}
}

static void openvpn_encrypted_resets(void **state)
{
	(void)state;
	uint8_t p[400], q[80];
	struct vpn_first first;
	noise(p, sizeof(p), 5);
	noise(q, sizeof(q), 6);
	p[0] = RESET_CLIENT_V2 << 3;
	put32(p + 9, EARLY_NEG + 1);
	assert_true(vpn_first_datagram(p, 54, 54, &first));
	assert_string_equal(first.variant, "tls-crypt");
	q[0] = RESET_SERVER_V2 << 3;
	put32(q + 9, 1);
	assert_true(vpn_answer_datagram(q, 66, 66, &first));
	assert_false(vpn_answer_datagram(q, 65, 65, &first));
	p[0] = RESET_CLIENT_V3 << 3;
	assert_false(vpn_first_datagram(p, 54 + 300, 54 + 300, &first));
	store_be16(p + 54 + 298, 300);
	assert_true(vpn_first_datagram(p, 54 + 300, 54 + 300, &first));
	assert_string_equal(first.variant, "tls-crypt-v2");
}

static void openvpn_over_tcp(void **state)
{
	(void)state;
	uint8_t p[130], q[130];
	struct vpn_first first;
	size_t n = reset(p + 2, 20), m = reset_answer(q + 2, 20);
	store_be16(p, (uint16_t)n);
	store_be16(q, (uint16_t)m);
	assert_int_equal(vpn_first_stream(p, n + 1, &first), 0);
	assert_int_equal(vpn_first_stream(p, n + 2, &first), 1);
	assert_int_equal(vpn_answer_stream(q, m + 1, &first), 0);
	assert_int_equal(vpn_answer_stream(q, m + 2, &first), 1);
	assert_int_equal(vpn_first_stream((const uint8_t *)"GET / HTTP/1.1", 14, &first), -1);
}

static void wireguard_and_its_variant(void **state)
{
	(void)state;
	static const size_t size[2][2] = {{148, 92}, {204, 100}};
	uint8_t p[204], q[100];
	struct vpn_first first;
	for (unsigned i = 0; i < 2; i++) {
		noise(p, sizeof(p), 5);
		noise(q, sizeof(q), 6);
		memcpy(p, "\1\0\0", 4);
		memcpy(q, "\2\0\0", 4);
		assert_true(vpn_first_datagram(p, size[i][0], size[i][0], &first));
		assert_string_equal(first.variant, i != 0 ? "tunnelbear" : "");
		assert_false(vpn_answer_datagram(q, size[i][1], size[i][1], &first));
		assert_false(vpn_answer_datagram(q, 54, size[i][1], &first));
		memcpy(q + 8, p + 4, 4);
		assert_true(vpn_answer_datagram(q, size[i][1], size[i][1], &first));
		/* Of a capture that keeps 96 bytes of each frame. */
		assert_true(vpn_first_datagram(p, 54, size[i][0], &first));
		assert_string_equal(first.variant, i != 0 ? "tunnelbear" : "");
		assert_true(vpn_answer_datagram(q, 54, size[i][1], &first));
		assert_false(vpn_answer_datagram(q, 10, size[i][1], &first));
	}
	memset(p, 0, sizeof(p));
	p[0] = 4;
	assert_int_equal(vpn_datagram_kind(p, 48, 48, &first), VPN_DATA);
	assert_int_equal(vpn_datagram_kind(p, 32, 32, &first), VPN_KEEPALIVE);
	p[0] = 5;
	assert_int_equal(vpn_datagram_kind(p, 48, 48, &first), VPN_OTHER);
}

static void ike_and_l2tp(void **state)
{
	(void)state;
	uint8_t p[64] = {0}, *ike = p + 4;
	struct vpn_first first, other;
	memcpy(ike, client, 8);
	ike[16] = 33, ike[17] = 0x20, ike[18] = 34, ike[19] = 8;
	put32(ike + 24, 60);
	assert_true(vpn_first_datagram(ike, 60, 60, &first));
	assert_true(vpn_first_datagram(p, 64, 64, &first)); /* behind the marker */
	assert_string_equal(first.variant, "v2");
	memcpy(ike + 8, server, 8);
	ike[19] = 0x20;
	assert_true(vpn_answer_datagram(ike, 60, 60, &first));
	assert_false(vpn_first_datagram(ike, 60, 60, &other)); /* a response begins nothing */
	assert_false(vpn_first_datagram(ike, 59, 59, &other)); /* it names its length */
	assert_true(vpn_answer_datagram(ike, 60, 60, &first));
	ike[0] ^= 1;
	assert_false(vpn_answer_datagram(ike, 60, 60, &first));
	uint8_t l[20] = {0xc8, 2, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 8, 0, 0, 0, 0, 0, 1};
	assert_true(vpn_first_datagram(l, 20, 20, &first));
	l[19] = 2, l[5] = 1;
	assert_false(vpn_first_datagram(l, 20, 20, &other));
	assert_true(vpn_answer_datagram(l, 20, 20, &first));
}

static void pptp_and_ssh(void **state)
{
	(void)state;
	uint8_t p[12] = {0, 156, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1};
	struct vpn_first first;
	assert_int_equal(vpn_first_stream(p, 12, &first), 1);
	assert_int_equal(first.proto, VPN_PPTP);
	p[9] = 2;
	assert_int_equal(vpn_answer_stream(p, 12, &first), 1);
	p[7] = 0;
	assert_int_equal(vpn_answer_stream(p, 12, &first), -1);
	assert_int_equal(vpn_first_stream((const uint8_t *)"SSH-2.0-x\r\n", 11, &first), 1);
	assert_int_equal(first.proto, VPN_SSH);
	assert_int_equal(vpn_answer_stream((const uint8_t *)"HTTP/1.1 400", 12, &first), -1);
	static const uint8_t sstp[] = "SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/";
	for (size_t n = 1; n < 17; n++)
		assert_int_equal(vpn_first_stream(sstp, n, &first), 0);
	assert_int_equal(vpn_first_stream(sstp, sizeof(sstp) - 1, &first), 1);
	assert_int_equal(first.proto, VPN_SSTP);
	assert_int_equal(vpn_answer_stream((const uint8_t *)"HTTP/1.1 200", 12, &first), 1);
	assert_int_equal(vpn_answer_stream((const uint8_t *)"HTTP/1.1 404", 12, &first), -1);
}

static void keepalives_and_esp_beside_ike(void **state)
{
	(void)state;
	struct vpn_first first = {.proto = VPN_IKE};
	uint8_t p[60] = {0xff};
	assert_int_equal(vpn_datagram_kind(p, 1, 1, &first), VPN_KEEPALIVE);
	assert_int_equal(vpn_datagram_kind(p, sizeof(p), sizeof(p), &first), VPN_DATA);
	memset(p, 0, 4);
	assert_int_equal(vpn_datagram_kind(p, sizeof(p), sizeof(p), &first), VPN_HANDSHAKE);
}

static size_t wireguard_data(uint8_t *p, uint32_t index, uint32_t counter, size_t len)
{
	memset(p, 0x5a, len);
	memset(p, 0, 16);
	p[0] = 4;
	put32(p + 4, index);
	p[8] = (uint8_t)counter;
	p[9] = (uint8_t)(counter >> 8);
	return len;
}

/* Three packets of one direction whose counter rises; neither one more nor one less odd. */
static void data_without_a_handshake_is_guessed(void **state)
{
	(void)state;
	uint8_t p[128];
	struct vpn_midway m = {.proto = VPN_NONE};
	for (uint32_t i = 0; i < 3; i++) {
		size_t n = wireguard_data(p, 7, 250 + i, 96);
		assert_int_equal(vpn_midway_next(&m, 0, p, n, n, false), i == 2);
	}
	assert_int_equal(m.proto, VPN_WIREGUARD);

	/* Full ones of the usual MTU, 1420: what would pad them to 16 bytes does not fit. */
	static uint8_t full[1452];
	m = (struct vpn_midway){.proto = VPN_NONE};
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t session;
		uint64_t number;
		size_t n = wireguard_data(full, 7, 250 + i, sizeof(full));
		assert_int_equal(vpn_midway_next(&m, 0, full, n, n, false), i == 2);
		assert_true(vpn_data_number(VPN_WIREGUARD, full, 60, n, &session, &number));
		assert_int_equal(number, 250 + i);
	}

	m = (struct vpn_midway){.proto = VPN_NONE};
	memset(p, 0x77, sizeof(p));
	for (uint32_t i = 0; i < 3; i++) {
		put32(p, 0xc0ffee00);
		put32(p + 4, 9 + i);
		struct vpn_midway other = {.proto = VPN_NONE};
		assert_int_equal(vpn_midway_next(&other, 1, p, 80, 80, false), -1);
		assert_int_equal(vpn_midway_next(&m, 1, p, 80, 80, true), i == 2);
	}
	assert_int_equal(m.proto, VPN_ESP);
}

static void other_datagrams_are_not_data(void **state)
{
	(void)state;
	uint8_t p[128];
	size_t n = wireguard_data(p, 7, 5, 96);
	/* The same again, another session, a jump, another length. */
	static const struct {
		uint32_t index, counter;
		size_t len;
	} next[] = {{7, 5, 96}, {8, 6, 96}, {7, 5000, 96}, {7, 6, 100}};
	for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
		struct vpn_midway m = {.proto = VPN_NONE};
		n = wireguard_data(p, 7, 5, 96);
		assert_int_equal(vpn_midway_next(&m, 0, p, n, n, false), 0);
		n = wireguard_data(p, next[i].index, next[i].counter, next[i].len);
		assert_int_equal(vpn_midway_next(&m, 0, p, n, n, false), -1);
	}
	/* RTP on port 4500: its first word counts, and its SPI would not stay. */
	struct vpn_midway m = {.proto = VPN_NONE};
	memset(p, 0, sizeof(p));
	put32(p, 0x80000001);
	put32(p + 4, 160);
	assert_int_equal(vpn_midway_next(&m, 0, p, 80, 80, true), 0);
	put32(p, 0x80000002);
	put32(p + 4, 320);
	assert_int_equal(vpn_midway_next(&m, 0, p, 80, 80, true), -1);
}

/* A ClientHello of DTLS 1.2 with a cookie of n bytes and a name. */
static size_t dtls_hello(uint8_t *p, uint8_t cookie)
{
	static const uint8_t tail[] = {
		0, 2, 0xc0, 0x2b, 1, 0,           /* one suite, no compression */
		0, 17, 0, 0, 0, 13, 0, 11, 0, 0, 8, 'a', '.', 'e', 'x', 'a', 'm', 'p', 'l',
	};
	size_t body = 2 + 32 + 1 + 1 + cookie + sizeof(tail);
	memset(p, 0x33, 300);
	memset(p, 0, 25);
	p[0] = 22, p[1] = 0xfe, p[2] = 0xff;
	store_be16(p + 11, (uint16_t)(12 + body));
	p[13] = 1;
	store_be16(p + 15, (uint16_t)body);
	store_be16(p + 23, (uint16_t)body);
	p[25] = 0xfe, p[26] = 0xfd;
	p[59] = 0;
	p[60] = cookie;
	memcpy(p + 61 + cookie, tail, sizeof(tail));
	return 25 + body;
}

static void dtls_hellos_and_their_answers(void **state)
{
	(void)state;
	uint8_t p[300];
	struct vpn_first first, other;
	struct tls_client_hello hello;
	for (uint8_t cookie = 0; cookie <= 20; cookie += 20) {
		size_t n = dtls_hello(p, cookie);
		assert_true(vpn_first_datagram(p, n, n, &first));
		assert_int_equal(first.proto, VPN_DTLS);
		assert_int_equal(first.cookie, cookie != 0);
		assert_string_equal(first.variant, "1.2");
		assert_true(dtls_hello_read(p, n, n, &hello));
		assert_string_equal(hello.sni, "a.exampl");
		assert_memory_equal(p + hello.sni_offset, "a.exampl", 8);
		assert_int_equal(hello.hello_end, n);
		assert_false(hello.truncated);
		assert_int_equal(hello.highest_version, DTLS_1_2);
		assert_memory_equal(hello.ja4, "dd2d0101", 8);
		assert_true(dtls_hello_read(p, n - 4, n, &hello)); /* cut: a name less */
		assert_true(hello.truncated && !hello.has_sni);
		p[22] = 1; /* a fragment longer than its record */
		assert_false(vpn_first_datagram(p, n, n, &other));
		p[22] = 0, p[21] = 1; /* a later fragment */
		assert_false(vpn_first_datagram(p, n, n, &other));
		p[21] = 0, p[13] = 3; /* HelloVerifyRequest */
		assert_false(vpn_first_datagram(p, n, n, &other));
		assert_true(vpn_answer_datagram(p, n, n, &first));
		p[13] = 11; /* a certificate does not come first */
		assert_false(vpn_answer_datagram(p, n, n, &first));
		p[13] = 2, p[4] = 1; /* not in the clear */
		assert_false(vpn_answer_datagram(p, n, n, &first));
	}
	assert_int_equal(dtls_kind((const uint8_t *)"\x17"), VPN_DATA);
	assert_int_equal(dtls_kind((const uint8_t *)"\x2e"), VPN_DATA);
	assert_int_equal(dtls_kind((const uint8_t *)"\x80"), VPN_OTHER);
}

/* Each exemption alone, at its edge. 0x1e has four bits and is not printable. */
static void fully_encrypted_and_each_exemption(void **state)
{
	(void)state;
	uint8_t p[100];
	memset(p, 0x1e, sizeof(p));
	assert_true(fet_is(p, sizeof(p)));
	assert_false(fet_is(p, 0));
	memset(p, 0x07, 60); /* Ex1: 60 * 3 + 40 * 4 = 340 */
	assert_false(fet_is(p, sizeof(p)));
	p[59] = 0x1e;
	assert_true(fet_is(p, sizeof(p)));
	memset(p, 0x9f, 60); /* 60 * 6 + 40 * 4 */
	assert_false(fet_is(p, sizeof(p)));
	memset(p, 0x1e, sizeof(p));
	memset(p, '[', 5); /* Ex2: six of them */
	assert_true(fet_is(p, sizeof(p)));
	p[5] = '[';
	assert_false(fet_is(p, sizeof(p)));
	memset(p, 0x1e, sizeof(p));
	for (unsigned i = 0; i < 50; i++) /* Ex3: more than half */
		p[2 * i + 1] = 'K';
	assert_true(fet_is(p, sizeof(p)));
	p[50] = 'K';
	assert_false(fet_is(p, sizeof(p)));
	memset(p, 0x1e, sizeof(p));
	memset(p + 30, 'K', 20); /* Ex4: more than 20 */
	assert_true(fet_is(p, sizeof(p)));
	p[50] = 'K';
	assert_false(fet_is(p, sizeof(p)));
	memset(p, 0x1e, sizeof(p));
	memcpy(p, "\x16\x03\x09", 3); /* Ex5 */
	assert_false(fet_is(p, sizeof(p)));
	p[2] = 0x0a;
	assert_true(fet_is(p, sizeof(p)));
	memcpy(p, "PAT", 3);
	assert_false(fet_is(p, sizeof(p)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_datagrams_are_nothing),
		cmocka_unit_test(look_alikes_are_nothing),
		cmocka_unit_test(openvpn_resets_of_all_kinds),
		cmocka_unit_test(openvpn_encrypted_resets),
		cmocka_unit_test(openvpn_over_tcp),
		cmocka_unit_test(wireguard_and_its_variant),
		cmocka_unit_test(ike_and_l2tp),
		cmocka_unit_test(pptp_and_ssh),
		cmocka_unit_test(keepalives_and_esp_beside_ike),
		cmocka_unit_test(data_without_a_handshake_is_guessed),
		cmocka_unit_test(other_datagrams_are_not_data),
		cmocka_unit_test(dtls_hellos_and_their_answers),
		cmocka_unit_test(fully_encrypted_and_each_exemption),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
