/* SPDX-License-Identifier: BSD-3-Clause */

/* What never arrived, and what arrived otherwise than it was sent. */

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/findings.h"

#define IDLE_NS	       20000000000ULL /* as for injected packets */
#define COPIES_ANOMALY 3
#define COPIES_LIKELY  4 /* as is asked of an unanswered request */
#define CONTROLS_MIN   2
#define LOOKED_MAX     512  /* dropped packets of one connection among which copies are counted */
#define MTU_MOST 1500 /* of most paths: what offload makes larger leaves the host in packets of that */

/* Copies of the same segment among dropped ones, none of which arrived; *one: the first of them. */
static uint32_t most_copies(const struct comparison *c, const struct link *l, enum compare_way way,
			    const uint32_t *v, uint32_t n, uint32_t *one)
{
	const struct view *sv = &c->view[sender_of(way)];
	const struct list *sl = &l->list[sender_of(way)][way];
	uint32_t best = 0;

	n = n < LOOKED_MAX ? n : LOOKED_MAX;
	for (uint32_t i = 0; i < n; i++) {
		const struct digest *a = &sv->d[v[i]];
		uint32_t copies = 1;
		if (a->twin != NO_INDEX || digest_span(a) == 0 || (a->flags & TCP_RST) != 0)
			continue;
		for (uint32_t k = i + 1; k < n; k++) {
			const struct digest *b = &sv->d[v[k]];
			copies += b->twin == NO_INDEX && b->seq == a->seq &&
				  (b->len > 0) == (a->len > 0) &&
				  ((a->flags ^ b->flags) & TCP_SYN) == 0;
		}
		if (copies <= best || copies < COPIES_ANOMALY)
			continue;
		/* A copy that did arrive makes it loss. */
		bool arrived = false;
		for (uint32_t k = 0; k < sl->n && !arrived; k++) {
			const struct digest *b = &sv->d[sl->v[k]];
			arrived = b->fate != FATE_DROPPED && b->fate != FATE_UNCOVERED &&
				  seq_leq(b->seq, a->seq) &&
				  seq_lt(a->seq, b->seq + digest_span(b));
		}
		if (!arrived) {
			best = copies;
			*one = v[i];
		}
	}
	return best;
}

static uint32_t gather(const struct comparison *c, const struct link *l, enum compare_way way,
		       enum compare_fate fate, uint32_t *v)
{
	const struct list *sl = &l->list[sender_of(way)][way];
	uint32_t n = 0;

	for (uint32_t i = 0; i < sl->n; i++) {
		if (c->view[sender_of(way)].d[sl->v[i]].fate == fate)
			v[n++] = sl->v[i];
	}
	return n;
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = ((const struct control *)a)->ts_ns, y = ((const struct control *)b)->ts_ns;
	return x < y ? -1 : x > y;
}

int controls_make(struct comparison *c, struct controls *out)
{
	uint32_t one, *v = malloc(((size_t)c->view[0].n + c->view[1].n + 1) * sizeof(*v));
	bool ok = v != NULL;

	for (unsigned way = 0; way < WAYS; way++) {
		const struct view *sv = &c->view[sender_of(way)];
		out->passed[way] = malloc(((size_t)sv->n + 1) * sizeof(*out->passed[way]));
		out->lost[way] = malloc(((size_t)sv->n + 1) * sizeof(*out->lost[way]));
		ok = ok && out->passed[way] != NULL && out->lost[way] != NULL;
		for (uint32_t i = 0; ok && i < c->n_links; i++) {
			struct link *l = &c->links[i];
			uint32_t n = gather(c, l, way, FATE_DROPPED, v);
			const struct list *sl = &l->list[sender_of(way)][way];
			bool tcp = sl->n > 0 && is_tcp(sv, &sv->d[sl->v[0]]);
			l->stuck[way] = n > 0 && tcp ? most_copies(c, l, way, v, n, &one) : 0;
			l->stuck_ns[way] = l->stuck[way] != 0 ? sv->d[one].ts_ns : 0;
			for (uint32_t k = 0; k < sl->n; k++) {
				const struct digest *d = &sv->d[sl->v[k]];
				if (d->fate == FATE_SAME || d->fate == FATE_RESEGMENTED) {
					out->passed[way][out->n[way]++] =
						(struct control){d->ts_ns, d->ip_len};
				} else if (d->fate == FATE_DROPPED && l->stuck[way] == 0) {
					out->lost[way][out->n_lost[way]++] =
						(struct control){d->ts_ns, d->ip_len};
				}
			}
		}
		if (ok) {
			qsort(out->passed[way], out->n[way], sizeof(*out->passed[way]), by_time);
			qsort(out->lost[way], out->n_lost[way], sizeof(*out->lost[way]), by_time);
		}
	}
	free(v);
	return ok ? 0 : -ENOMEM;
}

void controls_free(struct controls *k)
{
	for (unsigned way = 0; way < WAYS; way++) {
		free(k->passed[way]);
		free(k->lost[way]);
	}
}

/* How many of them fall between the two times; *first: the place of the first. */
static uint32_t between(const struct control *v, uint32_t n, uint64_t from, uint64_t to, uint32_t *first)
{
	uint32_t at[2];
	uint64_t want[2] = {from, to + 1};

	for (unsigned i = 0; i < 2; i++) {
		uint32_t lo = 0, hi = n;
		while (lo < hi) {
			uint32_t mid = lo + (hi - lo) / 2;
			if (v[mid].ts_ns < want[i])
				lo = mid + 1;
			else
				hi = mid;
		}
		at[i] = lo;
	}
	*first = at[0];
	return at[1] - at[0];
}

/* Small packets of the connection, from a time on: some were lost, and none got through. */
static bool small_ones_lost(const struct view *sv, const struct list *sl, uint64_t from)
{
	bool lost = false;

	for (uint32_t i = 0; i < sl->n; i++) {
		const struct digest *d = &sv->d[sl->v[i]];
		if (d->ts_ns < from || d->ip_len > MTU_SAFE)
			continue;
		if (d->fate != FATE_DROPPED)
			return false;
		lost = true;
	}
	return lost;
}

/*
 * Size may be all that decided: nothing as large got through while this was tried, and nothing small of the
 * connection was lost. A route can change: what it took before says nothing.
 */
static bool size_decides(const struct comparison *c, const struct controls *k, const struct link *l,
			 enum compare_way way, const struct digest *one, uint64_t to)
{
	uint32_t size = one->ip_len < MTU_MOST ? one->ip_len : MTU_MOST, first;
	uint32_t n = between(k->passed[way], k->n[way], one->ts_ns, to, &first);

	if (one->ip_len <= MTU_SAFE ||
	    small_ones_lost(&c->view[sender_of(way)], &l->list[sender_of(way)][way], one->ts_ns))
		return false;
	for (uint32_t i = first; i < first + n; i++) {
		if (k->passed[way][i].ip_len >= size)
			return false;
	}
	return true;
}

static const char *const benign_loss[] = {"loss on the path: a full queue or a bad link"};
static const char *const benign_mtu[] = {"a path whose MTU is smaller than these packets"};
static const char *const benign_idle[] = {
	"a translator or firewall that had forgotten the idle connection"};
static const char *const benign_forgot[] = {
	"a translator or firewall that had forgotten its connections"};
static const char *const benign_wall[] = {
	"a firewall that the operator of one of the two ends put there"};

static double share(uint32_t lost, uint32_t passed)
{
	return lost != 0 ? lost / ((double)lost + passed) : 0;
}

/*
 * How likely so many losses are by chance, by what else was lost in the capture and at that time: a policer's
 * bucket is empty for all.
 */
static double chance(const struct controls *k, enum compare_way way, uint64_t from, uint64_t to,
		     uint32_t copies)
{
	uint32_t first;
	double p = share(k->n_lost[way], k->n[way]), all = 1;
	double then = share(between(k->lost[way], k->n_lost[way], from, to, &first),
			    between(k->passed[way], k->n[way], from, to, &first));

	p = then > p ? then : p;
	p = p > LOSS_FLOOR ? p : LOSS_FLOOR;
	for (uint32_t i = 0; i < copies && i < 64; i++)
		all *= p;
	return all;
}

/* When a connection's packets after the first dropped one all were, they speak together (UDP). */
static uint32_t cut_for_good(const struct comparison *c, const struct link *l, enum compare_way way,
			     const uint32_t *v, uint32_t n)
{
	const struct view *sv = &c->view[sender_of(way)];
	const struct list *sl = &l->list[sender_of(way)][way];

	for (uint32_t i = 0; i < sl->n; i++) {
		const struct digest *d = &sv->d[sl->v[i]];
		if (d->fate != FATE_DROPPED && d->ts_ns > sv->d[v[0]].ts_ns)
			return 0;
	}
	return n;
}

struct drop_facts {
	uint32_t copies, passed;
	uint64_t from, to;
	bool tcp, mtu, forgot;
	uint64_t idle;
};

static void judge_drop(struct finding *f, const struct comparison *c, const struct controls *k,
		       enum compare_way way, const struct drop_facts *d)
{
	f->verdict = VERDICT_INCONCLUSIVE;
	f->benign = (const char **)benign_loss;
	f->n_benign = 1;
	if (d->mtu)
		f->benign = (const char **)benign_mtu;
	else if (d->tcp && d->idle >= IDLE_NS)
		f->benign = (const char **)benign_idle;
	else if (d->forgot)
		f->benign = (const char **)benign_forgot;
	else if (d->copies >= COPIES_ANOMALY && d->passed >= CONTROLS_MIN &&
		 !c->view[receiver_of(way)].lossy &&
		 chance(k, way, d->from, d->to, d->copies) < LOSS_CHANCE) {
		f->benign = (const char **)benign_wall;
		f->verdict =
			d->tcp && d->copies >= COPIES_LIKELY ? VERDICT_LIKELY : VERDICT_ANOMALY;
	}
	f->score = f->verdict == VERDICT_LIKELY ? 6 : f->verdict == VERDICT_ANOMALY ? 3 : 1;
}

bool conclude_dropped(struct comparison *c, const struct controls *k, const struct link *l,
		      enum compare_way way, uint32_t *v, uint32_t n)
{
	enum compare_side side = sender_of(way);
	struct view *sv = &c->view[side];
	struct finding *f = finding_new(c, l, side, way, v, n);
	struct drop_facts d = {.copies = 0};
	uint32_t one = v[0];
	char value[96], expected[96];

	if (f == NULL)
		return false;
	d.tcp = f->flow->proto == IPPROTO_TCP;
	d.copies = d.tcp ? most_copies(c, l, way, v, n, &one) : cut_for_good(c, l, way, v, n);
	if (!d.tcp && f->flow->server_port == 53)
		d.copies =
			0; /* silence says nothing of a name: resolvers are asked again at will */
	uint64_t from = sv->d[one].ts_ns, to = from;
	for (uint32_t i = 0; i < n; i++) {
		if (!d.tcp || sv->d[v[i]].seq == sv->d[one].seq)
			to = sv->d[v[i]].ts_ns > to ? sv->d[v[i]].ts_ns : to;
	}
	uint32_t first;
	d.from = from;
	d.to = to;
	d.passed = between(k->passed[way], k->n[way], from, to, &first);
	d.mtu = size_decides(c, k, l, way, &sv->d[one], to);
	d.idle = idle_before(c, l, side, from);
	d.forgot = d.tcp && forgot_dropped(c, l, way, from, to);
	judge_drop(f, c, k, way, &d);
	f->family = FAMILY_SILENT_DROP;
	f->id = f->verdict >= VERDICT_ANOMALY ? "two-sided-drop" : "two-sided-loss";
	f->summary = "packets leave one end and do not arrive at the other";
	f->refs = "two captures of one path";
	snprintf(value, sizeof(value), "%u packet%s", n, n == 1 ? "" : "s");
	finding_row(c, f, "never-arrived", c->view[receiver_of(way)].lossy ? GRADE_D1 : GRADE_D2,
		    sv->d[v[0]].frame, value, "in the other capture too");
	if (d.copies >= COPIES_ANOMALY) {
		snprintf(value, sizeof(value), "%u, and none arrived", d.copies);
		snprintf(expected, sizeof(expected),
			 "losses apart: %" PRIu32 " other packets got through meanwhile", d.passed);
		finding_row(c, f, d.tcp ? "every-copy" : "all-from-then-on", GRADE_D2,
			    sv->d[one].frame, value, expected);
	}
	f->sentence = arena_format(&c->arena, FINDING_SENTENCE,
		 "%u packet%s left the %s and did not arrive%s",
		 n, n == 1 ? "" : "s", side == SIDE_CLIENT ? "client" : "server",
		 f->verdict >= VERDICT_ANOMALY ? ", every copy of one of them, while others did"
					       : "");
	return true;
}

/* Rewritten */

/* The first two and the last two bytes have changed places, and nothing else. */
static bool is_swapped(const struct comparison *c, enum compare_side side, const struct digest *r)
{
	const struct view *v = &c->view[side], *o = &c->view[!side];
	const struct digest *s = &o->d[r->peer];
	uint32_t n = r->len;

	if (n < 4 || s->len != n || r->held != n || s->held != n || r->from >= r->to)
		return false;
	const uint8_t *x = payload_at(o, s, 0, n), *y = payload_at(v, r, 0, n);
	if (x == NULL || y == NULL || memcmp(x + 2, y + 2, n - 4) != 0)
		return false;
	/* The paper's words leave open whether a pair keeps its order. */
	bool kept = memcmp(y, x + n - 2, 2) == 0 && memcmp(y + n - 2, x, 2) == 0;
	bool turned = y[0] == x[n - 1] && y[1] == x[n - 2] && y[n - 1] == x[0] && y[n - 2] == x[1];
	return kept || turned;
}

struct modified_facts {
	const struct digest *reset, *swapped, *payload;
	bool translated;
};

static struct modified_facts modified_look(const struct comparison *c, enum compare_side side,
					   const uint32_t *v, uint32_t n)
{
	struct modified_facts k = {.reset = NULL};

	for (uint32_t i = n; i-- > 0;) {
		const struct digest *r = &c->view[side].d[v[i]];
		const struct digest *s = &c->view[!side].d[r->peer];
		bool tcp = is_tcp(&c->view[side], r);
		if (tcp && (r->flags & TCP_RST) != 0 && (s->flags & TCP_RST) == 0)
			k.reset = r;
		if (is_swapped(c, side, r))
			k.swapped = r;
		k.payload = (r->changed & (CHANGE_PAYLOAD | CHANGE_LENGTH)) != 0 ? r : k.payload;
		k.translated = k.translated || (r->changed & CHANGE_ADDRESSES) != 0;
	}
	return k;
}

static const char *const benign_gateway[] = {
	"an application-level gateway of a translator that writes addresses into payload"};

bool conclude_modified(struct comparison *c, const struct link *l, enum compare_way way,
		       uint32_t *v, uint32_t n)
{
	enum compare_side side = receiver_of(way);
	struct finding *f = finding_new(c, l, side, way, v, n);
	char value[96];

	if (f == NULL)
		return false;
	struct modified_facts k = modified_look(c, side, v, n);
	const struct digest *r = k.reset != NULL     ? k.reset
				 : k.swapped != NULL ? k.swapped
				 : k.payload != NULL ? k.payload
						     : &c->view[side].d[v[0]];
	bool dns = f->flow->proto != 6 && f->flow->server_port == 53;
	f->id = k.reset != NULL	    ? "two-sided-rst-rewrite"
		: k.swapped != NULL ? "two-sided-tamper-swap"
				    : "two-sided-rewrite";
	f->summary = k.reset != NULL ? "a packet of the sender arrives as a reset"
		     : k.swapped != NULL
			     ? "the first two and the last two bytes of payload are swapped"
			     : "packets arrive with another content than they were sent with";
	f->refs = k.reset != NULL     ? "Xue et al., TSPU, IMC 2022"
		  : k.swapped != NULL ? "Ablove et al., USENIX Security 2026"
				      : "two captures of one path";
	f->family = k.reset != NULL ? FAMILY_TCP_INJECTION
		    : dns	    ? FAMILY_DNS_INJECTION
				    : FAMILY_PAYLOAD_TAMPERING;
	f->verdict = VERDICT_CONFIRMED;
	if (k.reset == NULL && k.swapped == NULL) {
		bool gateway = k.translated && !dns;
		f->verdict = k.payload == NULL || gateway ? VERDICT_ANOMALY : VERDICT_CONFIRMED;
		f->benign = (const char **)benign_gateway;
		f->n_benign = 1;
	}
	f->score = f->verdict == VERDICT_CONFIRMED ? 10 : 3;
	f->injected = k.payload != NULL;
	if (r->from < r->to)
		snprintf(value, sizeof(value), "payload bytes %" PRIu32 " to %" PRIu32 " differ",
			 r->from, r->to - 1);
	else
		snprintf(value, sizeof(value), "flags 0x%03x, %" PRIu32 " bytes", r->flags, r->len);
	char expected[96];
	const struct digest *s = &c->view[!side].d[r->peer];
	snprintf(expected, sizeof(expected),
		 "as sent in frame %" PRIu64 ": flags 0x%03x, %" PRIu32 " bytes", s->frame,
		 s->flags, s->len);
	finding_row(c, f, "rewritten", f->verdict == VERDICT_CONFIRMED ? GRADE_D4 : GRADE_D1, r->frame,
		    value, expected);
	f->sentence = arena_format(&c->arena, FINDING_SENTENCE,
		 "%u packet%s reached the %s otherwise than sent",
		 n, n == 1 ? "" : "s", side == SIDE_CLIENT ? "client" : "server");
	return true;
}
