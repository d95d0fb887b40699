/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What triggered a finding, whether what asked the same server for something else went through, and
 * tunnels whose answer was on its way and did not arrive (VPN-HS-1WAY).
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/vpn.h"
#include "tools/compare/findings.h"
#include "tools/compare/names.h"

#define TRIES 2          /* of a name, or of others, before anything is said of a condition */
#define CONTROLS_MAX 16
#define LOOKED_MAX 4096  /* conversations of one server among which controls are looked for */
#define ANSWERS_MIN 4    /* dropped, as is asked of an unanswered request */

/* A conversation as a try of what it asked for. */
struct told {
	struct ip_addr server;
	uint64_t flow_id;
	enum trigger_kind kind;
	const char *name;
	uint32_t link;
	uint8_t proto;
	bool failed, passed;
};

static int by_server(const void *x, const void *y)
{
	const struct told *a = x, *b = y;
	int by = memcmp(&a->server, &b->server, sizeof(a->server));
	return by != 0 ? by : (int)a->proto - (int)b->proto;
}

static int by_name(const void *x, const void *y)
{
	const struct told *a = x, *b = y;
	int by = by_server(x, y);
	by = by != 0 ? by : (int)a->kind - (int)b->kind;
	by = by != 0 ? by : strcmp(a->name, b->name);
	return by != 0 ? by : a->flow_id < b->flow_id ? -1 : a->flow_id > b->flow_id;
}

struct asked names_asked_by(const struct comparison *c, const struct link *l, uint64_t client_ns)
{
	struct asked out = {.rec = NULL};

	for (unsigned side = 0; side < SIDES && out.kind == TRIGGER_NONE; side++) {
		if (l->convs[side] == 0)
			continue;
		uint64_t ns = client_ns;
		if (side == SIDE_SERVER)
			ns += (uint64_t)c->clock.offset_ns;
		out = names_asked(c->names, side, &c->view[side].conv[l->first_conv[side]], ns);
	}
	return out;
}

static uint64_t client_time(const struct comparison *c, const struct finding *f)
{
	return f->flow->capture == SIDE_SERVER ? f->ts_ns - (uint64_t)c->clock.offset_ns : f->ts_ns;
}

/* The packet that completed the name, in the capture that the finding speaks of. */
static uint64_t frame_of(const struct comparison *c, const struct link *l, enum compare_side side,
			 uint64_t ns)
{
	for (unsigned way = 0; way < WAYS && ns != 0; way++) {
		const struct list *p = &l->list[SIDE_CLIENT][way];
		for (uint32_t i = 0; i < p->n; i++) {
			const struct digest *d = &c->view[SIDE_CLIENT].d[p->v[i]];
			if (d->ts_ns == ns && side == SIDE_CLIENT)
				return d->frame;
			if (d->ts_ns == ns)
				return d->peer != NO_INDEX ? c->view[side].d[d->peer].frame : 0;
		}
	}
	return 0;
}

static void tell_flow(struct flow_record *f, const struct flow_record *known)
{
	if (known == NULL)
		return;
	f->app_proto = known->app_proto;
	f->labels = known->labels;
	f->n_labels = known->n_labels;
	f->tls = known->tls;
	f->http = known->http;
	f->quic = known->quic;
	f->vpn = known->vpn;
}

void names_of_flow(const struct comparison *c, const struct link *l, struct flow_record *flow)
{
	bool server = flow->capture == SIDE_SERVER;
	uint64_t ns = flow->last_ns - (server ? (uint64_t)c->clock.offset_ns : 0);

	tell_flow(flow, names_asked_by(c, l, ns).rec);
}

static void tell_trigger(struct comparison *c, struct finding *f, const struct link *l)
{
	struct asked k = names_asked_by(c, l, client_time(c, f));
	struct flow_record *flow = (struct flow_record *)f->flow;

	tell_flow(flow, k.rec);
	if (k.kind == TRIGGER_NONE)
		return;
	f->trigger = k.kind;
	f->trigger_value = arena_format(&c->arena, FINDING_TRIGGER, "%s", k.name);
	f->trigger_packet = frame_of(c, l, (enum compare_side)f->flow->capture, k.ns);
}

/* All conversations that asked for something, but for DNS, whose queries share one. */
static size_t tell_all(const struct comparison *c, const bool *bad, struct told *list)
{
	size_t n = 0;

	for (uint32_t i = 0; i < c->n_links; i++) {
		const struct link *l = &c->links[i];
		if (l->convs[SIDE_CLIENT] == 0)
			continue;
		const struct conversation *k = &c->view[SIDE_CLIENT].conv[l->first_conv[SIDE_CLIENT]];
		struct asked a = names_asked_by(c, l, k->last_ns);
		if (a.kind == TRIGGER_NONE || a.kind == TRIGGER_QNAME)
			continue;
		list[n++] = (struct told){
			.server = k->a_is_lo ? k->key.hi : k->key.lo,
			.flow_id = (uint64_t)SIDE_CLIENT << 40 | k->first_frame << 2,
			.kind = a.kind, .name = a.name, .link = i, .proto = k->key.proto,
			.failed = bad[i], .passed = !bad[i] && a.passed,
		};
	}
	qsort(list, n, sizeof(*list), by_name);
	return n;
}

struct count {
	unsigned passed, failed;
};

static struct count count_of(const struct told *list, size_t n)
{
	struct count k = {0, 0};
	for (size_t i = 0; i < n; i++) {
		k.passed += list[i].passed;
		k.failed += list[i].failed;
	}
	return k;
}

/* The tries of one name, among all at its server: [from, to) of n. */
struct condition {
	const char *word;
	uint64_t *controls;
	unsigned n_controls;
};

static struct condition condition_of(struct comparison *c, const struct told *list, size_t n,
				     size_t from, size_t to, struct count all)
{
	struct count mine = count_of(list + from, to - from);
	struct condition out = {.word = "untested"};
	unsigned ok = all.passed - mine.passed, failed = all.failed - mine.failed;

	if (mine.failed >= TRIES && mine.passed == 0 && failed == 0 && ok >= TRIES)
		out.word = "yes";
	else if (mine.failed != 0 && ok == 0 && failed >= TRIES)
		out.word = "no";
	else
		return out;
	out.controls = arena_alloc(&c->arena, CONTROLS_MAX * sizeof(*out.controls));
	n = n < LOOKED_MAX ? n : LOOKED_MAX;
	for (size_t i = 0; out.controls != NULL && i < n && out.n_controls < CONTROLS_MAX; i++)
		if ((i < from || i >= to) && list[i].passed)
			out.controls[out.n_controls++] = list[i].flow_id;
	return out;
}

/* of: by link, what became of its finding's condition. */
static void tell_server(struct comparison *c, const struct told *list, size_t n,
			struct condition *of)
{
	struct count all = count_of(list, n);

	for (size_t from = 0, to; all.failed != 0 && from < n; from = to) {
		for (to = from + 1; to < n && list[to].kind == list[from].kind &&
				    strcmp(list[to].name, list[from].name) == 0; to++)
			;
		struct count mine = count_of(list + from, to - from);
		if (mine.failed == 0)
			continue;
		struct condition k = condition_of(c, list, n, from, to, all);
		for (size_t i = from; i < to; i++)
			of[list[i].link] = k;
	}
}

int names_conditions(struct comparison *c)
{
	struct analysis *a = &c->analysis;
	bool *bad = calloc((size_t)c->n_links + 1, sizeof(*bad));
	struct told *list = calloc((size_t)c->n_links + 1, sizeof(*list));
	struct condition *of = calloc((size_t)c->n_links + 1, sizeof(*of));
	int err = bad == NULL || list == NULL || of == NULL ? -ENOMEM : 0;

	for (size_t i = 0; err == 0 && i < a->n_findings; i++)
		bad[a->findings[i]->compare->conversation] |=
			a->findings[i]->verdict >= VERDICT_ANOMALY;
	size_t n = err == 0 ? tell_all(c, bad, list) : 0;
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && by_server(&list[from], &list[to]) == 0;)
			to++;
		tell_server(c, list + from, to - from, of);
	}
	for (size_t i = 0; err == 0 && i < a->n_findings; i++) {
		struct finding *f = a->findings[i];
		const struct condition *k = &of[f->compare->conversation];
		if (k->word == NULL || f->verdict < VERDICT_ANOMALY || f->trigger == TRIGGER_QNAME)
			continue;
		f->conditional = k->word;
		f->controls = k->controls;
		f->n_controls = k->n_controls;
	}
	free(bad);
	free(list);
	free(of);
	return err;
}

static const char *const benign_one_way[] = {
	"a firewall that the operator of one of the two ends put there"};

/* The server's capture has the answer to a tunnel's first message, the client's has none. */
static void tell_one_way(struct comparison *c, struct finding *f, const struct link *l)
{
	struct asked k[SIDES];
	char value[96];
	bool up = (f->direction == DIR_C2S) == l->a_up;

	if (f->flow->proto != PROTO_UDP || f->family != FAMILY_SILENT_DROP || up == l->a_up ||
	    f->n_packets < ANSWERS_MIN || l->convs[0] == 0 || l->convs[1] == 0)
		return;
	for (unsigned side = 0; side < SIDES; side++) {
		const struct conversation *v = &c->view[side].conv[l->first_conv[side]];
		k[side] = names_asked(c->names, side, v, v->last_ns);
		if (k[side].rec == NULL || k[side].rec->vpn == NULL)
			return;
	}
	enum compare_side at = l->a_up ? SIDE_CLIENT : SIDE_SERVER;
	const struct vpn_facts *asker = k[at].rec->vpn, *answerer = k[!at].rec->vpn;
	if (!answerer->both || asker->both || k[at].rec->pkts[DIR_S2C] != 0)
		return;
	f->id = "vpn-handshake-one-way";
	f->summary = "a tunnel's server answered, and none of its answers reached the client";
	f->family = FAMILY_VPN_INTERFERENCE;
	/* Where nothing else got through meanwhile, an outage explains it as well. */
	bool proven = f->verdict >= VERDICT_ANOMALY;
	if (proven) {
		f->verdict = VERDICT_LIKELY;
		f->score = 6;
		f->benign = (const char **)benign_one_way;
		f->n_benign = 1;
	}
	snprintf(value, sizeof(value), "%" PRIu32 " of its answers left, and none arrived",
		 f->n_packets);
	finding_row(c, f, "handshake-one-way", proven ? GRADE_D4 : GRADE_D1, f->packets[0], value,
		    "an answer, as the first message had arrived");
	const char *name = vpn_label_name[answerer->proto];
	f->sentence = arena_format(&c->arena, FINDING_SENTENCE,
		 "the server answered %s's first message %" PRIu32 " times, and the client received "
		 "nothing", name != NULL ? name : "the tunnel", f->n_packets);
}

int names_tell(struct comparison *c)
{
	for (size_t i = 0; i < c->analysis.n_findings; i++) {
		struct finding *f = c->analysis.findings[i];
		const struct link *l = &c->links[f->compare->conversation];
		tell_trigger(c, f, l);
		tell_one_way(c, f, l);
	}
	return c->analysis.n_findings != 0 ? names_conditions(c) : 0;
}
