/* SPDX-License-Identifier: BSD-3-Clause */

/* A DNS finding in words, and what the query and the accused answer were. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "classifiers/tamper/dns_compare.h"
#include "classifiers/tamper/judge.h"
#include "classifiers/tamper/narrate_dns.h"

#define NAME_SHOWN 100 /* of a name in a sentence */

static const struct dns_reply *reply_of(const struct dns_exchange *x, int event)
{
	for (unsigned i = 0; i < x->n_replies; i++)
		if (x->reply[i].event == event || (event != 0 && x->reply[i].copy == event))
			return &x->reply[i];
	return NULL;
}

/* A record of the answer section as text: an address, a name, or its type. */
static const char *record_text(const struct dns_message *m, const struct dns_rr *r,
			       char out[DNS_TEXT_SIZE])
{
	struct ip_addr addr = {.b = {[10] = 0xff, 0xff}};
	if (r->type == DNS_A && r->rdlen == 4) {
		memcpy(addr.b + 12, m->data + r->rdata, 4);
		return ip_addr_format(&addr, 4, out, DNS_TEXT_SIZE);
	}
	if (r->type == DNS_AAAA && r->rdlen == 16) {
		memcpy(addr.b, m->data + r->rdata, 16);
		return ip_addr_format(&addr, 6, out, DNS_TEXT_SIZE);
	}
	bool name = r->type == DNS_CNAME || r->type == DNS_NS || r->type == DNS_PTR ||
		    r->type == DNS_DNAME;
	if (name && dns_name_text(m, r->rdata, out))
		return out;
	return dns_type_text(r->type, out);
}

static int take_answers(struct arena *a, const struct dns_exchange *x, const struct dns_reply *r,
			struct dns_facts *d)
{
	struct dns_message m;
	char text[DNS_TEXT_SIZE];
	if (!dns_reply_read(x, r, &m))
		return 0;
	d->answers = arena_alloc(a, (m.n_rrs + 1u) * sizeof(*d->answers));
	if (d->answers == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < m.n_rrs && m.rr[i].section == DNS_ANSWER; i++) {
		d->answers[d->n_answers] = arena_text(a, record_text(&m, &m.rr[i], text));
		if (d->answers[d->n_answers++] == NULL)
			return -ENOMEM;
	}
	return 0;
}

int narrate_dns_facts(struct arena *a, const struct view *v, const struct judged_case *c,
		      struct finding *f)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	struct dns_facts *d = arena_alloc(a, sizeof(*d));
	if (d == NULL)
		return -ENOMEM;
	*d = (struct dns_facts){.txid = x->txid, .qtype = x->qtype, .qname = arena_text(a, x->qname)};
	d->told_apart = dns_sets(x) < 2 || dns_accuse(v).told_apart;
	f->dns = d;
	const struct dns_reply *r = reply_of(x, c->first);
	if (r == NULL)
		return d->qname != NULL ? 0 : -ENOMEM;
	d->rcode = r->rcode;
	return d->qname != NULL ? take_answers(a, x, r, d) : -ENOMEM;
}

/* "10.10.34.36", "NXDOMAIN", "no address" */
static void say_answer(const struct dns_reply *r, char *out, size_t len)
{
	char buf[12];
	if (r->address != ADDRESS_NONE)
		ip_addr_format(&r->addr, r->addr_version, out, len);
	else if (r->rcode != DNS_NOERROR)
		snprintf(out, len, "%s", dns_rcode_text(r->rcode, buf));
	else
		snprintf(out, len, "%s", r->n_answers != 0 ? "other data" : "no address");
}

/* The answer that a forged one competes with: the first that is not accused. */
static const struct dns_reply *other_answer(const struct view *v, const struct dns_reply *r)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	struct dns_accused a = dns_accuse(v);
	for (unsigned i = 0; i < x->n_replies; i++)
		if (x->reply[i].set != r->set && (!a.told_apart || !a.forged[i]))
			return &x->reply[i];
	return NULL;
}

void narrate_dns_sentence(const struct view *v, const struct judged_case *c,
			  const struct finding *f, char out[FINDING_SENTENCE])
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	const struct dns_reply *r = reply_of(x, c->first);
	char type[12], says[64], other[64], when[48] = "";
	if (r == NULL)
		return;
	const struct dns_reply *o = dns_sets(x) > 1 ? other_answer(v, r) : NULL;
	say_answer(r, says, sizeof(says));
	if (r->wait_ns != UINT64_MAX)
		snprintf(when, sizeof(when), " %.1f ms after the query", (double)r->wait_ns / 1e6);
	int n = snprintf(out, FINDING_SENTENCE, "DNS answer to %.*s%s %s was %s%s",
			 NAME_SHOWN, x->qname, strlen(x->qname) > NAME_SHOWN ? "..." : "",
			 dns_type_text(x->qtype, type), says, when);
	size_t at = n > 0 && (size_t)n < FINDING_SENTENCE ? (size_t)n : 0;
	if (o == NULL) {
		snprintf(out + at, FINDING_SENTENCE - at, ": %s", f->summary);
		return;
	}
	say_answer(o, other, sizeof(other));
	bool before = r->event < o->event;
	snprintf(out + at, FINDING_SENTENCE - at, ", %s %s %s%s",
		 before ? "before" : "after",
		 f->dns->told_apart ? "the server's own" : "another that said", other,
		 f->dns->told_apart ? "" : "; which of them is forged cannot be told");
}

bool narrate_dns_packet(const struct view *v, unsigned event, char *note, size_t len)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	const struct dns_reply *r = reply_of(x, (int)event);
	char text[64], type[12];
	if (event_dir(&v->e[event]) == DIR_C2S) {
		snprintf(note, len, "query %s %.44s", dns_type_text(x->qtype, type), x->qname);
		return true;
	}
	if (r == NULL)
		return false;
	say_answer(r, text, sizeof(text));
	snprintf(note, len, "answer %.40s flags 0x%04x", text, r->flags);
	return true;
}
