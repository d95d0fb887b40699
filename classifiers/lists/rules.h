/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Rules: what known block pages, filtering products, poisoned DNS answers and openings of protocols
 * look like, from public lists, the user's own files and a few of our own. A rule set is filled by
 * one thread, sealed, and from then on read by all. What finds patterns in bytes is matcher.h.
 *
 *   ruleset_new -> ruleset_builtin, ruleset_load_file … -> ruleset_seal -> matcher_new, lookups
 *   -> ruleset_free, after every matcher and every pointer to a rule is gone
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/decode.h"

enum rule_where {
	RULE_HEAD,       /* an HTTP response's status line and headers, as received */
	RULE_HEADER,     /* the value of the header named; ":status" is the status code's digits */
	RULE_BODY,       /* an HTTP response's body, transfer and content coding undone */
	RULE_PAGE,       /* head or body: each is searched by itself */
	RULE_STREAM_C2S, /* the first bytes of a TCP direction, see MATCHER_STREAM_LIMIT */
	RULE_STREAM_S2C,
	RULE_DATAGRAM,   /* one UDP payload, either direction */
	RULE_DNS,        /* an address or a name in a DNS answer: ruleset_find_dns_*() */
	RULE_WHERE_N,
};
extern const char *const rule_where_name[RULE_WHERE_N]; /* as the rules file writes them */

enum rule_how { RULE_CONTAINS, RULE_PREFIX, RULE_FULL, RULE_REGEXP, RULE_HOW_N };
extern const char *const rule_how_name[RULE_HOW_N];

/*
 * Who filters, in the words of OONI's blocking-fingerprints. The order is the one in which a page
 * that several rules fit is named, after the false positives.
 */
enum rule_scope {
	RULE_FP,      /* looks like a block page to other rules and is none: it silences them */
	RULE_NAT,     /* a country's filter */
	RULE_ISP,
	RULE_PROD,    /* a product anyone can buy: often an enterprise's or a family's */
	RULE_INST,    /* an institution or company */
	RULE_VBW,     /* vague blocking words */
	RULE_UNKNOWN, /* a block page of nobody knows whom */
	RULE_PROTO,   /* the opening of a protocol: says nothing of blocking */
	RULE_SCOPE_N,
};
extern const char *const rule_scope_name[RULE_SCOPE_N];

/* Strings live as long as the rule set. None is NULL. */
struct rule {
	uint32_t index;        /* in its set, in load order */
	uint32_t line;         /* in the list, 1-based: where its row begins */
	const char *id;        /* the row's own name: "ooni.ae_1" */
	const char *list;      /* the list's name: "fingerprints_http.csv", "builtin" */
	const char *source;    /* where the row says it was described, may be "" */
	const char *name;      /* for people: the product, the operator, the protocol; may be "" */
	const char *countries; /* "AE,SA": ISO 3166-1 alpha-2, upper case; "" not bound to any */
	const char *header;    /* RULE_HEADER: lower case; else "" */
	const uint8_t *pattern; /* bytes to find, or a regular expression; not terminated */
	uint32_t len;
	enum rule_where where;
	enum rule_how how;
	enum rule_scope scope;
	uint8_t confidence;    /* 1 to 10 as the list gives it, 0 not given */
	bool nocase;           /* ASCII letters of either case */
	bool opt_in;           /* the row's text: parental, or chosen by the customer */
};

/* A row that a list has and the set, or the matcher, could not take. */
struct rule_refusal {
	const char *list;
	uint32_t line;
	const char *id;     /* "" if the row has none */
	const char *reason;
};

enum list_format { LIST_BUILTIN, LIST_OONI, LIST_CENSORED_PLANET, LIST_RULES, LIST_FORMAT_N };
extern const char *const list_format_name[LIST_FORMAT_N];

/* One loaded list. rows = rules + refused. */
struct list_info {
	const char *name;
	const char *path;     /* "" for the built-in rules */
	const char *imported; /* ISO 8601, when `lists import` took it; "" unknown */
	enum list_format format;
	uint32_t rows, rules, refused;
	char sha256[65];      /* of the file's bytes, hexadecimal; of the rules' for the built-in */
};

struct ruleset;

int ruleset_new(struct ruleset **out); /* 0 or -errno, as all below */
void ruleset_free(struct ruleset *s);  /* NULL is fine */

/* The project's own rules. */
int ruleset_builtin(struct ruleset *s);
/*
 * Adds a list and says which format it recognised: OONI's CSV, Censored Planet's JSON Lines or the
 * rules file of rules_text.c. Rows it cannot take are refusals, not errors. -EINVAL: not one of
 * these formats, or over LIST_SIZE_MAX; a file that cannot be read: its -errno.
 */
#define LIST_SIZE_MAX (64u << 20)
/* Its bytes, malloc'ed. -EINVAL: not a regular file, or too large. */
int list_file_read(const char *path, char **data, size_t *len);
int ruleset_load_file(struct ruleset *s, const char *path, const char *imported);
/* The same from memory; name and path are copied. */
int ruleset_load(struct ruleset *s, const char *name, const char *path, const void *data,
		 size_t len);
/* No list can be added from here on, and lookups work. */
int ruleset_seal(struct ruleset *s);

size_t ruleset_count(const struct ruleset *s);
const struct rule *ruleset_rule(const struct ruleset *s, size_t index);
size_t ruleset_lists(const struct ruleset *s);
const struct list_info *ruleset_list(const struct ruleset *s, size_t i);
size_t ruleset_refusals(const struct ruleset *s);
const struct rule_refusal *ruleset_refusal(const struct ruleset *s, size_t i);
/*
 * SHA-256 over all that matching, deciding and telling depend on; of a sealed set. Of two sets of one hash
 * a rule's index means the same rule.
 */
const uint8_t *ruleset_hash(const struct ruleset *s);

/* The first by rule_compare() whose answer this is, or NULL. Sealed sets only. */
const struct rule *ruleset_find_dns_addr(const struct ruleset *s, const struct ip_addr *addr,
					 unsigned ip_version);
/* A name as text, in any case, with or without the last dot. */
const struct rule *ruleset_find_dns_name(const struct ruleset *s, const char *name, size_t len);

/*
 * A rule for filters' redirects holds the name, without www.: their own host, which may have an address of
 * theirs in all honesty. What a regular expression escapes counts as it is meant. Pages speak of others, too.
 */
bool ruleset_mentions(const struct ruleset *s, const char *name);

/* Scope order, then opt-in before others, then confidence, then load order. A total order. */
int rule_compare(const struct rule *a, const struct rule *b);
/* The rule is bound to no country, or to this one; country NULL or "" (unknown) fits only the former. */
bool rule_fits(const struct rule *r, const char *country);

/* The rules that one message or flow hit, first in rule_compare()'s order; zeroed is empty. */
#define RULE_HITS_MAX 8
struct rule_hits {
	const struct rule *hit[RULE_HITS_MAX];
	uint16_t n;
	uint16_t more; /* hits that found no room: they come later in the order */
};
void rule_hits_add(struct rule_hits *h, const struct rule *r); /* twice is once */
/*
 * What a page is, of all rules it hit: a false positive if any is (it is then no block page), else
 * the first in order, where of one scope those that fit the country come before those that name
 * other countries. NULL: nothing was hit. country: ISO 3166-1 alpha-2, NULL or "" if unknown.
 */
const struct rule *rules_decide(const struct rule_hits *h, const char *country);
