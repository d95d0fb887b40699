/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Messages of one flow through the VPN classifier. Input: a byte whose bit 0 says TCP, bit 1 port 4500
 * and bit 2 GRE in the place of UDP, then records of an operation (bit 0: from the server; bit 1: cut
 * by the capture; bit 2: the stream ends), half a length, and that many bytes.
 */

#include "classifiers/classifier_vpn.c"

#include "dataplane/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static void check(const struct vpn_facts *v)
{
	require(v->proto < VPN_N && (v->proto != VPN_NONE || v->fet));
	require(memchr(v->variant, '\0', sizeof(v->variant)) != NULL);
	require(!(v->both && v->midway));
	require(!v->complete || (v->both && v->data[0] + v->data[1] != 0));
	require((v->first_data_ns == 0) == (v->data[0] + v->data[1] == 0));
}

static void check_exchange(const struct vpn_exchange *q, const struct vpn_facts *v)
{
	require(q->x.next == NULL && q->x.kind == EXCHANGE_VPN && q->proto == v->proto);
	require(q->n_flights <= q->n_initiations && q->kept_after <= VPN_AFTER);
	require(q->heard || q->data_heard == 0);
	require(!q->answered || q->heard);
	for (unsigned i = 1; i < q->x.n_events; i++)
		require(q->x.events[i - 1].frame < q->x.events[i].frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vpn_flow x = {.t = NULL};
	struct tunnel_room room = {.used = 0};
	struct app_facts facts = {.app_proto = NULL};
	struct label said = {0};
	struct flow f = {.key = {.ip_version = 4}, .syn_seen = {true, true}};
	struct cursor c = cursor_of(data, size);
	struct packet pkt = {.ts_ns = 1};
	unsigned how = cursor_u8(&c);
	bool tcp = (how & 1) != 0, packets = !tcp, streams[2] = {tcp, tcp};
	f.key.proto = tcp ? IPPROTO_TCP : (how & 4) != 0 ? IPPROTO_GRE : IPPROTO_UDP;
	f.key.lo_port = (how & 2) != 0 ? NATT_PORT : 0;
	while ((packets || streams[0] || streams[1]) && cursor_left(&c) >= 2) {
		unsigned op = cursor_u8(&c);
		size_t len = cursor_u8(&c) * 2u;
		len = len < cursor_left(&c) ? len : cursor_left(&c);
		const uint8_t *bytes = cursor_bytes(&c, len);
		uint8_t *exact = malloc(len != 0 ? len : 1);
		require(exact != NULL);
		if (len != 0)
			memcpy(exact, bytes, len);
		enum dir dir = (op & 1) != 0 ? DIR_S2C : DIR_C2S;
		struct headers h = {.payload = exact, .payload_caplen = (uint32_t)len,
				    .payload_len = (uint32_t)len + ((op & 2) != 0 ? 40 : 0),
				    .l3 = exact, .l3_caplen = (uint32_t)len,
				    .ip_len = (uint32_t)len + ((op & 2) != 0 ? 40 : 0)};
		pkt.ts_ns += 1000000000;
		pkt.frame++;
		packets = packets &&
			  packet(&room, &x, &f, dir, &pkt, &h, &facts, &said) == CLASSIFY_MORE;
		if (streams[dir] && len != 0)
			streams[dir] = stream(NULL, &x, &f, dir, &pkt, &h, exact, len, &facts) ==
				       CLASSIFY_MORE;
		if (streams[dir] && (op & 4) != 0 && len != 0) {
			stream_end(NULL, &x, &f, dir, exact, len, &facts);
			streams[dir] = false;
		}
		free(exact);
	}
	flow_end(&room, &x, &f, &facts, &said);
	require(room.used == 0);
	if (facts.vpn != NULL)
		check(facts.vpn);
	if (facts.done != NULL) {
		require(facts.vpn != NULL);
		check_exchange(vpn_exchange_of(facts.done), facts.vpn);
		exchange_free(facts.done);
	}
	free(facts.vpn);
	free(facts.tls);
	return 0;
}
