/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The short way of evidence_packet() leaves what the long one does: on connections in which one packet in
 * eight is unlike the others in some way, each packet that takes it is also led the long way.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "classifiers/tamper/evidence.c"

#define CONNECTIONS 1000
#define PACKETS 48
#define MSS 1000

static uint64_t state_of_chance;

static unsigned below(unsigned n)
{
	state_of_chance ^= state_of_chance << 13;
	state_of_chance ^= state_of_chance >> 7;
	state_of_chance ^= state_of_chance << 17;
	return (unsigned)(state_of_chance >> 32) % n;
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

struct talk {
	struct evidence ev;
	struct evidence_room room;
	struct evidence_counters n;
	struct flow f;
	uint32_t next[2], acked[2];
	uint64_t now_ns;
	unsigned number;
	bool ts, mac, df[2];
	uint8_t ttl[2];
	uint8_t bytes[2 * MSS];
};

static void make_odd(struct talk *t, struct headers *h, enum dir dir)
{
	static const uint16_t flags[] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST,
					 TCP_RST | TCP_ACK, 0};
	switch (below(10)) {
	case 0:
		h->ttl = (uint8_t)(t->ttl[dir] + below(30) - 15);
		break;
	case 1:
		h->df = !h->df;
		break;
	case 2:
		h->has_ts = !h->has_ts;
		break;
	case 3:
		h->seq += below(5) - 2;
		break;
	case 4:
		h->seq -= below(3 * MSS);
		break;
	case 5:
		h->ack += below(2 * MSS);
		break;
	case 6:
		h->flags = flags[below(6)];
		break;
	case 7:
		h->payload_len = h->payload_caplen = below(3);
		break;
	case 8:
		h->payload_len = h->payload_caplen = MSS + below(MSS);
		break;
	default:
		h->has_mac = !h->has_mac;
		break;
	}
}

static struct headers next_headers(struct talk *t, enum dir dir, bool first)
{
	uint32_t len = first || one_in(3) ? 0 : 1 + below(MSS);
	struct headers h = {
		.end = DECODE_OK, .ip_version = t->f.key.ip_version, .proto = 6, .ttl = t->ttl[dir],
		.df = t->df[dir], .ip_id = (uint16_t)t->number, .tcp_hlen = 32, .has_ts = t->ts,
		.tsval = t->number, .flags = TCP_ACK, .seq = t->next[dir],
		.ack = t->next[dir_other(dir)], .window = 500, .has_mac = t->mac, .src_mac = {2, dir},
		.payload = t->bytes, .payload_len = len, .payload_caplen = len,
	};
	if (first) {
		h.flags = dir == DIR_C2S ? TCP_SYN : TCP_SYN | TCP_ACK;
		h.has_mss = !one_in(4);
		h.mss = MSS;
	}
	return h;
}

static void begin(struct talk *t, uint64_t seed)
{
	state_of_chance = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	free(t->ev.events);
	free(t->ev.more != NULL ? t->ev.more->page : NULL);
	free(t->ev.more);
	*t = (struct talk){.now_ns = UINT64_C(1700000000000000000)};
	t->f.id = seed + 1;
	t->f.key.ip_version = one_in(4) ? 6 : 4;
	t->ts = one_in(2);
	t->mac = !one_in(4);
	for (unsigned d = 0; d < 2; d++) {
		/* Some go past 2^32. */
		t->next[d] = one_in(2) ? 0u - below(4 * MSS) : below(UINT32_MAX);
		t->df[d] = one_in(2);
		t->ttl[d] = (uint8_t)(40 + below(25));
	}
}

static void assert_same(const struct evidence *a, const struct evidence *b)
{
	assert_memory_equal(a->half, b->half, sizeof(a->half));
	assert_int_equal(a->found, b->found);
	assert_int_equal(a->frozen, b->frozen);
	assert_int_equal(a->n_probes, b->n_probes);
	assert_int_equal(a->tso, b->tso);
	assert_int_equal(a->bytes_frame, b->bytes_frame);
	assert_int_equal(a->more != NULL, b->more != NULL);
	if (a->more != NULL)
		assert_memory_equal(a->more->resent, b->more->resent, sizeof(a->more->resent));
}

/* Whether it took the short way. */
static bool packet(struct talk *t, enum dir dir, struct headers *h)
{
	struct packet pkt = {.ts_ns = t->now_ns, .frame = ++t->number};
	struct event e = evidence_event(t->ev.half[dir].mac, dir, &pkt, h), same = e;
	struct evidence long_way = t->ev;
	struct evidence_more more;
	struct evidence_counters n = t->n;
	static struct evidence_room room;

	t->ev.ipv6 = long_way.ipv6 = t->f.key.ip_version == 6;
	if (t->ev.more != NULL) {
		more = *t->ev.more;
		long_way.more = &more;
	}
	bool went_on = goes_on(&t->ev, dir, &e, h, &t->n);
	if (went_on) {
		room = t->room;
		stands_out(&long_way, &room, &t->f, dir, &same, h, &n);
		assert_same(&t->ev, &long_way);
		assert_memory_equal(&n, &t->n, sizeof(n));
		assert_memory_equal(&same, &e, sizeof(e));
		assert_memory_equal(&room, &t->room, sizeof(room));
	} else {
		stands_out(&t->ev, &t->room, &t->f, dir, &e, h, &t->n);
	}
	evidence_append(&t->ev, &t->room, &e, &t->n);
	return went_on;
}

static void both_ways_agree(void **state)
{
	static struct talk t;
	unsigned went_on = 0, odd_went_on = 0, all = 0;
	(void)state;
	for (unsigned c = 0; c < CONNECTIONS; c++) {
		begin(&t, c);
		for (unsigned i = 0; i < PACKETS; i++) {
			enum dir dir = i < 2 ? (enum dir)i : (enum dir)below(2);
			struct headers h = next_headers(&t, dir, i < 2);
			bool odd = one_in(8);
			if (odd)
				make_odd(&t, &h, dir);
			t.now_ns += below(3) * UINT64_C(20000000);
			bool short_way = packet(&t, dir, &h);
			went_on += short_way;
			odd_went_on += short_way && odd;
			all++;
			if ((h.flags & TCP_RST) == 0)
				t.next[dir] = t.ev.half[dir].next;
		}
	}
	print_message("%u of %u packets went the short way, %u of them odd\n", went_on, all, odd_went_on);
	assert_true(went_on > all / 3);
	assert_true(odd_went_on > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways_agree)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
