/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * One DNS query and everything that came back to it within five seconds of packet time, gathered
 * per flow: the state that its predicates assume. A query is its ports, its
 * transaction id, its name as sent (the case of letters included) and its type; resent in the same
 * words it is still the same query. Answers whose query was not captured are gathered alike.
 *
 * Bounded: DNS_FLOW_MAX open queries a flow and DNS_OPEN_MAX a group of shards, beyond which the
 * oldest ends early; DNS_REPLIES answers of a query, DNS_RAW bytes of their messages.
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/app/dns.h"
#include "classifiers/tamper/dns_address.h"
#include "classifiers/tamper/exchange.h"

struct ruleset;
struct rule;

#define DNS_WINDOW_NS 5000000000ull /* how long answers belong to a query; Duan et al. 2012 */
#define DNS_REPLIES 6    /* three injectors, the resolver, and room for a resent query's */
#define DNS_RAW 384
#define DNS_FLOW_MAX 4096
#define DNS_OPEN_MAX 65536
#define DNS_PORT 53

enum dns_reply_bits {
	DNS_REPLY_OPT = 1 << 0,         /* it has an EDNS record; one that is cut may have had one */
	DNS_REPLY_POINTER = 1 << 1,     /* its first answer's owner is a compression pointer */
	DNS_REPLY_MALFORMED = 1 << 2,   /* by the rules of app/dns.h */
	DNS_REPLY_CUT = 1 << 3,         /* the capture holds less of it than was sent */
	DNS_REPLY_CASE = 1 << 4,        /* its question has letters of another case */
	DNS_REPLY_NO_QUESTION = 1 << 5, /* it repeats none */
	DNS_REPLY_MIRROR = 1 << 6,      /* IPv4: its IP-ID is its query's, and not zero */
	DNS_REPLY_ANSWERS = 1 << 7,     /* every record of its answer section was read */
};

/* One answer. */
struct dns_reply {
	uint64_t set;        /* what it says, whatever order, TTL and case: rcode and answers */
	uint64_t whole;      /* hash of its bytes */
	uint64_t wait_ns;    /* since the query before it; UINT64_MAX: none was captured */
	const struct rule *known; /* that names its address or name; NULL */
	struct ip_addr addr; /* the first, valid unless address is ADDRESS_NONE */
	uint32_t rr_ttl;     /* of the first answer */
	uint16_t event;      /* index in x.events */
	uint16_t copy;       /* of the same frame seen again, 0 none: a copy is never the first */
	uint16_t flags, rcode;
	uint16_t raw_at, raw_len; /* its message in dns_exchange.raw, as far as there was room */
	uint8_t n_answers;   /* records of the answer section, saturating */
	uint8_t addr_version;
	uint8_t bits;        /* enum dns_reply_bits */
	uint8_t address;     /* enum dns_address: ADDRESS_PUBLIC if any is, else the first one's */
};

struct dns_exchange {
	struct exchange x;   /* first; its name is the query's in presentation form, as sent */
	struct dns_exchange *chain, *later; /* the gathering's own */
	uint64_t opened_ns;  /* the first query, or the first answer without one */
	uint16_t txid, qtype, qclass;
	uint16_t query_flags; /* valid with n_queries */
	uint16_t n_queries;  /* captured, without copies of one frame; saturating */
	uint16_t n_answers;  /* the same of answers; may be more than n_replies */
	uint16_t n_copies;   /* frames seen twice, in events but not counted as answers */
	uint8_t n_replies;
	bool tcp, query_opt;
	bool odd;            /* unlike what its resolver was seen to answer until then */
	bool unreachable;    /* the server itself said that nobody listens there */
	uint16_t raw_n;
	struct dns_reply reply[DNS_REPLIES]; /* in order of arrival */
	uint8_t raw[DNS_RAW];
	char qname[];
};

static inline const struct dns_exchange *dns_exchange_of(const struct exchange *x)
{
	return x != NULL && x->kind == EXCHANGE_DNS
		       ? (const struct dns_exchange *)(const void *)x
		       : NULL;
}

/* What a group of shards remembers while it gathers; zeroed but for rules. */
#define DNS_HABITS 256
struct dns_gatherer {
	const struct ruleset *rules; /* NULL: none */
	uint32_t open;
	struct dns_habit {           /* of one resolver, the usual answer */
		uint64_t resolver, min_wait_ns;
		uint32_t n;          /* answers so far, saturating at what is asked of it */
		uint16_t word, margin; /* how often the usual one outnumbers others */
		uint8_t ttl;
		bool opt;
	} habit[DNS_HABITS];
};

struct dns_gather; /* of one flow */

/* Where a message came from. */
struct dns_packet {
	const struct flow *flow;
	enum dir dir;
	const struct packet *pkt;
	const struct headers *h;
	bool tcp;
	bool cut;      /* the capture holds less than was sent */
};

/*
 * Adds a message; *g is made with the first that is one. False: it is no DNS message. What ended
 * meanwhile goes to facts.
 */
bool dns_gather_message(struct dns_gatherer *s, struct dns_gather **g, const struct dns_packet *p,
			const uint8_t *data, size_t len, struct app_facts *facts);
/* An ICMP error that quotes a query; g may be NULL. */
void dns_gather_icmp(struct dns_gather *g, const struct flow *f, const struct headers *h);
/* All that is open ends; frees g, which may be NULL. */
void dns_gather_end(struct dns_gatherer *s, struct dns_gather *g, const struct flow *f,
		    struct app_facts *facts);

/* Whether it has an EDNS record is known: it was not where the capture ends. */
static inline bool dns_reply_shows_opt(const struct dns_reply *r)
{
	return (r->bits & DNS_REPLY_OPT) != 0 || (r->bits & DNS_REPLY_CUT) == 0;
}
/* Reads again what was kept of an answer; false: nothing. */
bool dns_reply_read(const struct dns_exchange *x, const struct dns_reply *r,
		    struct dns_message *out);
/* The flag bits that a server chooses for itself: without rcode, TC, AD and CD. */
static inline uint16_t dns_word(uint16_t flags)
{
	return flags & (DNS_QR | DNS_OPCODE | DNS_AA | DNS_RD | DNS_RA | DNS_Z);
}
