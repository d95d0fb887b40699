/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A finished analysis as it may be shared: every client under its pseudonym (pseudonyms.h), in
 * flows, findings, evidence and what else text says of addresses. Writers of reports need not know.
 *
 *   privacy_new -> pipeline_run(privacy_hooks) … -> reports with real addresses
 *   -> privacy_apply -> reports that are shared -> privacy_free, before the analysis is freed or
 * after
 *
 * Besides addresses: header fields that boxes compute from them (relation.h), arguments and names
 * of files, addresses that pages, redirects and request lines show of somebody who is not in the
 * capture, and names of connections that are neither a finding's nor its control's; with redact_names
 * all names (names.h). What a public list calls its rows stays, and so do the addresses of servers.
 */

#include "classifiers/verdict.h"
#include "dataplane/pipeline.h"
#include "tools/privacy/pseudonyms.h"
#include "tools/report.h"

struct privacy_config {
	const char *key_file; /* NULL: a key that nobody will know */
	bool all_names;	      /* names of every connection are kept */
	bool keep_payload;    /* of packets that are written again (scrub.h) */
	bool redact_names;    /* names are under pseudonyms too (names.h) */
};

struct privacy;
struct seal_key; /* tools/privacy/seal.h */
struct survey;   /* tools/privacy/survey.h */
/* 0 or -errno; of the key's file why (of len bytes) says more, and is "" for all else. */
int privacy_new(struct privacy **out, const struct privacy_config *cfg, char *why, size_t len);
void privacy_free(struct privacy *p); /* NULL is fine */
/* In place of the analysis's own, which they call. */
const struct pipeline_hooks *privacy_hooks(struct privacy *p, const struct pipeline_hooks *inner);
/*
 * Rewrites all that reports read, in place, once: a, what o points to (into memory of p), and o's
 * own fields. 0 or -errno: then nothing of it may be shared.
 */
int privacy_apply(struct privacy *p, struct analysis *a, struct report_options *o);
/* What keeps to the key's file (seal.h); NULL: there is none. */
const struct seal_key *privacy_seal_key(const struct privacy *p);
struct survey *privacy_survey(struct privacy *p);
