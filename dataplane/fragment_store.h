/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Where fragments lie until their datagram is whole: datagrams by key and pages of their bytes, of
 * both a number that is fixed. What has been used least makes room, and what is too old goes.
 */

#include "dataplane/decode.h"
#include "dataplane/fragments.h"

#define STORE_NONE UINT32_MAX
#define DATAGRAM_MAX 65535u /* bytes, IP header included (RFC 791) */
#define FRAGMENT_UNIT 8u    /* fragment offsets count in these */
#define PAGE_BYTES 1024u
#define PAGE_UNITS (PAGE_BYTES / FRAGMENT_UNIT)
#define PAGE_FRAMES (PAGE_BYTES / sizeof(uint64_t))
#define DATA_PAGES ((DATAGRAM_MAX + PAGE_BYTES) / PAGE_BYTES)
#define FRAME_PAGES (FRAGMENT_FRAMES_MAX / PAGE_FRAMES)
#define HEAD_MAX 128 /* of IP header kept; of a longer one in IPv6 the first 40 */

struct fragment_page {
	uint8_t have[PAGE_UNITS / 8]; /* bit by unit; unused in a page of frame numbers */
	uint8_t data[PAGE_BYTES];
	uint32_t next_free;
};

/* Compared and hashed as bytes: no padding. */
struct datagram_key {
	struct ip_addr src, dst;
	uint32_t id, tunnel_id, file;
	uint8_t proto, ip_version, zero[2];
};

struct datagram {
	struct datagram_key key;
	uint64_t first_ns;
	uint32_t bucket, chain;         /* hash chain; chain is also the free list */
	uint32_t older, newer;          /* by last use */
	uint32_t total;                 /* payload bytes, STORE_NONE until the last fragment came */
	uint32_t end;                   /* of the farthest fragment */
	uint32_t units;                 /* of the payload, that came */
	uint32_t captured;              /* payload bytes before the first one cut off */
	uint32_t n_fragments, n_frames; /* kept; listed */
	uint32_t anomalies;
	bool dead; /* overlapped in IPv6: all that comes is dropped (RFC 5722) */
	uint8_t head_len; /* 0 until the fragment at offset 0 came */
	uint8_t head[HEAD_MAX];
	uint32_t pages[DATA_PAGES], frame_pages[FRAME_PAGES];
};

struct fragment_store {
	uint64_t timeout_ns;
	struct fragment_page *pages;
	struct datagram *datagrams;
	uint32_t *buckets, bucket_mask;
	uint32_t n_pages, fresh_page, free_page; /* fresh: never used from here on */
	uint32_t n_datagrams, fresh_datagram, free_datagram;
	uint32_t oldest, newest; /* use */
};

/* *s is all zero. memory: bytes, no less than 128 KiB. 0 or -ENOMEM; to be freed either way. */
int fragment_store_new(struct fragment_store *s, size_t memory, uint64_t timeout_ns);
void fragment_store_free(struct fragment_store *s);

/* The datagram of a fragment, made if need be, and now the one used last. st counts what goes for it. */
struct datagram *fragment_store_datagram(struct fragment_store *s, const struct packet *pkt,
					 const struct headers *h, struct decoder_stats *st);
/* Drops what is too old for that time. */
void fragment_store_expire(struct fragment_store *s, uint64_t now_ns, struct decoder_stats *st);
void fragment_store_remove(struct fragment_store *s, struct datagram *g);
/* The datagram's bytes and frame numbers go back; its entry stays. */
void fragment_store_release_pages(struct fragment_store *s, struct datagram *g);

struct fragment_page *fragment_store_new_page(struct fragment_store *s, uint32_t *slot,
					      struct decoder_stats *st);

/* The page of a slot of the datagram used last, zero where it is new: others make room for it. */
static inline struct fragment_page *fragment_store_page(struct fragment_store *s, uint32_t *slot,
							struct decoder_stats *st)
{
	return *slot != STORE_NONE ? &s->pages[*slot] : fragment_store_new_page(s, slot, st);
}
