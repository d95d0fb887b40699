/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * IP fragments behind decoder_run(), put together where their datagram is whole. Those that are not
 * yet lie in memory taken once (fragment_store.h), in pages, so that a datagram costs what it has.
 */

#include "dataplane/decode.h"

#define FRAGMENT_FRAMES_MAX 512 /* frames listed of one datagram; later ones are used, not listed */

struct fragments;
int fragments_new(struct fragments **out, size_t memory, uint64_t timeout_ns); /* 0 or -ENOMEM */
void fragments_free(struct fragments *f);
/*
 * Keeps the fragment that h describes, or drops it; all is counted in st. Once it makes its
 * datagram whole: that, and *anomalies of all its fragments; to be given back, and
 * fragments_set_parent() is the caller's. Otherwise NULL.
 */
struct packet *fragments_add(struct fragments *f, const struct packet *pkt, const struct headers *h,
			     uint32_t *anomalies, struct decoder_stats *st);
/* Takes back what fragments_add() gave; false: it did not come from there. */
bool fragments_release(struct fragments *f, const struct packet *whole);
/* The packet that was captured last of what whole is made from. */
void fragments_set_parent(struct packet *whole, const struct packet *captured);
