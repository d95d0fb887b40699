/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What the parts of the comparison share. Nothing here is for other modules. */

#include <stdbool.h>
#include <stddef.h>

#include "classifiers/arena.h"
#include "dataplane/flow.h"
#include "dataplane/seq.h"
#include "tools/compare/compare.h"
#include "tools/study/study.h"

#define NO_INDEX UINT32_MAX
#define PROTO_UDP 17
#define MTU_SAFE 576 /* what every host must accept whole: RFC 791, section 3.1 */
#define HEAD_BYTES 16 /* of payload, that digest.head is of */
#define NO_BYTES UINT64_MAX

enum digest_has {
	HAS_TS = 1,
	HAS_MSS = 2,
	HAS_WSCALE = 4,
	HAS_DF = 8,
	HAS_V6 = 16,
	HAS_DAMAGE = 32 /* its checksum is wrong: its receiver takes no notice of it */
};

struct digest {
	uint64_t ts_ns, frame;
	uint64_t hash;	/* of the payload that was captured */
	uint64_t head;	/* of its first bytes: a key that a snapshot length seldom spoils */
	uint64_t bytes; /* place of held bytes in the view's arena; NO_BYTES: not kept */
	uint32_t seq, ack, len, held, ip_len;
	uint32_t tsval, options;
	uint32_t conv; /* in the view's conversations */
	uint32_t peer; /* FATE_SAME, FATE_MODIFIED: index in the other view */
	uint32_t twin; /* a second copy of this frame by the capture: its index; else NO_INDEX */
	uint16_t flags, window, ip_id, mss;
	uint16_t changed;
	uint8_t ttl, tos, wscale, has, from_lo, fate;
	uint32_t from, to; /* FATE_MODIFIED: payload bytes that differ, half open */
};

struct conversation {
	struct flow_key key;   /* tunnel_id 0 */
	uint32_t link;	       /* union-find parent among all conversations, then the link */
	uint32_t n_packets[2]; /* by from_lo */
	uint64_t first_frame, first_ns, last_ns, bytes[2];
	bool a_is_lo; /* A: who opened it, as far as can be told */
	bool a_sure;  /* a SYN or SYN+ACK told */
	bool syn[2];  /* a SYN is here, by from_lo */
};

struct view {
	struct digest *d;
	uint32_t n, room, max;
	struct conversation *conv;
	uint32_t n_conv, room_conv;
	uint32_t *slots; /* hash table of conversations, index + 1 */
	uint32_t n_slots;
	uint8_t *arena;
	uint64_t arena_n, arena_room, arena_max;
	struct recent *recent; /* to know copies that the capture itself made */
	bool full, no_memory;
	uint64_t first_ns, last_ns;
	uint64_t missed; /* packets that the hosts show it missed */
	uint32_t damaged; /* packets with HAS_DAMAGE */
	bool lossy;
};

/* Indices into a view: the packets of one link that go one way, by time. */
struct list {
	uint32_t *v;
	uint32_t n;
};

struct link {
	uint32_t convs[SIDES]; /* how many */
	uint32_t first_conv[SIDES];
	uint32_t pairs;
	bool a_up; /* who opened it is at the client's side */
	bool expected;
	uint32_t stuck[WAYS]; /* copies of one segment that never arrived */
	uint64_t stuck_ns[WAYS]; /* the first of them, sender's time */
	uint64_t refused_ns;     /* forgot.c: its translator refused it, the server's clock; 0: no */
	uint64_t cut_ns;	 /* cut.c: a firewall forgot it behind that, the client's clock; 0: no */
	bool answered;		 /* and did so behind the beginning of an answer */
	struct list list[SIDES][WAYS];
};

#define WINDOWS 256

struct clock_window {
	bool have[WAYS];
	int64_t quickest[WAYS]; /* receiver's time less sender's */
};

/* Of packets one way that the sender's capture lacks, whether it missed them (missed.c). */
struct doubt {
	uint64_t packets, decisive; /* that both captures have; of them resets and first answers */
	uint64_t acts;	 /* connections with such a one that is lacking and stamped as its sender's */
	uint64_t others; /* lacking packets of any other kind */
};

struct comparison {
	struct compare_config cfg;
	struct view view[SIDES];
	struct pipeline_hooks view_hooks[SIDES], hooks[SIDES];
	struct link *links;
	uint32_t n_links;
	uint32_t *order[SIDES]; /* what the lists of links are slices of */
	struct compare_clock clock;
	struct clock_window windows[WINDOWS];
	uint64_t window_ns, clock_from;
	int64_t slack_ns;
	bool ip_id_kept[WAYS],
		window_kept[WAYS]; /* what the path leaves alone, learnt from plain pairs */
	struct doubt doubt[WAYS];
	struct forgotten *forgotten; /* forgot.c, sorted */
	uint32_t n_forgotten;
	int hops[WAYS];		   /* TTL lost on the way, modulo 256; -1: no one value */
	struct compare_totals totals[WAYS];
	uint64_t lone, elsewhere, both;
	struct analysis analysis;
	struct capture_result captures[SIDES];
	size_t room_findings, room_flows;
	struct names *names;   /* names.h */
	struct study study;    /* profiles alone */
	struct arena arena;    /* of what findings and profiles point to */
};

static inline enum compare_side sender_of(enum compare_way way)
{
	return way == WAY_UP ? SIDE_CLIENT : SIDE_SERVER;
}

static inline enum compare_side receiver_of(enum compare_way way)
{
	return way == WAY_UP ? SIDE_SERVER : SIDE_CLIENT;
}

static inline bool is_tcp(const struct view *v, const struct digest *d)
{
	return v->conv[d->conv].key.proto == 6;
}

/* Sequence space that a segment takes. */
static inline uint32_t digest_span(const struct digest *d)
{
	return d->len + ((d->flags & TCP_SYN) != 0) + ((d->flags & TCP_FIN) != 0);
}

enum same { SAME_NO, SAME_YES, SAME_UNKNOWN };

/* view.c. hooks.user is the view; view_add() is what they do with each packet. */
void view_hooks(struct view *v, struct pipeline_hooks *out);
void view_add(struct view *v, const struct flow_key *key, bool from_lo, const struct packet *pkt,
	      const struct headers *h);
void view_twins(struct view *v);
void view_free(struct view *v);
/* Payload of x and y, as far as both were captured. */
enum same payload_same(const struct view *vx, const struct digest *x, const struct view *vy,
		       const struct digest *y);
/* n bytes from place i of a digest's payload, NULL where they were not kept. */
const uint8_t *payload_at(const struct view *v, const struct digest *d, uint32_t i, uint32_t n);

/* link.c: conversations -> links, with lists. 0 or -ENOMEM. */
int links_make(struct comparison *c);
/* ends.c: which addresses are at which end, and so which links should be in both captures. 0 or -ENOMEM. */
int links_expect(struct comparison *c);
/* The end of a conversation of the link that is at that side of the path. */
const struct ip_addr *link_end(const struct conversation *k, const struct link *l, enum compare_side end,
			       uint16_t *port);
/* twins: also what the capture holds twice. */
int links_sort(struct comparison *c, bool twins);

/* clocks.c: from packets that are unique in both captures. 0 or -ENOMEM. */
int clocks_align(struct comparison *c);
/* Least of receiver's time less sender's that a packet at client_ns can have. */
int64_t clocks_floor(const struct comparison *c, enum compare_way way, uint64_t client_ns);

/* pair.c, stream.c: set fate, peer, changed. 0 or -ENOMEM. */
int pair_link(struct comparison *c, struct link *l, enum compare_way way);
int stream_link(struct comparison *c, struct link *l, enum compare_way way);
/* datagrams.c: the same of UDP. */
int datagrams_link(struct comparison *c, struct link *l, enum compare_way way);
/* What is still left over: lost by a capture, beyond its time, injected, dropped. 0 or -ENOMEM. */
int rest_link(struct comparison *c, struct link *l, enum compare_way way);
/* missed.c: place i of the receiver's list goes by its IP-ID between two packets of the sender. */
bool missed_by_id(const struct comparison *c, const struct link *l, enum compare_way way, uint32_t i);
/* The two may be one packet as to when they were seen. */
bool pair_in_time(const struct comparison *c, enum compare_way way, const struct digest *s,
		  const struct digest *r);
/* A table of indices by a 64-bit key, each chain in the order of filling. */
struct chains;
int chains_new(struct chains **out, uint32_t n); /* 0 or -ENOMEM */
void chains_free(struct chains *t);
void chains_add(struct chains *t, uint64_t key,
		uint32_t value); /* last first: chains read in order */
uint32_t chains_first(const struct chains *t, uint64_t key, uint32_t *cursor); /* NO_INDEX: none */
uint32_t chains_next(const struct chains *t, uint64_t key, uint32_t *cursor);
/* Takes out what the cursor is at; chains_next() goes on from it all the same. */
void chains_drop(struct chains *t, uint32_t cursor);
uint64_t mix64(uint64_t a, uint64_t b);

/* conclude.c: 0 or -ENOMEM. */
int conclude(struct comparison *c);
void conclude_free(struct comparison *c);
