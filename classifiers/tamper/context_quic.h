/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What became of a capture's other attempts to open QUIC connections: the controls that a silence
 * needs. A part of struct context, and under its rules.
 */

#include "classifiers/tamper/quic_exchange.h"

#define QUIC_SILENCE_NS 3000000000ull /* T_idle */
#define QUIC_RETRY_NS 10000000000ull  /* closer silences count once, see there */

/* What the other attempts say of one that stayed unanswered. */
struct quic_siblings {
	unsigned heard;         /* attempts of the capture that show the server's direction */
	/* this name to this server from ports on the same side of its own, the attempt included */
	unsigned silent, ok;
	/* other names to this server, of these ports and near in time */
	unsigned others_silent, others_ok;
	bool others_after;      /* one of them was answered after the name's first silence */
	/* this name to this server from ports on the other side of its own */
	unsigned across_silent, across_ok;
	bool across_after;
	/* this server: v1 and v2, and every other version that it answered in whatever way */
	unsigned v12_ok, other_versions;
	bool scanner;           /* its client tries everybody and is answered by few */
};

/* Of a shard: a list that grows with its attempts. */
struct quic_notes {
	struct quic_note *note;
	uint32_t n, room;
	uint64_t dropped;
};

void quic_notes_add(struct quic_notes *s, const struct flow *f, const struct quic_exchange *q);
void quic_notes_free(struct quic_notes *s);

/* Of a capture. end_ns: of its last packet; what was sent right before it is nobody's silence. */
struct quic_context;
int quic_context_new(struct quic_context **out, const struct quic_notes *const shards[], unsigned n,
		     uint64_t end_ns); /* 0 or -ENOMEM */
void quic_context_free(struct quic_context *c); /* NULL is fine */

struct quic_siblings quic_context_siblings(const struct quic_context *c,
					   const struct flow_record *flow,
					   const struct quic_exchange *q);
