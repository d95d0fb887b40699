/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Datagrams cut into fragments, for the tests of what puts them together. Included after decode*.c. */

#include "tests/unit/packet_build.h"

#define SECOND 1000000000ull

static inline struct decoder *new_decoder(size_t memory)
{
	struct decoder *d = NULL;
	assert_int_equal(decoder_new(&d, &(struct decoder_config){.memory = memory}), 0);
	return d;
}

/* TCP with 76 bytes of payload, so 96 after the IP header: 12 units. */
static inline void put_datagram(struct build *k, unsigned version)
{
	if (version == 4)
		put_ip4(k, 6, 96);
	else
		put_ip6(k, 6, 96);
	put_tcp(k, TCP_PSH | TCP_ACK, 0);
	for (unsigned i = 0; i < 76; i++)
		put(k, 1, 'A' + i % 26);
}

/* Bytes from..to of the IP payload of the datagram at ip, as a fragment behind what out has. */
static inline void put_fragment(struct build *out, const struct build *k, size_t ip, uint32_t from,
				uint32_t to, uint16_t id)
{
	bool v4 = k->b[ip] >> 4 == 4;
	size_t head = v4 ? 20 : 40, at = out->n, all = k->n - ip - head;
	bool more = to < all;
	put_bytes(out, k->b + ip, head);
	if (v4) {
		set16(out, at + 2, (uint16_t)(20 + to - from));
		set16(out, at + 4, id);
		set16(out, at + 6, (uint16_t)(0x4000 | more << 13 | from / 8));
		put_checksum(out, at, 20);
	} else {
		set16(out, at + 4, (uint16_t)(8 + to - from));
		out->b[at + 6] = 44;
		put(out, 2, k->b[ip + 6] << 8);
		put(out, 2, from | more);
		put(out, 4, id);
	}
	put_bytes(out, k->b + ip + head + from, to - from);
}

static inline const struct packet *run(struct decoder *d, const struct build *k, uint64_t frame,
				       uint64_t ts_ns, struct headers *h)
{
	/* Static: what the decoder keeps must be its own copy. */
	static struct packet pkt;
	free(backing);
	backing = malloc(k->n);
	assert_non_null(backing);
	memcpy(backing, k->b, k->n);
	pkt = packet_of(k, LINKTYPE_RAW);
	pkt.data = backing;
	pkt.frame = frame;
	pkt.ts_ns = ts_ns;
	const struct packet *whole = NULL;
	return decoder_run(d, &pkt, h, &whole) ? whole : NULL;
}

static inline const struct packet *run_part(struct decoder *d, const struct build *k, uint32_t from,
					    uint32_t to, uint64_t frame, struct headers *h)
{
	struct build part = {0};
	put_fragment(&part, k, 0, from, to, 0x77);
	return run(d, &part, frame, frame * SECOND, h);
}

static inline void assert_whole(const struct packet *whole, const struct headers *h, unsigned version)
{
	struct build k = {0};
	put_datagram(&k, version);
	size_t head = version == 4 ? 20 : 40;
	assert_non_null(whole);
	assert_int_equal(h->end, DECODE_OK);
	assert_int_equal(h->anomalies, 0);
	assert_int_equal(h->ip_version, version);
	assert_int_equal(h->sport, 40000);
	assert_int_equal(h->ip_len, head + 96);
	assert_false(h->mf);
	assert_int_equal(h->frag_offset, 0);
	assert_int_equal(h->payload_len, 76);
	assert_memory_equal(h->payload, k.b + head + 20, 76);
	assert_int_equal(whole->linktype, LINKTYPE_RAW);
	assert_int_equal(whole->caplen, k.n);
	assert_int_equal(whole->wirelen, k.n);
}
