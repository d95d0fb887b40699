/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Writes pcapng (draft-ietf-opsawg-pcapng): one section, native byte order, nanoseconds. Only what
 * Wireshark's tools show and keep: no Custom Blocks (4.0 counts them as frames), no epb_verdict
 * (4.0's editcap breaks it).
 *
 * Blocks are collected and written whole: when the disk is full, the file is cut back to its last
 * whole block and stays readable. After an error every call returns it again.
 */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/packet.h"

struct pcapng_writer;

struct pcapng_section {
	const char *hardware, *os, *application; /* NULL: not said */
	const char *comment;
};

struct pcapng_interface {
	uint32_t linktype;       /* enum linktype, at most 65535 */
	uint32_t snaplen;        /* 0: no limit */
	const char *name, *description, *filter, *os, *comment; /* NULL: not said */
};

enum pcapng_direction { PCAPNG_DIRECTION_UNKNOWN, PCAPNG_INBOUND, PCAPNG_OUTBOUND };

struct pcapng_extra {
	const char *const *comments; /* n_comments of them, UTF-8, each cut at 65,535 bytes */
	unsigned n_comments;
	enum pcapng_direction direction;
	uint64_t dropped;        /* lost between this packet and the one before it on the interface */
};

struct pcapng_statistics {
	uint64_t start_ns, end_ns;
	uint64_t received, dropped; /* UINT64_MAX: not known */
	const char *comment;
};

/* fd stays the caller's, and must stay open. Nothing is written before a block is complete. */
int pcapng_writer_new(struct pcapng_writer **out, int fd, const struct pcapng_section *s);
/* Its number (0, 1, …: what packets name), or -errno. */
int pcapng_write_interface(struct pcapng_writer *w, const struct pcapng_interface *i);
/* data, caplen, wirelen and ts_ns of pkt, under iface; x NULL: nothing more. 0 or -errno. */
int pcapng_write_packet(struct pcapng_writer *w, uint32_t iface, const struct packet *pkt,
			const struct pcapng_extra *x);
int pcapng_write_statistics(struct pcapng_writer *w, uint32_t iface,
			    const struct pcapng_statistics *s);
int pcapng_writer_flush(struct pcapng_writer *w);
uint64_t pcapng_writer_bytes(const struct pcapng_writer *w); /* so far, buffered ones too */
/* Flushes and frees; NULL is fine. 0 or the first error. */
int pcapng_writer_free(struct pcapng_writer *w);
