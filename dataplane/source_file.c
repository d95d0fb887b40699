/* SPDX-License-Identifier: BSD-3-Clause */

/* Capture files as a packet source: one of them, or several rotated ones as one timeline. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "dataplane/capture.h"
#include "dataplane/source.h"

/* Batches that a filter may refuse whole before recv() returns, so that a signal is noticed. */
#define REFUSED_BATCHES 256

struct file_source {
	struct capture_common common;
	struct capture *capture; /* one file */
	struct merge *merge;	 /* several */
	struct filter *filter;
	struct source_stats stats; /* the counters kept here */
	uint64_t last_ns;
	bool over;
};

static bool file_probe(const uint8_t *head, size_t len)
{
	return pcap_probe(head, len) || pcapng_probe(head, len) || unpack_detect(head, len) != NULL;
}

/* 0 when one of them is no plain file: then nobody knows how much will come. */
static uint64_t total_size(const struct source_config *cfg)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < cfg->n_files; i++) {
		struct stat st;
		bool is_stdin = strcmp(cfg->files[i], "-") == 0;
		if ((is_stdin ? fstat(0, &st) : stat(cfg->files[i], &st)) != 0 ||
		    !S_ISREG(st.st_mode))
			return 0;
		sum += (uint64_t)st.st_size;
	}
	return sum;
}

static void file_close(void *state)
{
	struct file_source *f = state;
	capture_close(f->capture);
	merge_close(f->merge);
	filter_free(f->filter);
	capture_common_free(&f->common);
	memset(f, 0, sizeof(*f));
}

static int file_open(void *state, const struct source_config *cfg, char *err, size_t errlen)
{
	struct file_source *f = state;
	int64_t linktype = -1;
	if (cfg->n_files == 0 || (cfg->n_files > 1 && !cfg->rotated)) {
		snprintf(err, errlen, "one capture file is wanted, %u are given", cfg->n_files);
		return -E2BIG;
	}
	int ret = capture_common_init(&f->common, cfg->n_files);
	if (ret != 0) {
		snprintf(err, errlen, "%s", strerror(-ret));
		return ret;
	}
	if (cfg->n_files == 1) {
		struct source_damage why;
		ret = capture_open(&f->capture, &f->common, cfg->files[0], 0, &why);
		if (ret != 0)
			capture_explain(cfg->files[0], ret, &why, err, errlen);
		else if (f->common.n_ifaces != 0)
			linktype = f->common.ifaces[0].linktype;
	} else {
		ret = merge_open(&f->merge, &f->common, cfg->files, cfg->n_files, &linktype, err,
				 errlen);
	}
	if (ret == 0 && cfg->bpf != NULL)
		ret = filter_new(&f->filter, cfg->bpf, linktype, err, errlen);
	f->stats.file_bytes = total_size(cfg);
	if (ret != 0)
		file_close(f);
	return ret;
}

static unsigned file_queues(const void *state)
{
	(void)state;
	return 1;
}

/* Moves the packets that pass to the front, gives the others back. */
static unsigned apply_filter(struct file_source *f, struct packet pkts[], unsigned n)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < n; i++) {
		enum filter_result r = filter_run(f->filter, &pkts[i]);
		if (r == FILTER_DROP) {
			capture_release(&pkts[i], 1);
			f->stats.filtered++;
			continue;
		}
		f->stats.unfiltered += r == FILTER_UNABLE;
		pkts[kept++] = pkts[i];
	}
	return kept;
}

static int file_recv(void *state, unsigned q, struct packet pkts[], unsigned max)
{
	struct file_source *f = state;
	unsigned n = 0;
	(void)q;
	for (unsigned i = 0; n == 0 && i < REFUSED_BATCHES; i++) {
		if (f->over)
			return SOURCE_EOF;
		int got = f->merge != NULL ? merge_next(f->merge, pkts, max)
					   : capture_next(f->capture, pkts, max);
		f->over = got < 0;
		if (got <= 0)
			return got;
		f->last_ns = pkts[got - 1].ts_ns;
		n = f->filter != NULL ? apply_filter(f, pkts, (unsigned)got) : (unsigned)got;
	}
	uint64_t bytes = 0, truncated = 0;
	for (unsigned i = 0; i < n; i++) {
		bytes += pkts[i].caplen;
		truncated += pkts[i].caplen < pkts[i].wirelen;
	}
	f->stats.received += n;
	f->stats.bytes += bytes;
	f->stats.truncated += truncated;
	return (int)n;
}

static void file_release(void *state, unsigned q, const struct packet pkts[], unsigned n)
{
	(void)state;
	(void)q;
	capture_release(pkts, n);
}

static uint64_t file_now(void *state)
{
	return ((const struct file_source *)state)->last_ns;
}

static void file_stats(void *state, struct source_stats *out)
{
	const struct file_source *f = state;
	*out = f->stats;
	out->ignored_blocks = f->common.ignored_blocks;
	out->comments = f->common.comments;
	out->read_bytes = f->common.raw_bytes;
	out->damage = f->common.damage;
	out->n_damage = f->common.n_damage;
	out->ifaces = f->common.ifaces;
	out->n_ifaces = f->common.n_ifaces;
	out->comment = f->common.kept;
	out->n_comment = f->common.n_kept;
}

extern const struct source_ops source_file;
const struct source_ops source_file = {
	.name = "file",
	.doc = "capture files: pcap, pcapng, plain or packed with gzip or zstd, standard input",
	.state_size = sizeof(struct file_source),
	.probe = file_probe,
	.open = file_open,
	.queues = file_queues,
	.recv = file_recv,
	.release = file_release,
	.now = file_now,
	.stats = file_stats,
	.close = file_close,
};
