/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What became of a capture's other tunnels, and whether their servers answered anything else: the
 * controls that a silence needs. A part of struct context, and under
 * its rules.
 */

#include "classifiers/tamper/host_table.h"
#include "classifiers/tamper/vpn_exchange.h"

/* What the other sessions say of one. */
struct vpn_siblings {
	unsigned heard;      /* sessions of the capture that show the server's direction */
	bool scanner;        /* its client tries everybody and is answered by few */
	/* this client's at this server, port and protocol: answered before this one's silence began */
	bool known_before;
	bool port_after;     /* anybody was answered there, by this protocol, since it began */
	bool alive_after;    /* the server answered another protocol or port since, and near in time */
	/* of this protocol, cut within two data packets of this one; itself among them */
	unsigned cuts;
	uint64_t cuts_span_ns;
	unsigned longer;     /* this client's of this protocol that went on well beyond that */
};

/* Of a shard. Zeroed before use. */
struct vpn_notes {
	struct vpn_note *note;
	uint32_t n, room;
	uint64_t dropped;
	struct host_table alive; /* vpn_alive_table before use: when servers answered other things */
};
extern const struct host_table vpn_alive_table;

void vpn_notes_add(struct vpn_notes *s, const struct flow *f, const struct vpn_exchange *q);
/* The server answered something that is no tunnel over UDP at ns. */
void vpn_notes_alive(struct vpn_notes *s, const struct flow *f, uint64_t ns);
void vpn_notes_free(struct vpn_notes *s);

struct vpn_context;
/* 0 or -ENOMEM */
int vpn_context_new(struct vpn_context **out, const struct vpn_notes *const shards[], unsigned n);
void vpn_context_free(struct vpn_context *c); /* NULL is fine */

struct vpn_siblings vpn_context_siblings(const struct vpn_context *c,
					 const struct flow_record *flow,
					 const struct vpn_exchange *q);
