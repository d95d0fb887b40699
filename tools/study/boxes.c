/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which findings are one box's doing: packets stamped alike from one distance, or the same behaviour where
 * nothing was stamped. Two boxes that stamp alike at one distance are one here, and nobody could tell.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/device/mbx.h"
#include "tools/study/boxes.h"
#include "tools/study/study.h"

#define HOPS_JITTER 2 /* routes change by this much under one connection's feet */
#define HOPS_MOST 40  /* beyond, the TTL did not begin as its fingerprint supposes: no path is as long */
#define SCATTERED 3   /* distances of one stamp, each met about once: the TTL is made up every time */

/* Fields 2 to 6 of an mbx1 say how a box stamps; the others what it did. */
static bool stamp_field(const char *mbx, unsigned n, const char **at, size_t *len)
{
	for (unsigned i = 0; i < n && mbx != NULL; i++) {
		mbx = strchr(mbx, '_');
		mbx = mbx != NULL ? mbx + 1 : NULL;
	}
	if (mbx == NULL)
		return false;
	*at = mbx;
	*len = strcspn(mbx, "_");
	return *len != 0;
}

static bool alike_from(unsigned field, const char *a, const char *b)
{
	for (unsigned i = field; i <= 6; i++) {
		const char *x, *y;
		size_t nx, ny;
		if (!stamp_field(a, i, &x, &nx) || !stamp_field(b, i, &y, &ny) ||
		    !mbx_field_matches(x, nx, y, ny))
			return false;
	}
	return true;
}

bool boxes_stamped_alike(const char *a, const char *b)
{
	return alike_from(2, a, b);
}

/* Hops to the capture, if the packets began with the usual TTL that the fingerprint names. */
static int hops_of(const struct finding *f, const struct injector *j)
{
	const char *ttl;
	size_t len;
	if (!stamp_field(j->mbx, 2, &ttl, &len) || !isdigit((unsigned char)*ttl))
		return -1;
	int first = atoi(ttl);
	for (unsigned i = 0; i < f->n_ladder; i++)
		if (j->n_packets != 0 && f->ladder[i].frame == j->packets[0] &&
		    f->ladder[i].file == j->packet_files[0] && first >= f->ladder[i].ttl)
			return first - f->ladder[i].ttl;
	return -1;
}

static enum box_deed deed_of(const struct finding *f)
{
	switch (f->family) {
	case FAMILY_TCP_INJECTION:
		return BOX_RESETS;
	case FAMILY_HTTP_INJECTION:
		return BOX_PAGES;
	case FAMILY_DNS_INJECTION:
		return BOX_ANSWERS;
	case FAMILY_TLS_FILTERING:
		return BOX_ALERTS;
	case FAMILY_SILENT_DROP:
	case FAMILY_QUIC_FILTERING:
	case FAMILY_VPN_INTERFERENCE:
		return BOX_DROPS;
	default:
		return BOX_DEEDS;
	}
}

static struct box *box_new(struct boxes *b, const char *mbx, enum box_deed deed)
{
	if (b->n == b->room) {
		unsigned room = b->room != 0 ? 2 * b->room : 8;
		struct box *bigger = realloc(b->list, room * sizeof(*bigger));
		if (bigger == NULL)
			return NULL;
		b->list = bigger;
		b->room = room;
	}
	struct box *x = &b->list[b->n++];
	*x = (struct box){.mbx = mbx, .deed = deed, .hops = -1};
	return x;
}

static int box_add(struct box *x, const struct finding *f)
{
	if (x->n != 0 && x->findings[x->n - 1] == f)
		return 0;
	if (x->n == x->room) {
		size_t room = x->room != 0 ? 2 * x->room : 8;
		void *bigger = realloc(x->findings, room * sizeof(*x->findings));
		if (bigger == NULL)
			return -ENOMEM;
		x->findings = bigger;
		x->room = room;
	}
	x->findings[x->n++] = f;
	return 0;
}

/* Distances compare only as seen from one place, of packets that went the same way. */
static bool same_distance(const struct box *x, const struct finding *f, int hops)
{
	if (x->hops < 0 || hops < 0 || x->capture != f->flow->capture ||
	    x->direction != f->direction)
		return true;
	int apart = x->hops > hops ? x->hops - hops : hops - x->hops;
	return apart <= HOPS_JITTER;
}

/* The GFW's resets have a TTL of their own each (Wu et al., IEEE S&P 2025, table 4: 39 to 238). */
static bool is_box_of(const struct box *x, const struct finding *f, const char *mbx, int hops)
{
	bool here = x->capture == f->flow->capture && x->direction == f->direction;
	return x->mbx[0] != '\0' &&
	       (x->scattered ? here && alike_from(3, x->mbx, mbx)
			     : boxes_stamped_alike(x->mbx, mbx) && same_distance(x, f, hops));
}

static int by_time(const void *p, const void *q)
{
	const struct finding *a = *(const struct finding *const *)p, *b = *(const struct finding *const *)q;
	if (a->flow->capture != b->flow->capture)
		return a->flow->capture < b->flow->capture ? -1 : 1;
	if (a->ts_ns != b->ts_ns)
		return a->ts_ns < b->ts_ns ? -1 : 1;
	return a->flow->id < b->flow->id ? -1 : a->flow->id > b->flow->id;
}

/* The boxes that stamp like this but for the TTL become one, the first of them. */
static int gather(struct boxes *b, const struct finding *f, const char *mbx, struct box **home)
{
	unsigned kept = 0;
	for (unsigned k = 0; k < b->n; k++) {
		struct box *x = &b->list[k];
		bool mine = x->hops >= 0 && x->capture == f->flow->capture &&
			    x->direction == f->direction && alike_from(3, x->mbx, mbx);
		int err = 0;
		for (size_t i = 0; mine && *home != NULL && err == 0 && i < x->n; i++)
			err = box_add(*home, x->findings[i]);
		if (err != 0)
			return err;
		if (mine && *home != NULL) {
			free(x->findings);
			continue;
		}
		b->list[kept] = *x;
		if (mine)
			*home = &b->list[kept];
		kept++;
	}
	b->n = kept;
	(*home)->hops = -1;
	(*home)->scattered = true;
	qsort((*home)->findings, (*home)->n, sizeof(*(*home)->findings), by_time);
	return 0;
}

/* With this packet, one stamp was met at so many distances, some of them on no path, that it has none. */
static bool is_scattered(const struct boxes *b, const struct finding *f, const char *mbx, int hops)
{
	size_t findings = 1;
	unsigned distances = 1;
	bool far = hops > HOPS_MOST;
	for (unsigned k = 0; k < b->n && hops >= 0; k++) {
		const struct box *x = &b->list[k];
		if (x->hops < 0 || x->capture != f->flow->capture || x->direction != f->direction ||
		    !alike_from(3, x->mbx, mbx))
			continue;
		findings += x->n;
		distances++;
		far |= x->hops > HOPS_MOST;
	}
	return far && distances >= SCATTERED && 2 * distances > findings;
}

static int add_injected(struct boxes *b, const struct finding *f)
{
	bool full = false;
	for (unsigned i = 0; i < f->n_injectors; i++) {
		const struct injector *j = &f->injectors[i];
		int hops = hops_of(f, j);
		struct box *home = NULL;
		if (j->mbx[0] == '\0')
			continue;
		for (unsigned k = 0; k < b->n && home == NULL; k++)
			if (is_box_of(&b->list[k], f, j->mbx, hops))
				home = &b->list[k];
		if (home == NULL && is_scattered(b, f, j->mbx, hops) && gather(b, f, j->mbx, &home) != 0)
			return -ENOMEM;
		if (home == NULL && b->n >= STUDY_BOXES_MAX) {
			full = true;
			continue;
		}
		if (home == NULL)
			home = box_new(b, j->mbx, deed_of(f));
		if (home == NULL)
			return -ENOMEM;
		if (home->hops < 0 && hops >= 0 && !home->scattered) {
			home->hops = hops;
			home->capture = f->flow->capture;
			home->direction = f->direction;
		}
		if (box_add(home, f) != 0)
			return -ENOMEM;
	}
	b->unplaced += full;
	return 0;
}

static int add_behaviour(struct boxes *b, const struct finding *f)
{
	enum box_deed deed = deed_of(f);
	struct box *home = NULL;
	if (deed == BOX_DEEDS || f->trigger == TRIGGER_NONE)
		return 0; /* throttling and the like have no box yet; silence without a cause has none */
	for (unsigned k = 0; k < b->n && home == NULL; k++)
		if (b->list[k].mbx[0] == '\0' && b->list[k].deed == deed)
			home = &b->list[k];
	if (home == NULL)
		home = box_new(b, "", deed);
	return home != NULL ? box_add(home, f) : -ENOMEM;
}

/*
 * There is a box where a third party is at least likely: by the packets themselves, or as its name made the
 * difference. An anomaly has one, as sure as that, only if controls passed.
 */
static bool is_deed(const struct finding *f)
{
	if (f->scope != SCOPE_FLOW || f->echo)
		return false;
	/* A tunnel's silence is one only as that client was answered before and others go on. */
	bool tunnel = f->family == FAMILY_VPN_INTERFERENCE;
	bool controlled = tunnel || strcmp(f->conditional, "yes") == 0;
	return f->verdict >= VERDICT_LIKELY || (f->verdict >= VERDICT_ANOMALY && controlled) ||
	       (f->verdict >= VERDICT_INCONCLUSIVE && f->filtered);
}

int boxes_find(struct boxes *b, const struct analysis *a)
{
	int err = 0;
	*b = (struct boxes){.n = 0};
	for (size_t i = 0; err == 0 && i < a->n_findings; i++) {
		const struct finding *f = a->findings[i];
		if (!is_deed(f))
			continue;
		err = f->n_injectors != 0 ? add_injected(b, f) : add_behaviour(b, f);
	}
	for (unsigned k = 0; k < b->n; k++)
		if (b->list[k].hops > HOPS_MOST)
			b->list[k].hops = -1;
	return err;
}

void boxes_free(struct boxes *b)
{
	for (unsigned i = 0; i < b->n; i++)
		free(b->list[i].findings);
	free(b->list);
}
