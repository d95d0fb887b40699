/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope compare: two captures of one path, packet by packet. */

#include <arpa/inet.h>
#include <errno.h>
#include <langinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/log.h"
#include "tools/command.h"
#include "tools/compare/compare.h"
#include "tools/options.h"
#include "tools/outputs.h"
#include "tools/progress.h"

extern const struct command command_compare;

struct compare_options {
	const char *dir, *jsonl, *text, *bpf;
	struct option_strings ends[SIDES];
	int min_verdict, fail_on, color;
	bool quiet, verbose;
};

/* The first value is the default. */
static const char *const min_verdicts[] = {"inconclusive", "anomaly", "likely", "confirmed", NULL};
static const char *const fail_ons[] = {"likely",       "confirmed", "anomaly",
				       "inconclusive", "never",	    NULL};
static const char *const colors[] = {"auto", "always", "never", NULL};
static const enum verdict min_verdict_of[] = {VERDICT_INCONCLUSIVE, VERDICT_ANOMALY, VERDICT_LIKELY,
					      VERDICT_CONFIRMED};
static const enum verdict fail_on_of[] = {VERDICT_LIKELY, VERDICT_CONFIRMED, VERDICT_ANOMALY,
					  VERDICT_INCONCLUSIVE, VERDICT_N};

#define AT(field) .offset = offsetof(struct compare_options, field)
static const struct option_row compare_rows[] = {
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
	 .help = "write JSON Lines here: the run, and every finding with its packets in both "
		 "files"},
	{.name = "filter",
	 .letter = 'f',
	 .kind = OPTION_STRING,
	 AT(bpf),
	 .argument = "BPF",
	 .help = "only packets that match this pcap-filter(7) expression, of both files"},
	{.name = "client",
	 .kind = OPTION_STRINGS,
	 AT(ends[SIDE_CLIENT]),
	 .argument = "ADDR",
	 .help = "an address that is at the client's end, though no packet of it came through; "
		 "CLIENT "
		 "holds all of its packets; several times for several"},
	{.name = "server",
	 .kind = OPTION_STRINGS,
	 AT(ends[SIDE_SERVER]),
	 .argument = "ADDR",
	 .help = "the same at the server's end"},
	{.name = "min-verdict",
	 .kind = OPTION_ENUM,
	 AT(min_verdict),
	 .values = min_verdicts,
	 .help = "show findings from this verdict up; others are counted"},
	{.name = "fail-on",
	 .kind = OPTION_ENUM,
	 AT(fail_on),
	 .values = fail_ons,
	 .help = "exit with 1 if there is a finding of this verdict or above"},
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

/* Becomes true at the first SIGINT or SIGTERM; the second ends the program at once. */
static atomic_bool stopped;

static void on_signal(int sig)
{
	if (atomic_exchange(&stopped, true)) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
}

static void catch_signals(void)
{
	struct sigaction act = {.sa_handler = on_signal};

	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

struct run {
	const struct compare_options *cfg;
	struct comparison *comparison;
	struct outputs outputs;
	struct progress progress;
	struct ip_addr ends[SIDES][OPTION_STRINGS_MAX];
	struct report_input_error errors[SIDES];
	unsigned n_errors;
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

/* 0, or -errno when there is no going on; what is wrong with the file is in r. */
static int read_side(struct run *r, enum compare_side side, char **file)
{
	struct source_config from = {
		.files = (const char *const *)file, .n_files = 1, .bpf = r->cfg->bpf};
	struct pipeline_config pipe = {.workers = 1,
				       .stop = &stopped,
				       .progress = progress_show,
				       .progress_user = &r->progress};
	struct pipeline_stats stats = {.first_ns = 0};
	struct report_input_error *e = &r->errors[r->n_errors];
	struct source *src;

	int err = source_open(&src, NULL, &from, e->reason, sizeof(e->reason));
	if (err != 0) {
		log_error(NULL, "%s", e->reason);
		e->file = *file;
		r->n_errors++;
		happened(r, err == -EDOM     ? EXIT_USAGE
			    : err == -ENOMEM ? EXIT_IO
			    : err == -EINTR  ? EXIT_PARTIAL
					     : EXIT_INPUT);
		comparison_captured(r->comparison, side, (const char *const *)file, &stats, err);
		return err == -EDOM ? err : 0;
	}
	err = pipeline_run(src, comparison_hooks(r->comparison, side), &pipe, &stats);
	if (err != 0) {
		log_error(NULL, "%s: %s", *file, strerror(-err));
		happened(r, EXIT_IO);
	}
	comparison_captured(r->comparison, side, (const char *const *)file, &stats, err);
	progress_next(&r->progress, stats.source.received);
	for (unsigned i = 0; i < stats.source.n_damage; i++)
		log_warn(NULL, "%s: offset %llu: %s", *file,
			 (unsigned long long)stats.source.damage[i].offset,
			 stats.source.damage[i].reason);
	source_close(src);
	return 0;
}

static bool want_colour(const struct compare_options *cfg)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (cfg->color != 0)
		return cfg->color == 1;
	return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static void write_reports(struct run *r)
{
	const struct analysis *a = comparison_analysis(r->comparison);
	struct report_options o = {
		.min_verdict = min_verdict_of[r->cfg->min_verdict],
		.colour = want_colour(r->cfg),
		.real_clients = true,
		.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
		.errors = r->errors,
		.n_errors = r->n_errors,
		.comparison = r->comparison,
	};

	for (unsigned i = 0; i < a->n_captures; i++) {
		if (a->captures[i].partial)
			happened(r, EXIT_PARTIAL);
	}
	for (size_t i = 0; i < a->n_findings; i++) {
		if (a->findings[i]->verdict >= fail_on_of[r->cfg->fail_on])
			happened(r, EXIT_FINDINGS);
	}
	/* Not two captures of one path, or nothing came through: either way nothing could be
	 * compared. */
	if (!comparison_clock(r->comparison)->aligned)
		happened(r, EXIT_PARTIAL);
	o.argv = options_invocation(&o.argc);
	o.conditions = r->conditions;
	o.exit_status = exit_status_of(r->conditions);
	if (outputs_write(&r->outputs, a, &o) != 0)
		happened(r, EXIT_IO);
}

static int open_outputs(struct run *r, char **argv, int argc)
{
	const struct compare_options *cfg = r->cfg;
	int err = 0;

	if (cfg->text != NULL)
		err = outputs_add(&r->outputs, "text", cfg->text);
	if (err == 0 && cfg->jsonl != NULL)
		err = outputs_add(&r->outputs, "jsonl", cfg->jsonl);
	if (err == 0 && cfg->dir != NULL)
		err = outputs_add_folder(&r->outputs, cfg->dir);
	if (err == 0 && r->outputs.n == 0)
		err = outputs_add(&r->outputs, "text", "-");
	if (err == 0 && outputs_clash(&r->outputs, argv, argc)) {
		happened(r, EXIT_USAGE);
		return -EINVAL;
	}
	if (err == 0)
		err = outputs_open(&r->outputs);
	if (err != 0)
		happened(r, EXIT_IO);
	return err;
}

static bool parse_address(const char *text, struct ip_addr *out)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*out = (struct ip_addr){.b = {[10] = 0xff, [11] = 0xff}};
		memcpy(out->b + 12, &v4, sizeof(v4));
		return true;
	}
	return inet_pton(AF_INET6, text, out->b) == 1;
}

/* What the option rows cannot check. */
static bool usage_fits(struct run *r, int argc, char **argv)
{
	const char *wrong = NULL, *what = NULL;

	if (argc != 2)
		wrong = "two capture files are wanted: of the client's end, then of the server's";
	else if (strcmp(argv[0], "-") == 0 && strcmp(argv[1], "-") == 0)
		wrong = "standard input can be read only once";
	for (unsigned side = 0; side < SIDES && wrong == NULL; side++) {
		const struct option_strings *s = &r->cfg->ends[side];
		for (unsigned i = 0; i < s->n && wrong == NULL; i++) {
			if (parse_address(s->v[i], &r->ends[side][i]))
				continue;
			wrong = "not an address";
			what = s->v[i];
		}
	}
	if (wrong != NULL)
		options_error(&command_compare, wrong, what);
	return wrong == NULL;
}

static int compare_run(void *config, int argc, char **argv)
{
	const struct compare_options *cfg = config;
	struct run r = {.cfg = cfg};

	if (!usage_fits(&r, argc, argv))
		return EXIT_USAGE;
	log_set_level(cfg->quiet     ? LOG_LEVEL_ERROR
		      : cfg->verbose ? LOG_LEVEL_INFO
				     : LOG_LEVEL_WARN);
	struct compare_config want = {.ends = {r.ends[0], r.ends[1]},
				      .n_ends = {cfg->ends[0].n, cfg->ends[1].n}};
	if (open_outputs(&r, argv, argc) != 0)
		goto out;
	int err = comparison_new(&r.comparison, &want);
	catch_signals();
	progress_start(&r.progress, !cfg->quiet, SIDES);
	for (unsigned side = 0; side < SIDES && err == 0; side++)
		err = read_side(&r, side, &argv[side]);
	progress_clear(&r.progress);
	if (err == 0)
		err = comparison_run(r.comparison);
	if (err == 0) {
		write_reports(&r);
	} else if (err != -EDOM) { /* a wrong filter was told already */
		log_error(NULL, "compare: %s", strerror(-err));
		happened(&r, EXIT_IO);
	}
out:
	comparison_free(r.comparison);
	outputs_close(&r.outputs);
	return exit_status_of(r.conditions);
}

const struct command command_compare = {
	.name = "compare",
	.usage = "CLIENT SERVER",
	.summary = "hold two captures of one path against each other, packet by packet",
	.details =
		"CLIENT and SERVER are captures taken at the same time at the two ends of a path, "
		"or - for standard input. Packets are paired through address translation, changes "
		"of TTL, ECN, MSS and options, and other segment boundaries; the clocks need not "
		"agree. What arrived at one end and never left the other was injected, what left "
		"and never arrived was dropped, unless a capture may have missed it. Loss alone is "
		"reported as inconclusive. A conversation that only one file has is judged if both "
		"of its addresses are known to be at the ends, from other conversations or from "
		"--client and --server.",
	.options = compare_rows,
	.config_size = sizeof(struct compare_options),
	.run = compare_run,
};
