/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/packed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/http.h"
#include "classifiers/app/http_response.h"
#include "classifiers/app/quic.h"
#include "classifiers/app/tls.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/app/vpn.h"
#include "classifiers/arena.h"
#include "classifiers/lists/page.h"
#include "classifiers/lists/rules.h"
#include "classifiers/slab.h"
#include "classifiers/verdict.h"

/*
 * A pointer of struct app_facts, the size of what it points to, and where a flow's record points to the
 * same.
 */
static const struct row {
	size_t at, size, in_record;
} rows[] = {
#define ROW(field, type) \
	{offsetof(struct app_facts, field), sizeof(struct type), offsetof(struct flow_record, field)}
	ROW(tls, tls_client_hello),
	ROW(tls_server, tls_server),
	ROW(http, http_request),
	ROW(response, http_response),
	ROW(page, page_facts),
	ROW(quic, quic_hello),
	ROW(vpn, vpn_facts),
	ROW(rules, rule_hits),
#undef ROW
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))
#define ROW_LABEL N_ROWS

_Static_assert(sizeof(struct app_facts) == (N_ROWS + 2) * sizeof(void *),
	       "a pointer of app_facts has no row");

/*
 * One after the other: a row's number and its bytes, as pairs of a count of zeros, a count of other
 * bytes, and these, until the row's size is reached.
 */
struct packed {
	const char *app_proto;
	uint32_t len; /* of bytes */
	uint8_t n_rows;
	uint8_t bytes[];
};

#define RUN_MAX 255u
#define ZEROS_MIN 3u /* fewer do not pay for a new pair */

struct facts_room {
	struct labels *labels; /* LABELS_SAID */
	void *block[N_ROWS];
	struct slab_set *blocks;
	uint8_t *bytes; /* whatever is said fits */
};

static size_t packed_most(size_t size)
{
	return size + 2 * (size / RUN_MAX + 2);
}

int facts_room_new(struct facts_room **out, struct slab_set *blocks)
{
	struct facts_room *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	r->blocks = blocks;
	size_t most = sizeof(struct packed) + LABELS_SAID * (1 + packed_most(sizeof(struct label)));
	bool whole = true;
	for (size_t i = 0; i < N_ROWS; i++) {
		r->block[i] = rows[i].size != 0 ? malloc(rows[i].size) : NULL;
		whole = whole && (r->block[i] != NULL || rows[i].size == 0);
		most += 1 + packed_most(rows[i].size);
	}
	r->bytes = malloc(most);
	r->labels = malloc(sizeof(*r->labels) + LABELS_SAID * sizeof(struct label));
	if (!whole || r->bytes == NULL || r->labels == NULL) {
		facts_room_free(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void facts_room_free(struct facts_room *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < N_ROWS; i++)
		free(r->block[i]);
	free(r->labels);
	free(r->bytes);
	free(r);
}

/* Pointers are copied as bytes, since their types differ. */
static void *pointer_get(const struct app_facts *facts, size_t at)
{
	void *p;
	memcpy(&p, (const uint8_t *)facts + at, sizeof(p));
	return p;
}

static void pointer_set(struct app_facts *facts, size_t at, void *p)
{
	memcpy((uint8_t *)facts + at, &p, sizeof(p));
}

void facts_free(struct app_facts *facts)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		free(pointer_get(facts, rows[i].at));
		pointer_set(facts, rows[i].at, NULL);
	}
}

bool facts_are_empty(const struct app_facts *facts, const struct labels *labels)
{
	static const struct app_facts none;
	return labels == NULL && memcmp(facts, &none, sizeof(none)) == 0;
}

static size_t zeros_at(const uint8_t *p, size_t n)
{
	uint64_t word = 0;
	size_t i = 0;
	for (; n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		if (word != 0)
			break;
	}
	while (i < n && p[i] == 0)
		i++;
	return i;
}

/* Bytes up to a run of zeros that pays, or to the end. */
static size_t others_at(const uint8_t *p, size_t n)
{
	size_t zeros = 0;
	for (size_t i = 0; i < n; i++) {
		zeros = p[i] == 0 ? zeros + 1 : 0;
		if (zeros == ZEROS_MIN)
			return i + 1 - ZEROS_MIN;
	}
	return n - zeros;
}

static uint8_t *pack(uint8_t *to, const void *from, size_t size)
{
	const uint8_t *p = from;
	for (size_t at = 0; at < size;) {
		size_t zeros = zeros_at(p + at, size - at);
		zeros = zeros < RUN_MAX ? zeros : RUN_MAX;
		at += zeros;
		size_t others = others_at(p + at, size - at);
		others = others < RUN_MAX ? others : RUN_MAX;
		*to++ = (uint8_t)zeros;
		*to++ = (uint8_t)others;
		memcpy(to, p + at, others);
		to += others;
		at += others;
	}
	return to;
}

static const uint8_t *unpack(void *to, size_t size, const uint8_t *from)
{
	uint8_t *p = to;
	memset(p, 0, size);
	for (size_t at = 0; at < size;) {
		size_t others = from[1];
		at += from[0];
		memcpy(p + at, from + 2, others);
		at += others;
		from += 2 + others;
	}
	return from;
}

static size_t packed_size(uint32_t len)
{
	size_t size = offsetof(struct packed, bytes) + len;
	return size > sizeof(struct packed) ? size : sizeof(struct packed);
}

struct packed *facts_pack(struct facts_room *r, const struct app_facts *facts,
			  const struct labels *labels)
{
	uint8_t *to = r->bytes;
	uint8_t n_rows = 0;
	if (facts->done != NULL)
		return NULL;
	for (size_t i = 0; i < N_ROWS; i++) {
		const void *block = pointer_get(facts, rows[i].at);
		if (block == NULL)
			continue;
		if (rows[i].size == 0)
			return NULL;
		*to++ = (uint8_t)i;
		to = pack(to, block, rows[i].size);
		n_rows++;
	}
	for (unsigned i = 0; labels != NULL && i < labels->n; i++) {
		*to++ = ROW_LABEL;
		to = pack(to, &labels->of[i], sizeof(labels->of[i]));
		n_rows++;
	}
	uint32_t n = (uint32_t)(to - r->bytes);
	struct packed *p = slab_set_alloc(r->blocks, packed_size(n));
	if (p != NULL) {
		p->app_proto = facts->app_proto;
		p->len = n;
		p->n_rows = n_rows;
		memcpy(p->bytes, r->bytes, n);
	}
	return p;
}

void packed_free(struct facts_room *r, struct packed *p)
{
	if (p != NULL)
		slab_set_free(r->blocks, p, packed_size(p->len));
}

void facts_unpack(struct facts_room *r, const struct packed *p, struct app_facts *facts,
		  const struct labels **labels)
{
	const uint8_t *from = p->bytes;
	*facts = (struct app_facts){.app_proto = p->app_proto};
	r->labels->n = 0;
	for (unsigned i = 0; i < p->n_rows; i++) {
		unsigned row = *from++;
		if (row == ROW_LABEL) {
			struct label *l = &r->labels->of[r->labels->n++];
			from = unpack(l, sizeof(*l), from);
		} else {
			from = unpack(r->block[row], rows[row].size, from);
			pointer_set(facts, rows[row].at, r->block[row]);
		}
	}
	*labels = r->labels->n != 0 ? r->labels : NULL;
}

bool facts_revive(const struct packed *p, struct app_facts *facts)
{
	struct app_facts back = {.app_proto = p->app_proto};
	const uint8_t *from = p->bytes;
	for (unsigned i = 0; i < p->n_rows; i++) {
		unsigned row = *from++;
		void *block = row < N_ROWS ? malloc(rows[row].size) : NULL;
		if (block == NULL) {
			facts_free(&back);
			return false;
		}
		from = unpack(block, rows[row].size, from);
		pointer_set(&back, rows[row].at, block);
	}
	*facts = back;
	return true;
}

void facts_show(const struct app_facts *facts, struct flow_record *r)
{
	r->app_proto = facts->app_proto;
	for (size_t i = 0; i < N_ROWS; i++) {
		const void *block = pointer_get(facts, rows[i].at);
		memcpy((uint8_t *)r + rows[i].in_record, &block, sizeof(block));
	}
}

void facts_keep(struct arena *a, struct flow_record *r)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		uint8_t *field = (uint8_t *)r + rows[i].in_record;
		const void *block;
		memcpy(&block, field, sizeof(block));
		const void *copy = block != NULL ? arena_share(a, block, rows[i].size) : NULL;
		memcpy(field, &copy, sizeof(copy));
	}
}
