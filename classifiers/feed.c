/* SPDX-License-Identifier: BSD-3-Clause */

/* Each packet, and each stream's first bytes, to the classifiers that still want them. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/shard.h"
#include "dataplane/seq.h"

/* Classifiers may read files and build tables: only when the group's first flow asks. */
static bool open_classifier(struct shard *s, unsigned i)
{
	const struct classifier *c = s->in->classifiers[i];
	struct classifier_group *g = s->group;
	if (g->state[i] != NULL || g->refused[i])
		return !g->refused[i];
	void *state = calloc(1, c->shard_size != 0 ? c->shard_size : 1);
	pthread_mutex_lock(&s->in->open_lock);
	int err = state == NULL		    ? -ENOMEM
		  : c->shard_open != NULL ? c->shard_open(state, &s->in->cfg)
					  : 0;
	pthread_mutex_unlock(&s->in->open_lock);
	if (err != 0) {
		free(state);
		g->refused[i] = true;
		s->no_memory += err == -ENOMEM;
		return false;
	}
	g->state[i] = state;
	return true;
}

static void *state_of(struct shard *s, struct flow_scratch *x, unsigned i)
{
	return x->busy->state + s->in->state_offset[i];
}

/* It ends, and a terminal that it is shown on obeys none of it. */
static void make_plain(char *text, size_t room)
{
	text[room - 1] = '\0';
	for (char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

/* What a plug-in said, which is its own word and nobody else's. */
static void make_harmless(struct label *said, const struct classifier *by)
{
	said->by = by->name;
	said->rule = NULL;
	make_plain(said->app, sizeof(said->app));
	make_plain(said->category, sizeof(said->category));
	make_plain(said->confidence, sizeof(said->confidence));
	make_plain(said->risks, sizeof(said->risks));
}

/* Room for a label is clean before each call, and cleaned only where something was said: few say any. */
static void take_label(struct shard *s, struct flow_busy *b, unsigned i)
{
	struct label *said = &s->said;
	unsigned n = b->labels != NULL ? b->labels->n : 0, at = 0;
	if (said->by == NULL)
		return;
	if ((s->in->foreign & 1u << i) != 0)
		make_harmless(said, s->in->classifiers[i]);
	while (at < n && strcmp(b->labels->of[at].by, said->by) != 0)
		at++;
	if (at == n && n < LABELS_SAID) {
		struct labels *more = realloc(b->labels, sizeof(*more) + (n + 1) * sizeof(*said));
		s->no_memory += more == NULL;
		if (more != NULL) {
			more->n = n + 1;
			b->labels = more;
		}
	}
	if (b->labels != NULL && at < b->labels->n)
		b->labels->of[at] = *said;
	*said = (struct label){.by = NULL};
}

/* Nobody asks classifier i about the flow again. */
void feed_decide(struct shard *s, struct flow_scratch *x, const struct flow *f, unsigned i)
{
	const struct classifier *c = s->in->classifiers[i];
	struct flow_busy *b = x->busy;
	b->wants_packets &= ~(1u << i);
	b->wants_stream[DIR_C2S] &= ~(1u << i);
	b->wants_stream[DIR_S2C] &= ~(1u << i);
	if (c->flow_end != NULL && s->group->state[i] != NULL) {
		c->flow_end(s->group->state[i], state_of(s, x, i), f, x->busy->facts, &s->said);
		take_label(s, x->busy, i);
		shard_take_exchanges(s, x, f);
	}
}

bool feed_wanted(const struct flow_busy *b, unsigned i)
{
	return ((b->wants_packets | b->wants_stream[DIR_C2S] | b->wants_stream[DIR_S2C]) & 1u << i) != 0;
}

void feed_packets(struct shard *s, struct flow_scratch *x, const struct flow *f,
			 enum dir dir, const struct packet *pkt, const struct headers *h)
{
	for (uint32_t left = x->busy->wants_packets; left != 0; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		if (!open_classifier(s, i)) {
			x->busy->wants_packets &= ~(1u << i);
			continue;
		}
		const struct classifier *c = s->in->classifiers[i];
		enum classify more = c->packet(s->group->state[i], state_of(s, x, i), f, dir, pkt, h,
					       x->busy->facts, &s->said);
		take_label(s, x->busy, i);
		if (x->busy->facts->done != NULL)
			shard_take_exchanges(s, x, f);
		if (more == CLASSIFY_MORE)
			continue;
		x->busy->wants_packets &= ~(1u << i);
		if (!feed_wanted(x->busy, i))
			feed_decide(s, x, f, i);
	}
}

/* The bytes of one direction so far, and the packet that brought the last of them. */
struct stream_bytes {
	enum dir dir;
	const struct packet *pkt;
	const struct headers *h;
};

/* Whether a stream classifier still wants more bytes than these. */
static bool feed_stream(struct shard *s, struct flow_scratch *x, const struct flow *f,
			const struct stream_bytes *b, const uint8_t *data, size_t len)
{
	uint32_t *wants = &x->busy->wants_stream[b->dir];
	for (uint32_t left = *wants; left != 0; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		const struct classifier *c = s->in->classifiers[i];
		enum classify more = CLASSIFY_NEVER;
		if (open_classifier(s, i))
			more = c->stream(s->group->state[i], state_of(s, x, i), f, b->dir, b->pkt,
					 b->h, data, len, x->busy->facts);
		if (x->busy->facts->done != NULL)
			shard_take_exchanges(s, x, f);
		if (more == CLASSIFY_MORE && len < REASSEMBLY_LIMIT)
			continue;
		*wants &= ~(1u << i);
		if (!feed_wanted(x->busy, i))
			feed_decide(s, x, f, i);
	}
	return *wants != 0;
}

void feed_close(struct shard *s, struct flow_busy *b, enum dir dir)
{
	if (b->stream[dir] == NULL)
		return;
	reassembly_free(b->stream[dir], &s->pool);
	slab_free(&s->slabs.stream, b->stream[dir]);
	b->stream[dir] = NULL;
}

static void tell_stream_end(struct shard *s, struct flow_scratch *x, const struct flow *f,
			    enum dir dir)
{
	uint32_t len = 0;
	const struct reassembly *r = x->busy->stream[dir];
	const uint8_t *data = r != NULL ? reassembly_data(r, &len) : NULL;
	for (unsigned i = 0; data != NULL && i < s->in->n_classifiers; i++) {
		const struct classifier *c = s->in->classifiers[i];
		if (c->stream_end != NULL && (x->busy->wants_stream[dir] & 1u << i) != 0 &&
		    s->group->state[i] != NULL)
			c->stream_end(s->group->state[i], state_of(s, x, i), f, dir, data, len,
				      x->busy->facts);
	}
}

void feed_end(struct shard *s, struct flow_scratch *x, const struct flow *f, enum dir dir)
{
	tell_stream_end(s, x, f, dir);
	uint32_t wanted = x->busy->wants_stream[dir];
	x->busy->wants_stream[dir] = 0;
	for (unsigned i = 0; i < s->in->n_classifiers; i++)
		if ((wanted & 1u << i) != 0 && !feed_wanted(x->busy, i))
			feed_decide(s, x, f, i);
}

/* What the client said was a decoy: its true words are read from the first byte on. */
static void read_again(struct shard *s, struct flow_busy *b)
{
	feed_close(s, b, DIR_C2S);
	free(b->facts->tls);
	free(b->facts->http);
	b->facts->tls = NULL;
	b->facts->http = NULL;
	b->wants_stream[DIR_C2S] |= b->wants_stream[DIR_S2C];
}

/*
 * Evasion tools hide a request among segments that die before the server (Bock et al., Geneva,
 * CCS 2019), and those name somebody who has nothing to do with it. Alone such a segment is a
 * traceroute's, whose name counts.
 */
bool feed_may_read(struct shard *s, struct flow_busy *b, const struct evidence *ev, enum dir dir,
		   const struct headers *h)
{
	if (dir != DIR_C2S || h->payload_caplen == 0 || (h->flags & TCP_RST) != 0)
		return true;
	if (evidence_is_decoy(ev, dir, h)) {
		uint32_t end = h->seq + h->payload_len;
		if (!b->decoyed || seq_lt(b->decoy_end, end))
			b->decoy_end = end;
		b->decoyed = true;
		return !b->plain;
	}
	if (!b->plain && b->decoyed && seq_lt(h->seq, b->decoy_end))
		read_again(s, b);
	b->plain = true;
	return true;
}

/* A stream from its first byte. Most requests and many answers fit one packet and need no buffer. */
void feed_payload(struct shard *s, struct flow_scratch *x, const struct flow *f, enum dir dir,
		  const struct packet *pkt, const struct headers *h)
{
	const struct stream_bytes bytes = {dir, pkt, h};
	struct reassembly **stream = &x->busy->stream[dir];
	if (h->payload_caplen == 0 || (h->flags & TCP_RST) != 0)
		return;
	/* Data in a SYN, TCP Fast Open (RFC 7413), begins behind it. */
	uint32_t seq = h->seq + ((h->flags & TCP_SYN) != 0);
	uint32_t base = f->syn_seen[dir] ? f->isn[dir] + 1 : seq;
	if (*stream == NULL && seq == base && h->payload_caplen < REASSEMBLY_LIMIT &&
	    !feed_stream(s, x, f, &bytes, h->payload, h->payload_caplen))
		return;
	if (*stream == NULL) {
		*stream = slab_alloc(&s->slabs.stream);
		if (*stream == NULL) {
			s->no_memory++;
			return;
		}
		reassembly_start(*stream, base);
	}
	struct reassembly *r = *stream;
	struct reassembly_conflict conflict;
	uint32_t before = r->contiguous, len;
	uint32_t now = reassembly_add(r, &s->pool, seq, h->payload, h->payload_caplen, &conflict);
	if (now != before) {
		const uint8_t *data = reassembly_data(r, &len);
		feed_stream(s, x, f, &bytes, data, len);
	}
	if (r->failed)
		feed_end(s, x, f, dir);
	if (x->busy->wants_stream[dir] == 0)
		feed_close(s, x->busy, dir);
}

void feed_icmp(struct shard *s, struct flow_scratch *x, const struct flow *f, enum dir dir,
	       const struct packet *pkt, const struct headers *h)
{
	for (unsigned i = 0; i < s->in->n_classifiers; i++) {
		const struct classifier *c = s->in->classifiers[i];
		if (c->icmp != NULL && feed_wanted(x->busy, i) && s->group->state[i] != NULL)
			c->icmp(s->group->state[i], state_of(s, x, i), f, dir, pkt, h, x->busy->facts);
	}
}
