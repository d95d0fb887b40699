/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Flows of one shard. A flow is an unordered pair of (address, port) with protocol and tunnel; the
 * table decides who is the client, when a flow ends, and nothing else. One thread per table.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/decode.h"

enum dir { DIR_C2S, DIR_S2C };

static inline enum dir dir_other(enum dir d)
{
	return d == DIR_C2S ? DIR_S2C : DIR_C2S;
}

/* Compared as bytes: padding is zero. lo < hi in memcmp order of (address, port). */
struct flow_key {
	struct ip_addr lo, hi;
	uint16_t lo_port, hi_port;
	uint32_t tunnel_id;
	uint8_t proto, ip_version;
	uint8_t zero[2];
};

enum flow_state {
	FLOW_NEW,         /* no TCP, or nothing understood yet */
	FLOW_SYN_SENT,
	FLOW_SYN_RECEIVED, /* SYN+ACK seen */
	FLOW_ESTABLISHED, /* from here on only SYN, FIN and RST are news */
	FLOW_CLOSING,     /* one FIN */
	FLOW_CLOSED,      /* both FINs */
	FLOW_RESET,       /* a RST was seen; packets after it still belong to the flow */
	FLOW_MIDSTREAM,   /* TCP whose SYN was not captured */
	FLOW_N_STATES
};
extern const char *const flow_state_name[FLOW_N_STATES]; /* snake_case */

/* Why a flow ended. Snake_case names in flow_end_name. */
enum flow_end {
	FLOW_END_CLOSED,     /* FINs or RST, then quiet for the linger time */
	FLOW_END_TIMEOUT,    /* idle for its protocol's time */
	FLOW_END_PORT_REUSE, /* a new SYN on the same ports */
	FLOW_END_EVICTED,    /* the table was full: least recently used */
	FLOW_END_EOF,        /* the capture ended */
	FLOW_END_N
};
extern const char *const flow_end_name[FLOW_END_N];

/* Most letters that flow_history() writes: six kinds, each once a direction. */
#define FLOW_HISTORY_MAX 12

/*
 * Every live flow pays for its size: what follows from another field is not stored. What a packet in
 * the middle of a connection touches comes first, FLOW_NEAR bytes of it.
 */
struct flow {
	struct flow_key key;
	uint32_t shunt;       /* ticket, while packets of it may be counted elsewhere (shunt.h); else 0 */
	uint64_t id;          /* file << 40 | frame << 2 | nesting of the first packet */
	uint64_t seen_ns;     /* capture clock at the last packet: what idle is measured from */
	uint64_t last_ns;     /* packet time; never before first_ns */
	uint64_t pkts[2], bytes[2]; /* by direction; bytes are IP lengths */
	uint64_t history;     /* for flow_history() */
	void *scratch;        /* the hooks' own */
	uint8_t state;        /* enum flow_state */
	uint8_t lru_class;    /* the table's own */
	bool client_is_lo;
	bool fin_seen[2], rst_seen[2]; /* by direction of the packet */
	uint8_t shunt_step;   /* the pipeline's own */
	bool syn_seen[2];
	bool client_guessed;  /* no SYN told us: first speaker, or the higher port */
	uint8_t n_tunnels, n_vlans;
	uint8_t tunnels[TUNNELS_MAX];
	uint16_t vlan[2];
	uint32_t hash, index, lru_prev, lru_next; /* the table's own */
	uint32_t isn[2];      /* TCP: initial sequence numbers, valid with syn_seen */
	uint64_t first_ns;
};

#define FLOW_NEAR offsetof(struct flow, syn_seen)
_Static_assert(FLOW_NEAR <= 128, "two lines of the cache, or three");
_Static_assert(sizeof(struct flow) <= 176, "every live flow pays for this");

static inline uint64_t flow_first_frame(const struct flow *f)
{
	return (f->id >> 2) & ((UINT64_C(1) << 38) - 1);
}

/* Zeek's conn.log history letters, first of a kind per direction; capitals are the client's. */
void flow_history(const struct flow *f, char out[FLOW_HISTORY_MAX + 1]);

/* The two ends by role. */
static inline const struct ip_addr *flow_addr(const struct flow *f, enum dir sender)
{
	return (sender == DIR_C2S) == f->client_is_lo ? &f->key.lo : &f->key.hi;
}

static inline uint16_t flow_port(const struct flow *f, enum dir sender)
{
	return (sender == DIR_C2S) == f->client_is_lo ? f->key.lo_port : f->key.hi_port;
}

struct flow_table_config {
	uint32_t max_flows; /* 0: 65,536 (a sixteenth of 1 Mi) */
	/* idle times in ns of packet time; 0 takes the default */
	uint64_t tcp_idle_ns;   /* 600 s: beyond most NAT and keep-alive periods met in captures */
	uint64_t tcp_closed_ns; /* 60 s: RACE-8 counts genuine packets up to 60 s after a forgery */
	uint64_t udp_idle_ns;   /* 180 s: as long as residual windows of UDP */
	uint64_t other_idle_ns; /* 60 s */
	/*
	 * Adds what was counted elsewhere of a flow that has a ticket, and takes the ticket from it:
	 * called before the flow's next packet after that, and before the flow is believed to be idle.
	 * NULL: no flow has one. Gets the user of flow_table_new(). Must not call the table.
	 */
	void (*settle)(void *user, struct flow *f);
};

struct flow_table_stats {
	uint64_t created, ended[FLOW_END_N];
	uint64_t peak;     /* most flows at once */
	uint64_t midstream;
	uint64_t icmp_unmatched; /* ICMP errors whose quoted flow is not in the table */
};

/*
 * f is out of the table; its memory is the table's again afterwards. It may still have a ticket. Must
 * not call the table.
 */
typedef void (*flow_end_fn)(void *user, struct flow *f, enum flow_end why);

struct flow_table;
/* 0 or -errno. */
int flow_table_new(struct flow_table **out, const struct flow_table_config *cfg, flow_end_fn on_end,
		   void *user);
/* Ends every flow (FLOW_END_EOF) in order of their ids; the statistics then include them. */
void flow_table_end_all(struct flow_table *t);
/* The same, then frees; NULL is fine. */
void flow_table_free(struct flow_table *t);
/*
 * The flow of this packet, made if need be; *dir is who sent it. now_ns is the capture clock. May
 * end other flows (port reuse, eviction). The flow's counters and state include the packet
 * afterwards. NULL only when h carries no IP addresses or memory is short (-> counted by the caller).
 */
struct flow *flow_table_update(struct flow_table *t, const struct packet *pkt,
			       const struct headers *h, uint64_t now_ns, enum dir *dir);
/*
 * The same in three steps, for batches: with many flows nearly all time is spent waiting for
 * memory, and the steps of different packets wait together. Probe all, preload all, update each.
 */
struct flow_probe {
	struct flow_key key;
	uint32_t hash;
	bool src_is_lo;
	struct flow *flow; /* once it was preloaded: NULL, or a guess; it may have become another since */
};
void flow_table_probe(const struct flow_table *t, const struct headers *h, struct flow_probe *out);
void flow_table_preload(const struct flow_table *t, struct flow_probe *probe);
/*
 * A little before the update: a flow with scratch, which is what the hooks left there. NULL: none is
 * known. Perhaps another one, or one that has ended: good enough for a prefetch.
 */
const struct flow *flow_table_preloaded(const struct flow_probe *probe);
struct flow *flow_table_update_probed(struct flow_table *t, const struct flow_probe *probe,
				      const struct packet *pkt, const struct headers *h,
				      uint64_t now_ns, enum dir *dir);
/* The flow that an ICMP error quotes, or NULL; *dir is who sent the quoted packet. */
struct flow *flow_table_find_quoted(struct flow_table *t, const struct headers *h, enum dir *dir);
/* Ends flows idle at now_ns, each time class oldest first; called at whole seconds of the clock. */
void flow_table_expire(struct flow_table *t, uint64_t now_ns);
const struct flow_table_stats *flow_table_stats(const struct flow_table *t);

/* Shard of an unordered address pair, 0..15; ports play no part, so that cards can do the same. */
#define FLOW_SHARDS 16
/*
 * Shards with the same index modulo this share a thread and see packets in order of arrival among
 * them, whatever the number of workers: what is dear to make may be one for all of them.
 */
#define FLOW_GROUPS 8
unsigned flow_shard(const struct ip_addr *a, const struct ip_addr *b);
