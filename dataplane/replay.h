/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Captures out of one or two ports: source -> rewrite -> pace -> sink.
 *
 * One thread a queue of the sink. Each reads the captures itself, agrees with the others on the due
 * time of every packet (pace.h) and sends those whose address pair falls to its queue: nothing is
 * shared while it runs, and a flow's packets stay in order.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/decode.h"
#include "dataplane/pace.h"
#include "dataplane/rewrite.h"
#include "dataplane/sink.h"
#include "dataplane/source.h"

#define REPLAY_PORTS  2
#define REPLAY_QUEUES 64
#define REPLAY_FOREVER UINT64_MAX

struct replay_config {
	struct source_config source; /* outlives the replay; not rotated: one file after another */
	const char *engine;          /* a sink's name */
	struct sink_config port[REPLAY_PORTS];
	unsigned n_ports;            /* 2: clients' by the first, servers' by the second */
	struct rewrite_macs macs[REPLAY_PORTS];
	const struct prefix *clients;          /* n_clients: whose packets are the clients'; */
	unsigned n_clients;                    /* 0: as the flow table says */
	struct pace_rate rate;
	/*
	 * How late frames may go out, so that a lane sleeps until several are due where it would spin
	 * between them; 0: each when it is due. For sinks that do not pace themselves.
	 */
	uint64_t slack_ns;
	struct rewrite_config rewrite;
	uint64_t loops;                        /* 0: 1 */
	const atomic_bool *stop;               /* becomes true: nothing more is sent. May be NULL */
	/*
	 * Before each packet, when all before it have been handed on; may wait. With one queue. NULL:
	 * nothing waits but for its due time.
	 */
	void (*gate)(void *user, unsigned port, const struct headers *h);
	void *gate_user;
};

/* How a packet ended: their sum is `read`. */
enum replay_end {
	REPLAY_SENT,
	REPLAY_REFUSED,      /* by the device or kernel */
	REPLAY_TRUNCATED,    /* by us: the capture has not all of it */
	REPLAY_TOO_LONG,
	REPLAY_NOT_ETHERNET,
	REPLAY_RUNT,
	REPLAY_UNSENT,       /* it was read when the replay was stopped or failed */
	REPLAY_N
};
extern const char *const replay_end_name[REPLAY_N]; /* snake_case */

struct replay_stats {
	uint64_t read;            /* packets that came out of the captures, anew in each loop */
	uint64_t filtered;        /* and those that the filter kept back */
	uint64_t ends[REPLAY_N];
	uint64_t bytes, wire_bytes; /* of what was sent: frames without FCS; pace_wire_bytes() */
	uint64_t loops;           /* that were begun */
	uint64_t planned, planned_wire_bytes; /* packets that got a due time */
	uint64_t due_ns[2], sent_ns[2]; /* first and last; not known when sent: start, end */
	struct pace_errors errors; /* of a sink that paces: late_* in sink[] */
	uint64_t undecided;       /* two ports: packets of which nobody knows whose they are */
	uint64_t damaged;         /* places where a capture stopped making sense, in one loop */
	struct sink_stats sink[REPLAY_PORTS];
	unsigned queues;
	bool interrupted;
};

/* Packets and bits a second, as asked for or achieved; 0 where one packet is no rate. */
struct replay_rate {
	double packets, bits;
};
struct replay_rate replay_asked(const struct replay_stats *s);
struct replay_rate replay_achieved(const struct replay_stats *s);

struct replay;

/*
 * Opens every capture once to see that it is one, then the ports. 0 or -errno with err filled;
 * *at_input tells whether a capture is at fault (as source_open() returns) or a port (sink_open()).
 */
int replay_new(struct replay **out, const struct replay_config *cfg, bool *at_input, char *err,
	       size_t errlen);
/* Until all is sent or *stop. 0 or -errno with err filled; the statistics hold even then. */
int replay_run(struct replay *r, char *err, size_t errlen);
const struct replay_stats *replay_stats(const struct replay *r); /* complete after replay_run() */
void replay_free(struct replay *r); /* NULL is fine */
