/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/evidence_private.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dataplane/seq.h"

/* Frames of a SPAN port's second copy follow within this. */
#define DUPLICATE_NS 1000000ull
#define FULL_SHORT 40u /* bytes that options take of a full segment, at most */
#define PAYLOAD_HASHED 64

static void count8(uint8_t *n)
{
	*n += *n != UINT8_MAX;
}

static void count16(uint16_t *n)
{
	*n += *n != UINT16_MAX;
}

static uint16_t mac_hash(const struct headers *h)
{
	if (!h->has_mac)
		return 0;
	/* In a register: out of memory it would come when all stores before it are done. */
	uint32_t head;
	uint16_t tail;
	memcpy(&head, h->src_mac, sizeof(head));
	memcpy(&tail, h->src_mac + sizeof(head), sizeof(tail));
	uint64_t mac = (uint64_t)tail << 32 | head;
	uint16_t x = (uint16_t)(hash_word(0, mac) >> 8);
	return x != 0 ? x : 1;
}

uint32_t evidence_payload_hash(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	uint32_t x = (uint32_t)XXH3_64bits(data, len < PAYLOAD_HASHED ? len : PAYLOAD_HASHED);
	return x != 0 ? x : 1;
}

struct event evidence_event(uint16_t first_mac, enum dir dir, const struct packet *pkt,
			    const struct headers *h)
{
	uint16_t mac = first_mac != 0 ? mac_hash(h) : 0;
	/* Options that the capture cut off are not known to be missing. */
	bool ts = h->has_ts || h->options_cut;
	/* Hashes are compared only where both cover the same bytes. */
	bool cut = h->payload_caplen < h->payload_len && h->payload_caplen < PAYLOAD_HASHED;
	uint8_t bits = (dir == DIR_S2C ? EVENT_S2C : 0) | (h->df ? EVENT_DF : 0) |
		       (ts ? EVENT_TS : 0) | (h->tcp_hlen > 20 ? EVENT_OPTIONS : 0) |
		       ((h->anomalies & ANOMALY_ETH_PADDING) != 0 ? EVENT_PADDING : 0) |
		       (mac != 0 && mac != first_mac ? EVENT_MAC : 0);
	return (struct event){
		.ts_ns = pkt->ts_ns,
		.frame = (uint32_t)pkt->frame,
		.seq = h->seq,
		.ack = h->ack,
		.payhash = cut ? 0 : evidence_payload_hash(h->payload, h->payload_caplen),
		.tsval = h->has_ts ? h->tsval : 0,
		.flags = (uint16_t)(h->flags | (h->flow_label != 0 ? EVENT_FLOW_LABEL : 0) |
				    (pkt->n_frames != 0 ? EVENT_REASSEMBLED : 0)),
		.window = h->window,
		.ip_id = h->ip_id,
		.len = h->payload_len < UINT16_MAX ? (uint16_t)h->payload_len : UINT16_MAX,
		.file = (uint16_t)pkt->file,
		.ttl = h->ttl,
		.bits = bits,
	};
}

bool evidence_is_duplicate(struct evidence_room *room, const struct flow *f, const struct event *e,
			   const struct headers *h)
{
	if ((e->flags & TCP_RST) != 0 ||
	    (e->len == 0 && e->ip_id == 0 && (e->flags & (TCP_SYN | TCP_FIN)) == 0))
		return false;
	uint64_t x = hash_word(f->id, (uint64_t)e->seq << 32 | e->ack);
	x = hash_word(x, (uint64_t)e->payhash << 32 | e->tsval);
	x = hash_word(x, (uint64_t)e->ip_id << 48 | (uint64_t)e->window << 32 |
				 (uint32_t)e->len << 16 | e->flags);
	x = hash_word(x, e->bits & EVENT_S2C);
	unsigned slot = evidence_slot(f, h);
	uint32_t hash = (uint32_t)x & ~0xffu, now = (uint32_t)(e->ts_ns >> 10);
	uint32_t known = room->seen[slot].hash, age = now - room->seen[slot].ts;
	int hops = (int)(known & 0xff) - (int)e->ttl;
	room->seen[slot].hash = hash | e->ttl;
	room->seen[slot].ts = now;
	return (known & ~0xffu) == hash && age <= DUPLICATE_NS >> 10 &&
	       (hops == 0 || (e->ip_id != 0 && (hops == 1 || hops == -1)));
}

/* An end, or content unlike its sender's: what a damaged packet is easily taken for. */
static bool is_weighty(const struct half *s, const struct half *p, const struct event *e)
{
	if ((e->flags & (TCP_RST | TCP_SYN)) != 0 || (p->has_mss && e->len > p->mss))
		return false;
	bool bare = s->ts_ok && p->ts_ok && (e->bits & EVENT_TS) == 0;
	return (e->flags & TCP_FIN) != 0 || (e->len > 1 && (bare || s->n_fin != 0));
}

static void half_syn(struct evidence *ev, struct half *s, enum dir dir, const struct event *e,
		     const struct headers *h)
{
	count16(&s->n_syn);
	if (s->syn) {
		if (e->seq != s->isn && dir == DIR_S2C)
			ev->found |= EVIDENCE_SYNACK2;
		if (e->seq == s->isn)
			ev->found |= EVIDENCE_SYN_AGAIN;
		return;
	}
	s->syn = true;
	s->isn = e->seq;
	s->syn_ttl = e->ttl;
	s->ts_ok = h->has_ts;
	s->sack_ok = h->sack_permitted;
	s->has_mss = h->has_mss;
	s->mss = h->mss;
	s->has_wscale = h->has_wscale;
	s->wscale = h->wscale;
}

/* Bytes that an earlier copy of the same sequence numbers contradicts (RACE-7). */
static bool bytes_differ(const struct evidence *ev, const struct half *s, const struct event *e,
			 const struct headers *h)
{
	if (s->n_data != 0 && e->seq == s->first_seq && s->excerpt_len != 0) {
		uint32_t n = h->payload_caplen < s->excerpt_len ? h->payload_caplen : s->excerpt_len;
		if (memcmp(s->excerpt, h->payload, n) != 0)
			return true;
	}
	if (e->payhash == 0)
		return false;
	for (unsigned i = 0; i < ev->n_events; i++) {
		const struct event *o = &ev->events[i];
		/* Comparable only where both hashes cover the same count of bytes. */
		bool same_cover = o->len == e->len || (o->len >= PAYLOAD_HASHED &&
						       e->len >= PAYLOAD_HASHED);
		if (o->seq == e->seq && event_dir(o) == event_dir(e) && o->payhash != 0 &&
		    same_cover && (o->flags & (TCP_RST | TCP_SYN)) == 0 &&
		    h->payload_caplen >= (e->len < PAYLOAD_HASHED ? e->len : PAYLOAD_HASHED) &&
		    o->payhash != e->payhash)
			return true;
	}
	return false;
}

static bool is_keepalive(const struct half *s, const struct event *e)
{
	return s->seen && e->len <= 1 && (e->flags & (TCP_SYN | TCP_FIN | TCP_RST)) == 0 &&
	       e->seq == s->next - 1 && (e->len == 1 || s->n_data != 0 || s->syn);
}

static void half_stuck(struct evidence *ev, struct resent *r, enum dir dir, const struct event *e)
{
	const struct half *s = &ev->half[dir], *p = &ev->half[dir_other(dir)];
	uint32_t una = p->acked ? p->max_ack : s->first_seq;
	if (p->acked && seq_leq(e->seq + e->len, una)) {
		r->again = r->again_seq == e->seq ? r->again : 0;
		r->again_seq = e->seq;
		count16(&r->again);
		if (r->again >= 2)
			ev->found |= EVIDENCE_STUCK;
		return;
	}
	if (!seq_leq(e->seq, una) || !seq_lt(una, e->seq + e->len))
		return;
	if (r->stuck == 0 || r->stuck_seq != e->seq) {
		r->stuck_seq = e->seq;
		r->stuck_len = e->len;
		r->stuck_ns = e->ts_ns;
		r->stuck = 0;
	}
	count16(&r->stuck);
	if (r->stuck >= 2)
		ev->found |= EVIDENCE_STUCK;
}

static void half_first(struct evidence *ev, enum dir dir, const struct event *e, uint32_t seq,
		       const struct headers *h)
{
	struct half *s = &ev->half[dir];
	s->first_seq = seq;
	s->first_len = e->len;
	s->first_data_ns = e->ts_ns;
	if (ev->more != NULL)
		ev->more->resent[dir].first_retx = 0;
	uint32_t n = h->payload_caplen < EVENT_EXCERPT ? h->payload_caplen : EVENT_EXCERPT;
	if (n != 0)
		memcpy(s->excerpt, h->payload, n);
	s->excerpt_len = (uint8_t)n;
}

/* No byte of it is new. */
static void half_resent(struct evidence *ev, enum dir dir, struct event *e, uint32_t seq,
			struct evidence_counters *n)
{
	struct half *s = &ev->half[dir];
	e->bits |= EVENT_RETX;
	if (s->n_retx == 0)
		s->retx_seq = seq;
	count16(&s->n_retx);
	struct evidence_more *m = evidence_more(ev, n);
	if (m != NULL && (e->bits & EVENT_PROBE) == 0)
		half_stuck(ev, &m->resent[dir], dir, e);
}

/* The start of the first payload once more, perhaps with more behind it. */
static void first_again(struct evidence *ev, enum dir dir, struct evidence_counters *n)
{
	struct evidence_more *m = evidence_more(ev, n);
	if (m != NULL)
		count16(&m->resent[dir].first_retx);
}

/* As long as the receiver's MSS allows, but for options (RFC 9293, section 3.7.1). */
bool evidence_is_full(const struct half *s, const struct half *p, uint32_t len)
{
	unsigned most = s->has_mss && p->mss > s->mss ? s->mss : p->mss;
	return p->has_mss && len + FULL_SHORT >= most;
}

static void half_payload(struct evidence *ev, enum dir dir, struct event *e,
			 const struct headers *h, struct evidence_counters *n)
{
	struct half *s = &ev->half[dir];
	const struct half *p = &ev->half[dir_other(dir)];
	if (is_keepalive(s, e)) {
		count16(&s->n_keepalive);
		return;
	}
	/* Of a client's own decoys (evasion tools send them) nobody else is the author. */
	if (dir == DIR_S2C && s->n_data != 0 && seq_lt(e->seq, s->next) &&
	    bytes_differ(ev, s, e, h) && !evidence_is_ignored(s, h)) {
		ev->found |= EVIDENCE_BYTES;
		if (ev->bytes_frame == 0)
			ev->bytes_frame = e->frame;
	}
	uint32_t seq = e->seq + ((e->flags & TCP_SYN) != 0); /* TCP Fast Open, RFC 7413 */
	/* The packets of one message swap places, too. */
	bool overtaken = s->n_data != 0 && s->syn && seq == s->isn + 1 && seq_lt(seq, s->first_seq) &&
			 !(p->acked && seq_lt(seq, p->max_ack));
	if (s->n_data == 0 || overtaken)
		half_first(ev, dir, e, seq, h);
	if (s->n_data == 0) {
		if (dir == DIR_S2C && (e->flags & TCP_FIN) != 0)
			ev->found |= EVIDENCE_FINDATA;
		if (dir == DIR_S2C && p->n_data != 0 && (e->flags & TCP_ACK) != 0 &&
		    seq_leq(e->ack, p->first_seq))
			ev->found |= EVIDENCE_ACKOFF;
	} else if (seq == s->first_seq && !overtaken) {
		first_again(ev, dir, n);
	}
	if (s->n_fin != 0 && seq_lt(s->next, seq + e->len))
		ev->found |= EVIDENCE_AFTER_FIN;
	if (s->n_data == 0 || seq_lt(s->next, seq + e->len)) {
		s->n_data++;
		s->last_full = evidence_is_full(s, p, e->len);
	} else {
		half_resent(ev, dir, e, seq, n);
	}
}

/* The flow's own header habits, after the handshake and without resets and probes. */
static void half_habits(struct evidence *ev, struct half *s, enum dir dir, const struct event *e)
{
	if ((e->flags & (TCP_SYN | TCP_RST)) != 0 || (e->bits & EVENT_PROBE) != 0)
		return;
	bool no_df = ev->ipv6 || (e->flags & EVENT_REASSEMBLED) != 0;
	uint8_t df = no_df ? 0 : (e->bits & EVENT_DF) != 0 ? 2 : 1;
	bool odd_ttl = s->ttl_max != 0 && (e->ttl + 10 <= s->ttl_min || e->ttl >= s->ttl_max + 10);
	if (dir == DIR_S2C && s->ttl_max != 0 && (odd_ttl || (df != 0 && (s->df & df) == 0)))
		ev->found |= EVIDENCE_HEADER;
	if (s->ttl_max == 0 || e->ttl < s->ttl_min)
		s->ttl_min = e->ttl;
	if (e->ttl > s->ttl_max)
		s->ttl_max = e->ttl;
	s->df |= df;
	s->ts_later |= (e->bits & EVENT_TS) != 0;
}

static void half_ack(struct evidence *ev, enum dir dir, const struct event *e,
		     struct evidence_counters *n)
{
	struct half *s = &ev->half[dir], *p = &ev->half[dir_other(dir)];
	if ((e->flags & TCP_ACK) == 0)
		return;
	if (!s->acked || seq_lt(s->max_ack, e->ack)) {
		struct resent *r = ev->more != NULL ? &ev->more->resent[dir_other(dir)] : NULL;
		if (r != NULL && r->stuck != 0 && seq_lt(r->stuck_seq, e->ack))
			r->stuck = 0;
		s->max_ack = e->ack;
		s->acked = true;
	}
	if ((e->flags & TCP_SYN) == 0 && p->seen && seq_lt(p->next, e->ack)) {
		n->gaps += !p->gap;
		p->gap_filling = p->gap_filling || !p->gap;
		p->gap = true;
	}
	if (e->len == 0 && (e->flags & (TCP_SYN | TCP_FIN)) == 0)
		s->n_acks++;
}

/* What was acknowledged before it came: packets of another queue, not a hole in the capture. */
static void half_fill(struct half *s, const struct half *p, const struct event *e, uint32_t end,
		      struct evidence_counters *n)
{
	if (seq_leq(end, s->next))
		return;
	s->gap_filling = seq_leq(e->seq, s->next) && e->ts_ns <= p->last_ns + EVENT_DISORDER_NS;
	if (s->gap_filling && seq_leq(p->max_ack, end)) {
		s->gap = s->gap_filling = false;
		n->gaps--;
	}
}

static void half_update(struct evidence *ev, enum dir dir, struct event *e,
			const struct headers *h, struct evidence_counters *n)
{
	struct half *s = &ev->half[dir], *p = &ev->half[dir_other(dir)];

	if (s->mac == 0)
		s->mac = mac_hash(h);
	s->last_ns = e->ts_ns;
	if ((e->flags & TCP_RST) != 0) {
		evidence_rst(ev, dir, e, h);
		return;
	}
	if (is_weighty(s, p, e) && evidence_is_ignored(s, h)) {
		e->flags |= EVENT_IGNORED;
		return;
	}
	if (!s->seen)
		ev->tos[dir] = h->tos;
	if (!s->seen || ((e->flags & TCP_SYN) != 0 && !s->syn))
		evidence_learn_sound(ev, dir, h);
	if ((e->flags & TCP_SYN) != 0)
		half_syn(ev, s, dir, e, h);
	/* A SYN+ACK has the option only where the SYN had it (RFC 7323, section 3.2). */
	if ((e->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) && s->ts_ok && !p->syn)
		p->ts_ok = true;
	if (s->ts_ok && p->ts_ok && (e->bits & EVENT_TS) == 0 &&
	    (e->len != 0 || (e->flags & (TCP_FIN | TCP_SYN)) != 0) && !is_keepalive(s, e))
		ev->found |= EVIDENCE_TSGONE;
	half_habits(ev, s, dir, e);
	if (e->len != 0)
		half_payload(ev, dir, e, h, n);
	if ((e->flags & TCP_FIN) != 0)
		count16(&s->n_fin);
	uint32_t end = e->seq + event_seqlen(e);
	if (s->gap_filling)
		half_fill(s, p, e, end, n);
	if (!s->seen || seq_lt(s->next, end))
		s->next = end;
	s->seen = true;
	half_ack(ev, dir, e, n);
}

/*
 * Next to the client any step down from the SYN's TTL is deliberate; further away paths of one flow
 * differ by a few hops (EV-TTL's tolerance of 6).
 */
static bool ttl_limited(const struct half *s, uint8_t ttl)
{
	bool initial = s->syn_ttl == 32 || s->syn_ttl == 64 || s->syn_ttl == 128 || s->syn_ttl == 255;
	return s->syn && ttl + (initial ? 0 : 6) < s->syn_ttl;
}

bool evidence_is_decoy(const struct evidence *ev, enum dir dir, const struct headers *h)
{
	const struct half *s = &ev->half[dir];
	return dir == DIR_C2S && h->payload_len != 0 && (ttl_limited(s, h->ttl) || evidence_is_ignored(s, h));
}

/* Bytes of the server's that overlap its first answers and begin elsewhere (RACE-7). */
static void compare_answers(struct evidence *ev, struct evidence_room *room, const struct flow *f,
			    const struct event *e, const struct headers *h)
{
	const struct half *s = &ev->half[DIR_S2C];
	bool compare = s->n_data != 0 && seq_lt(e->seq, s->next) &&
		       (ev->found & EVIDENCE_BYTES) == 0;
	bool keep = s->n_data < ANSWERS_FLOW;
	/* The checksum last: it goes through all of the payload. */
	if (!(compare || keep) || e->len == 0 || (e->flags & (TCP_RST | TCP_SYN)) != 0 ||
	    is_keepalive(s, e) || evidence_is_ignored(s, h))
		return;
	if (compare && evidence_contradicts(ev, room, f, e, h)) {
		ev->found |= EVIDENCE_BYTES;
		ev->bytes_frame = e->frame;
	}
	if (keep)
		evidence_keep_answer(room, f, e, h);
}

/*
 * A segment like those before it: it follows upon them, and nothing that is looked for can be in it. In
 * long connections nearly all are such. True: what it leaves in its half is there; the others take the
 * long way, which would do the same to it.
 */
static bool goes_on(struct evidence *ev, enum dir dir, const struct event *e,
		    const struct headers *h, struct evidence_counters *n)
{
	struct half *s = &ev->half[dir];
	const struct half *p = &ev->half[dir_other(dir)];
	bool ts = (e->bits & EVENT_TS) != 0, no_df = ev->ipv6 || (e->flags & EVENT_REASSEMBLED) != 0;
	uint8_t df = no_df ? 0 : (e->bits & EVENT_DF) != 0 ? 2 : 1;
	/* Every 4 GiB a number is the first one again. */
	bool first = e->seq == s->first_seq || e->seq == s->isn + 1;
	bool follows = s->seen && e->seq == s->next && !first && s->n_data >= ANSWERS_FLOW &&
		       s->n_fin == 0 && !s->gap_filling;
	bool alike = e->ttl >= s->ttl_min && e->ttl <= s->ttl_max && (df & ~s->df) == 0 &&
		     (ts || !s->ts_ok || !p->ts_ok) && (s->mac != 0 || !h->has_mac);
	bool probe = dir == DIR_C2S && e->ttl < s->syn_ttl;
	bool plain = (e->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK;
	if (!follows || !alike || probe || !plain || (p->has_mss && h->payload_len > p->mss))
		return false;
	s->last_ns = e->ts_ns;
	s->ts_later |= ts;
	if (e->len != 0) {
		s->n_data++;
		s->last_full = evidence_is_full(s, p, e->len);
		s->next += e->len;
	}
	half_ack(ev, dir, e, n);
	return true;
}

/* The long way: it could be somebody else's, or is the beginning or the end of something. */
static void stands_out(struct evidence *ev, struct evidence_room *room, const struct flow *f, enum dir dir,
		       struct event *e, const struct headers *h, struct evidence_counters *n)
{
	const struct half *s = &ev->half[dir], *p = &ev->half[dir_other(dir)];
	if (dir == DIR_C2S && e->len != 0 && (e->flags & TCP_RST) == 0 && ttl_limited(s, e->ttl)) {
		e->bits |= EVENT_PROBE;
		count8(&ev->n_probes);
		n->ttl_probes++;
	}
	if (p->has_mss && h->payload_len > p->mss) {
		count8(&ev->tso);
		n->tso_segments++;
	}
	uint16_t before = ev->found;
	if (dir == DIR_S2C)
		compare_answers(ev, room, f, e, h);
	half_update(ev, dir, e, h, n);
	if (e->len != 0 && (e->flags & TCP_RST) == 0)
		evidence_keep_page(ev, before, e, h, n);
	if ((ev->found & ~EVIDENCE_HEADER) != 0)
		evidence_freeze(ev);
}

bool evidence_packet(struct evidence *ev, struct evidence_room *room, const struct flow *f,
		     enum dir dir, const struct packet *pkt, const struct headers *h,
		     struct evidence_counters *n)
{
	struct event e = evidence_event(ev->half[dir].mac, dir, pkt, h);

	ev->ipv6 = f->key.ip_version == 6;
	if (evidence_is_duplicate(room, f, &e, h)) {
		count8(&ev->duplicates);
		n->duplicate_frames++;
		return false;
	}
	if (!goes_on(ev, dir, &e, h, n))
		stands_out(ev, room, f, dir, &e, h, n);
	evidence_append(ev, room, &e, n);
	return true;
}
