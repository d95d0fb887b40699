/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/audit/outcome.h"

#include <netinet/in.h>
#include <string.h>

#define DNS_PORT 53

const char *const outcome_name[OUTCOME_N] = {
	[OUTCOME_PASSED] = "passed",
	[OUTCOME_RESET_CLIENT] = "reset_client",
	[OUTCOME_RESET_SERVER] = "reset_server",
	[OUTCOME_RESET_BOTH] = "reset_both",
	[OUTCOME_PAGE] = "page",
	[OUTCOME_FORGED] = "forged",
	[OUTCOME_CHANGED] = "changed",
	[OUTCOME_DROPPED] = "dropped",
	[OUTCOME_UNKNOWN] = "unknown",
};

const char *const outcome_words[OUTCOME_N] = {
	[OUTCOME_PASSED] = "passed",
	[OUTCOME_RESET_CLIENT] = "reset toward client",
	[OUTCOME_RESET_SERVER] = "reset toward server",
	[OUTCOME_RESET_BOTH] = "reset toward both",
	[OUTCOME_PAGE] = "page",
	[OUTCOME_FORGED] = "answer forged",
	[OUTCOME_CHANGED] = "changed",
	[OUTCOME_DROPPED] = "dropped",
	[OUTCOME_UNKNOWN] = "not tried",
};

const char *const probe_verdict_name[PROBE_VERDICTS] = {
	[PROBE_PASSES] = "passes",	  [PROBE_FILTERED] = "filtered",
	[PROBE_ALL] = "not_for_the_name", [PROBE_UNSTEADY] = "unsteady",
	[PROBE_UNTESTED] = "untested",
};

enum outcome outcome_of(const struct outcome_facts *f)
{
	if (f->failed)
		return OUTCOME_UNKNOWN;
	if (f->reset[SIDE_CLIENT] && f->reset[SIDE_SERVER])
		return OUTCOME_RESET_BOTH;
	if (f->reset[SIDE_CLIENT])
		return OUTCOME_RESET_CLIENT;
	if (f->reset[SIDE_SERVER])
		return OUTCOME_RESET_SERVER;
	if (f->page)
		return OUTCOME_PAGE;
	if (f->forged)
		return OUTCOME_FORGED;
	if (f->changed)
		return OUTCOME_CHANGED;
	return f->dropped ? OUTCOME_DROPPED : OUTCOME_PASSED;
}

void outcome_read(struct outcome_facts *f, const struct ledger *l, enum compare_side client,
		  const uint8_t (*const heads[SIDES])[OUTCOME_HEAD])
{
	for (unsigned port = 0; port < SIDES; port++) {
		uint32_t n;
		const struct ledger_frame *frames = ledger_frames(l, port, &n);
		enum compare_side end = port == (unsigned)client ? SIDE_CLIENT : SIDE_SERVER;
		for (uint32_t i = 0; i < n; i++) {
			const struct ledger_frame *r = &frames[i];
			bool made = r->fate == FATE_INJECTED, changed = r->fate == FATE_MODIFIED;
			if (r->ours || (!made && !changed))
				continue;
			bool rst = r->proto == IPPROTO_TCP && (r->flags & TCP_RST) != 0;
			f->reset[end] |= rst;
			f->changed |= changed && !rst;
			if (!made || rst || r->len == 0)
				continue;
			f->page |= memcmp(heads[port][i], "HTTP/", 5) == 0;
			f->forged |= end == SIDE_CLIENT;
			f->changed |= end == SIDE_SERVER;
		}
	}
}

void outcome_add(struct outcome_tally *t, enum outcome o)
{
	t->n++;
	t->of[o]++;
}

bool outcome_steady(const struct outcome_tally *t)
{
	return t->n > 0 && t->of[outcome_most(t)] == t->n;
}

enum outcome outcome_most(const struct outcome_tally *t)
{
	enum outcome most = OUTCOME_UNKNOWN;

	for (unsigned o = 0; o < OUTCOME_N; o++) {
		if (t->of[o] > t->of[most])
			most = o;
	}
	return most;
}

enum probe_verdict probe_judge(const struct outcome_tally *name,
			       const struct outcome_tally *controls)
{
	enum outcome most = outcome_most(name);

	if (name->n == 0 || controls->n == 0 || name->of[OUTCOME_UNKNOWN] > 0 ||
	    controls->of[OUTCOME_UNKNOWN] > 0)
		return PROBE_UNTESTED;
	if (!outcome_steady(name) || !outcome_steady(controls))
		return PROBE_UNSTEADY;
	if (outcome_most(controls) != OUTCOME_PASSED)
		return PROBE_ALL;
	return most == OUTCOME_PASSED ? PROBE_PASSES : PROBE_FILTERED;
}

/* What a second probe says once a first one is filtered: one sentence if it is too, another if not.
 */
static const struct rule {
	enum probe_id base, other;
	const char *id, *yes, *no;
} rules[] = {
	{PROBE_TLS, PROBE_TLS_SPLIT, "reassembles",
	 "it puts segments together: a ClientHello in two of them is filtered too",
	 "it does not put segments together: a ClientHello in two of them passes"},
	{PROBE_TLS, PROBE_TLS_BARE, "acts-without-handshake",
	 "it needs no handshake: a ClientHello out of the blue is filtered too",
	 "it needs a handshake: a ClientHello out of the blue passes"},
	{PROBE_TLS, PROBE_TLS_PORT, "acts-on-other-ports", "it looks for TLS on other ports too",
	 "it looks for TLS on port 443, and not on 8443"},
	{PROBE_TLS, PROBE_TLS_REVERSE, "acts-on-both-directions",
	 "it acts on connections from either side",
	 "it acts on connections from the client's side, and not from the server's"},
	{PROBE_TLS, PROBE_RESIDUAL_3, "residual-3tuple",
	 "after that other names are filtered too, from other ports of the same client to the same "
	 "server and port",
	 "a new connection with another name passes right after, from another port"},
	{PROBE_TLS, PROBE_RESIDUAL_4, "residual-4tuple",
	 "after that other names are filtered too, from the same port",
	 "a new connection with another name passes right after, from the same port"},
	{PROBE_RESIDUAL_3, PROBE_RESIDUAL_LATER, "residual-lasts",
	 "and it still is when tried again later", "and it no longer is when tried again later"},
	{PROBE_DNS_UDP, PROBE_DNS_TCP, "dns-over-tcp", "DNS over TCP is filtered too",
	 "DNS over TCP passes"},
};

static const struct {
	enum probe_id probe;
	const char *id, *yes, *no;
} bases[] = {
	{PROBE_TLS, "tls-name", "the name in a ClientHello is filtered",
	 "the name in a ClientHello passes"},
	{PROBE_HTTP_HOST, "http-host", "the name in the Host of a request is filtered",
	 "the name in the Host of a request passes"},
	{PROBE_HTTP_PATH, "http-path", "the name in the path of a request is filtered",
	 "the name in the path of a request passes"},
	{PROBE_DNS_UDP, "dns-name", "queries for the name are filtered",
	 "queries for the name pass"},
	{PROBE_QUIC, "quic-name", "the name in a QUIC Initial is filtered",
	 "the name in a QUIC Initial passes"},
};

static bool decided(enum probe_verdict v)
{
	return v == PROBE_FILTERED || v == PROBE_PASSES;
}

unsigned probe_conclude(const enum probe_verdict v[PROBE_IDS],
			struct conclusion out[CONCLUSIONS_MAX])
{
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		bool yes = v[bases[i].probe] == PROBE_FILTERED;
		if (decided(v[bases[i].probe]))
			out[n++] = (struct conclusion){bases[i].id, yes ? "yes" : "no",
						       yes ? bases[i].yes : bases[i].no};
	}
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *r = &rules[i];
		bool yes = v[r->other] == PROBE_FILTERED;
		if (v[r->base] == PROBE_FILTERED && decided(v[r->other]))
			out[n++] = (struct conclusion){r->id, yes ? "yes" : "no",
						       yes ? r->yes : r->no};
	}
	_Static_assert(sizeof(bases) / sizeof(bases[0]) + sizeof(rules) / sizeof(rules[0]) <=
			       CONCLUSIONS_MAX,
		       "all of them have room");
	return n;
}
