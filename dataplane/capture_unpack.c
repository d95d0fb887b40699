/* SPDX-License-Identifier: BSD-3-Clause */

/* gzip (RFC 1952, members one after another) and zstd (RFC 8878, frames likewise) on the fly. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "config.h"
#include "dataplane/capture.h"

#if HAVE_ZSTD
#include <zstd.h>
#endif

#define INPUT_LEN (128u << 10)

/* zstd, RFC 8878 sections 3.1.1 and 3.1.1.2: a frame's magic and descriptor, a block's header. */
#define FRAME_HEAD_LEN 5
#define BLOCK_HEAD_LEN 3

struct unpack {
	z_stream z;
	bool z_ready;
#if HAVE_ZSTD
	ZSTD_DStream *zstd;
	size_t hint; /* input that zstd asks for next */
#endif
	bool between; /* members or frames: the packed stream may end here */
	bool pending; /* the last output filled its room, so there may be more without input */
	size_t pos, len;
	uint8_t in[INPUT_LEN];
};

const char *unpack_detect(const uint8_t *head, size_t len)
{
	if (len >= 2 && head[0] == 0x1f && head[1] == 0x8b)
		return "gzip";
	if (len < 4)
		return NULL;
	uint32_t magic = get32(head, false);
	/* A skippable frame may come first: pzstd begins with one. */
	if (magic == 0xfd2fb528 || (magic & 0xfffffff0) == 0x184d2a50)
		return "zstd";
	return NULL;
}

/* More input if there is none: 1, 0 at the end of the file, -errno. */
static long refill(struct stream *s, struct unpack *u)
{
	if (u->pos < u->len)
		return 1;
	long n = stream_read_raw(s, u->in, sizeof(u->in));
	if (n <= 0)
		return n;
	u->pos = 0;
	u->len = (size_t)n;
	return 1;
}

/* Z_STREAM_END leaves what follows the trailer: another member, or the zeros a tape pads with. */
static bool gzip_next_member(struct unpack *u)
{
	while (u->pos < u->len && u->in[u->pos] == 0)
		u->pos++;
	if (u->pos == u->len)
		return false;
	inflateReset(&u->z);
	u->between = false;
	return true;
}

static long fill_gzip(struct stream *s, uint8_t *dst, size_t room)
{
	struct unpack *u = s->unpack;
	u->z.next_out = dst;
	u->z.avail_out = (uInt)room;
	while (u->z.avail_out == room && s->broken == NULL) {
		if (!u->pending) {
			long n = refill(s, u);
			if (n < 0)
				return n;
			if (n == 0) {
				if (!u->between)
					s->broken = "the gzip stream is cut short";
				return 0;
			}
		}
		if (u->between && !gzip_next_member(u))
			continue;
		u->z.next_in = u->in + u->pos;
		u->z.avail_in = (uInt)(u->len - u->pos);
		int ret = inflate(&u->z, Z_NO_FLUSH);
		u->pos = u->len - u->z.avail_in;
		u->pending = ret == Z_OK && u->z.avail_out == 0;
		if (ret == Z_STREAM_END)
			u->between = true;
		else if (ret == Z_MEM_ERROR)
			return -ENOMEM;
		else if (ret != Z_OK && ret != Z_BUF_ERROR)
			s->broken = u->z.msg != NULL ? u->z.msg : "the gzip stream is damaged";
	}
	return (long)(room - u->z.avail_out);
}

static int start_gzip(struct stream *s)
{
	struct unpack *u = s->unpack;
	/* 16: a gzip wrapper and nothing else. */
	if (inflateInit2(&u->z, 15 + 16) != Z_OK)
		return -ENOMEM;
	u->z_ready = true;
	s->fill = fill_gzip;
	return 0;
}

#if HAVE_ZSTD
/*
 * An error throws away all that the same call decoded, and what precedes damage is to be read. So a
 * call gets one block at most: what zstd asks for, without the next block's header that is in it.
 */
static long fill_zstd(struct stream *s, uint8_t *dst, size_t room)
{
	struct unpack *u = s->unpack;
	ZSTD_outBuffer out = {.dst = dst, .size = room};
	while (out.pos == 0 && s->broken == NULL) {
		if (!u->pending) {
			long n = refill(s, u);
			if (n < 0)
				return n;
			if (n == 0) {
				if (!u->between)
					s->broken = "the zstd stream is cut short";
				return 0;
			}
		}
		size_t want = u->hint > BLOCK_HEAD_LEN ? u->hint - BLOCK_HEAD_LEN : u->hint;
		if (want > u->len - u->pos)
			want = u->len - u->pos;
		if (u->pending)
			want = 0;
		ZSTD_inBuffer in = {.src = u->in, .size = u->pos + want, .pos = u->pos};
		size_t ret = ZSTD_decompressStream(u->zstd, &out, &in);
		u->pos = in.pos;
		if (ZSTD_isError(ret)) {
			s->broken = ZSTD_getErrorName(ret);
			break;
		}
		u->between = ret == 0;
		u->hint = ret != 0 ? ret : FRAME_HEAD_LEN;
		u->pending = ret != 0 && out.pos == out.size;
	}
	return (long)out.pos;
}

static int start_zstd(struct stream *s)
{
	s->unpack->zstd = ZSTD_createDStream();
	if (s->unpack->zstd == NULL)
		return -ENOMEM;
	s->unpack->hint = FRAME_HEAD_LEN;
	s->fill = fill_zstd;
	return 0;
}
#else
static int start_zstd(struct stream *s)
{
	(void)s;
	return -ENOSYS;
}
#endif

int unpack_start(struct stream *s, const char *packing, const uint8_t *head, size_t len)
{
	struct unpack *u = malloc(sizeof(*u));
	if (u == NULL)
		return -ENOMEM;
	memset(u, 0, offsetof(struct unpack, in));
	memcpy(u->in, head, len);
	u->len = len;
	s->unpack = u;
	return packing[0] == 'g' ? start_gzip(s) : start_zstd(s);
}

void unpack_free(struct unpack *u)
{
	if (u == NULL)
		return;
	if (u->z_ready)
		inflateEnd(&u->z);
#if HAVE_ZSTD
	ZSTD_freeDStream(u->zstd);
#endif
	free(u);
}
