/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A flow's evidence as the signatures see it: packets in order, landmarks, the sender's own habits,
 * and the facts of the capture around it. Built at the flow's end (without a context, to see whether
 * anything could testify) and again when judged.
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/tamper/context.h"
#include "classifiers/tamper/evidence.h"
#include "classifiers/tamper/exchange.h"
#include "classifiers/verdict.h"

#define VIEW_RSTS 64         /* a bit each in own_rst */
#define VIEW_TTL_TOLERANCE 6 /* EV-TTL: honest hosts were seen to vary by 5 */
/*
 * Packets of one sender that are closer than this may have swapped places on the way, whatever the round
 * trip: twice what resets were seen to gain on their own data behind a link that reorders.
 */
#define VIEW_REORDER_NS 5000000ull
#define VIEW_IPID_STEP 64   /* EV-IPID: most of a host's counter between two packets of one flow */
#define VIEW_IPID_CHANCE 16 /* two identifications below it are equal by chance: counters begin there */

enum ipid_class { IPID_UNKNOWN, IPID_ZERO, IPID_CONSTANT, IPID_COUNTER, IPID_RANDOM };

/* How one end stamps its packets, from those that nobody suspects. */
struct baseline {
	unsigned n;          /* packets it stands on; 0: nothing known */
	uint8_t ttl_lo, ttl_hi;
	uint8_t df;          /* bit 0: seen without DF, bit 1: seen with */
	enum ipid_class ipid;
	bool other_flows;    /* taken from other flows of the same server address and port */
	bool handshake_only; /* from the SYN or SYN+ACK alone: weak, load balancers differ there */
};

struct view {
	const struct evidence *ev;
	const struct flow_record *flow;
	const struct context *ctx; /* NULL at the flow's end */
	const struct pair_resets *pair; /* of the same hosts, this flow's own among them; or NULL */
	const struct exchange *ex; /* that is looked at; NULL: the TCP connection */
	const struct event *e;     /* n of them, in order of arrival */
	unsigned n;
	enum dir dir;              /* the direction whose packets are under suspicion */
	/* indices into e, -1 where there is none */
	int syn, synack, handshake_ack, first_c2s, first_s2c, first_fin;
	uint16_t rst[VIEW_RSTS];   /* RSTs of direction dir, in order */
	unsigned n_rst;
	uint64_t reorder_ns;       /* packets may swap places within this: VIEW_REORDER_NS, or as was seen */
	uint64_t own_rst;          /* bit i: rst[i] is its sender's, and another one is not */
	/* what could have triggered it: the request, with its end as a sequence number */
	enum trigger_kind trigger;
	const char *trigger_value;
	int trigger_event;         /* the packet that completed the name; -1 */
	uint32_t request_end;      /* sequence number after the first request; valid with first_c2s */
	struct baseline base;      /* of the sender in direction dir */
};

/*
 * Its first payload asks for something that a server may refuse by a reset, and is then mentioned. Of
 * tunnels and of what is fully encrypted it is not: their servers reset whom they do not know, and
 * only packets that are not the server's say more.
 */
static inline bool view_asked(const struct view *v)
{
	return v->trigger != TRIGGER_NONE &&
	       !(v->trigger == TRIGGER_PROTOCOL && v->flow->tls == NULL);
}

/* ctx may be NULL. The view points into its arguments. */
void view_build(struct view *v, const struct evidence *ev, const struct flow_record *flow,
		const struct context *ctx, enum dir dir);
/* The same of an exchange, whose evidence is exchange_evidence(); under suspicion is the server. */
void view_build_exchange(struct view *v, const struct evidence *ev, const struct exchange *ex,
			 const struct flow_record *flow, const struct context *ctx);

/*
 * Smallest time from a packet of the other side to the first packet of direction dir that
 * acknowledges it, in ns, leaving out packet `except` and retransmissions; UINT64_MAX if unknown.
 * with_syn false leaves the handshake's out.
 */
uint64_t view_min_rtt(const struct view *v, int except, bool with_syn);

/* Smallest handshake round trip of any flow to this server in the run, in ns; UINT64_MAX unknown. */
uint64_t view_server_rtt(const struct view *v);
/* How many flows of the run that stands on, this one among them; 0 where there is no context. */
unsigned view_server_shakes(const struct view *v);

/* A post-handshake packet of direction dir that counts as its sender's own: no RST, no suspect. */
bool view_is_own(const struct view *v, unsigned i);
/* Packet i's TTL lies outside the baseline by more than delta. */
bool view_ttl_off(const struct view *v, unsigned i, unsigned delta);
/* Hops that a packet has behind it, if its stack began with one of the usual numbers. */
unsigned view_hops(unsigned ttl);
/*
 * EV-TTL: from the sender's distance with another initial number, as its other stacks and balancers. What
 * answers a TTL-limited probe is nearer, whatever it stamps.
 */
bool view_as_far(const struct view *v, unsigned i);
bool view_df_off(const struct view *v, unsigned i);
/* Packet i's IP-ID contradicts the sender's series around it. */
bool view_ipid_off(const struct view *v, unsigned i);
/* Packet i is as the sender's others, itself left out: TTL, DF and negotiated timestamps. */
bool view_in_series(const struct view *v, unsigned i);
/* baseline.c: fills v->base, packet `except` left out (-1: none). */
void view_baseline(struct view *v, int except);
/* The same facts as a view whose baseline leaves packet i out. */
struct view view_without(const struct view *v, unsigned i);
/* The same facts with the handshake and the server's other flows as the baseline. */
struct view view_of_others(const struct view *v);
/* A RST that its sender would send just so. */
bool view_endpoint_like(const struct view *v, unsigned i);
/*
 * own_reset.c: which of v->rst are certainly their sender's, a bit each, where at least one other
 * shows that it is not; else 0, as nothing tells them apart.
 */
uint64_t view_own_resets(const struct view *v);
/* v->rst[k] is not known to be its sender's own. */
static inline bool view_is_suspect(const struct view *v, unsigned k)
{
	return (v->own_rst & 1ull << k) == 0;
}
/* own_reset.c: v->rst[k] is the one before it, shown once more by a capture that shows frames twice. */
bool view_is_copy(const struct view *v, unsigned k);
/* Of packet i, reserved flag bits, and AE where the sides do not count marks with it (RFC 9768). */
unsigned view_odd_flags(const struct view *v, unsigned i);
/* A FIN of either side was recorded before packet i. */
bool view_after_fin(const struct view *v, unsigned i);
/* The last packet of the other side before i with payload, SYN or FIN; -1. */
int view_last_sent(const struct view *v, unsigned i);
/*
 * EV-IPID-MIRROR: packet i has the IP-ID of that packet, which was sent within the second before it. A
 * sender whose own counter stands there copies nothing.
 */
bool view_mirrors_ipid(const struct view *v, unsigned i);
/* Highest acknowledgement that the other side sent before i (not in a RST); false: none. */
bool view_acked_before(const struct view *v, unsigned i, uint32_t *ack);
/* Highest end of sequence of direction dir before i, without RSTs; false: none. */
bool view_next_before(const struct view *v, unsigned i, uint32_t *next);
/*
 * own_reset.c: all that packet i, a RST, can take its number from had been acknowledged by its sender before:
 * whoever answers one of them once more with that number is not its socket, which was open when they came.
 */
bool view_drawn_late(const struct view *v, unsigned i);
/* RST i has a later number than packet k of its sender, which arrived behind it, and overtook it. */
bool view_overtook(const struct view *v, unsigned i, unsigned k);
/* Stage of the connection when packet i arrived; a RST's when it was sent. */
enum stage view_stage(const struct view *v, unsigned i);

/*
 * sequel.c: the client began anew between packets a and b: what follows is no sequel. Windows asks a closed
 * port three times, and a SYN that met an old connection is sent again (RFC 9293, section 3.5.2). Of a new
 * connection the capture may hold the SYN+ACK alone, and the SYN may have overtaken packet a.
 */
bool view_began_anew(const struct view *v, unsigned a, unsigned b);
/*
 * sequel.c: packet k is of the connection that packet a was of. Ports are used again, and where the
 * capture lacks the handshake only the numbers tell: a new connection begins elsewhere, both ways.
 */
bool view_goes_on(const struct view *v, unsigned a, unsigned k);

/*
 * sequel.c: RST rst may be of another machine at its sender's address, and packet k, the sender's again, does
 * not contradict that. A translator that lost its table refuses what is not its own until the sender speaks,
 * and so does a machine that took over an anycast or cluster address for a while: with the number of an old
 * acknowledgement, after a pause of the sender's and before a longer one, or with one for each segment of an
 * answer.
 */
bool view_stood_in(const struct view *v, unsigned rst, unsigned k);
/*
 * sequel.c: half a round trip in ns, and a whole one of a RST that is known to have overtaken its sender's
 * FIN: a packet that is later than this behind RST rst did not merely swap places with it on the way.
 */
uint64_t view_late_after(const struct view *v, unsigned rst);

/* sequel.c: SYNs of two connections are in one record, so that its numbers are of two series. */
bool view_is_mixed(const struct view *v);

/* The packets that a finding accuses, as event indices, rising. */
struct suspects {
	const uint16_t *event;
	unsigned n;
};

struct arena;
/*
 * Who the accused packets look like: classifiers/device/ answers, and may fill the devices and
 * injectors of f and nothing else, so that what was found never depends on it. Memory is a's. 0 or
 * -ENOMEM.
 */
int attribute(struct arena *a, const struct view *v, const struct suspects *s, struct finding *f);
