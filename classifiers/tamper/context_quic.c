/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/context_quic.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "classifiers/tamper/notes.h"
#include "classifiers/verdict.h"

#define NOTES_SHARD 16384 /* as many as attempts are remembered */
#define GROUPS_LOOKED 512 /* names of one server that are compared */

enum side { PORT_BELOW, PORT_ABOVE, PORT_EQUAL };
enum outcome { WAS_SILENT, WAS_OK, WAS_ELSE };

struct quic_note {
	struct ip_addr client, server;
	uint16_t port;
	uint8_t side;      /* enum side: the client's port against the server's */
	uint8_t outcome;   /* enum outcome */
	bool v12;          /* version 1 or 2 */
	bool heard;        /* its server was */
	uint64_t name;     /* hash; 0 without */
	uint64_t start_ns, last_ns; /* first and last Initial */
};

/* Attempts for one name (and side of port) at one server. */
struct group {
	struct ip_addr server;
	uint16_t port;
	uint8_t side;
	uint64_t name;
	unsigned silent, ok;
	uint64_t first_silent, last_silent, first_ok, last_ok;
	uint64_t counted; /* when the last silence that counts began */
	unsigned v12_ok, other_versions;
};

struct client {
	struct ip_addr addr;
	struct fan_out out;
};

struct quic_context {
	struct group *groups;   /* sorted */
	struct client *clients; /* sorted */
	size_t n_groups, n_clients;
	unsigned heard;
};

static uint64_t name_hash(const char *name)
{
	char lower[256];
	size_t n = strnlen(name, sizeof(lower));
	for (size_t i = 0; i < n; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	return n != 0 ? XXH3_64bits(lower, n) | 1 : 0;
}

static enum side side_of(uint16_t client, uint16_t server)
{
	return client > server ? PORT_ABOVE : client < server ? PORT_BELOW : PORT_EQUAL;
}

static bool is_v12(uint32_t version)
{
	return version == QUIC_V1 || version == QUIC_V2;
}

void quic_notes_add(struct quic_notes *s, const struct flow *f, const struct quic_exchange *q)
{
	if (!notes_room(&s->note, sizeof(*s->note), s->n, &s->room, NOTES_SHARD)) {
		s->dropped++;
		return;
	}
	uint16_t client = flow_port(f, DIR_C2S), server = flow_port(f, DIR_S2C);
	/* A server that closes or refuses answers too, but not with what tells it from a box. */
	s->note[s->n++] = (struct quic_note){
		.client = *flow_addr(f, DIR_C2S),
		.server = *flow_addr(f, DIR_S2C),
		.port = server,
		.side = (uint8_t)side_of(client, server),
		.outcome = q->x.end == ATTEMPT_SILENT ? WAS_SILENT
			   : q->x.end == ATTEMPT_OK   ? WAS_OK
						      : WAS_ELSE,
		.v12 = is_v12(q->version),
		.heard = q->heard,
		.name = name_hash(q->x.name),
		.start_ns = q->first_ns,
		.last_ns = q->last_ns,
	};
}

void quic_notes_free(struct quic_notes *s)
{
	free(s->note);
	*s = (struct quic_notes){.n = 0};
}

static int compare_server(const struct ip_addr *x, uint16_t xp, const struct ip_addr *y,
			  uint16_t yp)
{
	int by_addr = memcmp(x, y, sizeof(*x));
	return by_addr != 0 ? by_addr : (int)xp - (int)yp;
}

static int compare_notes(const void *x, const void *y)
{
	const struct quic_note *a = x, *b = y;
	int by = compare_server(&a->server, a->port, &b->server, b->port);
	if (by != 0)
		return by;
	if (a->name != b->name)
		return a->name < b->name ? -1 : 1;
	if (a->side != b->side)
		return (int)a->side - (int)b->side;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	if (a->last_ns != b->last_ns)
		return a->last_ns < b->last_ns ? -1 : 1;
	return (int)a->outcome - (int)b->outcome;
}

static int compare_by_client(const void *x, const void *y)
{
	const struct quic_note *a = x, *b = y;
	return memcmp(&a->client, &b->client, sizeof(a->client));
}

static bool same_group(const struct group *g, const struct quic_note *n)
{
	return compare_server(&g->server, g->port, &n->server, n->port) == 0 &&
	       g->name == n->name && g->side == n->side;
}

/* Answered attempts, for the question who was answered at that time. */
struct answered {
	struct quic_note *note; /* sorted by server, side and time */
	size_t n;
};

static int compare_answered(const void *x, const void *y)
{
	const struct quic_note *a = x, *b = y;
	int by = compare_server(&a->server, a->port, &b->server, b->port);
	if (by != 0)
		return by;
	if (a->side != b->side)
		return (int)a->side - (int)b->side;
	return a->start_ns < b->start_ns ? -1 : a->start_ns > b->start_ns;
}

/* The server answered another name, from ports on the same side, between since and n's end. */
static bool other_answered(const struct answered *all, const struct quic_note *n, uint64_t since)
{
	struct quic_note from = *n;
	from.start_ns = since;
	size_t lo = notes_find(all->note, sizeof(*all->note), all->n, &from, compare_answered);
	for (; lo < all->n; lo++) {
		const struct quic_note *k = &all->note[lo];
		if (compare_server(&k->server, k->port, &n->server, n->port) != 0 ||
		    k->side != n->side || k->start_ns > n->last_ns)
			return false;
		if (k->name != n->name)
			return true;
	}
	return false;
}

/* Notes of a group come in order of time. An outage is one silence, however many saw it. */
static void group_add(struct group *g, const struct quic_note *n, const struct answered *all,
		      uint64_t end_ns)
{
	if (n->outcome == WAS_OK) {
		g->first_ok = g->ok == 0 ? n->start_ns : g->first_ok;
		g->last_ok = n->start_ns;
		g->ok++;
	}
	if (n->outcome == WAS_SILENT && end_ns >= n->start_ns + QUIC_SILENCE_NS) {
		g->first_silent = g->silent == 0 ? n->start_ns : g->first_silent;
		bool apart = g->silent == 0 || n->start_ns >= g->counted + QUIC_RETRY_NS;
		if (apart || other_answered(all, n, g->counted)) {
			g->counted = n->start_ns;
			g->silent++;
		}
		g->last_silent = n->start_ns;
	}
	g->v12_ok += n->v12 && n->outcome == WAS_OK;
	g->other_versions += !n->v12 && n->outcome != WAS_SILENT;
}

/* scratch: room for as many notes. */
static void make_groups(struct quic_context *c, struct quic_note *notes, size_t n,
			struct quic_note *scratch, uint64_t end_ns)
{
	struct answered all = {.note = scratch};
	qsort(notes, n, sizeof(*notes), compare_notes);
	for (size_t i = 0; i < n; i++)
		if (notes[i].outcome == WAS_OK)
			all.note[all.n++] = notes[i];
	qsort(all.note, all.n, sizeof(*all.note), compare_answered);
	for (size_t i = 0; i < n; i++) {
		struct group *g = c->n_groups != 0 ? &c->groups[c->n_groups - 1] : NULL;
		if (g == NULL || !same_group(g, &notes[i])) {
			g = &c->groups[c->n_groups++];
			*g = (struct group){.server = notes[i].server, .port = notes[i].port,
					    .side = notes[i].side, .name = notes[i].name};
		}
		group_add(g, &notes[i], &all, end_ns);
		c->heard += notes[i].heard;
	}
}

static void make_clients(struct quic_context *c, struct quic_note *notes, size_t n)
{
	qsort(notes, n, sizeof(*notes), compare_by_client);
	for (size_t i = 0; i < n; i++) {
		struct client *k = c->n_clients != 0 ? &c->clients[c->n_clients - 1] : NULL;
		if (k == NULL || memcmp(&k->addr, &notes[i].client, sizeof(k->addr)) != 0) {
			k = &c->clients[c->n_clients++];
			*k = (struct client){.addr = notes[i].client};
		}
		fan_out_add(&k->out, &notes[i].server, notes[i].outcome != WAS_SILENT);
	}
}

int quic_context_new(struct quic_context **out, const struct quic_notes *const shards[], unsigned n,
		     uint64_t end_ns)
{
	struct quic_context *c = calloc(1, sizeof(*c));
	struct quic_note *all = NULL, *scratch = NULL;
	size_t total = 0, at = 0;
	int err = -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		total += shards[i] != NULL ? shards[i]->n : 0;
	if (c == NULL)
		return err;
	all = malloc((total + 1) * sizeof(*all));
	scratch = malloc((total + 1) * sizeof(*scratch));
	c->groups = malloc((total + 1) * sizeof(*c->groups));
	c->clients = malloc((total + 1) * sizeof(*c->clients));
	if (all == NULL || scratch == NULL || c->groups == NULL || c->clients == NULL)
		goto out;
	for (unsigned i = 0; i < n; i++) {
		if (shards[i] == NULL || shards[i]->n == 0)
			continue;
		memcpy(all + at, shards[i]->note, shards[i]->n * sizeof(*all));
		at += shards[i]->n;
	}
	make_groups(c, all, total, scratch, end_ns);
	make_clients(c, all, total);
	*out = c;
	c = NULL;
	err = 0;
out:
	free(all);
	free(scratch);
	quic_context_free(c);
	return err;
}

void quic_context_free(struct quic_context *c)
{
	if (c == NULL)
		return;
	free(c->groups);
	free(c->clients);
	free(c);
}

static int compare_groups(const void *x, const void *y)
{
	const struct group *a = x, *b = y;
	return compare_server(&a->server, a->port, &b->server, b->port);
}

static int compare_clients(const void *x, const void *y)
{
	const struct client *a = x, *b = y;
	return memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

/* Index of the server's first group. */
static size_t groups_of(const struct quic_context *c, const struct ip_addr *server, uint16_t port)
{
	struct group key = {.server = *server, .port = port};
	return notes_find(c->groups, sizeof(key), c->n_groups, &key, compare_groups);
}

static bool is_scanner(const struct quic_context *c, const struct ip_addr *addr)
{
	struct client key = {.addr = *addr};
	size_t at = notes_find(c->clients, sizeof(key), c->n_clients, &key, compare_clients);
	return at < c->n_clients && compare_clients(&c->clients[at], &key) == 0 &&
	       fan_out_is_scanner(&c->clients[at].out);
}

static bool is_near(const struct group *mine, uint64_t first, uint64_t last)
{
	return last + TRIAL_NS >= mine->first_silent &&
	       first <= mine->last_silent + TRIAL_NS;
}

/* What another name's attempts say. */
static void compare_other(struct quic_siblings *s, const struct group *mine, const struct group *g)
{
	if (g->ok != 0 && is_near(mine, g->first_ok, g->last_ok)) {
		s->others_ok += g->ok;
		s->others_after |= g->last_ok > mine->first_silent;
	}
	if (g->silent != 0 && is_near(mine, g->first_silent, g->last_silent))
		s->others_silent += g->silent;
}

struct quic_siblings quic_context_siblings(const struct quic_context *c,
					   const struct flow_record *flow,
					   const struct quic_exchange *q)
{
	struct quic_siblings s = {.heard = c->heard, .scanner = is_scanner(c, &flow->client)};
	size_t from = groups_of(c, &flow->server, flow->server_port), end = from;
	enum side side = side_of(flow->client_port, flow->server_port);
	uint64_t name = name_hash(q->x.name);
	const struct group *mine = NULL;
	while (end < c->n_groups && end - from < GROUPS_LOOKED &&
	       compare_server(&c->groups[end].server, c->groups[end].port, &flow->server,
			      flow->server_port) == 0) {
		const struct group *g = &c->groups[end++];
		s.v12_ok += g->v12_ok;
		s.other_versions += g->other_versions;
		if (g->name == name && g->side == side)
			mine = g;
	}
	if (mine == NULL || name == 0)
		return s;
	s.silent = mine->silent;
	s.ok = mine->ok;
	for (size_t i = from; i < end; i++) {
		const struct group *g = &c->groups[i];
		if (g->side == side && g->name != name)
			compare_other(&s, mine, g);
		if (g->name != name || g->side == side || g->side == PORT_EQUAL ||
		    side == PORT_EQUAL)
			continue;
		s.across_silent += g->silent;
		s.across_ok += g->ok;
		s.across_after |= g->ok != 0 && g->last_ok > mine->first_silent;
	}
	return s;
}
