/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Datagrams that a host hands to its card as one, which sends them as several (UDP GSO, as QUIC servers do),
 * or that the receiver's card hands over as one (GRO): in a capture there they stand one behind another.
 */

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "tools/compare/private.h"

#define PIECES_MAX 128 /* UDP_MAX_SEGMENTS of Linux, include/linux/udp.h */
#define LOOKED_MAX 64  /* datagrams that begin alike */

struct joining {
	const struct comparison *c;
	enum compare_way way;
	bool sent; /* the whole ones are the sender's */
	struct view *wholes, *pieces;
	const struct list *list; /* of pieces */
	struct chains *begin;	 /* pieces by their first bytes */
	uint32_t size;		 /* of pieces, the last one's at first; 0: not known */
	uint32_t found[PIECES_MAX], n;
};

static bool in_time(const struct joining *j, const struct digest *whole, const struct digest *piece)
{
	return j->sent ? pair_in_time(j->c, j->way, whole, piece) : pair_in_time(j->c, j->way, piece, whole);
}

/* A piece that is what stands in w from byte `at` on; NO_INDEX: none that is left. */
static uint32_t piece_at(const struct joining *j, const struct digest *w, uint32_t at)
{
	uint32_t rest = w->len - at, n = rest < HEAD_BYTES ? rest : HEAD_BYTES, cursor, looked = 0;
	const uint8_t *head = payload_at(j->wholes, w, at, n);

	if (head == NULL)
		return NO_INDEX;
	for (uint32_t k = chains_first(j->begin, XXH3_64bits(head, n), &cursor);
	     k != NO_INDEX && looked++ < LOOKED_MAX;
	     k = chains_next(j->begin, XXH3_64bits(head, n), &cursor)) {
		const struct digest *p = &j->pieces->d[k];
		uint32_t held = p->held < w->held - at ? p->held : w->held - at;
		const uint8_t *x = payload_at(j->wholes, w, at, held), *y = payload_at(j->pieces, p, 0, held);
		if (p->fate == FATE_NONE && p->len <= rest && p->len < w->len && x != NULL && y != NULL &&
		    memcmp(x, y, held) == 0 && in_time(j, w, p))
			return k;
	}
	return NO_INDEX;
}

static void take(struct joining *j, uint32_t piece)
{
	j->pieces->d[piece].fate = FATE_RESEGMENTED;
	j->found[j->n++] = piece;
}

/* The first piece was lost: the size of all but the last, by one that stands at a multiple of its own. */
static uint32_t size_by_others(const struct joining *j, const struct digest *w, uint32_t from)
{
	uint32_t looked = 0;

	for (uint32_t i = from; i < j->list->n && looked < LOOKED_MAX; i++) {
		const struct digest *p = &j->pieces->d[j->list->v[i]];
		const uint8_t *head = payload_at(j->pieces, p, 0, HEAD_BYTES);
		if (p->fate != FATE_NONE || head == NULL || !in_time(j, w, p))
			continue;
		looked++;
		for (uint32_t at = p->len; at < w->len; at += p->len) {
			const uint8_t *x = payload_at(j->wholes, w, at, HEAD_BYTES);
			if (x != NULL && memcmp(x, head, HEAD_BYTES) == 0)
				return p->len;
		}
	}
	return j->size;
}

/*
 * What a snapshot length cut off cannot be compared: pieces of the one size, and one of what is left over,
 * that nothing else explains, by the place in the list to begin at. Returns how far in w they reach.
 */
static uint32_t take_unread(struct joining *j, const struct digest *w, uint32_t at, uint32_t from)
{
	for (uint32_t i = from; i < j->list->n && at < w->len && j->n < PIECES_MAX; i++) {
		const struct digest *p = &j->pieces->d[j->list->v[i]];
		uint32_t size = w->len - at < j->size ? w->len - at : j->size;
		if (p->fate != FATE_NONE || p->len != size || !in_time(j, w, p))
			continue;
		take(j, j->list->v[i]);
		at += size;
	}
	return at;
}

/* Of a whole one that was sent the path may have lost pieces; one that was received must be all there. */
static void cut_up(struct joining *j, struct digest *w, uint32_t from)
{
	bool lacks = false, cut = w->held < w->len;
	uint32_t at = 0;

	j->n = 0;
	while (at < w->held && j->n < PIECES_MAX && !(cut && w->held - at < HEAD_BYTES)) {
		uint32_t piece = piece_at(j, w, at);
		if (piece != NO_INDEX)
			take(j, piece);
		if (at == 0)
			j->size = piece != NO_INDEX ? j->pieces->d[piece].len : size_by_others(j, w, from);
		if (j->size == 0)
			return;
		lacks = lacks || piece == NO_INDEX;
		at += piece != NO_INDEX ? j->pieces->d[piece].len : j->size;
	}
	if (j->n != 0 && cut)
		at = take_unread(j, w, at, from);
	if (j->n != 0 && (j->sent || (!lacks && at >= w->len))) {
		w->fate = FATE_RESEGMENTED;
		return;
	}
	while (j->n > 0)
		j->pieces->d[j->found[--j->n]].fate = FATE_NONE;
}

static int join(struct comparison *c, struct link *l, enum compare_way way, bool sent)
{
	enum compare_side whole = sent ? sender_of(way) : receiver_of(way);
	const struct list *wl = &l->list[whole][way];
	struct joining j = {.c = c, .way = way, .sent = sent, .wholes = &c->view[whole],
			    .pieces = &c->view[!whole], .list = &l->list[!whole][way]};
	uint32_t left = 0, from = 0;

	for (uint32_t i = 0; i < wl->n; i++)
		left += j.wholes->d[wl->v[i]].fate == FATE_NONE;
	if (left == 0 || j.list->n == 0)
		return 0;
	int err = chains_new(&j.begin, j.list->n);
	for (uint32_t i = j.list->n; err == 0 && i-- > 0;) {
		const struct digest *p = &j.pieces->d[j.list->v[i]];
		if (p->fate == FATE_NONE && p->len > 0)
			chains_add(j.begin, p->head, j.list->v[i]);
	}
	for (uint32_t i = 0; err == 0 && i < wl->n; i++) {
		while (from < j.list->n && j.pieces->d[j.list->v[from]].fate != FATE_NONE)
			from++;
		if (j.wholes->d[wl->v[i]].fate == FATE_NONE)
			cut_up(&j, &j.wholes->d[wl->v[i]], from);
	}
	chains_free(j.begin);
	return err;
}

int datagrams_link(struct comparison *c, struct link *l, enum compare_way way)
{
	const struct view *sv = &c->view[sender_of(way)];
	const struct list *sl = &l->list[sender_of(way)][way];

	if (sl->n == 0 || sv->conv[sv->d[sl->v[0]].conv].key.proto != PROTO_UDP)
		return 0;
	int err = join(c, l, way, true);
	return err == 0 ? join(c, l, way, false) : err;
}
