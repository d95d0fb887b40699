/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * One try to reach something, and what became of it: what triggers, controls, residual windows and
 * profiles are counted from. Every TCP connection that was opened within the
 * capture leaves one, and every DNS query and QUIC connection, touched or not, so that names that
 * pass stand beside those that do not. Bounded per shard; what did not fit is counted.
 */

#include <stdbool.h>
#include <stdint.h>

#include "classifiers/arena.h"
#include "classifiers/tamper/evidence.h"
#include "classifiers/verdict.h"

#define ATTEMPTS_SHARD 16384

/*
 * Tries of one client at one name and server within this are one trial: retries, reloads and what a
 * first failure brought about are no independent observations. A control of a trial is as near. No
 * study gives a figure: it is longer than the residual windows published, which are of 3 to 5 minutes.
 */
#define TRIAL_NS 600000000000ull

enum attempt_end {
	ATTEMPT_UNKNOWN,  /* the capture ended too early, lacks packets, or shows one side only */
	ATTEMPT_OK,       /* the server answered with what its protocol has for content */
	ATTEMPT_REFUSED,  /* a RST to a SYN, or an ICMP error */
	ATTEMPT_RESET,    /* reset after the handshake, before an answer, or found to be reset by others */
	ATTEMPT_CLOSED,   /* FIN instead of an answer */
	ATTEMPT_ALERT,    /* TLS: a fatal alert instead of an answer */
	ATTEMPT_SILENT,   /* nothing came */
	ATTEMPT_PAGE,     /* HTTP: answered by a page that is not the server's */
	ATTEMPT_FORGED,   /* DNS, TLS: answered by somebody else */
	ATTEMPT_N
};
extern const char *const attempt_end_name[ATTEMPT_N]; /* "unknown", "ok", … */

enum attempt_bits {
	ATTEMPT_SEGMENTED = 1 << 0, /* the name's bytes lie in more than one packet; QUIC: the hello's */
	ATTEMPT_RECORDS = 1 << 1,   /* the ClientHello lies in more than one TLS record */
	ATTEMPT_ECH = 1 << 2,
	ATTEMPT_ESNI = 1 << 3,
	ATTEMPT_HANDSHAKE = 1 << 4, /* TCP: SYN, SYN+ACK and ACK were seen */
	ATTEMPT_ONE_SIDED = 1 << 5, /* nothing of the server was seen in it */
	ATTEMPT_NAME_CUT = 1 << 6,  /* the capture does not hold its name */
	ATTEMPT_FET = 1 << 7,       /* its first payload is fully encrypted: fet_is() */
};

struct attempt {
	uint64_t flow_id;
	uint64_t start_ns;    /* its first packet */
	uint64_t request_ns;  /* the packet that completed the name or query; 0: it never came so far */
	uint64_t end_ns;      /* first answer, reset or page; of silence the last packet */
	struct ip_addr client, server;
	uint16_t client_port, server_port;
	uint8_t ip_version, proto;
	uint8_t trigger;      /* enum trigger_kind: what name is */
	uint8_t end;          /* enum attempt_end */
	uint8_t stage;        /* enum stage in which it failed */
	uint8_t bits;         /* enum attempt_bits */
	uint32_t bytes_s2c;   /* TCP payload, saturating */
	uint32_t rtt_us;      /* SYN to SYN+ACK; 0 unknown */
	uint8_t ttl;          /* of the SYN+ACK; 0 none */
	uint8_t words;        /* TCP: enum first_words of the client's first payload */
	bool muted;           /* TCP: what the client sent right behind it was never acknowledged */
	uint16_t txid, qtype; /* DNS */
	uint16_t rcode;       /* DNS: of the first answer, with n_answers */
	uint16_t n_answers;   /* DNS: that came, without copies of one frame; 0 else */
	uint16_t version;     /* QUIC: the low half of its first Initial's; 0 else */
	const char *name;     /* lower case; NULL none */
	uint16_t first_len;   /* payload bytes of TCP's first segment of the client, or of QUIC's largest
			       * Initial, saturating */
	uint32_t capture;
	uint64_t payload;     /* hash of a fully encrypted first payload long enough to be one's own; 0 */
	const struct goodput *goodput; /* NULL: too little data, or no room to log it */
	const struct rate_facts *rate; /* NULL: nothing held it to a rate, or nobody knows */
	const struct flow_record *flow; /* NULL where the model keeps no record of it */
	struct finding *finding; /* the worst about it; NULL none */
	/* TLS, where it was read; else "" and NULL */
	const char *ja4;
	const struct tls_server *tls_server;
};

#define ATTEMPTS_BLOCK 64

/* Small enough to be made in what flows that ended have left. */
struct attempt_block {
	struct attempt_block *next;
	struct spill *spill; /* that it is from; NULL: malloc */
	size_t size;
	unsigned n;
	struct attempt list[]; /* room for ATTEMPTS_BLOCK at least */
};

/* A shard's list. Zeroed before use, but for arena and spill. */
struct attempts {
	struct attempt_block *first, *last; /* full but for the last */
	size_t n;
	uint64_t dropped;
	struct arena *arena;  /* of what the attempts point to */
	struct spill *spill;  /* of the list, once that has any; NULL: malloc */
	struct interned {     /* what was put there, each value once */
		const void *value;
		uint32_t hash, len;
	} *interned;
	uint32_t n_interned, room_interned; /* room: a power of two */
};

struct app_facts;
/* At a TCP flow's end; ev is finished. */
void attempt_flow(struct attempts *t, const struct flow *f, const struct evidence *ev,
		  const struct app_facts *facts);
struct exchange;
/* The attempt, which stays where it is until attempts_move(); NULL: no room for it. */
struct attempt *attempt_exchange(struct attempts *t, const struct flow *f, const struct exchange *x);
void attempts_free(struct attempts *t); /* the list and the table, not the arena */
/* Copies all n of them to out, in order, and frees as attempts_free() does. */
void attempts_move(struct attempts *t, struct attempt *out);

/*
 * In analysis_judge(), once the findings are made: all attempts in order, each with its finding,
 * which says better than the packets what became of it.
 */
void attempts_settle(struct analysis *a);
