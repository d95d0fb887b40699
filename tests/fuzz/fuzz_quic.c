/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Datagrams of one flow through the QUIC classifier. Input: records of an operation, two bytes of
 * length, and that many bytes. Operations: bit 0 from the server; bit 1 the bytes are the plaintext
 * of an Initial, so that what lies behind the AEAD is reached; bit 2 the capture cut the datagram
 * short; bit 3 an ICMP error instead; bits 4 to 7 how much later, in units of 20 ms.
 */

#include <stdlib.h>
#include <string.h>

#include "classifiers/classifier_quic.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static void check_exchange(const struct quic_exchange *q)
{
	require(q->opened && q->x.kind == EXCHANGE_QUIC && q->x.name == q->sni);
	require(memchr(q->sni, '\0', sizeof(q->sni)) != NULL);
	require(q->x.n_events <= EXCHANGE_EVENTS && q->n_flights <= q->n_initials);
	require(q->first_ns <= q->last_ns && q->n_odd <= QUIC_ODDS);
	require(q->x.end != ATTEMPT_SILENT || (q->n_answers == 0 && q->x.n_icmp == 0));
	for (unsigned i = 0; i < q->n_odd; i++)
		require(q->odd[i].event < q->x.n_events);
}

static void take(struct app_facts *facts)
{
	while (facts->done != NULL) {
		struct exchange *x = facts->done;
		facts->done = x->next;
		check_exchange(quic_exchange_of(x));
		exchange_free(x);
	}
}

/* Packets lie within their datagram, one behind the other, whoever made them. */
static void check_packets(const uint8_t *data, size_t size, bool cut)
{
	struct cursor c = cursor_of(data, size);
	struct quic_packet p;
	const uint8_t *at = data;
	while (quic_packet_next(&c, cut, &p)) {
		require(p.data == at && p.len != 0 && p.len <= (size_t)(data + size - at));
		require(p.pn_offset <= p.len && (cut || !p.cut));
		require(p.dcid.len <= QUIC_CID_MAX && p.scid.len <= QUIC_CID_MAX);
		at = p.data + p.len;
	}
}

static void check_frames(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	struct quic_frame f;
	while (quic_frame_next(&c, &f))
		require(f.type != QUIC_CRYPTO ||
			(f.data >= data && f.len <= (size_t)(data + size - f.data)));
}

/* An attempt of whichever version the plaintext is for. */
static bool plain_begin(struct quic_flow *x, struct quic_shard *s, const struct flow *f,
			struct app_facts *facts)
{
	struct quic_packet p = {.kind = QUIC_INITIAL, .version = QUIC_V1, .dcid = {.len = 8}};
	if (x->g == NULL)
		x->g = calloc(1, sizeof(*x->g));
	require(x->g != NULL);
	if (facts->quic == NULL)
		require(facts_begin(facts, &p));
	return x->g->ex != NULL || attempt_begin(x->g, s, f, &p, facts);
}

static enum classify feed(struct quic_flow *x, struct quic_shard *s, const struct flow *f,
			  unsigned op, uint64_t now, const uint8_t *data, size_t size,
			  struct app_facts *facts)
{
	struct packet pkt = {.data = data, .caplen = (uint32_t)size, .ts_ns = now, .frame = 1};
	struct headers h = {.proto = PROTO_UDP, .payload = data, .payload_caplen = (uint32_t)size,
			    .payload_len = (uint32_t)size + ((op & 4) != 0 ? 1000 : 0), .ttl = 64};
	struct label label = {0};
	enum dir dir = (op & 1) != 0 ? DIR_S2C : DIR_C2S;
	if ((op & 8) != 0) {
		icmp(s, x, f, dir, &pkt, &h, facts);
		return CLASSIFY_MORE;
	}
	if ((op & 2) == 0) {
		check_packets(data, size, (op & 4) != 0);
		return packet(s, x, f, dir, &pkt, &h, facts, &label);
	}
	check_frames(data, size);
	if (dir == DIR_C2S && plain_begin(x, s, f, facts)) {
		struct datagram d = datagram_of(dir, &pkt, &h);
		if (!x->g->whole)
			initial_read(x->g, s, &d, data, size, facts);
		count_initial(x->g->ex, &d);
	}
	return CLASSIFY_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct quic_shard s = {.crypto = NULL};
	struct quic_flow x = {.g = NULL};
	struct app_facts facts = {.app_proto = NULL};
	struct flow f = {.key = {.proto = PROTO_UDP, .ip_version = 4, .lo_port = 40000,
				 .hi_port = 443},
			 .client_is_lo = true};
	uint64_t now = 1700000000000000000u;
	enum classify more = CLASSIFY_MORE;
	struct cursor c = cursor_of(data, size);
	require(shard_open(&s, NULL) == 0);
	while (more == CLASSIFY_MORE && cursor_left(&c) >= 3) {
		unsigned op = cursor_u8(&c);
		size_t len = cursor_be16(&c);
		len = len < cursor_left(&c) ? len : cursor_left(&c);
		const uint8_t *bytes = cursor_bytes(&c, len);
		uint8_t *exact = malloc(len != 0 ? len : 1);
		require(exact != NULL);
		if (len != 0)
			memcpy(exact, bytes, len);
		now += (op >> 4) * 20000000u;
		more = feed(&x, &s, &f, op, now, exact, len, &facts);
		free(exact);
		take(&facts);
	}
	struct label label = {0};
	flow_end(&s, &x, &f, &facts, &label);
	take(&facts);
	require(s.pool.used == 0);
	if (facts.quic != NULL)
		require(!facts.quic->has_tls || facts.quic->opened);
	free(facts.quic);
	shard_close(&s);
	return 0;
}
