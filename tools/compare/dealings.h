/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * How the path dealt with each conversation that both captures vouch for: what was proven to be done to it,
 * or that it got through. From these, boxes and their rules. Nothing here is for other modules.
 */

#include "tools/compare/names.h"
#include "tools/study/study.h"

/* By what a box does; the first that a conversation shows says which kind of box it was. */
enum deed {
	DEED_RESETS,
	DEED_PAGES,
	DEED_ANSWERS,    /* to DNS queries */
	DEED_ALERTS,
	DEED_INTERCEPTS, /* ends TLS itself: the client saw a ServerHello that no server sent */
	DEED_DROPS,      /* all of something, retransmissions included */
	DEED_THROTTLES,  /* a share of the packets, so that a rate is held */
	DEEDS
};

struct dealing {
	uint32_t link;
	uint64_t flow_id;           /* in the client's capture, where that has it */
	uint64_t start_ns, last_ns; /* first packet, and the last that got through, 0 none; client's clock */
	uint64_t from_ns, to_ns;    /* of what was done, client's clock; 0 nothing was */
	struct ip_addr client, server;
	uint16_t client_port, server_port;
	uint8_t proto, ip_version;
	enum trigger_kind kind;     /* of name: sni, host, qname or quic-sni; else none */
	const char *name;           /* NULL: it asked for none */
	const char *protocol;       /* "ssh", "fet"; NULL: nothing recognised it */
	uint32_t version;           /* of QUIC; 0 */
	uint64_t through;           /* bytes of payload, both ways, before anything was done */
	unsigned deeds;             /* 1 << enum deed, or'ed */
	bool to[2];                 /* enum dir: which end is kept from something, or lied to */
	bool out, by;               /* what drew the forgery was taken out, or passed it by */
	bool told;                  /* the client was told by ICMP, which comes with no loss */
	bool early;                 /* before its handshake was done */
	bool passed;                /* answered, and nothing was done to it */
	bool forgotten;             /* by a translator: what was lost then says nothing of a box */
	uint32_t weight;            /* dropped packets without one that arrived in between or after */
	uint32_t sent[2], lost[2];  /* packets with payload, enum dir */
	uint64_t lost_ns[2], held_ns[2]; /* the first loss of them and the last, client's clock; 0 none */
	uint64_t bytes[2];          /* of payload that arrived, enum dir */
	uint64_t burst[2], held[2]; /* of them before the first loss, and the last */
	double rate_bps;            /* goodput, of the direction that had more */
	const char *mbx;            /* of what was forged; NULL unknown */
	const struct finding *worst;
	unsigned n_findings;
};

struct dealings {
	struct dealing *list; /* by first packet */
	uint32_t n;
	double loss;          /* of packets of conversations that nothing was done to, at least LOSS_FLOOR */
};

/* Once the findings are made and told of. 0 or -ENOMEM; free it either way. */
int dealings_make(struct comparison *c, struct dealings *out);
void dealings_free(struct dealings *d);

/* rules.c: what a box's conversations have in common that those let through have not. */
enum rule_kind { RULE_NAME, RULE_PROTOCOL, RULE_VERSION, RULE_ADDRESS, RULE_PORT, RULES };

/* As the study asks of a name: tools/study/study.h. */
#define RULE_EPISODES 3
#define RULE_CONTROLS 2

struct rule {
	enum study_said said;
	unsigned acted, episodes;     /* conversations; moments, between which a control got through */
	unsigned passed, controls;    /* with the same value, since it first acted; with another one */
	bool high_ports;              /* only where the client's port is above the server's */
	const char *why;              /* unless it was observed */
};

/* mine: n of all, rising by from_ns. */
struct rule rule_test(const struct dealings *all, const uint32_t *mine, uint32_t n, enum rule_kind kind);
/* The same value of that kind; both have one. */
bool rule_alike(const struct dealing *x, const struct dealing *y, enum rule_kind kind);
bool rule_has(const struct dealing *d, enum rule_kind kind);
