/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Flows as tables of packets, one line of text each, for the tests of what judges them. Lines
 * become Ethernet frames; these pass through decode, flow table and inspector as a capture's do.
 *
 *   "MS DIR FLAGS SEQ ACK [LEN] [key=value …]"     a TCP segment
 *   "MS ! TYPE/CODE FRAME [key=value …]"           an ICMP error that quotes an earlier frame
 *   "MS = FRAME [ttl=N]"                           the same bytes again
 *
 * MS: milliseconds. DIR: > from the client, < from the server. FLAGS: of SAPFRUEW, N for AE, x for
 * reserved bits, . for none. SEQ and ACK count from the senders' initial numbers; "-" writes 0 into
 * the field. Payload of LEN bytes is what belongs at SEQ, so that copies agree.
 *
 * Keys: ttl id df win ts (value, 0: none), mac (last byte), flow, server, client (other ports and
 * addresses), plain (no options), odd (other bytes than those that belong there), zeros, bad
 * (checksum), cut (capture length), endpoint (an ICMP error of the server itself), text=… (payload;
 * takes the rest).
 * Frames are numbered from 1, as lines are.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "classifiers/shard.h"
#include "dataplane/cursor.h"
#include "dataplane/flow.h"

#define T0_NS 1700000010000000000ull
#define LINES_MAX 200
#define FRAME_MAX 4096
#define STREAM_MAX 4096

enum speaks { SPEAKS_TLS, SPEAKS_TLS_LATE_NAME, SPEAKS_HTTP, SPEAKS_SSH };
enum stamps { STAMPS_COUNTER, STAMPS_ZERO, STAMPS_RANDOM, STAMPS_CONSTANT };

/* What ends a connection is given in full; what both ends do by themselves is set once. */
struct events {
	const char *const *line;    /* NULL-terminated */
	enum speaks speaks;
	unsigned hello;             /* bytes of the ClientHello, 0: 517 */
	bool no_ts;                 /* timestamps are not negotiated */
	enum stamps server_id;
	uint8_t client_ttl, server_ttl; /* 0: 64, 48 */
	enum vantage vantage;       /* VANTAGE_UNKNOWN: inferred */
	const char *rules;          /* a rules file (rules_text.c) to match pages with; NULL: none */
	double end_ms;              /* of the capture; 0: 100 s after the last packet */
};

/* How a table is run: numbers across 2^32, the other IP version. */
struct variant {
	const char *name;
	uint32_t isn[2];
	bool ipv6;
	bool zero; /* a number of the first bytes becomes 0 */
};

static const struct variant variants[] = {
	{"as is", {1000, 500000}, false, false},
	{"SYN at 2^32-1", {0xffffffff, 0xffffffff}, false, true},
	{"first bytes across 2^32", {0xfffffffe, 0xfffffffd}, false, true},
	{"request across 2^32", {0xffffffff - 300, 0xffffffff - 60}, false, false},
	{"end of request across 2^32", {0xffffffff - 516, 0xffffffff - 700}, false, false},
	{"across 2^31", {0x7fffffff - 200, 0x7fffffff - 30}, false, false},
	{"IPv6", {1000, 500000}, true, false},
	{"IPv6 across 2^32", {0xffffffff - 250, 0xffffffff - 40}, true, false},
};

struct frame {
	uint8_t b[FRAME_MAX];
	size_t n;
	uint32_t caplen;
	uint64_t ts_ns;
};

struct world {
	const struct events *ev;
	const struct variant *as;
	struct analysis *a;
	const struct pipeline_hooks *hooks;
	void *shard;
	struct flow_table *table;
	struct frame *frames; /* by number, from 1 */
	unsigned n_frames;
	uint16_t next_id[2];
	uint64_t last_ns;
	uint8_t stream[2][STREAM_MAX];
	enum vantage vantage;
	struct kept_flow *flows; /* every flow in the order of their ends, evidence copied */
	size_t n_flows, room_flows;
	struct ruleset *rules;
	struct matcher *matcher; /* NULL also where it was built without */
};

/* Bytes */

struct bytes {
	uint8_t *b;
	size_t n, room;
};

static inline void add(struct bytes *k, unsigned n, uint64_t v)
{
	assert_true(k->n + n <= k->room);
	for (unsigned i = 0; i < n; i++)
		k->b[k->n++] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static inline void add_bytes(struct bytes *k, const void *p, size_t n)
{
	assert_true(k->n + n <= k->room);
	memcpy(k->b + k->n, p, n);
	k->n += n;
}

static inline void add_padding(struct bytes *k, size_t extension)
{
	add(k, 2, 21);
	add(k, 2, extension - 4);
	for (size_t i = 4; i < extension; i++)
		add(k, 1, i & 0xff);
}

static inline void add_name(struct bytes *k, const char *name)
{
	size_t n = strlen(name);
	add(k, 4, n + 5);
	add(k, 2, n + 3);
	add(k, 1, 0);
	add(k, 2, n);
	add_bytes(k, name, n);
}

/* RFC 8446 section 4.1.2, with the name before or behind the padding. */
static inline void make_hello(struct bytes *k, const char *name, size_t len, bool late)
{
	size_t extensions = len - 52, padding = extensions - strlen(name) - 9;
	add(k, 3, 0x160301);
	add(k, 2, len - 5);
	add(k, 4, 0x01000000u | (uint32_t)(len - 9));
	add(k, 2, 0x0303);
	for (unsigned i = 0; i < 32; i++)
		add(k, 1, i * 37 + 11);
	add(k, 1, 0);
	add(k, 4, 0x00021301);
	add(k, 2, 0x0100);
	add(k, 2, extensions);
	if (late)
		add_padding(k, padding);
	add_name(k, name);
	if (!late)
		add_padding(k, padding);
	assert_int_equal(k->n, len);
}

static inline void make_streams(struct world *w)
{
	static const char *const says[][2] = {
		[SPEAKS_HTTP] = {"GET /page HTTP/1.1\r\nHost: blocked.example\r\n"
				 "User-Agent: a client of this test\r\nAccept: text/html\r\n\r\n",
				 "HTTP/1.1 200 OK\r\nServer: test\r\nContent-Length: 9000\r\n\r\n"},
		[SPEAKS_SSH] = {"SSH-2.0-client\r\n", "SSH-2.0-server\r\n"},
	};
	unsigned hello = w->ev->hello != 0 ? w->ev->hello : 517;
	for (unsigned d = 0; d < 2; d++) {
		struct bytes k = {.b = w->stream[d], .room = STREAM_MAX};
		if (w->ev->speaks >= SPEAKS_HTTP)
			add_bytes(&k, says[w->ev->speaks][d], strlen(says[w->ev->speaks][d]));
		else if (d == DIR_C2S)
			make_hello(&k, "blocked.example", hello,
				   w->ev->speaks == SPEAKS_TLS_LATE_NAME);
		else
			add(&k, 7, 0x1603030200020001);
		for (uint32_t x = d + 1; k.n < STREAM_MAX;)
			add(&k, 1, (x = x * 1103515245 + 12345) >> 16);
	}
}

/* Lines */

struct line {
	double ms;
	char kind; /* > < ! = */
	unsigned flags, type, code, frame, len, flow, server, client, cut;
	uint32_t seq, ack;
	bool seq_raw, ack_raw, plain, odd, zeros, endpoint, bad, is_signed;
	int ttl, df, win, mac; /* -1: not given */
	int64_t id, ts;
	const char *text;
};

static inline unsigned parse_flags(const char *s)
{
	static const char letters[] = "FSRPAUEWN";
	unsigned flags = 0;
	for (; *s != '\0'; s++) {
		const char *at = strchr(letters, *s);
		if (at != NULL)
			flags |= 1u << (at - letters);
		else if (*s == 'x')
			flags |= 0xe00;
		else
			assert_int_equal(*s, '.');
	}
	return flags;
}

static inline void parse_key(struct line *l, const char *key, const char *value)
{
	const struct {
		const char *name;
		int *to;
	} numbers[] = {{"ttl", &l->ttl}, {"df", &l->df}, {"win", &l->win}, {"mac", &l->mac},
		       {"flow", (int *)&l->flow}, {"server", (int *)&l->server},
		       {"client", (int *)&l->client}, {"cut", (int *)&l->cut}};
	const struct {
		const char *name;
		bool *to;
	} flags[] = {{"plain", &l->plain}, {"odd", &l->odd}, {"zeros", &l->zeros},
		     {"endpoint", &l->endpoint}, {"bad", &l->bad}, {"signed", &l->is_signed}};
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (strcmp(key, numbers[i].name) == 0) {
			*numbers[i].to = (int)strtol(value, NULL, 0);
			return;
		}
	for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (strcmp(key, flags[i].name) == 0) {
			*flags[i].to = true;
			return;
		}
	if (strcmp(key, "id") == 0)
		l->id = strtol(value, NULL, 0);
	else if (strcmp(key, "ts") == 0)
		l->ts = strtol(value, NULL, 0);
	else
		fail_msg("unknown key %s", key);
}

static inline uint32_t parse_number(const char *s, bool *raw)
{
	*raw = strcmp(s, "-") == 0;
	return *raw ? 0 : (uint32_t)strtol(s, NULL, 10);
}

static inline void parse_line(const char *text, struct line *l)
{
	char copy[512], *rest = copy, *word;
	*l = (struct line){.ttl = -1, .df = -1, .win = -1, .mac = -1, .id = -1, .ts = -1};
	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	const char *payload = strstr(text, "text=");
	if (payload != NULL) {
		l->text = payload + 5;
		copy[payload - text] = '\0';
	}
	for (unsigned n = 0; (word = strsep(&rest, " ")) != NULL;) {
		if (*word == '\0')
			continue;
		char *value = strchr(word, '=');
		if (n > 1 && value != NULL) {
			*value = '\0';
			parse_key(l, word, value + 1);
			continue;
		}
		if (n == 0)
			l->ms = strtod(word, NULL);
		else if (n == 1)
			l->kind = *word;
		else if (l->kind == '=')
			l->frame = (unsigned)strtol(word, NULL, 10);
		else if (l->kind == '!' && n == 2)
			assert_int_equal(sscanf(word, "%u/%u", &l->type, &l->code), 2);
		else if (l->kind == '!' && n == 3)
			l->frame = (unsigned)strtol(word, NULL, 10);
		else if (l->kind == '!')
			parse_key(l, word, "1");
		else if (n == 2)
			l->flags = parse_flags(word);
		else if (n == 3)
			l->seq = parse_number(word, &l->seq_raw);
		else if (n == 4)
			l->ack = parse_number(word, &l->ack_raw);
		else if (n == 5 && *word >= '0' && *word <= '9')
			l->len = (unsigned)strtol(word, NULL, 10);
		else
			parse_key(l, word, "1");
		n++;
	}
	if (l->text != NULL && l->len == 0)
		l->len = (unsigned)strlen(l->text);
}

/* Frames */

static inline void add_addr(struct bytes *k, bool ipv6, unsigned net, unsigned host)
{
	if (ipv6) {
		add(k, 8, 0x20010db800000000ull | net);
		add(k, 8, host);
	} else {
		add(k, 4, net << 24 | host);
	}
}

/* The client is 10.0.0.1, the server 198.0.0.1, routers are 172.0.0.1 and on. */
static inline void add_ip(struct bytes *k, const struct world *w, const struct line *l, bool s2c,
			  unsigned proto, size_t len, unsigned ttl, unsigned id, bool df)
{
	unsigned from = s2c ? 198 : 10, to = s2c ? 10 : 198;
	unsigned client = l->client + 1, server = l->server + 1;
	if (l->kind == '!' && !l->endpoint)
		from = 172;
	if (w->as->ipv6) {
		add(k, 4, 0x60000000);
		add(k, 2, len);
		add(k, 1, proto == 1 ? 58 : proto);
		add(k, 1, ttl);
	} else {
		add(k, 4, 0x45000000 | (uint32_t)(20 + len));
		add(k, 2, id);
		add(k, 2, df ? 0x4000 : 0);
		add(k, 1, ttl);
		add(k, 1, proto);
		add(k, 2, 0);
	}
	add_addr(k, w->as->ipv6, from, s2c ? server : client);
	add_addr(k, w->as->ipv6, to, s2c ? client : server);
}

static inline unsigned stamp_id(struct world *w, const struct line *l, bool s2c)
{
	uint16_t n = w->next_id[s2c]++;
	if (l->id >= 0)
		return (unsigned)l->id;
	switch (s2c ? w->ev->server_id : STAMPS_COUNTER) {
	case STAMPS_ZERO:
		return 0;
	case STAMPS_CONSTANT:
		return 0x7777;
	case STAMPS_RANDOM:
		return (uint16_t)(n * 40503u + 12347);
	default:
		return n;
	}
}

static inline size_t add_options(struct bytes *k, const struct world *w, const struct line *l,
				 bool s2c)
{
	size_t from = k->n;
	bool syn = (l->flags & TCP_SYN) != 0, rst = (l->flags & TCP_RST) != 0;
	bool ts = l->ts > 0 || (l->ts < 0 && !w->ev->no_ts && !rst && !l->plain);
	if (syn && !l->plain) {
		add(k, 4, 0x020405b4);
		add(k, 4, 0x04020101);
		add(k, 4, 0x01030307);
	}
	if (ts) {
		add(k, 4, 0x0101080a);
		add(k, 4,
		    l->ts > 0 ? (uint32_t)l->ts : (s2c ? 900000u : 70000u) + (uint32_t)(int)l->ms);
		add(k, 4, 1);
	}
	if (l->is_signed) {
		add(k, 4, 0x01011312);
		add_bytes(k, "a signature of 16", 16);
	}
	return k->n - from;
}

static inline void add_payload(struct bytes *k, const struct world *w, const struct line *l,
			       bool s2c)
{
	for (unsigned i = 0; i < l->len; i++) {
		uint32_t at = l->seq - 1 + i;
		uint8_t b = w->stream[s2c][at % STREAM_MAX];
		if (l->text != NULL)
			b = i < strlen(l->text) ? (uint8_t)l->text[i] : '.';
		add(k, 1, l->zeros ? 0 : l->odd ? b ^ 0x55 : b);
	}
}

/* RFC 9293 section 3.1, over the segment that begins at tcp and ends the frame. */
static inline void set_checksum(struct bytes *k, bool ipv6, size_t tcp)
{
	size_t from = 14 + (ipv6 ? 8 : 12);
	uint64_t sum = 6 + (k->n - tcp);
	for (size_t i = from; i < k->n; i++)
		sum += (uint32_t)k->b[i] << ((i - from) % 2 == 0 ? 8 : 0);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	store_be16(k->b + tcp + 16, (uint16_t)~sum);
}

static inline void make_segment(struct world *w, const struct line *l, struct bytes *k)
{
	bool s2c = l->kind == '<';
	uint8_t options[40];
	struct bytes o = {.b = options, .room = sizeof(options)};
	size_t hlen = 20 + add_options(&o, w, l, s2c);
	unsigned ttl = l->ttl >= 0 ? (unsigned)l->ttl
		       : s2c	   ? (w->ev->server_ttl != 0 ? w->ev->server_ttl : 48u)
				   : (w->ev->client_ttl != 0 ? w->ev->client_ttl : 64u);
	bool rst = (l->flags & TCP_RST) != 0;
	uint32_t seq = l->seq_raw ? 0 : l->seq + w->as->isn[s2c];
	uint32_t ack = l->ack_raw ? 0 : l->ack + w->as->isn[!s2c];
	unsigned port = 40000 + l->flow;
	size_t tcp;
	add_ip(k, w, l, s2c, 6, hlen + l->len, ttl, stamp_id(w, l, s2c), l->df != 0);
	tcp = k->n;
	add(k, 4, s2c ? 443u << 16 | port : port << 16 | 443);
	add(k, 4, seq);
	add(k, 4, ack);
	add(k, 2, hlen / 4 << 12 | l->flags);
	add(k, 2, l->win >= 0 ? (unsigned)l->win : rst ? 0 : s2c ? 501 : 502);
	add(k, 4, 0);
	add_bytes(k, options, o.n);
	add_payload(k, w, l, s2c);
	set_checksum(k, w->as->ipv6, tcp);
	if (l->bad)
		k->b[tcp + 17] ^= 1;
}

/* RFC 792 and RFC 4443: the quoted packet's header and what fits of the rest. */
static inline void make_icmp(struct world *w, const struct line *l, struct bytes *k)
{
	static const unsigned unreachable6[] = {[1] = 0, [3] = 4, [9] = 1, [10] = 1, [13] = 1};
	unsigned type = l->type, code = l->code;
	assert_in_range(l->frame, 1, w->n_frames);
	const struct frame *q = &w->frames[l->frame];
	size_t quoted = q->n - 14 < 48 ? q->n - 14 : 48;
	if (w->as->ipv6) {
		quoted = q->n - 14 < 60 ? q->n - 14 : 60;
		code = type == 3 && code < 14 ? unreachable6[code] : code;
		type = type == 11 ? 3 : type == 3 ? 1 : type;
	}
	add_ip(k, w, l, true, 1, 8 + quoted, l->ttl >= 0 ? (unsigned)l->ttl : 250, 77, false);
	add(k, 1, type);
	add(k, 1, code);
	add(k, 6, 0);
	add_bytes(k, q->b + 14, quoted);
}

static inline void make_frame(struct world *w, const struct line *l, struct frame *f)
{
	struct bytes k = {.b = f->b, .room = sizeof(f->b)};
	bool s2c = l->kind != '>';
	if (l->kind == '=') {
		assert_in_range(l->frame, 1, w->n_frames);
		*f = w->frames[l->frame];
		if (l->ttl >= 0)
			f->b[14 + (w->as->ipv6 ? 7 : 8)] = (uint8_t)l->ttl;
	} else {
		add(&k, 6, s2c ? 0x020000000001 : 0x020000000002);
		add(&k, 6, 0x020000000000 + (unsigned)(l->mac >= 0 ? l->mac : s2c ? 2 : 1));
		add(&k, 2, w->as->ipv6 ? 0x86dd : 0x0800);
		if (l->kind == '!')
			make_icmp(w, l, &k);
		else
			make_segment(w, l, &k);
		f->n = k.n;
		f->caplen = l->cut != 0 && l->cut < k.n ? l->cut : (uint32_t)k.n;
	}
	f->ts_ns = T0_NS + (uint64_t)(int64_t)(l->ms * 1e6 + (l->ms < 0 ? -0.5 : 0.5));
}
