/* SPDX-License-Identifier: BSD-3-Clause */
#include "classifiers/lists/matcher_database.h"

#include <ctype.h>
#include <errno.h>
#include <hs.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/arena.h"
#include "classifiers/lists/matcher_cache.h"
#include "classifiers/lists/opening.h"
#include "dataplane/cursor.h"

enum part_name matcher_part(enum rule_where where)
{
	return where == RULE_DATAGRAM ? PART_DATAGRAM
	       : where == RULE_STREAM_C2S || where == RULE_STREAM_S2C ? PART_STREAM : PART_PAGE;
}

static int refuse(struct matcher *m, const struct rule *r, const char *reason, size_t len)
{
	struct refused *bigger = realloc(m->refused, (m->n_refused + 1) * sizeof(*bigger));
	if (bigger == NULL)
		return -ENOMEM;
	m->refused = bigger;
	bigger[m->n_refused] = (struct refused){.rule = r, .reason = strndup(reason, len)};
	if (bigger[m->n_refused].reason == NULL)
		return -ENOMEM;
	m->n_refused++;
	return 0;
}

/*
 * Longer literals go in as expressions. Databases of Hyperscan 5.4.0 with pure literals of more than
 * 32 bytes miss shorter ones in short messages, or end with an error (its issues 303 and 353).
 */
#define LITERAL_MAX 32u

static enum kind kind_of(const struct rule *r)
{
	return r->how == RULE_REGEXP || r->len > LITERAL_MAX ? KIND_REGEXP : KIND_LITERAL;
}

/* What hs_compile_multi() wants, side by side. */
struct patterns {
	struct arena texts;
	const char **text;
	unsigned *flags, *ids;
	size_t *lens;
	unsigned n;
};

static void patterns_free(struct patterns *p)
{
	free(p->text);
	free(p->flags);
	free(p->ids);
	free(p->lens);
	arena_free(&p->texts);
}

/* An expression for the rule's pattern, terminated. */
static const char *expression(struct patterns *p, const struct rule *r)
{
	static const char digits[] = "0123456789abcdef";
	if (r->how == RULE_REGEXP)
		return (const char *)r->pattern;
	char *text = arena_alloc(&p->texts, 4 * (size_t)r->len + 1), *to = text;
	for (uint32_t i = 0; text != NULL && i < r->len; i++) {
		uint8_t c = r->pattern[i];
		if (c < 0x80 && (isalnum(c) || c == ' ')) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '\\';
		*to++ = 'x';
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
	return text;
}

static int patterns_gather(struct patterns *p, const struct matcher *m, enum part_name part,
			   enum kind kind)
{
	size_t n = ruleset_count(m->set);
	*p = (struct patterns){
		.text = calloc(n + 1, sizeof(*p->text)),
		.flags = calloc(n + 1, sizeof(*p->flags)),
		.ids = calloc(n + 1, sizeof(*p->ids)),
		.lens = calloc(n + 1, sizeof(*p->lens)),
	};
	if (p->text == NULL || p->flags == NULL || p->ids == NULL || p->lens == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct rule *r = ruleset_rule(m->set, i);
		bool regexp = r->how == RULE_REGEXP;
		if (r->where == RULE_DNS || matcher_part(r->where) != part || kind_of(r) != kind)
			continue;
		p->text[p->n] = kind == KIND_REGEXP ? expression(p, r) : (const char *)r->pattern;
		if (p->text[p->n] == NULL)
			return -ENOMEM;
		p->lens[p->n] = r->len;
		p->ids[p->n] = r->index;
		/* A prefix is told by where it ends, so all its places are looked at. */
		p->flags[p->n] = (r->nocase ? HS_FLAG_CASELESS : 0) |
				 (regexp ? HS_FLAG_DOTALL : 0) |
				 (regexp || r->how == RULE_CONTAINS ? HS_FLAG_SINGLEMATCH : 0);
		p->n++;
	}
	return 0;
}

static void patterns_drop(struct patterns *p, unsigned i)
{
	size_t rest = p->n - 1 - i;
	memmove(p->text + i, p->text + i + 1, rest * sizeof(*p->text));
	memmove(p->flags + i, p->flags + i + 1, rest * sizeof(*p->flags));
	memmove(p->ids + i, p->ids + i + 1, rest * sizeof(*p->ids));
	memmove(p->lens + i, p->lens + i + 1, rest * sizeof(*p->lens));
	p->n--;
}

/* Leaves out, one after the other, what cannot be compiled. */
static int compile(struct matcher *m, enum part_name part, enum kind kind)
{
	unsigned mode = part == PART_STREAM ? HS_MODE_STREAM : HS_MODE_BLOCK;
	hs_database_t **db = &m->part[part].db[kind];
	struct patterns p;
	int err = patterns_gather(&p, m, part, kind);

	while (err == 0 && p.n != 0 && *db == NULL) {
		hs_compile_error_t *wrong = NULL;
		hs_error_t got =
			kind == KIND_LITERAL
				? hs_compile_lit_multi(p.text, p.flags, p.ids, p.lens, p.n, mode,
						       NULL, db, &wrong)
				: hs_compile_multi(p.text, p.flags, p.ids, p.n, mode, NULL, db,
						   &wrong);
		if (got == HS_SUCCESS)
			break;
		*db = NULL;
		if (got != HS_COMPILER_ERROR || wrong == NULL) {
			err = -ENOMEM;
		} else if (wrong->expression < 0 || (unsigned)wrong->expression >= p.n) {
			err = -EINVAL; /* of all of them together: none can be named */
		} else {
			unsigned i = (unsigned)wrong->expression;
			err = refuse(m, ruleset_rule(m->set, p.ids[i]), wrong->message,
				     strlen(wrong->message));
			patterns_drop(&p, i);
		}
		hs_free_compile_error(wrong);
	}
	patterns_free(&p);
	return err;
}

static void compile_part(struct matcher *m, enum part_name part)
{
	struct part *p = &m->part[part];
	if (p->ready)
		return;
	for (unsigned k = 0; k < KIND_N && p->err == 0; k++)
		p->err = compile(m, part, (enum kind)k);
	p->ready = true;
}

/* Of the rules, the library and what of this CPU it makes use of. */
static bool cache_key(const struct matcher *m, uint8_t key[CACHE_KEY_SIZE])
{
	hs_platform_info_t cpu;
	const char *version = hs_version();
	uint8_t facts[12];
	if (hs_populate_platform(&cpu) != HS_SUCCESS)
		return false;
	for (unsigned i = 0; i < 8; i++)
		facts[i] = (uint8_t)(cpu.cpu_features >> 8 * i);
	for (unsigned i = 0; i < 4; i++)
		facts[8 + i] = (uint8_t)(cpu.tune >> 8 * i);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c != NULL && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(c, ruleset_hash(m->set), 32) == 1 &&
		  EVP_DigestUpdate(c, facts, sizeof(facts)) == 1 &&
		  EVP_DigestUpdate(c, version, strlen(version)) == 1 &&
		  EVP_DigestFinal_ex(c, key, NULL) == 1;
	EVP_MD_CTX_free(c);
	return ok;
}

/* The content: for each part and kind a length and a database, then refusals. Big-endian. */
struct content {
	uint8_t *data;
	size_t len, room;
	bool failed;
};

static void put(struct content *c, const void *data, size_t len)
{
	if (c->failed)
		return;
	if (len > c->room - c->len) {
		size_t room = c->room * 2 + len;
		uint8_t *bigger = realloc(c->data, room);
		if (bigger == NULL) {
			c->failed = true;
			return;
		}
		c->data = bigger;
		c->room = room;
	}
	if (len != 0)
		memcpy(c->data + c->len, data, len);
	c->len += len;
}

static void put_u32(struct content *c, size_t v)
{
	uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
	c->failed = c->failed || v > UINT32_MAX;
	put(c, b, sizeof(b));
}

static void cache_save(struct matcher *m)
{
	struct content c = {0};
	uint8_t key[CACHE_KEY_SIZE];
	for (unsigned i = 0; i < PART_N * KIND_N; i++) {
		hs_database_t *db = m->part[i / KIND_N].db[i % KIND_N];
		char *bytes = NULL;
		size_t len = 0;
		if (db != NULL && hs_serialize_database(db, &bytes, &len) != HS_SUCCESS)
			c.failed = true;
		put_u32(&c, len);
		put(&c, bytes, len);
		free(bytes);
	}
	put_u32(&c, m->n_refused);
	for (size_t i = 0; i < m->n_refused; i++) {
		put_u32(&c, m->refused[i].rule->index);
		put_u32(&c, strlen(m->refused[i].reason));
		put(&c, m->refused[i].reason, strlen(m->refused[i].reason));
	}
	/* Where there is no room for a cache there is none: the next start takes longer. */
	if (!c.failed && cache_key(m, key))
		(void)cache_write(m->cache_dir, key, c.data, c.len);
	free(c.data);
}

static bool content_databases(struct cursor *c, hs_database_t *db[PART_N * KIND_N])
{
	for (unsigned i = 0; i < PART_N * KIND_N; i++) {
		uint32_t len = cursor_be32(c);
		const uint8_t *bytes = cursor_bytes(c, len);
		/* It checks the library's version, the CPU and a sum of its own. */
		if (bytes == NULL ||
		    (len != 0 && hs_deserialize_database((const char *)bytes, len, &db[i]) !=
					 HS_SUCCESS))
			return false;
	}
	return true;
}

static bool content_refusals(struct matcher *m, struct cursor *c)
{
	uint32_t n = cursor_be32(c);
	for (uint32_t i = 0; i < n && cursor_ok(c); i++) {
		uint32_t index = cursor_be32(c), len = cursor_be32(c);
		const uint8_t *reason = cursor_bytes(c, len);
		if (reason == NULL || index >= ruleset_count(m->set) ||
		    refuse(m, ruleset_rule(m->set, index), (const char *)reason, len) != 0)
			return false;
	}
	return cursor_ok(c);
}

/* All parts that are not made yet, or none. */
static bool cache_load(struct matcher *m)
{
	hs_database_t *db[PART_N * KIND_N] = {0};
	uint8_t key[CACHE_KEY_SIZE], *data = NULL;
	size_t len = 0, before = m->n_refused;
	bool ok = cache_key(m, key) && cache_read(m->cache_dir, key, &data, &len) == 0;
	struct cursor c = cursor_of(data, len);

	ok = ok && content_databases(&c, db) && content_refusals(m, &c);
	for (unsigned p = 0; p < PART_N; p++) {
		struct part *part = &m->part[p];
		for (unsigned k = 0; k < KIND_N; k++) {
			if (ok && !part->ready)
				part->db[k] = db[p * KIND_N + k];
			else
				hs_free_database(db[p * KIND_N + k]);
		}
		part->ready |= ok;
	}
	while (!ok && m->n_refused > before)
		free(m->refused[--m->n_refused].reason);
	free(data);
	return ok;
}

/* Bytes that a match of a rule bound to the beginning can reach; one more, for a \b looks ahead. */
static uint32_t width_of(const struct rule *r)
{
	hs_expr_info_t *info = NULL;
	hs_compile_error_t *wrong = NULL;
	unsigned flags = (r->nocase ? HS_FLAG_CASELESS : 0) | HS_FLAG_DOTALL;
	uint32_t width = MATCHER_STREAM_LIMIT;
	if (r->how != RULE_REGEXP)
		return r->len < width ? r->len : width;
	if (hs_expression_info((const char *)r->pattern, flags, &info, &wrong) == HS_SUCCESS &&
	    info->max_width < width)
		width = info->max_width + 1;
	free(info);
	hs_free_compile_error(wrong);
	return width;
}

static void widths_find(struct matcher *m)
{
	for (size_t i = 0; i < ruleset_count(m->set) && !m->widths_known; i++) {
		const struct rule *r = ruleset_rule(m->set, i);
		struct reach *reach = &m->reach[r->where];
		if ((r->where != RULE_STREAM_C2S && r->where != RULE_STREAM_S2C) ||
		    !opening_of(r).bound)
			continue;
		uint32_t width = width_of(r);
		reach->bound = width > reach->bound ? width : reach->bound;
	}
	m->widths_known = true;
}

static void make(struct matcher *m, enum part_name part)
{
	widths_find(m);
	if (m->cache_dir != NULL && !m->cache_asked) {
		m->cache_asked = true;
		if (cache_load(m)) {
			m->origin = "cache";
			return;
		}
	}
	compile_part(m, part);
	if (part != PART_PAGE)
		return;
	/* The dear one is made: the others add little, and then all can be kept. */
	bool whole = true;
	for (unsigned p = 0; p < PART_N; p++) {
		compile_part(m, (enum part_name)p);
		whole = whole && m->part[p].err == 0;
	}
	m->origin = "compiled";
	if (m->cache_dir != NULL && whole)
		cache_save(m);
}

int matcher_need(struct matcher *m, enum part_name part)
{
	/* A thread asks once for each part and then knows: no shorter way past the lock is needed. */
	pthread_mutex_lock(&m->lock);
	struct part *p = &m->part[part];
	if (!p->ready)
		make(m, part);
	int err = p->err;
	pthread_mutex_unlock(&m->lock);
	return err;
}
