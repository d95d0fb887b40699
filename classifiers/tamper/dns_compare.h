/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Answers of one query held against each other and against what their server usually sends. */

#include "classifiers/tamper/context_dns.h"
#include "classifiers/tamper/view.h"

#define DNS_BASELINE 10  /* answers before a baseline speaks: DNS-EARLY */
#define DNS_FEW 3        /* enough to tell apart two answers, one of which is known to be forged */
#define DNS_TTL_FAR 6    /* EV-TTL: paths vary by 5 */

/* What the capture knows of the server that was asked; NULL: no context yet, or nothing. */
const struct resolver *dns_resolver(const struct view *v);
/*
 * It is reached from within its network only, or is the client's neighbour on one link: it may have
 * names of its own.
 */
bool dns_resolver_is_inside(const struct view *v);
/*
 * That, and neither the queries nor any answer crossed a router, and all answers have one TTL: nobody stands
 * between, and a forwarder that asks two others, or its memory and another, says both.
 */
bool dns_has_one_machine(const struct view *v);

/*
 * Its IP-ID is its query's, and not by chance: no other answer, stamped alike, is a few numbers off, as where
 * the server's own counter stands there. What copies has each query's number.
 */
bool dns_reply_mirrors(const struct view *v, const struct dns_reply *r);

/* How one answer differs from the server's others. */
struct dns_contrast {
	unsigned ttl;    /* distance from the usual one, 0 also while none is known */
	bool in_place;   /* the usual one is known, and it is this, give or take one */
	bool early;      /* sooner than half the shortest wait for another */
	bool word;       /* flag bits that it uses for no other answer */
	bool word_aa;    /* … of which AA alone is new */
	bool opt;        /* no EDNS record, which it gives to others that ask with one */
};
/* at_least: answers that the baseline must stand on. False: there is none, *out is zero. */
bool dns_contrast(const struct view *v, const struct dns_reply *r, unsigned at_least,
		  struct dns_contrast *out);

/* The answer is complete enough to be compared by what it says. */
bool dns_is_comparable(const struct dns_reply *r);
/* Different things that were said, by comparable answers. */
unsigned dns_sets(const struct dns_exchange *x);

/* How two answers contradict each other's being of one host. */
enum dns_contradiction {
	DNS_ALIKE,     /* not at all */
	DNS_FARTHER,   /* in their distance alone: sites of one address differ so too */
	DNS_WORDED,    /* in their flag word, EDNS or compression alone: several programs */
	DNS_TWO_HOSTS, /* in several ways, or in one that needs a forger */
};
/* What the server is known to do itself is none; why: the clearest difference, in words. */
enum dns_contradiction dns_contradict(const struct view *v, const struct dns_reply *a,
				      const struct dns_reply *b, char *why, size_t len);

/* The answer of a hotspot that nobody had logged in to. */
bool dns_is_portal(const struct view *v, const struct dns_reply *r);

/* The answer holds an address that a name like this one cannot have in the public DNS. */
bool dns_is_bogus(const struct view *v, const struct dns_reply *r);
/* The few known by publication, also where no list is loaded. */
bool dns_is_iran(const struct dns_reply *r);
bool dns_is_turkmenistan(const struct view *v, const struct dns_reply *r);
/*
 * The answer is a known one of filters: of the lists, or the few known by publication. 0: it is not;
 * name: who, in the list's words.
 */
enum grade dns_known(const struct view *v, const struct dns_reply *r, const char **name);

/* Which of several different answers were forged. */
struct dns_accused {
	bool forged[DNS_REPLIES];
	bool told_apart; /* false: all are marked, one of them is genuine, and nothing says which */
};
struct dns_accused dns_accuse(const struct view *v);
