/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Words and sentences that all reports for people share. None of them holds hostile bytes. */

#include "tools/facts.h"
#include "tools/study/study.h"

/* "3 of 8 connections were interfered with: 3 confirmed." Returns out. */
const char *words_headline(const struct analysis *a, const struct facts_tally *n, char *out,
			   size_t room);
/* The finding's sentence with a capital and a full stop; names in it are escaped already. */
#define WORDS_SENTENCE_SIZE 322
const char *words_sentence(const struct finding *f, char out[WORDS_SENTENCE_SIZE]);
const char *words_stage(enum stage stage);
const char *words_direction(const struct finding *f);
const char *words_trigger(enum trigger_kind kind); /* "SNI", "Host", "-", … */
const char *words_attribution(enum attribution_grade grade);
const char *words_vantage(enum vantage vantage);
const char *words_mode(enum study_mode mode);
const char *words_conditional(const struct finding *f);
/* What a line of a profile says, for study_line.what. */
const char *words_profile(const char *what);

/* One end of a connection, "10.0.0.1:40000", "[2001:db8::1]:443", "?". */
#define WORDS_END_SIZE 80
const char *words_end(const struct flow_record *f, bool client, char out[WORDS_END_SIZE]);

/* "[PA]", "[none]", in the order of tcpdump's letters. */
#define WORDS_FLAGS_SIZE 16
const char *words_flags(uint16_t flags, char out[WORDS_FLAGS_SIZE]);

/* Families that something was there to find. */
void words_covered(bool out[FAMILY_N]);

struct words_meaning {
	const char *word, *meaning;
};
extern const struct words_meaning words_legend[]; /* ends with a NULL word */
extern const struct words_meaning words_terms[];  /* the field's own, for others; same */

/* What a confirmed finding of this family means, for who does not know the field. */
const char *words_plain(enum family family);
