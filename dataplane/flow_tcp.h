/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Private to flow.c: who is the client, what TCP packets claim of their connection's state, and
 * when a SYN is the beginning of another connection. Pure, but for the flow that they are given.
 */

#include <netinet/in.h>

#include "dataplane/flow.h"

/* A SYN with another number within this time of the last packet is kept: it may be forged. */
#define FLOW_REUSE_IDLE_NS 1000000000ULL

/* Roles */

/* Ports where servers listen, besides those below 1024: what a guess may lean on. */
static inline bool port_is_service(uint16_t port)
{
	switch (port) {
	case 1080: /* SOCKS */
	case 1194: /* OpenVPN */
	case 1433: /* SQL Server */
	case 1521: /* Oracle */
	case 1701: /* L2TP */
	case 1723: /* PPTP */
	case 3128: /* HTTP proxy */
	case 3306: /* MySQL */
	case 3389: /* RDP */
	case 3478: /* STUN */
	case 4500: /* IPsec NAT traversal */
	case 5060: /* SIP */
	case 5222: /* XMPP */
	case 5223:
	case 5228: /* Google push */
	case 5353: /* mDNS */
	case 5432: /* PostgreSQL */
	case 5900: /* VNC */
	case 6379: /* Redis */
	case 6667: /* IRC */
	case 8000:
	case 8008:
	case 8080:
	case 8443:
	case 8888:
	case 9001: /* Tor */
	case 51820: /* WireGuard */
		return true;
	default:
		return port != 0 && port < 1024;
	}
}

static inline bool sender_is_client(const struct headers *h, bool *guessed)
{
	bool s = port_is_service(h->sport), d = port_is_service(h->dport);
	*guessed = true;
	switch (h->proto) {
	case IPPROTO_TCP:
		if ((h->flags & (TCP_SYN | TCP_RST)) == TCP_SYN) {
			*guessed = false;
			return (h->flags & TCP_ACK) == 0;
		}
		if (s != d)
			return d;
		return h->sport >= h->dport;
	case IPPROTO_UDP:
		return !s || d;
	default:
		return true;
	}
}

/* TCP */

/*
 * A SYN on ports that a flow already uses: another connection (true), or this one's own (a
 * retransmission, a simultaneous open of RFC 9293 figure 8, reordering, or somebody's forgery). The
 * packet's own time counts besides the clock, which does not follow the first packets after hours
 * of silence: taking a late connection for a forged SYN would accuse somebody.
 */
static inline bool syn_starts_anew(const struct flow *f, const struct headers *h, enum dir dir,
				   uint64_t ts_ns, uint64_t now_ns)
{
	if (f->key.proto != IPPROTO_TCP || (h->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	if (f->syn_seen[dir] && f->isn[dir] == h->seq)
		return false;
	bool idle = (now_ns > f->seen_ns && now_ns - f->seen_ns > FLOW_REUSE_IDLE_NS) ||
		    (ts_ns > f->last_ns && ts_ns - f->last_ns > FLOW_REUSE_IDLE_NS);
	switch (f->state) {
	case FLOW_CLOSED:
	case FLOW_RESET:
	case FLOW_MIDSTREAM:
		return true;
	case FLOW_SYN_SENT:
		return idle && f->syn_seen[dir];
	default:
		return idle || (!f->syn_seen[0] && !f->syn_seen[1]);
	}
}

/* What the source counted of f came before this packet; of packets that only we can read, always. */
static inline bool ends_shunt(const struct flow *f, const struct packet *pkt, const struct headers *h)
{
	return (pkt->shunt_over && (pkt->shunt == 0 || pkt->shunt == f->shunt)) ||
	       pkt->n_frames != 0 || h->n_tunnels != 0;
}

/* In the order of Zeek's letters, small for the server. */
enum history_kind { HISTORY_SYN, HISTORY_SYNACK, HISTORY_ACK, HISTORY_DATA, HISTORY_FIN,
		    HISTORY_RST, HISTORY_KINDS };

/*
 * Each kind once a direction. Twelve nibbles in order of arrival, the first one lowest, each 1 + kind
 * * 2 + direction; a bit for each that is there is above them.
 */
#define HISTORY_SEEN_SHIFT 48

static inline uint64_t history_seen(enum history_kind kind, enum dir dir)
{
	return UINT64_C(1) << (HISTORY_SEEN_SHIFT + (unsigned)kind * 2 + (unsigned)dir);
}

static inline void history_add(struct flow *f, enum history_kind kind, enum dir dir)
{
	unsigned code = (unsigned)kind * 2 + (unsigned)dir;
	uint64_t seen = history_seen(kind, dir);
	if ((f->history & seen) != 0)
		return;
	unsigned n = (unsigned)__builtin_popcountll(f->history >> HISTORY_SEEN_SHIFT);
	f->history |= seen | (uint64_t)(code + 1) << (n * 4);
}

static inline void tcp_history(struct flow *f, const struct headers *h, enum dir dir)
{
	bool syn = (h->flags & TCP_SYN) != 0, ack = (h->flags & TCP_ACK) != 0;
	bool rst = (h->flags & TCP_RST) != 0;
	if (syn && !rst)
		history_add(f, ack ? HISTORY_SYNACK : HISTORY_SYN, dir);
	if (ack && !syn && !rst)
		history_add(f, HISTORY_ACK, dir);
	if (h->payload_len > 0 && !rst)
		history_add(f, HISTORY_DATA, dir);
	if ((h->flags & TCP_FIN) != 0)
		history_add(f, HISTORY_FIN, dir);
	if (rst)
		history_add(f, HISTORY_RST, dir);
}

/* Follows what packets claim, genuine or forged; telling those apart is not the table's work. */
static inline void tcp_advance(struct flow *f, const struct headers *h, enum dir dir)
{
	bool rst = (h->flags & TCP_RST) != 0, ack = (h->flags & TCP_ACK) != 0;
	bool syn = (h->flags & TCP_SYN) != 0 && !rst;

	/* Once it is begun only the first data of each side and the end are news. */
	if ((h->flags & (TCP_SYN | TCP_FIN | TCP_RST)) == 0 && f->state > FLOW_SYN_RECEIVED) {
		uint64_t kinds = (ack ? history_seen(HISTORY_ACK, dir) : 0) |
				 (h->payload_len > 0 ? history_seen(HISTORY_DATA, dir) : 0);
		if ((f->history & kinds) == kinds)
			return;
	}
	tcp_history(f, h, dir);
	if (syn && !f->syn_seen[dir]) {
		f->syn_seen[dir] = true;
		f->isn[dir] = h->seq;
	}
	if (f->state == FLOW_NEW)
		f->state = !syn ? FLOW_MIDSTREAM : ack ? FLOW_SYN_RECEIVED : FLOW_SYN_SENT;
	else if (f->state == FLOW_SYN_SENT && syn && ack)
		f->state = FLOW_SYN_RECEIVED;
	else if ((f->state == FLOW_SYN_SENT || f->state == FLOW_SYN_RECEIVED) && ack && !syn &&
		 !rst && (dir == DIR_C2S || h->payload_len > 0))
		f->state = FLOW_ESTABLISHED;
	if ((h->flags & TCP_FIN) != 0)
		f->fin_seen[dir] = true;
	if (rst)
		f->rst_seen[dir] = true;
	if (f->rst_seen[0] || f->rst_seen[1])
		f->state = FLOW_RESET;
	else if (f->fin_seen[0] && f->fin_seen[1])
		f->state = FLOW_CLOSED;
	else if (f->fin_seen[0] || f->fin_seen[1])
		f->state = FLOW_CLOSING;
}
