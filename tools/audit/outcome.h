/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What a box did to a probe, from what arrived where; and what follows from several. No clock, no
 * wire. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/audit/ledger.h"

enum outcome {
	OUTCOME_PASSED,
	OUTCOME_RESET_CLIENT, /* a reset that nobody sent, towards the client */
	OUTCOME_RESET_SERVER,
	OUTCOME_RESET_BOTH,
	OUTCOME_PAGE,	 /* an HTTP response that the server never sent */
	OUTCOME_FORGED,	 /* another answer, or data, that the server never sent */
	OUTCOME_CHANGED, /* what arrived is not what was sent */
	OUTCOME_DROPPED, /* no copy of the request, of its handshake or of its answer arrived */
	OUTCOME_UNKNOWN, /* it could not be tried: see the run's errors */
	OUTCOME_N
};
extern const char *const outcome_name[OUTCOME_N];  /* snake_case */
extern const char *const outcome_words[OUTCOME_N]; /* for people */

/* Of one trial; the client is who sent the request. */
struct outcome_facts {
	bool reset[SIDES]; /* at the client, at the server */
	bool page, forged, changed, dropped, failed;
};
/* The strongest of what was seen. */
enum outcome outcome_of(const struct outcome_facts *f);

/* What the box added or changed, from a closed ledger; client: the port that the client is behind.
 * heads: the first bytes of the payload of each frame that arrived at a port, by its index. */
#define OUTCOME_HEAD 8
void outcome_read(struct outcome_facts *f, const struct ledger *l, enum compare_side client,
		  const uint8_t (*const heads[SIDES])[OUTCOME_HEAD]);

/* The same thing again and again. */
struct outcome_tally {
	uint32_t n, of[OUTCOME_N];
};
void outcome_add(struct outcome_tally *t, enum outcome o);
bool outcome_steady(const struct outcome_tally *t);	  /* always the same, and at least once */
enum outcome outcome_most(const struct outcome_tally *t); /* UNKNOWN: never tried */

/* What the name and the controls say together. */
enum probe_verdict {
	PROBE_PASSES,	/* neither is touched */
	PROBE_FILTERED, /* the name always is in one way, controls never are */
	PROBE_ALL,	/* controls are touched as well: not for the name */
	PROBE_UNSTEADY,
	PROBE_UNTESTED,
	PROBE_VERDICTS
};
extern const char *const probe_verdict_name[PROBE_VERDICTS];
enum probe_verdict probe_judge(const struct outcome_tally *name,
			       const struct outcome_tally *controls);

/* The rows of the table that conclusions are about. */
enum probe_id {
	PROBE_TLS,
	PROBE_TLS_SPLIT,
	PROBE_TLS_BARE,
	PROBE_TLS_PORT,
	PROBE_TLS_REVERSE,
	PROBE_HTTP_HOST,
	PROBE_HTTP_PATH,
	PROBE_DNS_UDP,
	PROBE_DNS_TCP,
	PROBE_QUIC,
	PROBE_RESIDUAL_3,
	PROBE_RESIDUAL_4,
	PROBE_RESIDUAL_LATER,
	PROBE_IDS
};

struct conclusion {
	const char *id;	   /* stable kebab-case */
	const char *value; /* "yes", "no" */
	const char *sentence;
};
#define CONCLUSIONS_MAX 16
/* Only what the verdicts show; how many are written to out. */
unsigned probe_conclude(const enum probe_verdict v[PROBE_IDS],
			struct conclusion out[CONCLUSIONS_MAX]);
