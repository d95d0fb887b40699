/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/dns_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/lists/rules.h"
#include "classifiers/tamper/dns_decoy.h"

#define OPT_SHARE 9          /* of ten answers to queries with EDNS */
#define TM_IPID 30000        /* Nourin et al., WWW 2023 */
#define TM_TTL 128
#define TM_RR_TTL 300
#define WORD_RECURSIVE 0x8180

static const struct event *event_of(const struct view *v, const struct dns_reply *r)
{
	return &v->e[r->event];
}

const struct resolver *dns_resolver(const struct view *v)
{
	return v->ctx != NULL ? dns_pool_resolver(context_dns(v->ctx), &v->flow->server) : NULL;
}

/* What hosts begin with, RFC 1700 and after: no router has had the packet yet. */
static bool is_first_ttl(uint8_t ttl)
{
	return ttl == 64 || ttl == 128 || ttl == 255;
}

static bool crossed_no_router(const struct exchange *x)
{
	bool none = x != NULL;
	for (unsigned i = 0; none && i < x->n_events; i++)
		none = is_first_ttl(x->events[i].ttl);
	return none;
}

/* Of one subnet (a home's IPv6 prefix, a campus), and no packet of the two crossed a router. */
static bool is_on_link(const struct view *v)
{
	bool v4 = v->flow->ip_version == 4;
	return memcmp(v->flow->client.b, v->flow->server.b, v4 ? 12 + 3 : 8) == 0 && crossed_no_router(v->ex);
}

bool dns_resolver_is_inside(const struct view *v)
{
	return dns_address_is_inside(&v->flow->server, v->flow->ip_version) || is_on_link(v);
}

/* Another TTL is another machine's, which stands on the link as well. */
static bool answers_have_one_ttl(const struct exchange *x)
{
	const struct event *first = NULL;
	bool one = true;
	for (unsigned i = 0; i < x->n_events && one; i++) {
		const struct event *e = &x->events[i];
		if (event_dir(e) != DIR_S2C)
			continue;
		first = first != NULL ? first : e;
		one = e->ttl == first->ttl;
	}
	return one;
}

bool dns_has_one_machine(const struct view *v)
{
	return dns_resolver_is_inside(v) && crossed_no_router(v->ex) && answers_have_one_ttl(v->ex);
}

static bool is_query_id(const struct exchange *x, uint16_t id)
{
	for (unsigned i = 0; i < x->n_events; i++)
		if (event_dir(&x->events[i]) == DIR_C2S && x->events[i].ip_id == id)
			return true;
	return false;
}

bool dns_reply_mirrors(const struct view *v, const struct dns_reply *r)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	const struct event *e = event_of(v, r);
	if ((r->bits & DNS_REPLY_MIRROR) == 0 || e->ip_id < VIEW_IPID_CHANCE)
		return false;
	for (unsigned i = 0; i < x->n_replies; i++) {
		const struct event *o = event_of(v, &x->reply[i]);
		int step = (int16_t)(o->ip_id - e->ip_id);
		if (step != 0 && abs(step) <= VIEW_IPID_STEP && o->ttl == e->ttl &&
		    ((o->bits ^ e->bits) & EVENT_DF) == 0 && !is_query_id(v->ex, o->ip_id))
			return false;
	}
	return true;
}

/* Equal paths and sites of one address: a distance that other answers of the server came from. */
static bool is_own_ttl(const struct view *v, const struct dns_reply *r, unsigned off,
		       uint64_t late_ns)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	const struct resolver *s = dns_resolver(v);
	uint8_t ttl = event_of(v, r)->ttl;
	bool clean = dns_exchange_is_clean(x);
	/* Beside an answer that is odd in itself others may be more of the same forger's. */
	if (dns_sets(x) < 2 && resolver_showed_ttl(s, ttl, clean ? r : NULL, late_ns))
		return true;
	/* This one takes part, if it is alone. */
	return resolver_has_ttl(s, ttl, DNS_FEW) && (off < DNS_TTL_FAR || !clean);
}

bool dns_contrast(const struct view *v, const struct dns_reply *r, unsigned at_least,
		  struct dns_contrast *out)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	const struct resolver *s = dns_resolver(v);
	const struct event *e = event_of(v, r);
	*out = (struct dns_contrast){.ttl = 0};
	if (s == NULL || x->tcp || s->n < at_least)
		return false;
	const struct resolver_ttl *usual = resolver_usual_ttl(s, at_least, NULL);
	if (usual != NULL) {
		unsigned off = (unsigned)abs((int)e->ttl - (int)usual->ttl);
		/* Its own wait may be the shortest: then it is held against the next. */
		uint64_t other = usual->min_ns[usual->ttl == e->ttl &&
					       usual->min_ns[0] == r->wait_ns];
		out->early = other != UINT64_MAX && r->wait_ns < other / 2;
		uint64_t late_ns = out->early ? other / 2 : UINT64_MAX;
		out->in_place = off <= 1;
		out->ttl = off > 1 && !is_own_ttl(v, r, off, late_ns) ? off : 0;
	}
	/* Errors are worded by other code of the same server. */
	bool plain = r->rcode == DNS_NOERROR || r->rcode == DNS_NXDOMAIN;
	uint16_t word = dns_word(r->flags);
	out->word = plain && !resolver_says_word(s, word);
	out->word_aa = out->word && resolver_says_word(s, word ^ DNS_AA);
	out->opt = plain && x->query_opt && x->n_queries != 0 && (r->bits & DNS_REPLY_OPT) == 0 &&
		   dns_reply_shows_opt(r) && s->asked_opt >= at_least &&
		   s->gave_opt * 10 >= s->asked_opt * OPT_SHARE;
	return true;
}

bool dns_is_comparable(const struct dns_reply *r)
{
	/* Where the capture ends behind the answer section, it holds all that is compared. */
	bool cut = (r->bits & (DNS_REPLY_CUT | DNS_REPLY_ANSWERS)) == DNS_REPLY_CUT;
	return !cut && (r->bits & DNS_REPLY_NO_QUESTION) == 0 && (r->flags & DNS_TC) == 0;
}

unsigned dns_sets(const struct dns_exchange *x)
{
	unsigned n = 0;
	for (unsigned i = 0; i < x->n_replies; i++) {
		bool fresh = dns_is_comparable(&x->reply[i]);
		for (unsigned k = 0; k < i && fresh; k++)
			fresh = !dns_is_comparable(&x->reply[k]) ||
				x->reply[k].set != x->reply[i].set;
		n += fresh;
	}
	return n;
}

/* The server has sites at both distances; how this exchange was answered tells nothing of that. */
static bool has_both_ttls(const struct view *v, uint8_t a, uint8_t b)
{
	const struct resolver *s = dns_resolver(v);
	return s != NULL && resolver_has_ttl(s, a, DNS_FEW) && resolver_has_ttl(s, b, DNS_FEW);
}

static bool has_both_words(const struct view *v, uint16_t a, uint16_t b)
{
	const struct resolver *s = dns_resolver(v);
	return s != NULL && resolver_says_word(s, a) && resolver_says_word(s, b);
}

/* How DF and IP-ID differ: 0 to 2. */
static unsigned stamps_differ(const struct view *v, const struct event *e, const struct event *f)
{
	if (v->flow->ip_version != 4 || ((e->flags | f->flags) & EVENT_REASSEMBLED) != 0)
		return 0;
	return (((e->bits ^ f->bits) & EVENT_DF) != 0) + ((e->ip_id == 0) != (f->ip_id == 0));
}

enum dns_contradiction dns_contradict(const struct view *v, const struct dns_reply *a,
				      const struct dns_reply *b, char *why, size_t len)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	const struct event *e = event_of(v, a), *f = event_of(v, b);
	bool plain = a->rcode <= DNS_NXDOMAIN && b->rcode <= DNS_NXDOMAIN;
	uint16_t said[2] = {dns_word(a->flags), dns_word(b->flags)};
	unsigned ttl = (unsigned)abs((int)e->ttl - (int)f->ttl);
	if (x->tcp)
		return DNS_ALIKE;
	if (has_both_ttls(v, e->ttl, f->ttl))
		ttl = 0;
	bool word = plain && said[0] != said[1] && !has_both_words(v, said[0], said[1]);
	bool opt = plain && (x->query_opt || x->n_queries == 0) && dns_reply_shows_opt(a) &&
		   dns_reply_shows_opt(b) && ((a->bits ^ b->bits) & DNS_REPLY_OPT) != 0;
	/* One program writes its answers' names in one way. */
	bool pointer = a->n_answers != 0 && b->n_answers != 0 &&
		       ((a->bits ^ b->bits) & DNS_REPLY_POINTER) != 0;
	bool mirror = ((a->bits ^ b->bits) & DNS_REPLY_MIRROR) != 0 &&
		      dns_reply_mirrors(v, (a->bits & DNS_REPLY_MIRROR) != 0 ? a : b);
	/* Sites of one service know the same names. */
	bool denied = (a->rcode == DNS_NXDOMAIN && b->address != ADDRESS_NONE) ||
		      (b->rcode == DNS_NXDOMAIN && a->address != ADDRESS_NONE);
	bool far = ttl >= DNS_TTL_FAR;
	unsigned stamps = stamps_differ(v, e, f);
	snprintf(why, len, "%s", mirror ? "IP-ID, the query's on one of them"
			       : far    ? "TTL"
			       : word   ? "flag word"
			       : opt    ? "EDNS record"
			       : pointer ? "way to write names"
					: "TTL, DF or IP-ID");
	unsigned bits = word ? (unsigned)__builtin_popcount(said[0] ^ said[1]) : 0;
	if (mirror || bits + opt + pointer + (ttl >= 2) + stamps + denied >= 2)
		return DNS_TWO_HOSTS;
	return word || opt || pointer ? DNS_WORDED : far ? DNS_FARTHER : DNS_ALIKE;
}

/* A developer's or device's own domain says in the name which address it has. */
static bool name_holds_address(const char *name, const struct dns_reply *r)
{
	char dots[16], dashes[16], hex[9];
	const uint8_t *b = r->addr.b + 12;
	if (r->addr_version != 4)
		return false;
	snprintf(dots, sizeof(dots), "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	snprintf(dashes, sizeof(dashes), "%u-%u-%u-%u", b[0], b[1], b[2], b[3]);
	snprintf(hex, sizeof(hex), "%02x%02x%02x%02x", b[0], b[1], b[2], b[3]);
	return strstr(name, dots) != NULL || strstr(name, dashes) != NULL || strstr(name, hex) != NULL;
}

/* An alias of what the address belongs to. */
static bool leads_to_facebook(const struct dns_exchange *x, const struct dns_reply *r)
{
	struct dns_message m;
	char target[DNS_TEXT_SIZE];
	if (dns_name_is_owners(x->qname, OWNER_FACEBOOK) || !dns_reply_read(x, r, &m))
		return true;
	for (unsigned i = 0; i < m.n_rrs; i++)
		if (m.rr[i].type == DNS_CNAME && dns_name_text(&m, m.rr[i].rdata, target) &&
		    dns_name_is_owners(target, OWNER_FACEBOOK))
			return true;
	return m.end != DNS_OK; /* cut off: what is behind may say so */
}

bool dns_is_portal(const struct view *v, const struct dns_reply *r)
{
	const struct resolver *s = dns_resolver(v);
	/* A portal answers in place of the server. */
	return s != NULL && dns_sets(dns_exchange_of(v->ex)) < 2 && resolver_is_portal(s, &r->addr);
}

/* An address that no public name has, by its kind. */
static bool leads_nowhere(const struct view *v, const struct dns_reply *r)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	switch ((enum dns_address)r->address) {
	case ADDRESS_TEREDO:
		return true;
	case ADDRESS_FACEBOOK:
		return !leads_to_facebook(x, r);
	case ADDRESS_LOOPBACK:
		return !dns_name_is_listing(x->qname) && strncmp(x->qname, "localhost.", 10) != 0;
	case ADDRESS_PRIVATE:
	case ADDRESS_RESERVED:
		return !dns_is_portal(v, r);
	case ADDRESS_UNSPECIFIED:
		return true;
	case ADDRESS_PUBLIC:
		return dns_decoy_bit(x->qname, &r->addr, r->addr_version, r->n_answers) != 0;
	case ADDRESS_NONE:
	case ADDRESS_DOCUMENTATION:
	case ADDRESS_LISTED:
		break;
	}
	return false;
}

bool dns_is_bogus(const struct view *v, const struct dns_reply *r)
{
	/* The address first: most are public and nobody's decoys, and names take long to compare. */
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	return leads_nowhere(v, r) && dns_name_is_public(x->qname) &&
	       !name_holds_address(x->qname, r);
}

bool dns_is_iran(const struct dns_reply *r)
{
	const uint8_t *b = r->addr.b + 12;
	return r->address == ADDRESS_PRIVATE && r->addr_version == 4 && b[0] == 10 && b[1] == 10 &&
	       b[2] == 34 && b[3] >= 34 && b[3] <= 36;
}

bool dns_is_turkmenistan(const struct view *v, const struct dns_reply *r)
{
	const struct event *e = event_of(v, r);
	return r->address == ADDRESS_LOOPBACK && r->rr_ttl == TM_RR_TTL && r->n_answers == 1 &&
	       v->flow->ip_version == 4 && e->ip_id == TM_IPID && (e->bits & EVENT_DF) == 0 &&
	       e->ttl <= TM_TTL && e->ttl > TM_TTL / 2 && r->flags == WORD_RECURSIVE &&
	       (r->bits & DNS_REPLY_OPT) == 0;
}

/* A filter of other countries is not what answered here. */
static enum grade where(const struct view *v, const struct rule *r, enum grade grade)
{
	const char *country = context_country(v->flow);
	return *country != '\0' && !rule_fits(r, country) && grade > GRADE_D2 ? GRADE_D2 : grade;
}

enum grade dns_known(const struct view *v, const struct dns_reply *r, const char **name)
{
	static const struct rule iran = {.countries = "IR"}, turkmenistan = {.countries = "TM"};
	bool inside = dns_resolver_is_inside(v);
	if (dns_is_turkmenistan(v, r)) {
		*name = "127.0.0.1 for 300 s with IP-ID 30000, as measured in Turkmenistan";
		return where(v, &turkmenistan, GRADE_D4);
	}
	if (dns_is_iran(r)) {
		*name = "Iran's block page";
		return inside ? GRADE_D2 : where(v, &iran, GRADE_D4);
	}
	/* Forgers use hosts that have names of their own. */
	if (r->known == NULL || r->known->scope == RULE_FP ||
	    name_holds_address(dns_exchange_of(v->ex)->qname, r))
		return 0;
	*name = r->known->name[0] != '\0' ? r->known->name : r->known->id;
	/* Families choose their resolver; a private address may be the network's own. */
	if (r->known->opt_in)
		return GRADE_D1;
	if (r->known->scope != RULE_NAT && r->known->scope != RULE_ISP)
		return GRADE_D2;
	return inside && r->address != ADDRESS_PUBLIC ? GRADE_D2 : where(v, r->known, GRADE_D4);
}

/*
 * Without the record that its query asks for, and answered with it by a later one: who forges is there
 * first, and forgers are not known to give one. Only while nothing is known of the server's own answers.
 */
static bool lacks_opt(const struct view *v, const struct dns_reply *r)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	const struct resolver *s = dns_resolver(v);
	bool later = false;
	if (s != NULL && (s->asked_opt >= DNS_FEW || s->gave_opt < s->asked_opt))
		return false;
	for (const struct dns_reply *o = r + 1; o < x->reply + x->n_replies; o++)
		later |= (o->bits & DNS_REPLY_OPT) != 0 && o->rcode <= DNS_NXDOMAIN;
	return later && x->n_queries != 0 && x->query_opt && r->rcode <= DNS_NXDOMAIN &&
	       (r->bits & DNS_REPLY_OPT) == 0 && dns_reply_shows_opt(r);
}

/* How much speaks against one of several answers; what a forger could have copied is nothing. */
static unsigned suspicion(const struct view *v, const struct dns_reply *r)
{
	const struct resolver *s = dns_resolver(v);
	struct dns_contrast c;
	const char *name;
	unsigned n = 0;
	if (dns_known(v, r, &name) >= GRADE_D2)
		n += 8;
	if (dns_is_bogus(v, r) || r->address == ADDRESS_LISTED)
		n += 4;
	if (dns_reply_mirrors(v, r) && (s == NULL || s->mirrored == 0))
		n += 4;
	if (dns_contrast(v, r, DNS_FEW, &c)) {
		n += c.ttl != 0 ? 2 : 0;
		n += c.word && !c.word_aa ? 2 : c.word ? 1 : 0;
		n += c.opt ? 2 : 0;
	}
	return lacks_opt(v, r) ? n + 2 : n;
}

struct dns_accused dns_accuse(const struct view *v)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	struct dns_accused out = {.told_apart = true};
	unsigned against[DNS_REPLIES], least = UINT32_MAX, most = 0;
	for (unsigned i = 0; i < x->n_replies; i++) {
		against[i] = suspicion(v, &x->reply[i]);
		least = against[i] < least ? against[i] : least;
		most = against[i] > most ? against[i] : most;
	}
	/* All unlike the server: none of them is its own. */
	bool none_genuine = least >= 4;
	bool apart = none_genuine || most >= least + 2;
	for (unsigned i = 0; i < x->n_replies; i++)
		out.forged[i] = !apart || none_genuine || against[i] >= least + 2;
	out.told_apart = apart;
	return out;
}
