/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A captured packet: a view, never an owner. */

#include <stdbool.h>
#include <stdint.h>

/* LINKTYPE_* values as registered by tcpdump.org; only those that decode knows by name. */
enum linktype {
	LINKTYPE_NULL = 0,
	LINKTYPE_ETHERNET = 1,
	LINKTYPE_PPP = 9,
	LINKTYPE_RAW_BSD = 12,
	LINKTYPE_RAW_OPENBSD = 14,
	LINKTYPE_PPP_HDLC = 50,
	LINKTYPE_PPP_ETHER = 51,
	LINKTYPE_RAW = 101,
	LINKTYPE_C_HDLC = 104,
	LINKTYPE_LOOP = 108,
	LINKTYPE_LINUX_SLL = 113,
	LINKTYPE_PPI = 192,
	LINKTYPE_IPV4 = 228,
	LINKTYPE_IPV6 = 229,
	LINKTYPE_LINUX_SLL2 = 276,
};

/* Seen by the machine that captures: what pcapng writes of a packet, never what analysis relies on. */
enum packet_direction { PACKET_DIRECTION_UNKNOWN, PACKET_INBOUND, PACKET_OUTBOUND };

struct packet {
	const uint8_t *data;  /* caplen bytes; the source's until source_release() */
	uint32_t caplen;      /* bytes present */
	uint32_t wirelen;     /* bytes there were on the wire */
	uint64_t ts_ns;       /* capture time, ns since 1970 UTC: the only clock the analysis knows */
	uint64_t frame;       /* 1-based within its file, Wireshark's frame.number, before any filter */
	uint32_t linktype;    /* enum linktype, or any other LINKTYPE_* */
	uint32_t iface;       /* capture interface index within its file */
	uint32_t file;        /* index of the capture file in the order given */
	uint32_t shunt;       /* ticket of its flow's shunt (shunt.h), 0 none */
	uint64_t cookie;      /* private to the source */
	const struct packet *parent;  /* reassembled or inner: what it was made from, else NULL */
	uint16_t n_frames;            /* reassembled: how many frames it came in, else 0 */
	uint8_t direction;            /* enum packet_direction; of live sources */
	bool shunt_over;              /* that shunt ended here or before; with shunt 0: so did any */
	const uint64_t *frames;       /* reassembled: those frames, n_frames of them */
};
