/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What tables of datagrams share: frames between 10.0.0.1 and on, who ask, and 198.0.0.1 and on; the
 * end of a capture; and the findings held against those wanted.
 */

#include "tests/unit/events_run.h"

#define LINES(...) (const char *const[]){__VA_ARGS__, NULL}
#define SILENT (const char *const[]){NULL}
#define FINDINGS_MAX 16

struct datagram {
	bool s2c;
	unsigned client, server; /* which of them, from 0 */
	unsigned port, sport;    /* the client's, the server's */
	unsigned ttl;            /* 0: 64 of a client, 48 of a server */
	unsigned proto;          /* 0: UDP; else TCP, PSH and ACK, or what has no ports */
};

static inline void frame_datagram(const struct datagram *d, const uint8_t *payload, size_t n,
				  struct frame *f)
{
	struct bytes k = {.b = f->b, .room = sizeof(f->b)};
	uint32_t client = 10u << 24 | (d->client + 1), server = 198u << 24 | (d->server + 1);
	unsigned ttl = d->ttl != 0 ? d->ttl : d->s2c ? 48 : 64, proto = d->proto != 0 ? d->proto : 17;
	unsigned head = proto == 17 ? 8 : proto == 6 ? 20 : 0;
	add(&k, 6, 0x020000000001);
	add(&k, 6, 0x020000000002);
	add(&k, 2, 0x0800);
	add(&k, 4, 0x45000000 | (uint32_t)(20 + head + n));
	add(&k, 4, 0x12344000);
	add(&k, 4, ttl << 24 | proto << 16);
	add(&k, 4, d->s2c ? server : client);
	add(&k, 4, d->s2c ? client : server);
	if (head != 0)
		add(&k, 4, d->s2c ? d->sport << 16 | d->port : d->port << 16 | d->sport);
	if (proto == 17)
		add(&k, 4, (8 + n) << 16);
	if (proto == 6) {
		add(&k, 8, 0x0000000100000001);
		add(&k, 8, 0x501801f600000000);
	}
	add_bytes(&k, payload, n);
	f->n = k.n;
	f->caplen = (uint32_t)k.n;
}

/* Port unreachable, by a host between them, about frame q. */
static inline void frame_unreachable(const struct frame *q, struct frame *f)
{
	struct bytes k = {.b = f->b, .room = sizeof(f->b)};
	size_t quoted = q->n - 14 < 48 ? q->n - 14 : 48;
	add_bytes(&k, q->b, 14);
	add(&k, 4, 0x45000000 | (uint32_t)(20 + 8 + quoted));
	add(&k, 4, 0x77770000);
	add(&k, 4, 0xfa010000);
	add(&k, 4, 0xac000001);
	add_bytes(&k, q->b + 26, 4);
	add(&k, 8, 0x0303000000000000);
	add_bytes(&k, q->b + 14, quoted);
	f->n = k.n;
	f->caplen = (uint32_t)k.n;
}

/* The i-th packet of the capture, from 0, whose frame is made. */
static inline void feed_frame(struct world *w, unsigned i, double ms)
{
	struct frame *f = &w->frames[i + 1];
	f->ts_ns = T0_NS + (uint64_t)(ms * 1e6);
	w->n_frames = i + 1;
	world_feed(w, f, i + 1);
}

/* end_ms: of the capture; 0: 100 s after the last packet. */
static inline void end_capture(struct world *w, double end_ms)
{
	flow_table_free(w->table);
	w->hooks->shard_free(w->hooks->user, w->shard);
	struct pipeline_stats stats = {.last_ns = w->last_ns + 100000000000ull};
	if (end_ms != 0)
		stats.last_ns = T0_NS + (uint64_t)(end_ms * 1e6);
	assert_int_equal(analysis_end(w->a, &stats, 0), 0);
	assert_int_equal(analysis_judge(w->a), 0);
}

/* What a case says of a finding, in the words of its table. */
typedef void say_finding(const struct finding *f, char *out, size_t len);

/* How many are too many or missing; wanted in any order, and those are all. */
static inline unsigned hold_against(const struct world *w, const char *const *wanted,
				    say_finding *say)
{
	char text[FINDINGS_MAX][256];
	bool met[FINDINGS_MAX] = {false};
	unsigned bad = 0, n = 0;
	for (; wanted[n] != NULL; n++)
		assert_true(n < FINDINGS_MAX);
	for (size_t i = 0; i < w->a->n_findings && i < FINDINGS_MAX; i++) {
		unsigned k = 0;
		say(w->a->findings[i], text[i], sizeof(text[i]));
		while (k < n && (met[k] || strcmp(text[i], wanted[k]) != 0))
			k++;
		if (k == n)
			print_error("too much: %s\n", text[i]);
		else
			met[k] = true;
		bad += k == n;
	}
	for (unsigned k = 0; k < n; k++) {
		if (!met[k])
			print_error("missing: %s\n", wanted[k]);
		bad += !met[k];
	}
	return bad + (w->a->n_findings != n);
}
