/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * From bytes to named fields, host order. Decoding never fails: it says how far it got, what is
 * usable and which rules were broken. Two steps:
 *
 *   packet_decode()  one packet as it lies there, through link layer and tunnels; pure, no state
 *   decoder_run()    the same, and it keeps IP fragments until they are whole (fixed memory)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/packet.h"

/* IPv4 as ::ffff:a.b.c.d; headers.ip_version tells the two apart. Network order. */
struct ip_addr {
	uint8_t b[16];
};

/* The 12 bits of TCP's flag field, RFC 9293 section 3.1 with AE of RFC 9768. */
enum tcp_flags {
	TCP_FIN = 0x001,
	TCP_SYN = 0x002,
	TCP_RST = 0x004,
	TCP_PSH = 0x008,
	TCP_ACK = 0x010,
	TCP_URG = 0x020,
	TCP_ECE = 0x040,
	TCP_CWR = 0x080,
	TCP_AE = 0x100,
	TCP_RESERVED = 0xe00,
};

enum layer { LAYER_NONE, LAYER_LINK, LAYER_IP, LAYER_TRANSPORT };

enum tunnel { TUNNEL_GRE = 1, TUNNEL_IPIP, TUNNEL_6IN4, TUNNEL_VXLAN, TUNNEL_PPPOE, TUNNEL_MPLS,
	      TUNNEL_IP6IP6, TUNNEL_4IN6, TUNNEL_GTP, TUNNEL_GENEVE, TUNNEL_ERSPAN };
#define TUNNELS_MAX 4

/* Rules that the packet broke. A malformed packet still joins its flow when its ports are known. */
enum anomaly {
	ANOMALY_IP_HLEN = 1 << 0,       /* IPv4 header length below 20 or past the packet */
	ANOMALY_IP_LEN = 1 << 1,        /* total length below the header, or beyond the wire's end */
	ANOMALY_IP_VERSION = 1 << 2,    /* version disagrees with the layer below */
	ANOMALY_IP_FLAG_RESERVED = 1 << 3,
	ANOMALY_IP6_EXT = 1 << 4,       /* extension headers malformed or more than 8 */
	ANOMALY_TCP_HLEN = 1 << 5,      /* data offset below 5 or past the packet */
	ANOMALY_TCP_OPTIONS = 1 << 6,   /* an option's length is impossible */
	ANOMALY_TCP_FLAGS = 1 << 7,     /* SYN+FIN, SYN+RST, or none at all */
	ANOMALY_UDP_LEN = 1 << 8,
	ANOMALY_IP_CHECKSUM = 1 << 9,   /* IPv4 header checksum wrong (and not 0) */
	ANOMALY_TCP_CHECKSUM = 1 << 10, /* only computed for whole packets; often offload */
	ANOMALY_ETH_PADDING = 1 << 11,  /* IP length seems to include padding of a 60-byte frame */
	ANOMALY_TUNNEL_DEPTH = 1 << 12, /* more than TUNNELS_MAX encapsulations */
	ANOMALY_TSO = 1 << 13,          /* IP total length 0 or larger than any MTU: offload */
};

/* Why a packet ended before the transport layer, or that it did not. One counter each. */
enum decode_end {
	DECODE_OK,              /* ports (TCP, UDP) or type and code (ICMP) are known */
	DECODE_NO_PORTS,        /* an IP packet of another protocol: a flow of addresses only */
	DECODE_FRAGMENT,        /* an IP fragment, kept or dropped by the decoder */
	DECODE_NOT_IP,          /* ARP, LLDP and all else that is not IP */
	DECODE_LINKTYPE,        /* link type not known */
	DECODE_CUT_LINK,        /* cut short within the link layer */
	DECODE_CUT_IP,          /* cut short within the IP header */
	DECODE_CUT_TRANSPORT,   /* cut short before the ports */
	DECODE_BAD_IP,          /* the IP header contradicts itself: addresses unusable */
	DECODE_TUNNEL_DEPTH,
	DECODE_N_ENDS
};
extern const char *const decode_end_name[DECODE_N_ENDS];

/* Option kinds in wire order, IANA numbers; 0 (EOL) ends the list. */
#define TCP_OPTIONS_MAX 16

struct headers {
	enum decode_end end;
	enum layer reached;
	uint32_t anomalies; /* enum anomaly, or'ed */

	/* link layer; inside VXLAN, Geneve, GRE and ERSPAN the inner Ethernet header, where there is one */
	bool has_mac;
	uint8_t src_mac[6], dst_mac[6]; /* cooked captures have src_mac alone: has_mac is false */
	uint8_t sll_direction; /* Linux cooked packet type: 0 to us, 4 from us; 0xff not cooked */
	uint16_t vlan[2];      /* outer, inner TCI & 0xfff; n_vlans of them */
	uint8_t n_vlans;
	uint8_t n_tunnels;
	uint8_t tunnels[TUNNELS_MAX]; /* enum tunnel, outermost first */
	/* Beyond them lies one that was not opened: encrypted, of a protocol not read, or too deep. */
	bool tunnel_closed;
	/*
	 * Hash over tunnels, VNI, key or session and unordered outer addresses; 0 none. MPLS adds
	 * nothing to it: labels have a direction, and the last hop often has them in one only. Nor
	 * does ERSPAN, which is a copy and not a network of its own: two switches, or two sessions of
	 * one, may each mirror a direction. Of GTP-U the TEID, which has a direction too, is left out.
	 */
	uint32_t tunnel_id;

	/* innermost IP; ip_version 0: none, and what follows is zero */
	uint8_t ip_version; /* 4, 6 or 0 */
	uint8_t proto;      /* of the transport layer, after extension headers */
	uint8_t ttl;        /* or hop limit */
	uint8_t tos;        /* DSCP and ECN */
	bool df, mf;
	uint16_t ip_id;      /* IPv4; 0 in IPv6 */
	uint32_t flow_label; /* IPv6; 0 in IPv4 */
	uint16_t frag_offset; /* bytes */
	uint32_t frag_id;     /* of a fragment: IPv4's ip_id or IPv6's 32-bit identification */
	uint16_t ip_hlen;     /* with IPv6 extension headers */
	uint32_t ip_len;      /* header and payload as claimed (wirelen's rest for TSO's 0) */
	struct ip_addr src, dst;
	const uint8_t *l3;   /* the innermost IP header, l3_caplen bytes present */
	uint32_t l3_caplen;

	/* TCP, UDP: ports. ICMP: sport = type, dport = code */
	uint16_t sport, dport;
	uint16_t flags; /* enum tcp_flags, 12 bits */
	uint16_t window, urgent;
	uint32_t seq, ack;
	uint8_t tcp_hlen; /* bytes, as claimed by the data offset */
	uint8_t n_options;
	uint8_t options[TCP_OPTIONS_MAX]; /* kinds in wire order */
	bool options_cut; /* the capture ends within them: the absence of one means nothing */
	bool has_mss, has_wscale, has_ts, sack_permitted;
	uint16_t mss;
	uint8_t wscale;
	uint8_t n_sack;
	uint32_t tsval, tsecr;
	uint32_t sack[8]; /* left, right edges; n_sack pairs */

	const uint8_t *payload;  /* of the transport layer; payload_caplen bytes present */
	uint32_t payload_len;    /* as the headers claim */
	uint32_t payload_caplen; /* never more than payload_len */

	/* ICMP errors: the header they quote, so that they join its flow */
	bool is_icmp_error;
	bool quoted_ok; /* addresses, protocol and ports below are usable */
	uint8_t quoted_proto, quoted_ttl, quoted_tos;
	bool quoted_df;
	uint16_t quoted_ip_id, quoted_sport, quoted_dport;
	uint32_t quoted_seq; /* TCP */
	struct ip_addr quoted_src, quoted_dst;
};

/* Fills *out, always. Pointers in it are into pkt->data. */
void packet_decode(const struct packet *pkt, struct headers *out);

/*
 * The TCP segment of h is here from its first to its last byte, so that its checksum can be told. h
 * must still be backed by its packet's bytes.
 */
bool tcp_is_whole(const struct headers *h);
/* False only for a whole segment whose checksum is wrong: at the sender often offload. */
bool tcp_checksum_ok(const struct headers *h);
/*
 * A whole TCP segment or UDP datagram whose checksum is wrong, and not the pseudo header's alone, which is
 * what a card is given to complete on sending, and what Linux leaves of segments that it joined. Those that a
 * card joined keep the checksum of one of them: they are larger than the network carries.
 */
bool transport_is_damaged(const struct headers *h);

/* Printable address ("10.0.0.1", "2001:db8::1"); buf at least 46 bytes. Returns buf. */
const char *ip_addr_format(const struct ip_addr *a, unsigned ip_version, char *buf, size_t len);

struct decoder_config {
	size_t memory; /* bytes for fragments, 0: 4 MiB; at least what one needs, 128 KiB */
	uint64_t timeout_ns; /* 0: 30 s of packet time (RFC 791 suggests 15 s, Linux uses 30 s) */
};

struct decoder_stats {
	uint64_t ends[DECODE_N_ENDS]; /* final state of every packet given to decoder_run() */
	uint64_t fragments, reassembled; /* fragments seen; datagrams made of them */
	/*
	 * Of the fragments: given up by time or for want of memory; overlapped others without
	 * being a duplicate; broken, or part of a datagram that is. Duplicates are in none of them.
	 */
	uint64_t fragments_timeout, fragments_evicted, fragments_overlap, fragments_bad;
	uint64_t anomalies[32]; /* by bit of enum anomaly */
	uint64_t tunnelled;
	uint64_t tunnel_closed; /* packets with headers.tunnel_closed */
};

/* One thread. Every whole is released before decoder_free(). */
struct decoder;
int decoder_new(struct decoder **out, const struct decoder_config *cfg); /* 0 or -errno */
void decoder_free(struct decoder *d);
/*
 * Decodes pkt in arrival order. True: *out describes what to analyse, which is *whole: pkt itself,
 * or a reassembled datagram, to be given back with decoder_release() (any whole may be given).
 * False: nothing to analyse (a fragment that was kept or dropped); counted. What is kept is copied.
 * A datagram is timed, numbered and attributed by the fragment that completed it.
 */
bool decoder_run(struct decoder *d, const struct packet *pkt, struct headers *out,
		 const struct packet **whole);
void decoder_release(struct decoder *d, const struct packet *whole);
/*
 * In place of decoder_run(), for whoever has packets decoded on other threads. True: a packet of the
 * kind that most are, whole, from *src to *dst; it is counted, and packet_decode() tells all there is to
 * know of it, DECODE_OK among that. False: nothing was done.
 */
bool decoder_sort(struct decoder *d, const struct packet *pkt, struct ip_addr *src, struct ip_addr *dst);
const struct decoder_stats *decoder_stats(const struct decoder *d);
