/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Input: what a testimony's blocks hold, from behind the layout's hash on. Whatever it is, a merge
 * either refuses it, or can pool it and print it.
 */

#include "tools/testimony/testimony.c"

#include "tools/report.h"
#include "tools/study/study.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct report report_jsonl, report_text, report_html;

struct input {
	const uint8_t *data;
	size_t len, at;
};

static int give_block(void *user, uint8_t *block, size_t *n)
{
	struct input *in = user;
	size_t some = in->len - in->at < WIRE_BLOCK ? in->len - in->at : WIRE_BLOCK;
	if (some != 0)
		memcpy(block, in->data + in->at, some);
	in->at += some;
	*n = some;
	return 0;
}

static void print_all(struct analysis *a, const struct testimony_head *head)
{
	static const struct report *const reports[] = {&report_jsonl, &report_text, &report_html};
	struct study *study;
	if (study_new(&study, a) != 0)
		return;
	struct report_options o = {.min_verdict = VERDICT_INCONCLUSIVE, .real_clients = true,
				   .errors = head->errors, .n_errors = (unsigned)head->n_errors,
				   .study = study, .plugins = head->plugins};
	FILE *out = fopen("/dev/null", "we");
	for (unsigned i = 0; out != NULL && i < sizeof(reports) / sizeof(reports[0]); i++)
		reports[i]->write(a, &o, out);
	if (out != NULL)
		fclose(out);
	study_free(study);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct testimony *t = calloc(1, sizeof(*t));
	const struct analysis_config cfg = {.all_flows = true};
	struct input in = {.data = data, .len = size};
	struct analysis *a = NULL;
	struct survey *survey = NULL;
	char why[320];

	if (t == NULL || analysis_new(&a, &cfg) != 0 || survey_new(&survey) != 0)
		goto out;
	t->wire.reading = true;
	t->wire.turn = give_block;
	t->wire.user = &in;
	t->wire.arena = &t->arena;
	t->wire.left = size;
	wire_walk(&t->wire, &shape_head, &t->head);
	if (wrong(t, t->wire.err, why, sizeof(why)) == 0 &&
	    testimony_take(t, a, NULL, survey, 3, why, sizeof(why)) == 0)
		print_all(a, &t->head);
out:
	analysis_free(a);
	survey_free(survey);
	testimony_free(t);
	return 0;
}
