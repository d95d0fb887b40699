/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * one_cache FILE...
 *
 * Flows whose nDPI label changes because shards do not share what nDPI remembers of earlier flows: each
 * capture is analysed as always, with a labeller for each group of shards, and with one labeller for
 * all. Prints the flows that differ, one a line: file, id, label as always, label with one cache. Ends
 * with 0, or 77 when no flow had a label. How many there are is no fault: it is the price of reports
 * that do not depend on the number of workers.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "classifiers/inspector.h"
#include "dataplane/log.h"
#include "dataplane/source.h"

static struct analysis *analyse(const char *file, bool one_group)
{
	const struct analysis_config cfg = {.all_flows = true, .one_group = one_group};
	const struct source_config from = {.files = &file, .n_files = 1};
	const struct pipeline_config pipe = {.workers = 1};
	struct analysis *a = NULL;
	struct source *src = NULL;
	struct pipeline_stats stats;
	char why[320];

	if (source_open(&src, NULL, &from, why, sizeof(why)) != 0)
		return NULL;
	bool whole = false;
	if (analysis_new(&a, &cfg) == 0 && analysis_begin(a, &file, 1) == 0) {
		int failed = pipeline_run(src, analysis_hooks(a), &pipe, &stats);
		whole = analysis_end(a, &stats, failed) == 0 && analysis_judge(a) == 0;
	}
	source_close(src);
	if (!whole) {
		analysis_free(a);
		return NULL;
	}
	return a;
}

static const char *label_of(const struct flow_record *f)
{
	for (unsigned i = 0; i < f->n_labels; i++)
		if (f->labels[i].by != NULL && strcmp(f->labels[i].by, "ndpi") == 0)
			return f->labels[i].app;
	return "";
}

/* Which flows there are, and their order, does not depend on labels. */
static int compare(const char *file, const struct analysis *many, const struct analysis *one,
		   size_t *n_labels, size_t *n_differ)
{
	if (many->n_flows != one->n_flows)
		return -1;
	for (size_t i = 0; i < many->n_flows; i++) {
		const char *x = label_of(many->flows[i]), *y = label_of(one->flows[i]);
		if (many->flows[i]->id != one->flows[i]->id)
			return -1;
		*n_labels += x[0] != '\0';
		if (strcmp(x, y) == 0)
			continue;
		++*n_differ;
		printf("%s\t%" PRIu64 "\t%s\t%s\n", file, many->flows[i]->id, x, y);
	}
	return 0;
}

int main(int argc, char **argv)
{
	size_t n_labels = 0, n_differ = 0;
	int bad = 0;

	log_set_level(LOG_LEVEL_ERROR);
	for (int i = 1; i < argc; i++) {
		struct analysis *many = analyse(argv[i], false), *one = analyse(argv[i], true);
		if (many != NULL && one != NULL &&
		    compare(argv[i], many, one, &n_labels, &n_differ) != 0) {
			printf("%s: other flows with one cache\n", argv[i]);
			bad++;
		}
		analysis_free(many);
		analysis_free(one);
	}
	fprintf(stderr, "%zu of %zu labels differ because of sharding\n", n_differ, n_labels);
	return bad != 0 ? 1 : n_labels == 0 ? 77 : 0;
}
