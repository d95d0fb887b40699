/* SPDX-License-Identifier: BSD-3-Clause */

/* A case that was weighed, as the finding that reports print. */

#include "classifiers/tamper/judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/lists/page.h"
#include "classifiers/tamper/narrate_dns.h"
#include "classifiers/tamper/temper.h"
#include "classifiers/tamper/vpn_exchange.h"
#include "dataplane/seq.h"

static const struct signature *strongest(const struct judged_case *c)
{
	const struct row *best = NULL;
	for (unsigned i = 0; i < c->n_rows; i++) {
		const struct row *r = &c->rows[i];
		if (best == NULL || r->t.grade > best->t.grade ||
		    (r->t.grade == best->t.grade && r->sig->names && !best->sig->names))
			best = r;
	}
	return best->sig;
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

#define BEHIND_NS 1000000000ull /* a second: boxes send both at once, the path may reorder them */
#define BEHIND_STEP 16 /* of an IP-ID counter between two packets of a box */
#define BESIDE_MAX 64 /* frames of the same hand that no row is about */

struct packet_list {
	uint64_t at[2 * ROWS_MAX * TESTIMONY_SUSPECTS + ICMP_NOTES + BESIDE_MAX]; /* file << 32 | frame */
	unsigned n;
};

static bool is_injected(const struct judged_case *c);

static uint64_t place_of(const struct event *e)
{
	return (uint64_t)e->file << 32 | e->frame;
}

/*
 * A reset right behind a forged packet goes by the IP-ID series or the TTL of that, and not by its
 * sender's: what seems to explain it, the answer or its FIN, is forged too.
 */
static bool follows_forged(const struct view *v, unsigned forged, unsigned rst)
{
	const struct event *a = &v->e[forged], *b = &v->e[rst];
	if (rst < forged || b->ts_ns - a->ts_ns > BEHIND_NS)
		return false;
	uint16_t step = (uint16_t)(b->ip_id - a->ip_id);
	bool series = !v->ev->ipv6 && a->ip_id != 0 && step >= 1 && step <= BEHIND_STEP;
	bool foreign = v->synack >= 0 && abs((int)v->e[v->synack].ttl - b->ttl) > VIEW_TTL_TOLERANCE;
	return series || (foreign && a->ttl == b->ttl);
}

/* Resets of the same hand: behind a forged page, and the other way at the same moment. */
static void list_beside(const struct view *v, const struct judged_case *c, struct packet_list *l)
{
	bool pairs = c->cause == CAUSE_RESET && c->across != NULL, page = is_injected(c);
	const struct view *w = pairs ? c->across : v;
	unsigned most = l->n + BESIDE_MAX;
	if (c->verdict < VERDICT_LIKELY || v->ex != NULL ||
	    (!pairs && (c->cause != CAUSE_CONTENT || !page)))
		return;
	for (unsigned n = 0; n < w->n_rst; n++) {
		bool beside = false;
		for (unsigned i = 0; i < c->n_rows; i++) {
			for (unsigned k = 0; k < c->rows[i].t.n_suspects; k++) {
				unsigned s = c->rows[i].t.suspects[k];
				beside |= pairs ? temper_is_pair(w, w->rst[n], &v->e[s])
						: follows_forged(v, s, w->rst[n]);
			}
		}
		if (beside && l->n < most)
			l->at[l->n++] = place_of(&w->e[w->rst[n]]);
	}
}

static void list_suspects(const struct view *v, const struct judged_case *c, struct packet_list *l)
{
	bool icmp = false;
	for (unsigned i = 0; c != NULL && i < c->n_rows; i++) {
		icmp |= c->rows[i].sig->fact == FACT_ICMP;
		for (unsigned k = 0; k < c->rows[i].t.n_suspects; k++) {
			const struct event *e = &v->e[c->rows[i].t.suspects[k]];
			l->at[l->n++] = place_of(e);
		}
	}
	for (unsigned i = 0; icmp && i < v->ev->n_icmp; i++)
		l->at[l->n++] = (uint64_t)v->ev->more->icmp[i].file << 32 | v->ev->more->icmp[i].frame;
}

/* Every suspect's frame, once, rising within each file. */
static int take_packets(struct arena *a, const struct view *v, const struct judged_case *c,
			struct finding *f)
{
	struct packet_list l;
	l.n = 0; /* the 24 KiB behind it are written before they are read */
	list_suspects(v, c, &l);
	list_suspects(v, c->other, &l);
	list_beside(v, c, &l);
	qsort(l.at, l.n, sizeof(*l.at), compare_u64);
	unsigned n = 0;
	for (unsigned i = 0; i < l.n; i++)
		if (i == 0 || l.at[i] != l.at[i - 1])
			l.at[n++] = l.at[i];
	f->packets = arena_alloc(a, n * sizeof(*f->packets));
	f->packet_files = arena_alloc(a, n * sizeof(*f->packet_files));
	if (f->packets == NULL || f->packet_files == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		f->packets[i] = (uint32_t)l.at[i];
		f->packet_files[i] = (uint32_t)(l.at[i] >> 32);
	}
	f->n_packets = n;
	return 0;
}

/*
 * Which file a row's frame is in: of one timeline of several files each has a frame of that number. What a
 * row shows is one of its suspects or comes after them.
 */
static uint32_t file_of(const struct view *v, const struct judged_case *c, const struct testimony *t)
{
	const struct event *found = NULL;
	for (unsigned i = 0; i < t->n_suspects; i++)
		if (v->e[t->suspects[i]].frame == t->frame)
			return v->e[t->suspects[i]].file;
	for (unsigned i = 0; i < v->n; i++) {
		if (v->e[i].frame != t->frame)
			continue;
		found = &v->e[i];
		if (c->first >= 0 && i >= (unsigned)c->first)
			break;
	}
	for (unsigned i = 0; found == NULL && i < v->ev->n_icmp; i++)
		if (v->ev->more->icmp[i].frame == t->frame)
			return v->ev->more->icmp[i].file;
	return found != NULL ? found->file : 0;
}

static int take_rows(struct arena *a, const struct view *v, const struct judged_case *c,
		     struct finding *f)
{
	f->rows = arena_alloc(a, c->n_rows * sizeof(*f->rows));
	f->untestable = (struct not_testable *)(uintptr_t)arena_share(
		a, c->untestable, c->n_untestable * sizeof(*f->untestable));
	if (f->rows == NULL || f->untestable == NULL)
		return -ENOMEM;
	for (int grade = GRADE_D4; grade >= GRADE_D1; grade--) {
		for (unsigned i = 0; i < c->n_rows; i++) {
			const struct row *r = &c->rows[i];
			if ((int)r->t.grade != grade)
				continue;
			struct evidence_row *e = &f->rows[f->n_rows++];
			e->kind = r->sig->id;
			e->grade = r->t.grade;
			e->counted = r->counted;
			e->packet = r->t.frame;
			e->packet_file = file_of(v, c, &r->t);
			e->value = arena_text(a, r->t.value);
			e->expected = arena_text(a, r->t.expected);
			if (e->value == NULL || e->expected == NULL)
				return -ENOMEM;
		}
	}
	f->n_untestable = c->n_untestable;
	return 0;
}

/* Nothing of the request came through, and its name was in a later packet of the same flight. */
static bool is_one_flight(const struct view *v, const struct judged_case *c)
{
	for (int k = c->first; k <= v->trigger_event; k++)
		if (event_dir(&v->e[k]) == DIR_S2C || (v->e[k].bits & EVENT_RETX) != 0)
			return false;
	return cause_is_absence(c->cause) && v->e[c->first].len != 0;
}

/* The request was answered and another followed on the same connection: that one is not read. */
static bool asked_again(const struct view *v, int before)
{
	bool answered = false;
	for (int k = v->trigger_event + 1; v->trigger == TRIGGER_HOST && k < before; k++) {
		const struct event *e = &v->e[k];
		if (e->len == 0 || (e->flags & TCP_RST) != 0)
			continue;
		if (event_dir(e) == DIR_S2C)
			answered = true;
		else if (answered && seq_leq(v->request_end, e->seq))
			return true;
	}
	return false;
}

static void take_trigger(struct arena *a, const struct view *v, const struct judged_case *c,
			 struct finding *f)
{
	f->reaction_ms = -1;
	if (v->trigger == TRIGGER_NONE || v->trigger_event < 0 ||
	    (c->first >= 0 && v->trigger_event > c->first && !is_one_flight(v, c)))
		return;
	if (asked_again(v, c->first))
		return;
	const struct event *q = &v->e[v->trigger_event];
	f->trigger = v->trigger;
	f->trigger_value = arena_format(a, FINDING_TRIGGER, "%s", v->trigger_value);
	f->trigger_packet = q->frame;
	f->trigger_file = q->file;
	/* A clock that was set back in between does not say. */
	if (c->first >= 0 && !cause_is_absence(c->cause) && v->e[c->first].ts_ns >= q->ts_ns)
		f->reaction_ms = (double)(v->e[c->first].ts_ns - q->ts_ns) / 1e6;
}

static int compare_u16(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* Who the accused packets look like: said of a verdict that stands without it. */
static int take_devices(struct arena *a, const struct view *v, const struct judged_case *c,
			struct finding *f)
{
	uint16_t events[ROWS_MAX * TESTIMONY_SUSPECTS];
	unsigned n = 0, distinct = 0;
	if (cause_is_absence(c->cause) || (f->dns != NULL && !f->dns->told_apart))
		return 0;
	for (unsigned i = 0; i < c->n_rows; i++)
		for (unsigned k = 0; k < c->rows[i].t.n_suspects; k++)
			events[n++] = c->rows[i].t.suspects[k];
	qsort(events, n, sizeof(*events), compare_u16);
	for (unsigned i = 0; i < n; i++)
		if (event_dir(&v->e[events[i]]) == c->dir &&
		    (distinct == 0 || events[i] != events[distinct - 1]))
			events[distinct++] = events[i];
	return attribute(a, v, &(struct suspects){events, distinct}, f);
}

/*
 * The family says what was seen on the wire (architecture 5): content put into a TLS connection is
 * no page, and into other protocols it is a forged segment.
 */
static enum family family_of(const struct signature *sig, const struct flow_record *flow)
{
	if (sig->family != FAMILY_HTTP_INJECTION || flow->http != NULL || flow->response != NULL)
		return sig->family;
	return flow->tls != NULL || flow->tls_server != NULL ? FAMILY_TLS_FILTERING
							     : FAMILY_TCP_INJECTION;
}

/* Whether packets show that content is somebody else's: what it says and looks like does not. */
static bool is_injected(const struct judged_case *c)
{
	for (unsigned i = 0; i < c->n_rows; i++) {
		enum fact fact = c->rows[i].sig->fact;
		if (c->rows[i].t.grade >= GRADE_D3 && fact != FACT_PAGE && fact != FACT_ISSUER &&
		    fact != FACT_SHAPE)
			return true;
	}
	return false;
}

/* The page that the finding is about, with the rule that names it. */
static int take_page(struct arena *a, const struct view *v, const struct judged_case *c,
		     struct finding *f)
{
	struct page_facts *page;
	bool about = false;
	if (c->cause != CAUSE_CONTENT)
		return 0;
	f->injected = is_injected(c);
	for (unsigned i = 0; i < c->n_rows; i++)
		about |= c->rows[i].sig->fact == FACT_PAGE;
	if (!about || v->flow->page == NULL)
		return 0;
	page = arena_alloc(a, sizeof(*page));
	if (page == NULL)
		return -ENOMEM;
	*page = *v->flow->page;
	page->rule = rules_decide(&page->hits, context_country(v->flow));
	f->page = page;
	return 0;
}

/* What a rate's finding is about; its data may have gone either way. */
static int take_rate(struct arena *a, const struct view *v, struct finding *f)
{
	struct rate_facts *r = arena_alloc(a, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	*r = v->ex != NULL ? vpn_exchange_of(v->ex)->rate : *v->ev->more->rate;
	f->rate = r;
	f->direction = (enum dir)r->dir;
	return 0;
}

struct finding *finding_make(struct arena *a, const struct view *v, const struct judged_case *c,
			     struct flow_record *flow)
{
	struct finding *f = arena_alloc_often(a, sizeof(*f));
	if (f == NULL)
		return NULL;
	const struct signature *sig = strongest(c);
	f->id = sig->id;
	f->summary = sig->summary;
	f->refs = sig->refs;
	f->family = family_of(sig, flow);
	f->verdict = c->verdict;
	f->score = c->score;
	f->flow = flow;
	/* What did not arrive was the client's; but an exchange may have an odd answer instead. */
	f->direction = !cause_is_absence(c->cause)		       ? c->dir
		       : v->ex != NULL && c->first >= 0 ? event_dir(&v->e[c->first])
							: DIR_C2S;
	f->ts_ns = c->first >= 0 ? v->e[c->first].ts_ns : flow->first_ns;
	/* Silence is known by how far the connection had come, a forgery by when it arrived. */
	f->stage = view_stage(v, cause_is_absence(c->cause) || c->first < 0 ? v->n
									    : (unsigned)c->first);
	f->conditional = "untested";
	f->sentence = f->trigger_value = "";
	if ((c->cause == CAUSE_RATE || sig->fact == FACT_RATE) && take_rate(a, v, f) != 0)
		return NULL;
	take_trigger(a, v, c, f);
	if (c->cause == CAUSE_DNS && narrate_dns_facts(a, v, c, f) != 0)
		return NULL;
	if (take_packets(a, v, c, f) != 0 || take_rows(a, v, c, f) != 0 ||
	    take_page(a, v, c, f) != 0 || take_devices(a, v, c, f) != 0 ||
	    narrate(a, v, c, f) != 0)
		return NULL;
	/* A page that the packets do not show to be forged was stamped by whoever answered. */
	if (f->page != NULL && !f->injected)
		f->n_injectors = 0;
	return f;
}
