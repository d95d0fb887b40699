/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * nDPI's opinion, as a label beside wmscope's own. The only file that includes nDPI's headers. Its
 * interface changes with each release: what differs is in the functions between here and struct
 * shard. Compiled and run with 4.2; 4.4 to 4.12 and 5.0 are written from their headers and release
 * notes and have not been compiled.
 */

#include <errno.h>
#include <netinet/in.h>
#include <ndpi_define.h> /* wants the byte order defined */
#include <stdlib.h>
#include <string.h>

#define NDPI_FROM(major, minor) \
	(NDPI_MAJOR > (major) || (NDPI_MAJOR == (major) && NDPI_MINOR >= (minor)))
/* Whose modules can share their lists; its header then has to show what is in a module. */
#define NDPI_SHARES (NDPI_MAJOR == 4 && NDPI_MINOR == 2)
#if NDPI_SHARES
#define NDPI_LIB_COMPILATION
#endif
#include <ndpi_api.h>

#include "classifiers/classifier.h"

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

/* nDPI does not ask whether its own allocations failed: what a module takes has to be there. */
#define MODULE_ROOM (16u << 20)

static bool has_room(void)
{
	void *volatile room = malloc(MODULE_ROOM); /* or the compiler would know better */

	free(room);
	return room != NULL;
}

#if NDPI_SHARES
/*
 * A module takes 10 ms and 6 MiB to make, nearly all of it lists of addresses and names that only
 * change while it is made; what changes later is the packet at hand and the caches, which are made
 * when first needed. So the first module is made whole and kept until the process ends, and a shard
 * has a copy of its head (240 KB): its own packet, its own caches, the same lists.
 */
static struct ndpi_detection_module_struct *whole;
static size_t head_size; /* as the library allocates it */

static void *watching_malloc(size_t size)
{
	if (head_size == 0)
		head_size = size;
	return malloc(size);
}

/* NULL: no memory, or this library lays out a module otherwise than its header says. */
static struct ndpi_detection_module_struct *module_share(void)
{
	if (whole == NULL && has_room()) {
		set_ndpi_malloc(watching_malloc);
		whole = module_new();
		set_ndpi_malloc(NULL);
	}
	if (whole == NULL || head_size != sizeof(*whole))
		return NULL;
	struct ndpi_detection_module_struct *m = ndpi_malloc(sizeof(*m));
	return m != NULL ? memcpy(m, whole, sizeof(*m)) : NULL;
}

/* The lists are left to whole: what remains is a module with caches only. */
static void module_unshare(struct ndpi_detection_module_struct *m)
{
	struct ndpi_lru_cache *ookla = m->ookla_cache, *bittorrent = m->bittorrent_cache,
			      *zoom = m->zoom_cache, *stun = m->stun_cache,
			      *tls_cert = m->tls_cert_cache, *mining = m->mining_cache,
			      *msteams = m->msteams_cache;
	struct cache *tinc = m->tinc_cache;
	memset(m, 0, sizeof(*m));
	m->ookla_cache = ookla;
	m->bittorrent_cache = bittorrent;
	m->zoom_cache = zoom;
	m->stun_cache = stun;
	m->tls_cert_cache = tls_cert;
	m->mining_cache = mining;
	m->msteams_cache = msteams;
	m->tinc_cache = tinc;
}
#else
static struct ndpi_detection_module_struct *module_share(void)
{
	return NULL;
}

static void module_unshare(struct ndpi_detection_module_struct *m)
{
	(void)m;
}
#endif

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
	bool shares;      /* its lists with all others */
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
	s->module = module_share();
	s->shares = s->module != NULL;
	if (!s->shares && has_room())
		s->module = module_new();
	return s->module != NULL ? 0 : -ENOMEM;
}

static void shard_close(void *shard)
{
	struct shard *s = shard;
	if (s->shares)
		module_unshare(s->module);
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

/* Appends as much of the text as fits: printf() takes ten times as long, for each flow. */
static void say(char *out, size_t room, const char *text)
{
	size_t n = strlen(out), len = text != NULL ? strlen(text) : 0;
	len = len < room - n ? len : room - n - 1;
	memcpy(out + n, text != NULL ? text : "", len);
	out[n + len] = '\0';
}

/* Names of the risks that are set; one that does not fit, and all behind it, are left out. */
static void risk_names(uint64_t risk, char *out, size_t room)
{
	out[0] = '\0';
	for (unsigned bit = NDPI_NO_RISK + 1; bit < 64 && bit < NDPI_MAX_RISK; bit++) {
		if ((risk >> bit & 1) == 0)
			continue;
		const char *name = ndpi_risk2str((ndpi_risk_enum)bit);
		if (name == NULL || strlen(out) + strlen(name) + 2 >= room)
			return;
		say(out, room, out[0] != '\0' ? ", " : "");
		say(out, room, name);
	}
}

/* "TLS.Google", "DNS", "Unknown", as nDPI's reader writes them. */
static void app_name(struct ndpi_detection_module_struct *m, const struct opinion *o, char *out,
		     size_t room)
{
	bool alone = o->master == NDPI_PROTOCOL_UNKNOWN || o->master == o->app;
	out[0] = '\0';
	if (!alone)
		say(out, room, ndpi_get_proto_name(m, o->master));
	if (!alone && o->app != NDPI_PROTOCOL_UNKNOWN)
		say(out, room, ".");
	if (alone || o->app != NDPI_PROTOCOL_UNKNOWN)
		say(out, room, ndpi_get_proto_name(m, o->app));
}

static void write_label(struct shard *s, const struct progress *st, struct label *out)
{
	*out = (struct label){.by = "ndpi", .risk = st->flow->risk};
	app_name(s->module, &st->opinion, out->app, sizeof(out->app));
	say(out->category, sizeof(out->category),
	    ndpi_category_get_name(s->module, st->opinion.category));
	say(out->confidence, sizeof(out->confidence), confidence_word(st->flow));
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
