/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Frames to scrub, with right checksums, and what their ends are called afterwards. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/packet_build.h"
#include "tools/privacy/scrub.h"
#include "tools/privacy/scrub_walk.h"

/* packet_build.h: 10.0.0.1 is the client, 10.0.0.2 the server. */
static const uint8_t client4[4] = {10, 0, 0, 1}, server4[4] = {10, 0, 0, 2};
static const uint8_t client6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
static const uint8_t server6[16] = {0x20, 1, 0xd, 0xb8, [15] = 2};

static struct pseudonyms *names;
static struct names_key names_key;
static struct scrub *scrub;
static uint8_t as4[4], as6[16];
static uint8_t out[512];

static inline struct ip_addr address(const char *text)
{
	struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff}};
	if (inet_pton(AF_INET, text, a.b + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

static inline void start(bool keep_payload, bool redact_names)
{
	static const uint8_t key[CRYPTO_PAN_KEY] = {3, 1, 4, 1, 5};
	struct ip_addr a, as;
	assert_int_equal(pseudonyms_new(&names, key), 0);
	a = address("10.0.0.2");
	assert_int_equal(pseudonyms_note(names, &a, ROLE_SHOWN), 0);
	a = address("198.51.100.9");
	assert_int_equal(pseudonyms_note(names, &a, ROLE_SHOWN), 0);
	a = address("2001:db8::2");
	assert_int_equal(pseudonyms_note(names, &a, ROLE_SHOWN), 0);
	struct ip_addr c4 = address("10.0.0.1"), c6 = address("2001:db8::1");
	assert_int_equal(pseudonyms_note(names, &c4, ROLE_CLIENT), 0);
	assert_int_equal(pseudonyms_note(names, &c6, ROLE_CLIENT), 0);
	assert_int_equal(pseudonyms_settle(names), 0);
	assert_true(pseudonyms_of(names, &c4, &as));
	memcpy(as4, as.b + 12, 4);
	assert_true(pseudonyms_of(names, &c6, &as));
	memcpy(as6, as.b, 16);
	assert_int_equal(names_key_make(&names_key, key, sizeof(key)), 0);
	struct scrub_config cfg = {.pseudonyms = names,
				   .keep_payload = keep_payload,
				   .names = redact_names ? &names_key : NULL};
	assert_int_equal(scrub_new(&scrub, &cfg), 0);
}

static inline void stop(void)
{
	scrub_free(scrub);
	names_key_forget(&names_key);
	pseudonyms_free(names);
}

static inline uint32_t scrub_build(const struct build *k, uint32_t linktype)
{
	struct packet pkt = packet_of(k, linktype);
	memset(out, 0xee, sizeof(out));
	return scrub_packet(scrub, &pkt, out);
}

static inline uint16_t folded(const struct walk_ip *ip, const uint8_t *p, size_t n)
{
	uint64_t sum = inet_sum(p, n);
	if (ip != NULL) {
		const uint8_t pseudo[8] = {
			[2] = (uint8_t)(n >> 8), [3] = (uint8_t)n, [7] = ip->proto};
		size_t at = ip->version == 4 ? 12 : 0;
		sum += inet_sum(pseudo, 8) + inet_sum(ip->src.b + at, 16 - at) +
		       inet_sum(ip->dst.b + at, 16 - at);
	}
	return inet_fold(sum);
}

/* The pseudo header of the IP header at offset at of p. */
static inline struct walk_ip pseudo_of(const uint8_t *p, uint8_t proto)
{
	struct walk_ip ip = {.version = p[0] >> 4, .proto = proto};
	if (ip.version == 4) {
		memcpy(ip.src.b + 12, p + 12, 4);
		memcpy(ip.dst.b + 12, p + 16, 4);
	} else {
		memcpy(ip.src.b, p + 8, 16);
		memcpy(ip.dst.b, p + 24, 16);
	}
	return ip;
}

/* Writes the right checksum of the n bytes at offset at; the field lies field bytes into them. */
static inline void set_sum(struct build *k, size_t ip_at, uint8_t proto, size_t at, size_t n, size_t field)
{
	struct walk_ip ip = pseudo_of(k->b + ip_at, proto);
	memset(k->b + at + field, 0, 2);
	uint16_t sum = (uint16_t)~folded(&ip, k->b + at, n);
	memcpy(k->b + at + field, &sum, 2);
}

static inline bool sum_right(const uint8_t *frame, size_t ip_at, uint8_t proto, size_t at, size_t n)
{
	struct walk_ip ip = pseudo_of(frame + ip_at, proto);
	return folded(&ip, frame + at, n) == 0xffff;
}

static inline struct build tcp4(size_t options, const void *payload, size_t n)
{
	struct build k = {0};
	put_ether(&k, 0x0800);
	put_ip4(&k, 6, 20 + options + n);
	put_tcp(&k, TCP_PSH | TCP_ACK, options);
	memset(k.b + k.n, 1, options);
	k.n += options;
	if (n != 0)
		put_bytes(&k, payload, n);
	set_sum(&k, 14, 6, 34, 20 + options + n, 16);
	return k;
}
