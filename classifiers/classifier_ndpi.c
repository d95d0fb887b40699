/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * nDPI's opinion, as a label beside wmscope's own. The only file that includes nDPI's headers. Its
 * interface changes with each release: what differs is in the functions between here and struct
 * shard. Compiled and run with 4.2; 4.4 to 4.12 and 5.0 are written from their headers and release
 * notes and have not been compiled.
 */

#include <errno.h>
#include <ndpi_api.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "classifiers/classifier.h"

#define NDPI_FROM(major, minor) \
	(NDPI_MAJOR > (major) || (NDPI_MAJOR == (major) && NDPI_MINOR >= (minor)))

/* Packets of a flow after which a guess must do, as in nDPI's own reader; extra dissection too. */
enum { PACKETS_TCP = 80, PACKETS_OTHER = 24 };

struct opinion {
	uint16_t master, app;
	ndpi_protocol_category_t category;
	bool final; /* nothing more can come of further packets */
};

static struct ndpi_detection_module_struct *module_new(void)
{
#if NDPI_FROM(4, 10)
	struct ndpi_detection_module_struct *m = ndpi_init_detection_module(NULL);
#else
	struct ndpi_detection_module_struct *m = ndpi_init_detection_module(ndpi_no_prefs);
#endif
	if (m == NULL)
		return NULL;
#if !NDPI_FROM(5, 0) /* from then on all protocols are on */
	NDPI_PROTOCOL_BITMASK all;
	NDPI_BITMASK_SET_ALL(all);
	ndpi_set_protocol_detection_bitmask2(m, &all);
#endif
#if NDPI_FROM(4, 10)
	if (ndpi_finalize_initialization(m) != 0) {
		ndpi_exit_detection_module(m);
		return NULL;
	}
#else
	ndpi_finalize_initialization(m);
#endif
	return m;
}

static struct opinion opinion_of(const ndpi_protocol *p)
{
#if NDPI_FROM(4, 12)
	return (struct opinion){.master = p->proto.master_protocol, .app = p->proto.app_protocol,
				.category = p->category};
#else
	return (struct opinion){.master = p->master_protocol, .app = p->app_protocol,
				.category = p->category};
#endif
}

static struct opinion feed(struct ndpi_detection_module_struct *m, struct ndpi_flow_struct *f,
			   const uint8_t *l3, uint16_t len, uint64_t ms)
{
#if NDPI_FROM(5, 0)
	ndpi_protocol p = ndpi_detection_process_packet(m, f, l3, len, ms, NULL);
	struct opinion o = opinion_of(&p);
	o.final = p.state == NDPI_STATE_CLASSIFIED;
#else
#if NDPI_FROM(4, 6)
	ndpi_protocol p = ndpi_detection_process_packet(m, f, l3, len, ms, NULL);
#else
	ndpi_protocol p = ndpi_detection_process_packet(m, f, l3, len, ms);
#endif
	struct opinion o = opinion_of(&p);
	o.final = f->fail_with_unknown || (o.app != NDPI_PROTOCOL_UNKNOWN &&
					   ndpi_extra_dissection_possible(m, f) == 0);
#endif
	return o;
}

/* The last word on a flow: what was recognised, else a guess by address or port. */
static struct opinion give_up(struct ndpi_detection_module_struct *m, struct ndpi_flow_struct *f)
{
#if NDPI_FROM(5, 0)
	ndpi_protocol p = ndpi_detection_giveup(m, f);
#elif NDPI_FROM(4, 10)
	u_int8_t guessed = 0;
	ndpi_protocol p = ndpi_detection_giveup(m, f, &guessed);
#else
	u_int8_t guessed = 0;
	ndpi_protocol p = ndpi_detection_giveup(m, f, 1, &guessed);
#endif
	return opinion_of(&p);
}

struct shard {
	struct ndpi_detection_module_struct *module;
	uint64_t last_ms; /* nDPI's caches want a clock that never goes back */
};

struct progress {
	struct ndpi_flow_struct *flow; /* from the first packet until decided */
	struct opinion opinion;
	unsigned packets;
	bool decided;
};

static int shard_open(void *shard, const struct analysis_config *cfg)
{
	(void)cfg;
	struct shard *s = shard;
	s->module = module_new();
	return s->module != NULL ? 0 : -ENOMEM;
}

static void shard_close(void *shard)
{
	struct shard *s = shard;
	if (s->module != NULL)
		ndpi_exit_detection_module(s->module);
	s->module = NULL;
}

/* Our word for how nDPI came to its opinion: only "dpi" is what the packets said. */
static const char *confidence_word(const struct ndpi_flow_struct *f)
{
	static const struct {
		const char *theirs, *ours;
	} words[] = {
		{"DPI", "dpi"}, {"DPI (cache)", "dpi_cache"}, {"DPI (partial)", "dpi_partial"},
		{"DPI (partial cache)", "dpi_cache"}, {"Match by port", "port"},
		{"Match by IP", "ip"}, {"Unknown", "unknown"},
	};
	const char *theirs = ndpi_confidence_get_name(f->confidence);
	for (size_t i = 0; theirs != NULL && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(theirs, words[i].theirs) == 0)
			return words[i].ours;
	return "guess";
}

/* Names of the risks that are set; one that does not fit, and all behind it, are left out. */
static void risk_names(uint64_t risk, char *out, size_t room)
{
	size_t n = 0;
	out[0] = '\0';
	for (unsigned bit = NDPI_NO_RISK + 1; bit < 64 && bit < NDPI_MAX_RISK; bit++) {
		if ((risk >> bit & 1) == 0)
			continue;
		const char *name = ndpi_risk2str((ndpi_risk_enum)bit);
		if (name == NULL || n + strlen(name) + 2 >= room)
			return;
		n += (size_t)snprintf(out + n, room - n, "%s%s", n != 0 ? ", " : "", name);
	}
}

/* "TLS.Google", "DNS", "Unknown", as nDPI's reader writes them. */
static void app_name(struct ndpi_detection_module_struct *m, const struct opinion *o, char *out,
		     size_t room)
{
	const char *app = ndpi_get_proto_name(m, o->app);
	if (o->master == NDPI_PROTOCOL_UNKNOWN || o->master == o->app)
		snprintf(out, room, "%s", app);
	else if (o->app == NDPI_PROTOCOL_UNKNOWN)
		snprintf(out, room, "%s", ndpi_get_proto_name(m, o->master));
	else
		snprintf(out, room, "%s.%s", ndpi_get_proto_name(m, o->master), app);
}

static void write_label(struct shard *s, const struct progress *st, struct label *out)
{
	const char *category = ndpi_category_get_name(s->module, st->opinion.category);
	*out = (struct label){.by = "ndpi", .risk = st->flow->risk};
	app_name(s->module, &st->opinion, out->app, sizeof(out->app));
	snprintf(out->category, sizeof(out->category), "%s", category != NULL ? category : "");
	snprintf(out->confidence, sizeof(out->confidence), "%s", confidence_word(st->flow));
	risk_names(out->risk, out->risks, sizeof(out->risks));
}

static void decide(struct shard *s, struct progress *st, struct label *out)
{
	if (st->opinion.app == NDPI_PROTOCOL_UNKNOWN)
		st->opinion = give_up(s->module, st->flow);
	write_label(s, st, out);
	ndpi_free_flow(st->flow);
	st->flow = NULL;
	st->decided = true;
}

static enum classify packet(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h,
			    struct app_facts *facts, struct label *out)
{
	struct shard *s = shard;
	struct progress *st = state;
	(void)f, (void)dir, (void)facts;
	if (st->decided)
		return CLASSIFY_DONE;
	if (h->l3 == NULL || h->frag_offset != 0)
		return CLASSIFY_MORE;
	if (st->flow == NULL) {
		size_t size = ndpi_detection_get_sizeof_ndpi_flow_struct();
		st->flow = ndpi_flow_malloc(size);
		if (st->flow == NULL)
			return CLASSIFY_NEVER;
		memset(st->flow, 0, size);
	}
	uint32_t len = h->ip_len < h->l3_caplen ? h->ip_len : h->l3_caplen;
	uint64_t ms = pkt->ts_ns / 1000000;
	s->last_ms = ms > s->last_ms ? ms : s->last_ms;
	st->opinion = feed(s->module, st->flow, h->l3,
			   (uint16_t)(len < UINT16_MAX ? len : UINT16_MAX), s->last_ms);
	st->packets++;
	if (!st->opinion.final &&
	    st->packets <= (h->proto == IPPROTO_TCP ? PACKETS_TCP : PACKETS_OTHER))
		return CLASSIFY_MORE;
	decide(s, st, out);
	return CLASSIFY_DONE;
}

static void flow_end(void *shard, void *state, const struct flow *f, struct app_facts *facts,
		     struct label *out)
{
	struct progress *st = state;
	(void)f, (void)facts;
	if (st->flow != NULL)
		decide(shard, st, out);
}

const struct classifier classifier_ndpi = {
	.name = "ndpi",
	.doc = "nDPI's protocol, application, category and risks, from the first packets",
	.shard_size = sizeof(struct shard),
	.flow_size = sizeof(struct progress),
	.shard_open = shard_open,
	.shard_close = shard_close,
	.packet = packet,
	.flow_end = flow_end,
};
