/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Two captures made here of one path, 20 ms long, packet by packet. Every case runs with sequence numbers
 * in the middle and across 2^32, and over IPv6. Included after compare.c.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define START   UINT64_C(1800000000000000000)
#define MS      UINT64_C(1000000)
#define TRANSIT 20
#define ACKED   TCP_ACK
#define PUSHED  (TCP_PSH | TCP_ACK)

struct segment {
	uint16_t port;   /* the client's; 0: 40000 */
	uint16_t flags, ip_id;
	int32_t seq, ack; /* relative to the initial numbers */
	const char *text; /* payload; NULL none */
	uint32_t len;    /* of it; 0: all of text */
	uint8_t ttl;     /* at its sender; 0: 64 */
	uint8_t server;  /* another one: the last byte of its address; 0: 50 */
	bool udp;        /* text in a datagram */
	bool gre;        /* text in GRE instead, which has neither ports nor numbers */
	bool damaged;    /* its checksum is wrong */
};

struct world {
	struct comparison *c;
	uint32_t isn[WAYS];
	bool v6;
	uint16_t next_id;
	uint64_t frames[SIDES];
	int64_t clock_ms;  /* the server's less the client's */
	uint16_t nat;      /* added to the client's port on the server's side, and another address */
	uint8_t hops;
};

static const struct {
	uint32_t isn;
	bool v6;
} settings[] = {{1000, false}, {UINT32_MAX - 20, false}, {1000, true}, {UINT32_MAX - 20, true}};

static inline struct ip_addr address(const struct world *w, uint8_t last)
{
	struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = last}};

	if (w->v6)
		a = (struct ip_addr){.b = {0x20, 0x01, 0x0d, 0xb8, [15] = last}};
	return a;
}

/* In one capture only, at that time of the client's clock. Returns the frame. */
static inline uint64_t only(struct world *w, enum compare_side side, enum compare_way way,
			    const struct segment *g, uint64_t ms, uint8_t ttl)
{
	bool up = way == WAY_UP, outside = side == SIDE_SERVER && w->nat != 0;
	struct ip_addr client = address(w, outside ? 99 : 10);
	struct ip_addr server = address(w, g->server != 0 ? g->server : 50);
	uint16_t port = (uint16_t)((g->port != 0 ? g->port : 40000) + (outside ? w->nat : 0));
	bool client_lo = memcmp(&client, &server, sizeof(client)) < 0;
	struct flow_key key = {.lo = client_lo ? client : server, .hi = client_lo ? server : client,
			       .lo_port = client_lo ? port : 443, .hi_port = client_lo ? 443 : port,
			       .proto = g->udp ? 17 : 6, .ip_version = w->v6 ? 6 : 4};
	uint32_t len = g->len != 0 ? g->len : g->text != NULL ? (uint32_t)strlen(g->text) : 0;
	struct headers h = {.ip_version = key.ip_version, .proto = 6, .ttl = ttl, .df = true,
			    .ip_id = w->v6 ? 0 : g->ip_id, .ip_len = 40 + len, .flags = g->flags,
			    .seq = w->isn[way] + (uint32_t)g->seq, .window = g->flags == TCP_RST ? 0 : 500,
			    .ack = (g->flags & TCP_ACK) != 0 ? w->isn[!way] + (uint32_t)g->ack : 0,
			    .payload = (const uint8_t *)g->text, .payload_len = len,
			    .payload_caplen = len};
	struct packet pkt = {.frame = ++w->frames[side],
			     .ts_ns = START + ms * MS + (side == SIDE_SERVER
							 ? (uint64_t)(w->clock_ms * (int64_t)MS) : 0)};

	if (g->udp)
		h = (struct headers){.ip_version = key.ip_version, .proto = 17, .ttl = ttl, .df = true,
				     .ip_id = h.ip_id, .ip_len = 28 + len, .payload = h.payload,
				     .payload_len = len, .payload_caplen = h.payload_caplen};
	uint8_t raw[20 + 20 + 16] = {0};
	if (g->damaged) {
		assert_in_range(len, 0, 16);
		raw[20 + 16] = raw[20 + 4] = 0x5a;
		raw[20 + 5] = (uint8_t)(h.ip_len - 20);
		raw[20 + 6] = 0xa5;
		h.src = client;
		h.dst = server;
		h.ip_hlen = 20;
		h.l3 = raw;
		h.l3_caplen = h.ip_len;
	}
	if (g->gre) {
		memcpy(raw + 20, g->text, len);
		key.lo_port = key.hi_port = 0;
		key.proto = 47;
		h = (struct headers){.ip_version = key.ip_version, .proto = 47, .ttl = ttl, .df = true,
				     .ip_id = h.ip_id, .end = DECODE_NO_PORTS, .l3 = raw, .ip_hlen = 20,
				     .l3_caplen = 20 + len, .ip_len = 20 + len};
	}
	view_add(&w->c->view[side], &key, up == client_lo, &pkt, &h);
	return pkt.frame;
}

static inline uint8_t ttl_of(const struct segment *g)
{
	return g->ttl != 0 ? g->ttl : 64;
}

static inline uint64_t sent(struct world *w, enum compare_way way, struct segment *g, uint64_t ms)
{
	g->ip_id = g->ip_id != 0 ? g->ip_id : ++w->next_id;
	return only(w, sender_of(way), way, g, ms, ttl_of(g));
}

static inline uint64_t got(struct world *w, enum compare_way way, const struct segment *g, uint64_t ms)
{
	return only(w, receiver_of(way), way, g, ms, (uint8_t)(ttl_of(g) - w->hops));
}

static inline void through(struct world *w, enum compare_way way, struct segment g, uint64_t ms)
{
	sent(w, way, &g, ms);
	got(w, way, &g, ms + TRANSIT);
}

static inline void handshake_with(struct world *w, uint8_t server, uint16_t port, uint64_t ms)
{
	struct segment syn = {.port = port, .server = server, .flags = TCP_SYN};
	struct segment both = {.port = port, .server = server, .flags = TCP_SYN | TCP_ACK, .ack = 1};
	struct segment ack = {.port = port, .server = server, .flags = ACKED, .seq = 1, .ack = 1};

	through(w, WAY_UP, syn, ms);
	through(w, WAY_DOWN, both, ms + 20);
	through(w, WAY_UP, ack, ms + 40);
}

static inline void handshake(struct world *w, uint16_t port, uint64_t ms)
{
	handshake_with(w, 0, port, ms);
}

/* A connection beside, from first to last, so that both captures run and have controls. */
static inline void beside(struct world *w, uint64_t from, uint64_t to)
{
	static const char *const letters = "abcdefghijklmnopqrstuvwxyz";

	if (from == 0)
		handshake(w, 39000, 0);
	for (uint64_t ms = from + 100; ms < to; ms += 50) {
		int32_t at = 1 + (int32_t)(ms / 50 * 4);
		struct segment g = {.port = 39000, .flags = PUSHED, .seq = at, .ack = at, .len = 4,
				    .text = letters + ms / 50 % 20};
		through(w, WAY_UP, g, ms);
		through(w, WAY_DOWN, g, ms + 21);
	}
}

static inline void world_new(struct world *w, unsigned setting)
{
	struct compare_config cfg = {.max_packets = 0};

	*w = (struct world){.isn = {settings[setting].isn, settings[setting].isn + 77777},
			    .v6 = settings[setting].v6, .hops = 11};
	assert_int_equal(comparison_new(&w->c, &cfg), 0);
}

static inline const struct finding *finding_of(const struct world *w, const char *id)
{
	const struct analysis *a = comparison_analysis(w->c);

	for (size_t i = 0; i < a->n_findings; i++) {
		if (strcmp(a->findings[i]->id, id) == 0)
			return a->findings[i];
	}
	return NULL;
}

static inline void expect(struct world *w, size_t n_findings)
{
	assert_int_equal(comparison_run(w->c), 0);
	assert_int_equal(comparison_analysis(w->c)->n_findings, n_findings);
}

static inline void expect_one(const struct world *w, const char *id, enum verdict verdict,
			      uint64_t frame)
{
	const struct finding *f = finding_of(w, id);

	assert_non_null(f);
	assert_int_equal(f->verdict, verdict);
	assert_int_equal(f->n_packets, 1);
	assert_int_equal(f->packets[0], frame);
}

static inline uint64_t count(const struct world *w, enum compare_fate fate)
{
	return comparison_totals(w->c, WAY_UP)->fates[fate] +
	       comparison_totals(w->c, WAY_DOWN)->fates[fate];
}

static const struct segment reset = {.flags = TCP_RST | TCP_ACK, .seq = 1, .ack = 6, .ttl = 64,
				     .ip_id = 0};

/* A case gets a world of its own, and ends with what must have come of it. */
#define DEFINE(name)                                                                               \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		for (unsigned i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {            \
			struct world w;                                                            \
			world_new(&w, i);                                                          \
			name(&w);                                                                  \
			comparison_free(w.c);                                                      \
		}                                                                                  \
	}
#define ROW(name) cmocka_unit_test(test_##name),
