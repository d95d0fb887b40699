/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The captures again, as one pcapng: the packets of touched connections, what is said of each as its
 * comment. Captures follow one another; interfaces keep their names, and their descriptions say
 * which file they are of.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "dataplane/log.h"
#include "dataplane/pcapng_write.h"
#include "dataplane/source.h"
#include "tools/annotate.h"
#include "tools/chosen.h"
#include "tools/escape.h"
#include "tools/privacy/scrub.h"
#include "tools/report.h"

#define BATCH 64

struct copy {
	const struct analysis *a;
	const struct report_options *o;
	struct annotations *notes;
	struct pcapng_writer *out;
	uint64_t written; /* packets */
	uint8_t *frame;   /* room for one without addresses of clients */
	size_t room;
	/* of the capture at hand */
	unsigned capture;
	struct chosen *chosen; /* NULL: all packets */
	struct {
		uint32_t file, iface, linktype;
		uint32_t number; /* in the copy */
	} *ifaces;
	unsigned n_ifaces, room_ifaces;
};

/* Interfaces of pcapng may come late in a file, so each is announced before its first packet. */
static int interface_of(struct copy *c, struct source *src, const struct packet *pkt,
			uint32_t *number)
{
	const struct capture_result *from = &c->a->captures[c->capture];
	char name[160] = "", file[4096], description[4200];
	struct source_stats stats;

	for (unsigned i = 0; i < c->n_ifaces; i++) {
		*number = c->ifaces[i].number;
		if (c->ifaces[i].file == pkt->file && c->ifaces[i].iface == pkt->iface &&
		    c->ifaces[i].linktype == pkt->linktype)
			return 0;
	}
	if (c->n_ifaces == c->room_ifaces) {
		unsigned room = c->room_ifaces * 2 + 8;
		void *ifaces = realloc(c->ifaces, room * sizeof(*c->ifaces));
		if (ifaces == NULL)
			return -ENOMEM;
		c->ifaces = ifaces;
		c->room_ifaces = room;
	}
	source_stats(src, &stats);
	struct pcapng_interface made = {.linktype = pkt->linktype};
	for (unsigned i = 0; i < stats.n_ifaces; i++) {
		const struct source_iface *f = &stats.ifaces[i];
		if (f->file != pkt->file || f->iface != pkt->iface)
			continue;
		made.snaplen = f->snaplen;
		escape_bytes(name, sizeof(name), f->name, strnlen(f->name, sizeof(f->name)), 0);
	}
	if (pkt->file < from->n_files) {
		escape_string(file, sizeof(file), from->files[pkt->file], 0);
		snprintf(description, sizeof(description), "interface %" PRIu32 " of %s",
			 pkt->iface, file);
		made.description = description;
	}
	made.name = name[0] != '\0' ? name : NULL;
	int n = pcapng_write_interface(c->out, &made);
	if (n < 0)
		return n;
	c->ifaces[c->n_ifaces].file = pkt->file;
	c->ifaces[c->n_ifaces].iface = pkt->iface;
	c->ifaces[c->n_ifaces].linktype = pkt->linktype;
	c->ifaces[c->n_ifaces++].number = *number = (uint32_t)n;
	return 0;
}

/* What is shared of a packet; *shown points into it, or into the copy's frame. */
static int scrub_frame(struct copy *c, const struct packet *pkt, struct packet *shown)
{
	*shown = *pkt;
	if (c->o->scrub == NULL)
		return 0;
	if (pkt->caplen > c->room) {
		uint8_t *more = realloc(c->frame, pkt->caplen);
		if (more == NULL)
			return -ENOMEM;
		c->frame = more;
		c->room = pkt->caplen;
	}
	shown->data = c->frame;
	shown->caplen = scrub_packet(c->o->scrub, pkt, c->frame);
	return 0;
}

static int copy_packet(struct copy *c, struct source *src, const struct packet *pkt)
{
	struct annotation said;
	struct packet shown;
	uint32_t iface;

	if (c->chosen != NULL && !chosen_has(c->chosen, pkt->file, pkt->frame))
		return 0;
	int err = interface_of(c, src, pkt, &iface);
	if (err == 0)
		err = annotations_of(c->notes, c->capture, pkt, c->written + 1, &said);
	if (err == 0)
		err = scrub_frame(c, pkt, &shown);
	if (err != 0)
		return err;
	const struct pcapng_extra extra = {.comments = said.comments, .n_comments = said.n};
	c->written++;
	return pcapng_write_packet(c->out, iface, &shown, &extra);
}

static int copy_packets(struct copy *c)
{
	const struct capture_result *from = &c->a->captures[c->capture];
	const struct source_config cfg = {.files = from->paths != NULL ? from->paths : from->files,
					  .n_files = from->n_files,
					  .rotated = from->n_files > 1, .bpf = c->o->filter};
	struct packet pkts[BATCH];
	uint64_t left = from->stats.interrupted ? from->stats.source.received : UINT64_MAX;
	struct source *src;
	char why[320];
	int n, err = source_open(&src, NULL, &cfg, why, sizeof(why));

	if (err != 0) {
		log_error(NULL, "%s", why);
		return err;
	}
	/* What could not be read on was told when it was analysed. */
	while (err == 0 && left != 0 && (n = source_recv(src, 0, pkts, BATCH)) >= 0) {
		for (int i = 0; i < n && err == 0 && left != 0; i++, left--)
			err = copy_packet(c, src, &pkts[i]);
		source_release(src, 0, pkts, (unsigned)n);
	}
	source_close(src);
	return err;
}

static int add_frame(void *chosen, uint32_t file, uint64_t frame)
{
	return chosen_add(chosen, file, frame);
}

/* What came from a pipe or an interface is gone. */
static bool is_there(const struct capture_result *c)
{
	struct stat st;

	const char *const *paths = c->paths != NULL ? c->paths : c->files;
	for (unsigned i = 0; i < c->n_files; i++)
		if (strcmp(paths[i], "-") == 0 || stat(paths[i], &st) != 0 ||
		    !S_ISREG(st.st_mode))
			return false;
	return true;
}

static int copy_capture(struct copy *c, unsigned capture)
{
	int err = 0;

	c->capture = capture;
	c->n_ifaces = 0;
	if (!is_there(&c->a->captures[capture])) {
		log_warn(NULL, "%s: cannot be read again: none of its packets are in the annotated "
			       "capture", c->a->captures[capture].files[0]);
		return 0;
	}
	if (!c->o->all_packets) {
		err = chosen_new(&c->chosen, c->a, c->o, capture);
		if (err == 0)
			err = annotations_each(c->notes, capture, add_frame, c->chosen);
	}
	if (err == 0 && (c->chosen == NULL || chosen_flows(c->chosen) != 0))
		err = copy_packets(c);
	chosen_free(c->chosen);
	c->chosen = NULL;
	return err;
}

static int open_section(struct copy *c, int fd)
{
	const struct pcapng_section section = {
		.application = "wmscope " WMSCOPE_VERSION,
		.comment = c->o->all_packets
				   ? "Every packet that was read. Comments say what findings "
				     "say of a packet; those of injected ones begin with INJECTED."
				   : "Packets of the connections that findings are about. Comments "
				     "say what findings say of a packet; those of injected ones "
				     "begin with INJECTED."};

	return pcapng_writer_new(&c->out, fd, &section);
}

static int pcapng_write(const struct analysis *a, const struct report_options *o, const char *path)
{
	struct copy c = {.a = a, .o = o};
	/* Packets say what the model does not any more. */
	if (!o->real_clients && o->scrub == NULL)
		return -ENOTSUP;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int err = fd >= 0 ? 0 : -errno;

	if (err == 0)
		err = annotations_new(&c.notes, a, o);
	if (err == 0)
		err = open_section(&c, fd);
	for (unsigned i = 0; i < a->n_captures && err == 0; i++)
		err = copy_capture(&c, i);
	int end = pcapng_writer_free(c.out);
	err = err != 0 ? err : end;
	if (fd >= 0 && close(fd) != 0 && err == 0)
		err = -errno;
	annotations_free(c.notes);
	free(c.ifaces);
	free(c.frame);
	return err;
}

extern const struct report report_pcapng;
const struct report report_pcapng = {
	.name = "pcapng",
	.doc = "the packets of touched connections, with comments for Wireshark",
	.write_path = pcapng_write,
};
