/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A flow table of its own, packets given to it, and what it said had ended. Included after flow.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define T0 (1700000000 * SECOND_NS)
#define MS 1000000ULL
#define CLIENT 0x0a000001U
#define SERVER 0xc6336401U

struct ended {
	uint64_t id;
	enum flow_end why;
};

static struct ended ends[4096];
static unsigned n_ends;
static uint64_t next_frame;

static inline void on_end(void *user, struct flow *f, enum flow_end why)
{
	(void)user;
	assert_true(n_ends < sizeof(ends) / sizeof(ends[0]));
	ends[n_ends++] = (struct ended){.id = f->id, .why = why};
}

static inline void assert_history(const struct flow *f, const char *letters)
{
	char history[FLOW_HISTORY_MAX + 1];
	flow_history(f, history);
	assert_string_equal(history, letters);
}

static inline struct flow_table *table(struct flow_table_config cfg)
{
	struct flow_table *t;
	n_ends = 0;
	next_frame = 1;
	assert_int_equal(flow_table_new(&t, &cfg, on_end, NULL), 0);
	return t;
}

static inline struct ip_addr addr4(uint32_t a)
{
	return (struct ip_addr){.b = {[10] = 0xff, 0xff, (uint8_t)(a >> 24), (uint8_t)(a >> 16),
				      (uint8_t)(a >> 8), (uint8_t)a}};
}

static inline struct headers packet4(uint8_t proto, uint32_t src, uint16_t sport, uint32_t dst,
				     uint16_t dport)
{
	return (struct headers){.ip_version = 4, .proto = proto, .src = addr4(src),
				.dst = addr4(dst), .sport = sport, .dport = dport, .ip_len = 40};
}

static inline struct flow *give(struct flow_table *t, const struct headers *h, uint64_t now_ns,
				enum dir *dir)
{
	struct packet pkt = {.ts_ns = now_ns, .frame = next_frame++};
	return flow_table_update(t, &pkt, h, now_ns, dir);
}

/* A packet of the one TCP connection that most tests are about. */
static inline struct flow *tcp(struct flow_table *t, bool from_client, uint16_t flags, uint32_t seq,
			       uint32_t len, uint64_t now_ns)
{
	struct headers h = from_client ? packet4(IPPROTO_TCP, CLIENT, 40000, SERVER, 443)
				       : packet4(IPPROTO_TCP, SERVER, 443, CLIENT, 40000);
	enum dir dir;
	h.flags = flags;
	h.seq = seq;
	h.payload_len = len;
	h.ip_len += len;
	struct flow *f = give(t, &h, now_ns, &dir);
	assert_non_null(f);
	return f;
}
