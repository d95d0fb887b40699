/* SPDX-License-Identifier: BSD-3-Clause */

/* What only odd flows keep, what overlaps a server's first answers, and where evidence goes. */

#include "classifiers/tamper/evidence_private.h"

#include <stdlib.h>
#include <string.h>

#include "classifiers/slab.h"
#include "dataplane/cursor.h"
#include "dataplane/seq.h"

static bool asked_http(const struct half *c)
{
	static const char methods[][5] = {"GET ", "POST", "HEAD"};
	for (unsigned i = 0; c->excerpt_len >= 4 && i < sizeof(methods) / sizeof(*methods); i++)
		if (memcmp(c->excerpt, methods[i], 4) == 0)
			return true;
	return false;
}

/* A first answer that is no HTTP at all, or that forbids: the known pages come in such. */
static bool odd_answer(const struct half *c, const struct half *s, const struct event *e)
{
	if (s->n_data != 1 || (e->bits & EVENT_RETX) != 0 || !asked_http(c))
		return false;
	return s->excerpt_len < 12 || memcmp(s->excerpt, "HTTP/", 5) != 0 ||
	       memcmp(s->excerpt + 8, " 403", 4) == 0;
}

/* RFC 8446 section 5.1 and 4: a handshake record (22, 3) with a hello in it, whose lengths agree. */
bool evidence_hello_swapped(const struct evidence *ev, enum dir sender)
{
	const uint8_t *p = ev->half[sender].excerpt;
	if (ev->half[sender].excerpt_len < 11 || p[0] != 3 || p[1] != 22)
		return false;
	uint32_t record = load_be16(p + 3), hello = (uint32_t)p[6] << 16 | load_be16(p + 7);
	return p[2] <= 4 && p[5] == (sender == DIR_C2S ? 1 : 2) && record <= 16384 && hello >= 38 &&
	       hello + 4 <= record && p[9] == 3 && p[10] >= 1 && p[10] <= 3;
}

bool evidence_answer_bare(const struct evidence *ev)
{
	const struct half *s = &ev->half[DIR_S2C];
	unsigned i = 0;
	while (i < s->excerpt_len && strchr(" \t\r\n", s->excerpt[i]) != NULL && s->excerpt[i] != '\0')
		i++;
	return i < s->excerpt_len && s->excerpt[i] == '<' && asked_http(&ev->half[DIR_C2S]);
}

bool evidence_answer_foreign(const struct evidence *ev)
{
	const struct event *shake = NULL;
	for (unsigned i = 0; i < ev->n_events; i++) {
		const struct event *e = &ev->events[i];
		if (event_dir(e) != DIR_S2C || (e->flags & TCP_RST) != 0)
			continue;
		if ((e->flags & TCP_SYN) != 0)
			shake = e;
		else if (e->len != 0 || (e->flags & TCP_FIN) != 0)
			return shake != NULL && abs(e->ttl - shake->ttl) >= 10 &&
			       (ev->ipv6 || ((e->bits ^ shake->bits) & EVENT_DF) != 0);
	}
	return false;
}

bool evidence_answer_hasty(const struct evidence *ev)
{
	const struct event *syn = NULL, *shake = NULL, *asked = NULL;
	for (unsigned i = 0; i < ev->n_events && (ev->found & EVIDENCE_FINDATA) != 0; i++) {
		const struct event *e = &ev->events[i];
		bool server = event_dir(e) == DIR_S2C;
		if ((e->flags & TCP_RST) != 0)
			continue;
		if ((e->flags & TCP_SYN) != 0)
			*(server ? &shake : &syn) = e;
		else if (!server && e->len != 0)
			asked = e;
		else if (server && e->len != 0)
			return syn != NULL && shake != NULL && asked != NULL && shake->ts_ns > syn->ts_ns &&
			       (e->ts_ns - asked->ts_ns) * 5 < (shake->ts_ns - syn->ts_ns) * 4;
	}
	return false;
}

struct evidence_more *evidence_more(struct evidence *ev, struct evidence_counters *n)
{
	if (ev->more == NULL)
		ev->more = calloc(1, sizeof(*ev->more));
	n->no_memory += ev->more == NULL;
	return ev->more;
}

void evidence_keep_page(struct evidence *ev, uint16_t before, const struct event *e,
			const struct headers *h, struct evidence_counters *n)
{
	const uint16_t odd = EVIDENCE_TSGONE | EVIDENCE_FINDATA | EVIDENCE_BYTES | EVIDENCE_HEADER |
			     EVIDENCE_ACKOFF;
	if (event_dir(e) != DIR_S2C || h->payload_caplen == 0 || (e->flags & TCP_SYN) != 0 ||
	    (ev->more != NULL && ev->more->page != NULL))
		return;
	if ((ev->found & ~before & odd) == 0 &&
	    !odd_answer(&ev->half[DIR_C2S], &ev->half[DIR_S2C], e))
		return;
	struct evidence_more *m = evidence_more(ev, n);
	uint32_t len = h->payload_caplen < PAGE_MAX ? h->payload_caplen : PAGE_MAX;
	struct page *p = m != NULL ? malloc(sizeof(*p) + len) : NULL;
	if (p == NULL)
		return;
	p->frame = e->frame;
	p->len = (uint16_t)len;
	memcpy(p->bytes, h->payload, len);
	m->page = p;
}

bool evidence_contradicts(struct evidence *ev, const struct evidence_room *room,
			  const struct flow *f, const struct event *e, const struct headers *h)
{
	for (unsigned i = 0; i < RECENT_ANSWERS; i++) {
		const struct recent_answer *a = &room->answer[i];
		/* What begins alike is compared by hashes already. */
		if (a->len == 0 || a->flow_id != f->id || a->seq == e->seq)
			continue;
		int32_t ahead = seq_diff(e->seq, a->seq);
		uint32_t skip_a = ahead > 0 ? (uint32_t)ahead : 0;
		uint32_t skip_e = ahead < 0 ? (uint32_t)-(int64_t)ahead : 0;
		if (skip_a >= a->len || skip_e >= h->payload_caplen)
			continue;
		uint32_t left_a = a->len - skip_a, left_e = h->payload_caplen - skip_e;
		uint32_t n = left_a < left_e ? left_a : left_e;
		if (memcmp(a->bytes + skip_a, h->payload + skip_e, n) == 0)
			continue;
		ev->bytes_over = a->frame;
		return true;
	}
	return false;
}

void evidence_keep_answer(struct evidence_room *room, const struct flow *f, const struct event *e,
			  const struct headers *h)
{
	struct recent_answer *a = &room->answer[room->next_answer];
	uint32_t n = h->payload_caplen < RECENT_BYTES ? h->payload_caplen : RECENT_BYTES;
	if (n == 0)
		return;
	room->next_answer = (room->next_answer + 1) % RECENT_ANSWERS;
	a->flow_id = f->id;
	a->seq = e->seq;
	a->frame = e->frame;
	a->len = (uint16_t)n;
	memcpy(a->bytes, h->payload, n);
}

void evidence_icmp(struct evidence *ev, enum dir quoted_dir, const struct packet *pkt,
		   const struct headers *h, struct evidence_counters *n)
{
	struct evidence_more *m = evidence_more(ev, n);
	if (m != NULL && m->icmp == NULL)
		m->icmp = calloc(ICMP_NOTES, sizeof(*m->icmp));
	if (m == NULL || m->icmp == NULL || ev->n_icmp == ICMP_NOTES)
		return;
	ev->found |= EVIDENCE_ICMP;
	evidence_freeze(ev);
	m->icmp[ev->n_icmp++] = (struct icmp_note){
		.ts_ns = pkt->ts_ns,
		.frame = (uint32_t)pkt->frame,
		.file = (uint16_t)pkt->file,
		.quoted_seq = h->quoted_seq,
		.quoted_ip_id = h->quoted_ip_id,
		.type = (uint8_t)h->sport,
		.code = (uint8_t)h->dport,
		.version = h->ip_version,
		.ttl = h->ttl,
		.quoted_dir = (uint8_t)quoted_dir,
		.quoted_tos = h->quoted_tos,
		.quoted_df = h->quoted_df,
		.from = h->src,
	};
}

/*
 * A card's queues are read one after the other, so that packets stand in
 * the file a little behind others with later times. Steps of a clock are greater, and stay.
 */
static void sort_by_time(struct event *e, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		struct event x = e[i];
		unsigned k = i;
		while (k > 0 && e[k - 1].ts_ns > x.ts_ns &&
		       e[k - 1].ts_ns - x.ts_ns <= EVENT_DISORDER_NS) {
			e[k] = e[k - 1];
			k--;
		}
		e[k] = x;
	}
}

void evidence_finish(struct evidence *ev)
{
	unsigned head;
	for (enum dir dir = DIR_C2S; dir <= DIR_S2C; dir++)
		if (!ev->half[dir].seen)
			evidence_sound_unknown(ev, dir);
	evidence_freeze(ev);
	head = ev->skipped_at != 0 ? ev->skipped_at : ev->n_events;
	sort_by_time(ev->events, head);
	sort_by_time(ev->events + head, ev->n_events - head);
}

bool evidence_move(struct evidence *to, struct slab_set *to_blocks, struct evidence *from,
		   struct slab_set *blocks)
{
	size_t size = from->n_events * sizeof(*from->events);
	struct event *events = slab_set_alloc(to_blocks, size);
	if (events == NULL)
		return false;
	if (size != 0)
		memcpy(events, from->events, size);
	slab_set_free(blocks, from->events, from->room_events * sizeof(*events));
	*to = *from;
	to->events = events;
	to->room_events = to->n_events;
	*from = (struct evidence){.events = NULL};
	return true;
}

void evidence_free(struct evidence *ev, struct slab_set *blocks)
{
	slab_set_free(blocks, ev->events, ev->room_events * sizeof(*ev->events));
	if (ev->more != NULL) {
		free(ev->more->page);
		free(ev->more->rate);
		free(ev->more->icmp);
	}
	free(ev->more);
	ev->more = NULL;
	ev->events = NULL;
	ev->n_events = ev->room_events = 0;
	ev->n_icmp = 0;
}
