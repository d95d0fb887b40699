/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/dns_exchange.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "classifiers/lists/rules.h"
#include "dataplane/cursor.h"

#define COPY_NS 1000000ull /* SPAN ports and captures of all interfaces show frames twice */
#define BUCKETS_FIRST 8u
#define HABIT_ANSWERS 10   /* until a resolver's usual one is believed; DNS-EARLY */
#define CLASS_IN 1

/* Open queries: by transaction id, and from the oldest on. */
struct dns_gather {
	struct dns_exchange **bucket;
	uint32_t mask, n;
	struct dns_exchange *first, *last;
};

/* Which query it is */

static bool gather_grow(struct dns_gather *g)
{
	uint32_t room = g->bucket == NULL ? BUCKETS_FIRST : (g->mask + 1) * 2;
	struct dns_exchange **bigger = calloc(room, sizeof(struct dns_exchange *));
	if (bigger == NULL)
		return g->bucket != NULL;
	free(g->bucket);
	g->bucket = bigger;
	g->mask = room - 1;
	/* From the oldest on, so that of equals the newest comes first. */
	for (struct dns_exchange *x = g->first; x != NULL; x = x->later) {
		x->chain = bigger[x->txid & g->mask];
		bigger[x->txid & g->mask] = x;
	}
	return true;
}

static struct dns_gather *gather_new(void)
{
	struct dns_gather *g = calloc(1, sizeof(*g));
	if (g != NULL && !gather_grow(g)) {
		free(g);
		return NULL;
	}
	return g;
}

/* Exact: the letters' case must be the same too. */
static struct dns_exchange *find(const struct dns_gather *g, uint16_t txid, uint16_t qtype,
				 const char *qname, bool exact)
{
	for (struct dns_exchange *x = g->bucket[txid & g->mask]; x != NULL; x = x->chain)
		if (x->txid == txid && (qname == NULL || (x->qtype == qtype &&
		    (exact ? strcmp : strcasecmp)(x->qname, qname) == 0)))
			return x;
	return NULL;
}

static struct dns_exchange *exchange_open(struct dns_gatherer *s, struct dns_gather *g,
					  const struct dns_packet *p, const struct dns_message *m,
					  const char *qname)
{
	size_t n = strlen(qname) + 1;
	struct dns_exchange *x = calloc(1, sizeof(*x) + n);
	if (x == NULL)
		return NULL;
	exchange_init(&x->x, EXCHANGE_DNS, p->h->ip_version == 6);
	memcpy(x->qname, qname, n);
	x->x.name = x->qname;
	x->txid = m->txid;
	x->qtype = m->qtype;
	x->qclass = m->qclass;
	x->tcp = p->tcp;
	x->opened_ns = p->pkt->ts_ns;
	if (g->n > 2 * g->mask)
		gather_grow(g);
	x->chain = g->bucket[x->txid & g->mask];
	g->bucket[x->txid & g->mask] = x;
	if (g->last != NULL)
		g->last->later = x;
	else
		g->first = x;
	g->last = x;
	g->n++;
	s->open++;
	return x;
}

/* How it ended */

/* Whether its first answer is as the resolver's usual one, which it then takes part in. */
static bool is_odd(struct dns_gatherer *s, const struct flow *f, const struct dns_exchange *x)
{
	const struct ip_addr *server = flow_addr(f, DIR_S2C);
	uint64_t key = XXH3_64bits(server, sizeof(*server));
	struct dns_habit *h = &s->habit[key % DNS_HABITS];
	const struct dns_reply *r = &x->reply[0];
	uint8_t ttl = x->x.events[r->event].ttl;
	bool opt = (r->bits & DNS_REPLY_OPT) != 0 || !x->query_opt;
	uint16_t word = dns_word(r->flags) & (uint16_t)~DNS_RD;
	if (h->resolver != key || h->n == 0)
		*h = (struct dns_habit){.resolver = key, .min_wait_ns = UINT64_MAX};
	bool usual = h->margin != 0 && h->ttl == ttl && h->word == word && h->opt == opt;
	bool early = h->min_wait_ns != UINT64_MAX && r->wait_ns < h->min_wait_ns / 2;
	bool odd = !usual || early || h->n < HABIT_ANSWERS;
	if (usual) {
		h->margin += h->margin != UINT16_MAX;
	} else if (h->margin == 0) {
		h->ttl = ttl;
		h->word = word;
		h->opt = opt;
		h->margin = 1;
		h->min_wait_ns = UINT64_MAX;
		usual = true;
	} else {
		h->margin--;
	}
	if (usual && r->wait_ns < h->min_wait_ns)
		h->min_wait_ns = r->wait_ns;
	h->n += h->n < HABIT_ANSWERS;
	return odd;
}

static enum attempt_end what_became(const struct dns_exchange *x)
{
	if (x->n_replies == 0)
		return x->x.n_icmp != 0 ? ATTEMPT_REFUSED : ATTEMPT_SILENT;
	uint16_t rcode = x->reply[0].rcode;
	return rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN ? ATTEMPT_OK : ATTEMPT_REFUSED;
}

/* The oldest goes to the inspector. */
static void end_first(struct dns_gatherer *s, struct dns_gather *g, const struct flow *f,
		      struct app_facts *facts)
{
	struct dns_exchange *x = g->first, **at = &g->bucket[x->txid & g->mask];
	while (*at != x)
		at = &(*at)->chain;
	*at = x->chain;
	g->first = x->later;
	if (g->first == NULL)
		g->last = NULL;
	g->n--;
	s->open--;
	x->chain = x->later = NULL;
	const struct event *e = x->x.events;
	x->x.end = (uint8_t)what_became(x);
	if (x->x.n_events != 0) {
		x->x.request_ns = event_dir(&e[0]) == DIR_C2S ? e[0].ts_ns : 0;
		x->x.end_ns = x->n_replies != 0 ? e[x->reply[0].event].ts_ns
						: e[x->x.n_events - 1].ts_ns;
	}
	x->odd = x->n_replies != 0 && !x->tcp && f != NULL && is_odd(s, f, x);
	exchange_done(&x->x, facts);
}

static void end_old(struct dns_gatherer *s, struct dns_gather *g, const struct dns_packet *p,
		    struct app_facts *facts)
{
	uint64_t now = p->pkt->ts_ns;
	while (g->first != NULL &&
	       (g->n > DNS_FLOW_MAX || s->open > DNS_OPEN_MAX ||
		(now > g->first->opened_ns && now - g->first->opened_ns > DNS_WINDOW_NS)))
		end_first(s, g, p->flow, facts);
}

/* Queries */

/* The same frame again: also IP-ID 0 and IPv6, since nobody asks twice within a millisecond. */
static bool is_copy_of_query(const struct dns_exchange *x, const struct dns_packet *p)
{
	for (unsigned i = 0; i < x->x.n_events && !p->tcp; i++) {
		const struct event *e = &x->x.events[i];
		if (event_dir(e) == DIR_C2S && e->ip_id == p->h->ip_id &&
		    p->pkt->ts_ns - e->ts_ns < COPY_NS)
			return true;
	}
	return false;
}

static bool gather_query(struct dns_gatherer *s, struct dns_gather *g, const struct dns_packet *p,
			 const struct dns_message *m, const char *qname)
{
	struct dns_exchange *x = find(g, m->txid, m->qtype, qname, true);
	if (x == NULL)
		x = exchange_open(s, g, p, m, qname);
	if (x == NULL)
		return true;
	if (is_copy_of_query(x, p)) {
		x->n_copies += x->n_copies != UINT16_MAX;
		return true;
	}
	x->query_flags = m->flags;
	x->query_opt = m->has_opt;
	x->n_queries += x->n_queries != UINT16_MAX;
	exchange_packet(&x->x, DIR_C2S, p->pkt, p->h);
	return true;
}

/* Answers */

static uint64_t hash_name(const struct dns_message *m, size_t at)
{
	uint8_t wire[DNS_NAME_MAX];
	return XXH3_64bits(wire, dns_name_wire(m, at, true, wire));
}

static uint64_t hash_record(const struct dns_message *m, const struct dns_rr *r)
{
	uint64_t data;
	switch (r->type) {
	case DNS_CNAME:
	case DNS_DNAME:
	case DNS_NS:
	case DNS_PTR:
		data = hash_name(m, r->rdata);
		break;
	case DNS_MX:
		data = hash_name(m, r->rdata + 2u) + load_be16(m->data + r->rdata);
		break;
	default:
		data = XXH3_64bits(m->data + r->rdata, r->rdlen);
	}
	/* Mixed again, or sums of several would meet. */
	return XXH3_64bits_withSeed(&data, sizeof(data), r->type);
}

/* The address of a record, if it is one. */
static unsigned address_of(const struct dns_message *m, const struct dns_rr *r, struct ip_addr *out)
{
	bool v4 = r->type == DNS_A && r->class == CLASS_IN;
	if (r->section != DNS_ANSWER || (!v4 && (r->type != DNS_AAAA || r->class != CLASS_IN)))
		return 0;
	*out = (struct ip_addr){.b = {[10] = 0xff, 0xff}};
	memcpy(out->b + (v4 ? 12 : 0), m->data + r->rdata, v4 ? 4 : 16);
	return v4 ? 4 : 6;
}

static const struct rule *find_rule(const struct ruleset *rules, const struct dns_message *m,
				    const struct dns_rr *r)
{
	struct ip_addr addr;
	char name[DNS_TEXT_SIZE];
	unsigned version = address_of(m, r, &addr);
	if (rules == NULL)
		return NULL;
	if (version != 0)
		return ruleset_find_dns_addr(rules, &addr, version);
	if (r->type != DNS_CNAME || r->section != DNS_ANSWER || !dns_name_text(m, r->rdata, name))
		return NULL;
	return ruleset_find_dns_name(rules, name, strlen(name));
}

/* The answer section, reduced to what is compared. */
static void read_answers(const struct ruleset *rules, const struct dns_message *m,
			 struct dns_reply *r)
{
	uint64_t addresses = 0, others = 0;
	bool public = false;
	for (unsigned i = 0; i < m->n_rrs && m->rr[i].section == DNS_ANSWER; i++) {
		struct ip_addr addr;
		unsigned version = address_of(m, &m->rr[i], &addr);
		r->n_answers += r->n_answers != UINT8_MAX;
		if (r->n_answers == 1) {
			r->rr_ttl = m->rr[i].ttl;
			r->bits |= dns_name_is_pointer(m, m->rr[i].name) ? DNS_REPLY_POINTER : 0;
		}
		if (r->known == NULL)
			r->known = find_rule(rules, m, &m->rr[i]);
		if (version == 0) {
			others += hash_record(m, &m->rr[i]);
			continue;
		}
		addresses += hash_record(m, &m->rr[i]);
		public |= dns_address_class(&addr, version) == ADDRESS_PUBLIC;
		if (r->address == ADDRESS_NONE) {
			r->address = (uint8_t)dns_address_class(&addr, version);
			r->addr = addr;
			r->addr_version = (uint8_t)version;
		}
	}
	if (public)
		r->address = ADDRESS_PUBLIC;
	if (r->n_answers == m->count[DNS_ANSWER])
		r->bits |= DNS_REPLY_ANSWERS;
	/* What leads to the same addresses says the same. */
	uint64_t says[2] = {r->rcode, addresses != 0 ? addresses : others};
	r->set = XXH3_64bits(says, sizeof(says));
}

static void keep_raw(struct dns_exchange *x, struct dns_reply *r, const struct dns_message *m)
{
	uint16_t room = (uint16_t)(DNS_RAW - x->raw_n);
	r->raw_at = x->raw_n;
	r->raw_len = m->len < room ? m->len : room;
	memcpy(x->raw + x->raw_n, m->data, r->raw_len);
	x->raw_n = (uint16_t)(x->raw_n + r->raw_len);
}

/* The last query before now, as an index of events; -1. */
static int last_query(const struct dns_exchange *x)
{
	for (int i = (int)x->x.n_events - 1; i >= 0; i--)
		if (event_dir(&x->x.events[i]) == DIR_C2S)
			return i;
	return -1;
}

/* The answer that this is the same frame of, perhaps one router further on; NULL. */
static struct dns_reply *original_of(struct dns_exchange *x, const struct dns_reply *r,
				     const struct dns_packet *p)
{
	for (unsigned i = 0; i < x->n_replies && !p->tcp; i++) {
		const struct event *e = &x->x.events[x->reply[i].event];
		int hops = (int)e->ttl - (int)p->h->ttl;
		if (x->reply[i].whole == r->whole && e->ip_id == p->h->ip_id && hops >= -1 &&
		    hops <= 1 && p->pkt->ts_ns - e->ts_ns < COPY_NS)
			return &x->reply[i];
	}
	return NULL;
}

static void add_reply(struct dns_gatherer *s, struct dns_exchange *x, const struct dns_packet *p,
		      const struct dns_message *m, uint8_t bits)
{
	struct dns_reply r = {.flags = m->flags, .rcode = m->rcode, .wait_ns = UINT64_MAX,
			      .whole = XXH3_64bits(m->data, m->len), .bits = bits};
	struct dns_reply *original = original_of(x, &r, p);
	if (original != NULL) {
		x->n_copies += x->n_copies != UINT16_MAX;
		int copy = original->copy == 0 ? exchange_packet(&x->x, DIR_S2C, p->pkt, p->h) : -1;
		original->copy = copy > 0 ? (uint16_t)copy : original->copy;
		return;
	}
	x->n_answers += x->n_answers != UINT16_MAX;
	int query = last_query(x);
	int event = x->n_replies < DNS_REPLIES ? exchange_packet(&x->x, DIR_S2C, p->pkt, p->h) : -1;
	if (event < 0)
		return;
	r.event = (uint16_t)event;
	if (m->has_opt)
		r.bits |= DNS_REPLY_OPT;
	if (p->cut)
		r.bits |= DNS_REPLY_CUT;
	else if (m->end == DNS_BAD || m->end == DNS_CUT)
		r.bits |= DNS_REPLY_MALFORMED;
	if (query >= 0) {
		const struct event *q = &x->x.events[query];
		r.wait_ns = p->pkt->ts_ns > q->ts_ns ? p->pkt->ts_ns - q->ts_ns : 0;
		if (p->h->ip_version == 4 && !p->tcp && q->ip_id != 0 && q->ip_id == p->h->ip_id)
			r.bits |= DNS_REPLY_MIRROR;
	}
	read_answers(s->rules, m, &r);
	if (r.known != NULL && ruleset_mentions(s->rules, x->qname))
		r.known = NULL;
	keep_raw(x, &r, m);
	x->reply[x->n_replies++] = r;
}

static bool gather_reply(struct dns_gatherer *s, struct dns_gather *g, const struct dns_packet *p,
			 const struct dns_message *m, const char *qname)
{
	uint8_t bits = 0;
	struct dns_exchange *x = NULL;
	if (!m->has_question) {
		bits = DNS_REPLY_NO_QUESTION;
		x = find(g, m->txid, 0, NULL, true);
	} else {
		x = find(g, m->txid, m->qtype, qname, true);
		if (x == NULL && (x = find(g, m->txid, m->qtype, qname, false)) != NULL)
			bits = DNS_REPLY_CASE;
	}
	if (x == NULL)
		x = exchange_open(s, g, p, m, qname);
	if (x != NULL)
		add_reply(s, x, p, m, bits);
	return true;
}

bool dns_gather_message(struct dns_gatherer *s, struct dns_gather **g, const struct dns_packet *p,
			const uint8_t *data, size_t len, struct app_facts *facts)
{
	struct dns_message m;
	char qname[DNS_TEXT_SIZE] = "";
	if (!dns_read(data, len, &m) || (m.flags & DNS_OPCODE) != 0)
		return false;
	if (m.has_question && !dns_name_text(&m, m.qname, qname))
		return false;
	bool reply = (m.flags & DNS_QR) != 0;
	/* A question that cannot be read is no query; nor is the port's use by something else. */
	if (!m.has_question && (!reply || m.count[DNS_QUESTION] != 0 || m.count[DNS_ANSWER] != 0))
		return false;
	if (*g == NULL)
		*g = gather_new();
	if (*g == NULL)
		return true;
	end_old(s, *g, p, facts);
	/* Two resolvers that both use port 53 ask in either direction: one is followed. */
	if (reply != (p->dir == DIR_S2C))
		return true;
	return reply ? gather_reply(s, *g, p, &m, qname) : gather_query(s, *g, p, &m, qname);
}

void dns_gather_icmp(struct dns_gather *g, const struct flow *f, const struct headers *h)
{
	struct dns_exchange *hit = NULL;
	if (g == NULL)
		return;
	for (struct dns_exchange *x = g->first; x != NULL; x = x->later)
		for (unsigned i = 0; i < x->x.n_events; i++)
			if (event_dir(&x->x.events[i]) == DIR_C2S &&
			    x->x.events[i].ip_id == h->quoted_ip_id)
				hit = x;
	if (hit == NULL)
		return;
	hit->x.n_icmp += hit->x.n_icmp != UINT16_MAX;
	/* Port unreachable: RFC 792 3/3, RFC 4443 1/4. */
	bool port = h->ip_version == 6 ? h->sport == 1 && h->dport == 4
				       : h->sport == 3 && h->dport == 3;
	hit->unreachable |= port && memcmp(&h->src, flow_addr(f, DIR_S2C), sizeof(h->src)) == 0;
}

void dns_gather_end(struct dns_gatherer *s, struct dns_gather *g, const struct flow *f,
		    struct app_facts *facts)
{
	if (g == NULL)
		return;
	while (g->first != NULL)
		end_first(s, g, f, facts);
	free(g->bucket);
	free(g);
}

bool dns_reply_read(const struct dns_exchange *x, const struct dns_reply *r,
		    struct dns_message *out)
{
	return dns_read(x->raw + r->raw_at, r->raw_len, out);
}
