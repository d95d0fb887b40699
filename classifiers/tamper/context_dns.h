/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What a capture shows of its DNS servers beyond a single query: how each stamps and words its
 * answers, whether it is one at all, and what names were answered elsewhere. Part of the context:
 * gathered per shard, merged once, then read only.
 */

#include "classifiers/tamper/dns_exchange.h"

#define RESOLVER_TTLS 8
#define RESOLVER_SAID 3
#define RESOLVER_WORDS 6
#define RESOLVER_PORTALS 4
#define RESOLVERS_MAX 4096u      /* a shard; others are not remembered */
#define TCP_ANSWERS_MAX 65536u   /* the same of names answered over TCP */

/*
 * One DNS server. Answers count here that nothing within their query's own answers contradicts:
 * over UDP, well-formed, one set of answers, no address that a public name cannot have.
 */
struct resolver {
	struct ip_addr addr;
	uint8_t ip_version;
	uint32_t n;                   /* such answers */
	uint32_t queries, unanswered; /* of all queries captured */
	uint32_t unreachable;         /* that the host said it does not listen */
	uint32_t asked_opt, gave_opt; /* answers to queries with EDNS; those with it */
	uint32_t mirrored;            /* answers with their query's IP-ID */
	uint32_t doubled;             /* answered twice for one query, alike: the network's doing */
	uint64_t silent_names;        /* linear counting over 64 bits: names never answered */
	uint64_t answered_names;
	uint64_t decoys;              /* dns_decoy_bit() of all answers over UDP */
	struct resolver_ttl {
		uint32_t n;
		uint8_t ttl;
		uint8_t n_said;       /* different things that answers with it said, saturating */
		struct {
			uint64_t set;
			uint8_t family; /* of its address; 0: it has none */
		} said[RESOLVER_SAID];
		uint64_t min_ns[2];   /* the two shortest waits */
		uint64_t max_ns;      /* and the longest; 0: no query of theirs was captured */
	} ttl[RESOLVER_TTLS];
	struct resolver_word {
		uint32_t n;
		uint16_t word;        /* dns_word() */
	} word[RESOLVER_WORDS];
	struct resolver_portal {      /* a not public address that many names have */
		struct ip_addr addr;
		uint64_t names;       /* linear counting */
		uint32_t others;      /* answers without it since it was first seen */
		uint32_t within;      /* … of these, before it was last seen */
	} portal[RESOLVER_PORTALS];
};

struct dns_pool;

int dns_pool_new(struct dns_pool **out); /* 0 or -ENOMEM */
void dns_pool_free(struct dns_pool *p);  /* NULL is fine */
/* Nothing within its own answers speaks against them: its resolver is known by such. */
bool dns_exchange_is_clean(const struct dns_exchange *x);
/* As a query ends, touched or not. */
void dns_pool_add(struct dns_pool *p, const struct flow *f, const struct dns_exchange *x);
int dns_pool_merge(struct dns_pool *to, const struct dns_pool *from); /* 0 or -ENOMEM */

/* NULL: nothing is known of it. */
const struct resolver *dns_pool_resolver(const struct dns_pool *p, const struct ip_addr *addr);
/*
 * The TTL that two of three answers have, give or take one, and at least so many; NULL: it varies, or
 * too few. How many those are goes to n, which may be NULL.
 */
const struct resolver_ttl *resolver_usual_ttl(const struct resolver *r, unsigned at_least, unsigned *n);
/* So many answers had this TTL, give or take one: it is that of a site of the server's. */
bool resolver_has_ttl(const struct resolver *r, uint8_t ttl, unsigned at_least);
/*
 * An answer other than this one had its TTL, give or take one: it is one of the server's. No witness is
 * what came as early and has the same address, or one of the other family or none: a block page has one of
 * each, and no box is known to say three things. Also true where the server showed more TTLs than are kept.
 * late_ns: waits as long as this are no sign of a forger. a NULL: what was said is no witness at all.
 */
bool resolver_showed_ttl(const struct resolver *r, uint8_t ttl, const struct dns_reply *a,
			 uint64_t late_ns);
bool resolver_says_word(const struct resolver *r, uint16_t word);
/* For a while nearly every name had this address: a captive portal's. */
bool resolver_is_portal(const struct resolver *r, const struct ip_addr *addr);
/* When the same server answered the same question over TCP, with a public address; 0: never. */
struct dns_span {
	uint64_t first_ns, last_ns;
};
struct dns_span dns_pool_tcp_answered(const struct dns_pool *p, const struct ip_addr *server,
				      const struct dns_exchange *x);
