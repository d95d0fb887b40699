/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/tunnel_rate.h"

#include <stdlib.h>

#include "classifiers/tamper/rate.h"

#define EARN_MISSING 3u    /* packets: then the log begins */
#define PACKETS_MAX 16384u /* as many as are logged of a TCP connection */
#define SEGMENTS_MAX 65536u
#define STEP_MAX 1024u     /* numbers missing at once: more is another session, or a capture's hole */
#define JUMPS_MAX 3u       /* steps beyond that without a new session: they are no numbers */
#define REORDER 64u        /* packets that a late one is looked for among */
#define LOST_MIN 15u       /* the published detector's (rate.c) */

struct tunnel_packet {
	uint64_t ts_ns;
	uint32_t frame;
	uint16_t len, missing; /* numbers missing right before it */
};

static bool log_room(struct tunnel_rate *r, struct tunnel_room *room)
{
	if (r->n < r->room)
		return true;
	uint32_t want = r->room != 0 ? r->room * 2 : 128;
	size_t more = (want - r->room) * sizeof(*r->log);
	if (r->n >= PACKETS_MAX || room->used + more > TUNNEL_ROOM_BYTES)
		return false;
	struct tunnel_packet *bigger = realloc(r->log, want * sizeof(*r->log));
	if (bigger == NULL)
		return false;
	room->used += more;
	r->log = bigger;
	r->room = want;
	return true;
}

static void log_packet(struct tunnel_rate *r, struct tunnel_room *room,
		       const struct tunnel_number *p, uint32_t missing)
{
	if (r->missing < EARN_MISSING || !log_room(r, room)) {
		r->bytes += r->n == 0 ? p->len : 0;
		return;
	}
	r->log[r->n++] = (struct tunnel_packet){
		.ts_ns = p->ts_ns,
		.frame = (uint32_t)p->frame,
		.len = (uint16_t)(p->len < UINT16_MAX ? p->len : UINT16_MAX),
		.missing = (uint16_t)missing,
	};
}

/* One that others overtook was not lost. */
static void found_again(struct tunnel_rate *r)
{
	r->missing -= r->missing != 0;
	for (uint32_t i = r->n, k = 0; i-- > 0 && k < REORDER; k++) {
		if (r->log[i].missing == 0)
			continue;
		r->log[i].missing--;
		return;
	}
}

void tunnel_rate_packet(struct tunnel_rate *r, struct tunnel_room *room, struct tunnel_number p)
{
	uint32_t missing = 0;
	if (r->random || room->off)
		return;
	if (!r->begun)
		r->first_ns = p.ts_ns;
	if (!r->begun || p.id != r->id) {
		r->next = p.number + 1;
	} else if (p.number >= r->next && p.number - r->next <= STEP_MAX) {
		missing = (uint32_t)(p.number - r->next);
		r->next = p.number + 1;
	} else if (p.number < r->next && r->next - p.number <= STEP_MAX) {
		found_again(r);
	} else {
		r->random = ++r->jumps >= JUMPS_MAX;
		r->next = p.number + 1;
	}
	r->begun = true;
	r->id = p.id;
	r->missing = r->missing < UINT32_MAX - missing ? r->missing + missing : UINT32_MAX;
	log_packet(r, room, &p, missing);
}

/*
 * As a log of segments: what is missing came evenly between its neighbours, since a bucket has filled
 * again by the time of the next that passes.
 */
static unsigned segments_of(const struct tunnel_rate *r, struct rate_segment *seg, unsigned most)
{
	uint32_t at = (uint32_t)r->bytes;
	unsigned n = 0;
	for (uint32_t i = 0; i < r->n; i++) {
		const struct tunnel_packet *p = &r->log[i];
		uint64_t from = i > 0 && p[-1].ts_ns < p->ts_ns ? p[-1].ts_ns : p->ts_ns;
		for (unsigned k = 0; k <= p->missing && n < most; k++) {
			bool lost = k < p->missing;
			seg[n++] = (struct rate_segment){
				.ts_ns = from + (p->ts_ns - from) * (k + 1) / (p->missing + 1u),
				.seq = at, .ack_us = RATE_UNACKED,
				.frame = p->frame, .len = p->len,
				.bits = lost ? RATE_HOLE | RATE_FILLED : 0,
			};
			at += p->len;
		}
	}
	return n;
}

bool tunnel_rate_judge(const struct tunnel_rate *r, double rtt_us, struct rate_facts *out)
{
	size_t n = r->n;
	for (uint32_t i = 0; i < r->n; i++)
		n += r->log[i].missing;
	if (r->random || r->missing < LOST_MIN || r->n == 0)
		return false;
	n = n < SEGMENTS_MAX ? n : SEGMENTS_MAX;
	struct rate_trace t = {.seg = malloc(n * sizeof(*t.seg)), .start_ns = r->first_ns,
			       .rtt_us = rtt_us};
	if (t.seg == NULL)
		return false;
	t.n = segments_of(r, t.seg, (unsigned)n);
	bool judged = rate_judge(&t, out);
	free(t.seg);
	/* Other forms need to know when what was sent arrived, or how long what is missing was. */
	return judged && out->form == RATE_POLICED;
}

void tunnel_rate_free(struct tunnel_rate *r, struct tunnel_room *room)
{
	room->used -= r->room * sizeof(*r->log);
	free(r->log);
	*r = (struct tunnel_rate){.n = 0};
}
