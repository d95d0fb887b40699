/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Any record of a flow, any page and any resets of other connections through devices, fingerprints
 * and the signatures of generators. A string that is made fits its own format and matches itself.
 *
 * First byte: 1 IPv6, 2 towards the server, 4 frames came twice, 8 a page follows. Then the resets
 * of other connections (a count, 8 bytes each) and 20 bytes for every packet.
 */

#include <stdlib.h>
#include <string.h>

#include "classifiers/arena.h"
#include "classifiers/device/device.h"
#include "classifiers/device/mbx.h"
#include "classifiers/tamper/signature.h"
#include "dataplane/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

extern const struct signature sig_device[];

#define MUST(x)                    \
	do {                       \
		if (!(x))          \
			abort();   \
	} while (0)

#define PACKET_SIZE 20
#define PAGE_TAIL 64

static struct event read_event(struct cursor *c, unsigned number, uint64_t *now)
{
	struct event e = {.frame = number + 1};
	e.flags = cursor_be16(c) & (0xfff | EVENT_IGNORED | EVENT_FLOW_LABEL);
	*now += (uint64_t)cursor_u8(c) * 500000;
	e.ts_ns = *now;
	e.bits = cursor_u8(c);
	e.seq = cursor_be32(c);
	e.ack = cursor_be32(c);
	e.window = cursor_be16(c);
	e.ip_id = cursor_be16(c);
	e.ttl = cursor_u8(c);
	e.len = (uint16_t)(cursor_u8(c) * 7u);
	e.payhash = cursor_be16(c);
	return e;
}

static void check_mbx(const char *s)
{
	MUST(strlen(s) < MBX_SIZE);
	MUST(s[0] == '\0' || (strncmp(s, "mbx1_", 5) == 0 && mbx_matches(s, s)));
	MUST(!mbx_matches(s, "mbx1_zzzx1_z_z_z_z_z_z_z"));
}

static void check(const struct view *v, const struct suspects *s)
{
	struct arena a = {NULL};
	struct finding f = {.verdict = VERDICT_CONFIRMED};
	MUST(attribute(&a, v, s, &f) == 0);
	for (unsigned i = 0; i < f.n_devices; i++) {
		const struct device_match *d = &f.devices[i];
		MUST(d->n_packets != 0 && d->grade >= ATTRIBUTION_A1 && d->grade < ATTRIBUTION_N);
		MUST(i == 0 || f.devices[i - 1].grade >= d->grade);
		for (unsigned k = 1; k < d->n_packets; k++)
			MUST(d->packets[k] > d->packets[k - 1]);
		check_mbx(d->mbx);
	}
	for (unsigned i = 0; i < f.n_injectors; i++) {
		MUST(f.injectors[i].n_packets != 0 && f.injectors[i].mbx[0] != '\0');
		check_mbx(f.injectors[i].mbx);
	}
	arena_free(&a);
	for (const struct signature *sig = sig_device; sig->id != NULL; sig++) {
		struct testimony t = {0};
		bool said = sig->match(v, sig, &t);
		MUST(!said || (t.grade == GRADE_D4 && t.n_suspects != 0));
		for (unsigned i = 0; i < t.n_suspects; i++)
			MUST(t.suspects[i] < v->n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cursor c = cursor_of(data, len);
	struct event events[EVENTS_MAX];
	struct evidence_more more = {.page = NULL};
	struct pair_resets pair = {.n = 0};
	struct evidence ev = {.events = events, .more = &more};
	struct flow_record rec = {.client = {{[10] = 0xff, [11] = 0xff, 141, 212, 123, 145}},
				  .server = {{[10] = 0xff, [11] = 0xff, 222, 138, 4, 221}}};
	uint16_t list[EVENTS_MAX];
	struct suspects s = {.event = list};
	struct view v;
	uint64_t now = 0;
	uint8_t how = cursor_u8(&c);
	enum dir dir = (how & 2) != 0 ? DIR_C2S : DIR_S2C;

	ev.ipv6 = (how & 1) != 0;
	ev.duplicates = (how & 4) != 0;
	rec.ip_version = ev.ipv6 ? 6 : 4;
	for (unsigned n = cursor_u8(&c) % (PAIR_RESETS + 1); n > 0; n--) {
		uint8_t bits = cursor_u8(&c), ttl = cursor_u8(&c);
		uint16_t window = cursor_be16(&c), ip_id = cursor_be16(&c), flags = cursor_be16(&c);
		pair.reset[pair.n++] = (struct pair_reset){
			.flow_id = bits >> 2,
			.window = window, .ip_id = ip_id, .flags = flags & 0xfff, .ttl = ttl,
			.s2c = (bits & 1) != 0, .df = (bits & 2) != 0};
	}
	if ((how & 8) != 0) {
		size_t n = cursor_left(&c) < PAGE_TAIL ? cursor_left(&c) : PAGE_TAIL;
		more.page = malloc(sizeof(*more.page) + n);
		MUST(more.page != NULL);
		more.page->frame = 1;
		more.page->len = (uint16_t)n;
		memcpy(more.page->bytes, data + (len - n), n);
	}
	while (cursor_left(&c) >= PACKET_SIZE && ev.n_events < EVENTS_MAX) {
		unsigned i = ev.n_events++;
		events[i] = read_event(&c, i, &now);
		if (event_dir(&events[i]) == dir && (events[i].bits & EVENT_PROBE) == 0)
			list[s.n++] = (uint16_t)i;
	}
	if (ev.n_events != 0) {
		ev.half[DIR_S2C].syn = true;
		ev.half[DIR_S2C].isn = events[0].seq;
		ev.half[DIR_S2C].excerpt_len = EVENT_EXCERPT;
		memcpy(ev.half[DIR_S2C].excerpt, "HTTP/1.1 307 Temporary Redirect", EVENT_EXCERPT);
	}
	view_build(&v, &ev, &rec, NULL, dir);
	v.pair = &pair;
	check(&v, &s);
	free(more.page);
	return 0;
}
