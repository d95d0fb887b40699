/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What the parts of privacy_apply() share. */

#include "classifiers/arena.h"
#include "tools/privacy/model.h"
#include "tools/privacy/names.h"
#include "tools/privacy/scrub.h"
#include "tools/privacy/seal.h"
#include "tools/privacy/survey.h"

struct privacy {
	struct privacy_config cfg;
	struct pseudonyms *pseudonyms;
	struct survey *survey;
	struct seal_key seal; /* zero without a key's file */
	struct names_key names;
	struct scrub *scrub; /* for the packets that are written again */
	struct arena arena;
	bool no_memory;
	uint64_t *cited; /* ids of flows that findings stand on, rising */
	size_t n_cited;
};

/* model_text.c: addresses in text. */
/* Those that are private give way to their pseudonyms, as far as the room goes. True: it changed.
 */
bool privacy_text(struct privacy *p, char *text, size_t room);
/* Of a text that may have room bytes, at most PRIVACY_ROOM: a copy where it changes. */
#define PRIVACY_ROOM FINDING_SENTENCE
const char *privacy_said(struct privacy *p, const char *text, size_t room);
/* A copy for as long as p; "" where memory is short. */
const char *privacy_keep(struct privacy *p, const char *text);
/* The same of a string elsewhere: a copy where it changes. */
const char *privacy_string(struct privacy *p, const char *text);
/*
 * Of bytes that somebody sent, in place and of the same length: private addresses, and public ones
 * that are nobody's in the capture, become x's. A page may show its reader's address as the world
 * sees it.
 */
void privacy_mask(struct privacy *p, char *text, size_t len);
/* Notes the addresses in text as shown. */
int privacy_note_text(struct privacy *p, const char *text);

/* model_finding.c */
void privacy_finding(struct privacy *p, struct finding *f);
typedef const char *(*privacy_fn)(struct privacy *p, const char *text);
/* What findings may share with others is changed in copies: f has one, or none where memory is short. */
void privacy_dns(struct privacy *p, struct finding *f, privacy_fn qname, privacy_fn answer);
struct page_facts *privacy_page(struct privacy *p, struct finding *f); /* NULL: there is none */

/* model_names.c: which flows findings stand on; then the names of all others. 0 or -ENOMEM. */
int privacy_cite(struct privacy *p, const struct analysis *a);
void privacy_hide_names(struct privacy *p, struct analysis *a);

/* model_redact.c: all names, before addresses in them are looked for. Sets no_memory. */
void privacy_redact(struct privacy *p, struct analysis *a, const struct report_options *o);

/* model_run.c: arguments, names of files. 0 or -ENOMEM. */
int privacy_run(struct privacy *p, struct analysis *a, struct report_options *o);
