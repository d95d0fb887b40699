/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Input: link type (2 bytes), what to do (1), loop (2), bytes missing at the end (2), then a
 * packet. It is sent as it is and as rewritten: nothing is written past the frame, the length is
 * the one that was planned, and a TCP checksum that was right still is.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/cursor.h"
#include "dataplane/decode.h"
#include "dataplane/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

/* In an allocation of the exact size; NULL: it does not go. present: of len, what was captured. */
static uint8_t *sent(const struct rewrite_config *cfg, const struct packet *pkt, uint64_t loop,
		     uint32_t *len, uint32_t *present)
{
	const struct rewrite_macs macs = {.set_src = true, .src = {2}};
	struct rewrite_plan plan;
	struct frame f = {.data = NULL};

	rewrite_plan(cfg, pkt, &plan);
	require(plan.end < REWRITE_N);
	if (plan.end != REWRITE_OK)
		return NULL;
	require(plan.present <= plan.len && plan.len >= 14);
	f.data = malloc(plan.len);
	f.room = plan.len;
	if (f.data == NULL)
		return NULL;
	rewrite_frame(cfg, &macs, pkt, &plan, loop, &f);
	require(f.len == plan.len);
	*len = f.len;
	*present = plan.present;
	return f.data;
}

/* 1 right, 0 wrong, -1 cannot be told: a sum over what was put in for missing bytes says nothing.
 */
static int tcp_sum(const uint8_t *frame, uint32_t len, uint32_t present, uint16_t *hlen)
{
	struct packet pkt = {
		.data = frame, .caplen = present, .wirelen = len, .linktype = LINKTYPE_ETHERNET};
	struct headers h;

	packet_decode(&pkt, &h);
	*hlen = h.ip_hlen;
	/* A routing header changes which destination is summed. */
	if (h.proto != 6 || !tcp_is_whole(&h) || (h.ip_version == 6 && h.ip_hlen != 40))
		return -1;
	return tcp_checksum_ok(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	struct packet pkt = {.linktype = cursor_be16(&c)};
	uint8_t what = cursor_u8(&c);
	uint64_t loop = cursor_be16(&c);
	uint32_t missing = cursor_be16(&c);
	uint32_t len = 0, new_len = 0, present = 0, new_present = 0;
	uint16_t hlen, new_hlen;

	if (!cursor_ok(&c))
		return 0;
	struct rewrite_config cfg = {.truncated = (what & 1) ? REWRITE_CUT_PAD : REWRITE_CUT_REFUSE,
				     .vlan = (what & 2) ? 100 : 0,
				     .mtu = (what & 4) ? 1500 : 100000};
	const struct rewrite_config plain = cfg;
	cfg.vary = (enum rewrite_vary)(what >> 4 & 3) % 3;
	cfg.n_maps = (what & 8) ? 2 : 0;
	require(rewrite_map_parse("10.0.0.0/9=198.18.0.0/9", &cfg.maps[0]) == 0);
	require(rewrite_map_parse("2001:db8::/32=fd00::/32", &cfg.maps[1]) == 0);
	/* A copy of the exact size, so that a sanitizer sees one byte too many. */
	pkt.caplen = (uint32_t)cursor_left(&c);
	uint8_t *copy = malloc(pkt.caplen != 0 ? pkt.caplen : 1);
	if (copy == NULL)
		return 0;
	memcpy(copy, data + size - pkt.caplen, pkt.caplen);
	pkt.data = copy;
	pkt.wirelen = pkt.caplen + missing;
	uint8_t *before = sent(&plain, &pkt, 0, &len, &present);
	uint8_t *after = sent(&cfg, &pkt, loop, &new_len, &new_present);
	require((before == NULL) == (after == NULL) && len == new_len);
	if (before != NULL && tcp_sum(before, len, present, &hlen) == 1)
		require(tcp_sum(after, new_len, new_present, &new_hlen) == 1 && hlen == new_hlen);
	free(before);
	free(after);
	free(copy);
	return 0;
}
