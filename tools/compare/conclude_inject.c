/* SPDX-License-Identifier: BSD-3-Clause */

/* What arrived at one end and never left the other. */

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "tools/compare/findings.h"

#define IDLE_NS	  20000000000ULL /* a translator forgets no sooner */

static const char *const side_name[SIDES] = {"client", "server"};

static bool starts(const struct view *v, const struct digest *d, const char *what, uint32_t n)
{
	const uint8_t *p = payload_at(v, d, 0, n);
	return p != NULL && memcmp(p, what, n) == 0;
}

static enum family family_of(const struct comparison *c, enum compare_side side,
			     const struct finding *f, const uint32_t *v, uint32_t n)
{
	const struct view *view = &c->view[side];

	if (f->flow->proto == PROTO_UDP && f->flow->server_port == 53)
		return FAMILY_DNS_INJECTION;
	if (f->flow->proto != 6)
		return FAMILY_PAYLOAD_TAMPERING;
	for (uint32_t i = 0; i < n; i++) {
		if (starts(view, &view->d[v[i]], "HTTP/", 5))
			return FAMILY_HTTP_INJECTION;
	}
	return FAMILY_TCP_INJECTION;
}

static const char *const benign_injected[] = {
	"a firewall, translator or proxy that the operator of one of the two ends put there",
};
static const char *const benign_idle[] = {
	"a translator or firewall that had forgotten the idle connection",
};
static const char *const benign_forgot[] = {
	"a translator that had forgotten its connections, and refuses in its own name",
};
static const char *const benign_over[] = {
	"a load balancer or firewall that resets what both ends had already closed",
};
static const char *const benign_missed[] = {
	"a packet of the sender's own, which its capture missed",
};
static const char *const benign_proxy[] = {
	"a performance-enhancing proxy, load balancer or SYN proxy that ends connections itself",
};

/* Both ends had said FIN: there was no outcome left to change. */
static bool was_over(const struct comparison *c, const struct link *l, enum compare_side side,
		     uint64_t ts_ns)
{
	bool fin[WAYS] = {false, false};

	for (unsigned way = 0; way < WAYS; way++) {
		const struct list *p = &l->list[side][way];
		for (uint32_t i = 0; i < p->n && !fin[way]; i++) {
			const struct digest *d = &c->view[side].d[p->v[i]];
			fin[way] = d->ts_ns < ts_ns && (d->flags & TCP_FIN) != 0 &&
				   d->fate != FATE_INJECTED;
		}
	}
	return fin[0] && fin[1];
}

struct injected_facts {
	bool rst, syn_ack, data, went_on, refused, fin_first;
	enum grade lacking;
	uint64_t went_on_frame;
};

/* What the packets are, and whether the sender contradicts them by going on. */
static struct injected_facts look_at(const struct comparison *c, const struct link *l,
				     enum compare_way way, const uint32_t *v, uint32_t n)
{
	const struct view *rv = &c->view[receiver_of(way)];
	const struct list *rl = &l->list[receiver_of(way)][way];
	struct injected_facts k = {.rst = false};
	uint64_t first = UINT64_MAX;

	for (uint32_t i = 0; i < n; i++) {
		const struct digest *d = &rv->d[v[i]];
		bool ends = (d->flags & (TCP_RST | TCP_FIN)) != 0;
		k.rst = k.rst || (d->flags & TCP_RST) != 0;
		k.syn_ack = k.syn_ack ||
			    (d->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK);
		k.data = k.data || d->len > 0;
		if (ends && d->ts_ns < first)
			first = d->ts_ns;
	}
	/* A host that has reset a connection sends no data on it: by its own capture, which is in
	 * order. Ports are used again. */
	for (uint32_t i = 0; i < rl->n && first != UINT64_MAX && !k.went_on; i++) {
		const struct digest *d = &rv->d[rl->v[i]];
		if (d->ts_ns > first && (d->flags & TCP_SYN) != 0)
			break;
		if (d->fate == FATE_SAME && d->ts_ns > first && (d->flags & TCP_RST) == 0 &&
		    d->len > 0) {
			k.went_on = true;
			k.went_on_frame = d->frame;
		}
	}
	return k;
}

/* Beside a packet that both ends have, with the TTL that the path leaves its sender's. */
static void ttl_row(struct comparison *c, const struct link *l, enum compare_side side,
		    enum compare_way way, const struct digest *d, struct finding *f)
{
	const struct list *rl = &l->list[side][way];
	char value[96], expected[96];
	for (uint32_t i = 0; i < rl->n; i++) {
		const struct digest *o = &c->view[side].d[rl->v[i]];
		if (o->fate != FATE_SAME || o->ttl == d->ttl)
			continue;
		snprintf(value, sizeof(value), "%u", d->ttl);
		snprintf(expected, sizeof(expected), "%u, as of frame %" PRIu64, o->ttl, o->frame);
		finding_row(c, f, "ttl", GRADE_D2, d->frame, value, expected);
		return;
	}
}

#define CHANCE_NONE   1e-4 /* that a capture's own gaps fell just so: no other explanation is left */
#define CHANCE_LITTLE 1e-2

/* How much it says that the sender's capture lacks them. */
static enum grade lacking_grade(const struct comparison *c, const struct link *l, enum compare_way way,
				const uint32_t *v, uint32_t n)
{
	double chance = missed_chance(&c->doubt[way]);

	if (c->view[sender_of(way)].lossy)
		return GRADE_D1;
	if (!missed_may_all(c, l, way, v, n) || missed_beside_forged(c, l, way, v, n))
		return GRADE_D4;
	return !missed_decides(c, l, way) || chance >= CHANCE_LITTLE ? GRADE_D2
	       : chance >= CHANCE_NONE				   ? GRADE_D3
								   : GRADE_D4;
}

static void judge_injected(const struct comparison *c, const struct link *l, enum compare_side from,
			   struct finding *f, const struct injected_facts *k)
{
	enum compare_side side = !from;
	uint64_t ns = f->ts_ns, idle = idle_before(c, l, side, ns);
	bool tcp = f->flow->proto == IPPROTO_TCP, split = strcmp(f->id, "two-sided-split") == 0;
	const char *const *benign = benign_injected;

	f->verdict = k->lacking == GRADE_D3 && !k->went_on ? VERDICT_LIKELY : VERDICT_CONFIRMED;
	if (k->refused) {
		f->verdict = VERDICT_ANOMALY;
		benign = benign_forgot;
	} else if (c->view[from].lossy && !k->went_on) {
		f->verdict = VERDICT_INCONCLUSIVE;
	} else if (k->lacking == GRADE_D2 && !k->went_on) {
		f->verdict = VERDICT_ANOMALY;
		benign = benign_missed;
	} else if (split) {
		f->verdict = VERDICT_ANOMALY;
		benign = benign_proxy;
	} else if (tcp && !k->data && was_over(c, l, side, ns)) {
		f->verdict = VERDICT_ANOMALY;
		benign = benign_over;
	} else if (tcp && idle >= IDLE_NS) {
		f->verdict = VERDICT_ANOMALY;
		benign = benign_idle;
	} else if (tcp && !k->rst && !k->data && !k->syn_ack && !k->fin_first) {
		f->verdict = VERDICT_ANOMALY; /* acknowledgements in the other's name */
		benign = benign_proxy;
	}
	f->benign = (const char **)benign;
	f->n_benign = 1;
	static const double scores[] = {[VERDICT_INCONCLUSIVE] = 1, [VERDICT_ANOMALY] = 4,
					[VERDICT_LIKELY] = 6, [VERDICT_CONFIRMED] = 10};
	f->score = scores[f->verdict];
}

bool conclude_injected(struct comparison *c, const struct link *l, enum compare_way way,
			      uint32_t *v, uint32_t n)
{
	enum compare_side side = receiver_of(way), from = sender_of(way);
	struct finding *f = finding_new(c, l, side, way, v, n);

	if (f == NULL)
		return false;
	const struct digest *d = &c->view[side].d[v[0]];
	struct injected_facts k = look_at(c, l, way, v, n);
	bool split = k.syn_ack && n >= 3;
	char value[96], expected[96];

	f->id = split ? "two-sided-split" : k.rst ? "two-sided-reset" : "two-sided-injection";
	f->summary = split ? "a connection is ended between its ends, and another one made"
			   : "packets arrive at one end that the other end never sent";
	f->refs = "two captures of one path";
	f->family = family_of(c, side, f, v, n);
	f->injected = k.data;
	snprintf(value, sizeof(value), "%u packet%s at the %s", n, n == 1 ? "" : "s",
		 side_name[side]);
	snprintf(expected, sizeof(expected), "in the capture of the %s too", side_name[from]);
	enum grade lacking = lacking_grade(c, l, way, v, n);
	/* Nobody needs to forge a packet from an address that is his own. */
	k.refused = way == WAY_UP && forgot_refused(c, l);
	lacking = k.refused && lacking > GRADE_D2 ? GRADE_D2 : lacking;
	k.lacking = lacking;
	k.fin_first = (d->flags & TCP_FIN) != 0;
	finding_row(c, f, "never-sent", lacking, d->frame, value, expected);
	if (c->hops[way] >= 0 && n > 0)
		ttl_row(c, l, side, way, d, f);
	if (k.went_on && !k.refused)
		finding_row(c, f, "sender-went-on", GRADE_D4, k.went_on_frame,
			    "data of the sender after it", "none after a reset or FIN");
	judge_injected(c, l, from, f, &k);
	f->sentence = arena_format(&c->arena, FINDING_SENTENCE,
		 "%u packet%s reached the %s that %s capture does not show leaving the %s", n,
		 n == 1 ? "" : "s", side_name[side],
		 c->view[from].lossy ? "a capture with gaps of its own at the other end: that"
		 : lacking == GRADE_D2 && !k.went_on ? "the" : "the complete",
		 side_name[from]);
	return true;
}
