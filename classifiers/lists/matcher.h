/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Finds a sealed rule set's patterns in bytes, all at once, with Hyperscan or Vectorscan. Built
 * without them every function is here and matcher_new() says -ENOTSUP.
 *
 * Nothing is compiled before something is to be searched: pages (head, header, body), datagrams and
 * streams each have their databases, made or read from the cache when the first scan of that kind
 * asks, under a lock of the matcher's own. A pattern that cannot be compiled is left out and is a
 * refusal with its list and line. Literals and expressions, blocks and streams cannot share one
 * database; pages and datagrams could, but a DNS query should not be searched for 2,700 pages.
 *
 * Patterns are bytes; in a regular expression '.' is any byte, newline too (PCRE's DOTALL). '$' is
 * the end of a message; streams have none.
 */

#include "classifiers/lists/rules.h"

#define MATCHER_STREAM_LIMIT 16384u /* bytes of a TCP direction that are searched */

struct matcher;         /* shared by all threads */
struct matcher_scratch; /* one a thread */
struct matcher_stream;  /* one a TCP direction, used with the scratch it was opened with */

struct matcher_config {
	const char *cache_dir; /* compiled rules are kept here; NULL: nowhere. Copied. */
};

/* set must be sealed and outlive the matcher. 0, -ENOTSUP (no Hyperscan, or not on this CPU) … */
int matcher_new(struct matcher **out, const struct ruleset *set, const struct matcher_config *cfg);
void matcher_free(struct matcher *m); /* after its scratches; NULL is fine */

/* Compiles everything now, or reads it from the cache: for `lists import` and for timing. */
int matcher_prepare(struct matcher *m);
/* What could not be compiled; complete after matcher_prepare(). */
size_t matcher_refusals(struct matcher *m);
struct rule_refusal matcher_refusal(struct matcher *m, size_t i);
const char *matcher_library(void); /* "5.4.0 2021-01-02", "" without */
/* "compiled", "cache" or "" before the page rules were first asked for. */
const char *matcher_origin(struct matcher *m);

int matcher_scratch_new(struct matcher_scratch **out, struct matcher *m);
void matcher_scratch_free(struct matcher_scratch *s); /* after its streams; NULL is fine */

/*
 * Called once a rule, in no order that should be relied on: rule_hits_add() makes one. end: offset
 * behind the first place it matched. It must not scan with the same scratch. false ends the scan.
 */
typedef bool (*matcher_hit_fn)(void *user, const struct rule *r, uint64_t end);
/* As a matcher_hit_fn: collects into the struct rule_hits that user is. */
bool matcher_collect(void *user, const struct rule *r, uint64_t end);

/*
 * One message, whole. where: RULE_HEAD or RULE_BODY (each finds the rules of RULE_PAGE too),
 * RULE_HEADER with the header's name in any case (else NULL), RULE_DATAGRAM. At most UINT32_MAX
 * bytes. 0 or -errno; -ENOMEM, -EINVAL.
 */
int matcher_scan(struct matcher *m, struct matcher_scratch *s, enum rule_where where,
		 const char *header, const void *data, size_t len, matcher_hit_fn hit, void *user);

/* Whether any rule could be hit there at all, so that callers need not gather bytes for nothing. */
bool matcher_wants(struct matcher *m, enum rule_where where);

/*
 * Whether a datagram or a stream that begins with this byte could hit any rule, without making a
 * database. read: others read what these bytes carry, so that only rules bound to the beginning are
 * asked about.
 */
bool matcher_may_open(const struct matcher *m, enum rule_where where, uint8_t first, bool read);

/*
 * A TCP direction from its first byte. where: RULE_STREAM_C2S or _S2C. data is what follows the
 * last call's; read as above. Only as much is searched as a rule could be hit in: what rules bound
 * to the beginning can match, MATCHER_STREAM_LIMIT where others count.
 * Returns 0: more is wanted, 1: enough, or -errno.
 */
int matcher_stream_open(struct matcher_stream **out, struct matcher *m,
			struct matcher_scratch *s, enum rule_where where);
int matcher_stream_scan(struct matcher_stream *st, const void *data, size_t len, bool read,
			matcher_hit_fn hit, void *user);
void matcher_stream_close(struct matcher_stream *st); /* NULL is fine */
