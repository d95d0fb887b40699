/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Where packets come from. A source is one .c file ending in one const struct source_ops; the build
 * generates source_table from the names in meson.build.
 *
 * Threads: a queue is received and released on one thread; its packets are released in any order.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/packet.h"
#include "dataplane/shunt.h"

/* source_recv(): no packet will come any more. Damage, if any, is in the stats. */
#define SOURCE_EOF (-4095)

#define SOURCE_RING_MIB 64u /* of xdp at least so much that each queue has 4,096 frames */

struct source_config {
	const char *const *files; /* file: paths, "-" is stdin; must outlive the source */
	unsigned n_files;
	bool rotated;             /* file: the files are one timeline, merged by time then file index */
	const char *bpf;          /* a pcap-filter expression, NULL for none */
	const char *iface;        /* live sources: the interface */
	const char *eal;          /* dpdk: arguments of the EAL, blank-separated; NULL for none */
	bool take_used;           /* those that take packets from the host: also an interface in use */
	bool copy;                /* xdp: do not ask for zero copy */
	uint32_t snaplen;         /* live: bytes kept of a packet; 0: all */
	uint32_t ring_mib;        /* packet, xdp: memory between kernel and us; 0: SOURCE_RING_MIB */
	uint32_t rings;           /* packet: receivers, of which each has a part of ring_mib; 0: 1 */
	bool no_promisc;          /* live: only what is meant for this machine */
	bool prompt;              /* packet: hand over what came within a few ms, for more work */
	bool shunt;               /* xdp: be ready for source_shunt(), and number frames as they came */
};

/* A place where a capture stopped making sense: file, offset, reason. Reading stopped there. */
struct source_damage {
	uint32_t file;
	uint64_t offset; /* in the uncompressed stream */
	char reason[160];
};

/* What the capture says of one of its interfaces. */
struct source_iface {
	uint32_t file, iface, linktype, snaplen;
	uint64_t packets;
	uint64_t dropped; /* by the capturing system, as recorded (pcapng ISB); UINT64_MAX if unknown */
	char name[32]; /* as recorded: escape it before it is shown */
};

/* A pcapng packet comment, as written there: perhaps not UTF-8, surely not trustworthy. */
struct source_comment {
	uint32_t file;
	uint64_t frame;
	const char *text; /* NUL-terminated */
};

struct source_stats {
	uint64_t received;   /* packets handed out */
	uint64_t bytes;      /* their captured bytes */
	uint64_t truncated;  /* of those, with caplen < wirelen */
	uint64_t filtered;   /* refused by the BPF expression; not what the kernel refused unseen */
	uint64_t unfiltered; /* link type the expression could not be compiled for: handed out */
	uint64_t ignored_blocks; /* pcapng blocks that carry no packet and are not understood */
	uint64_t comments;       /* pcapng packet comments met */
	char mode[64];           /* live: what it got ("AF_XDP, zero copy, …"), "" for files */
	uint64_t file_bytes, read_bytes; /* for progress: size (0 unknown) and position, compressed */
	uint64_t shunted;    /* counted in the kernel instead of handed out; not in received */
	uint64_t shunts, shunts_refused; /* flows that it was begun for; for want of room it was not */
	uint64_t stalls;     /* live: how often the kernel found no room at all */
	const struct source_damage *damage; /* n_damage of them, valid until close */
	unsigned n_damage;
	const struct source_iface *ifaces;  /* n_ifaces of them, valid until the next recv or close */
	unsigned n_ifaces;
	const struct source_comment *comment; /* the first n_comment of them, 64 KiB of text at most */
	unsigned n_comment;                   /* valid until the next recv or close */
};

struct source_ops {
	const char *name, *doc;
	size_t state_size; /* allocated zeroed by source_open() */
	/*
	 * head: first bytes of the first file, 512 at most; NULL where a source cannot be probed for,
	 * as those of interfaces. A plug-in's is asked of regular files that are no captures.
	 */
	bool (*probe)(const uint8_t *head, size_t len);
	/* Of several queues: recv() shows a packet so long after its time at the latest. */
	uint64_t late_ns;
	/* 0 or -errno; on failure err (errlen bytes) says file, offset and reason. */
	int (*open)(void *state, const struct source_config *cfg, char *err, size_t errlen);
	unsigned (*queues)(const void *state);
	/*
	 * n packets (0: none yet, for instance a signal came), SOURCE_EOF, or -errno: a file could
	 * not be read on, met after every packet before it was handed out; SOURCE_EOF follows. A
	 * live source leaves frame 0: the pipeline numbers packets, over all queues. One that shunts
	 * has numbers of its own, of all frames at the interface.
	 */
	int (*recv)(void *state, unsigned q, struct packet pkts[], unsigned max);
	void (*release)(void *state, unsigned q, const struct packet pkts[], unsigned n);
	/* ns: files: time of the last packet; live: monotonic plus an offset to UTC fixed at open. */
	uint64_t (*now)(void *state);
	void (*stats)(void *state, struct source_stats *out);
	/* As source_shunt() and the two after it; NULL where a source cannot. From any thread. */
	int (*shunt)(void *state, const struct shunt_flow *f, uint32_t *ticket);
	void (*shunt_grant)(void *state, uint32_t ticket);
	int (*unshunt)(void *state, const struct shunt_flow *f, uint32_t ticket,
		       struct shunt_counts *out);
	void (*close)(void *state);
};

/* NULL-terminated, generated by the build. */
extern const struct source_ops *const source_table[];

struct source;

/* Linked in, or of a module; NULL with err filled: there is none of this name. */
const struct source_ops *source_find(const char *name, char *err, size_t errlen);
/*
 * name NULL: "file", or a plug-in's that knows the first file. 0 or -errno with err filled: -EINVAL
 * for a format that is not a capture, -EDOM for a BPF expression that is not one or that a source of
 * a plug-in does not take. Of several rotated files one that is no capture is damage at its offset 0,
 * unless none is.
 */
int source_open(struct source **out, const char *name, const struct source_config *cfg, char *err,
		size_t errlen);
unsigned source_queues(const struct source *s);
uint64_t source_late_ns(const struct source *s);
int source_recv(struct source *s, unsigned q, struct packet pkts[], unsigned max);
void source_release(struct source *s, unsigned q, const struct packet pkts[], unsigned n);
uint64_t source_now(struct source *s);
void source_stats(struct source *s, struct source_stats *out);
/*
 * Watches the flow: its packets come with *ticket in them. 0, -ENOTSUP: this source does not shunt,
 * -ENOSPC: no room. See shunt.h for what may be asked when.
 */
int source_shunt(struct source *s, const struct shunt_flow *f, uint32_t *ticket);
void source_shunt_grant(struct source *s, uint32_t ticket);
/* Ends it: out is what was passed over, and its times are of source_now(). 0 or -errno. */
int source_unshunt(struct source *s, const struct shunt_flow *f, uint32_t ticket,
		   struct shunt_counts *out);
void source_close(struct source *s); /* NULL is fine */
