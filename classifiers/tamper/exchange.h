/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A question and what came back to it: one DNS query (over UDP or TCP), one attempt to open a QUIC
 * connection, or one tunnel's session over UDP. Smaller than a flow, since a resolver answers many
 * queries on one pair of ports. A classifier gathers it, the signatures of its kind see it as they
 * see a TCP connection: as events with landmarks, and the kind's own facts beside them.
 *
 *   classifier: exchange_init, exchange_packet…, then exchange_done hands it to the inspector
 *   inspector:  context_exchange, judge_weigh_exchange, kept until judge_exchange; exchange_free
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/attempt.h"
#include "classifiers/classifier.h"
#include "classifiers/tamper/evidence.h"

#define EXCHANGE_EVENTS 24 /* packets recorded of one exchange; the rest is counted */

enum exchange_kind { EXCHANGE_DNS, EXCHANGE_QUIC, EXCHANGE_VPN };

/* First member of struct dns_exchange, quic_exchange and vpn_exchange: one malloc'ed block each. */
struct exchange {
	struct exchange *next;  /* in app_facts.done */
	uint8_t kind;           /* enum exchange_kind */
	bool ipv6;
	uint16_t n_events, room_events, skipped;
	uint16_t n_icmp;        /* ICMP errors that quoted one of its packets, saturating */
	struct event *events;   /* in order of arrival; seq, ack and flags are 0 over UDP */
	const char *name;       /* that was asked for; "" none; points into the block */
	uint8_t end;            /* enum attempt_end: what became of it */
	uint64_t request_ns;    /* when name was complete on the wire */
	uint64_t end_ns;        /* the first answer; of silence the last packet */
};

void exchange_init(struct exchange *x, enum exchange_kind kind, bool ipv6);
/* Returns the event's index, or -1 if it was not recorded (too many, or no memory). */
int exchange_packet(struct exchange *x, enum dir dir, const struct packet *pkt,
		    const struct headers *h);
/* The same of an event that was made before. */
int exchange_event(struct exchange *x, const struct event *e);
/* x is complete, and the inspector's from now on. */
void exchange_done(struct exchange *x, struct app_facts *facts);
void exchange_free(struct exchange *x); /* NULL is fine */

/* The events as evidence that views are built from; it borrows x's events. */
struct evidence exchange_evidence(const struct exchange *x);
