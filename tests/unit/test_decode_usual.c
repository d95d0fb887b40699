/* SPDX-License-Identifier: BSD-3-Clause */

/* What is read at once is what the walk from header to header makes of the same frame. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/decode.c"

#define FRAMES 400000
#define FRAME_MAX 10000
#define HEADERS_MAX 80

static uint64_t state_of_chance = 88172645463325252u;

static unsigned below(unsigned n)
{
	state_of_chance ^= state_of_chance << 13;
	state_of_chance ^= state_of_chance >> 7;
	state_of_chance ^= state_of_chance << 17;
	return (unsigned)(state_of_chance >> 32) % n;
}

static void sum_header(uint8_t *ip)
{
	store_be16(ip + 10, 0);
	uint32_t sum = 0;
	for (unsigned i = 0; i < 20; i += 2)
		sum += load_be16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(ip + 10, (uint16_t) ~(sum + (sum >> 16)));
}

/* A segment or datagram as most are; its length. */
static uint32_t make(uint8_t *frame, bool timestamps)
{
	bool udp = below(3) == 0;
	uint32_t hlen = udp ? 8 : timestamps ? 32 : 20, len = 20 + hlen + below(below(2) ? 8 : 100);
	uint8_t *ip = frame + 14, *tcp = ip + 20;
	if (below(50) == 0)
		len = LARGEST_MTU - 8 + below(16);
	for (unsigned i = 0; i < HEADERS_MAX; i++)
		frame[i] = (uint8_t)below(256);
	if (below(2))
		memset(tcp + hlen, 0, 8);
	store_be16(frame + 12, 0x0800);
	ip[0] = 0x45;
	store_be16(ip + 2, (uint16_t)len);
	store_be16(ip + 6, below(2) ? 0x4000 : 0);
	ip[9] = udp ? 17 : 6;
	if (udp && below(20) == 0) {
		/* VXLAN (RFC 7348), with IP in Ethernet. */
		len = 20 + 8 + 8 + 14 + 40;
		store_be16(tcp + 2, VXLAN_PORT);
		tcp[8] = 8;
		store_be16(tcp + 28, 0x0800);
		tcp[30] = 0x45;
	} else if (udp && below(20) == 0) {
		/* GTP-U with IP, or what looks like it. */
		len = 20 + 8 + 8 + 20 + below(8);
		store_be16(tcp + 2, GTP_PORT);
		memcpy(tcp + 8, (const uint8_t[]){0x30, 255, 0, (uint8_t)(len - 36)}, 4);
		memcpy(tcp + 16, (const uint8_t[]){0x45, 0, 0, 20}, 4);
	} else if (udp && below(20) == 0) {
		len = 20 + below(8);
	}
	if (udp) {
		store_be16(ip + 2, (uint16_t)len);
		store_be16(tcp + 4, (uint16_t)(len - 20));
		return 14 + len;
	}
	tcp[12] = (uint8_t)(hlen << 2);
	tcp[13] = (uint8_t)(0x10 | below(2) << 3);
	if (timestamps)
		memcpy(tcp + 20, (const uint8_t[]){1, 1, 8, 10}, 4);
	return 14 + len;
}

/* Makes it unusual in one byte of the headers, in its length or in what was captured of it. */
static void make_odd(struct packet *pkt, uint8_t *frame)
{
	switch (below(6)) {
	case 0:
		pkt->caplen -= below(pkt->caplen);
		break;
	case 1:
		pkt->wirelen += below(20) - 10;
		break;
	case 2:
		pkt->caplen = pkt->wirelen += below(12);
		break;
	case 3:
		frame[12 + below(2)] = (uint8_t)below(256);
		break;
	case 4:
		frame[14 + below(20)] = (uint8_t)below(256);
		break;
	default:
		frame[34 + below(26)] = (uint8_t)below(256);
		break;
	}
}

static void walk(const struct packet *pkt, struct headers *out)
{
	memset(out, 0, sizeof(*out));
	out->sll_direction = 0xff;
	struct scan s;
	scan_start(&s, pkt, out);
	enum next next = scan_link(&s, pkt->linktype);
	if (next != NEXT_DONE)
		out->reached = LAYER_LINK;
	scan_all(&s, next);
}

/* And what only sorts packets takes the same ones. */
static void assert_sorted(const struct packet *pkt, const struct headers *h, bool usual)
{
	struct ip_addr src, dst;
	uint32_t anomalies;
	assert_int_equal(scan_usual_ends(pkt, &src, &dst, &anomalies), usual);
	if (!usual)
		return;
	assert_memory_equal(&src, &h->src, sizeof(src));
	assert_memory_equal(&dst, &h->dst, sizeof(dst));
	assert_int_equal(anomalies, h->anomalies);
}

static void both_ways_agree(void **state)
{
	static uint8_t frame[FRAME_MAX];
	unsigned usual = 0, odd_usual = 0;
	(void)state;
	for (unsigned i = 0; i < FRAMES; i++) {
		struct headers at_once, walked;
		struct packet pkt = {.data = frame, .linktype = LINKTYPE_ETHERNET};
		pkt.caplen = pkt.wirelen = make(frame, below(2));
		bool odd = below(2);
		if (odd)
			make_odd(&pkt, frame);
		if (below(8) != 0)
			sum_header(frame + 14);
		else if (below(2))
			store_be16(frame + 24, 0);
		/* With nothing behind what was captured, for AddressSanitizer to see. */
		uint8_t *captured = malloc(pkt.caplen);
		assert_non_null(captured);
		pkt.data = memcpy(captured, frame, pkt.caplen);
		memset(&at_once, 0, sizeof(at_once));
		at_once.sll_direction = 0xff;
		bool taken = scan_usual(&pkt, &at_once);
		assert_sorted(&pkt, &at_once, taken);
		if (taken) {
			walk(&pkt, &walked);
			assert_memory_equal(&at_once, &walked, sizeof(walked));
			usual++;
			odd_usual += odd;
		}
		free(captured);
	}
	print_message("%u of %u frames were usual, %u of them changed\n", usual, FRAMES, odd_usual);
	assert_true(usual > FRAMES / 4 && odd_usual > FRAMES / 100);
}

/* Nothing of a frame that is not read at once may be left behind. */
static void nothing_is_left(void **state)
{
	static uint8_t frame[FRAME_MAX];
	(void)state;
	for (unsigned i = 0; i < FRAMES / 10; i++) {
		struct headers h, empty;
		struct packet pkt = {.data = frame, .linktype = LINKTYPE_ETHERNET};
		pkt.caplen = pkt.wirelen = make(frame, below(2));
		make_odd(&pkt, frame);
		memset(&h, 0, sizeof(h));
		memset(&empty, 0, sizeof(empty));
		if (!scan_usual(&pkt, &h))
			assert_memory_equal(&h, &empty, sizeof(h));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways_agree),
					   cmocka_unit_test(nothing_is_left)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
