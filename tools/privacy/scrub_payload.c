/* SPDX-License-Identifier: BSD-3-Clause */

/* What of a transport payload is kept: that which connections are filtered by. */

#include "tools/privacy/scrub_walk.h"

#include <xxhash.h>

#include "classifiers/app/quic.h"

#define DNS_PORT       53
#define DNS_TCP_PREFIX 2u
#define HELLO_MAX      65536u

/* TLS: records of type 22 that hold a handshake message of type 1 (RFC 8446 sections 4 and 5.1). */

static uint64_t stream_key(const struct walk *w, const struct walk_ip *ip)
{
	uint8_t b[36];

	memcpy(b, ip->src.b, 16);
	memcpy(b + 16, ip->dst.b, 16);
	memcpy(b + 32, w->was + ip->body, 4); /* ports */
	uint64_t key = XXH64(b, sizeof(b), 0);
	return key != 0 ? key : 1;
}

/* False: this is no ClientHello, or no more of one. */
static bool hello_head(struct scrub_stream *t)
{
	if (t->head[0] != 22 || (t->n_head > 1 && t->head[1] != 3))
		return false;
	if (t->n_head < sizeof(t->head))
		return true;
	t->record_left = load_be16(t->head + 3);
	return t->record_left != 0;
}

static bool hello_message(struct scrub_stream *t)
{
	if (t->message[0] != 1)
		return false;
	if (t->n_message == sizeof(t->message))
		t->hello_left = load_be32(t->message) & 0xffffff;
	return t->hello_left <= HELLO_MAX;
}

/* How many of n bytes are the hello's; *more: it goes on behind them. */
static size_t hello_length(const struct walk *w, struct scrub_stream *t, size_t start, size_t n,
			   bool *more)
{
	const uint8_t *p = w->was + start;
	size_t at = 0;

	*more = true;
	while (at < n) {
		if (t->n_message == sizeof(t->message) && t->hello_left == 0) {
			*more = false;
			return at;
		}
		if (t->record_left == 0 && t->n_head == sizeof(t->head))
			t->n_head = 0;
		if (t->n_head < sizeof(t->head)) {
			t->head[t->n_head++] = p[at++];
			*more = hello_head(t);
		} else if (t->n_message < sizeof(t->message)) {
			t->message[t->n_message++] = p[at++];
			t->record_left--;
			*more = hello_message(t);
		} else {
			size_t step = n - at < t->record_left ? n - at : t->record_left;
			step = step < t->hello_left ? step : t->hello_left;
			size_t kept;
			if (w->s->cfg.names != NULL &&
			    !names_hello(w, t, start + at, step, &kept)) {
				*more = false;
				return at + kept;
			}
			t->record_left -= (uint32_t)step;
			t->hello_left -= (uint32_t)step;
			at += step;
		}
		/* Another record or message: what was read of it does not belong to this one. */
		if (!*more)
			return 0;
	}
	*more = t->n_message < sizeof(t->message) || t->hello_left != 0;
	return at;
}

static size_t keep_hello(struct walk *w, const struct walk_ip *ip, size_t at, size_t n,
			 uint32_t seq)
{
	uint64_t key = stream_key(w, ip);
	struct scrub_stream *t = &w->s->stream[key % SCRUB_STREAMS], fresh = {.key = key};
	bool goes_on = t->key == key && t->next == seq, more;

	if (n == 0)
		return 0;
	if (!goes_on && w->was[at] != 22)
		return 0;
	if (!goes_on)
		*t = fresh;
	size_t kept = hello_length(w, t, at, n, &more);
	t->next = seq + (uint32_t)n;
	if (!more)
		*t = (struct scrub_stream){.key = 0};
	return kept;
}

/* HTTP/1 (RFC 9112): the start line, and Host where it is here too; the values of others are x's.
 */

static bool starts_http(const uint8_t *p, size_t n)
{
	static const char *const starts[] = {"GET ",	 "HEAD ",  "POST ",    "PUT ",	 "DELETE ",
					     "CONNECT ", "TRACE ", "OPTIONS ", "PATCH ", "HTTP/1."};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		size_t len = strlen(starts[i]);
		if (n >= len && strncasecmp((const char *)p, starts[i], len) == 0)
			return true;
	}
	return false;
}

/* Behind the line that begins at i. */
static size_t line_end(const uint8_t *p, size_t n, size_t i)
{
	const uint8_t *lf = memchr(p + i, '\n', n - i);

	return lf != NULL ? (size_t)(lf - p) + 1 : n;
}

static size_t keep_http(struct walk *w, size_t at, size_t n)
{
	const uint8_t *p = w->was + at;
	bool answer = n >= 5 && memcmp(p, "HTTP/", 5) == 0;

	if (!starts_http(p, n))
		return 0;
	if (w->s->cfg.names != NULL)
		return names_http(w, at, n);
	size_t first = line_end(p, n, 0), i = first;
	while (!answer && !w->s->cfg.keep_payload && i < n && p[i] != '\r' && p[i] != '\n') {
		size_t next = line_end(p, n, i);
		if (next - i >= 5 && strncasecmp((const char *)p + i, "Host:", 5) == 0)
			return next;
		const uint8_t *colon = memchr(p + i, ':', next - i);
		for (size_t k = colon != NULL ? (size_t)(colon - p) + 1 : i; k < next; k++)
			if (p[k] != '\r' && p[k] != '\n' && p[k] != ' ')
				w->now[at + k] = 'x';
		i = next;
	}
	/* No Host came, so nothing but the start line is wanted. */
	return first;
}

/* QUIC: what comes before keys that nobody but the two ends has. */
static size_t keep_quic(const struct walk *w, size_t at, size_t n)
{
	struct cursor c = cursor_of(w->was + at, n);
	struct quic_packet q;
	size_t kept = 0;

	/* The name is encrypted, though everybody has the key. */
	if (w->s->cfg.names != NULL)
		return 0;
	while (quic_packet_next(&c, false, &q)) {
		bool known = q.kind == QUIC_INITIAL || q.kind == QUIC_RETRY;
		if (q.kind != QUIC_NEGOTIATION && !(known && quic_version_find(q.version) != NULL))
			break;
		kept = c.pos < n ? c.pos : n;
	}
	return kept;
}

static size_t keep_dns_tcp(struct walk *w, size_t at, size_t n)
{
	size_t kept = 0;

	while (n - kept > DNS_TCP_PREFIX) {
		size_t len = load_be16(w->was + at + kept);
		/* A part of a message cannot be told from anything else. */
		if (len < 12 || len > n - kept - DNS_TCP_PREFIX)
			break;
		size_t some = walk_dns(w, at + kept + DNS_TCP_PREFIX, len);
		kept += DNS_TCP_PREFIX + some;
		if (some != len)
			break;
	}
	return kept;
}

static size_t kept_of(struct walk *w, const struct walk_ip *ip, size_t at, size_t n, uint32_t seq)
{
	uint16_t sport = load_be16(w->was + ip->body), dport = load_be16(w->was + ip->body + 2);
	bool dns = sport == DNS_PORT || dport == DNS_PORT;

	if (ip->proto == WALK_UDP)
		return dns ? walk_dns(w, at, n) : keep_quic(w, at, n);
	if (dns)
		return keep_dns_tcp(w, at, n);
	size_t kept = keep_hello(w, ip, at, n, seq);
	return kept != 0 ? kept : keep_http(w, at, n);
}

void walk_payload(struct walk *w, const struct walk_ip *ip, size_t at, size_t end, uint32_t seq)
{
	if (at >= end)
		return;
	bool all = w->s->cfg.keep_payload && w->s->cfg.names == NULL;
	size_t kept = kept_of(w, ip, at, end - at, seq);
	if (all)
		kept = end - at;
	walk_text(w, at, at + kept);
	walk_wipe(w, &ip->src, at, at + kept);
	walk_wipe(w, &ip->dst, at, at + kept);
	walk_cut(w, at + kept);
}
