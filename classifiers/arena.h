/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Memory in chunks that are freed together: what lives as long as the analysis. One thread.
 *
 * What a million findings say is mostly what the one before said. arena_share() and the texts remember
 * what they were given lately, and give it again: in bounded memory, and without a promise that two
 * equal values have one address. An arena with a spill (classifiers/spill.h) takes its chunks from that.
 */

#include <stddef.h>

struct spill;

struct arena {
	struct arena_chunk *chunks;  /* all of them */
	struct arena_chunk *rest, *often; /* among them: what is filled; NULL: none yet */
	struct spill *spill;         /* outlives the arena; NULL: chunks are malloc's */
	size_t bytes;                /* handed out, rounded up */
	struct arena_recent *recent; /* values that were shared lately; NULL: none yet */
	char *text;                  /* room for texts, which need no alignment */
	size_t text_room;
};

void *arena_alloc(struct arena *a, size_t size); /* zeroed, 16-byte aligned; NULL: out of memory */
/*
 * The same, in chunks of their own: of structs that are looked at one after the other, many times, and
 * would else have a page each of what is read once.
 */
void *arena_alloc_often(struct arena *a, size_t size);
/* A copy of n bytes that nobody writes to, 16-byte aligned. NULL: out of memory. */
const void *arena_share(struct arena *a, const void *data, size_t n);
/* The same of a string, unaligned; "" takes no room. NULL: out of memory. */
const char *arena_text(struct arena *a, const char *s);
/* As snprintf() into room bytes says it, at most ARENA_FORMAT. "" if memory is short. */
#define ARENA_FORMAT 512u
const char *arena_format(struct arena *a, size_t room, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void arena_move(struct arena *to, struct arena *from); /* from is empty afterwards */
void arena_free(struct arena *a);
