/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which rules the raw bytes of a flow hit: the beginning of each TCP direction as a stream, the first
 * datagrams of each UDP direction one by one. A direction ends where no rule can be hit any more: at
 * once if none begins like it, else where those bound to the beginning end, and after 16 KiB if there
 * are others. These have nothing to find in what is ciphertext or HTTP, whose pages are searched by
 * who reads them.
 *
 * Streams are followed without a buffer: what was seen is not seen again, and what comes ahead of a
 * hole waits for its retransmission. A direction whose beginning was not captured is left alone,
 * since its first bytes here are no opening.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "classifiers/classifier.h"
#include "classifiers/inspector.h"
#include "classifiers/lists/matcher.h"
#include "dataplane/seq.h"

#define DATAGRAMS 4 /* of a direction: openings are answered within the first two exchanges */

struct shard {
	struct matcher *m;
	struct matcher_scratch *scratch;
};

struct progress {
	struct matcher_stream *stream[2];
	uint32_t next[2]; /* TCP: sequence number of the first byte not searched */
	uint8_t datagrams[2];
	bool over[2]; /* nothing more is wanted of this direction */
};

static const enum rule_where stream_of[2] = {[DIR_C2S] = RULE_STREAM_C2S,
					     [DIR_S2C] = RULE_STREAM_S2C};

static int shard_open(void *shard, const struct analysis_config *cfg)
{
	struct shard *s = shard;
	s->m = cfg->matcher;
	return s->m != NULL ? matcher_scratch_new(&s->scratch, s->m) : -ENOENT;
}

static void shard_close(void *shard)
{
	struct shard *s = shard;
	matcher_scratch_free(s->scratch);
	s->scratch = NULL;
}

static bool on_hit(void *user, const struct rule *r, uint64_t end)
{
	struct app_facts *facts = user;
	(void)end;
	if (facts->rules == NULL)
		facts->rules = calloc(1, sizeof(*facts->rules));
	if (facts->rules == NULL)
		return false;
	rule_hits_add(facts->rules, r);
	return true;
}

static void direction_over(struct progress *p, enum dir dir)
{
	matcher_stream_close(p->stream[dir]);
	p->stream[dir] = NULL;
	p->over[dir] = true;
}

static bool is_read(const struct app_facts *facts)
{
	return facts->tls != NULL || facts->tls_server != NULL || facts->http != NULL ||
	       facts->response != NULL || facts->quic != NULL;
}

/* From its first byte: false if there is nothing to search. */
static bool begin_stream(struct shard *s, struct progress *p, enum dir dir, uint8_t first, bool read)
{
	return matcher_may_open(s->m, stream_of[dir], first, read) &&
	       matcher_stream_open(&p->stream[dir], s->m, s->scratch, stream_of[dir]) == 0;
}

static void search_stream(struct shard *s, struct progress *p, const struct flow *f, enum dir dir,
			  const struct headers *h, struct app_facts *facts)
{
	bool read = is_read(facts);
	/* Data in a SYN, TCP Fast Open (RFC 7413), begins behind it. */
	uint32_t seq = h->seq + ((h->flags & TCP_SYN) != 0);
	if (!f->syn_seen[dir]) {
		direction_over(p, dir);
		return;
	}
	uint32_t next = p->stream[dir] != NULL ? p->next[dir] : f->isn[dir] + 1;
	int32_t ahead = seq_diff(seq, next);
	if (ahead > (int32_t)MATCHER_STREAM_LIMIT)
		direction_over(p, dir);
	uint32_t seen = next - seq;
	if (ahead > 0 || seen >= h->payload_caplen)
		return;
	uint32_t n = h->payload_caplen - seen;
	if (p->stream[dir] == NULL && !begin_stream(s, p, dir, h->payload[seen], read)) {
		direction_over(p, dir);
		return;
	}
	p->next[dir] = next + n;
	/* Behind what the capture cut off there is a hole for ever. */
	if (matcher_stream_scan(p->stream[dir], h->payload + seen, n, read, on_hit, facts) != 0 ||
	    h->payload_caplen < h->payload_len)
		direction_over(p, dir);
}

static void search_datagram(struct shard *s, struct progress *p, enum dir dir,
			    const struct headers *h, struct app_facts *facts)
{
	if (h->payload_caplen == h->payload_len &&
	    matcher_may_open(s->m, RULE_DATAGRAM, h->payload[0], is_read(facts)))
		matcher_scan(s->m, s->scratch, RULE_DATAGRAM, NULL, h->payload, h->payload_len,
			     on_hit, facts);
	if (++p->datagrams[dir] == DATAGRAMS)
		direction_over(p, dir);
}

static enum classify packet(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h,
			    struct app_facts *facts, struct label *out)
{
	struct shard *s = shard;
	struct progress *p = state;
	(void)pkt, (void)out;
	if (h->proto != IPPROTO_TCP && h->proto != IPPROTO_UDP)
		return CLASSIFY_NEVER;
	if (h->proto == IPPROTO_UDP ? !matcher_wants(s->m, RULE_DATAGRAM)
				    : !matcher_wants(s->m, RULE_STREAM_C2S) &&
					      !matcher_wants(s->m, RULE_STREAM_S2C))
		return CLASSIFY_NEVER;
	if (p->over[dir] || h->payload_caplen == 0)
		return CLASSIFY_MORE;
	if (h->proto == IPPROTO_UDP)
		search_datagram(s, p, dir, h, facts);
	else if ((h->flags & TCP_RST) == 0)
		search_stream(s, p, f, dir, h, facts);
	return p->over[DIR_C2S] && p->over[DIR_S2C] ? CLASSIFY_DONE : CLASSIFY_MORE;
}

static void flow_end(void *shard, void *state, const struct flow *f, struct app_facts *facts,
		     struct label *out)
{
	struct progress *p = state;
	(void)shard, (void)f, (void)facts, (void)out;
	direction_over(p, DIR_C2S);
	direction_over(p, DIR_S2C);
}

const struct classifier classifier_hyperscan = {
	.name = "hyperscan",
	.doc = "rules that the first bytes of a flow hit: openings, answers of known boxes",
	.shard_size = sizeof(struct shard),
	.flow_size = sizeof(struct progress),
	.shard_open = shard_open,
	.shard_close = shard_close,
	.packet = packet,
	.flow_end = flow_end,
};
