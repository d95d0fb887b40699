/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Captures made for measuring: grown from real ones, or of synthetic connections. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "dataplane/decode.h"

#define ETHERNET_HLEN 14
#define FRAME_MAX (ETHERNET_HLEN + 65535)

/* What is written: plain pcap, Ethernet, microseconds. Errors stick until writer_close(). */
struct writer {
	FILE *file;
	uint64_t packets, bytes, first_us, last_us;
};

int writer_open(struct writer *w, const char *path); /* 0 or -errno */
/* Written at at_us, or a microsecond after the last packet, whichever is later. */
void writer_put(struct writer *w, uint64_t at_us, const uint8_t *frame, uint32_t len);
int writer_close(struct writer *w); /* 0 or -errno */

/* Fills the checksums of IP and of TCP or UDP in; what is at l3 is whole. */
void checksums_fill(uint8_t *l3, uint32_t ip_hlen, uint32_t ip_len, uint8_t proto);

/*
 * Reads a capture back: every packet whole, TCP or UDP, with valid checksums, each later than the
 * one before. 0, or -EBADMSG with the offender told on stderr, or another -errno.
 */
int capture_check(const char *path, uint64_t packets);

/* A packet of a capture that is to be repeated; bytes are in its template. */
struct sample {
	uint64_t offset_us; /* from the template's first packet */
	size_t at;          /* of the Ethernet header */
	uint32_t ip_len, ip_hlen;
	uint32_t src, dst;  /* places in the template's addresses */
	uint8_t proto, ip_version;
};

enum address_class { ADDRESS_PRIVATE, ADDRESS_PUBLIC, ADDRESS_V6, ADDRESS_CLASSES };

struct address {
	struct ip_addr was;
	enum address_class class;
	uint32_t ordinal; /* within its class */
};

/* A capture read into memory. */
struct template {
	struct sample *samples;
	size_t n_samples, room_samples;
	uint8_t *bytes;
	size_t n_bytes, room_bytes;
	struct address *addresses;
	uint32_t n_addresses, room_addresses;
	uint32_t n_class[ADDRESS_CLASSES];
};

/* Why packets of the inputs were left out. */
struct left_out {
	uint64_t packets;  /* not TCP or UDP, tunnelled, a fragment, or with odd lengths */
	unsigned captures; /* with packets cut short, or with nothing of use */
};

/*
 * 0, or -errno. A capture that is left out has no samples. Silences longer than gap_us are cut to
 * it, so that copies of a long capture do not outlast all others.
 */
int template_load(struct template *t, const char *path, uint64_t gap_us, struct left_out *out);
void template_free(struct template *t);

/* Synthetic connections: handshake, request, answer, then exchanges, and perhaps an end or a reset. */
struct flows_config {
	uint64_t flows;
	unsigned exchanges; /* of 40 bytes against 200 */
	bool close;
	bool reset; /* a third party resets each behind its request, and the answer comes too late */
	uint64_t step_us; /* from one connection's start to the next one's */
};
#define EXCHANGES_MAX 100

int flows_write(struct writer *w, const struct flows_config *cfg); /* 0 or -errno */
