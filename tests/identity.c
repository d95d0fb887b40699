/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * identity [--ndpi] FILE...
 *
 * The reports of each capture that are one stream, every flow in them, must be the same bytes however
 * it is analysed: by 1, 2 or 8 workers, one packet or 64 at a time, and whether or not what is known
 * of waiting flows rests packed. In one process, so that many captures take seconds.
 * Ends with 0, 1 when one differs, 77 when none of them is a capture.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/inspector.h"
#include "dataplane/log.h"
#include "dataplane/source.h"
#include "tools/report.h"
#include "tools/study/study.h"

struct way {
	unsigned workers, batch;
};

/* 3 does not divide what the others do: blocks then end where theirs do not. */
static const struct way ways[] = {{1, 64}, {1, 1}, {2, 64}, {2, 1}, {8, 64}, {8, 1}, {3, 3}};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

struct said {
	char *text;
	size_t len;
};

static int write_reports(const struct analysis *a, const struct study *s, struct said *out)
{
	char *argv[] = {(char[]){"identity"}};
	const struct report_options o = {.min_verdict = VERDICT_INCONCLUSIVE, .real_clients = true,
					 .utf8 = true, .argc = 1, .argv = argv, .study = s};
	FILE *f = open_memstream(&out->text, &out->len);
	if (f == NULL)
		return -1;
	int err = 0;
	/* Reports of files are tables of what these say: tests/tables.py holds them against each other. */
	for (unsigned i = 0; report_table[i] != NULL && err == 0; i++)
		if (report_table[i]->write != NULL)
			err = report_table[i]->write(a, &o, f);
	return fclose(f) != 0 || err != 0 ? -1 : 0;
}

/* 0 and the reports; 1 when the file cannot be opened as a capture; -1. */
static int analyse(const char *file, struct way way, bool ndpi, struct said *out)
{
	const struct analysis_config cfg = {.no_ndpi = !ndpi, .all_flows = true,
					    .rest_always = way.batch == 1};
	const struct source_config from = {.files = &file, .n_files = 1};
	const struct pipeline_config pipe = {.workers = way.workers, .batch = way.batch};
	struct analysis *a = NULL;
	struct study *s = NULL;
	struct source *src = NULL;
	struct pipeline_stats stats;
	char why[320];
	int ret = -1;

	if (source_open(&src, NULL, &from, why, sizeof(why)) != 0)
		return 1;
	if (analysis_new(&a, &cfg) != 0 || analysis_begin(a, &file, 1) != 0)
		goto out;
	int failed = pipeline_run(src, analysis_hooks(a), &pipe, &stats);
	if (analysis_end(a, &stats, failed) != 0 || analysis_judge(a) != 0 || study_new(&s, a) != 0)
		goto out;
	ret = write_reports(a, s, out);
out:
	source_close(src);
	study_free(s);
	analysis_free(a);
	return ret;
}

static void show_difference(const char *file, struct way way, const struct said *a,
			    const struct said *b)
{
	size_t at = 0, line = 1, start = 0;
	while (at < a->len && at < b->len && a->text[at] == b->text[at]) {
		if (a->text[at++] == '\n') {
			line++;
			start = at;
		}
	}
	printf("%s: %u workers, batch %u: line %zu differs:\n", file, way.workers, way.batch, line);
	printf("- %.*s\n", (int)strcspn(a->text + start, "\n"), a->text + start);
	printf("+ %.*s\n", (int)strcspn(b->text + start, "\n"), b->text + start);
}

/* 0 the same every way, 1 not a capture, -1. */
static int compare(const char *file, bool ndpi)
{
	struct said first = {.text = NULL};
	int ret = analyse(file, ways[0], ndpi, &first);
	for (unsigned i = 1; i < N_WAYS && ret == 0; i++) {
		struct said other = {.text = NULL};
		ret = analyse(file, ways[i], ndpi, &other);
		if (ret == 0 && (other.len != first.len ||
				 memcmp(other.text, first.text, first.len) != 0)) {
			show_difference(file, ways[i], &first, &other);
			ret = -1;
		}
		free(other.text);
	}
	free(first.text);
	if (ret < 0)
		printf("%s: not the same, or not analysed\n", file);
	return ret;
}

int main(int argc, char **argv)
{
	unsigned n = 0, bad = 0;
	bool ndpi = argc > 1 && strcmp(argv[1], "--ndpi") == 0;

	log_set_level(LOG_LEVEL_ERROR);
	for (int i = 1 + ndpi; i < argc; i++) {
		int ret = compare(argv[i], ndpi);
		n += ret == 0;
		bad += ret < 0;
	}
	printf("%u captures the same in %u ways, %u not\n", n, (unsigned)N_WAYS, bad);
	return bad != 0 ? 1 : n == 0 ? 77 : 0;
}
