/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope analyze: captures in, reports out. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "classifiers/inspector.h"
#include "classifiers/tamper/evidence.h"
#include "dataplane/log.h"
#include "tools/analyze.h"
#include "tools/command.h"
#include "tools/input_digests.h"
#include "tools/manifest.h"
#include "tools/options.h"
#include "tools/privacy/survey.h"
#include "tools/progress.h"
#include "tools/repeat.h"
#include "tools/resume.h"
#include "tools/session.h"
#include "tools/study/study.h"
#include "tools/testimony/testimony.h"
#include "tools/trail.h"

static const struct option_row analyze_options[] = {
	SESSION_OPTIONS(struct analyze_config, session),
	{.name = "rotated",
	 .kind = OPTION_FLAG,
	 .offset = offsetof(struct analyze_config, rotated),
	 .help = "the files are pieces of one capture; otherwise each stands for itself"},
	{.name = "control",
	 .kind = OPTION_STRINGS,
	 .offset = offsetof(struct analyze_config, controls),
	 .argument = "FILE",
	 .help = "a capture of the same transfers over the same path with the content changed (bits "
		 "inverted, another name): the rates of the other captures are compared with its; "
		 "several times for several"},
	SESSION_FROM(struct analyze_config, session),
	{.name = "resume",
	 .kind = OPTION_FLAG,
	 .offset = offsetof(struct analyze_config, resume),
	 .help = "keep what is done of each file in the folder of -o until all are, and go on there after "
		 "an interruption; with --key or --show-clients"},
	ANALYSIS_OPTIONS(struct analyze_config, analysis),
	{.name = NULL},
};

struct run {
	const struct analyze_config *cfg;
	struct analysis *analysis;
	struct study *study;
	struct analysis_setup setup;
	struct session session;
	struct progress progress;
	struct report_input_error *errors;
	unsigned n_errors;
	const char **inputs; /* all files, controls behind the others */
	struct input_digests *digests; /* of inputs; NULL: nobody asks for them */
	struct analysis_config want;
	struct survey *survey; /* of a file that is analysed by itself; else NULL */
	struct testimony_run kept; /* what each file's says that is kept for another run */
	struct trail **trails; /* of each capture, for annotated captures; NULL: nobody asks for them */
	struct resume *resume; /* NULL: nothing is kept for another run */
};

static void out_of_memory(struct run *r, int err)
{
	log_error(NULL, "analysis: %s", strerror(-err));
	session_happened(&r->session, EXIT_IO);
}

static void not_opened(struct run *r, const char *file, int err, const char *why)
{
	struct report_input_error *e = &r->errors[r->n_errors++];

	log_error(NULL, "%s", why);
	e->file = file;
	snprintf(e->reason, sizeof(e->reason), "%s", why);
	session_input_failed(&r->session, err);
}

/* A report of some of the files does not read as one of all. */
static void not_read(struct run *r, const char *const *files, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct report_input_error *e = &r->errors[r->n_errors++];
		e->file = files[i];
		snprintf(e->reason, sizeof(e->reason), "%.200s: the run was interrupted", files[i]);
		log_warn(NULL, "%s: not read: the run was interrupted", files[i]);
	}
}

/* Who writes annotated captures wants to know whose packet each is. Without memory they read again. */
static const struct pipeline_hooks *followed(struct run *r, const struct pipeline_hooks *inner)
{
	struct trail **t = r->trails != NULL ? &r->trails[r->analysis->n_captures - 1] : NULL;

	return t != NULL && trail_new(t, r->session.spill) == 0 ? trail_hooks(*t, inner) : inner;
}

/* One capture of n files, of which one alone may be a control. 0, or -errno: there is no going on. */
static int analyze_capture(struct run *r, const char *const *files, unsigned first, unsigned n,
			   bool control)
{
	struct source_config from = {.files = files, .n_files = n,
				     .rotated = r->cfg->rotated && !control,
				     .bpf = r->cfg->analysis.bpf};
	struct pipeline_config pipe = {.workers = (unsigned)r->cfg->analysis.workers,
				       .stop = &session_stopped,
				       .progress = progress_show,
				       .progress_user = &r->progress};
	struct pipeline_stats stats = {.first_ns = 0};
	struct source *src;
	char why[320];

	int err = source_open(&src, NULL, &from, why, sizeof(why));
	if (err != 0) {
		not_opened(r, files[0], err, why);
		return err == -EDOM ? err : 0;
	}
	err = analysis_begin(r->analysis, files, n);
	if (err != 0)
		goto out;
	r->analysis->captures[r->analysis->n_captures - 1].control = control;
	const struct pipeline_hooks *inner = followed(r, analysis_hooks(r->analysis));
	int failed = pipeline_run(src, r->survey != NULL ? survey_hooks(r->survey, inner)
							 : session_hooks(&r->session, inner),
				  &pipe, &stats);
	err = analysis_end(r->analysis, &stats, failed);
	if (failed != 0) {
		log_error(NULL, "%s: %s", files[0], strerror(-failed));
		session_happened(&r->session, EXIT_IO);
	}
	if (stats.interrupted || stats.source.n_damage > 0)
		session_happened(&r->session, EXIT_PARTIAL);
	progress_next(&r->progress, stats.source.received);
	for (unsigned i = 0; i < stats.source.n_damage; i++)
		log_warn(NULL, "%s: offset %llu: %s",
			 files[stats.source.damage[i].file < n ? stats.source.damage[i].file : 0],
			 (unsigned long long)stats.source.damage[i].offset,
			 stats.source.damage[i].reason);
	log_info(NULL, "%s: %llu packets", files[0], (unsigned long long)stats.source.received);
	r->analysis->captures[r->analysis->n_captures - 1].first_input = first;
out:
	source_close(src);
	return err;
}

/* A source numbers its own files from 0: a flow's id says which of all the files it is in. */
static void number_flows(struct analysis *a)
{
	for (size_t i = 0; i < a->n_flows; i++)
		a->flows[i]->id += (uint64_t)a->captures[a->flows[i]->capture].first_input << 40;
	for (size_t i = 0; i < a->n_attempts; i++)
		a->attempts[i].flow_id += (uint64_t)a->captures[a->attempts[i].capture].first_input << 40;
}

/* Beside the analysis, for the folder's manifest and testimony. 0 or -ENOMEM. */
static int start_digests(struct run *r, const char *const *files, unsigned n)
{
	const struct option_strings *controls = &r->cfg->controls;

	if (r->cfg->session.dir == NULL || r->cfg->resume)
		return 0;
	r->inputs = calloc(n + controls->n, sizeof(*r->inputs));
	if (r->inputs == NULL)
		return -ENOMEM;
	memcpy(r->inputs, files, n * sizeof(*files));
	for (unsigned i = 0; i < controls->n; i++)
		r->inputs[n + i] = controls->v[i];
	/* Without the thread whoever wants them reads the files later. */
	(void)input_digests_start(&r->digests, r->inputs, n + controls->n);
	return 0;
}

static void take_digests(struct run *r)
{
	const struct capture_digest *list = NULL;

	if (r->digests != NULL)
		list = input_digests_wait(r->digests);
	for (unsigned i = 0; i < r->analysis->n_captures && list != NULL; i++)
		r->analysis->captures[i].digests = list + r->analysis->captures[i].first_input;
}

static struct testimony_run testimony_of(const struct run *r, unsigned n_inputs)
{
	return (struct testimony_run){.command = &command_analyze,
				      .config = r->cfg,
				      .rules = r->setup.lists.rules,
				      .errors = r->errors,
				      .n_errors = r->n_errors,
				      .n_inputs = n_inputs};
}

/* Input i as a capture of its own, which is kept until the whole report is there. */
static int analyze_alone(struct run *r, const char *const *file, unsigned i, bool control, char *why,
			 size_t len)
{
	struct analysis *alone = NULL, *whole = r->analysis;
	unsigned before = r->session.conditions;
	struct input_digests *digests = NULL;

	r->session.conditions = 0;
	int err = analysis_new(&alone, &r->want);
	if (err == 0)
		err = survey_new(&r->survey);
	if (err == 0)
		(void)input_digests_start(&digests, file, 1);
	r->analysis = alone;
	if (err == 0)
		err = analyze_capture(r, file, 0, 1, control);
	if (err == 0)
		err = analysis_judge(alone);
	r->analysis = whole;
	if (err == 0 && alone->n_captures != 0) {
		bool read = !atomic_load(&session_stopped) &&
			    (r->session.conditions & 1U << EXIT_IO) == 0;
		if (digests != NULL)
			alone->captures[0].digests = input_digests_wait(digests);
		err = resume_add(r->resume, i, alone, r->survey, r->session.conditions, read, whole, why,
				 len);
	}
	r->session.conditions |= before;
	input_digests_free(digests);
	survey_free(r->survey);
	r->survey = NULL;
	analysis_free(alone);
	return err;
}

/* Told is told: what could not be taken up ends the run. */
static int told_resume(struct run *r, int err, const char *why)
{
	log_error(NULL, "%s", why);
	session_happened(&r->session, err == -EBADMSG ? EXIT_INPUT
				      : err == -EINVAL || err == -ENOKEY || err == -EKEYREJECTED
					      ? EXIT_USAGE
					      : EXIT_IO);
	return -ECANCELED;
}

/* Input i, from what an earlier run left or from its file. */
static int analyze_or_take(struct run *r, const char *const *file, unsigned i, bool control)
{
	unsigned conditions = 0;
	char why[640] = "";

	int err = resume_take(r->resume, i, *file, r->analysis, &conditions, why, sizeof(why));
	if (err == 1) {
		const struct capture_result *c = &r->analysis->captures[r->analysis->n_captures - 1];
		r->session.conditions |= conditions;
		progress_next(&r->progress, c->stats.source.received);
		return 0;
	}
	if (err == 0)
		err = analyze_alone(r, file, i, control, why, sizeof(why));
	if (why[0] == '\0' || err == 0)
		return err;
	return told_resume(r, err, why);
}

static int analyze_all(struct run *r, const char *const *files, unsigned n)
{
	const struct option_strings *controls = &r->cfg->controls;
	unsigned captures = (r->cfg->rotated ? 1 : n) + controls->n;
	int err = 0;

	progress_start(&r->progress, !r->cfg->session.quiet, captures);
	for (unsigned i = 0; i < captures && err == 0; i++) {
		unsigned k = i + controls->n - captures; /* of the controls, once it is their turn */
		bool control = i + controls->n >= captures;
		if (atomic_load(&session_stopped)) {
			session_happened(&r->session, EXIT_PARTIAL);
			if (!control)
				not_read(r, files + i, n - i);
			not_read(r, controls->v + (control ? k : 0), controls->n - (control ? k : 0));
			break;
		}
		if (r->resume != NULL)
			err = analyze_or_take(r, control ? &controls->v[k] : &files[i], i, control);
		else if (control)
			err = analyze_capture(r, &controls->v[k], n + k, 1, true);
		else if (r->cfg->rotated)
			err = analyze_capture(r, files, 0, n, false);
		else
			err = analyze_capture(r, &files[i], i, 1, false);
	}
	progress_clear(&r->progress);
	/* What is taken was judged, and its flows have their numbers. */
	if (err == 0 && r->resume == NULL)
		err = analysis_judge(r->analysis);
	if (err != 0)
		return err;
	if (r->resume == NULL)
		number_flows(r->analysis);
	take_digests(r);
	const struct testimony_run run = testimony_of(r, n + controls->n);
	testimony_keep(&r->session, r->analysis, &run);
	return study_new(&r->study, r->analysis);
}

static int start_resume(struct run *r, unsigned n)
{
	char why[640] = "";

	r->kept = testimony_of(r, n + r->cfg->controls.n);
	r->kept.errors = NULL;
	const struct resume_config want = {.dir = r->cfg->session.dir,
					   .key = session_seal_key(&r->session),
					   .run = &r->kept,
					   .survey = session_survey(&r->session)};
	int err = resume_open(&r->resume, &want, why, sizeof(why));
	return err == 0 ? 0 : told_resume(r, err, why);
}

static void write_reports(struct run *r)
{
	struct report_options o = {
		.errors = r->errors,
		.n_errors = r->n_errors,
		.study = r->study,
		.filter = r->cfg->analysis.bpf,
		.command = &command_analyze,
		.config = r->cfg,
		.rules = r->setup.lists.rules,
		.matcher = r->setup.lists.matcher,
		.trails = (const struct trail *const *)r->trails,
	};

	/* What cannot be compiled is told whether or not the capture had anything to search. */
	if (r->setup.lists.matcher != NULL && ruleset_lists(r->setup.lists.rules) > 1)
		matcher_prepare(r->setup.lists.matcher);
	session_write(&r->session, r->analysis, &o);
	if (r->resume != NULL && !atomic_load(&session_stopped) &&
	    (r->session.conditions & 1U << EXIT_IO) == 0)
		resume_done(r->resume);
}

/* NULL, or why a run cannot be kept for another. */
static const char *wrong_resume(const struct analyze_config *cfg)
{
	const struct session_config *s = &cfg->session;

	return s->dir == NULL ? "--resume is about the folder of -o"
	       : s->key == NULL && !s->show_clients
		       ? "--resume: with a key that is not kept nobody could go on: give --key, or "
			 "--show-clients"
	       : cfg->rotated	 ? "--resume: with --rotated all files are one capture"
	       : s->from != NULL ? "--resume: what --from repeats is written nowhere"
	       : resume_finished(s->dir) && !resume_waits(s->dir)
		       ? "--resume: the folder of -o has a finished report in it"
		       : NULL;
}

/* What the option rows cannot check. */
static bool usage_fits(const struct analyze_config *cfg, int argc, char **argv)
{
	int stdins = 0;

	for (int i = 0; i < argc; i++)
		stdins += strcmp(argv[i], "-") == 0;
	for (unsigned i = 0; i < cfg->controls.n; i++)
		stdins += strcmp(cfg->controls.v[i], "-") == 0;
	const char *wrong = argc == 0 ? "no capture file is given"
			    : stdins > 1 ? "standard input can be read only once"
			    : cfg->rotated && (unsigned)argc > EVIDENCE_FILES
				    ? "--rotated: one capture has 65536 files at most"
			    : cfg->resume && stdins != 0
				    ? "--resume: standard input cannot be told from another"
			    : cfg->resume ? wrong_resume(cfg)
			    : cfg->session.dir != NULL && resume_waits(cfg->session.dir)
				    ? "the folder of -o has an unfinished run in it: go on with --resume, "
				      "or remove its folder " RESUME_NAME
				    : NULL;
	if (wrong == NULL)
		wrong = analysis_options_wrong(&cfg->analysis);
	if (wrong != NULL)
		options_error(&command_analyze, wrong, NULL);
	return wrong == NULL;
}

static bool on_disk(const char *file)
{
	struct stat st;

	return strcmp(file, "-") != 0 && stat(file, &st) == 0 && S_ISREG(st.st_mode);
}

static bool all_on_disk(const struct analyze_config *cfg, int argc, char **argv)
{
	bool all = true;

	for (int i = 0; i < argc; i++)
		all = all && on_disk(argv[i]);
	for (unsigned i = 0; i < cfg->controls.n; i++)
		all = all && on_disk(cfg->controls.v[i]);
	return all;
}

/* expected: of the run that this one repeats, or NULL. */
static int analyze_once(const struct analyze_config *cfg, int argc, char **argv,
			const struct manifest *expected)
{
	struct run r = {.cfg = cfg, .session = {.expected = expected, .may_testify = true}};

	if (!usage_fits(cfg, argc, argv) || !plugins_start(&cfg->analysis.plugins, &command_analyze))
		return EXIT_USAGE;
	if (!session_start(&r.session, &cfg->session, argv, argc))
		goto out;
	if (!analysis_setup_open(&r.setup, &cfg->analysis, &command_analyze, &r.session))
		goto out;
	if (all_on_disk(cfg, argc, argv))
		session_spill(&r.session);
	r.want = analysis_setup_config(&r.setup, &cfg->analysis, &r.session);
	r.errors = calloc((size_t)argc + cfg->controls.n, sizeof(*r.errors));
	int err = r.errors == NULL ? -ENOMEM : analysis_new(&r.analysis, &r.want);
	if (err == 0) {
		session_catch_signals();
		err = start_digests(&r, (const char *const *)argv, (unsigned)argc);
	}
	/* A capture a file at most. What another run left has none. */
	if (err == 0 && !cfg->resume && !cfg->session.all_packets &&
	    outputs_has(&r.session.outputs, "pcapng"))
		r.trails = calloc((size_t)argc + cfg->controls.n, sizeof(struct trail *));
	if (err == 0 && cfg->resume)
		err = start_resume(&r, (unsigned)argc);
	if (err == 0)
		err = analyze_all(&r, (const char *const *)argv, (unsigned)argc);
	if (err == 0)
		write_reports(&r);
	else if (err != -EDOM && err != -ECANCELED) /* a wrong filter was told already */
		out_of_memory(&r, err);
out:
	for (size_t i = 0; r.trails != NULL && i < (size_t)argc + cfg->controls.n; i++)
		trail_free(r.trails[i]);
	free(r.trails);
	study_free(r.study);
	analysis_free(r.analysis);
	resume_close(r.resume);
	analysis_setup_close(&r.setup);
	input_digests_free(r.digests);
	free(r.inputs);
	free(r.errors);
	session_end(&r.session);
	return session_exit_status(&r.session);
}

static int analyze_again(const void *config, int argc, char **argv, const struct manifest *expected)
{
	return analyze_once(config, argc, argv, expected);
}

static int analyze_run(void *config, int argc, char **argv)
{
	static const char *const made_by[] = {"analyze", "capture", "merge", NULL};
	static const struct repeat repeat = {
		.command = &command_analyze,
		.session = offsetof(struct analyze_config, session),
		.made_by = made_by,
		.others = "only what analyze, capture -w and merge found in captures can be repeated by "
			  "analyze; compare --from repeats what compare found, and audit is given its ports "
			  "again",
		.run = analyze_again,
	};
	const struct analyze_config *cfg = config;

	return cfg->session.from != NULL ? repeat_run(&repeat, cfg, argc)
					 : analyze_once(cfg, argc, argv, NULL);
}

const struct command command_analyze = {
	.name = "analyze",
	.usage = "FILE...",
	.summary = "read captures and report what a middlebox did to which connection",
	.details = "FILE is a pcap or pcapng capture, also compressed, or - for standard input. "
		   "Each file is a capture of its own unless --rotated is given. What -o and --html "
		   "write has pseudonyms in place of the clients' addresses, and names only of "
		   "connections that a finding is about; all else has the real ones. The report for "
		   "people goes to standard output unless an output is named. With --jsonl or -o a "
		   "record of every flow is kept. What is kept goes into a file without a name in "
		   "TMPDIR, else /var/tmp, once it is much (some ten thousand findings) and if all "
		   "captures are files themselves: it says what they say, and is gone with the run. With "
		   "TMPDIR=/dev/shm it stays in memory. With --key or --show-clients the folder of "
		   "-o also keeps what wmscope-merge(1) needs to join it to others, and with --resume a "
		   "run that ended early is gone on with. SIGINT or SIGTERM ends the input and the "
		   "report of what was read is written; a second one ends the program at once.",
	.options = analyze_options,
	.config_size = sizeof(struct analyze_config),
	.run = analyze_run,
};
