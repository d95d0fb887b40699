/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What the parts of the scrubber share: a frame as it was and as it becomes, read to its bounds. */

#include <string.h>

#include "dataplane/cursor.h"
#include "tools/privacy/scrub.h"

#define WALK_DEPTH 6 /* tunnels, and the packet that an ICMP error quotes */

enum walk_ip_proto {
	WALK_HOP_BY_HOP = 0,
	WALK_ICMP = 1,
	WALK_IP4 = 4,
	WALK_TCP = 6,
	WALK_UDP = 17,
	WALK_IP6 = 41,
	WALK_ROUTING = 43,
	WALK_FRAGMENT = 44,
	WALK_GRE = 47,
	WALK_AH = 51,
	WALK_ICMP6 = 58,
	WALK_DESTINATION = 60,
	WALK_MOBILITY = 135,
};

struct walk {
	struct scrub *s;
	const uint8_t *was;
	uint8_t *now;
	size_t pos, len; /* nothing at or after len may be read or written */
	size_t wire;	 /* where it ended on the wire, at or after len */
	size_t keep;	 /* bytes of the frame that stay */
	unsigned depth;
	bool quoted; /* within an ICMP error: the capture, or the quote, may end anywhere */
};

/* An IP header and what lies behind it. Offsets are into the frame. */
struct walk_ip {
	struct ip_addr src, dst, as_src, as_dst;
	size_t at, body, end; /* header; first byte behind it; behind the last one here */
	uint32_t body_len;    /* that the header claims of the body */
	uint8_t version, proto;
	bool whole; /* the body is all here, and no fragment */
};

static inline size_t walk_left(const struct walk *w)
{
	return w->len - w->pos;
}

/* n bytes to read and write in place, or NULL if there are fewer. */
static inline uint8_t *walk_take(struct walk *w, size_t n)
{
	if (walk_left(w) < n)
		return NULL;
	uint8_t *p = w->now + w->pos;
	w->pos += n;
	return p;
}

/* Nothing of the frame from here on is kept. */
static inline void walk_cut(struct walk *w, size_t at)
{
	if (at < w->keep)
		w->keep = at;
}

/* Addresses in place. */
void walk_ip4(const struct walk *w, uint8_t b[4]);
void walk_ip6(const struct walk *w, uint8_t b[16]);
void walk_mac(const struct walk *w, uint8_t b[6]);

/* The cursor stands at … */
void walk_link(struct walk *w, uint32_t linktype); /* scrub_link.c */
void walk_ethernet(struct walk *w);
void walk_ether_type(struct walk *w, uint16_t type);
void walk_ip(struct walk *w); /* scrub_ip.c: an IP header of either version */
void walk_transport(struct walk *w, const struct walk_ip *ip); /* scrub_transport.c */
void walk_icmp(struct walk *w, const struct walk_ip *ip);      /* scrub_icmp.c */
void walk_gre(struct walk *w, const struct walk_ip *ip);       /* scrub_tunnel.c */
/* The same: a datagram's payload, which ends at wire; false: no tunnel that is opened, nothing was done. */
bool walk_udp_tunnel(struct walk *w, uint16_t sport, uint16_t dport, size_t wire);
/* scrub_payload.c: a transport payload from at to end; src and dst of its connection. */
void walk_payload(struct walk *w, const struct walk_ip *ip, size_t at, size_t end, uint32_t seq);

/*
 * scrub_checksum.c: the one at offset at, of n bytes at offset from, when all else in them is done.
 * ip NULL: without a pseudo header; else claimed is the length in that. whole: these are all the
 * bytes.
 */
void walk_checksum(struct walk *w, const struct walk_ip *ip, uint32_t claimed, size_t from,
		   size_t n, size_t at, bool whole);

/* scrub_text.c: addresses that have a pseudonym, written out in bytes of whatever kind, become x's.
 */
void walk_text(const struct walk *w, size_t at, size_t end);
/* An address that has a pseudonym, as bytes in either order, becomes zeros. */
void walk_wipe(const struct walk *w, const struct ip_addr *a, size_t at, size_t end);

/* scrub_dns.c: a message of n bytes at offset at. Returns how many of them may be kept. */
size_t walk_dns(struct walk *w, size_t at, size_t n);

struct scrub_stream;
/*
 * scrub_names.c: with a key for names. n bytes of the ClientHello t, in one piece, of which *kept may stay.
 * False: then a name begins that is not here whole, and nothing more of it may.
 */
bool names_hello(const struct walk *w, struct scrub_stream *t, size_t at, size_t n, size_t *kept);
/* A request, or an answer's start line: returns how many of n bytes may be kept. */
size_t names_http(const struct walk *w, size_t at, size_t n);

#define SCRUB_STREAMS 1024u /* connections whose ClientHello goes on; a power of two */

/* A ClientHello that more segments belong to: where in its TLS records the next one begins. */
struct scrub_stream {
	uint64_t key;	      /* 0: empty */
	uint32_t next;	      /* sequence number */
	uint32_t record_left; /* bytes of the record that is under way */
	uint32_t hello_left;  /* bytes of the message, once its header is there */
	uint8_t head[5];      /* of the record, n_head bytes of it */
	uint8_t n_head;
	uint8_t message[4]; /* the handshake message's header, n_message bytes of it */
	uint8_t n_message;
	/* Where in the message, for names in it (scrub_names.c). */
	uint8_t part, n_field, field[4];
	bool blank;
	uint32_t part_left;
};

struct scrub {
	struct scrub_config cfg;
	struct scrub_stream stream[SCRUB_STREAMS];
};
