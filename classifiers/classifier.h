/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Says what a flow carries. A classifier is one .c file ending in one const struct classifier; the
 * build generates classifier_table. It answers "more", "done" or "never", so that a decided flow
 * costs nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/flow.h"

enum classify { CLASSIFY_MORE, CLASSIFY_DONE, CLASSIFY_NEVER };

/* What one classifier says of one flow. Strings are the classifier's words, never the packets'. */
struct label {
	const char *by;       /* classifier name; NULL: nothing said */
	char app[48];         /* "TLS.Wikipedia" */
	char category[24];    /* "Web" */
	char confidence[16];  /* "dpi", "dpi_cache", "port", "ip", "guess" */
	uint64_t risk;        /* nDPI's bits; 0 none */
	char risks[128];      /* their names, comma separated */
	const struct rule *rule; /* what was hit, if a rule says it; else NULL */
};

struct rule;             /* classifiers/lists/rules.h */
struct rule_hits;        /* same */
struct analysis_config;  /* classifiers/inspector.h */
struct exchange;         /* classifiers/tamper/exchange.h */
struct http_request;     /* classifiers/app/http.h */
struct http_response;    /* classifiers/app/http_response.h */
struct page_facts;       /* classifiers/lists/page.h */
struct quic_hello;       /* classifiers/app/quic.h */
struct tls_client_hello; /* classifiers/app/tls.h */
struct tls_server;       /* classifiers/app/tls_server.h */
struct vpn_facts;        /* classifiers/app/vpn.h */

/*
 * What the bytes of one flow said. Filled by classifiers; owned by the inspector. Every pointer is one
 * malloc'ed block without pointers of its own, NULL while nothing was read. Blocks may move between
 * two calls.
 */
struct app_facts {
	const char *app_proto; /* wmscope's own conclusion: "tls", "http", …; NULL unknown */
	struct tls_client_hello *tls;
	struct tls_server *tls_server;
	struct http_request *http;
	struct http_response *response; /* the first */
	struct page_facts *page;        /* what lists know of that response */
	struct quic_hello *quic;
	struct vpn_facts *vpn;
	struct rule_hits *rules; /* what its raw bytes hit */
	struct exchange *done; /* finished exchanges, for the inspector to take: the newest first */
};

/*
 * An answer is about what may still come: MORE packets or bytes of this direction are wanted, DONE,
 * or NEVER (not of this classifier's kind).
 */
struct classifier {
	const char *name, *doc;
	size_t shard_size; /* zeroed memory per group of shards that share a thread (FLOW_GROUPS) */
	size_t flow_size;  /* zeroed memory per flow */
	/* Called when the shard's first flow asks, never two at once in a process. 0 or -errno. */
	int (*shard_open)(void *shard, const struct analysis_config *cfg);
	void (*shard_close)(void *shard);
	uint8_t packet_proto; /* packet() is for flows of this IP protocol; 0 all */
	/*
	 * Every packet of a flow until it is decided; NULL for a classifier of streams. *out is zero, and
	 * stays so unless out->by is set.
	 */
	enum classify (*packet)(void *shard, void *state, const struct flow *f, enum dir dir,
				const struct packet *pkt, const struct headers *h,
				struct app_facts *facts, struct label *out);
	/* An ICMP error that quotes a packet which the flow sent in direction dir. May be NULL. */
	void (*icmp)(void *shard, void *state, const struct flow *f, enum dir dir,
		     const struct packet *pkt, const struct headers *h, struct app_facts *facts);
	/*
	 * In-order bytes of one direction of a TCP flow from its first byte, again with more of them
	 * each time they grow, at most REASSEMBLY_LIMIT; pkt is the packet that made them grow. Each
	 * direction is asked about and ends for itself. NULL for a classifier of packets.
	 */
	enum classify (*stream)(void *shard, void *state, const struct flow *f, enum dir dir,
				const struct packet *pkt, const struct headers *h,
				const uint8_t *data, size_t len, struct app_facts *facts);
	/*
	 * A direction of which more was wanted, with the bytes that stream() had last: no more will
	 * come. Before flow_end(). May be NULL.
	 */
	void (*stream_end)(void *shard, void *state, const struct flow *f, enum dir dir,
			   const uint8_t *data, size_t len, struct app_facts *facts);
	/*
	 * Nothing more will come, as the flow ends or all was decided: a last guess, exchanges are
	 * finished, state's own memory is freed. May be NULL.
	 */
	void (*flow_end)(void *shard, void *state, const struct flow *f, struct app_facts *facts,
			 struct label *out);
};

extern const struct classifier *const classifier_table[]; /* NULL-terminated, generated */
/* Those, and behind them those of plug-ins (dataplane/plugin.h); NULL: there are no more. */
const struct classifier *classifier_at(unsigned i);
bool classifier_is_foreign(unsigned i); /* a plug-in's */
