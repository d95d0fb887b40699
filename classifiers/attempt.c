/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/attempt.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "classifiers/app/first_words.h"
#include "classifiers/app/http.h"
#include "classifiers/app/tls.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/app/vpn.h"
#include "classifiers/classifier.h"
#include "classifiers/spill.h"
#include "classifiers/tamper/dns_exchange.h"
#include "classifiers/tamper/exchange.h"
#include "classifiers/tamper/quic_exchange.h"
#include "dataplane/seq.h"

/* A reset or close this late after the request says nothing of the request; TLS-RST-CH. */
#define SOON_NS 3000000000ull

#define ALERT_FATAL 2 /* RFC 8446 section 6 */

/*
 * Muted: three copies, as for every silence, of what is within the first bytes and seconds; what
 * protocol filters let through before they act is less (PROTO-WHITELIST).
 */
#define MUTED_COPIES 3
#define MUTED_BYTES 16384u
#define MUTED_NS 5000000000ull

/* How long answers belong to a query. */
#define EXCHANGE_NS 5000000000ull

const char *const attempt_end_name[ATTEMPT_N] = {
	[ATTEMPT_UNKNOWN] = "unknown", [ATTEMPT_OK] = "ok",	    [ATTEMPT_REFUSED] = "refused",
	[ATTEMPT_RESET] = "reset",     [ATTEMPT_CLOSED] = "closed", [ATTEMPT_ALERT] = "alert",
	[ATTEMPT_SILENT] = "silent",   [ATTEMPT_PAGE] = "page",	    [ATTEMPT_FORGED] = "forged",
};

static bool intern_grow(struct attempts *t)
{
	uint32_t room = t->room_interned != 0 ? t->room_interned * 2 : 256;
	struct interned *bigger = calloc(room, sizeof(*bigger));
	if (bigger == NULL)
		return false;
	for (uint32_t i = 0; i < t->room_interned; i++) {
		if (t->interned[i].value == NULL)
			continue;
		uint32_t k = t->interned[i].hash & (room - 1);
		while (bigger[k].value != NULL)
			k = (k + 1) & (room - 1);
		bigger[k] = t->interned[i];
	}
	free(t->interned);
	t->interned = bigger;
	t->room_interned = room;
	return true;
}

/* A copy that lives as long as the arena, one for all that are equal. NULL: no memory. */
static const void *intern(struct attempts *t, const void *value, size_t len)
{
	uint32_t hash = (uint32_t)XXH3_64bits(value, len);
	if (t->n_interned * 2 >= t->room_interned && !intern_grow(t))
		return NULL;
	uint32_t k = hash & (t->room_interned - 1);
	for (; t->interned[k].value != NULL; k = (k + 1) & (t->room_interned - 1))
		if (t->interned[k].hash == hash && t->interned[k].len == len &&
		    memcmp(t->interned[k].value, value, len) == 0)
			return t->interned[k].value;
	void *copy = arena_alloc(t->arena, len);
	if (copy == NULL)
		return NULL;
	memcpy(copy, value, len);
	t->interned[k] = (struct interned){.hash = hash, .value = copy, .len = (uint32_t)len};
	t->n_interned++;
	return copy;
}

static const char *intern_name(struct attempts *t, const char *name)
{
	char lower[256];
	size_t n = strnlen(name, sizeof(lower) - 1);
	for (size_t i = 0; i < n; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	lower[n] = '\0';
	return n != 0 ? intern(t, lower, n + 1) : NULL;
}

static struct attempt_block *block_new(struct spill *spill)
{
	size_t size = sizeof(struct attempt_block) + ATTEMPTS_BLOCK * sizeof(struct attempt);
	struct attempt_block *b = spill_alloc(&spill, &size);
	if (b != NULL)
		*b = (struct attempt_block){.spill = spill, .size = size};
	return b;
}

static size_t block_room(const struct attempt_block *b)
{
	return (b->size - sizeof(*b)) / sizeof(b->list[0]);
}

static struct attempt *attempt_new(struct attempts *t, const struct flow *f)
{
	if (t->n >= ATTEMPTS_SHARD) {
		t->dropped++;
		return NULL;
	}
	struct attempt_block *b = t->last;
	if (b == NULL || b->n == block_room(b)) {
		b = block_new(t->spill);
		if (b == NULL) {
			t->dropped++;
			return NULL;
		}
		*(t->last != NULL ? &t->last->next : &t->first) = b;
		t->last = b;
	}
	struct attempt *a = &b->list[b->n++];
	t->n++;
	*a = (struct attempt){
		.flow_id = f->id,
		.start_ns = f->first_ns,
		.end_ns = f->last_ns,
		.client = *flow_addr(f, DIR_C2S),
		.server = *flow_addr(f, DIR_S2C),
		.client_port = flow_port(f, DIR_C2S),
		.server_port = flow_port(f, DIR_S2C),
		.ip_version = f->key.ip_version,
		.proto = f->key.proto,
		.ja4 = "",
	};
	return a;
}

/* The first recorded packet of direction dir at or after index from that has any of flags, or (flags
 * 0) payload; -1. */
static int event_find(const struct evidence *ev, unsigned from, enum dir dir, unsigned flags)
{
	for (unsigned i = from; i < ev->n_events; i++) {
		const struct event *e = &ev->events[i];
		if (event_dir(e) != dir || (e->flags & EVENT_IGNORED) != 0)
			continue;
		if (flags != 0 ? (e->flags & flags) != 0
			       : e->len != 0 && (e->flags & (TCP_RST | TCP_SYN)) == 0)
			return (int)i;
	}
	return -1;
}

/* What ended it, as the packets have it; findings may know better. */
static void tcp_end(struct attempt *a, const struct evidence *ev, const struct app_facts *facts)
{
	const struct half *c = &ev->half[DIR_C2S], *s = &ev->half[DIR_S2C];
	int asked = event_find(ev, 0, DIR_C2S, 0), answer = event_find(ev, 0, DIR_S2C, 0);
	int reset = event_find(ev, 0, DIR_S2C, TCP_RST), fin = event_find(ev, 0, DIR_S2C, TCP_FIN);

	a->stage = (uint8_t)(asked >= 0	    ? STAGE_POST_PSH
			     : c->n_acks != 0 ? STAGE_POST_ACK
					      : STAGE_POST_SYN);
	if (asked >= 0)
		a->request_ns = ev->events[asked].ts_ns;
	if (!s->seen && s->n_rst == 0 && s->n_rstack == 0)
		a->bits |= ATTEMPT_ONE_SIDED;
	/* Of a long upload's packets the answer is none that are kept. */
	bool later = answer < 0 && s->n_data != 0 &&
		     (reset < 0 || s->first_data_ns < ev->events[reset].ts_ns);
	if (later || (answer >= 0 && (reset < 0 || answer < reset))) {
		a->end = ATTEMPT_OK;
		a->end_ns = later ? s->first_data_ns : ev->events[answer].ts_ns;
	} else if (reset >= 0) {
		a->end = (uint8_t)(s->syn ? ATTEMPT_RESET : ATTEMPT_REFUSED);
		a->end_ns = ev->events[reset].ts_ns;
	} else if (fin >= 0 && asked >= 0) {
		a->end = ATTEMPT_CLOSED;
		a->end_ns = ev->events[fin].ts_ns;
	} else if (c->gap || s->gap) {
		a->end = ATTEMPT_UNKNOWN;
	} else if (asked >= 0 || !s->syn) {
		/* Whether it was long enough is for those to say who know when the capture ended. */
		a->end = ATTEMPT_SILENT;
	}
	if (a->end == ATTEMPT_OK && facts->tls_server != NULL && !facts->tls_server->has_hello &&
	    facts->tls_server->has_alert && facts->tls_server->alert_level == ALERT_FATAL)
		a->end = ATTEMPT_ALERT;
	if (a->end == ATTEMPT_RESET && asked >= 0 && a->end_ns - a->request_ns > SOON_NS)
		a->end = ATTEMPT_UNKNOWN;
}

/* What tells one stack at an address from another. */
static void handshake(struct attempt *a, const struct evidence *ev)
{
	int syn = event_find(ev, 0, DIR_C2S, TCP_SYN), answer = event_find(ev, 0, DIR_S2C, TCP_SYN);
	if (answer < 0)
		return;
	a->ttl = ev->events[answer].ttl;
	if (syn < 0 || syn > answer || ev->half[DIR_C2S].n_syn != 1)
		return;
	uint64_t from = ev->events[syn].ts_ns, to = ev->events[answer].ts_ns;
	if (to > from && to - from < UINT32_MAX * 1000ull)
		a->rtt_us = (uint32_t)((to - from) / 1000);
}

/* How it began, and whether that was the end of what the client could say. */
static void words(struct attempt *a, const struct evidence *ev, const struct app_facts *facts)
{
	const struct half *c = &ev->half[DIR_C2S];
	const struct vpn_facts *v = facts->vpn;
	enum first_words w = c->syn ? first_words_of(c->excerpt, c->excerpt_len) : WORDS_UNKNOWN;
	if (w == WORDS_OTHER && v != NULL && v->proto != VPN_NONE)
		w = WORDS_VPN + v->proto;
	else if (w == WORDS_OTHER && v != NULL && v->fet)
		w = WORDS_ENCRYPTED;
	else if (w == WORDS_OTHER && c->n_data == 1 && c->first_len == c->excerpt_len &&
		 first_words_is_cut_reset(c->excerpt, c->excerpt_len))
		w = WORDS_CUT_RESET;
	a->words = (uint8_t)w;
	const struct resent *r = evidence_resent(ev, DIR_C2S);
	a->muted = r->stuck >= MUTED_COPIES && c->n_data != 0 && !c->gap &&
		   seq_leq(c->first_seq, r->stuck_seq) &&
		   r->stuck_seq - c->first_seq < MUTED_BYTES &&
		   r->stuck_ns < c->first_data_ns + MUTED_NS;
}

/* How the hello lay in packets and records: what boxes that do not reassemble let pass. */
static void tls_features(struct attempts *t, struct attempt *a, const struct evidence *ev,
			 const struct tls_client_hello *tls)
{
	const struct half *c = &ev->half[DIR_C2S];
	a->bits |= (tls->ech ? ATTEMPT_ECH : 0) | (tls->esni ? ATTEMPT_ESNI : 0) |
		   (tls->n_records > 1 ? ATTEMPT_RECORDS : 0);
	if (tls->has_sni && c->first_len != 0 && tls->sni_end > c->first_len)
		a->bits |= ATTEMPT_SEGMENTED;
	if (tls->ja4[0] != '\0') {
		const char *ja4 = intern(t, tls->ja4, strlen(tls->ja4) + 1);
		a->ja4 = ja4 != NULL ? ja4 : "";
	}
}

/* What tells one server from another, and no more, so that its flows share a copy. */
static const struct tls_server *intern_server(struct attempts *t, const struct tls_server *of)
{
	struct tls_server s;
	memset(&s, 0, sizeof(s));
	s.version = of->version;
	s.cipher = of->cipher;
	s.has_hello = of->has_hello;
	s.has_certificate = of->has_certificate;
	s.interceptor = of->interceptor;
	memcpy(s.spki, of->spki, sizeof(s.spki));
	snprintf(s.ja3s, sizeof(s.ja3s), "%s", of->ja3s);
	snprintf(s.issuer, sizeof(s.issuer), "%s", of->issuer);
	snprintf(s.subject, sizeof(s.subject), "%s", of->subject);
	return intern(t, &s, sizeof(s));
}

static const struct rate_facts *keep_rate(struct attempts *t, const struct rate_facts *of)
{
	struct rate_facts *r = arena_alloc(t->arena, sizeof(*r));
	if (r != NULL)
		*r = *of;
	return r;
}

void attempt_flow(struct attempts *t, const struct flow *f, const struct evidence *ev,
		  const struct app_facts *facts)
{
	const struct half *c = &ev->half[DIR_C2S], *s = &ev->half[DIR_S2C];
	const char *name = NULL;
	enum trigger_kind kind = TRIGGER_NONE;
	/* Connections picked up midway are nobody's attempt, unless they still say a name. */
	if (facts->tls != NULL && facts->tls->has_sni) {
		name = facts->tls->sni;
		kind = TRIGGER_SNI;
	} else if (facts->http != NULL && facts->http->has_host) {
		name = facts->http->host;
		kind = TRIGGER_HOST;
	}
	bool cut = name == NULL && ((facts->tls != NULL && facts->tls->truncated) ||
				    (facts->http != NULL && facts->http->truncated));
	if (!c->syn && name == NULL)
		return;
	struct attempt *a = attempt_new(t, f);
	if (a == NULL)
		return;
	a->trigger = (uint8_t)kind;
	a->first_len = c->n_data == 0 ? 0 : c->first_len < UINT16_MAX ? (uint16_t)c->first_len : UINT16_MAX;
	a->bits |= cut ? ATTEMPT_NAME_CUT : 0;
	a->name = name != NULL ? intern_name(t, name) : NULL;
	uint64_t bytes = s->seen && s->syn ? (uint32_t)(s->next - s->isn - 1) : 0;
	a->bytes_s2c = s->n_data != 0 ? (uint32_t)bytes : 0;
	if (c->syn && s->syn && c->n_acks + c->n_data != 0)
		a->bits |= ATTEMPT_HANDSHAKE;
	if (facts->tls != NULL)
		tls_features(t, a, ev, facts->tls);
	if (facts->tls_server != NULL)
		a->tls_server = intern_server(t, facts->tls_server);
	handshake(a, ev);
	words(a, ev, facts);
	tcp_end(a, ev, facts);
	if (facts->vpn != NULL && facts->vpn->fet) {
		a->bits |= ATTEMPT_FET;
		a->payload = facts->vpn->payload;
	}
	if (ev->more != NULL) {
		a->goodput = ev->more->goodput;
		a->rate = ev->more->rate != NULL ? keep_rate(t, ev->more->rate) : NULL;
	}
}

struct attempt *attempt_exchange(struct attempts *t, const struct flow *f, const struct exchange *x)
{
	struct attempt *a = attempt_new(t, f);
	if (a == NULL)
		return NULL;
	a->trigger = x->kind == EXCHANGE_DNS	? TRIGGER_QNAME
		     : x->kind == EXCHANGE_VPN	? TRIGGER_PROTOCOL
		     : x->name[0] != '\0'	? TRIGGER_QUIC_SNI
						: TRIGGER_PROTOCOL;
	a->name = intern_name(t, x->name);
	a->end = x->end;
	a->stage = STAGE_POST_PSH;
	a->start_ns = x->n_events != 0 ? x->events[0].ts_ns : f->first_ns;
	a->request_ns = x->request_ns;
	a->end_ns = x->end_ns;
	if (x->kind == EXCHANGE_QUIC) {
		const struct quic_exchange *q = quic_exchange_of(x);
		a->first_len = q->size;
		a->version = (uint16_t)q->version;
		a->bits |= q->spread ? ATTEMPT_SEGMENTED : 0;
	}
	const struct dns_exchange *d = dns_exchange_of(x);
	if (d == NULL)
		return a;
	a->txid = d->txid;
	a->qtype = d->qtype;
	a->n_answers = d->n_answers;
	a->rcode = d->n_replies != 0 ? d->reply[0].rcode : 0;
	return a;
}

void attempts_free(struct attempts *t)
{
	attempts_move(t, NULL);
}

void attempts_move(struct attempts *t, struct attempt *out)
{
	while (t->first != NULL) {
		struct attempt_block *b = t->first;
		t->first = b->next;
		if (out != NULL)
			memcpy(out, b->list, b->n * sizeof(*out));
		out = out != NULL ? out + b->n : NULL;
		spill_release(b->spill, b, b->size);
	}
	free(t->interned);
	t->last = NULL;
	t->interned = NULL;
	t->n = t->n_interned = t->room_interned = 0;
}

static int compare_attempts(const void *x, const void *y)
{
	const struct attempt *a = x, *b = y;
	if (a->capture != b->capture)
		return a->capture < b->capture ? -1 : 1;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	return a->flow_id < b->flow_id ? -1 : a->flow_id > b->flow_id;
}

struct by_flow {
	unsigned capture;
	uint64_t flow_id;
	const struct flow_record *flow;
	struct finding *finding;
};

static int compare_by_flow(const void *x, const void *y)
{
	const struct by_flow *a = x, *b = y;
	if (a->capture != b->capture)
		return a->capture < b->capture ? -1 : 1;
	if (a->flow_id != b->flow_id)
		return a->flow_id < b->flow_id ? -1 : 1;
	/* The worst finding first, a record without one last. */
	enum verdict va = a->finding != NULL ? a->finding->verdict : VERDICT_NONE;
	enum verdict vb = b->finding != NULL ? b->finding->verdict : VERDICT_NONE;
	return va > vb ? -1 : va < vb;
}

/* An anomaly or more is what became of the attempt, whatever its packets look like. */
static void settle(struct attempt *a, const struct by_flow *k)
{
	struct finding *f = k->finding;
	a->flow = k->flow;
	a->finding = f;
	if (f == NULL || f->verdict < VERDICT_ANOMALY)
		return;
	switch (f->family) {
	case FAMILY_TCP_INJECTION:
		a->end = ATTEMPT_RESET;
		a->end_ns = f->ts_ns;
		break;
	case FAMILY_TLS_FILTERING: /* content that was put in: see finding.c */
		a->end = ATTEMPT_FORGED;
		a->end_ns = f->ts_ns;
		break;
	case FAMILY_HTTP_INJECTION:
		a->end = ATTEMPT_PAGE;
		a->end_ns = f->ts_ns;
		break;
	case FAMILY_SILENT_DROP:
		a->end = ATTEMPT_SILENT;
		break;
	case FAMILY_DNS_INJECTION:
		a->end = ATTEMPT_FORGED;
		break;
	default:
		break;
	}
	a->stage = (uint8_t)f->stage;
}

static bool is_of(const struct attempt *a, const struct by_flow *k)
{
	return k->capture == a->capture && k->flow_id == a->flow_id;
}

/* A flow to a resolver holds many queries. */
static bool is_about(const struct attempt *a, const struct finding *f)
{
	if (f == NULL || a->trigger != TRIGGER_QNAME)
		return true;
	return a->name != NULL && strcasecmp(a->name, f->trigger_value) == 0 &&
	       f->ts_ns >= a->start_ns && f->ts_ns - a->start_ns <= EXCHANGE_NS;
}

void attempts_settle(struct analysis *a)
{
	if (a->n_attempts == 0)
		return;
	qsort(a->attempts, a->n_attempts, sizeof(*a->attempts), compare_attempts);
	size_t n = 0, room = a->n_flows + a->n_findings;
	struct by_flow *known = malloc((room + 1) * sizeof(*known));
	if (known == NULL)
		return;
	for (size_t i = 0; i < a->n_flows; i++)
		known[n++] = (struct by_flow){a->flows[i]->capture, a->flows[i]->id, a->flows[i], NULL};
	for (size_t i = 0; i < a->n_findings; i++)
		known[n++] = (struct by_flow){a->findings[i]->flow->capture, a->findings[i]->flow->id,
					      a->findings[i]->flow, a->findings[i]};
	qsort(known, n, sizeof(*known), compare_by_flow);
	for (size_t i = 0; i < a->n_attempts; i++) {
		struct attempt *t = &a->attempts[i];
		size_t lo = 0, hi = n;
		while (lo < hi) { /* the first entry of the flow */
			size_t mid = lo + (hi - lo) / 2;
			const struct by_flow *m = &known[mid];
			bool before = m->capture != t->capture ? m->capture < t->capture
							       : m->flow_id < t->flow_id;
			lo = before ? mid + 1 : lo;
			hi = before ? hi : mid;
		}
		while (lo < n && is_of(t, &known[lo]) && !is_about(t, known[lo].finding))
			lo++;
		if (lo < n && is_of(t, &known[lo]))
			settle(t, &known[lo]);
	}
	free(known);
}
