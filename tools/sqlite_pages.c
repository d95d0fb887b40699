/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/sqlite_pages.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	/* Of the database's header [1.3]. */
	AT_PAGE_SIZE = 16, AT_RESERVED = 20, AT_CHANGES = 24, AT_N_PAGES = 28, AT_VALID_FOR = 92,
	HEADER_SIZE = 100,
	/* Pages of tables [1.6]: kinds, and their headers. */
	INTERIOR = 0x05, LEAF = 0x0d, INTERIOR_HEADER = 12, LEAF_HEADER = 8,
	/* A cell of a leaf: the most of a record that is not put into further pages, and the least that is
	 * if it does not fit: U - 35 and ((U - 12) * 32 / 255) - 23 [1.6]. */
	LOCAL_MOST = SQLITE_PAGE - 35, LOCAL_LEAST = (SQLITE_PAGE - 12) * 32 / 255 - 23,
	OVERFLOW_ROOM = SQLITE_PAGE - 4,
	/* Pages that one above them can name, whatever their rows' numbers: cells of 4 bytes and a number,
	 * with their places, and the rightmost. */
	KIDS = (SQLITE_PAGE - INTERIOR_HEADER) / (2 + 4 + SQLITE_VARINT_MAX) + 1,
	LEVELS = 5, /* KIDS to this power is more than the 2^32 pages of a database */
	BATCH = 64, /* pages written at a time */
};

/* SQLite locks this byte, and so never uses its page [1.5]. */
#define LOCK_BYTE 0x40000000u

/* Pages of one level that none above names yet. One more than fits, so that two are left to end with. */
struct level {
	unsigned n;
	uint32_t pages[KIDS + 1];
	int64_t last[KIDS + 1]; /* rows below each */
};

struct sqlite_pages {
	int fd, error;
	uint32_t n_pages, unused; /* of the file; the one that is locked */
	uint32_t root;
	int64_t row; /* the last */
	unsigned n_cells, top; /* of the leaf in the making: its cells grow down from its end */
	struct level levels[LEVELS];
	uint8_t leaf[SQLITE_PAGE];
	uint32_t first; /* of the batch */
	unsigned n_batch;
	uint8_t batch[BATCH][SQLITE_PAGE];
};

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint8_t *sqlite_varint(uint8_t *out, uint64_t v)
{
	unsigned n = 1;

	if (v < 0x80) {
		*out = (uint8_t)v;
		return out + 1;
	}
	if (v >> 56 != 0) {
		/* The ninth byte has eight bits. */
		out[8] = (uint8_t)v;
		v >>= 8;
		for (int i = 7; i >= 0; i--, v >>= 7)
			out[i] = (uint8_t)(0x80 | (v & 0x7f));
		return out + 9;
	}
	while (v >> (7 * n) != 0)
		n++;
	for (unsigned i = n; i > 0; i--, v >>= 7)
		out[i - 1] = (uint8_t)((i < n ? 0x80 : 0) | (v & 0x7f));
	return out + n;
}

static void write_at(struct sqlite_pages *p, const void *data, size_t len, off_t at)
{
	const uint8_t *from = data;

	while (len != 0 && p->error == 0) {
		ssize_t n = pwrite(p->fd, from, len, at);
		if (n < 0 && errno != EINTR)
			p->error = -errno;
		if (n > 0) {
			from += n;
			at += n;
			len -= (size_t)n;
		}
	}
}

static off_t place_of(uint32_t page)
{
	return (off_t)(page - 1) * SQLITE_PAGE;
}

static void write_batch(struct sqlite_pages *p)
{
	write_at(p, p->batch, p->n_batch * (size_t)SQLITE_PAGE, place_of(p->first));
	p->first += p->n_batch;
	p->n_batch = 0;
}

static uint8_t *new_page(struct sqlite_pages *p)
{
	if (p->n_batch == BATCH)
		write_batch(p);
	if (p->n_pages == UINT32_MAX - 1 && p->error == 0)
		p->error = -EFBIG;
	p->n_pages += p->error == 0;
	return memset(p->batch[p->n_batch++], 0, SQLITE_PAGE);
}

static uint32_t after(const struct sqlite_pages *p, uint32_t page)
{
	return page + 1 == p->unused ? page + 2 : page + 1;
}

/* The next page of the file, zeroed; good until the next one. */
static uint8_t *append(struct sqlite_pages *p)
{
	if (p->n_pages + 1 == p->unused)
		new_page(p);
	return new_page(p);
}

static void add_kid(struct sqlite_pages *p, unsigned level, uint32_t page, int64_t last);

/* The first n of a level's pages, under one: the rightmost by its header, the others by cells [1.6]. */
static void make_interior(const struct level *l, unsigned n, uint8_t *page)
{
	unsigned top = SQLITE_PAGE;

	page[0] = INTERIOR;
	for (unsigned i = 0; i + 1 < n; i++) {
		uint8_t cell[4 + SQLITE_VARINT_MAX];
		put32(cell, l->pages[i]);
		size_t len = (size_t)(sqlite_varint(cell + 4, (uint64_t)l->last[i]) - cell);
		top -= (unsigned)len;
		memcpy(page + top, cell, len);
		put16(page + INTERIOR_HEADER + 2 * i, top);
	}
	put16(page + 3, n - 1);
	put16(page + 5, top);
	put32(page + 8, l->pages[n - 1]);
}

static void close_some(struct sqlite_pages *p, unsigned level, unsigned n)
{
	struct level *l = &p->levels[level];
	int64_t last = l->last[n - 1];

	make_interior(l, n, append(p));
	l->n -= n;
	memmove(l->pages, l->pages + n, l->n * sizeof(l->pages[0]));
	memmove(l->last, l->last + n, l->n * sizeof(l->last[0]));
	add_kid(p, level + 1, p->n_pages, last);
}

static void add_kid(struct sqlite_pages *p, unsigned level, uint32_t page, int64_t last)
{
	assert(level < LEVELS);
	struct level *l = &p->levels[level];

	if (l->n == KIDS + 1)
		close_some(p, level, KIDS);
	l->pages[l->n] = page;
	l->last[l->n++] = last;
}

static void begin_leaf(struct sqlite_pages *p)
{
	memset(p->leaf, 0, sizeof(p->leaf));
	p->n_cells = 0;
	p->top = SQLITE_PAGE;
}

static void finish_leaf(struct sqlite_pages *p)
{
	p->leaf[0] = LEAF;
	put16(p->leaf + 3, p->n_cells);
	put16(p->leaf + 5, p->top);
}

static void close_leaf(struct sqlite_pages *p)
{
	finish_leaf(p);
	memcpy(append(p), p->leaf, SQLITE_PAGE);
	add_kid(p, 0, p->n_pages, p->row);
	begin_leaf(p);
}

/* What does not fit into a leaf, in pages that each name the next [1.7]; returns the first. */
static uint32_t overflow(struct sqlite_pages *p, const uint8_t *rest, size_t len)
{
	uint32_t first = after(p, p->n_pages);

	while (len != 0) {
		size_t n = len < OVERFLOW_ROOM ? len : OVERFLOW_ROOM;
		uint8_t *page = append(p);
		put32(page, n < len ? after(p, p->n_pages) : 0);
		memcpy(page + 4, rest, n);
		rest += n;
		len -= n;
	}
	return first;
}

static size_t local_of(size_t len)
{
	size_t some = len <= LOCAL_MOST ? len : LOCAL_LEAST + (len - LOCAL_LEAST) % OVERFLOW_ROOM;

	return some <= LOCAL_MOST ? some : LOCAL_LEAST;
}

int sqlite_pages_add(struct sqlite_pages *p, int64_t row, const void *record, size_t len)
{
	size_t local = local_of(len);
	uint8_t head[2 * SQLITE_VARINT_MAX];

	if (p->error == 0 && (row <= p->row || len > INT32_MAX))
		p->error = row <= p->row ? -EINVAL : -EFBIG;
	if (p->error != 0)
		return p->error;
	size_t n_head = (size_t)(sqlite_varint(sqlite_varint(head, len), (uint64_t)row) - head);
	size_t size = n_head + local + (local < len ? 4 : 0);
	if (LEAF_HEADER + 2 * (p->n_cells + 1u) + size > p->top)
		close_leaf(p);
	p->top -= (unsigned)size;
	uint8_t *cell = p->leaf + p->top;
	memcpy(cell, head, n_head);
	memcpy(cell + n_head, record, local);
	if (local < len)
		put32(cell + n_head + local, overflow(p, (const uint8_t *)record + local, len - local));
	put16(p->leaf + LEAF_HEADER + 2 * p->n_cells, p->top);
	p->n_cells++;
	p->row = row;
	return p->error;
}

void sqlite_pages_begin(struct sqlite_pages *p, uint32_t root)
{
	p->root = root;
	p->row = 0;
	for (unsigned i = 0; i < LEVELS; i++)
		p->levels[i].n = 0;
	begin_leaf(p);
}

int sqlite_pages_end(struct sqlite_pages *p)
{
	uint8_t page[SQLITE_PAGE] = {0};
	unsigned at = 0;

	if (p->levels[0].n == 0) {
		finish_leaf(p);
		write_at(p, p->leaf, sizeof(p->leaf), place_of(p->root));
		return p->error;
	}
	close_leaf(p);
	/* Every page above others has two at least; the last that there is takes the place of the root. */
	for (; p->levels[at].n > KIDS || (at + 1 < LEVELS && p->levels[at + 1].n != 0); at++) {
		if (p->levels[at].n > KIDS)
			close_some(p, at, KIDS - 1);
		close_some(p, at, p->levels[at].n);
	}
	make_interior(&p->levels[at], p->levels[at].n, page);
	write_at(p, page, sizeof(page), place_of(p->root));
	return p->error;
}

/* What its header says of the file that it begins. */
static int read_header(struct sqlite_pages *p)
{
	uint8_t h[HEADER_SIZE];
	ssize_t n = pread(p->fd, h, sizeof(h), 0);

	if (n < 0)
		return -errno;
	if (n != HEADER_SIZE || memcmp(h, "SQLite format 3", 16) != 0 ||
	    (h[AT_PAGE_SIZE] << 8 | h[AT_PAGE_SIZE + 1]) != SQLITE_PAGE || h[AT_RESERVED] != 0)
		return -EPROTO;
	p->n_pages = get32(h + AT_N_PAGES);
	p->first = p->n_pages + 1;
	p->unused = LOCK_BYTE / SQLITE_PAGE + 1;
	/* The number of pages counts only if this is so. */
	return get32(h + AT_CHANGES) == get32(h + AT_VALID_FOR) ? 0 : -EPROTO;
}

int sqlite_pages_open(struct sqlite_pages **out, const char *path)
{
	struct sqlite_pages *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->fd = open(path, O_RDWR | O_CLOEXEC);
	int err = p->fd < 0 ? -errno : read_header(p);
	if (err != 0) {
		if (p->fd >= 0)
			close(p->fd);
		free(p);
		return err;
	}
	*out = p;
	return 0;
}

int sqlite_pages_close(struct sqlite_pages *p)
{
	uint8_t n[4];

	write_batch(p);
	put32(n, p->n_pages);
	write_at(p, n, sizeof(n), AT_N_PAGES);
	int err = p->error;
	if (close(p->fd) != 0 && err == 0)
		err = -errno;
	free(p);
	return err;
}
