/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A signature is a pure function from a flow's evidence to testimony, never to a verdict: judge
 * alone weighs. sig_NAME.c ends in `const struct signature sig_NAME[]`, closed by an entry without
 * id; the build generates signature_table.
 */

#include "classifiers/tamper/view.h"
#include "classifiers/verdict.h"

/*
 * Rows of one fact count once, as the highest ("rows that restate the same
 * silence or the same packet").
 */
enum fact {
	FACT_STAGE,      /* where in the connection it ended */
	FACT_COUNT,      /* how many resets of which kind */
	FACT_LATE,       /* the sender went on after it was said to have stopped */
	FACT_SEQ,        /* the suspect's sequence number */
	FACT_ACK,        /* the suspects' acknowledgement numbers */
	FACT_SYNACK,     /* two answers to one SYN */
	FACT_BYTES,      /* two contents for one sequence number */
	FACT_HEADER,     /* TTL, DF, IP-ID against the sender's own */
	FACT_OPTIONS,    /* negotiated options missing */
	FACT_TIMING,     /* sooner than the sender could */
	FACT_IPID_COPY,
	FACT_WINDOW,
	FACT_FLAGS,      /* reserved bits */
	FACT_PAYLOAD,    /* payload on a RST */
	FACT_TSVAL,
	FACT_MAC,
	FACT_STATELESS,
	FACT_PROBE,      /* answered before it could arrive */
	FACT_SILENCE,
	FACT_ICMP,
	FACT_SHAPE,      /* the look of an injected response */
	FACT_ANSWERS,    /* DNS: more answers than questions, or answers that contradict each other */
	FACT_ADDRESS,    /* DNS: what the answer points at */
	FACT_RESOLVER,   /* DNS: how the resolver is otherwise known to answer */
	FACT_ISSUER,     /* TLS: a certificate of an authority that is known to intercept */
	FACT_PAGE,       /* HTTP: a page or redirect that lists know */
	FACT_PORTS,      /* QUIC: an outcome that hangs on which of the two ports is the higher */
	FACT_RATE,       /* that something held its data to a rate */
	FACT_RATE_VALUE, /* which rate */
	FACT_N
};

/*
 * What a finding is about; one finding per flow and cause. The last three are of exchanges (one finding
 * per exchange): their signatures see no TCP connection, and the others see no exchange.
 */
enum cause {
	CAUSE_RESET, CAUSE_CONTENT, CAUSE_SILENCE, CAUSE_RATE, CAUSE_DNS, CAUSE_QUIC, CAUSE_VPN, CAUSE_N
};

/* It may rest on an absence alone, which only a whole capture can vouch for. */
static inline bool cause_is_absence(enum cause c)
{
	return c == CAUSE_SILENCE || c == CAUSE_QUIC || c == CAUSE_VPN;
}

enum need {
	NEED_BOTH_DIRECTIONS = 1 << 0,
	NEED_NO_GAP = 1 << 1,     /* absence-based: a hole in the capture looks the same */
	NEED_RESET = 1 << 2,      /* of this direction: without one the signature is not asked */
};

#define TESTIMONY_SUSPECTS 32

struct testimony {
	enum grade grade;
	uint32_t frame;           /* the packet that shows it */
	uint16_t suspects[TESTIMONY_SUSPECTS]; /* event indices of forged or decisive packets */
	uint8_t n_suspects;
	char value[96], expected[96];
	const char *untestable;   /* match() returned false: why it could not be tested, or NULL */
	bool quiet;               /* nobody will read it: value and expected stay empty */
};

struct signature {
	const char *id;           /* stable kebab-case; reports carry it for ever */
	enum family family;
	enum cause cause;
	enum fact fact;
	const char *summary, *benign, *refs;
	const char *rules_out;    /* what cannot be the explanation once this holds, NULL nothing */
	uint8_t needs;            /* enum need */
	bool names;               /* may name a finding; false: context for another */
	uint8_t param;            /* tables of like signatures: which one */
	bool (*match)(const struct view *v, const struct signature *self, struct testimony *out);
};

/* NULL-terminated list of tables, generated. */
extern const struct signature *const signature_table[];
/* Those tables, and behind them those of plug-ins (dataplane/plugin.h); NULL: there are no more. */
const struct signature *signatures_at(unsigned t);
bool signature_is_foreign(const struct signature *sig); /* a plug-in's */
bool signatures_foreign(void); /* there are some of plug-ins */

/* Helpers for match(): note a suspect, say what was seen and what was expected. */
void testimony_suspect(struct testimony *t, unsigned event);
void testimony_says(struct testimony *t, const char *value_fmt, ...)
	__attribute__((format(printf, 2, 3)));
void testimony_expects(struct testimony *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
