/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which conversations are one box's doing. Forgeries are sorted by their stamps, for they are proven one by
 * one; what is lost is a box's only where a rule tells it from what got through, or a finding of its own says
 * so.
 */

#include "tools/compare/boxes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/findings.h"
#include "tools/study/boxes.h"

#define SURE 3            /* packets lost and none behind them: 2 % of loss does so once in 125,000 */
#define CHANCE_ALL 1e-6   /* that it did so to all with one value, of which there are many */
#define SEEDS_MAX 16      /* values of one kind that are tried as a rule */
#define BACK_MAX 4096     /* conversations back among which is looked for what another one followed */
#define AFTER_NS 300000000000ull /* the longest residual window published: catalogue, section 8 */

static enum deed deed_of(const struct dealing *d)
{
	unsigned i = 0;
	while (i < DEEDS && (d->deeds >> i & 1) == 0)
		i++;
	return (enum deed)i;
}

static double chance(const struct dealings *all, uint32_t packets)
{
	return packets < 64 ? pow(all->loss, packets) : 0;
}

/* No loss of the path explains this one alone. */
static bool is_sure(const struct dealings *all, const struct dealing *d)
{
	return d->told || (d->weight >= SURE && chance(all, d->weight) < LOSS_CHANCE);
}

static bool all_sure(const struct dealings *all, const uint32_t *v, uint32_t n)
{
	uint32_t packets = 0;
	for (uint32_t i = 0; i < n && packets < 64; i++)
		packets += all->list[v[i]].told ? 64 : all->list[v[i]].weight;
	return chance(all, packets) < CHANCE_ALL;
}

struct sorting {
	const struct dealing *list;
};

static int by_from(const void *x, const void *y, void *user)
{
	const struct sorting *s = user;
	uint32_t i = *(const uint32_t *)x, k = *(const uint32_t *)y;
	uint64_t a = s->list[i].from_ns, b = s->list[k].from_ns;
	return a < b ? -1 : a > b ? 1 : i < k ? -1 : i > k;
}

static void sort_by_time(const struct dealings *all, uint32_t *v, uint32_t n)
{
	struct sorting s = {all->list};
	qsort_r(v, n, sizeof(*v), by_from, &s);
}

static struct path_box *box_new(struct path_boxes *b, enum deed deed, const char *mbx)
{
	if (b->n == STUDY_BOXES_MAX)
		return NULL;
	struct path_box *x = &b->list[b->n++];
	*x = (struct path_box){.deed = deed, .mbx = mbx};
	return x;
}

static void own(struct path_boxes *b, const struct path_box *x, const uint32_t *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		b->owner[v[i]] = (uint32_t)(x - b->list);
}

/* Forged: by what was done, and by how it was stamped where the capture itself can tell. */
static void find_forgers(const struct dealings *all, struct path_boxes *b)
{
	for (uint32_t i = 0; i < all->n; i++) {
		const struct dealing *d = &all->list[i];
		struct path_box *home = NULL;
		if (d->deeds == 0 || deed_of(d) >= DEED_DROPS)
			continue;
		for (unsigned k = 0; k < b->n && home == NULL; k++) {
			struct path_box *x = &b->list[k];
			bool alike = x->mbx == NULL || d->mbx == NULL || boxes_stamped_alike(x->mbx, d->mbx);
			if (x->deed == deed_of(d) && alike)
				home = x;
		}
		if (home == NULL)
			home = box_new(b, deed_of(d), d->mbx);
		if (home == NULL) {
			b->left_out++;
			continue;
		}
		home->mbx = home->mbx != NULL ? home->mbx : d->mbx;
		own(b, home, &i, 1);
	}
}

static bool same_pair(const struct dealing *x, const struct dealing *y)
{
	return x->ip_version == y->ip_version && x->proto == y->proto &&
	       memcmp(&x->client, &y->client, sizeof(x->client)) == 0 &&
	       memcmp(&x->server, &y->server, sizeof(x->server)) == 0;
}

/* The one came soon behind the other, between the same hosts, and nothing passed in between. */
static bool follows(const struct dealings *all, uint32_t first, uint32_t then)
{
	const struct dealing *a = &all->list[first], *d = &all->list[then];
	if (!same_pair(a, d) || d->start_ns < a->from_ns || d->start_ns - a->from_ns > AFTER_NS)
		return false;
	for (uint32_t i = first + 1; i < then; i++) { /* the list is by start */
		const struct dealing *t = &all->list[i];
		if (t->passed && t->server_port == a->server_port && t->start_ns > a->from_ns &&
		    same_pair(t, a))
			return false;
	}
	return true;
}

/* Both asked for the same, or neither for anything. */
static bool same_name(const struct dealing *x, const struct dealing *y)
{
	return (x->name == NULL && y->name == NULL) || rule_alike(x, y, RULE_NAME);
}

/*
 * Nothing of it got through, and the last that something was done to between its hosts asked for another
 * name: a window that the other one opened explains it, so that it says nothing of its own name.
 */
static void find_dependent(const struct dealings *all, bool *dependent)
{
	for (uint32_t i = 0; i < all->n; i++) {
		const struct dealing *d = &all->list[i];
		bool found = d->deeds == 0 || deed_of(d) != DEED_DROPS || d->last_ns != 0;
		for (uint32_t k = i; !found && k-- > 0 && i - k < BACK_MAX;) {
			const struct dealing *before = &all->list[k];
			if (before->deeds == 0 || deed_of(before) == DEED_THROTTLES || !same_pair(before, d))
				continue;
			found = true;
			dependent[i] = follows(all, k, i) && (dependent[k] || !same_name(before, d));
		}
	}
}

/* What is nobody's yet and shows this deed. */
static uint32_t gather(const struct dealings *all, const struct path_boxes *b, enum deed deed, bool sure,
		       uint32_t *v)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < all->n; i++) {
		const struct dealing *d = &all->list[i];
		if (b->owner[i] == BOX_NONE && d->deeds != 0 && deed_of(d) == deed && !b->dependent[i] &&
		    (!sure || deed != DEED_DROPS || is_sure(all, d)))
			v[n++] = i;
	}
	sort_by_time(all, v, n);
	return n;
}

static bool holds(const struct dealings *all, const uint32_t *v, uint32_t n, enum deed deed,
		  enum rule_kind kind)
{
	if (n < RULE_EPISODES || (deed == DEED_DROPS && !all_sure(all, v, n)))
		return false;
	return rule_test(all, v, n, kind).said == STUDY_OBSERVED;
}

static bool claim(const struct dealings *all, struct path_boxes *b, enum deed deed, const uint32_t *v,
		  uint32_t n, enum rule_kind kind)
{
	if (!holds(all, v, n, deed, kind))
		return false;
	struct path_box *x = box_new(b, deed, NULL);
	if (x == NULL) {
		b->left_out += n;
		return false;
	}
	x->ruled = true;
	own(b, x, v, n);
	return true;
}

/* All of them by one rule; else those that share a value, by that. v, part: room for all. */
static void find_ruled(const struct dealings *all, struct path_boxes *b, enum deed deed, bool sure,
		       uint32_t *v, uint32_t *part)
{
	uint32_t n = gather(all, b, deed, sure, v);
	for (unsigned kind = 0; kind < RULES; kind++)
		if (claim(all, b, deed, v, n, kind))
			return;
	for (unsigned kind = 0; kind < RULES; kind++) {
		for (uint32_t i = 0, seeds = 0; i < n && seeds < SEEDS_MAX; i++) {
			uint32_t n_part = 0;
			bool first = rule_has(&all->list[v[i]], kind) && b->owner[v[i]] == BOX_NONE;
			for (uint32_t k = 0; k < i && first; k++)
				first = !rule_alike(&all->list[v[k]], &all->list[v[i]], kind);
			if (!first)
				continue;
			for (uint32_t k = i; k < n; k++)
				if (b->owner[v[k]] == BOX_NONE &&
				    rule_alike(&all->list[v[k]], &all->list[v[i]], kind))
					part[n_part++] = v[k];
			seeds += n_part >= RULE_EPISODES;
			(void)claim(all, b, deed, part, n_part, kind);
		}
	}
}

/* Lost behind one that a box acted on, with nothing through in between: it may be the same one's doing. */
static void find_after(const struct dealings *all, struct path_boxes *b, bool *after)
{
	for (uint32_t i = 0; i < all->n; i++) {
		const struct dealing *d = &all->list[i];
		if (b->owner[i] != BOX_NONE || d->deeds == 0 || deed_of(d) != DEED_DROPS)
			continue;
		unsigned looked = 0;
		uint32_t to = i > BACK_MAX ? i - BACK_MAX : 0;
		for (uint32_t k = i; k-- > to && looked < SEEDS_MAX && b->owner[i] == BOX_NONE;) {
			if (b->owner[k] == BOX_NONE || after[k])
				continue;
			looked++;
			if (!follows(all, k, i))
				continue;
			b->owner[i] = b->owner[k];
			after[i] = true;
		}
	}
}

/* A finding of its own says that somebody dropped it, though no rule is known. */
static void find_unruled(const struct dealings *all, struct path_boxes *b, uint32_t *v)
{
	uint32_t n = gather(all, b, DEED_DROPS, true, v), kept = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct finding *f = all->list[v[i]].worst;
		bool controlled = f != NULL && strcmp(f->conditional, "yes") == 0;
		if (f != NULL && f->verdict >= (controlled ? VERDICT_ANOMALY : VERDICT_LIKELY))
			v[kept++] = v[i];
	}
	struct path_box *x = kept != 0 ? box_new(b, DEED_DROPS, NULL) : NULL;
	if (x != NULL)
		own(b, x, v, kept);
}

/* Each box's dealings in a slice of its own, and those that followed in another. */
static void slice(const struct dealings *all, struct path_boxes *b, const bool *after)
{
	uint32_t *at = b->room;
	for (unsigned k = 0; k < b->n; k++) {
		struct path_box *x = &b->list[k];
		x->mine = at;
		for (uint32_t i = 0; i < all->n; i++)
			if (b->owner[i] == k && !after[i])
				x->mine[x->n++] = i;
		x->after = at + x->n;
		for (uint32_t i = 0; i < all->n; i++)
			if (b->owner[i] == k && after[i])
				x->after[x->n_after++] = i;
		at += x->n + x->n_after;
		sort_by_time(all, x->mine, x->n);
	}
}

int path_boxes_find(const struct dealings *d, struct path_boxes *out)
{
	size_t n = (size_t)d->n + 1;
	*out = (struct path_boxes){.list = calloc(STUDY_BOXES_MAX, sizeof(*out->list)),
				   .owner = malloc(n * sizeof(*out->owner)),
				   .room = malloc(n * sizeof(*out->room)),
				   .dependent = calloc(n, sizeof(*out->dependent))};
	uint32_t *v = malloc(n * sizeof(*v)), *part = malloc(n * sizeof(*part));
	bool *after = calloc(n, sizeof(*after));
	bool made = out->list != NULL && out->owner != NULL && out->room != NULL && out->dependent != NULL;
	int err = !made || v == NULL || part == NULL || after == NULL ? -ENOMEM : 0;
	for (uint32_t i = 0; err == 0 && i < d->n; i++)
		out->owner[i] = BOX_NONE;
	if (err == 0) {
		find_dependent(d, out->dependent);
		find_forgers(d, out);
		find_after(d, out, after);
		find_ruled(d, out, DEED_DROPS, true, v, part);
		find_ruled(d, out, DEED_DROPS, false, v, part);
		find_ruled(d, out, DEED_THROTTLES, true, v, part);
		find_after(d, out, after);
		find_unruled(d, out, v);
		slice(d, out, after);
	}
	free(v);
	free(part);
	free(after);
	return err;
}

void path_boxes_free(struct path_boxes *b)
{
	free(b->list);
	free(b->owner);
	free(b->room);
	free(b->dependent);
}
