/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Input: the link type, then packets, each behind the two bytes of its length and one of its age in
 * quarter seconds. What decode says of them must lie within their bytes.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/cursor.h"
#include "dataplane/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void check_within(const struct packet *pkt, const uint8_t *p, uint32_t len)
{
	require(p == NULL ? len == 0 : p >= pkt->data && p + len <= pkt->data + pkt->caplen);
}

static void check(const struct packet *pkt, const struct headers *h)
{
	check_within(pkt, h->l3, h->l3_caplen);
	check_within(pkt, h->payload, h->payload_caplen);
	require(h->end < DECODE_N_ENDS);
	require(h->payload_caplen <= h->payload_len);
	require(h->payload_len <= pkt->wirelen || h->payload_len <= pkt->caplen);
	require(h->ip_version == 0 || h->ip_version == 4 || h->ip_version == 6);
	require(h->end != DECODE_OK || (h->ip_version != 0 && h->reached == LAYER_TRANSPORT));
	require(h->n_tunnels <= TUNNELS_MAX && h->n_vlans <= 2 && h->n_sack <= 4);
	require(h->n_options <= TCP_OPTIONS_MAX && (h->flags & ~0xfff) == 0);
	require(h->ip_version == 0 || h->end == DECODE_FRAGMENT || h->l3_caplen >= 20);
	tcp_checksum_ok(h);
	char text[46];
	ip_addr_format(&h->src, h->ip_version, text, sizeof(text));
}

/* Of a packet that it takes, d[0] says in decoder_sort() what d[1] does in decoder_run(). */
static void check_sorted(struct decoder *d[2], const struct packet *pkt, const struct headers *h)
{
	const struct packet *whole;
	struct ip_addr src, dst;
	struct headers run;
	if (!decoder_sort(d[0], pkt, &src, &dst))
		return;
	require(h->end == DECODE_OK && h->ip_version == 4 && !h->is_icmp_error);
	require(memcmp(&src, &h->src, sizeof(src)) == 0 && memcmp(&dst, &h->dst, sizeof(dst)) == 0);
	require(decoder_run(d[1], pkt, &run, &whole) && whole == pkt);
	require(memcmp(decoder_stats(d[0]), decoder_stats(d[1]), sizeof(struct decoder_stats)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	struct decoder *d, *sorters[2] = {NULL, NULL};
	uint32_t linktype = cursor_be16(&c);
	struct packet pkt = {.linktype = linktype};
	uint64_t runs = 0, ends = 0;
	if (decoder_new(&d, &(struct decoder_config){.memory = 1}) != 0)
		return 0;
	require(decoder_new(&sorters[0], &(struct decoder_config){.memory = 1}) == 0 &&
		decoder_new(&sorters[1], &(struct decoder_config){.memory = 1}) == 0);
	while (cursor_ok(&c) && cursor_left(&c) > 3) {
		uint16_t len = cursor_be16(&c);
		pkt.ts_ns += cursor_u8(&c) * 250000000ull;
		pkt.frame++;
		pkt.caplen = (uint32_t)(len < cursor_left(&c) ? len : cursor_left(&c));
		pkt.wirelen = len;
		/* A copy of the exact size, so that a sanitizer sees one byte too many. */
		uint8_t *copy = malloc(pkt.caplen != 0 ? pkt.caplen : 1);
		if (copy == NULL)
			break;
		if (pkt.caplen != 0)
			memcpy(copy, cursor_bytes(&c, pkt.caplen), pkt.caplen);
		pkt.data = copy;
		struct headers h;
		const struct packet *whole;
		packet_decode(&pkt, &h);
		check(&pkt, &h);
		check_sorted(sorters, &pkt, &h);
		if (decoder_run(d, &pkt, &h, &whole)) {
			check(whole, &h);
			decoder_release(d, whole);
		}
		free(copy);
		runs++;
	}
	for (unsigned i = 0; i < DECODE_N_ENDS; i++)
		ends += decoder_stats(d)->ends[i];
	require(ends == runs);
	decoder_free(d);
	decoder_free(sorters[0]);
	decoder_free(sorters[1]);
	return 0;
}
