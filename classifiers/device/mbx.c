/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/device/mbx.h"

#include <stdio.h>
#include <string.h>

#include "classifiers/tamper/dns_exchange.h"
#include "classifiers/tamper/lockstep.h"
#include "classifiers/tamper/tsg.h"
#include "dataplane/seq.h"

#define BURST_NS 20000000ull
#define TTL_SPREAD 6  /* EV-TTL: paths and honest hosts vary by 5 */
#define STEP_MAX 64
#define CLASS_SIZE 32
#define SEQ_MAX 20

/* What is known of one cluster before its classes are chosen. */
struct stamps {
	const struct view *v;
	const uint16_t *event;
	unsigned n;
	const struct event *first;
	unsigned occasions;
	bool echo;                /* every sequence number is an ack of the other side */
	unsigned from, to;        /* the longest burst, as indices into event */
	struct tsg_result tsg;
	bool is_tsg;
	bool is_lock;
};

enum field { FIELD_IPID, FIELD_WINDOW };

static unsigned shown_len(const struct event *e)
{
	return (e->bits & EVENT_PADDING) != 0 ? 0 : e->len;
}

static bool same_cluster(const struct event *a, const struct event *b)
{
	bool rst = (a->flags & TCP_RST) != 0;
	return ((a->flags ^ b->flags) & 0xfff) == 0 && ((a->bits ^ b->bits) & EVENT_DF) == 0 &&
	       ((a->bits ^ b->bits) & EVENT_OPTIONS) == 0 &&
	       ((a->flags ^ b->flags) & EVENT_FLOW_LABEL) == 0 &&
	       (a->ip_id == 0) == (b->ip_id == 0) && (a->window == 0) == (b->window == 0) &&
	       (rst ? shown_len(a) == shown_len(b) : (a->len == 0) == (b->len == 0));
}

/* The answer that an event of a DNS query brought; NULL: none, or no DNS. */
static const struct dns_reply *reply_at(const struct view *v, unsigned event)
{
	const struct dns_exchange *x = dns_exchange_of(v->ex);
	for (unsigned i = 0; x != NULL && i < x->n_replies; i++)
		if (x->reply[i].event == event)
			return &x->reply[i];
	return NULL;
}

/* Forged answers are known by their words, not by what a TCP segment would have. */
static bool same_answer(const struct dns_reply *a, const struct dns_reply *b)
{
	const unsigned layout = DNS_REPLY_OPT | DNS_REPLY_POINTER;
	return a->flags == b->flags && a->n_answers == b->n_answers &&
	       ((a->bits ^ b->bits) & layout) == 0;
}

static bool is_copy(const struct event *a, const struct event *b)
{
	return same_cluster(a, b) && a->seq == b->seq && a->ack == b->ack &&
	       a->ip_id == b->ip_id && a->window == b->window && a->ttl == b->ttl &&
	       (a->ts_ns > b->ts_ns ? a->ts_ns - b->ts_ns : b->ts_ns - a->ts_ns) < BURST_NS;
}

static bool is_injected(const struct view *v, unsigned i)
{
	const struct event *e = &v->e[i];
	/* Of exchanges only DNS answers are stamped by somebody who can be told by it. */
	if (v->ex != NULL)
		return reply_at(v, i) != NULL;
	return event_dir(e) == v->dir && (e->flags & (TCP_SYN | EVENT_IGNORED)) == 0;
}

static void cluster_add(struct mbx_cluster *c, uint16_t event)
{
	unsigned at = c->n;
	for (unsigned i = 0; i < c->n; i++)
		if (c->event[i] == event)
			return;
	if (c->n == MBX_PACKETS)
		return;
	for (; at > 0 && c->event[at - 1] > event; at--)
		c->event[at] = c->event[at - 1];
	c->event[at] = event;
	c->n++;
}

unsigned mbx_clusters(const struct view *v, const uint16_t events[], unsigned n,
		      struct mbx_cluster out[MBX_CLUSTERS])
{
	unsigned clusters = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct event *e = &v->e[events[i]];
		unsigned c = 0;
		if (!is_injected(v, events[i]))
			continue;
		while (c < clusters &&
		       (!same_cluster(&v->e[out[c].event[0]], e) ||
			(v->ex != NULL &&
			 !same_answer(reply_at(v, out[c].event[0]), reply_at(v, events[i])))))
			c++;
		if (c == MBX_CLUSTERS)
			continue;
		if (c == clusters)
			out[clusters++].n = 0;
		cluster_add(&out[c], events[i]);
		for (unsigned k = 0; (e->flags & TCP_RST) != 0 && k < v->n_rst; k++)
			if (is_copy(e, &v->e[v->rst[k]]))
				cluster_add(&out[c], v->rst[k]);
	}
	return clusters;
}

/* Sequence numbers */

static bool is_echo(const struct view *v, unsigned i)
{
	uint32_t ack;
	for (unsigned k = 0; k < i; k++)
		if (event_dir(&v->e[k]) != v->dir && (v->e[k].flags & TCP_ACK) != 0 &&
		    v->e[k].ack == v->e[i].seq)
			return true;
	/* Of a long flow's acks most are not recorded; up to the highest, each number was one. */
	return v->ev->skipped_at != 0 && v->ev->skipped_at <= i && view_acked_before(v, i, &ack) &&
	       seq_leq(v->e[i].seq, ack);
}

static bool heard_other_side(const struct view *v, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (event_dir(&v->e[k]) != v->dir)
			return true;
	return false;
}

static char seq_letter(const struct view *v, unsigned i)
{
	uint32_t next;
	if (v->e[i].seq == 0)
		return 'z';
	if (is_echo(v, i))
		return 'a';
	if (!heard_other_side(v, i) || !view_next_before(v, i, &next))
		return '?';
	return v->e[i].seq == next ? 'n' : seq_lt(next, v->e[i].seq) ? 'f' : 'b';
}

static void say_seq(const struct stamps *s, char out[CLASS_SIZE])
{
	const struct event *first = &s->v->e[s->event[s->from]];
	char letter = seq_letter(s->v, s->event[s->from]);
	for (unsigned i = 0; i < s->n && letter != '?'; i++) {
		uint64_t gap = i > 0 ? s->v->e[s->event[i]].ts_ns - s->v->e[s->event[i - 1]].ts_ns
				     : BURST_NS;
		/* Of a burst that steps ahead only the first shows what the numbers come from. */
		if (gap >= BURST_NS && !s->echo && seq_letter(s->v, s->event[i]) != letter)
			letter = '?';
	}
	bool bare = (s->first->flags & (TCP_RST | TCP_ACK)) == TCP_RST;
	const char *ack = !bare || letter == '?' ? "" : s->first->ack == 0 ? "0" : "k";
	unsigned at = (unsigned)snprintf(out, CLASS_SIZE, "%c%s", letter, ack);
	uint32_t last = first->seq;
	for (unsigned i = s->from + 1; i < s->to && !s->echo && letter != '?'; i++) {
		uint32_t seq = s->v->e[s->event[i]].seq;
		char step[16];
		int n = snprintf(step, sizeof(step), "%+d", seq_diff(seq, first->seq));
		if (seq != last && at + (unsigned)n <= SEQ_MAX) {
			memcpy(out + at, step, (size_t)n + 1);
			at += (unsigned)n;
		}
		last = seq;
	}
}

/* Bursts and occasions */

static void find_bursts(struct stamps *s)
{
	const struct event *e = s->v->e;
	unsigned bursts = 0, seqs = 0, start = 0;
	for (unsigned i = 0; i < s->n; i++) {
		bool fresh = true;
		for (unsigned k = 0; k < i; k++)
			fresh &= e[s->event[k]].seq != e[s->event[i]].seq;
		seqs += fresh;
		if (i == 0 || e[s->event[i]].ts_ns - e[s->event[i - 1]].ts_ns >= BURST_NS) {
			start = i;
			bursts++;
		}
		if (i + 1 - start > s->to - s->from) {
			s->from = start;
			s->to = i + 1;
		}
	}
	s->occasions = s->echo && seqs > bursts ? seqs : bursts;
}

static unsigned count_of(const struct stamps *s)
{
	const struct event *e = s->v->e;
	unsigned most = s->to - s->from;
	if (s->echo) {
		most = 0;
		for (unsigned i = 0; i < s->n; i++) {
			unsigned same = 0;
			for (unsigned k = i; k < s->n; k++)
				same += e[s->event[k]].seq == e[s->event[i]].seq &&
					e[s->event[k]].ts_ns - e[s->event[i]].ts_ns < BURST_NS;
			most = same > most ? same : most;
		}
	}
	return most < 9 ? most : 9;
}

/* TTL, IP-ID and window */

static void say_ttl(const struct stamps *s, char out[CLASS_SIZE])
{
	static const unsigned initial[] = {32, 64, 128, 255};
	unsigned lo = 255, hi = 0, distinct = 0, k = 0;
	uint64_t seen[4] = {0};
	for (unsigned i = 0; i < s->n; i++) {
		unsigned ttl = s->v->e[s->event[i]].ttl;
		distinct += (seen[ttl / 64] >> ttl % 64 & 1) == 0;
		seen[ttl / 64] |= 1ull << ttl % 64;
		lo = ttl < lo ? ttl : lo;
		hi = ttl > hi ? ttl : hi;
	}
	while (initial[k] < hi)
		k++;
	if (s->is_tsg && s->tsg.hops >= 0)
		snprintf(out, CLASS_SIZE, "tsg");
	else if (s->is_lock)
		snprintf(out, CLASS_SIZE, "lock");
	else if (hi - lo <= TTL_SPREAD)
		snprintf(out, CLASS_SIZE, "%u", initial[k]);
	else
		snprintf(out, CLASS_SIZE, distinct >= 3 ? "rnd" : "?");
}

static uint16_t value_of(const struct event *e, enum field f)
{
	return f == FIELD_IPID ? e->ip_id : e->window;
}

/* What stacks and boxes write by default: met on one packet, it is no accident. */
static bool is_usual(enum field f, uint16_t x)
{
	static const uint16_t ids[] = {0x00f2, 0x0100, 0x3412, 30000};
	static const uint16_t windows[] = {1,	  123,	 512,	1024,  2048,  4096,  5792,
					   5840,  8192,	 8760,	10240, 14480, 14600, 16384,
					   17520, 28960, 29200, 32120, 32768, 64240, 65535};
	const uint16_t *list = f == FIELD_IPID ? ids : windows;
	unsigned n = f == FIELD_IPID ? sizeof(ids) / sizeof(*ids) : sizeof(windows) / sizeof(*windows);
	for (unsigned i = 0; i < n; i++)
		if (list[i] == x)
			return true;
	return f == FIELD_IPID && x < 16;
}

/* Every packet carries its trigger's value; *several: and these differ. */
static bool is_mirror(const struct stamps *s, enum field f, bool *several)
{
	*several = false;
	for (unsigned i = 0; i < s->n; i++) {
		int q = view_last_sent(s->v, s->event[i]);
		uint16_t x = value_of(&s->v->e[s->event[i]], f);
		if (q < 0 || value_of(&s->v->e[q], f) != x)
			return false;
		*several |= x != value_of(s->first, f);
	}
	return true;
}

/* +1, -1: it goes up, down in small steps; 0: neither, it stands, or one step over time is all. */
static int direction_of(const struct stamps *s, enum field f)
{
	unsigned up = 0, down = 0, moves = 0, within = 0;
	for (unsigned i = 1; i < s->n; i++) {
		const struct event *e = &s->v->e[s->event[i - 1]], *g = &s->v->e[s->event[i]];
		uint16_t a = value_of(e, f), b = value_of(g, f);
		moves += a != b;
		within += a != b && g->ts_ns - e->ts_ns < BURST_NS;
		up += a != b && (uint16_t)(b - a) <= STEP_MAX;
		down += a != b && (uint16_t)(a - b) <= STEP_MAX;
	}
	if (moves + within < 2)
		return 0;
	return up == moves ? 1 : down == moves ? -1 : 0;
}

static unsigned distinct_of(const struct stamps *s, enum field f)
{
	unsigned n = 0;
	for (unsigned i = 0; i < s->n; i++) {
		bool fresh = true;
		for (unsigned k = 0; k < i; k++)
			fresh &= value_of(&s->v->e[s->event[k]], f) !=
				 value_of(&s->v->e[s->event[i]], f);
		n += fresh;
	}
	return n;
}

static void say_value(const struct stamps *s, enum field f, char out[CLASS_SIZE])
{
	uint16_t x = value_of(s->first, f);
	bool several, mirror = is_mirror(s, f, &several);
	unsigned distinct = distinct_of(s, f);
	int direction = direction_of(s, f);
	const char *word = "+";
	if (x == 0)
		word = "0";
	else if (s->is_tsg)
		word = "tsg";
	else if (f == FIELD_WINDOW && s->is_lock)
		word = "lock";
	else if (mirror && (f == FIELD_IPID || several || !is_usual(f, x)))
		word = "mir";
	else if (mirror)
		word = "+";
	else if (distinct == 1 && (s->occasions >= 2 || is_usual(f, x)))
		word = NULL;
	else if (direction != 0)
		word = direction > 0 ? "inc" : "dec";
	else if (distinct >= 3)
		word = "rnd";
	if (word != NULL)
		snprintf(out, CLASS_SIZE, "%s", word);
	else
		snprintf(out, CLASS_SIZE, f == FIELD_IPID ? "c%04x" : "c%u", x);
}

static void say_ipid(const struct stamps *s, char out[CLASS_SIZE])
{
	if (s->v->ev->ipv6)
		snprintf(out, CLASS_SIZE, (s->first->flags & EVENT_FLOW_LABEL) != 0 ? "+" : "0");
	else
		say_value(s, FIELD_IPID, out);
}

/* The rest */

static const char *options_class(const struct stamps *s)
{
	unsigned ts = 0;
	for (unsigned i = 0; i < s->n; i++)
		ts += (s->v->e[s->event[i]].bits & EVENT_TS) != 0;
	if ((s->first->bits & EVENT_OPTIONS) == 0)
		return "0";
	return ts == s->n ? "ts" : ts == 0 ? "opt" : "?";
}

static void say_payload(const struct stamps *s, char out[CLASS_SIZE])
{
	static const uint8_t zeros[64];
	const struct half *h = &s->v->ev->half[s->v->dir];
	unsigned len = shown_len(s->first);
	if (len == 0) {
		snprintf(out, CLASS_SIZE, "0");
	} else if ((s->first->flags & TCP_RST) != 0) {
		unsigned n = len < sizeof(zeros) ? len : (unsigned)sizeof(zeros);
		if (s->first->payhash == evidence_payload_hash(zeros, n))
			snprintf(out, CLASS_SIZE, "z%u", len);
		else
			snprintf(out, CLASS_SIZE, "p%u-%08x", len, s->first->payhash);
	} else if (s->event[0] == s->v->first_s2c && h->excerpt_len >= 12 &&
		   memcmp(h->excerpt, "HTTP/1.", 7) == 0 && h->excerpt[9] >= '0' &&
		   h->excerpt[9] <= '9' && h->excerpt[10] >= '0' && h->excerpt[10] <= '9' &&
		   h->excerpt[11] >= '0' && h->excerpt[11] <= '9') {
		snprintf(out, CLASS_SIZE, "http%.3s", (const char *)h->excerpt + 9);
	} else {
		snprintf(out, CLASS_SIZE, "data");
	}
}

static void find_rules(struct stamps *s)
{
	struct lockstep l;
	s->is_tsg = tsg_examine(s->v, s->event, s->n, &s->tsg) && s->tsg.n_packets == s->n;
	s->is_lock = lockstep_examine(s->v, s->event, s->n, &l) && l.n_packets == s->n;
	s->echo = true;
	for (unsigned i = 0; i < s->n; i++)
		s->echo &= seq_letter(s->v, s->event[i]) == 'a';
	find_bursts(s);
}

static void say_dns(const struct stamps *s, char out[MBX_SIZE])
{
	const struct dns_exchange *x = dns_exchange_of(s->v->ex);
	const struct dns_reply *r = reply_at(s->v, s->event[0]);
	char ttl[CLASS_SIZE], ipid[CLASS_SIZE], count[2] = "?";
	if (x->n_copies == 0)
		count[0] = (char)('0' + count_of(s));
	say_ttl(s, ttl);
	say_ipid(s, ipid);
	const char *df = s->v->ev->ipv6 ? "-" : (s->first->bits & EVENT_DF) != 0 ? "1" : "0";
	snprintf(out, MBX_SIZE, "mbx1_dns%04xx%s_%.12s_%.12s_%s_-_-_-_%u%s%s", r->flags, count, ttl,
		 ipid, df, r->n_answers < 9 ? r->n_answers : 9,
		 r->n_answers == 0			 ? ""
		 : (r->bits & DNS_REPLY_POINTER) != 0 ? "p"
						      : "n",
		 (r->bits & DNS_REPLY_OPT) != 0 ? "e" : "");
}

void mbx_of(const struct view *v, const uint16_t events[], unsigned n, char out[MBX_SIZE])
{
	struct mbx_cluster c[MBX_CLUSTERS];
	char ttl[CLASS_SIZE], ipid[CLASS_SIZE], window[CLASS_SIZE], seq[CLASS_SIZE],
		payload[CLASS_SIZE], count[2] = "?";
	out[0] = '\0';
	if (mbx_clusters(v, events, n, c) == 0)
		return;
	struct stamps s = {.v = v, .event = c[0].event, .n = c[0].n, .first = &v->e[c[0].event[0]]};
	if (v->ex != NULL) {
		find_bursts(&s);
		say_dns(&s, out);
		return;
	}
	find_rules(&s);
	if (v->ev->duplicates == 0)
		count[0] = (char)('0' + count_of(&s));
	say_ttl(&s, ttl);
	say_ipid(&s, ipid);
	say_value(&s, FIELD_WINDOW, window);
	say_seq(&s, seq);
	say_payload(&s, payload);
	const char *df = v->ev->ipv6 ? "-" : (s.first->bits & EVENT_DF) != 0 ? "1" : "0";
	snprintf(out, MBX_SIZE, "mbx1_%03xx%s_%.12s_%.12s_%s_%.12s_%s_%.20s_%.20s",
		 s.first->flags & 0xfffu, count, ttl, ipid, df, window, options_class(&s), seq,
		 payload);
}

/* Comparison */

bool mbx_field_matches(const char *a, size_t na, const char *b, size_t nb)
{
	if ((na == 1 && *a == '?') || (nb == 1 && *b == '?'))
		return true;
	if (na == 1 && *a == '+')
		return nb != 1 || *b != '0';
	if (nb == 1 && *b == '+')
		return na != 1 || *a != '0';
	return na == nb && memcmp(a, b, na) == 0;
}

bool mbx_matches(const char *a, const char *b)
{
	if (strncmp(a, "mbx1_", 5) != 0 || strncmp(b, "mbx1_", 5) != 0)
		return false;
	a += 5;
	b += 5;
	/* Flags and count are one field with an x between them; the others end with _. */
	for (const char *ends = "x_______";; ends++) {
		char end[2] = {*ends, '\0'};
		size_t na = strcspn(a, end), nb = strcspn(b, end);
		if (na == 0 || nb == 0 || !mbx_field_matches(a, na, b, nb))
			return false;
		a += na;
		b += nb;
		if (*ends == '\0')
			return true;
		if (*a++ != *ends || *b++ != *ends)
			return false;
	}
}
