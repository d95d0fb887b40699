/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/device/device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "classifiers/arena.h"
#include "classifiers/device/mbx.h"

#define AROUND_NS 100000000ull
#define MATCHES_MAX 12

const char *const attribution_name[ATTRIBUTION_N] = {
	[0] = "A0",
	[ATTRIBUTION_A1] = "A1",
	[ATTRIBUTION_A2] = "A2",
	[ATTRIBUTION_A3] = "A3",
};

void attribution_packet(struct attribution *out, unsigned event)
{
	unsigned at = out->n_packets;
	for (unsigned i = 0; i < out->n_packets; i++)
		if (out->packets[i] == event)
			return;
	if (out->n_packets == DEVICE_PACKETS)
		return;
	/* Kept rising, whatever the order in which a device finds them. */
	for (; at > 0 && out->packets[at - 1] > event; at--)
		out->packets[at] = out->packets[at - 1];
	out->packets[at] = (uint16_t)event;
	out->n_packets++;
}

void attribution_says(struct attribution *out, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(out->detail, sizeof(out->detail), fmt, ap);
	va_end(ap);
}

bool device_is_reset(const struct view *v, unsigned event)
{
	const struct event *e = &v->e[event];
	return event_dir(e) == v->dir && (e->flags & TCP_RST) != 0 &&
	       (e->flags & (TCP_SYN | TCP_FIN | TCP_URG | EVENT_IGNORED)) == 0;
}

unsigned device_resets_around(const struct view *v, unsigned event)
{
	unsigned n = 0;
	for (unsigned i = 0; i < v->n_rst; i++) {
		uint64_t a = v->e[v->rst[i]].ts_ns, b = v->e[event].ts_ns;
		n += (a > b ? a - b : b - a) <= AROUND_NS;
	}
	return n;
}

bool device_page_has(const struct view *v, const char *text, int *event)
{
	const struct page *p = v->ev->more != NULL ? v->ev->more->page : NULL;
	*event = -1;
	if (p == NULL || v->dir != DIR_S2C || memmem(p->bytes, p->len, text, strlen(text)) == NULL)
		return false;
	for (unsigned i = 0; i < v->n; i++)
		if (v->e[i].frame == p->frame && event_dir(&v->e[i]) == DIR_S2C)
			*event = (int)i;
	return true;
}

static uint64_t *arena_frames(struct arena *a, const struct view *v, const uint16_t events[],
			      unsigned n)
{
	uint64_t *frames = arena_alloc(a, n * sizeof(*frames));
	for (unsigned i = 0; frames != NULL && i < n; i++)
		frames[i] = v->e[events[i]].frame;
	return frames;
}

static uint32_t *arena_files(struct arena *a, const struct view *v, const uint16_t events[],
			     unsigned n)
{
	uint32_t *files = arena_alloc(a, n * sizeof(*files));
	for (unsigned i = 0; files != NULL && i < n; i++)
		files[i] = v->e[events[i]].file;
	return files;
}

static int take_match(struct arena *a, const struct view *v, const struct attribution *t,
		      struct device_match *m)
{
	char mbx[MBX_SIZE];
	mbx_of(v, t->packets, t->n_packets, mbx);
	*m = (struct device_match){
		.id = t->device->id,
		.source = t->device->source,
		.grade = t->grade,
		.mbx = arena_text(a, mbx),
		.hops = t->hops,
		.detail = arena_text(a, t->detail),
		.packets = arena_frames(a, v, t->packets, t->n_packets),
		.packet_files = arena_files(a, v, t->packets, t->n_packets),
		.n_packets = t->n_packets,
	};
	bool whole = m->mbx != NULL && m->detail != NULL && m->packets != NULL &&
		     m->packet_files != NULL;
	return whole ? 0 : -ENOMEM;
}

/* A plug-in may say what it likes: only packets that are there, and a grade that it can reach. */
static bool is_sound(const struct view *v, const struct device *d, struct attribution *t)
{
	unsigned n = t->n_packets < DEVICE_PACKETS ? t->n_packets : DEVICE_PACKETS;
	t->n_packets = 0;
	for (unsigned i = 0; i < n; i++)
		if (t->packets[i] < v->n)
			attribution_packet(t, t->packets[i]);
	t->device = d;
	t->detail[sizeof(t->detail) - 1] = '\0';
	t->grade = t->grade < d->grade ? t->grade : d->grade;
	t->hops = t->hops >= 0 && t->hops <= UINT8_MAX ? t->hops : -1;
	return t->n_packets != 0 && t->grade >= ATTRIBUTION_A1;
}

/* All that match, the best grade first; of equals, the one whose packets came first. */
static unsigned gather(const struct view *v, const struct suspects *s,
		       struct attribution found[MATCHES_MAX])
{
	unsigned n = 0;
	const struct device *d;
	for (unsigned t = 0; (d = devices_at(t)) != NULL; t++) {
		for (; d->id != NULL; d++) {
			struct attribution one = {.device = d, .hops = -1};
			/* The packets of an exchange have nothing that devices know resets by. */
			if (v->ex != NULL && !(d->dns && v->ex->kind == EXCHANGE_DNS))
				continue;
			if (!d->attributed || d->match == NULL || n == MATCHES_MAX ||
			    !d->match(v, s, &one) || !is_sound(v, d, &one))
				continue;
			unsigned at = n++;
			for (; at > 0 && (found[at - 1].grade < one.grade ||
					  (found[at - 1].grade == one.grade &&
					   found[at - 1].packets[0] > one.packets[0]));
			     at--)
				found[at] = found[at - 1];
			found[at] = one;
		}
	}
	return n;
}

static int take_injectors(struct arena *a, const struct view *v, const struct suspects *s,
			  struct finding *f)
{
	struct mbx_cluster clusters[MBX_CLUSTERS];
	unsigned n = mbx_clusters(v, s->event, s->n, clusters);
	f->injectors = n != 0 ? arena_alloc(a, n * sizeof(*f->injectors)) : NULL;
	if (n != 0 && f->injectors == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		char mbx[MBX_SIZE];
		mbx_of(v, clusters[i].event, clusters[i].n, mbx);
		f->injectors[i] = (struct injector){
			.mbx = arena_text(a, mbx),
			.packets = arena_frames(a, v, clusters[i].event, clusters[i].n),
			.packet_files = arena_files(a, v, clusters[i].event, clusters[i].n),
			.n_packets = clusters[i].n,
		};
		if (f->injectors[i].mbx == NULL || f->injectors[i].packets == NULL ||
		    f->injectors[i].packet_files == NULL)
			return -ENOMEM;
		f->n_injectors++;
	}
	return 0;
}

int attribute(struct arena *a, const struct view *v, const struct suspects *s, struct finding *f)
{
	struct attribution found[MATCHES_MAX];
	if (s->n == 0)
		return 0;
	unsigned n = gather(v, s, found);
	f->devices = n != 0 ? arena_alloc(a, n * sizeof(*f->devices)) : NULL;
	if (n != 0 && f->devices == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		if (take_match(a, v, &found[i], &f->devices[i]) != 0)
			return -ENOMEM;
		f->n_devices++;
	}
	/* A reset that is only mentioned is not known to be anybody's but its sender's. */
	return f->verdict >= VERDICT_ANOMALY ? take_injectors(a, v, s, f) : 0;
}
