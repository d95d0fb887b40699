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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	struct decoder *d;
	uint32_t linktype = cursor_be16(&c);
	struct packet pkt = {.linktype = linktype};
	uint64_t runs = 0, ends = 0;
	if (decoder_new(&d, &(struct decoder_config){.memory = 1}) != 0)
		return 0;
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
	return 0;
}
