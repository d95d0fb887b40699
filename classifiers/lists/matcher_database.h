/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Private to the matcher: its databases, how they are made, kept on disk and read again. Only the
 * two files that include this know Hyperscan's interface.
 */

#include <pthread.h>

#include "classifiers/lists/matcher.h"

struct hs_database;

enum part_name { PART_PAGE, PART_DATAGRAM, PART_STREAM, PART_N };
enum kind { KIND_LITERAL, KIND_REGEXP, KIND_N }; /* by which call it is compiled */

/* The databases of one kind of scan; NULL where no rule asks for one. */
struct part {
	bool ready;
	int err;
	struct hs_database *db[KIND_N];
};

struct refused {
	const struct rule *rule;
	char *reason;
};

/* Where in the bytes of a place its rules can be hit at all. */
struct reach {
	bool first[256]; /* a rule that is bound to the beginning may begin with this byte */
	bool anywhere;   /* a rule is not bound to the beginning */
	uint32_t bound;  /* bytes of a stream in which the bound ones can be hit; known with the part */
};

struct matcher {
	const struct ruleset *set;
	char *cache_dir;
	pthread_mutex_t lock; /* over the making of parts and what follows here */
	struct part part[PART_N];
	struct refused *refused;
	size_t n_refused;
	const char *origin;
	bool cache_asked;
	bool wants[RULE_WHERE_N];
	struct reach reach[RULE_WHERE_N]; /* of datagrams and streams */
	bool widths_known;
};

/* Where the rules of a place are: pages, datagrams or streams. */
enum part_name matcher_part(enum rule_where where);
/* The part is there from now on, read from the cache or compiled: 0 or -errno. Any thread. */
int matcher_need(struct matcher *m, enum part_name part);
