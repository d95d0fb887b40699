/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "classifiers/tamper/signature.h"
#include "tools/spell.h"

/* "1 confirmed, 2 likely" or "1 anomaly; 3 inconclusive": the verdicts from high down to low. */
static size_t verdicts(const struct facts_tally *t, enum verdict high, enum verdict low, char *out,
		       size_t room)
{
	size_t n = 0;

	out[0] = '\0';
	for (int v = (int)high; v >= (int)low; v--) {
		if (t->connections_by[v] == 0)
			continue;
		bool many = v == VERDICT_ANOMALY && t->connections_by[v] != 1;
		int k = snprintf(out + n, room - n, "%s%" PRIu64 " %s", n != 0 ? ", " : "",
				 t->connections_by[v], many ? "anomalies" : verdict_name[v]);
		n += k > 0 && (size_t)k < room - n ? (size_t)k : 0;
	}
	return n;
}

const char *words_headline(const struct analysis *a, const struct facts_tally *n, char *out,
			   size_t room)
{
	uint64_t touched = n->connections_by[VERDICT_CONFIRMED] + n->connections_by[VERDICT_LIKELY];
	char strong[80], weak[80];

	verdicts(n, VERDICT_CONFIRMED, VERDICT_LIKELY, strong, sizeof(strong));
	size_t more = verdicts(n, VERDICT_ANOMALY, VERDICT_INCONCLUSIVE, weak, sizeof(weak));
	if (n->connections == 0 && a->n_findings == 0)
		snprintf(out, room, "There are no connections to examine.");
	else if (touched > 0)
		snprintf(out, room,
			 "%" PRIu64 " of %" PRIu64 " connections %s interfered with: %s%s%s.",
			 touched, n->connections, touched == 1 ? "was" : "were", strong,
			 more != 0 ? "; also " : "", weak);
	else if (more != 0)
		snprintf(out, room,
			 "No connection of %" PRIu64
			 " was found to be interfered with, but some are "
			 "worth a look: %s.",
			 n->connections, weak);
	else if (a->n_findings > n->hidden)
		snprintf(out, room,
			 "No connection of %" PRIu64
			 " was found to be interfered with, but some together are worth a look.",
			 n->connections);
	else
		snprintf(out, room, "No interference was found in %" PRIu64 " connection%s.",
			 n->connections, n->connections == 1 ? "" : "s");
	return out;
}

const char *words_sentence(const struct finding *f, char out[WORDS_SENTENCE_SIZE])
{
	_Static_assert(FINDING_SENTENCE + 2 == WORDS_SENTENCE_SIZE, "a full stop and NUL fit");
	size_t n = strnlen(f->sentence, FINDING_SENTENCE);

	memcpy(out, f->sentence, n);
	if (n != 0 && out[0] >= 'a' && out[0] <= 'z')
		out[0] = (char)(out[0] - 'a' + 'A');
	if (n != 0 && out[n - 1] != '.')
		out[n++] = '.';
	out[n] = '\0';
	return out;
}

const char *words_stage(enum stage stage)
{
	static const char *const words[STAGE_N] = {
		[STAGE_PRE_SYNACK] = "before the server had answered",
		[STAGE_POST_SYN] = "during the handshake",
		[STAGE_POST_ACK] = "after the handshake, before any data",
		[STAGE_POST_PSH] = "after the first packet of data",
		[STAGE_LATER] = "later, after several packets of data",
	};

	return words[stage];
}

const char *words_direction(const struct finding *f)
{
	bool absent = f->family == FAMILY_QUIC_FILTERING && f->direction == DIR_C2S;

	if (absent || f->family == FAMILY_SILENT_DROP || f->family == FAMILY_THROTTLING)
		return f->direction == DIR_S2C ? "what should reach the client"
					       : "what should reach the server";
	return f->direction == DIR_S2C ? "packets that reached the client"
				       : "packets that reached the server";
}

const char *words_trigger(enum trigger_kind kind)
{
	static const char *const words[TRIGGER_N] = {
		[TRIGGER_NONE] = "-",
		[TRIGGER_SNI] = "SNI",
		[TRIGGER_HOST] = "Host",
		[TRIGGER_KEYWORD] = "keyword",
		[TRIGGER_QNAME] = "DNS name",
		[TRIGGER_QUIC_SNI] = "QUIC SNI",
		[TRIGGER_PROTOCOL] = "protocol",
	};

	return words[kind];
}

const char *words_attribution(enum attribution_grade grade)
{
	static const char *const words[ATTRIBUTION_N] = {
		[0] = "none",
		[ATTRIBUTION_A1] = "compatible, no more",
		[ATTRIBUTION_A2] = "several published traits fit",
		[ATTRIBUTION_A3] = "a published constant or relation holds",
	};

	return words[grade];
}

const char *words_vantage(enum vantage vantage)
{
	static const char *const words[VANTAGE_N] = {
		[VANTAGE_UNKNOWN] = "not known",
		[VANTAGE_CLIENT] = "at the client",
		[VANTAGE_SERVER] = "at the server",
		[VANTAGE_MIDDLE] = "in the middle of the path",
		[VANTAGE_ONE_SIDED] = "where only one direction passes",
	};

	return words[vantage];
}

const char *words_mode(enum study_mode mode)
{
	static const char *const words[STUDY_MODE_N] = {
		[STUDY_MODE_UNKNOWN] = "undecided",
		[STUDY_ON_PATH] = "on the path (sees copies)",
		[STUDY_IN_PATH] = "in the path (can take out)",
	};

	return words[mode];
}

const char *words_conditional(const struct finding *f)
{
	const char *word = f->conditional != NULL ? f->conditional : "untested";

	if (strcmp(word, "yes") == 0)
		return "yes, only connections with this trigger were touched";
	if (strcmp(word, "no") == 0)
		return "no, connections without this trigger were touched too";
	return "untested: no other connection was compared with this one";
}

const char *words_profile(const char *what)
{
	static const struct {
		const char *what, *words;
	} list[] = {
		{"lets_packets_pass", "lets packets pass"},
		{"takes_packets_out", "takes packets out"},
		{"acts_towards_client", "towards the client"},
		{"acts_towards_server", "towards the server"},
		{"injects_resets", "injects resets"},
		{"injects_pages", "injects pages"},
		{"injects_dns_answers", "injects DNS answers"},
		{"injects_alerts", "injects TLS alerts"},
		{"drops", "drops"},
		{"drops_quic", "drops QUIC"},
		{"split_hello_passes", "split hello passes"},
		{"reassembles", "acts on split hello"},
		{"needs_no_handshake", "acts unestablished"},
		{"ignores_tls", "ignores TLS"},
		{"ignores_http", "ignores HTTP"},
		{"ignores_quic", "ignores QUIC"},
		{"ignores_dns", "ignores DNS"},
		{"blocks_afterwards", "blocks afterwards"},
		{"intercepts_tls", "intercepts TLS"},
		{"throttles", "throttles"},
		{"answers_by_icmp", "refuses by ICMP"},
		{"acts_on_name", "acts on a name"},
		{"acts_on_protocol", "acts on a protocol"},
		{"acts_on_quic_version", "acts on a version"},
		{"acts_on_address", "acts on an address"},
		{"acts_on_port", "acts on a port"},
		{"only_from_high_ports", "from high ports"},
		{"acts_later", "acts later"},
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		if (strcmp(list[i].what, what) == 0)
			return list[i].words;
	return what;
}

const char *words_end(const struct flow_record *f, bool client, char out[WORDS_END_SIZE])
{
	char addr[64];
	struct spelling s = spelling_of(out, WORDS_END_SIZE);
	bool ports = facts_has_ports(f), v6 = f->ip_version == 6;

	if (f->ip_version == 0) {
		spell(&s, "?");
		return out;
	}
	ip_addr_format(client ? &f->client : &f->server, f->ip_version, addr, sizeof(addr));
	spell(&s, ports && v6 ? "[" : "");
	spell(&s, addr);
	if (ports) {
		spell(&s, v6 ? "]:" : ":");
		spell_number(&s, client ? f->client_port : f->server_port);
	}
	return out;
}

const char *words_flags(uint16_t flags, char out[WORDS_FLAGS_SIZE])
{
	/* In the order of tcpdump's letters; AE is RFC 9768, r a reserved bit. */
	static const struct {
		uint16_t bit;
		char letter;
	} letters[] = {
		{.bit = TCP_FIN, .letter = 'F'}, {.bit = TCP_SYN, .letter = 'S'},
		{.bit = TCP_RST, .letter = 'R'}, {.bit = TCP_PSH, .letter = 'P'},
		{.bit = TCP_ACK, .letter = 'A'}, {.bit = TCP_URG, .letter = 'U'},
		{.bit = TCP_ECE, .letter = 'E'}, {.bit = TCP_CWR, .letter = 'W'},
		{.bit = TCP_AE, .letter = 'N'},	 {.bit = TCP_RESERVED, .letter = 'r'},
	};
	char *at = out;

	*at++ = '[';
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		if ((flags & letters[i].bit) != 0)
			*at++ = letters[i].letter;
	}
	if (at == out + 1) {
		memcpy(at, "none", 4);
		at += 4;
	}
	memcpy(at, "]", 2);
	return out;
}

void words_covered(bool out[FAMILY_N])
{
	memset(out, 0, FAMILY_N * sizeof(*out));
	const struct signature *s;
	for (unsigned i = 0; (s = signatures_at(i)) != NULL; i++) {
		for (; s->id != NULL; s++)
			out[s->family] = true;
	}
	/* The study's: conclusions over several flows. */
	out[FAMILY_TLS_FILTERING] = out[FAMILY_RESIDUAL] = true;
	out[FAMILY_TLS_INTERCEPTION] = true;
}

const struct words_meaning words_legend[] = {
	{"confirmed", "a third party changed the outcome of the connection; at least one piece of "
		      "evidence has next to no innocent explanation"},
	{"likely", "a third party most probably changed the outcome; strong evidence, but not "
		   "beyond doubt"},
	{"anomaly", "unusual, and known from interference; innocent explanations remain open"},
	{"inconclusive", "something expected did not come, or a measurement stands without a "
			 "control; by itself not a sign of interference"},
	{"D4 D3 D2 D1", "how well a piece of evidence tells interference from innocent traffic, "
			"from decisive (6 points) over strong (3.5) and fair (2) to weak (0.5, "
			"together at most 1.5); the score is the sum"},
	{"flags", "F fin, S syn, R rst, P psh, A ack, U urg, E ece, W cwr, N accurate ECN, r "
		  "reserved; seq and ack are relative; opt: DF do not fragment, TS timestamps; ms "
		  "since the first packet of the connection"},
	{NULL, NULL},
};

const struct words_meaning words_terms[] = {
	{"SNI", "the name of a site, which a program sends in the clear when it begins an encrypted "
		"connection: in its first message, the ClientHello"},
	{"reset, RST", "a packet that ends a connection at once; who sees a connection can forge one"},
	{"on the path, in the path", "a box on the path gets copies of packets and can add some; one in "
				     "the path can hold packets back as well"},
	{"TTL, hop", "each router on the way takes one off a packet's TTL, so packets of one sender "
		     "usually arrive with one value; a hop is the way to the next router"},
	{"policed, shaped", "held to a rate by dropping what exceeds it, or by making it wait; an access "
			    "line's plan does the same"},
	{"control", "a try that differs from another in its name alone, and shows whether all else works"},
	{NULL, NULL},
};

const char *words_plain(enum family family)
{
	static const char *const plain[FAMILY_N] = {
		[FAMILY_TCP_INJECTION] = "Connections were cut by forged packets: somebody on the way sent "
					 "them in the name of one of the two ends.",
		[FAMILY_SILENT_DROP] = "Packets were made to vanish on the way.",
		[FAMILY_TLS_FILTERING] = "Whether an encrypted connection works depends on the name of the "
					 "site, which is sent in the clear when it begins.",
		[FAMILY_TLS_INTERCEPTION] = "Somebody on the way answered in the place of a site, with a "
					    "certificate of their own.",
		[FAMILY_HTTP_INJECTION] = "Somebody on the way answered web requests in the place of the "
					  "site.",
		[FAMILY_DNS_INJECTION] = "Questions for the address of a name were answered by somebody who "
					 "was not asked.",
		[FAMILY_QUIC_FILTERING] = "Connections of QUIC, the newer way to load web pages, fail "
					  "when they carry certain names.",
		[FAMILY_VPN_INTERFERENCE] = "Connections of a VPN, or another way around filters, were cut "
					    "or starved.",
		[FAMILY_THROTTLING] = "Some connections were slowed down while others were not.",
		[FAMILY_RESIDUAL] = "After a request that drew a reaction, other connections were blocked "
				    "as well for some time.",
		[FAMILY_PAYLOAD_TAMPERING] = "What was sent arrived changed.",
	};
	return plain[family];
}
