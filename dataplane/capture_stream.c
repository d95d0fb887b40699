/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Bytes of a capture in windows. No mmap: a file that shrinks under it would be a SIGBUS, and
 * read() into a warm block is faster than page faults. A block lives until its last packet is
 * released.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/capture.h"

#define HEAD_LEN 4096 /* first read: enough to know the format and, mostly, the first packet */

static size_t pool_block_size(const struct block_pool *pool)
{
	return pool->block_size != 0 ? pool->block_size : BLOCK_SIZE;
}

struct block *block_get(struct block_pool *pool, size_t cap)
{
	size_t usual = pool_block_size(pool);
	struct block *b = pool->free;
	if (cap <= usual && b != NULL) {
		pool->free = b->next_free;
		pool->n_free--;
	} else {
		if (cap < usual)
			cap = usual;
		b = malloc(sizeof(*b) + cap);
		if (b == NULL)
			return NULL;
		*b = (struct block){.pool = pool, .next = pool->all, .cap = cap};
		if (pool->all != NULL)
			pool->all->prev = b;
		pool->all = b;
	}
	b->next_free = NULL;
	b->refs = 1;
	return b;
}

static void block_discard(struct block *b)
{
	if (b->prev != NULL)
		b->prev->next = b->next;
	else
		b->pool->all = b->next;
	if (b->next != NULL)
		b->next->prev = b->prev;
	free(b);
}

void block_unref(struct block *b, uint32_t n)
{
	b->refs -= n;
	if (b->refs != 0)
		return;
	struct block_pool *pool = b->pool;
	if (b->cap != pool_block_size(pool) || pool->n_free == BLOCK_FREE_MAX) {
		block_discard(b);
		return;
	}
	b->next_free = pool->free;
	pool->free = b;
	pool->n_free++;
}

void block_pool_free(struct block_pool *pool)
{
	while (pool->all != NULL)
		block_discard(pool->all);
	pool->free = NULL;
	pool->n_free = 0;
}

long stream_read_raw(struct stream *s, void *buf, size_t room)
{
	if (s->fd < 0)
		return 0;
	ssize_t n;
	while ((n = read(s->fd, buf, room)) < 0 && errno == EAGAIN) {
		/* Somebody else's O_NONBLOCK on a shared stdin. */
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		if (poll(&p, 1, -1) < 0)
			return -errno;
	}
	if (n < 0)
		return -errno;
	*s->raw_bytes += (uint64_t)n;
	if (n == 0) {
		/* Of a thousand rotated files few are open at once. */
		if (!s->is_stdin)
			close(s->fd);
		s->fd = -1;
	}
	return n;
}

static long fill_plain(struct stream *s, uint8_t *dst, size_t room)
{
	return stream_read_raw(s, dst, room);
}

/* Room for n bytes from pos and a read worth its call: in place, at the start, or elsewhere. */
static int stream_roll(struct stream *s, size_t n)
{
	struct block *b = s->blk;
	size_t usual = pool_block_size(s->pool), left = stream_left(s);
	/* At the start already there is no more room to be had, however little a pipe gives a time. */
	if (b->cap - s->pos >= n && (s->pos == 0 || b->cap - s->end > usual / 16))
		return 0;
	if (b->refs == 1 && b->cap >= n && (b->cap == usual || n > usual)) {
		memmove(b->data, b->data + s->pos, left);
	} else {
		struct block *fresh = block_get(s->pool, n);
		if (fresh == NULL)
			return -ENOMEM;
		memcpy(fresh->data, b->data + s->pos, left);
		s->blk = fresh;
		block_unref(b, 1);
	}
	s->base += s->pos;
	s->pos = 0;
	s->end = left;
	return 0;
}

int stream_want(struct stream *s, size_t n)
{
	while (stream_left(s) < n) {
		if (s->eof)
			return STREAM_END;
		int ret = stream_roll(s, n);
		if (ret != 0)
			return ret;
		long got = s->fill(s, s->blk->data + s->end, s->blk->cap - s->end);
		if (got < 0)
			return (int)got;
		s->eof = got == 0;
		s->end += (size_t)got;
	}
	return 0;
}

static int stream_detect(struct stream *s)
{
	uint8_t head[HEAD_LEN];
	size_t len = 0;
	/* A pipe may give a byte at a time; four tell every packing apart. */
	while (len < 4) {
		long got = stream_read_raw(s, head + len, sizeof(head) - len);
		if (got < 0)
			return (int)got;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	s->packing = unpack_detect(head, len);
	if (s->packing != NULL) {
		s->blk = block_get(s->pool, 0);
		return s->blk != NULL ? unpack_start(s, s->packing, head, len) : -ENOMEM;
	}
	s->blk = block_get(s->pool, len);
	if (s->blk == NULL)
		return -ENOMEM;
	s->fill = fill_plain;
	memcpy(s->blk->data, head, len);
	s->end = len;
	return 0;
}

int stream_open(struct stream *s, struct block_pool *pool, const char *path, uint64_t *raw_bytes)
{
	*s = (struct stream){.pool = pool, .raw_bytes = raw_bytes, .fd = -1};
	s->is_stdin = strcmp(path, "-") == 0;
	s->fd = s->is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (s->fd < 0)
		return -errno;
	(void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	int ret = stream_detect(s);
	if (ret != 0)
		stream_close(s);
	return ret;
}

void stream_close(struct stream *s)
{
	if (s->pool == NULL)
		return;
	if (s->blk != NULL)
		block_unref(s->blk, 1);
	if (s->fd >= 0 && !s->is_stdin)
		close(s->fd);
	unpack_free(s->unpack);
	*s = (struct stream){.fd = -1};
}
