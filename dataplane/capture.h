/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Inside of the file source: bytes in windows, captures parsed from them, captures merged by time,
 * and the BPF filter, which live sources use too. One thread; nothing else is for other modules.
 *
 *   stream    plain, gzip, zstd or stdin -> contiguous bytes in reference-counted blocks
 *   capture   pcap or pcapng on a stream -> packets that point into the blocks
 *   merge     several captures           -> one timeline
 *   filter    a pcap-filter expression, compiled for each link type met
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/cursor.h"
#include "dataplane/packet.h"
#include "dataplane/source.h"

/* Fields of a capture are in the byte order of its writer. */
static inline uint16_t get16(const uint8_t *p, bool be)
{
	return be ? (uint16_t)(p[0] << 8 | p[1]) : (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t get32(const uint8_t *p, bool be)
{
	uint32_t le = (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
	return be ? __builtin_bswap32(le) : le;
}

static inline uint64_t get64(const uint8_t *p, bool be)
{
	uint64_t a = get32(p, be), b = get32(p + 4, be);
	return be ? a << 32 | b : b << 32 | a;
}

/* Blocks: windows of a stream, kept alive by the packets in them. */

#define BLOCK_SIZE      (256u << 10)
#define BLOCK_FREE_MAX  16 /* recycled blocks kept; more are given back to the system */

struct block_pool;

struct block {
	struct block_pool *pool;
	struct block *prev, *next; /* all blocks: what was not released is freed with the pool */
	struct block *next_free;
	uint32_t refs; /* the stream that fills it, and every packet in it */
	size_t cap;
	uint8_t data[];
};

struct block_pool {
	struct block *all, *free;
	unsigned n_free;
	size_t block_size; /* 0: BLOCK_SIZE; tests make it small to meet every boundary */
};

struct block *block_get(struct block_pool *pool, size_t cap); /* one reference; NULL: no memory */
void block_unref(struct block *b, uint32_t n);
void block_pool_free(struct block_pool *pool); /* also blocks that packets still hold */

/* Streams. */

#define STREAM_END 1 /* stream_want(): it has fewer bytes; stream.broken says if it should not */

struct stream;
/* Up to room bytes to dst: how many, 0 at the end, -errno. */
typedef long (*stream_fill_fn)(struct stream *s, uint8_t *dst, size_t room);

struct stream {
	struct block_pool *pool;
	struct block *blk;
	size_t pos, end;     /* unread bytes of blk->data */
	uint64_t base;       /* offset of blk->data[0] in the uncompressed stream */
	stream_fill_fn fill;
	int fd;              /* -1 once everything was read */
	bool is_stdin, eof;
	const char *packing; /* "gzip", "zstd", or NULL for plain */
	const char *broken;  /* why the bytes end here, NULL if they rightly do */
	uint64_t *raw_bytes; /* counter of bytes read from the file */
	struct unpack *unpack;
};

/* 0 or -errno. path "-" is stdin; raw_bytes is added to. */
int stream_open(struct stream *s, struct block_pool *pool, const char *path, uint64_t *raw_bytes);
void stream_close(struct stream *s); /* zeroed is fine */
/* At least n contiguous bytes from pos: 0, STREAM_END, or -errno (-EINTR: call again). */
int stream_want(struct stream *s, size_t n);
/* Bytes as they lie in the file; the same returns as fill. */
long stream_read_raw(struct stream *s, void *buf, size_t room);

static inline size_t stream_left(const struct stream *s)
{
	return s->end - s->pos;
}

static inline uint64_t stream_offset(const struct stream *s)
{
	return s->base + s->pos;
}

/* What the first bytes say the stream is packed with: its name, or NULL. */
const char *unpack_detect(const uint8_t *head, size_t len);
/* Puts a decompressor between file and window; head was read already. 0 or -errno. */
int unpack_start(struct stream *s, const char *packing, const uint8_t *head, size_t len);
void unpack_free(struct unpack *u);

/* Captures. */

#define COMMENT_TEXT_MAX (64u << 10)
#define COMMENTS_MAX     1024
#define IFACES_MAX       65536 /* of one file: a description costs its writer only 20 bytes */
#define CAPLEN_MAX       262144u /* tcpdump's and Wireshark's limit for a sane record */
#define NG_BLOCK_MAX     (16u << 20)

/* What the captures of one source share. */
struct capture_common {
	struct block_pool pool;
	struct source_iface *ifaces;
	unsigned n_ifaces, room_ifaces;
	struct source_damage *damage; /* room for one of each file: their place never changes */
	unsigned n_damage;
	struct source_comment *kept;
	unsigned n_kept;
	char *text;
	size_t text_len;
	uint64_t comments, ignored_blocks, raw_bytes;
};

int capture_common_init(struct capture_common *common, unsigned n_files); /* 0 or -ENOMEM */
void capture_common_free(struct capture_common *common);
void capture_common_damage(struct capture_common *common, const struct source_damage *d);

struct pcap_state {
	bool be, lengths_swapped, lengths_maybe_swapped;
	uint32_t record_len; /* of a record's header */
	uint32_t max_caplen;
	uint32_t ns_per_tick;
	uint32_t linktype;
	unsigned slot; /* in capture_common.ifaces */
	size_t need;   /* bytes that the next record wants */
};

/* An interface of the current section. units: of if_tsresol. */
struct ng_iface {
	uint32_t linktype, snaplen;
	unsigned slot;
	uint64_t fast_end; /* below so many units, ns are units * mul and nothing else */
	uint64_t mul, div; /* powers of ten; div 0: beyond 64 bits, all times are 0 */
	uint8_t shift;     /* powers of two */
	int64_t offset_s;
};

struct ng_state {
	bool be;
	struct ng_iface *ifaces;
	unsigned n_ifaces, room_ifaces;
	uint32_t iface_base; /* interfaces of earlier sections */
};

struct capture {
	struct capture_common *common;
	struct stream stream;
	uint32_t file;
	uint64_t frame;   /* of the last packet */
	uint64_t last_ns;
	int ended;        /* 0, SOURCE_EOF or -errno */
	int (*next)(struct capture *c, struct packet pkts[], unsigned max);
	bool is_ng;
	union {
		struct pcap_state pcap;
		struct ng_state ng;
	};
};

/*
 * 0; -EINVAL with *why: not a capture; another -errno: could not be opened or read. *why has a
 * reason in each case.
 */
int capture_open(struct capture **out, struct capture_common *common, const char *path,
		 uint32_t file, struct source_damage *why);
void capture_close(struct capture *c); /* NULL is fine */
/* As source_recv(). */
int capture_next(struct capture *c, struct packet pkts[], unsigned max);
void capture_release(const struct packet pkts[], unsigned n);
/* "FILE: offset N: reason", or "FILE: reason" for an error of the system. */
void capture_explain(const char *path, int error, const struct source_damage *why, char *err,
		     size_t errlen);

/* For the formats. capture_want(): 0, or what next() returns if it has no packet. */
int capture_want(struct capture *c, size_t n);
void __attribute__((format(printf, 3, 4)))
capture_damaged(struct capture *c, uint64_t offset, const char *fmt, ...);
int capture_add_iface(struct capture *c, uint32_t iface, uint32_t linktype, uint32_t snaplen,
		      unsigned *slot);
void capture_add_comment(struct capture *c, const uint8_t *text, size_t len);

bool pcap_probe(const uint8_t *head, size_t len);
int pcap_start(struct capture *c, struct source_damage *why); /* as capture_open() */
bool pcapng_probe(const uint8_t *head, size_t len);
int pcapng_start(struct capture *c, struct source_damage *why);
void pcapng_stop(struct capture *c);
/* Options of pcapng blocks; what is malformed in them is passed over. */
void ng_iface_options(struct capture *c, struct ng_iface *ifc, struct cursor *body);
void ng_statistics_options(struct capture *c, const struct ng_iface *ifc, struct cursor *body);
void ng_packet_options(struct capture *c, struct cursor *body);
/* Times before 1970 are 0, those that a signed 64-bit number of ns cannot hold its largest. */
uint64_t ng_time_ns(const struct ng_iface *ifc, uint64_t units);

/* Several captures as one timeline: by time, then by file index. */
struct merge;
/* 0 or -errno with err filled. first_linktype: of the first file that says, or -1. */
int merge_open(struct merge **out, struct capture_common *common, const char *const *files,
	       unsigned n_files, int64_t *first_linktype, char *err, size_t errlen);
int merge_next(struct merge *m, struct packet pkts[], unsigned max);
void merge_close(struct merge *m); /* NULL is fine */

/* An expression has a word that libpcap would send to the resolver: that word into name. */
bool filter_names_host(const char *expr, char *name, size_t len);

/* BPF. */
enum filter_result { FILTER_DROP, FILTER_KEEP, FILTER_UNABLE };
struct filter;
/* 0 or -errno with err filled; -EDOM: not an expression. linktype: the first expected, or -1. */
int filter_new(struct filter **out, const char *expr, int64_t linktype, char *err, size_t errlen);
enum filter_result filter_run(struct filter *f, const struct packet *pkt);
void filter_free(struct filter *f); /* NULL is fine */
/*
 * The program for a socket's filter, malloc'ed: keeps snaplen bytes (0: all) of what expr (NULL: all)
 * wants. Packets whose VLAN tag the kernel holds apart pass whatever expr says of tags: filter_run()
 * judges them once the tag is back. 0, -EDOM (filter_new() says why), -ENOMEM.
 */
struct sock_filter;
int filter_for_kernel(struct sock_filter **ops, unsigned *n, const char *expr, uint32_t linktype,
		      uint32_t snaplen);
