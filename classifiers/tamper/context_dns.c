/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/context_dns.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/tamper/dns_decoy.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PORTAL_NAMES 3
#define PORTAL_PROBED UINT64_MAX /* the address of names that systems ask for to find a portal */

/* Open addressing; room is a power of two, at most three quarters are taken. */
struct dns_pool {
	struct resolver *resolver;
	bool *taken;
	uint32_t n, room;
	struct tcp_answer {
		uint64_t question; /* hash; 0: free */
		struct dns_span when;
	} *tcp;
	uint32_t n_tcp, room_tcp;
};

int dns_pool_new(struct dns_pool **out)
{
	*out = calloc(1, sizeof(**out));
	return *out != NULL ? 0 : -ENOMEM;
}

void dns_pool_free(struct dns_pool *p)
{
	if (p == NULL)
		return;
	free(p->resolver);
	free(p->taken);
	free(p->tcp);
	free(p);
}

static uint32_t slot_of(const struct dns_pool *p, const struct ip_addr *addr)
{
	uint32_t i = (uint32_t)XXH3_64bits(addr, sizeof(*addr)) & (p->room - 1);
	while (p->taken[i] && memcmp(&p->resolver[i].addr, addr, sizeof(*addr)) != 0)
		i = (i + 1) & (p->room - 1);
	return i;
}

static bool resolvers_grow(struct dns_pool *p)
{
	struct dns_pool bigger = {.room = p->room != 0 ? p->room * 2 : 16};
	bigger.resolver = calloc(bigger.room, sizeof(*bigger.resolver));
	bigger.taken = calloc(bigger.room, sizeof(*bigger.taken));
	if (bigger.resolver == NULL || bigger.taken == NULL) {
		free(bigger.resolver);
		free(bigger.taken);
		return false;
	}
	for (uint32_t i = 0; i < p->room; i++) {
		if (!p->taken[i])
			continue;
		uint32_t k = slot_of(&bigger, &p->resolver[i].addr);
		bigger.resolver[k] = p->resolver[i];
		bigger.taken[k] = true;
	}
	free(p->resolver);
	free(p->taken);
	p->resolver = bigger.resolver;
	p->taken = bigger.taken;
	p->room = bigger.room;
	return true;
}

/* Made when it is new; NULL: full, or no memory. */
static struct resolver *resolver_get(struct dns_pool *p, const struct ip_addr *addr,
				     unsigned ip_version, uint32_t max)
{
	if ((p->n + 1) * 4 > p->room * 3 && (p->n >= max || !resolvers_grow(p)))
		return NULL;
	uint32_t i = slot_of(p, addr);
	if (!p->taken[i]) {
		if (p->n >= max)
			return NULL;
		p->taken[i] = true;
		p->n++;
		p->resolver[i] = (struct resolver){.addr = *addr,
						   .ip_version = (uint8_t)ip_version};
	}
	return &p->resolver[i];
}

/* Letters of any case are one name. */
static uint64_t hash_name(const char *name, uint64_t seed)
{
	char lower[DNS_TEXT_SIZE];
	size_t n = strnlen(name, sizeof(lower));
	for (size_t i = 0; i < n; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	return XXH3_64bits_withSeed(lower, n, seed);
}

static uint64_t name_bit(const char *name)
{
	return 1ull << (hash_name(name, 0) & 63);
}

static void note_wait(struct resolver_ttl *t, uint64_t wait_ns)
{
	if (wait_ns < t->min_ns[0]) {
		t->min_ns[1] = t->min_ns[0];
		t->min_ns[0] = wait_ns;
	} else if (wait_ns < t->min_ns[1]) {
		t->min_ns[1] = wait_ns;
	}
}

static void note_said(struct resolver_ttl *t, uint64_t set, uint8_t family)
{
	for (unsigned i = 0; i < t->n_said; i++)
		if (t->said[i].set == set)
			return;
	if (t->n_said == RESOLVER_SAID)
		return;
	t->said[t->n_said].set = set;
	t->said[t->n_said++].family = family;
}

/* Tables that are full keep what they have: the usual values come first. */
static void note_ttl(struct resolver *r, const struct resolver_ttl *seen)
{
	for (unsigned i = 0; i < RESOLVER_TTLS; i++) {
		struct resolver_ttl *t = &r->ttl[i];
		if (t->n != 0 && t->ttl != seen->ttl)
			continue;
		if (t->n == 0) {
			*t = *seen;
			return;
		}
		t->n += seen->n;
		for (unsigned k = 0; k < seen->n_said; k++)
			note_said(t, seen->said[k].set, seen->said[k].family);
		t->max_ns = seen->max_ns > t->max_ns ? seen->max_ns : t->max_ns;
		note_wait(t, seen->min_ns[0]);
		note_wait(t, seen->min_ns[1]);
		return;
	}
}

static void note_word(struct resolver *r, uint16_t word, uint32_t n)
{
	for (unsigned i = 0; i < RESOLVER_WORDS; i++) {
		if (r->word[i].n != 0 && r->word[i].word != word)
			continue;
		r->word[i].word = word;
		r->word[i].n += n;
		return;
	}
}

/* Where a new address is remembered: a free place, or that of the one for fewest names; NULL: none. */
static struct resolver_portal *portal_place(struct resolver *r)
{
	struct resolver_portal *least = &r->portal[0];
	for (unsigned i = 0; i < RESOLVER_PORTALS; i++) {
		struct resolver_portal *q = &r->portal[i];
		if (q->names == 0)
			return q;
		if (__builtin_popcountll(q->names) < __builtin_popcountll(least->names))
			least = q;
	}
	return __builtin_popcountll(least->names) < PORTAL_NAMES ? least : NULL;
}

/* Public addresses are not judged by it, and would soon take every place. */
static void note_portal(struct resolver *r, const struct dns_reply *a, const char *name)
{
	bool known = false;
	/* An answer without any says nothing: of another type, or an error. */
	for (unsigned i = 0; i < RESOLVER_PORTALS && a->address != ADDRESS_NONE; i++) {
		struct resolver_portal *q = &r->portal[i];
		if (q->names == 0)
			break;
		if (memcmp(&q->addr, &a->addr, sizeof(q->addr)) == 0) {
			q->names |= dns_name_is_probe(name) ? PORTAL_PROBED : name_bit(name);
			q->within = q->others;
			known = true;
		} else {
			q->others++;
		}
	}
	if (known || a->address <= ADDRESS_DOCUMENTATION)
		return;
	struct resolver_portal *q = portal_place(r);
	if (q != NULL)
		*q = (struct resolver_portal){
			.addr = a->addr,
			.names = dns_name_is_probe(name) ? PORTAL_PROBED : name_bit(name)};
}

bool dns_exchange_is_clean(const struct dns_exchange *x)
{
	for (unsigned i = 0; i < x->n_replies; i++) {
		const struct dns_reply *a = &x->reply[i];
		if (a->set != x->reply[0].set || a->address > ADDRESS_DOCUMENTATION ||
		    a->known != NULL || (a->bits & (DNS_REPLY_MALFORMED | DNS_REPLY_CASE)) != 0)
			return false;
	}
	return x->n_replies != 0;
}

static uint64_t question_hash(const struct ip_addr *server, const struct dns_exchange *x)
{
	uint64_t h = hash_name(x->qname, XXH3_64bits_withSeed(server, sizeof(*server), x->qtype));
	return h != 0 ? h : 1;
}

static struct tcp_answer *tcp_slot(const struct dns_pool *p, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & (p->room_tcp - 1);
	while (p->tcp[i].question != 0 && p->tcp[i].question != hash)
		i = (i + 1) & (p->room_tcp - 1);
	return &p->tcp[i];
}

static bool tcp_add(struct dns_pool *p, struct tcp_answer a, uint32_t max)
{
	if ((p->n_tcp + 1) * 4 > p->room_tcp * 3) {
		struct dns_pool bigger = {.room_tcp = p->room_tcp != 0 ? p->room_tcp * 2 : 64};
		if (p->n_tcp >= max)
			return true;
		bigger.tcp = calloc(bigger.room_tcp, sizeof(*bigger.tcp));
		if (bigger.tcp == NULL)
			return false;
		for (uint32_t i = 0; i < p->room_tcp; i++)
			if (p->tcp[i].question != 0)
				tcp_add(&bigger, p->tcp[i], UINT32_MAX);
		free(p->tcp);
		p->tcp = bigger.tcp;
		p->room_tcp = bigger.room_tcp;
	}
	struct tcp_answer *slot = tcp_slot(p, a.question);
	p->n_tcp += slot->question == 0;
	if (slot->question == 0)
		*slot = a;
	if (a.when.first_ns < slot->when.first_ns)
		slot->when.first_ns = a.when.first_ns;
	if (a.when.last_ns > slot->when.last_ns)
		slot->when.last_ns = a.when.last_ns;
	return true;
}

/* One host answered twice what was asked once. */
static bool is_doubled(const struct dns_exchange *x)
{
	const struct dns_reply *a = &x->reply[0], *b = &x->reply[1];
	int hops = x->n_replies == 2 ? (int)x->x.events[a->event].ttl - x->x.events[b->event].ttl : 9;
	return x->n_queries == 1 && x->n_replies == 2 && a->flags == b->flags && abs(hops) <= 1;
}

static void note_clean(struct resolver *r, const struct dns_exchange *x)
{
	const struct dns_reply *a = &x->reply[0];
	r->n++;
	struct resolver_ttl seen = {.n = 1, .ttl = x->x.events[a->event].ttl,
				    .min_ns = {a->wait_ns, UINT64_MAX},
				    .max_ns = a->wait_ns != UINT64_MAX ? a->wait_ns : 0};
	note_said(&seen, a->set, a->address != ADDRESS_NONE ? a->addr_version : 0);
	note_ttl(r, &seen);
	note_word(r, dns_word(a->flags), 1);
	if (x->n_queries != 0 && x->query_opt && dns_reply_shows_opt(a)) {
		r->asked_opt++;
		r->gave_opt += (a->bits & DNS_REPLY_OPT) != 0;
	}
	r->mirrored += (a->bits & DNS_REPLY_MIRROR) != 0;
	r->doubled += is_doubled(x);
}

void dns_pool_add(struct dns_pool *p, const struct flow *f, const struct dns_exchange *x)
{
	const struct ip_addr *server = flow_addr(f, DIR_S2C);
	if (x->tcp) {
		if (dns_exchange_is_clean(x) && x->reply[0].rcode == DNS_NOERROR &&
		    x->reply[0].address != ADDRESS_NONE)
			tcp_add(p, (struct tcp_answer){question_hash(server, x),
						       {x->opened_ns, x->opened_ns}},
				TCP_ANSWERS_MAX);
		return;
	}
	struct resolver *r = resolver_get(p, server, f->key.ip_version, RESOLVERS_MAX);
	if (r == NULL)
		return;
	r->queries += x->n_queries != 0;
	r->unreachable += x->unreachable;
	if (x->n_replies == 0) {
		r->unanswered += x->n_queries != 0;
		r->silent_names |= name_bit(x->qname);
		return;
	}
	r->answered_names |= name_bit(x->qname);
	for (unsigned i = 0; i < x->n_replies; i++) {
		const struct dns_reply *a = &x->reply[i];
		if (a->address == ADDRESS_PUBLIC)
			r->decoys |= dns_decoy_bit(x->qname, &a->addr, a->addr_version, a->n_answers);
	}
	bool one = true;
	for (unsigned i = 1; i < x->n_replies; i++)
		one &= x->reply[i].set == x->reply[0].set;
	if (one)
		note_portal(r, &x->reply[0], x->qname);
	if (dns_exchange_is_clean(x))
		note_clean(r, x);
}

static void merge_resolver(struct resolver *to, const struct resolver *from)
{
	to->n += from->n;
	to->queries += from->queries;
	to->unanswered += from->unanswered;
	to->unreachable += from->unreachable;
	to->asked_opt += from->asked_opt;
	to->gave_opt += from->gave_opt;
	to->mirrored += from->mirrored;
	to->doubled += from->doubled;
	to->silent_names |= from->silent_names;
	to->answered_names |= from->answered_names;
	to->decoys |= from->decoys;
	for (unsigned i = 0; i < RESOLVER_TTLS && from->ttl[i].n != 0; i++)
		note_ttl(to, &from->ttl[i]);
	for (unsigned i = 0; i < RESOLVER_WORDS && from->word[i].n != 0; i++)
		note_word(to, from->word[i].word, from->word[i].n);
	/* Clients of other networks may be behind other portals: each keeps its own. */
	for (unsigned i = 0, k = 0; i < RESOLVER_PORTALS && from->portal[i].names != 0; i++) {
		while (k < RESOLVER_PORTALS && to->portal[k].names != 0)
			k++;
		if (k < RESOLVER_PORTALS)
			to->portal[k] = from->portal[i];
	}
}

int dns_pool_merge(struct dns_pool *to, const struct dns_pool *from)
{
	for (uint32_t i = 0; i < from->room; i++) {
		const struct resolver *r = &from->resolver[i];
		if (!from->taken[i])
			continue;
		struct resolver *into = resolver_get(to, &r->addr, r->ip_version, UINT32_MAX / 8);
		if (into == NULL)
			return -ENOMEM;
		merge_resolver(into, r);
	}
	for (uint32_t i = 0; i < from->room_tcp; i++)
		if (from->tcp[i].question != 0 && !tcp_add(to, from->tcp[i], UINT32_MAX / 8))
			return -ENOMEM;
	return 0;
}

const struct resolver *dns_pool_resolver(const struct dns_pool *p, const struct ip_addr *addr)
{
	if (p->room == 0)
		return NULL;
	uint32_t i = slot_of(p, addr);
	return p->taken[i] ? &p->resolver[i] : NULL;
}

const struct resolver_ttl *resolver_usual_ttl(const struct resolver *r, unsigned at_least, unsigned *n)
{
	const struct resolver_ttl *top = &r->ttl[0];
	uint32_t all = 0, near = 0;
	for (unsigned i = 0; i < RESOLVER_TTLS; i++) {
		all += r->ttl[i].n;
		if (r->ttl[i].n > top->n)
			top = &r->ttl[i];
	}
	for (unsigned i = 0; i < RESOLVER_TTLS; i++)
		if (r->ttl[i].n != 0 && abs((int)r->ttl[i].ttl - (int)top->ttl) <= 1)
			near += r->ttl[i].n;
	if (n != NULL)
		*n = near;
	return near >= at_least && near != 0 && near * 3 >= all * 2 ? top : NULL;
}

bool resolver_has_ttl(const struct resolver *r, uint8_t ttl, unsigned at_least)
{
	uint32_t near = 0;
	for (unsigned i = 0; i < RESOLVER_TTLS; i++)
		if (r->ttl[i].n != 0 && abs((int)r->ttl[i].ttl - (int)ttl) <= 1)
			near += r->ttl[i].n;
	return near >= at_least;
}

/* Another address of the same family, of any for an answer without one; or more than a forger says. */
static bool said_other(const struct resolver_ttl *t, const struct dns_reply *a)
{
	bool other = t->n_said == RESOLVER_SAID;
	for (unsigned i = 0; i < t->n_said; i++)
		other |= t->said[i].family != 0 && t->said[i].set != a->set &&
			 (a->address == ADDRESS_NONE || t->said[i].family == a->addr_version);
	return other;
}

bool resolver_showed_ttl(const struct resolver *r, uint8_t ttl, const struct dns_reply *a,
			 uint64_t late_ns)
{
	for (unsigned i = 0; i < RESOLVER_TTLS; i++) {
		const struct resolver_ttl *t = &r->ttl[i];
		if (t->n != 0 && abs((int)t->ttl - (int)ttl) <= 1 &&
		    (t->max_ns >= late_ns || (a != NULL && said_other(t, a))))
			return true;
	}
	return r->ttl[RESOLVER_TTLS - 1].n != 0;
}

bool resolver_says_word(const struct resolver *r, uint16_t word)
{
	for (unsigned i = 0; i < RESOLVER_WORDS; i++)
		if (r->word[i].n != 0 && r->word[i].word == word)
			return true;
	return false;
}

bool resolver_is_portal(const struct resolver *r, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < RESOLVER_PORTALS; i++) {
		const struct resolver_portal *q = &r->portal[i];
		unsigned names = (unsigned)__builtin_popcountll(q->names);
		if (names >= PORTAL_NAMES && q->within * 3 <= names &&
		    memcmp(&q->addr, addr, sizeof(*addr)) == 0)
			return true;
	}
	return false;
}

struct dns_span dns_pool_tcp_answered(const struct dns_pool *p, const struct ip_addr *server,
				      const struct dns_exchange *x)
{
	if (p->room_tcp == 0)
		return (struct dns_span){0, 0};
	return tcp_slot(p, question_hash(server, x))->when;
}
