/* SPDX-License-Identifier: BSD-3-Clause */

/* Packets that no receiver takes: damaged on the way, or an evasion tool's decoys. */

#include <string.h>

#include "classifiers/tamper/evidence_private.h"

/* TCP MD5 (RFC 2385) or TCP-AO (RFC 5925). */
static bool is_signed(const struct headers *h)
{
	return memchr(h->options, 19, h->n_options) != NULL ||
	       memchr(h->options, 29, h->n_options) != NULL;
}

static bool is_text(const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((b[i] < 0x20 || b[i] > 0x7e) && b[i] != '\r' && b[i] != '\n' && b[i] != '\t')
			return false;
	return n != 0;
}

bool evidence_is_ignored(const struct half *s, const struct headers *h)
{
	return (s->sums && transport_is_damaged(h)) || (s->plain && is_signed(h));
}

static void count_rst(struct evidence *ev, struct half *s, const struct event *e)
{
	ev->found |= EVIDENCE_RST | ((e->flags & (TCP_RESERVED | TCP_AE)) != 0 ? EVIDENCE_RSVD : 0);
	uint16_t *n = (e->flags & TCP_ACK) != 0 ? &s->n_rstack : &s->n_rst;
	*n += *n != UINT16_MAX;
}

void evidence_rst(struct evidence *ev, enum dir dir, struct event *e, const struct headers *h)
{
	struct half *s = &ev->half[dir];
	if (is_text(h->payload, h->payload_caplen))
		e->flags |= EVENT_TEXT;
	/* The first of its direction is taken for one until what follows is seen. */
	struct half perhaps = {.sums = s->sums || !s->seen,
			       .plain = s->plain || (!s->seen && dir == DIR_C2S)};
	if (evidence_is_ignored(&perhaps, h))
		e->flags |= EVENT_IGNORED;
	else
		count_rst(ev, s, e);
}

void evidence_sound_unknown(struct evidence *ev, enum dir dir)
{
	for (unsigned i = 0; i < ev->n_events; i++) {
		struct event *e = &ev->events[i];
		if (event_dir(e) != dir || (e->flags & TCP_RST) == 0 || (e->flags & EVENT_IGNORED) == 0)
			continue;
		e->flags &= (uint16_t)~EVENT_IGNORED;
		count_rst(ev, &ev->half[dir], e);
	}
}

void evidence_learn_sound(struct evidence *ev, enum dir dir, const struct headers *h)
{
	struct half *s = &ev->half[dir];
	s->sums = tcp_is_whole(h) && tcp_checksum_ok(h);
	s->plain = dir == DIR_C2S && !is_signed(h);
	if (!s->seen && (!s->sums || (dir == DIR_C2S && !s->plain)))
		evidence_sound_unknown(ev, dir);
}
