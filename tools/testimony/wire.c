/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/testimony/wire.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "classifiers/lists/rules.h"

#define REFERENCE 2u          /* numbers below are NULL, and something new */
#define KNOWN_MAX (1u << 28)  /* of one file; a slot's number has 32 bits */

/* Something that a later pointer may mean as well. */
struct wire_known {
	const void *what;
	const struct wire_shape *shape; /* NULL: a string */
};

static void stop_at(struct wire *w, int err, const char *why)
{
	if (w->err == 0) {
		w->err = err;
		w->why = why;
	}
}

static void bad(struct wire *w, const char *why)
{
	stop_at(w, -EBADMSG, why);
}

static void give(struct wire *w)
{
	size_t n = w->n;
	if (w->err == 0 && n != 0)
		stop_at(w, w->turn(w->user, w->block, &n), "cannot be written");
	w->n = 0;
}

static bool fetch(struct wire *w)
{
	w->pos = w->n = 0;
	if (w->err == 0)
		stop_at(w, w->turn(w->user, w->block, &w->n), "is damaged, or was changed");
	if (w->err == 0 && w->n == 0)
		bad(w, "ends too early");
	return w->err == 0;
}

static void bytes(struct wire *w, void *data, size_t len)
{
	uint8_t *p = data;
	w->at += len;
	while (len != 0 && w->err == 0) {
		if (w->reading && w->pos == w->n && !fetch(w))
			break;
		if (!w->reading && w->n == WIRE_BLOCK)
			give(w);
		size_t room = w->reading ? w->n - w->pos : WIRE_BLOCK - w->n;
		size_t some = len < room ? len : room;
		if (w->reading) {
			memcpy(p, w->block + w->pos, some);
			w->pos += some;
			w->left -= some < w->left ? some : w->left;
		} else {
			memcpy(w->block + w->n, p, some);
			w->n += some;
		}
		p += some;
		len -= some;
	}
	if (w->reading && w->err != 0)
		memset(p, 0, len);
}

/* Writes v, or reads it. */
static uint64_t number(struct wire *w, uint64_t v)
{
	uint64_t out = 0;
	uint8_t b;
	if (!w->reading) {
		uint64_t rest = v;
		for (; rest >= 0x80; rest >>= 7) {
			b = (uint8_t)(rest | 0x80);
			bytes(w, &b, 1);
		}
		b = (uint8_t)rest;
		bytes(w, &b, 1);
		return v;
	}
	for (unsigned shift = 0; shift < 64; shift += 7) {
		bytes(w, &b, 1);
		if (w->err != 0)
			return 0;
		out |= (uint64_t)(b & 0x7f) << shift;
		if (shift == 63 && b > 1)
			break;
		if ((b & 0x80) == 0)
			return out;
	}
	bad(w, "a number with too many digits");
	return 0;
}

static uint64_t load(const void *p, size_t size)
{
	uint8_t b;
	uint16_t h;
	uint32_t i;
	uint64_t l;
	switch (size) {
	case 1:
		memcpy(&b, p, 1);
		return b;
	case 2:
		memcpy(&h, p, 2);
		return h;
	case 4:
		memcpy(&i, p, 4);
		return i;
	default:
		memcpy(&l, p, 8);
		return l;
	}
}

static void store(void *p, size_t size, uint64_t v)
{
	uint8_t b = (uint8_t)v;
	uint16_t h = (uint16_t)v;
	uint32_t i = (uint32_t)v;
	const void *from = size == 1 ? (const void *)&b : size == 2 ? (const void *)&h
			   : size == 4 ? (const void *)&i : (const void *)&v;
	memcpy(p, from, size);
}

static void uint_one(struct wire *w, const struct wire_field *f, void *p)
{
	uint64_t v = number(w, w->reading ? 0 : load(p, f->size));
	uint64_t fits = f->size < 8 ? ((uint64_t)1 << 8 * f->size) - 1 : UINT64_MAX;
	bool in_range = v >= f->least && v <= fits && (f->most == 0 || v <= f->most);
	if (!in_range)
		bad(w, "a number out of range");
	if (w->reading)
		store(p, f->size, in_range ? v : 0);
}

static void sint_one(struct wire *w, void *p)
{
	int v = 0;
	if (!w->reading)
		memcpy(&v, p, sizeof(v));
	uint64_t folded = v < 0 ? ((uint64_t)-(int64_t)v << 1) - 1 : (uint64_t)v << 1;
	folded = number(w, folded);
	if (!w->reading)
		return;
	if (folded > UINT32_MAX - 1)
		bad(w, "a number out of range");
	else
		v = (int)((folded & 1) != 0 ? -(int64_t)((folded + 1) >> 1)
					    : (int64_t)(folded >> 1));
	memcpy(p, &v, sizeof(v));
}

static void real_one(struct wire *w, void *p)
{
	uint64_t bits = w->reading ? 0 : load(p, 8);
	uint8_t le[8];
	double v;
	for (unsigned i = 0; i < 8; i++)
		le[i] = (uint8_t)(bits >> 8 * i);
	bytes(w, le, 8);
	for (unsigned i = 0; i < 8; i++)
		bits |= (uint64_t)le[i] << 8 * i;
	memcpy(&v, &bits, sizeof(v));
	if (!isfinite(v)) {
		bad(w, "no finite number");
		v = 0;
	}
	if (w->reading)
		memcpy(p, &v, sizeof(v));
}

static void fixed_one(struct wire *w, const struct wire_field *f, uint8_t *p)
{
	uint64_t most = f->kind == WIRE_BYTES ? f->size : f->size - 1, n = most;
	/* What lies behind a text's end is nobody's business. */
	if (!w->reading && f->kind == WIRE_TEXT)
		n = strnlen((const char *)p, (size_t)most);
	while (!w->reading && n != 0 && p[n - 1] == 0)
		n--;
	n = number(w, n);
	if (n > most)
		bad(w, "is too long");
	if (w->err == 0)
		bytes(w, p, (size_t)n);
}

/* Where it is, or where it would be put. */
static size_t slot_of(const struct wire *w, const void *what, const struct wire_shape *shape)
{
	uint64_t key = (uint64_t)(uintptr_t)what;
	bool string = shape == NULL;
	uint64_t hash = string ? XXH3_64bits(what, strlen(what)) : XXH3_64bits(&key, sizeof(key));
	size_t i = (size_t)hash & (w->room_slots - 1);
	for (; w->slots[i] != 0; i = (i + 1) & (w->room_slots - 1)) {
		const struct wire_known *k = &w->known[w->slots[i] - 1];
		if (k->shape == shape && (string ? strcmp(k->what, what) == 0 : k->what == what))
			break;
	}
	return i;
}

static bool slots_grow(struct wire *w)
{
	size_t room = w->room_slots != 0 ? w->room_slots * 2 : 1024;
	uint32_t *bigger = calloc(room, sizeof(*bigger));
	if (bigger == NULL)
		return false;
	free(w->slots);
	w->slots = bigger;
	w->room_slots = room;
	for (size_t i = 0; i < w->n_known; i++)
		w->slots[slot_of(w, w->known[i].what, w->known[i].shape)] = (uint32_t)i + 1;
	return true;
}

static void remember(struct wire *w, const void *what, const struct wire_shape *shape)
{
	if (w->n_known == KNOWN_MAX) {
		stop_at(w, -EFBIG, "is too large");
		return;
	}
	if (w->n_known == w->room_known) {
		size_t room = w->room_known != 0 ? w->room_known * 2 : 1024;
		void *bigger = realloc(w->known, room * sizeof(*w->known));
		if (bigger == NULL) {
			stop_at(w, -ENOMEM, NULL);
			return;
		}
		w->known = bigger;
		w->room_known = room;
	}
	w->known[w->n_known++] = (struct wire_known){.what = what, .shape = shape};
	/* A reader finds by number. */
	if (!w->reading && w->n_known * 2 <= w->room_slots)
		w->slots[slot_of(w, what, shape)] = (uint32_t)w->n_known;
	else if (!w->reading && !slots_grow(w))
		stop_at(w, -ENOMEM, NULL);
}

/* True: what comes next is new. Else *p is what it refers to. */
static bool refer(struct wire *w, const void **p, const struct wire_shape *shape)
{
	uint64_t v = *p != NULL;
	size_t i = 0;
	if (!w->reading && *p != NULL && w->room_slots != 0) {
		i = slot_of(w, *p, shape);
		v = w->slots[i] != 0 ? w->slots[i] - 1 + REFERENCE : 1;
	}
	v = number(w, v);
	if (v == 1 || !w->reading)
		return w->err == 0 && v == 1;
	*p = NULL;
	if (v >= REFERENCE && v - REFERENCE < w->n_known &&
	    w->known[v - REFERENCE].shape == shape)
		*p = w->known[v - REFERENCE].what;
	else if (v != 0)
		bad(w, "refers to what did not come before");
	return false;
}

/* Room for n things that take at least so many bytes each to be read; reading only. */
static void *room_for(struct wire *w, uint64_t n, size_t size, size_t least)
{
	if (n > w->left / least || n > SIZE_MAX / 2 / (size != 0 ? size : 1)) {
		bad(w, "more than there can be");
		return NULL;
	}
	void *p = arena_alloc(w->arena, (size_t)n * size + 1);
	if (p == NULL)
		stop_at(w, -ENOMEM, NULL);
	return p;
}

static void string_one(struct wire *w, void *at, const struct wire_field *f, bool required)
{
	const void *p = NULL;
	if (!w->reading)
		memcpy(&p, at, sizeof(p));
	if (refer(w, &p, NULL)) {
		uint64_t n = w->reading ? 0 : strlen(p);
		if (n > WIRE_STRING_MAX)
			stop_at(w, -EFBIG, "a string is too long");
		n = number(w, n);
		if (w->reading && n > WIRE_STRING_MAX)
			bad(w, "is too long");
		char *copy = w->reading && w->err == 0 ? room_for(w, n, 1, 1) : NULL;
		if (w->err == 0)
			bytes(w, w->reading ? copy : (void *)(uintptr_t)p, (size_t)n);
		if (w->reading && w->err == 0 && strlen(copy) != n)
			bad(w, "a string with a NUL in it");
		p = w->reading ? copy : p;
		if (w->err == 0)
			remember(w, p, NULL);
	}
	p = w->err == 0 ? p : NULL;
	if (required && p == NULL)
		bad(w, "is not there");
	if (p != NULL && f->most != 0 && strlen(p) > f->most)
		bad(w, "is too long");
	if (w->reading)
		memcpy(at, &p, sizeof(p));
}

static void flexible(struct wire *w, const struct wire_shape *s, void *of, uint64_t n)
{
	const struct wire_field element = {.size = s->flex};
	for (uint64_t i = 0; i < n && w->err == 0; i++)
		uint_one(w, &element, (uint8_t *)of + s->flex_at + i * s->flex);
}

static void pointer_one(struct wire *w, const struct wire_shape *s, void *at, bool required)
{
	const void *p = NULL;
	if (!w->reading)
		memcpy(&p, at, sizeof(p));
	if (refer(w, &p, s)) {
		uint64_t n = 0;
		void *of = (void *)(uintptr_t)p;
		if (s->flex != 0)
			n = number(w, w->reading ? 0 : load((uint8_t *)of + s->flex_count_at, 4));
		bool fits = n <= w->left && n <= (SIZE_MAX / 2 - s->size) / (s->flex + 1);
		if (w->reading && !fits)
			bad(w, "more than there can be");
		else if (w->reading)
			of = room_for(w, 1, s->size + (size_t)n * s->flex, 1);
		if (w->err == 0)
			remember(w, of, s);
		if (w->err == 0)
			wire_walk(w, s, of);
		if (w->err == 0 && s->flex != 0 && w->reading)
			store((uint8_t *)of + s->flex_count_at, 4, n);
		if (w->err == 0)
			flexible(w, s, of, n);
		p = of;
	}
	p = w->err == 0 ? p : NULL;
	if (required && p == NULL)
		bad(w, "is not there");
	if (w->reading)
		memcpy(at, &p, sizeof(p));
}

static void rule_one(struct wire *w, void *at)
{
	const struct rule *r = NULL;
	if (!w->reading)
		memcpy(&r, at, sizeof(r));
	uint64_t v = number(w, r != NULL && w->rules != NULL ? (uint64_t)r->index + 1 : 0);
	if (!w->reading)
		return;
	r = NULL;
	if (v != 0 && w->rules != NULL && v <= ruleset_count(w->rules))
		r = ruleset_rule(w->rules, (size_t)v - 1);
	else if (v != 0 && w->rules != NULL)
		bad(w, "a rule that no list has");
	memcpy(at, &r, sizeof(r));
}

static size_t size_of_element(const struct wire_field *f)
{
	switch (f->kind) {
	case WIRE_UINTS:
		return f->size;
	case WIRE_STRUCTS:
		return f->shape->size;
	default:
		return sizeof(void *);
	}
}

static void element(struct wire *w, const struct wire_field *f, void *p)
{
	switch (f->kind) {
	case WIRE_UINT:
	case WIRE_UINTS:
		uint_one(w, f, p);
		break;
	case WIRE_SINT:
		sint_one(w, p);
		break;
	case WIRE_REAL:
		real_one(w, p);
		break;
	case WIRE_TEXT:
	case WIRE_SENT:
	case WIRE_BYTES:
		fixed_one(w, f, p);
		break;
	case WIRE_STRING:
		string_one(w, p, f, f->required);
		break;
	case WIRE_STRINGS:
		string_one(w, p, f, true);
		break;
	case WIRE_STRUCT:
	case WIRE_STRUCTS:
		wire_walk(w, f->shape, p);
		break;
	case WIRE_POINTER:
		pointer_one(w, f->shape, p, f->required);
		break;
	case WIRE_POINTERS:
		pointer_one(w, f->shape, p, true);
		break;
	case WIRE_RULE:
		rule_one(w, p);
		break;
	case WIRE_LEFT_OUT:
		break;
	}
}

static void list(struct wire *w, const struct wire_field *f, uint8_t *of)
{
	uint64_t n = load(of + f->count_at, f->count_size);
	size_t size = size_of_element(f);
	uint8_t *p = NULL;
	if (w->reading) {
		/* An empty list may still be looked at, but for one of structs: NULL says something. */
		if (n != 0 || f->kind != WIRE_STRUCTS)
			p = room_for(w, n, size, f->kind == WIRE_STRUCTS ? f->shape->n_fields : 1);
		memcpy(of + f->at, &p, sizeof(p));
		if (w->err != 0)
			store(of + f->count_at, f->count_size, 0);
	} else {
		memcpy(&p, of + f->at, sizeof(p));
		if (n != 0 && p == NULL)
			bad(w, "is not there");
	}
	for (uint64_t i = 0; i < n && w->err == 0; i++)
		element(w, f, p + i * size);
}

void wire_walk(struct wire *w, const struct wire_shape *shape, void *of)
{
	for (unsigned i = 0; i < shape->n_fields && w->err == 0; i++) {
		const struct wire_field *f = &shape->fields[i];
		bool pointer = f->kind == WIRE_STRING || f->kind == WIRE_POINTER ||
			       f->kind == WIRE_RULE;
		size_t size = pointer ? sizeof(void *) : f->size;
		if (f->count_size != 0)
			list(w, f, of);
		for (unsigned k = 0; f->count_size == 0 && k < f->n && w->err == 0; k++)
			element(w, f, (uint8_t *)of + f->at + k * size);
		if (w->err != 0 && w->field == NULL) {
			w->shape = shape->name;
			w->field = f->name;
		}
	}
}

int wire_end(struct wire *w)
{
	if (!w->reading)
		give(w);
	else if (w->err == 0 && w->pos == w->n && w->turn(w->user, w->block, &w->n) == 0)
		w->pos = 0;
	if (w->reading && w->pos != w->n)
		bad(w, "has more than it should");
	return w->err;
}

void wire_why(const struct wire *w, char *why, size_t len)
{
	snprintf(why, len, "offset %llu: %s.%s: %s", (unsigned long long)w->at,
		 w->shape != NULL ? w->shape : "file", w->field != NULL ? w->field : "end",
		 w->why != NULL ? w->why : strerror(-w->err));
}

void wire_free(struct wire *w)
{
	free(w->known);
	free(w->slots);
	w->known = NULL;
	w->slots = NULL;
	w->n_known = w->room_known = w->room_slots = 0;
}
