/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the box did to one conversation at one port. That it did so is certain, since both ends are
 * the tester's; what is judged is whether it changed the connection's outcome, and what else does
 * the same.
 */

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "tools/audit/model_private.h"

#define MTU_SAFE 1280 /* what every link must carry: RFC 8200, section 5 */
#define LOSS_MAX 0.01 /* of other conversations: above it a box loses frames of all kinds */
#define CUT_MIN	 3    /* frames after which a way that carried frames before counts as shut */

static const char *const end_name[SIDES] = {"client", "server"};
static const char *const benign_proxy[] = {
	"a performance-enhancing proxy, load balancer or SYN proxy that ends connections itself"};
static const char *const benign_gateway[] = {
	"an application-level gateway of a translator that writes addresses into payload"};
static const char *const benign_queue[] = {
	"a queue of the box that was full: audit load says at what rate it loses frames"};
static const char *const benign_mtu[] = {"an MTU of the box that is smaller than these packets"};
static const char *const benign_open[] = {
	"a router that says openly why: it has no route there, or the packets are too long for it"};

static void row(struct audit_model *m, struct finding *f, const char *kind, enum grade grade, uint64_t frame,
		const char *value, const char *expected)
{
	struct evidence_row *r = &f->rows[f->n_rows];

	if (f->n_rows == AUDIT_ROWS_MAX)
		return;
	f->n_rows++;
	*r = (struct evidence_row){.kind = kind, .grade = grade, .counted = true, .packet = frame};
	r->value = arena_format(&m->arena, EVIDENCE_TEXT, "%s", value);
	r->expected = arena_format(&m->arena, EVIDENCE_TEXT, "%s", expected);
}

static const char *s_of(uint32_t n)
{
	return n == 1 ? "" : "s";
}

static bool is_dns(const struct ledger_frame *f)
{
	return f->proto == IPPROTO_UDP && (f->key.lo_port == 53 || f->key.hi_port == 53);
}

struct looks {
	bool rst, fin, syn_ack, data, dns;
};

static struct looks look_at(const struct ledger_frame *frames, const uint32_t *v, uint32_t n)
{
	struct looks k = {.rst = false};

	for (uint32_t i = 0; i < n; i++) {
		const struct ledger_frame *f = &frames[v[i]];
		k.rst |= (f->flags & TCP_RST) != 0;
		k.fin |= (f->flags & TCP_FIN) != 0;
		k.syn_ack |= (f->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK);
		k.data |= f->len > 0;
		k.dns |= is_dns(f);
	}
	return k;
}

/* A TTL that no frame of the conversation came with. */
static void ttl_row(struct audit_model *m, struct finding *f, const struct slice *all,
		    const struct ledger_frame *frames, uint32_t at)
{
	char value[16], expected[64];

	for (uint32_t i = 0; i < all->n; i++) {
		const struct ledger_frame *o = &frames[all->v[i].index];
		if (o->ours || o->peer == LEDGER_NONE)
			continue;
		if (o->ttl == frames[at].ttl)
			return;
		snprintf(value, sizeof(value), "%u", frames[at].ttl);
		snprintf(expected, sizeof(expected), "%u, as of frame %" PRIu32, o->ttl,
			 all->v[i].index + 1);
		row(m, f, "ttl", GRADE_D2, (uint64_t)at + 1, value, expected);
		return;
	}
}

static bool conclude_injected(struct audit_model *m, const struct slice *all, const uint32_t *v,
			      uint32_t n)
{
	struct finding *f = audit_finding_new(m, all, v, n);
	uint32_t count;
	const struct ledger_frame *frames = ledger_frames(m->ledger, all->port, &count);
	struct looks k = look_at(frames, v, n);
	bool tcp = frames[v[0]].proto == IPPROTO_TCP;
	char value[96];

	if (f == NULL)
		return false;
	f->direction = all->port == SIDE_CLIENT ? DIR_S2C : DIR_C2S;
	f->id = k.rst ? "two-sided-reset" : "two-sided-injection";
	f->summary = "frames arrive at one port of the tester that the other port never sent";
	f->refs = "both ends are the tester's";
	if (f->page == NULL && f->dns == NULL)
		f->family = k.dns ? FAMILY_DNS_INJECTION
			    : tcp ? FAMILY_TCP_INJECTION
				  : FAMILY_PAYLOAD_TAMPERING;
	f->injected = k.data;
	f->verdict = VERDICT_CONFIRMED;
	if (tcp && !k.rst && !k.data && !k.fin) {
		f->verdict = VERDICT_ANOMALY; /* acknowledgements in the other's name */
		f->benign = (const char **)benign_proxy;
		f->n_benign = 1;
	}
	f->score = f->verdict == VERDICT_CONFIRMED ? 10 : 4;
	snprintf(value, sizeof(value), "%" PRIu32 " frame%s at the %s's port", n, s_of(n),
		 end_name[all->port]);
	row(m, f, "never-sent", GRADE_D4, (uint64_t)v[0] + 1, value,
	    "among all that the other port sent");
	ttl_row(m, f, all, frames, v[0]);
	f->sentence = arena_format(&m->arena, FINDING_SENTENCE,
		 "%" PRIu32 " frame%s reached the %s's port that the %s's never sent: the box made "
		 "%s",
		 n, s_of(n), end_name[all->port], end_name[!all->port], n == 1 ? "it" : "them");
	return true;
}

static bool conclude_modified(struct audit_model *m, const struct slice *all, const uint32_t *v,
			      uint32_t n)
{
	struct finding *f = audit_finding_new(m, all, v, n);
	uint32_t count, other;
	const struct ledger_frame *frames = ledger_frames(m->ledger, all->port, &count);
	const struct ledger_frame *sent = ledger_frames(m->ledger, !all->port, &other);
	uint32_t at = v[0];
	bool reset = false, translated = false;
	char value[96], expected[96];

	if (f == NULL)
		return false;
	for (uint32_t i = n; i-- > 0;) {
		const struct ledger_frame *r = &frames[v[i]];
		bool rst = (r->flags & TCP_RST) != 0 && (sent[r->peer].flags & TCP_RST) == 0;
		at = rst ? v[i] : at;
		reset |= rst;
		translated |= (r->changed & CHANGE_ADDRESSES) != 0;
	}
	const struct ledger_frame *r = &frames[at], *s = &sent[r->peer];
	f->direction = all->port == SIDE_CLIENT ? DIR_S2C : DIR_C2S;
	f->id = reset ? "two-sided-rst-rewrite" : "two-sided-rewrite";
	f->summary = reset ? "a packet of the sender arrives as a reset"
			   : "packets arrive with another content than they were sent with";
	f->refs = reset ? "Xue et al., TSPU, IMC 2022" : "both ends are the tester's";
	f->family = reset	? FAMILY_TCP_INJECTION
		    : is_dns(r) ? FAMILY_DNS_INJECTION
				: FAMILY_PAYLOAD_TAMPERING;
	f->verdict = translated && !reset && !is_dns(r) ? VERDICT_ANOMALY : VERDICT_CONFIRMED;
	f->benign = (const char **)benign_gateway;
	f->n_benign = translated && !reset;
	f->score = f->verdict == VERDICT_CONFIRMED ? 10 : 3;
	f->injected = !reset;
	snprintf(value, sizeof(value), "flags 0x%03x, %" PRIu32 " bytes", r->flags, r->len);
	snprintf(expected, sizeof(expected),
		 "as sent in frame %" PRIu32 ": flags 0x%03x, %" PRIu32 " bytes", r->peer + 1,
		 s->flags, s->len);
	row(m, f, "rewritten", GRADE_D4, (uint64_t)at + 1, value, expected);
	f->sentence = arena_format(&m->arena, FINDING_SENTENCE,
		 "%" PRIu32 " frame%s reached the %s's port otherwise than sent", n, s_of(n),
		 end_name[all->port]);
	return true;
}

struct drop {
	uint32_t passed_before, passed_after; /* of the conversation, this way */
	uint32_t longest;		      /* IP packet that was dropped */
	double loss;			      /* of plain frames of others, this way */
	bool acted;			      /* the box spoke up: a reset, an ICMP refusal */
	bool said;			      /* it said by ICMP that it could not, and no more */
};

static struct drop drop_facts(const struct audit_model *m, const struct slice *all,
			      const uint32_t *v, uint32_t n)
{
	enum compare_way way = all->port == SIDE_CLIENT ? WAY_UP : WAY_DOWN;
	uint32_t count, k = 0;
	const struct ledger_frame *frames = ledger_frames(m->ledger, all->port, &count);
	const struct ledger_flow *flow = &ledger_flows(m->ledger, &count)[all->flow];
	const struct plain *own = &m->plain[way][all->flow], *of_all = &m->all_plain[way];
	struct drop d = {.acted = false};

	for (uint32_t i = 0; i < all->n; i++) {
		const struct ledger_frame *f = &frames[all->v[i].index];
		if (!f->ours)
			continue;
		if (k < n && v[k] == all->v[i].index) {
			k++;
			d.longest = f->ip_len > d.longest ? f->ip_len : d.longest;
			continue;
		}
		d.passed_before += k == 0;
		d.passed_after += k > 0;
	}
	uint64_t others = of_all->sent - own->sent;
	d.loss = others > 0 ? (double)(of_all->lost - own->lost) / (double)others : 0;
	d.acted = flow->prohibited > 0 || flow->fates[WAY_UP][FATE_INJECTED] > 0 ||
		  flow->fates[WAY_DOWN][FATE_INJECTED] > 0;
	d.said = flow->errors > 0 && !d.acted;
	return d;
}

/* largest: IP packet of any conversation that came through. */
static void judge_drop(struct finding *f, const struct drop *d, uint32_t n, uint32_t largest)
{
	bool shut = d->passed_after == 0 && n >= CUT_MIN;
	bool mtu = !d->acted && d->longest > MTU_SAFE && d->longest > largest;

	f->n_benign = 1;
	f->verdict = VERDICT_LIKELY;
	f->benign = (const char **)benign_queue;
	if (d->said) {
		f->verdict = VERDICT_INCONCLUSIVE;
		f->benign = (const char **)benign_open;
	} else if (mtu) {
		f->benign = (const char **)benign_mtu;
		f->verdict = VERDICT_ANOMALY;
	} else if (d->acted || (shut && d->loss < LOSS_MAX)) {
		f->verdict = VERDICT_CONFIRMED;
		f->n_benign = 0;
	} else if (d->loss >= LOSS_MAX) {
		f->verdict = VERDICT_ANOMALY;
	}
	f->score = f->verdict == VERDICT_CONFIRMED ? 10
		   : f->verdict == VERDICT_LIKELY  ? 6
		   : f->verdict == VERDICT_ANOMALY ? 3
						   : 1;
}

static bool conclude_dropped(struct audit_model *m, const struct slice *all, const uint32_t *v,
			     uint32_t n)
{
	struct finding *f = audit_finding_new(m, all, v, n);
	struct drop d = drop_facts(m, all, v, n);
	char value[96], expected[96];

	if (f == NULL)
		return false;
	f->direction = all->port == SIDE_CLIENT ? DIR_C2S : DIR_S2C;
	judge_drop(f, &d, n, m->largest);
	f->family = FAMILY_SILENT_DROP;
	f->id = f->verdict >= VERDICT_ANOMALY ? "two-sided-drop" : "two-sided-loss";
	f->summary = "frames leave one port of the tester and do not arrive at the other";
	f->refs = "both ends are the tester's";
	snprintf(value, sizeof(value), "%" PRIu32 " frame%s", n, s_of(n));
	row(m, f, "never-arrived", GRADE_D4, (uint64_t)v[0] + 1, value,
	    "at the other port, whose capture lost none");
	if (d.passed_after == 0 && n >= CUT_MIN) {
		snprintf(value, sizeof(value), "%" PRIu32 ", and none came through after them", n);
		snprintf(expected, sizeof(expected), "%" PRIu32 " came through before",
			 d.passed_before);
		row(m, f, "all-from-then-on", GRADE_D2, (uint64_t)v[0] + 1, value, expected);
	} else {
		snprintf(value, sizeof(value),
			 "%" PRIu32 " before and %" PRIu32 " after came through", d.passed_before,
			 d.passed_after);
		row(m, f, "others-passed", GRADE_D1, (uint64_t)v[0] + 1, value, "");
	}
	f->sentence = arena_format(&m->arena, FINDING_SENTENCE,
		 "%" PRIu32
		 " frame%s left the %s's port and did not reach the %s's: the box dropped "
		 "%s",
		 n, s_of(n), end_name[all->port], end_name[!all->port], n == 1 ? "it" : "them");
	return true;
}

bool audit_conclude(struct audit_model *m, const struct slice *all, enum compare_fate fate,
		    const uint32_t *v, uint32_t n)
{
	return fate == FATE_INJECTED   ? conclude_injected(m, all, v, n)
	       : fate == FATE_MODIFIED ? conclude_modified(m, all, v, n)
				       : conclude_dropped(m, all, v, n);
}
