/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Facts of one capture that a flow alone does not know: where it was taken, how its servers stamp
 * packets, who only scans. Gathered per shard while flows end, merged once, then read only. Memory
 * is bounded; what did not fit is counted, and missing facts only make judge humbler.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/tamper/evidence.h"
#include "classifiers/tamper/freezes.h"
#include "classifiers/tamper/pairs.h"
#include "classifiers/verdict.h"

#define HABITS_FLOWS 6   /* flows remembered of each server */

/* How one flow of a server stamped its post-handshake packets. */
struct habit {
	uint64_t flow_id;
	uint8_t ttl_lo, ttl_hi, df;
	bool trusted; /* no suspect among them */
	bool foreign; /* nor does its first answer look like its SYN+ACK: a balancer's server, or a forger */
};

struct server_habits {
	struct ip_addr addr;
	uint16_t port;
	uint8_t ip_version, n;
	uint64_t min_rtt_ns;          /* smallest SYN to SYN+ACK; UINT64_MAX unknown */
	uint32_t shakes;              /* TCP flows that min_rtt_ns is the smallest of */
	uint32_t flows, answered;     /* TCP flows, and those in which the server sent payload */
	struct habit habit[HABITS_FLOWS]; /* the plainest with the lowest flow ids */
};

struct client_habits {
	struct ip_addr addr;
	uint8_t ip_version;
	uint32_t flows, syn_only;     /* flows that never got past SYN and its answer */
	uint32_t marked;              /* SYNs with the marks of a scanner */
};

struct context_shard;
struct context;

int context_shard_new(struct context_shard **out); /* 0 or -errno */
void context_shard_free(struct context_shard *s);
/* How often a host, a pair of them or a network found no room. */
uint64_t context_shard_refused(const struct context_shard *s);
/* At the end of every TCP flow; ev is finished. */
void context_flow(struct context_shard *s, const struct flow *f, const struct evidence *ev);

struct exchange; /* classifiers/tamper/exchange.h */
/* At the end of every exchange. */
void context_exchange(struct context_shard *s, const struct flow *f, const struct exchange *x);

/* Merges; the shards stay the caller's. vantage: VANTAGE_UNKNOWN infers it. */
int context_new(struct context **out, struct context_shard *const shards[], unsigned n,
		enum vantage vantage, uint64_t end_ns);
void context_free(struct context *c);

enum vantage context_vantage(const struct context *c, char *why, size_t len);
uint64_t context_end_ns(const struct context *c); /* time of the capture's last packet */
/* One direction is missing so often that silence proves nothing. */
bool context_one_sided(const struct context *c);
/* So many flows acknowledge what the capture does not hold that any may lack packets unnoticed. */
bool context_lacks_packets(const struct context *c);
const struct server_habits *context_server(const struct context *c, const struct ip_addr *addr,
					   uint16_t port, unsigned ip_version); /* or NULL */
/* Resets between these hosts, of all their connections; or NULL. */
const struct pair_resets *context_pair(const struct context *c, const struct ip_addr *client,
				       const struct ip_addr *server);
/* Another host of the server's /24 (IPv6: /64) sent a SYN+ACK within a minute of ns. */
bool context_neighbour_answered(const struct context *c, const struct ip_addr *server,
				unsigned ip_version, uint64_t ns);
/* The flows that froze after about as many packets of the server; flows is 0 where this one did not. */
struct freeze_peers context_freezes_like(const struct context *c, uint64_t flow_id, uint32_t packets);
/* How long packets of its TCP connections may lag behind what was sent after them, in ns: lateness.h. */
uint64_t context_lateness(const struct context *c);
/* Of the capture's DNS: classifiers/tamper/context_dns.h. Never NULL. */
struct dns_pool;
const struct dns_pool *context_dns(const struct context *c);
/* The client sends SYNs all over and never speaks. */
bool context_is_scanner(const struct context *c, const struct ip_addr *addr, unsigned ip_version);
uint64_t context_scanners(const struct context *c);
/* Where the flow's client is: ISO 3166-1 alpha-2, upper case; "" unknown. */
const char *context_country(const struct flow_record *flow);
struct quic_context; /* classifiers/tamper/context_quic.h */
const struct quic_context *context_quic(const struct context *c);
struct vpn_context; /* classifiers/tamper/context_vpn.h */
const struct vpn_context *context_vpn(const struct context *c);
