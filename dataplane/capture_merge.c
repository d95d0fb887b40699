/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Rotated captures as one timeline. Every file is read up to its first packet and closed again; it
 * is opened for good only when the merged time gets there, so a thousand files need as many
 * descriptors as overlap. Keys are lower bounds: a member whose packets were used up keeps its last
 * time until it is on top, and only then is read again. So the order does not depend on how many
 * packets are read ahead.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dataplane/capture.h"

#define AHEAD 8

struct member {
	const char *path;
	struct capture *cap; /* NULL until its turn */
	uint64_t key_ns;
	unsigned at, n; /* of ahead */
	struct packet ahead[AHEAD];
};

struct merge {
	struct capture_common *common;
	struct member *members;
	unsigned n_members;
	unsigned *heap; /* indices of members */
	unsigned n_heap;
	int error; /* first error of the system, told when all else was handed out */
};

static bool before(const struct merge *m, unsigned a, unsigned b)
{
	uint64_t ka = m->members[a].key_ns, kb = m->members[b].key_ns;
	return ka != kb ? ka < kb : a < b;
}

static void sift_down(struct merge *m, unsigned i)
{
	unsigned moving = m->heap[i];
	for (;;) {
		unsigned child = 2 * i + 1;
		if (child >= m->n_heap)
			break;
		if (child + 1 < m->n_heap && before(m, m->heap[child + 1], m->heap[child]))
			child++;
		if (!before(m, m->heap[child], moving))
			break;
		m->heap[i] = m->heap[child];
		i = child;
	}
	m->heap[i] = moving;
}

/* Time and link type of the first packet, from a short visit that leaves no trace in common. */
static int member_visit(struct member *mb, unsigned file, size_t block_size, int64_t *linktype,
			struct source_damage *why)
{
	struct capture_common visit;
	struct capture *c = NULL;
	struct packet pkt;
	int ret = capture_common_init(&visit, 1);
	if (ret != 0)
		return ret;
	visit.pool.block_size = block_size;
	ret = capture_open(&c, &visit, mb->path, file, why);
	if (ret != 0)
		goto out;
	if (visit.n_ifaces != 0 && *linktype < 0)
		*linktype = visit.ifaces[0].linktype;
	/* No packet, or damage: it comes first, and its damage is told when it is read. */
	if (capture_next(c, &pkt, 1) == 1) {
		mb->key_ns = pkt.ts_ns;
		capture_release(&pkt, 1);
	}
out:
	capture_close(c);
	capture_common_free(&visit);
	return ret;
}

static int member_start(struct merge *m, unsigned i, int64_t *linktype, struct source_damage *why)
{
	struct member *mb = &m->members[i];
	struct stat st;
	bool once =
		strcmp(mb->path, "-") == 0 || (stat(mb->path, &st) == 0 && !S_ISREG(st.st_mode));
	if (!once)
		return member_visit(mb, i, m->common->pool.block_size, linktype, why);
	unsigned slot = m->common->n_ifaces;
	int ret = capture_open(&mb->cap, m->common, mb->path, i, why);
	if (ret == 0 && m->common->n_ifaces > slot && *linktype < 0)
		*linktype = m->common->ifaces[slot].linktype;
	return ret;
}

/* Packets ahead: n > 0, 0 (interrupted), or negative when the member is done. */
static int member_refill(struct merge *m, unsigned i)
{
	struct member *mb = &m->members[i];
	int ret = 0;
	if (mb->cap == NULL) {
		struct source_damage why;
		ret = capture_open(&mb->cap, m->common, mb->path, i, &why);
		if (ret == -EINTR)
			return 0;
		if (ret != 0)
			capture_common_damage(m->common, &why);
	}
	if (ret == 0)
		ret = capture_next(mb->cap, mb->ahead, AHEAD);
	if (ret > 0) {
		mb->at = 0;
		mb->n = (unsigned)ret;
		mb->key_ns = mb->ahead[0].ts_ns;
	} else if (ret < 0) {
		if (ret != SOURCE_EOF && m->error == 0)
			m->error = ret;
		capture_close(mb->cap);
		mb->cap = NULL;
	}
	return ret;
}

int merge_next(struct merge *m, struct packet pkts[], unsigned max)
{
	unsigned n = 0;
	while (n < max && m->n_heap != 0) {
		struct member *mb = &m->members[m->heap[0]];
		if (mb->at < mb->n) {
			pkts[n++] = mb->ahead[mb->at++];
			if (mb->at < mb->n)
				mb->key_ns = mb->ahead[mb->at].ts_ns;
		} else {
			int ret = member_refill(m, m->heap[0]);
			if (ret == 0)
				return (int)n;
			if (ret < 0)
				m->heap[0] = m->heap[--m->n_heap];
		}
		if (m->n_heap != 0)
			sift_down(m, 0);
	}
	if (n != 0 || m->n_heap != 0)
		return (int)n;
	int ret = m->error != 0 ? m->error : SOURCE_EOF;
	m->error = 0;
	return ret;
}

int merge_open(struct merge **out, struct capture_common *common, const char *const *files,
	       unsigned n_files, int64_t *first_linktype, char *err, size_t errlen)
{
	int ret = -ENOMEM;
	*out = NULL;
	*first_linktype = -1;
	struct merge *m = calloc(1, sizeof(*m));
	if (m == NULL)
		goto out;
	m->common = common;
	m->members = calloc(n_files, sizeof(*m->members));
	m->heap = calloc(n_files, sizeof(*m->heap));
	if (m->members == NULL || m->heap == NULL)
		goto out;
	m->n_members = n_files;
	for (unsigned i = 0; i < n_files; i++) {
		struct source_damage why = {0};
		m->members[i].path = files[i];
		ret = member_start(m, i, first_linktype, &why);
		if (ret == 0) {
			m->heap[m->n_heap++] = i;
			continue;
		}
		capture_explain(files[i], ret, &why, err, errlen);
		if (ret != -EINVAL)
			goto out;
		/* Often the newest of the rotation, still empty. It must not cost the others. */
		capture_common_damage(common, &why);
	}
	ret = m->n_heap != 0 ? 0 : -EINVAL;
	for (unsigned i = m->n_heap / 2; i-- != 0;)
		sift_down(m, i);
out:
	if (ret == -ENOMEM)
		snprintf(err, errlen, "%s", strerror(ENOMEM));
	if (ret != 0)
		merge_close(m);
	else
		*out = m;
	return ret;
}

void merge_close(struct merge *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; m->members != NULL && i < m->n_members; i++)
		capture_close(m->members[i].cap);
	free(m->members);
	free(m->heap);
	free(m);
}
