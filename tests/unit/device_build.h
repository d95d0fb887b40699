/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A flow's record by hand, for what reads finished evidence: packets are added one by one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "classifiers/tamper/view.h"

#define MS 1000000ull
#define ISN_C 1000u
#define ISN_S 500000u

struct build {
	struct evidence ev;
	struct flow_record rec;
	struct evidence_more more;
	struct pair_resets pair; /* of flows other than 0 */
	struct event e[EVENTS_MAX];
	uint32_t isn[2];
	uint64_t ms;
	uint16_t ids[2];
};

static inline struct ip_addr ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct ip_addr){{[10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d}};
}

/* seq and ack count from the senders' initial numbers. */
static inline struct event *put(struct build *b, enum dir dir, unsigned flags, uint32_t seq,
				uint32_t ack, uint16_t len)
{
	struct event *e = &b->e[b->ev.n_events++];
	*e = (struct event){
		.ts_ns = b->ms * MS,
		.frame = b->ev.n_events,
		.seq = b->isn[dir] + seq,
		.ack = (flags & TCP_ACK) != 0 ? b->isn[dir_other(dir)] + ack : 0,
		.flags = (uint16_t)flags,
		.window = 501,
		.ip_id = b->ev.ipv6 ? 0 : ++b->ids[dir],
		.len = len,
		.ttl = dir == DIR_S2C ? 48 : 64,
		.bits = (uint8_t)((dir == DIR_S2C ? EVENT_S2C : 0) | (b->ev.ipv6 ? 0 : EVENT_DF)),
	};
	return e;
}

static inline void start(struct build *b, bool ipv6, uint32_t isn_c, uint32_t isn_s)
{
	memset(b, 0, sizeof(*b));
	b->isn[DIR_C2S] = isn_c;
	b->isn[DIR_S2C] = isn_s;
	b->ids[DIR_C2S] = 0x1000;
	b->ids[DIR_S2C] = 0x7000;
	b->ev.ipv6 = ipv6;
	b->ev.events = b->e;
	b->rec.ip_version = ipv6 ? 6 : 4;
	b->rec.client = ip4(192, 0, 2, 10);
	b->rec.server = ip4(203, 0, 113, 80);
	for (unsigned d = 0; d < 2; d++) {
		b->ev.half[d].syn = b->ev.half[d].seen = true;
		b->ev.half[d].isn = b->isn[d];
	}
	put(b, DIR_C2S, TCP_SYN, 0, 0, 0);
	b->ms += 40;
	put(b, DIR_S2C, TCP_SYN | TCP_ACK, 0, 1, 0);
	put(b, DIR_C2S, TCP_ACK, 1, 1, 0);
	put(b, DIR_C2S, TCP_PSH | TCP_ACK, 1, 1, 100);
	b->ms += 10;
}

/* A forged packet towards the client, at the receiver's next number. */
static inline struct event *forge(struct build *b, unsigned flags, uint16_t id, uint16_t window,
				  uint8_t ttl, bool df)
{
	struct event *e = put(b, DIR_S2C, flags, 1, 101, 0);
	e->ip_id = b->ev.ipv6 ? 0 : id;
	e->window = window;
	e->ttl = ttl;
	e->bits = (uint8_t)(EVENT_S2C | (df && !b->ev.ipv6 ? EVENT_DF : 0));
	return e;
}

static inline void payload(struct event *e, const void *data, uint16_t len)
{
	e->len = len;
	e->payhash = evidence_payload_hash(data, len);
}

/* The view of it, and every packet of direction dir that is no SYN from event 4 on as a suspect. */
static inline struct suspects accuse(struct build *b, struct view *v, uint16_t events[EVENTS_MAX],
				     enum dir dir)
{
	struct suspects s = {.event = events};
	view_build(v, &b->ev, &b->rec, NULL, dir);
	v->pair = &b->pair;
	for (unsigned i = 4; i < b->ev.n_events; i++)
		if (event_dir(&b->e[i]) == dir)
			events[s.n++] = (uint16_t)i;
	return s;
}
