/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope analyze: captures in, reports out. */

#include <errno.h>
#include <langinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classifiers/inspector.h"
#include "dataplane/log.h"
#include "tools/command.h"
#include "tools/lists.h"
#include "tools/options.h"
#include "tools/outputs.h"
#include "tools/progress.h"
#include "tools/study/study.h"

#define WORKERS_MAX 64

extern const struct command command_analyze;

struct analyze_config {
	const char *dir, *jsonl, *text, *bpf;
	unsigned long workers;
	int vantage, min_verdict, fail_on, color;
	bool no_ndpi, rotated, quiet, verbose;
	struct lists_config lists;
	const char *country;
	struct option_strings asn_db;
};

/* The first value is the default. */
static const char *const vantages[] = {"auto", "client", "server", "middle", "one-sided", NULL};
static const char *const min_verdicts[] = {"inconclusive", "anomaly", "likely", "confirmed", NULL};
static const char *const fail_ons[] = {"likely",       "confirmed", "anomaly",
				       "inconclusive", "never",	    NULL};
static const char *const colors[] = {"auto", "always", "never", NULL};

static const enum vantage vantage_of[] = {VANTAGE_UNKNOWN, VANTAGE_CLIENT, VANTAGE_SERVER,
					  VANTAGE_MIDDLE, VANTAGE_ONE_SIDED};
static const enum verdict min_verdict_of[] = {VERDICT_INCONCLUSIVE, VERDICT_ANOMALY, VERDICT_LIKELY,
					      VERDICT_CONFIRMED};
static const enum verdict fail_on_of[] = {VERDICT_LIKELY, VERDICT_CONFIRMED, VERDICT_ANOMALY,
					  VERDICT_INCONCLUSIVE, VERDICT_N};

#define AT(field) .offset = offsetof(struct analyze_config, field)
static const struct option_row analyze_options[] = {
	{.name = "output",
	 .letter = 'o',
	 .kind = OPTION_STRING,
	 AT(dir),
	 .argument = "DIR",
	 .help = "write report.txt and events.jsonl into this folder, made if need be"},
	{.name = "text",
	 .kind = OPTION_STRING,
	 AT(text),
	 .argument = "FILE",
	 .help = "write the report for people here; the default, on standard output"},
	{.name = "jsonl",
	 .kind = OPTION_STRING,
	 AT(jsonl),
	 .argument = "FILE",
	 .help = "write JSON Lines here: the run, every flow, every finding"},
	{.name = "filter",
	 .letter = 'f',
	 .kind = OPTION_STRING,
	 AT(bpf),
	 .argument = "BPF",
	 .help = "only packets that match this pcap-filter(7) expression"},
	{.name = "rotated",
	 .kind = OPTION_FLAG,
	 AT(rotated),
	 .help = "the files are pieces of one capture; otherwise each stands for itself"},
	{.name = "vantage",
	 .kind = OPTION_ENUM,
	 AT(vantage),
	 .values = vantages,
	 .help = "where the capture was taken; auto works it out from the packets"},
	{.name = "min-verdict",
	 .kind = OPTION_ENUM,
	 AT(min_verdict),
	 .values = min_verdicts,
	 .help = "show findings from this verdict up; others are counted"},
	{.name = "fail-on",
	 .kind = OPTION_ENUM,
	 AT(fail_on),
	 .values = fail_ons,
	 .help = "exit with 1 if there is a finding of this verdict or above; likely and confirmed "
		 "mean interference, so likely is the default"},
	{.name = "workers",
	 .kind = OPTION_UINT,
	 AT(workers),
	 .argument = "N",
	 .help = "threads, 1 to 64; the result does not depend on it"},
	{.name = "no-ndpi",
	 .kind = OPTION_FLAG,
	 AT(no_ndpi),
	 .help = "do not label flows with nDPI"},
	LISTS_OPTIONS(struct analyze_config, lists),
	{.name = "country",
	 .kind = OPTION_STRING,
	 AT(country),
	 .argument = "CC",
	 .help = "the country that the clients are in, two letters: what is known of one country's "
		 "boxes counts in full only there"},
	{.name = "asn-db",
	 .kind = OPTION_STRINGS,
	 AT(asn_db),
	 .argument = "FILE",
	 .help = "a database of MaxMind's format, for the networks and countries of addresses; "
		 "several times for several"},
	{.name = "color",
	 .kind = OPTION_ENUM,
	 AT(color),
	 .values = colors,
	 .help = "colour in text on standard output; auto: on a terminal and without NO_COLOR"},
	{.name = "quiet",
	 .letter = 'q',
	 .kind = OPTION_FLAG,
	 AT(quiet),
	 .help = "no progress and no warnings"},
	{.name = "verbose",
	 .letter = 'v',
	 .kind = OPTION_FLAG,
	 AT(verbose),
	 .help = "more words about the run on standard error"},
	{.name = NULL},
};

/* Becomes true at the first SIGINT or SIGTERM. */
static atomic_bool stopped;

static void on_signal(int sig)
{
	if (atomic_exchange(&stopped, true)) {
		/* The second: at once, by what the signal does by itself once this returns. */
		signal(sig, SIG_DFL);
		raise(sig);
	}
}

static void catch_signals(void)
{
	/* Without SA_RESTART, so that a read from a pipe that says nothing ends too. */
	struct sigaction act = {.sa_handler = on_signal};

	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

struct run {
	const struct analyze_config *cfg;
	struct analysis *analysis;
	struct study *study;
	struct lists lists;
	struct geo *geo;
	struct outputs outputs;
	struct progress progress;
	struct report_input_error *errors;
	unsigned n_errors, n_captures;
	unsigned *first_file; /* of each capture: place of its first file on the command line */
	unsigned conditions; /* 1 << enum exit_status */
};

static void happened(struct run *r, enum exit_status status)
{
	r->conditions |= 1U << status;
}

static int exit_status_of(unsigned conditions)
{
	static const enum exit_status order[] = {EXIT_USAGE, EXIT_IO, EXIT_INPUT, EXIT_PARTIAL,
						 EXIT_FINDINGS};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if ((conditions & 1U << order[i]) != 0)
			return (int)order[i];
	}
	return EXIT_DONE;
}

static void out_of_memory(struct run *r, int err)
{
	log_error(NULL, "analysis: %s", strerror(-err));
	happened(r, EXIT_IO);
}

static void not_opened(struct run *r, const char *file, int err, const char *why)
{
	struct report_input_error *e = &r->errors[r->n_errors++];

	log_error(NULL, "%s", why);
	e->file = file;
	snprintf(e->reason, sizeof(e->reason), "%s", why);
	happened(r, err == -EDOM ? EXIT_USAGE : err == -ENOMEM ? EXIT_IO
		    : err == -EINTR ? EXIT_PARTIAL : EXIT_INPUT);
}

/* One capture of n files. 0, or -errno when there is no going on. */
static int analyze_capture(struct run *r, const char *const *files, unsigned first, unsigned n)
{
	struct source_config from = {.files = files, .n_files = n, .rotated = r->cfg->rotated,
				     .bpf = r->cfg->bpf};
	struct pipeline_config pipe = {.workers = (unsigned)r->cfg->workers, .stop = &stopped,
				       .progress = progress_show, .progress_user = &r->progress};
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
	int failed = pipeline_run(src, analysis_hooks(r->analysis), &pipe, &stats);
	err = analysis_end(r->analysis, &stats, failed);
	if (failed != 0) {
		log_error(NULL, "%s: %s", files[0], strerror(-failed));
		happened(r, EXIT_IO);
	}
	if (stats.interrupted || stats.source.n_damage > 0)
		happened(r, EXIT_PARTIAL);
	progress_next(&r->progress, stats.source.received);
	for (unsigned i = 0; i < stats.source.n_damage; i++)
		log_warn(NULL, "%s: offset %llu: %s",
			 files[stats.source.damage[i].file < n ? stats.source.damage[i].file : 0],
			 (unsigned long long)stats.source.damage[i].offset,
			 stats.source.damage[i].reason);
	log_info(NULL, "%s: %llu packets", files[0], (unsigned long long)stats.source.received);
	r->first_file[r->n_captures++] = first;
out:
	source_close(src);
	return err;
}

/* A source numbers its own files from 0: a flow's id says which of all the files it is in. */
static void number_flows(struct run *r)
{
	struct analysis *a = r->analysis;

	for (size_t i = 0; i < a->n_flows; i++)
		a->flows[i]->id += (uint64_t)r->first_file[a->flows[i]->capture] << 40;
	for (size_t i = 0; i < a->n_attempts; i++)
		a->attempts[i].flow_id += (uint64_t)r->first_file[a->attempts[i].capture] << 40;
}

static int analyze_all(struct run *r, const char *const *files, unsigned n)
{
	int err = 0;

	progress_start(&r->progress, !r->cfg->quiet, r->cfg->rotated ? 1 : n);
	if (r->cfg->rotated)
		err = analyze_capture(r, files, 0, n);
	for (unsigned i = 0; !r->cfg->rotated && i < n && err == 0; i++) {
		if (atomic_load(&stopped)) {
			happened(r, EXIT_PARTIAL);
			break;
		}
		err = analyze_capture(r, &files[i], i, 1);
	}
	progress_clear(&r->progress);
	if (err == 0)
		err = analysis_judge(r->analysis);
	if (err != 0)
		return err;
	number_flows(r);
	return study_new(&r->study, r->analysis);
}

static bool want_colour(const struct analyze_config *cfg)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (cfg->color != 0)
		return cfg->color == 1;
	return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static void write_reports(struct run *r)
{
	const struct analysis *a = r->analysis;
	struct report_options o = {
		.min_verdict = min_verdict_of[r->cfg->min_verdict],
		.colour = want_colour(r->cfg),
		.real_clients = true,
		.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
		.errors = r->errors,
		.n_errors = r->n_errors,
		.study = r->study,
	};

	for (unsigned i = 0; i < a->n_captures; i++) {
		if (a->captures[i].partial)
			happened(r, EXIT_PARTIAL);
	}
	for (size_t i = 0; i < a->n_findings; i++) {
		if (a->findings[i]->verdict >= fail_on_of[r->cfg->fail_on])
			happened(r, EXIT_FINDINGS);
	}
	/* What cannot be compiled is told whether or not the capture had anything to search. */
	if (r->lists.matcher != NULL && ruleset_lists(r->lists.rules) > 1)
		matcher_prepare(r->lists.matcher);
	o.rules = r->lists.rules;
	o.matcher = r->lists.matcher;
	o.argv = options_invocation(&o.argc);
	o.conditions = r->conditions;
	o.exit_status = exit_status_of(r->conditions);
	if (outputs_write(&r->outputs, a, &o) != 0)
		happened(r, EXIT_IO);
}

static int name_outputs(struct outputs *o, const struct analyze_config *cfg)
{
	int err = 0;

	if (cfg->text != NULL)
		err = outputs_add(o, "text", cfg->text);
	if (err == 0 && cfg->jsonl != NULL)
		err = outputs_add(o, "jsonl", cfg->jsonl);
	if (err == 0 && cfg->dir != NULL)
		err = outputs_add_folder(o, cfg->dir);
	if (err == 0 && o->n == 0)
		err = outputs_add(o, "text", "-");
	return err;
}

/* What the option rows cannot check. */
static bool usage_fits(const struct analyze_config *cfg, int argc, char **argv)
{
	int stdins = 0;

	for (int i = 0; i < argc; i++)
		stdins += strcmp(argv[i], "-") == 0;
	const char *wrong = argc == 0 ? "no capture file is given"
			    : stdins > 1 ? "standard input can be read only once"
			    : cfg->workers > WORKERS_MAX ? "--workers: 1 to 64" : NULL;
	if (wrong != NULL)
		options_error(&command_analyze, wrong, NULL);
	return wrong == NULL;
}

/* What the user has on where addresses are. */
static bool places_open(struct run *r)
{
	const struct analyze_config *cfg = r->cfg;
	char why[320];

	if (cfg->country == NULL && cfg->asn_db.n == 0)
		return true;
	int err = geo_open(&r->geo, cfg->asn_db.v, cfg->asn_db.n, cfg->country, why, sizeof(why));
	if (err == -EINVAL)
		options_error(&command_analyze, why, cfg->country);
	else if (err != 0)
		log_error(NULL, "%s", why);
	if (err != 0)
		happened(r, err == -EINVAL || err == -ENOTSUP ? EXIT_USAGE
			    : err == -EBADMSG		  ? EXIT_INPUT
							  : EXIT_IO);
	return err == 0;
}

static int analyze_run(void *config, int argc, char **argv)
{
	const struct analyze_config *cfg = config;
	struct run r = {.cfg = cfg};

	if (!usage_fits(cfg, argc, argv))
		return EXIT_USAGE;
	log_set_level(cfg->quiet     ? LOG_LEVEL_ERROR
		      : cfg->verbose ? LOG_LEVEL_INFO
				     : LOG_LEVEL_WARN);
	if (name_outputs(&r.outputs, cfg) != 0) {
		happened(&r, EXIT_IO);
		goto out;
	}
	if (outputs_clash(&r.outputs, argv, argc)) {
		happened(&r, EXIT_USAGE);
		goto out;
	}
	if (outputs_open(&r.outputs) != 0) {
		happened(&r, EXIT_IO);
		goto out;
	}
	enum exit_status lists = lists_open(&r.lists, &cfg->lists);
	if (lists != EXIT_DONE) {
		happened(&r, lists);
		goto out;
	}
	if (!places_open(&r))
		goto out;
	struct analysis_config want = {.geo = r.geo,
				       .no_ndpi = cfg->no_ndpi,
				       .all_flows = outputs_has(&r.outputs, "jsonl"),
				       .vantage = vantage_of[cfg->vantage],
				       .rules = r.lists.rules, .matcher = r.lists.matcher};
	r.errors = calloc((size_t)argc, sizeof(*r.errors));
	r.first_file = calloc((size_t)argc, sizeof(*r.first_file));
	int err = r.errors == NULL || r.first_file == NULL ? -ENOMEM
							   : analysis_new(&r.analysis, &want);
	if (err == 0) {
		catch_signals();
		err = analyze_all(&r, (const char *const *)argv, (unsigned)argc);
	}
	if (err == 0)
		write_reports(&r);
	else if (err != -EDOM) /* a wrong filter was told already */
		out_of_memory(&r, err);
out:
	study_free(r.study);
	analysis_free(r.analysis);
	lists_close(&r.lists);
	geo_close(r.geo);
	free(r.first_file);
	free(r.errors);
	outputs_close(&r.outputs);
	return exit_status_of(r.conditions);
}

const struct command command_analyze = {
	.name = "analyze",
	.usage = "FILE...",
	.summary = "read captures and report what a middlebox did to which connection",
	.details = "FILE is a pcap or pcapng capture, also compressed, or - for standard input. "
		   "Each file is a capture of its own unless --rotated is given. Addresses and "
		   "names in the reports are the real ones. The report for people goes to standard "
		   "output unless an output is named. With --jsonl or -o a record of every flow is "
		   "kept in memory. SIGINT or SIGTERM ends the input and the report of what was "
		   "read is written; a second one ends the program at once.",
	.options = analyze_options,
	.config_size = sizeof(struct analyze_config),
	.run = analyze_run,
};
