/* SPDX-License-Identifier: BSD-3-Clause */

/* A capture of either format: opening by its first bytes, ending, and what is noted on the way. */

#include "dataplane/capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_LEN 12 /* what tells pcapng; pcap needs four */

int capture_common_init(struct capture_common *common, unsigned n_files)
{
	*common = (struct capture_common){0};
	common->damage = calloc(n_files != 0 ? n_files : 1, sizeof(*common->damage));
	return common->damage != NULL ? 0 : -ENOMEM;
}

void capture_common_free(struct capture_common *common)
{
	block_pool_free(&common->pool);
	free(common->ifaces);
	free(common->damage);
	free(common->kept);
	free(common->text);
	*common = (struct capture_common){0};
}

void capture_common_damage(struct capture_common *common, const struct source_damage *d)
{
	common->damage[common->n_damage++] = *d;
}

void capture_damaged(struct capture *c, uint64_t offset, const char *fmt, ...)
{
	/* Reading stops at the first: one for each file. */
	if (c->ended != 0)
		return;
	struct source_damage d = {.file = c->file, .offset = offset};
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(d.reason, sizeof(d.reason), fmt, ap);
	va_end(ap);
	capture_common_damage(c->common, &d);
	c->ended = SOURCE_EOF;
}

int capture_want(struct capture *c, size_t n)
{
	struct stream *s = &c->stream;
	int ret = stream_want(s, n);
	if (ret == 0 || ret == -EINTR)
		return ret;
	if (ret < 0) {
		capture_damaged(c, s->base + s->end, "%s", strerror(-ret));
		c->ended = ret;
	} else if (s->broken != NULL) {
		capture_damaged(c, s->base + s->end, "%s: %s", s->packing, s->broken);
	} else if (stream_left(s) != 0) {
		capture_damaged(c, stream_offset(s), "cut short: %zu of %zu bytes are there",
				stream_left(s), n);
	}
	if (c->ended == 0)
		c->ended = SOURCE_EOF;
	return c->ended;
}

int capture_add_iface(struct capture *c, uint32_t iface, uint32_t linktype, uint32_t snaplen,
		      unsigned *slot)
{
	struct capture_common *common = c->common;
	if (common->n_ifaces == common->room_ifaces) {
		unsigned room = common->room_ifaces != 0 ? 2 * common->room_ifaces : 4;
		struct source_iface *more = realloc(common->ifaces, room * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		common->ifaces = more;
		common->room_ifaces = room;
	}
	*slot = common->n_ifaces++;
	common->ifaces[*slot] = (struct source_iface){
		.file = c->file,
		.iface = iface,
		.linktype = linktype,
		.snaplen = snaplen,
		.dropped = UINT64_MAX,
	};
	return 0;
}

/* All are counted; what is kept is bounded, since anyone can write a capture full of comments. */
void capture_add_comment(struct capture *c, const uint8_t *text, size_t len)
{
	struct capture_common *common = c->common;
	common->comments++;
	if (common->n_kept == COMMENTS_MAX || len >= COMMENT_TEXT_MAX - common->text_len)
		return;
	if (common->text == NULL)
		common->text = malloc(COMMENT_TEXT_MAX);
	if (common->kept == NULL)
		common->kept = calloc(COMMENTS_MAX, sizeof(*common->kept));
	if (common->text == NULL || common->kept == NULL)
		return;
	char *at = common->text + common->text_len;
	memcpy(at, text, len);
	at[len] = 0;
	common->text_len += len + 1;
	common->kept[common->n_kept++] = (struct source_comment){
		.file = c->file,
		.frame = c->frame,
		.text = at,
	};
}

static void not_a_capture(const struct stream *s, struct source_damage *why)
{
	const uint8_t *p = s->blk->data + s->pos;
	size_t left = stream_left(s);
	const char *inner = unpack_detect(p, left);
	char bytes[3 * 8 + 1] = "";
	if (s->broken != NULL && left < MAGIC_LEN) {
		why->offset = s->base + s->end;
		snprintf(why->reason, sizeof(why->reason), "%s: %s", s->packing, s->broken);
	} else if (inner != NULL) {
		/* A bomb is smaller the more often it is packed. */
		snprintf(why->reason, sizeof(why->reason), "%s inside %s: unpack it once first",
			 inner, s->packing);
	} else if (left == 0) {
		snprintf(why->reason, sizeof(why->reason),
			 "not a pcap or pcapng capture (it is empty)");
	} else {
		for (size_t i = 0; i < left && i < 8; i++)
			snprintf(bytes + 3 * i, 4, " %02x", p[i]);
		snprintf(why->reason, sizeof(why->reason),
			 "not a pcap or pcapng capture (first bytes%s)", bytes);
	}
}

static int capture_start(struct capture *c, struct source_damage *why)
{
	struct stream *s = &c->stream;
	int ret = stream_want(s, MAGIC_LEN);
	if (ret < 0)
		return ret;
	const uint8_t *head = s->blk->data + s->pos;
	if (pcapng_probe(head, stream_left(s)))
		return pcapng_start(c, why);
	if (pcap_probe(head, stream_left(s)))
		return pcap_start(c, why);
	not_a_capture(s, why);
	return -EINVAL;
}

int capture_open(struct capture **out, struct capture_common *common, const char *path,
		 uint32_t file, struct source_damage *why)
{
	*out = NULL;
	*why = (struct source_damage){.file = file};
	struct capture *c = calloc(1, sizeof(*c));
	if (c == NULL) {
		snprintf(why->reason, sizeof(why->reason), "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	c->common = common;
	c->file = file;
	int ret = stream_open(&c->stream, &common->pool, path, &common->raw_bytes);
	if (ret == 0)
		ret = capture_start(c, why);
	/* The system's own EINVAL, from some special files, is no verdict on the format. */
	if (ret == -EINVAL && why->reason[0] == 0)
		ret = -EIO;
	if (ret == -ENOSYS)
		snprintf(why->reason, sizeof(why->reason),
			 "packed with zstd, which this build cannot read: unpack it first");
	else if (ret != 0 && why->reason[0] == 0)
		snprintf(why->reason, sizeof(why->reason), "%s", strerror(-ret));
	if (ret != 0)
		capture_close(c);
	else
		*out = c;
	return ret == -ENOSYS ? -EINVAL : ret;
}

void capture_close(struct capture *c)
{
	if (c == NULL)
		return;
	if (c->is_ng)
		pcapng_stop(c);
	stream_close(&c->stream);
	free(c);
}

int capture_next(struct capture *c, struct packet pkts[], unsigned max)
{
	if (c->ended != 0 || max == 0)
		return c->ended;
	return c->next(c, pkts, max);
}

void capture_release(const struct packet pkts[], unsigned n)
{
	for (unsigned i = 0; i < n;) {
		uint64_t cookie = pkts[i].cookie;
		unsigned same = 1;
		while (i + same < n && pkts[i + same].cookie == cookie)
			same++;
		block_unref((struct block *)(uintptr_t)cookie, same);
		i += same;
	}
}

void capture_explain(const char *path, int error, const struct source_damage *why, char *err,
		     size_t errlen)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	if (error == -EINVAL)
		snprintf(err, errlen, "%s: offset %llu: %s", name, (unsigned long long)why->offset,
			 why->reason);
	else
		snprintf(err, errlen, "%s: %s", name, why->reason);
}
