/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/pcapng_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER       (256u << 10)
#define OPTION_MAX   65535u
#define BYTE_ORDER_MAGIC 0x1A2B3C4Du /* draft-ietf-opsawg-pcapng, section 4.1 */

enum block { BLOCK_IDB = 1, BLOCK_ISB = 5, BLOCK_EPB = 6, BLOCK_SHB = 0x0A0D0D0A };

enum option {
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_HARDWARE = 2,
	SHB_OS = 3,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_TSRESOL = 9,
	IF_FILTER = 11,
	IF_OS = 12,
	EPB_FLAGS = 2,
	EPB_DROPCOUNT = 4,
	ISB_STARTTIME = 2,
	ISB_ENDTIME = 3,
	ISB_IFRECV = 4,
	ISB_IFDROP = 5,
};

struct pcapng_writer {
	int fd;
	int error;         /* the first */
	uint32_t n_ifaces;
	uint64_t written;  /* bytes in the file */
	uint8_t *buf;      /* whole blocks, and the one being made */
	size_t cap, len;
	size_t block;      /* where the one being made begins */
};

static uint8_t *room(struct pcapng_writer *w, size_t n)
{
	if (w->error != 0)
		return NULL;
	if (n > w->cap - w->len) {
		size_t cap = w->cap;
		while (n > cap - w->len)
			cap *= 2;
		uint8_t *buf = realloc(w->buf, cap);
		if (buf == NULL) {
			w->error = -ENOMEM;
			return NULL;
		}
		w->buf = buf;
		w->cap = cap;
	}
	uint8_t *at = w->buf + w->len;
	w->len += n;
	return at;
}

static void put(struct pcapng_writer *w, const void *bytes, size_t n)
{
	uint8_t *at = room(w, n);

	if (at != NULL && n > 0)
		memcpy(at, bytes, n);
}

static void put16(struct pcapng_writer *w, uint16_t v)
{
	put(w, &v, sizeof(v));
}

static void put32(struct pcapng_writer *w, uint32_t v)
{
	put(w, &v, sizeof(v));
}

/* pcapng keeps the high half of a time first, whatever the byte order. */
static void put_time(struct pcapng_writer *w, uint64_t ns)
{
	put32(w, (uint32_t)(ns >> 32));
	put32(w, (uint32_t)ns);
}

static void pad(struct pcapng_writer *w, size_t n)
{
	static const uint8_t zeros[4];

	put(w, zeros, -n & 3);
}

static void option(struct pcapng_writer *w, enum option code, const void *value, size_t len)
{
	put16(w, (uint16_t)code);
	put16(w, (uint16_t)len);
	put(w, value, len);
	pad(w, len);
}

static void option_text(struct pcapng_writer *w, enum option code, const char *text)
{
	if (text == NULL)
		return;
	size_t len = strlen(text);
	/* Never in the middle of a character. */
	if (len > OPTION_MAX) {
		len = OPTION_MAX;
		while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
			len--;
	}
	option(w, code, text, len);
}

static void option_time(struct pcapng_writer *w, enum option code, uint64_t ns)
{
	uint32_t halves[2] = {(uint32_t)(ns >> 32), (uint32_t)ns};

	option(w, code, halves, sizeof(halves));
}

static void option_count(struct pcapng_writer *w, enum option code, uint64_t n)
{
	if (n != UINT64_MAX)
		option(w, code, &n, sizeof(n));
}

/* How much of the buffer, of which n bytes reached the file, is whole blocks. */
static size_t whole(const struct pcapng_writer *w, size_t n)
{
	size_t at = 0;
	uint32_t len;

	for (;;) {
		if (n - at < 8)
			return at;
		memcpy(&len, w->buf + at + 4, sizeof(len));
		if (len > n - at)
			return at;
		at += len;
	}
}

int pcapng_writer_flush(struct pcapng_writer *w)
{
	size_t done = 0;

	while (done < w->block && w->error == 0) {
		ssize_t n = write(w->fd, w->buf + done, w->block - done);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR)
			w->error = -errno;
		else if (n == 0)
			w->error = -ENOSPC;
	}
	if (w->error != 0 && done > 0) {
		done = whole(w, done);
		/* A pipe cannot be cut; whoever reads it sees an end inside a block. */
		off_t end = lseek(w->fd, 0, SEEK_CUR);
		if (end >= 0 && ftruncate(w->fd, (off_t)(w->written + done)) == 0)
			(void)lseek(w->fd, (off_t)(w->written + done), SEEK_SET);
	}
	w->written += done;
	if (w->error == 0) {
		memmove(w->buf, w->buf + done, w->len - done);
		w->len -= done;
		w->block -= done;
	}
	return w->error;
}

static void begin(struct pcapng_writer *w, enum block type)
{
	w->block = w->len;
	put32(w, (uint32_t)type);
	put32(w, 0);
}

static int end(struct pcapng_writer *w)
{
	uint32_t len = (uint32_t)(w->len - w->block) + 4;

	put32(w, len);
	if (w->error != 0) {
		w->len = w->block;
		return w->error;
	}
	memcpy(w->buf + w->block + 4, &len, sizeof(len));
	w->block = w->len;
	return w->len >= BUFFER ? pcapng_writer_flush(w) : 0;
}

int pcapng_writer_new(struct pcapng_writer **out, int fd, const struct pcapng_section *s)
{
	struct pcapng_writer *w = calloc(1, sizeof(*w));
	static const uint64_t unknown = UINT64_MAX;

	*out = NULL;
	if (w == NULL)
		return -ENOMEM;
	w->fd = fd;
	w->cap = BUFFER * 2;
	w->buf = malloc(w->cap);
	if (w->buf == NULL) {
		free(w);
		return -ENOMEM;
	}
	/* Where the file is cut back to, should its first block not fit. */
	off_t at = lseek(fd, 0, SEEK_CUR);
	w->written = at > 0 ? (uint64_t)at : 0;
	begin(w, BLOCK_SHB);
	put32(w, BYTE_ORDER_MAGIC);
	put16(w, 1);
	put16(w, 0);
	put(w, &unknown, sizeof(unknown));
	option_text(w, OPT_COMMENT, s->comment);
	option_text(w, SHB_HARDWARE, s->hardware);
	option_text(w, SHB_OS, s->os);
	option_text(w, SHB_USERAPPL, s->application);
	option(w, OPT_END, NULL, 0);
	int err = end(w);
	if (err != 0)
		pcapng_writer_free(w);
	else
		*out = w;
	return err;
}

int pcapng_write_interface(struct pcapng_writer *w, const struct pcapng_interface *i)
{
	static const uint8_t nanoseconds = 9;

	if (i->linktype > UINT16_MAX)
		return -EINVAL;
	begin(w, BLOCK_IDB);
	put16(w, (uint16_t)i->linktype);
	put16(w, 0);
	put32(w, i->snaplen);
	option_text(w, OPT_COMMENT, i->comment);
	option_text(w, IF_NAME, i->name);
	option_text(w, IF_DESCRIPTION, i->description);
	option(w, IF_TSRESOL, &nanoseconds, 1);
	if (i->filter != NULL) {
		/* One byte says how it is written: 0, as text. */
		size_t len = strnlen(i->filter, OPTION_MAX - 1);
		put16(w, IF_FILTER);
		put16(w, (uint16_t)(len + 1));
		put(w, "", 1);
		put(w, i->filter, len);
		pad(w, len + 1);
	}
	option_text(w, IF_OS, i->os);
	option(w, OPT_END, NULL, 0);
	int err = end(w);
	return err != 0 ? err : (int)w->n_ifaces++;
}

int pcapng_write_packet(struct pcapng_writer *w, uint32_t iface, const struct packet *pkt,
			const struct pcapng_extra *x)
{
	if (iface >= w->n_ifaces)
		return w->error != 0 ? w->error : -EINVAL;
	begin(w, BLOCK_EPB);
	put32(w, iface);
	put_time(w, pkt->ts_ns);
	put32(w, pkt->caplen);
	put32(w, pkt->wirelen);
	put(w, pkt->data, pkt->caplen);
	pad(w, pkt->caplen);
	if (x != NULL) {
		for (unsigned i = 0; i < x->n_comments; i++)
			option_text(w, OPT_COMMENT, x->comments[i]);
		uint32_t flags = (uint32_t)x->direction;
		if (flags != 0)
			option(w, EPB_FLAGS, &flags, sizeof(flags));
		if (x->dropped != 0)
			option_count(w, EPB_DROPCOUNT, x->dropped);
		if (x->n_comments != 0 || flags != 0 || x->dropped != 0)
			option(w, OPT_END, NULL, 0);
	}
	return end(w);
}

int pcapng_write_statistics(struct pcapng_writer *w, uint32_t iface,
			    const struct pcapng_statistics *s)
{
	if (iface >= w->n_ifaces)
		return w->error != 0 ? w->error : -EINVAL;
	begin(w, BLOCK_ISB);
	put32(w, iface);
	put_time(w, s->end_ns);
	option_text(w, OPT_COMMENT, s->comment);
	option_time(w, ISB_STARTTIME, s->start_ns);
	option_time(w, ISB_ENDTIME, s->end_ns);
	option_count(w, ISB_IFRECV, s->received);
	option_count(w, ISB_IFDROP, s->dropped);
	option(w, OPT_END, NULL, 0);
	return end(w);
}

uint64_t pcapng_writer_bytes(const struct pcapng_writer *w)
{
	return w->written + w->block;
}

int pcapng_writer_free(struct pcapng_writer *w)
{
	if (w == NULL)
		return 0;
	int err = pcapng_writer_flush(w);
	free(w->buf);
	free(w);
	return err;
}
