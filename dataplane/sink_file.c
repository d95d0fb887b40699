/* SPDX-License-Identifier: BSD-3-Clause */

/* A capture file as a packet sink: nanosecond pcap where the name ends so, else pcapng. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/pcapng_write.h"
#include "dataplane/sink.h"

#define FRAMES    64u
#define FRAME_MAX 262144u /* libpcap's MAXIMUM_SNAPLEN */
#define PCAP_NS   0xa1b23c4du /* draft-ietf-opsawg-pcap, section 4 */

struct file_sink {
	int fd;
	FILE *pcap;             /* this */
	struct pcapng_writer *pcapng; /* or this */
	uint8_t *room;          /* FRAMES of frame_max */
	uint32_t frame_max;
	uint64_t frames, bytes;
};

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

static void put32(FILE *out, uint32_t v)
{
	fwrite(&v, sizeof(v), 1, out);
}

static int start_pcap(struct file_sink *s)
{
	const uint16_t version[2] = {2, 4};

	s->pcap = fdopen(s->fd, "wb");
	if (s->pcap == NULL)
		return -errno;
	put32(s->pcap, PCAP_NS);
	fwrite(version, sizeof(version), 1, s->pcap);
	put32(s->pcap, 0);
	put32(s->pcap, 0);
	put32(s->pcap, s->frame_max);
	put32(s->pcap, LINKTYPE_ETHERNET);
	return 0;
}

static int start_pcapng(struct file_sink *s, const char *iface)
{
	const struct pcapng_section section = {.application = "wmscope"};
	const struct pcapng_interface i = {
		.linktype = LINKTYPE_ETHERNET, .snaplen = s->frame_max, .name = iface};
	int err = pcapng_writer_new(&s->pcapng, s->fd, &section);

	if (err == 0)
		err = pcapng_write_interface(s->pcapng, &i);
	return err < 0 ? err : 0;
}

static void file_close(void *state)
{
	struct file_sink *s = state;

	if (s->pcapng != NULL)
		pcapng_writer_free(s->pcapng);
	if (s->pcap != NULL)
		fclose(s->pcap);
	else if (s->fd > STDERR_FILENO)
		close(s->fd);
	free(s->room);
	memset(s, 0, sizeof(*s));
}

static int file_open(void *state, const struct sink_config *cfg, char *err, size_t errlen)
{
	struct file_sink *s = state;
	int ret = 0;

	if (cfg->path == NULL) {
		snprintf(err, errlen, "a file to write is wanted");
		return -EINVAL;
	}
	s->frame_max = cfg->frame_max != 0 && cfg->frame_max < FRAME_MAX ? cfg->frame_max
									  : FRAME_MAX;
	bool is_stdout = strcmp(cfg->path, "-") == 0;
	s->fd = is_stdout ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
			  : open(cfg->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (s->fd < 0) {
		ret = -errno;
		goto out;
	}
	s->room = malloc((size_t)FRAMES * s->frame_max);
	if (s->room == NULL)
		ret = -ENOMEM;
	else
		ret = ends_in(cfg->path, ".pcap") ? start_pcap(s) : start_pcapng(s, cfg->iface);
out:
	if (ret != 0) {
		snprintf(err, errlen, "%s: %s", cfg->path, strerror(-ret));
		file_close(s);
	}
	return ret;
}

static unsigned file_queues(const void *state)
{
	(void)state;
	return 1;
}

static int file_alloc(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct file_sink *s = state;

	(void)q;
	n = n < FRAMES ? n : FRAMES;
	for (unsigned i = 0; i < n; i++)
		frames[i] = (struct frame){.data = s->room + (size_t)i * s->frame_max,
					   .room = s->frame_max};
	return (int)n;
}

static int write_pcap(FILE *out, const struct frame *f)
{
	put32(out, (uint32_t)(f->due_ns / 1000000000));
	put32(out, (uint32_t)(f->due_ns % 1000000000));
	put32(out, f->len);
	put32(out, f->len);
	fwrite(f->data, 1, f->len, out);
	return ferror(out) ? (errno != 0 ? -errno : -EIO) : 0;
}

static int file_send(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct file_sink *s = state;
	int sent = 0;

	(void)q;
	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &frames[i];
		if (f->len == 0)
			continue;
		struct packet pkt = {.data = f->data, .caplen = f->len, .wirelen = f->len,
				     .ts_ns = f->due_ns};
		int err = s->pcap != NULL ? write_pcap(s->pcap, f)
					  : pcapng_write_packet(s->pcapng, 0, &pkt, NULL);
		if (err != 0)
			return err;
		f->tx_ns = f->due_ns;
		s->frames++;
		s->bytes += f->len;
		sent++;
	}
	return sent;
}

static int file_flush(void *state)
{
	struct file_sink *s = state;

	if (s->pcap != NULL)
		return fflush(s->pcap) == 0 ? 0 : -errno;
	return pcapng_writer_flush(s->pcapng);
}

static void file_stats(void *state, struct sink_stats *out)
{
	struct file_sink *s = state;

	out->frames = s->frames;
	out->bytes = s->bytes;
	snprintf(out->mode, sizeof(out->mode), "%s", s->pcap != NULL ? "pcap" : "pcapng");
}

const struct sink_ops sink_file = {
	.name = "file",
	.doc = "a pcap or pcapng file, at the times that packets are due",
	.state_size = sizeof(struct file_sink),
	.offline = true,
	.open = file_open,
	.queues = file_queues,
	.alloc = file_alloc,
	.send = file_send,
	.flush = file_flush,
	.stats = file_stats,
	.close = file_close,
};
