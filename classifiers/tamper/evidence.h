/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What one TCP flow leaves behind for the signatures: a bounded record of its packets and the state
 * that signatures ask of. Recorded packet by packet, judged after the flow's end.
 *
 * The first EVENTS_HEAD packets are kept, then the last EVENTS_TAIL as a ring. The first packet that
 * could be somebody else's (a RST, an answer that does not fit, a third copy of the same bytes)
 * stops the ring and everything after it is kept up to EVENTS_MAX, so that a flow that nothing
 * happened to stays small.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/decode.h"
#include "dataplane/flow.h"
#include "dataplane/shunt.h"

struct slab_set; /* classifiers/slab.h */

#define EVENTS_HEAD 8
#define EVENTS_TAIL 4
#define EVENTS_MAX  128
#define EVENT_EXCERPT 32 /* first payload bytes kept of each direction */
#define ICMP_NOTES 8
/* Packets of one link may stand in a capture this much behind their order in time. */
#define EVENT_DISORDER_NS 5000000ull

/*
 * In event.flags: a RST, FIN or odd content that no receiver takes: its checksum is wrong, where its
 * direction's others are right, or it is a client's and signed, where its others are not.
 */
#define EVENT_IGNORED 0x8000
#define EVENT_TEXT 0x1000 /* a RST whose payload is all text, as RFC 1122, section 4.2.2.12, allows */
#define EVENT_REASSEMBLED 0x2000 /* of IP fragments, which never have DF */
#define EVENT_FLOW_LABEL 0x4000 /* IPv6 with a flow label; in IPv4 ip_id says as much */

enum event_bits {
	EVENT_S2C = 1 << 0,
	EVENT_DF = 1 << 1,
	EVENT_TS = 1 << 2,       /* carries the timestamp option */
	EVENT_OPTIONS = 1 << 3,  /* TCP header longer than 20 bytes */
	EVENT_RETX = 1 << 4,     /* begins before bytes already seen of its direction */
	EVENT_PROBE = 1 << 5,    /* client data whose TTL is below the handshake's: TTL-limited probe */
	EVENT_MAC = 1 << 6,      /* another source MAC than the direction's first packet */
	EVENT_PADDING = 1 << 7,  /* payload is all zero and ends a 60-byte frame */
};

/* Files that one capture may have been written into: who asks for more is refused. */
#define EVIDENCE_FILES 65536u

struct event {
	uint64_t ts_ns;
	uint32_t frame;          /* of a capture below 2^32 packets */
	uint32_t seq, ack;
	uint32_t payhash;        /* of the first 64 payload bytes; 0 without payload */
	uint32_t tsval;
	uint16_t flags;          /* 12 bits, and EVENT_IGNORED */
	uint16_t window, ip_id;
	uint16_t len;            /* payload bytes, saturating */
	uint16_t file;           /* of the capture's, below EVIDENCE_FILES */
	uint8_t ttl;
	uint8_t bits;            /* enum event_bits */
};

/* One direction. */
struct half {
	uint32_t isn;            /* valid with syn */
	uint32_t next;           /* highest end of sequence seen, valid with seen */
	uint32_t max_ack;        /* highest acknowledgement seen, valid with acked; RSTs do not count */
	uint32_t first_seq;      /* of the first payload, valid with n_data */
	uint32_t first_len;
	uint32_t n_data;         /* packets with new payload */
	uint64_t first_data_ns, last_ns;
	uint32_t n_acks;         /* pure acknowledgements */
	uint32_t retx_seq;       /* of the first packet without a new byte, valid with n_retx */
	uint16_t n_retx;         /* packets without a new byte, saturating */
	uint16_t n_syn, n_fin, n_rst, n_rstack, n_keepalive; /* saturating */
	uint16_t mss;
	uint16_t mac;            /* hash of the first source MAC, 0 none */
	uint8_t wscale;
	uint8_t syn_ttl;
	uint8_t ttl_min, ttl_max; /* post-handshake, no RST; 0 none seen */
	uint8_t df;              /* bit 0: post-handshake packets without DF, bit 1: with */
	bool seen : 1, syn : 1, acked : 1, ts_ok : 1, sack_ok : 1, has_mss : 1, has_wscale : 1;
	bool sums : 1;           /* its first packet's checksum was right: wrong ones are damage or decoys */
	bool plain : 1;          /* the client's first packet had no signature: signed ones are decoys */
	bool ts_later : 1;       /* a packet after the SYN carried timestamps */
	bool last_full : 1;      /* the newest packet with new payload was a full segment */
	bool gap : 1;            /* the peer acknowledged bytes that the capture does not hold */
	bool gap_filling : 1;    /* which may still come, one packet after the other */
	uint8_t excerpt_len;
	uint8_t excerpt[EVENT_EXCERPT]; /* of the payload at first_seq */
};

_Static_assert(sizeof(struct half) <= 104, "every live TCP flow pays for two");

/* An ICMP error that quoted a packet of the flow. */
struct icmp_note {
	uint64_t ts_ns;
	uint32_t frame;
	uint32_t quoted_seq;
	uint16_t file;
	uint16_t quoted_ip_id;
	uint8_t type, code, version, ttl;
	uint8_t quoted_dir; /* enum dir of the quoted packet */
	uint8_t quoted_tos;
	bool quoted_df;
	struct ip_addr from;
};

enum evidence_bits {
	EVIDENCE_RST = 1 << 0,
	EVIDENCE_SYNACK2 = 1 << 1,   /* a second SYN+ACK with another ISN */
	EVIDENCE_BYTES = 1 << 2,     /* two segments gave different bytes for one sequence number */
	EVIDENCE_TSGONE = 1 << 3,    /* payload, SYN or FIN without the negotiated timestamps */
	EVIDENCE_FINDATA = 1 << 4,   /* the server's first payload carries FIN */
	EVIDENCE_STUCK = 1 << 5,     /* one segment sent three times or more */
	EVIDENCE_ICMP = 1 << 6,
	EVIDENCE_RSVD = 1 << 7,
	EVIDENCE_HEADER = 1 << 8,    /* a server packet with payload unlike its direction's others */
	EVIDENCE_SYN_AGAIN = 1 << 9, /* a SYN or SYN+ACK was sent again */
	EVIDENCE_ACKOFF = 1 << 10,   /* the first answer does not acknowledge the request */
	EVIDENCE_AFTER_FIN = 1 << 11, /* new payload behind a FIN of the same sender */
	EVIDENCE_RATE = 1 << 12,     /* decided at the end: something held it to a rate */
};

#define PAGE_MAX 2048

/* The first answer of a server about which something is odd: what devices know their pages by. */
struct page {
	uint32_t frame;
	uint16_t len;       /* bytes kept, of one packet */
	uint8_t bytes[];
};

/* What one direction sent again. */
struct resent {
	uint64_t stuck_ns;       /* when the first copy of stuck_seq was sent again */
	uint32_t stuck_seq;      /* start of the segment that is being sent again and again */
	uint32_t stuck_len;
	uint32_t again_seq;      /* segment sent again although the other side had acknowledged it */
	uint16_t again;          /* how often, saturating */
	uint16_t stuck;          /* retransmissions of stuck_seq without progress, saturating */
	uint16_t first_retx;     /* times that the first payload was sent again, saturating */
};

/* What most flows do not need. */
struct evidence_more {
	struct resent resent[2]; /* by sender, enum dir */
	struct page *page;       /* NULL without */
	struct rate_facts *rate; /* NULL: nothing limited its rate, or nobody knows */
	struct icmp_note *icmp;  /* n_icmp, NULL without */
	const struct goodput *goodput; /* decided at the end, the arena's; NULL without */
};

struct evidence {
	struct half half[2];     /* by sender, enum dir */
	struct event *events;    /* n_events of room_events */
	struct evidence_more *more; /* NULL without */
	struct rate_log *rate;   /* its segments, while it lives; NULL without (tamper/rate.h) */
	uint16_t n_events, room_events;
	uint16_t tail_from;      /* index after the head where a ring began; 0: no ring */
	uint16_t tail_next;      /* ring position written next, from tail_from */
	uint16_t skipped_at;     /* events before this index were followed by skipped ones; 0 none */
	uint16_t found;          /* enum evidence_bits */
	bool frozen;             /* the ring stopped */
	bool ipv6;
	bool rate_refused;       /* it earned a log of its segments and got none, or not all */
	uint8_t n_icmp;          /* of more->icmp */
	uint8_t tos[2];          /* DSCP and ECN of each direction's first packet */
	uint8_t n_probes;        /* TTL-limited probes, saturating */
	uint8_t tso;             /* segments above the MSS, saturating */
	uint8_t duplicates;      /* identical frames within 1 ms, saturating */
	uint32_t skipped;        /* packets left out of events */
	uint32_t bytes_frame;    /* frame that showed EVIDENCE_BYTES */
	uint32_t bytes_over;     /* the one that it contradicts, if it begins elsewhere; else 0 */
};

/*
 * What the flows of a shard share. Frames seen within the last millisecond: a SPAN port or a capture on
 * all interfaces shows frames twice, and in a burst the second copy is many packets behind the first.
 */
#define RECENT_FRAMES 1024
/* The first answers of servers, so that what overlaps them can be compared (RACE-7). */
#define RECENT_ANSWERS 64
#define RECENT_BYTES 1460
#define ANSWERS_FLOW 2 /* packets of one flow that are kept: forged content comes first */
struct evidence_room {
	struct slab_set *blocks; /* of the flows' events; NULL: malloc */
	struct {
		uint32_t hash; /* the lowest byte is the TTL */
		uint32_t ts;   /* in units of 1,024 ns, wrapping */
	} seen[RECENT_FRAMES];
	struct recent_answer {
		uint64_t flow_id;
		uint32_t seq, frame;
		uint16_t len;  /* bytes kept; 0: empty */
		uint8_t bytes[RECENT_BYTES];
	} answer[RECENT_ANSWERS];
	unsigned next_answer;
};

struct evidence_counters {
	uint64_t duplicate_frames, tso_segments, gaps, events_dropped, ttl_probes, no_memory;
};

/* Payload of the client's that its server does not read: it dies on the way, or is damaged on purpose. */
bool evidence_is_decoy(const struct evidence *ev, enum dir dir, const struct headers *h);

/*
 * Before any packet: zero. Adds one packet of the flow; h is TCP. False: it is the second copy of one
 * that was added.
 */
bool evidence_packet(struct evidence *ev, struct evidence_room *room, const struct flow *f,
		     enum dir dir, const struct packet *pkt, const struct headers *h,
		     struct evidence_counters *n);
/* A little before evidence_packet(): prefetches where that will look for duplicates and write the event. */
void evidence_soon(const struct evidence *ev, const struct evidence_room *room, const struct flow *f,
		   const struct headers *h);
void evidence_icmp(struct evidence *ev, enum dir quoted_dir, const struct packet *pkt,
		   const struct headers *h, struct evidence_counters *n);
/* The ring stops, in order; what comes is kept. */
void evidence_freeze(struct evidence *ev);
/*
 * evidence_pass.c: whether further packets in character (out: which those are) would leave nothing but
 * numbers and the end of the record behind. Once they were counted instead of added, evidence_pass()
 * makes of it what adding them would have; h is of counts->last. Only a second copy of one of them that
 * comes more than SHUNT_LAST packets later is not known as such any more.
 */
bool evidence_passable(const struct evidence *ev, struct shunt_flow *out);
void evidence_pass(struct evidence *ev, struct evidence_room *room, const struct flow *f,
		   const struct shunt_counts *counts, const struct headers h[],
		   struct evidence_counters *n);
/* The ring turned into order, and packets by time; after this no packet may be added. */
void evidence_finish(struct evidence *ev);
/* evidence_more.c: what it points to; blocks are those that its events are from, NULL malloc. */
void evidence_free(struct evidence *ev, struct slab_set *blocks);
/* *to becomes what *from is, for longer than blocks live, and *from empty. False: no memory. */
bool evidence_move(struct evidence *to, struct slab_set *to_blocks, struct evidence *from,
		   struct slab_set *blocks);

/* evidence_more.c: whether a server's payload contradicts what is kept of its first answers. */
bool evidence_contradicts(struct evidence *ev, const struct evidence_room *room,
			  const struct flow *f, const struct event *e, const struct headers *h);
void evidence_keep_answer(struct evidence_room *room, const struct flow *f, const struct event *e,
			  const struct headers *h);
/*
 * evidence_more.c: the server's first payload or FIN has neither the TTL, by 10 or more, nor the DF (IPv4)
 * of its SYN+ACK, so that other flows must say which of them is the server's.
 */
bool evidence_answer_foreign(const struct evidence *ev);
/*
 * evidence_more.c: the server's first payload closes, and came sooner after the request than its SYN+ACK
 * after the SYN, by a fifth at least: whether its other connections are as far away, they must say.
 */
bool evidence_answer_hasty(const struct evidence *ev);
/* evidence_more.c: an HTTP request is answered by a page that has no head. */
bool evidence_answer_bare(const struct evidence *ev);
/* evidence_more.c: its first payload is a TLS hello but that its first two bytes stand in reverse. */
bool evidence_hello_swapped(const struct evidence *ev, enum dir sender);
/* evidence_more.c: ev->more, made when a flow first needs it. NULL: no memory, counted. */
struct evidence_more *evidence_more(struct evidence *ev, struct evidence_counters *n);
/* evidence_more.c: of a server's payload, kept if it is the first that was odd when it came; before
 * is what had been found until then. */
void evidence_keep_page(struct evidence *ev, uint16_t before, const struct event *e,
			const struct headers *h, struct evidence_counters *n);
/* A packet as an event; first_mac is of its direction's first packet (half.mac), 0 not compared. */
struct event evidence_event(uint16_t first_mac, enum dir dir, const struct packet *pkt,
			    const struct headers *h);

/* event.payhash of these bytes. */
uint32_t evidence_payload_hash(const uint8_t *data, size_t len);

static inline const struct resent *evidence_resent(const struct evidence *ev, enum dir sender)
{
	static const struct resent nothing;
	return ev->more != NULL ? &ev->more->resent[sender] : &nothing;
}

static inline enum dir event_dir(const struct event *e)
{
	return (e->bits & EVENT_S2C) != 0 ? DIR_S2C : DIR_C2S;
}

/* Sequence space that the packet takes: payload, SYN and FIN. */
static inline uint32_t event_seqlen(const struct event *e)
{
	return (uint32_t)e->len + ((e->flags & TCP_SYN) != 0) + ((e->flags & TCP_FIN) != 0);
}
