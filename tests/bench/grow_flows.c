/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Synthetic TCP connections: half of them TLS, half HTTP, four a client, all in step. Every stage
 * of a connection has its place in time after the connection's start; since starts are in order,
 * so is every stage over all connections, and the capture is a merge of as many streams as there
 * are stages.
 */

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "dataplane/cursor.h"
#include "tests/bench/grow.h"

#define START_US UINT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */
#define STAGES_MAX (6 + 2 * EXCHANGES_MAX + 3 + 2)
#define PAYLOAD_MAX 512
#define TCP_HLEN 32 /* with timestamps; a SYN's is 40 */
#define SYN_HLEN 40
#define BARE_HLEN 20 /* of a RST */
#define CLIENT_LEN 40 /* of exchanges */
#define SERVER_LEN 200
#define NAME_LEN 21 /* of "host-01234567.example" */

enum payload { PAYLOAD_NONE, PAYLOAD_REQUEST, PAYLOAD_ANSWER, PAYLOAD_CLIENT, PAYLOAD_SERVER };

struct stage {
	uint64_t offset_us, next; /* next: the connection whose turn it is */
	uint16_t flags;
	bool from_client;
	bool forged; /* by a box nearer to the client, that copies nothing from the server */
	enum payload kind;
};

/* A payload as it is sent by all connections of a sort but for a few bytes. */
struct text {
	uint8_t b[PAYLOAD_MAX];
	uint32_t len, name_at; /* name_at: of the host's name; 0 none */
};

struct plan {
	struct stage stages[STAGES_MAX];
	unsigned n_stages;
	struct text texts[2][PAYLOAD_SERVER + 1]; /* by sort: 0 HTTP, 1 TLS */
};

static uint32_t mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352dU;
	x = (x ^ x >> 15) * 0x846ca68bU;
	return x ^ x >> 16;
}

static void text_bytes(struct text *t, const void *p, uint32_t n)
{
	memcpy(t->b + t->len, p, n);
	t->len += n;
}

static void text_noise(struct text *t, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++, t->len++)
		t->b[t->len] = (uint8_t)mix(t->len + 1);
}

static void text_name(struct text *t)
{
	t->name_at = t->len;
	text_bytes(t, "host-00000000.example", NAME_LEN);
}

static void text_be16(struct text *t, uint32_t v)
{
	store_be16(t->b + t->len, (uint16_t)v);
	t->len += 2;
}

static void http_texts(struct text texts[])
{
	struct text *q = &texts[PAYLOAD_REQUEST], *a = &texts[PAYLOAD_ANSWER];
	static const char head[] = "GET /index.html HTTP/1.1\r\nHost: ";
	static const char rest[] = "\r\nUser-Agent: grow/1\r\nAccept: */*\r\n\r\n";
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
				     "Content-Length: 1000000\r\n\r\nhello";

	text_bytes(q, head, sizeof(head) - 1);
	text_name(q);
	text_bytes(q, rest, sizeof(rest) - 1);
	text_bytes(a, answer, sizeof(answer) - 1);
}

/* The extensions of an ordinary ClientHello (RFC 8446 section 4.1.2) but for the name. */
static const uint8_t extensions[] = {
	0x00, 0x0a, 0x00, 0x06, 0x00, 0x04, 0x00, 0x1d, 0x00, 0x17,             /* groups */
	0x00, 0x0b, 0x00, 0x02, 0x01, 0x00,                                     /* formats */
	0x00, 0x0d, 0x00, 0x08, 0x00, 0x06, 0x04, 0x03, 0x08, 0x04, 0x04, 0x01, /* signatures */
	0x00, 0x10, 0x00, 0x0e, 0x00, 0x0c, 0x02, 'h', '2', 0x08, 'h', 't', 't', 'p', '/', '1',
	'.', '1',                                                               /* ALPN */
	0x00, 0x2b, 0x00, 0x05, 0x04, 0x03, 0x04, 0x03, 0x03,                   /* versions */
	0x00, 0x2d, 0x00, 0x02, 0x01, 0x01,                                     /* PSK modes */
	0x00, 0x33, 0x00, 0x26, 0x00, 0x24, 0x00, 0x1d, 0x00, 0x20,             /* key */
};

static void tls_texts(struct text texts[])
{
	struct text *q = &texts[PAYLOAD_REQUEST], *a = &texts[PAYLOAD_ANSWER];
	static const uint8_t ciphers[] = {0, 10, 0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2b, 0xc0, 0x2f,
					  1, 0};
	static const uint8_t hello[] = {0x16, 3, 3, 0, 82, 2, 0, 0, 78, 3, 3};
	static const uint8_t chosen[] = {0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4};
	static const uint8_t data[] = {0x14, 3, 3, 0, 1, 1, 0x17, 3, 3, 0, 200};

	text_bytes(q, (const uint8_t[]){0x16, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3}, 11);
	text_noise(q, 32);
	text_bytes(q, (const uint8_t[]){32}, 1);
	text_noise(q, 32);
	text_bytes(q, ciphers, sizeof(ciphers));
	text_be16(q, 9 + NAME_LEN + sizeof(extensions) + 32);
	text_be16(q, 0);
	text_be16(q, NAME_LEN + 5);
	text_be16(q, NAME_LEN + 3);
	text_bytes(q, (const uint8_t[]){0}, 1);
	text_be16(q, NAME_LEN);
	text_name(q);
	text_bytes(q, extensions, sizeof(extensions));
	text_noise(q, 32);
	store_be16(q->b + 3, (uint16_t)(q->len - 5));
	store_be16(q->b + 7, (uint16_t)(q->len - 9));

	text_bytes(a, hello, sizeof(hello));
	text_noise(a, 32);
	text_bytes(a, (const uint8_t[]){32}, 1);
	/* The session id comes back as it went (RFC 8446 section 4.1.3). */
	text_bytes(a, q->b + 44, 32);
	text_bytes(a, chosen, sizeof(chosen));
	text_bytes(a, data, sizeof(data));
	text_noise(a, 200);
}

/* Application data as TLS has it; in HTTP it is more of a body. */
static void exchange_texts(struct text texts[])
{
	for (unsigned kind = PAYLOAD_CLIENT; kind <= PAYLOAD_SERVER; kind++) {
		uint32_t len = kind == PAYLOAD_CLIENT ? CLIENT_LEN : SERVER_LEN;
		text_bytes(&texts[kind], (const uint8_t[]){0x17, 3, 3, 0, (uint8_t)(len - 5)}, 5);
		text_noise(&texts[kind], len - 5);
	}
}

static void stage_add(struct plan *p, uint64_t after_us, bool from_client, uint16_t flags,
		      enum payload kind)
{
	uint64_t last = p->n_stages != 0 ? p->stages[p->n_stages - 1].offset_us : 0;

	p->stages[p->n_stages++] = (struct stage){.offset_us = last + after_us, .flags = flags,
						  .from_client = from_client, .kind = kind};
}

/* Twenty milliseconds away, seen at the client. */
static void plan_make(struct plan *p, const struct flows_config *cfg)
{
	*p = (struct plan){.n_stages = 0};
	for (unsigned sort = 0; sort < 2; sort++)
		exchange_texts(p->texts[sort]);
	http_texts(p->texts[0]);
	tls_texts(p->texts[1]);
	stage_add(p, 0, true, TCP_SYN, PAYLOAD_NONE);
	stage_add(p, 20011, false, TCP_SYN | TCP_ACK, PAYLOAD_NONE);
	stage_add(p, 53, true, TCP_ACK, PAYLOAD_NONE);
	stage_add(p, 211, true, TCP_ACK | TCP_PSH, PAYLOAD_REQUEST);
	if (cfg->reset) {
		stage_add(p, 5021, false, TCP_RST | TCP_ACK, PAYLOAD_NONE);
		p->stages[p->n_stages - 1].forged = true;
		stage_add(p, 15496, false, TCP_ACK | TCP_PSH, PAYLOAD_ANSWER);
		stage_add(p, 59, true, TCP_RST, PAYLOAD_NONE);
		return;
	}
	stage_add(p, 20517, false, TCP_ACK | TCP_PSH, PAYLOAD_ANSWER);
	stage_add(p, 61, true, TCP_ACK, PAYLOAD_NONE);
	for (unsigned i = 0; i < cfg->exchanges; i++) {
		stage_add(p, 1009, true, TCP_ACK | TCP_PSH, PAYLOAD_CLIENT);
		stage_add(p, 20101, false, TCP_ACK | TCP_PSH, PAYLOAD_SERVER);
	}
	if (cfg->close) {
		stage_add(p, 5003, true, TCP_FIN | TCP_ACK, PAYLOAD_NONE);
		stage_add(p, 20029, false, TCP_FIN | TCP_ACK, PAYLOAD_NONE);
		stage_add(p, 47, true, TCP_ACK, PAYLOAD_NONE);
	}
}

/* Sequence number of a side before a stage: what it has sent until then. */
static uint32_t sent_before(const struct plan *p, unsigned sort, unsigned stage, bool client)
{
	uint32_t sent = 0;

	for (unsigned i = 0; i < stage; i++) {
		const struct stage *s = &p->stages[i];
		if (s->from_client == client)
			sent += p->texts[sort][s->kind].len +
				((s->flags & (TCP_SYN | TCP_FIN)) != 0);
	}
	return sent;
}

static void store_be32(uint8_t *p, uint32_t v)
{
	store_be16(p, (uint16_t)(v >> 16));
	store_be16(p + 2, (uint16_t)v);
}

static uint32_t tcp_write(const struct plan *p, unsigned stage, uint64_t flow, uint64_t at_us,
			  uint8_t *tcp)
{
	static const uint8_t syn[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0,
				      0, 0, 0, 0, 0, 0, 1, 3, 3, 7};
	static const uint8_t ts[] = {1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0};
	const struct stage *s = &p->stages[stage];
	unsigned sort = flow & 1;
	bool is_syn = (s->flags & TCP_SYN) != 0;
	bool bare = s->forged || s->flags == TCP_RST;
	uint32_t hlen = is_syn ? SYN_HLEN : bare ? BARE_HLEN : TCP_HLEN, n = (uint32_t)flow;
	uint16_t ports[2] = {(uint16_t)(32768 + mix(n) % 28000), sort == 1 ? 443 : 80};
	uint8_t *stamp = tcp + (is_syn ? 28 : 24);

	memset(tcp, 0, 20);
	if (!bare)
		memcpy(tcp + 20, is_syn ? syn : ts, hlen - 20);
	store_be16(tcp, ports[!s->from_client]);
	store_be16(tcp + 2, ports[s->from_client]);
	store_be32(tcp + 4, mix(2 * n + s->from_client) +
				    sent_before(p, sort, stage, s->from_client));
	if (s->flags != TCP_SYN && s->flags != TCP_RST)
		store_be32(tcp + 8, mix(2 * n + !s->from_client) +
					    sent_before(p, sort, stage, !s->from_client));
	store_be16(tcp + 12, (uint16_t)(hlen / 4 << 12 | s->flags));
	store_be16(tcp + 14, is_syn ? 64240 : bare ? 0 : 502);
	if (bare)
		return hlen;
	/* Milliseconds, as Linux has it; the echo is as old as half a round trip. */
	store_be32(stamp, (uint32_t)(at_us / 1000) + (s->from_client ? mix(n / 4) : mix(n % 4093)));
	if (s->flags != TCP_SYN)
		store_be32(stamp + 4, (uint32_t)(at_us / 1000) - 10 +
					      (s->from_client ? mix(n % 4093) : mix(n / 4)));
	return hlen;
}

static uint32_t text_write(const struct text *t, uint64_t flow, uint8_t *out)
{
	memcpy(out, t->b, t->len);
	uint32_t site = (uint32_t)(flow % 100000);
	for (unsigned i = 0; t->name_at != 0 && i < 8; i++, site /= 10)
		out[t->name_at + 12 - i] = (uint8_t)('0' + site % 10);
	return t->len;
}

static void packet_write(struct writer *w, const struct plan *p, unsigned stage, uint64_t flow,
			 uint64_t at_us)
{
	static const uint8_t head[ETHERNET_HLEN + 20] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0, 0x45, 0, 0, 0, 0, 0, 0x40};
	const struct stage *s = &p->stages[stage];
	uint8_t frame[ETHERNET_HLEN + 20 + SYN_HLEN + PAYLOAD_MAX];
	uint8_t *l3 = frame + ETHERNET_HLEN, *tcp = l3 + 20;
	uint32_t n = (uint32_t)flow;

	memcpy(frame, head, sizeof(head));
	uint32_t hlen = tcp_write(p, stage, flow, at_us, tcp);
	uint32_t len = 20 + hlen + text_write(&p->texts[flow & 1][s->kind], flow, tcp + hlen);
	if (!s->from_client) {
		frame[5] = 1;
		frame[11] = 2;
	}
	store_be16(l3 + 2, (uint16_t)len);
	store_be16(l3 + 4, s->forged ? (uint16_t)mix(~n) : (uint16_t)(mix(n + s->from_client) + stage));
	l3[8] = s->from_client ? 64 : s->forged ? 121 : 53;
	l3[9] = IPPROTO_TCP;
	store_be32(l3 + (s->from_client ? 12 : 16), 0x0a000001U + n / 4);
	store_be32(l3 + (s->from_client ? 16 : 12), 0x0b000001U + n % 4093);
	checksums_fill(l3, 20, len, IPPROTO_TCP);
	writer_put(w, at_us, frame, ETHERNET_HLEN + len);
}

int flows_write(struct writer *w, const struct flows_config *cfg)
{
	struct plan p;

	if (cfg->flows > UINT64_C(1) << 26)
		return -ERANGE;
	plan_make(&p, cfg);
	for (uint64_t left = cfg->flows * p.n_stages; left > 0; left--) {
		unsigned first = p.n_stages;
		uint64_t at_us = UINT64_MAX;
		for (unsigned i = 0; i < p.n_stages; i++) {
			const struct stage *s = &p.stages[i];
			uint64_t t = START_US + s->next * cfg->step_us + s->offset_us;
			if (s->next < cfg->flows && t < at_us) {
				at_us = t;
				first = i;
			}
		}
		packet_write(w, &p, first, p.stages[first].next++, at_us);
	}
	return 0;
}
