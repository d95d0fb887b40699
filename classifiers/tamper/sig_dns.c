/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Forged DNS answers. Multicast DNS never comes here: there many may answer.
 * What a resolver may do of its own accord (filter for its customers, know names of its own
 * network, word errors otherwise) has to stay below what accuses anybody.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "classifiers/tamper/dns_compare.h"
#include "classifiers/tamper/signature.h"

#define DUAN "Duan et al., Hold-On: Protecting Against On-Path DNS Poisoning, SATIN 2012"
#define SILENT_NAMES 5 /* that a host left unanswered, while it answered few */
#define SILENT_SHARE 5
#define RESOLVES 10 /* names answered: fewer of what a box forges, or of a host that is asked little */
#define DECOYS_FEW 2  /* answers in other companies' networks: a company has names that nobody lists */
#define DECOYS_MANY 4 /* … and none has as many */
#define POLICY_NS 600000000000ull /* within which the two are taken for one try */
#define LOGIN_NS 10000000000ull /* the least that somebody needs to log in to a hotspot */

static const struct dns_exchange *exchange(const struct view *v)
{
	return dns_exchange_of(v->ex);
}

/* "1.2.3.4", or the rcode of an answer without an address */
static const char *says(const struct dns_reply *r, char out[64])
{
	char buf[12];
	if (r->address != ADDRESS_NONE)
		ip_addr_format(&r->addr, r->addr_version, out, 64);
	else
		snprintf(out, 64, "%s", r->rcode == DNS_NOERROR ? "no address"
								 : dns_rcode_text(r->rcode, buf));
	return out;
}

/* Answers that are accused at all; of several different ones only those that are forged. */
static struct dns_accused accused(const struct view *v)
{
	if (dns_sets(exchange(v)) > 1)
		return dns_accuse(v);
	struct dns_accused all = {.told_apart = true};
	for (unsigned i = 0; i < exchange(v)->n_replies; i++)
		all.forged[i] = !dns_is_portal(v, &exchange(v)->reply[i]);
	return all;
}

static void suspect(const struct view *v, const struct dns_reply *r, struct testimony *out)
{
	if (out->n_suspects == 0)
		out->frame = v->e[r->event].frame;
	testimony_suspect(out, r->event);
	if (r->copy != 0)
		testimony_suspect(out, r->copy);
}

/* What speaks most against two that say different things being of one host. */
static enum dns_contradiction find_contradiction(const struct view *v, char *why, size_t len)
{
	const struct dns_exchange *x = exchange(v);
	enum dns_contradiction most = DNS_ALIKE;
	for (unsigned i = 0; i < x->n_replies; i++) {
		for (unsigned k = 0; k < i; k++) {
			const struct dns_reply *a = &x->reply[k], *b = &x->reply[i];
			char how[64];
			if (!dns_is_comparable(a) || !dns_is_comparable(b) || a->set == b->set)
				continue;
			enum dns_contradiction c = dns_contradict(v, a, b, how, sizeof(how));
			if (c > most)
				snprintf(why, len, "%s", how);
			most = c > most ? c : most;
		}
	}
	return most;
}

static void say_race(const struct view *v, const char *why, struct testimony *out)
{
	const struct dns_exchange *x = exchange(v);
	const struct dns_reply *a = &x->reply[0], *b = a;
	char first[64], other[64];
	for (unsigned i = 1; i < x->n_replies && b->set == a->set; i++)
		b = &x->reply[i];
	/* They are in the capture's order, which several queues of a card make another than that of time. */
	int64_t apart = (int64_t)(v->e[b->event].ts_ns - v->e[a->event].ts_ns);
	testimony_says(out, "%s (TTL %u, flags 0x%04x), %.1f ms %s %s (TTL %u, 0x%04x)",
		       says(a, first), v->e[a->event].ttl, a->flags, fabs((double)apart) / 1e6,
		       apart < 0 ? "earlier" : "later", says(b, other), v->e[b->event].ttl, b->flags);
	testimony_expects(out, "one answer%s%s", why != NULL ? ", and one " : "",
			  why != NULL ? why : "");
}

/* What more answers than queries are worth. */
static enum grade race_grade(const struct view *v, enum dns_contradiction c)
{
	const struct dns_exchange *x = exchange(v);
	const struct resolver *s = dns_resolver(v);
	/* A network that doubles what it carries does so here too, and rarely thrice. */
	bool doubles = s != NULL && s->doubled >= DNS_FEW;
	unsigned asked = x->n_queries != 0 ? x->n_queries + x->n_copies : UINT16_MAX;
	bool many = dns_sets(x) > 2 * asked && c != DNS_ALIKE;
	if (dns_has_one_machine(v))
		return x->n_queries == 0 ? GRADE_D1 : GRADE_D2;
	if (c == DNS_TWO_HOSTS || many)
		/* How often it was asked is not always known. */
		return x->n_queries == 0 ? GRADE_D2 : doubles && !many ? GRADE_D2 : GRADE_D4;
	if (x->n_queries == 0)
		return GRADE_D1;
	return c == DNS_WORDED && !doubles ? GRADE_D3 : GRADE_D2;
}

static bool match_race(const struct view *v, const struct signature *self, struct testimony *out)
{
	const struct dns_exchange *x = exchange(v);
	unsigned sets = dns_sets(x);
	char why[64];
	(void)self;
	if (sets < 2 || x->tcp)
		return false;
	enum dns_contradiction c = find_contradiction(v, why, sizeof(why));
	/* A query that was sent twice may be answered twice, and an answer be copied. */
	if (sets <= x->n_queries && !(c != DNS_ALIKE && x->n_answers > x->n_queries))
		return false;
	out->grade = race_grade(v, c);
	struct dns_accused a = dns_accuse(v);
	for (unsigned i = 0; i < x->n_replies; i++)
		if (a.forged[i])
			suspect(v, &x->reply[i], out);
	say_race(v, c != DNS_ALIKE ? why : NULL, out);
	return true;
}

static bool match_denied(const struct view *v, const struct signature *self, struct testimony *out)
{
	const struct dns_exchange *x = exchange(v);
	const struct dns_reply *no = NULL, *yes = NULL;
	char text[64], buf[12];
	(void)self;
	if (x->tcp || x->n_queries == 0 || x->n_answers <= x->n_queries)
		return false;
	for (unsigned i = 0; i < x->n_replies; i++) {
		const struct dns_reply *r = &x->reply[i];
		if (no == NULL && (r->rcode == DNS_NXDOMAIN || r->rcode == DNS_SERVFAIL ||
				   r->rcode == DNS_REFUSED))
			no = r;
		if (yes == NULL && r->rcode == DNS_NOERROR && r->address == ADDRESS_PUBLIC)
			yes = r;
	}
	if (no == NULL || yes == NULL)
		return false;
	out->grade = GRADE_D2;
	out->frame = v->e[no->event].frame;
	struct dns_accused a = dns_accuse(v);
	if (a.forged[no - x->reply])
		suspect(v, no, out);
	testimony_says(out, "%s and %s", dns_rcode_text(no->rcode, buf), says(yes, text));
	testimony_expects(out, "a name that exists or does not");
	return true;
}

static bool match_known(const struct view *v, const struct signature *self, struct testimony *out)
{
	const struct dns_exchange *x = exchange(v);
	struct dns_accused a = accused(v);
	char text[64];
	(void)self;
	for (unsigned i = 0; i < x->n_replies; i++) {
		const struct dns_reply *r = &x->reply[i];
		const char *name = "";
		enum grade g = dns_known(v, r, &name);
		if (g == 0 || !a.forged[i])
			continue;
		if (g > out->grade) {
			out->grade = g;
			testimony_says(out, "%s: %.60s", says(r, text), name);
		}
		suspect(v, r, out);
	}
	testimony_expects(out, "an address of %.60s", x->qname);
	return out->n_suspects != 0;
}

/* How many domains were answered with addresses of companies that they are none of. */
static enum grade decoy_grade(const struct view *v)
{
	const struct resolver *s = dns_resolver(v);
	int n = s != NULL ? __builtin_popcountll(s->decoys) : 0;
	return n >= DECOYS_MANY ? GRADE_D3 : n >= DECOYS_FEW ? GRADE_D2 : GRADE_D1;
}

/* What a lone address of this kind is worth; 0 nothing. */
static enum grade bogus_grade(const struct view *v, enum dns_address class, bool several)
{
	bool inside = dns_resolver_is_inside(v);
	if (class == ADDRESS_PUBLIC)
		return decoy_grade(v);
	if (class == ADDRESS_TEREDO)
		return GRADE_D4;
	if (several)
		return class == ADDRESS_UNSPECIFIED ? GRADE_D1 : GRADE_D3;
	if (class == ADDRESS_FACEBOOK)
		return GRADE_D3;
	/* Resolvers that users chose answer so to advertisements; networks know their own names. */
	if (class == ADDRESS_UNSPECIFIED)
		return inside ? 0 : GRADE_D1;
	if (inside)
		return class == ADDRESS_LOOPBACK ? GRADE_D1 : 0;
	return GRADE_D3;
}

static bool match_bogus(const struct view *v, const struct signature *self, struct testimony *out)
{
	const struct dns_exchange *x = exchange(v);
	struct dns_accused a = accused(v);
	bool several = dns_sets(x) > 1;
	char text[64];
	(void)self;
	for (unsigned i = 0; i < x->n_replies; i++) {
		const struct dns_reply *r = &x->reply[i];
		enum grade g = bogus_grade(v, (enum dns_address)r->address, several);
		if (g == 0 || !a.forged[i] || !dns_is_bogus(v, r))
			continue;
		if (g > out->grade) {
			out->grade = g;
			testimony_says(out, "%s: %s", says(r, text),
				       dns_address_text(r->address == ADDRESS_PUBLIC
								? ADDRESS_FACEBOOK
								: (enum dns_address)r->address));
		}
		suspect(v, r, out);
	}
	testimony_expects(out, "a public address");
	return out->n_suspects != 0;
}

/* What the capture must show of the server first. */
static const char few[] = "fewer than ten other answers of this server";

static bool match_early(const struct view *v, const struct signature *self, struct testimony *out)
{
	const struct dns_exchange *x = exchange(v);
	struct dns_accused a = accused(v);
	struct dns_contrast c;
	(void)self;
	if (v->ctx == NULL || x->tcp)
		return false;
	for (unsigned i = 0; i < x->n_replies; i++) {
		const struct dns_reply *r = &x->reply[i];
		if (!dns_contrast(v, r, DNS_BASELINE, &c)) {
			out->untestable = few;
			return false;
		}
		/* A nearer TTL may be another path, a shorter wait a remembered answer. */
		/* Other networks have a server at the same address within, too. */
		enum grade g = dns_resolver_is_inside(v) && c.ttl != 0 ? GRADE_D1
			       : c.ttl != 0 && c.early ? GRADE_D3
			       : c.ttl >= DNS_TTL_FAR ? GRADE_D2
			       : c.ttl != 0 || c.early ? GRADE_D1
						       : 0;
		if (g == 0 || !a.forged[i])
			continue;
		unsigned n = 0;
		const struct resolver_ttl *usual =
			resolver_usual_ttl(dns_resolver(v), DNS_BASELINE, &n);
		if (g > out->grade && usual != NULL) {
			out->grade = g;
			if (r->wait_ns == UINT64_MAX)
				testimony_says(out, "TTL %u", v->e[r->event].ttl);
			else
				testimony_says(out, "TTL %u after %.1f ms", v->e[r->event].ttl,
					       (double)r->wait_ns / 1e6);
			testimony_expects(out, "TTL %u, not before %.1f ms as its %u other answers",
					  usual->ttl, (double)usual->min_ns[0] / 1e6, n);
		}
		suspect(v, r, out);
	}
	return out->n_suspects != 0;
}

static bool match_shape(const struct view *v, const struct signature *self, struct testimony *out)
{
	const struct dns_exchange *x = exchange(v);
	struct dns_accused a = accused(v);
	struct dns_contrast c;
	(void)self;
	if (v->ctx == NULL) {
		/* For the capture to speak once it is known. */
		out->grade = GRADE_D1;
		return x->odd;
	}
	for (unsigned i = 0; i < x->n_replies; i++) {
		const struct dns_reply *r = &x->reply[i];
		bool baseline = dns_contrast(v, r, DNS_FEW, &c);
		bool wrong_case = (r->bits & DNS_REPLY_CASE) != 0;
		/* What a server makes itself it words by other code; elsewhere it says whose it is. */
		bool own = (r->flags & DNS_AA) != 0 || dns_resolver_is_inside(v);
		if (c.in_place && own && dns_sets(x) < 2)
			c.opt = c.word = false;
		enum grade g = c.opt || (c.word && !c.word_aa) ? GRADE_D2
			       : c.word || wrong_case	       ? GRADE_D1
							       : 0;
		if (baseline && dns_resolver(v)->n < DNS_BASELINE && g == GRADE_D2)
			g = GRADE_D1;
		if (g == 0 || !a.forged[i])
			continue;
		if (g > out->grade) {
			out->grade = g;
			testimony_says(out, "flags 0x%04x, %s%s", r->flags,
				       (r->bits & DNS_REPLY_OPT) != 0 ? "EDNS" : "no EDNS",
				       wrong_case ? ", letters of another case" : "");
			testimony_expects(out, "%s", c.opt	   ? "EDNS, as in its other answers"
						     : c.word	   ? "flags of its other answers"
								   : "the question as it was sent");
		}
		suspect(v, r, out);
	}
	return out->n_suspects != 0;
}

static bool match_mirror(const struct view *v, const struct signature *self, struct testimony *out)
{
	const struct dns_exchange *x = exchange(v);
	const struct resolver *s = dns_resolver(v);
	struct dns_accused a = accused(v);
	(void)self;
	/* A host that always does so is odd, and honest. */
	if (s != NULL && s->mirrored > 1)
		return false;
	for (unsigned i = 0; i < x->n_replies; i++) {
		const struct dns_reply *r = &x->reply[i];
		if (a.forged[i] && dns_reply_mirrors(v, r))
			suspect(v, r, out);
	}
	if (out->n_suspects == 0)
		return false;
	out->grade = GRADE_D3;
	testimony_says(out, "IP-ID 0x%04x, the query's", v->e[out->suspects[0]].ip_id);
	testimony_expects(out, "one of the server's own");
	return true;
}

static bool match_tcp(const struct view *v, const struct signature *self, struct testimony *out)
{
	const struct dns_exchange *x = exchange(v);
	struct dns_accused a = accused(v);
	char text[64];
	(void)self;
	if (v->ctx == NULL || x->tcp)
		return false;
	struct dns_span tcp = dns_pool_tcp_answered(context_dns(v->ctx), &v->flow->server, x);
	if (tcp.first_ns == 0)
		return false;
	/* Before a login a hotspot answers for all servers, and not over TCP. */
	bool inside = dns_resolver_is_inside(v), login = tcp.first_ns > x->opened_ns + LOGIN_NS;
	/* What a server was told to say of a name may change, and then is said over both. */
	bool changed = tcp.last_ns < x->opened_ns && x->opened_ns - tcp.last_ns > POLICY_NS;
	for (unsigned i = 0; i < x->n_replies; i++) {
		const struct dns_reply *r = &x->reply[i];
		const char *name;
		bool bogus = dns_is_bogus(v, r) || dns_known(v, r, &name) >= GRADE_D2;
		bool denied = r->rcode == DNS_NXDOMAIN;
		if (!a.forged[i] || (!bogus && !denied))
			continue;
		enum grade g = inside ? GRADE_D2 : login || changed ? GRADE_D1 : bogus ? GRADE_D4 : GRADE_D3;
		out->grade = g > out->grade ? g : out->grade;
		testimony_says(out, "%s over UDP, a public address over TCP", says(r, text));
		suspect(v, r, out);
	}
	testimony_expects(out, "the same answer over both");
	return out->n_suspects != 0;
}

static bool match_nonresolver(const struct view *v, const struct signature *self,
			      struct testimony *out)
{
	const struct dns_exchange *x = exchange(v);
	const struct resolver *s = dns_resolver(v);
	struct dns_accused a = accused(v);
	(void)self;
	if (s == NULL || x->tcp || x->n_replies == 0)
		return false;
	unsigned silent = (unsigned)__builtin_popcountll(s->silent_names & ~s->answered_names);
	unsigned answered = (unsigned)__builtin_popcountll(s->answered_names);
	bool mute = !dns_resolver_is_inside(v) && silent >= SILENT_NAMES &&
		    silent >= SILENT_SHARE * answered;
	/* A resolver that is started anew says so too, of names that it does answer. */
	unsigned refused = answered < RESOLVES ? s->unreachable : silent;
	bool refuses = s->unreachable != 0 && refused * SILENT_SHARE >= answered;
	if (!refuses && !mute)
		return false;
	out->grade = GRADE_D2;
	for (unsigned i = 0; i < x->n_replies; i++)
		if (a.forged[i])
			suspect(v, &x->reply[i], out);
	if (refuses)
		testimony_says(out, "an answer of a host that said nobody listens there");
	else
		testimony_says(out, "an answer of a host that left %u other names unanswered",
			       silent);
	testimony_expects(out, "a host that answers DNS queries");
	return out->n_suspects != 0;
}

#define DNS(id_, fact_, names_) \
	.id = id_, .family = FAMILY_DNS_INJECTION, .cause = CAUSE_DNS, .fact = fact_, \
	.names = names_

const struct signature sig_dns[] = {
	{DNS("dns-race", FACT_ANSWERS, true),
	 .summary = "a query was answered more often than it was asked, and differently",
	 .benign = "the network doubled the query, and several servers behind one address answered",
	 .rules_out = "several answers of one server",
	 .refs = DUAN, .match = match_race},
	{DNS("dns-denied", FACT_ANSWERS, true),
	 .summary = "one answer denies a name that another answer resolves",
	 .benign = "a pool of servers one of which fails, asked twice",
	 .refs = "Nabi, FOCI 2013", .match = match_denied},
	{DNS("dns-udp-tcp", FACT_ANSWERS, true),
	 .summary = "the same server answers rightly over TCP and wrongly over UDP",
	 .benign = "the name changed between the two",
	 .refs = "net4people/bbs issue 657", .match = match_tcp},
	{DNS("dns-known-address", FACT_ADDRESS, true),
	 .summary = "the answer is one that a known filter gives",
	 .benign = "a private network uses the same address, or the user chose a resolver that "
		   "filters",
	 .refs = "OONI blocking-fingerprints; Nourin et al., WWW 2023", .match = match_known},
	{DNS("dns-bogus-address", FACT_ADDRESS, true),
	 .summary = "a public name was answered with an address that no public host has",
	 .benign = "the name's owner published a private address; a resolver's own filter; a name "
		   "that the resolver's network has for itself; a hotspot before the login",
	 .refs = "Anonymous et al., Triplet Censors, FOCI 2020; RFC 6890",
	 .match = match_bogus},
	{DNS("dns-early", FACT_RESOLVER, true),
	 .summary = "the answer came from another distance than the server's other answers",
	 .benign = "another route, another server of the same address (anycast), a remembered "
		   "answer",
	 .refs = DUAN, .match = match_early},
	{DNS("dns-nonresolver", FACT_RESOLVER, true),
	 .summary = "a host that answers no DNS queries answered this one",
	 .benign = "the server was started or overloaded in between",
	 .refs = "Hoang et al., GFWatch, USENIX Security 2021 (asks hosts that resolve nothing)",
	 .match = match_nonresolver},
	{DNS("dns-shape", FACT_SHAPE, false),
	 .summary = "the answer is worded unlike the server's others",
	 .benign = "names that the server itself is the authority for, several programs at one "
		   "address",
	 .refs = "Ablove et al., USENIX Security 2026, table 5; RFC 6891 section 7",
	 .match = match_shape},
	{DNS("dns-ip-id-mirror", FACT_IPID_COPY, false),
	 .summary = "the answer's IP-ID is its query's",
	 .benign = "chance, once in 65,536", .refs = "net4people/bbs 39 (of TCP)",
	 .match = match_mirror},
	{.id = NULL},
};
