/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope compare: two captures of one path, packet by packet. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log.h"
#include "tools/command.h"
#include "tools/compare/compare.h"
#include "tools/options.h"
#include "tools/plugins.h"
#include "tools/progress.h"
#include "tools/repeat.h"
#include "tools/session.h"

extern const struct command command_compare;

struct compare_options {
	struct session_config session;
	const char *bpf;
	struct option_strings ends[SIDES], plugins;
};

#define AT(field) .offset = offsetof(struct compare_options, field)
static const struct option_row compare_rows[] = {
	SESSION_OPTIONS(struct compare_options, session),
	SESSION_FROM(struct compare_options, session),
	{.name = "filter",
	 .letter = 'f',
	 .kind = OPTION_STRING,
	 AT(bpf),
	 .argument = "BPF",
	 .none = true,
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
	PLUGIN_OPTION(struct compare_options, plugins, "a packet source"),
	{.name = NULL},
};

struct run {
	const struct compare_options *cfg;
	struct comparison *comparison;
	struct session session;
	struct progress progress;
	struct ip_addr ends[SIDES][OPTION_STRINGS_MAX];
	struct report_input_error errors[SIDES];
	unsigned n_errors;
};

/* 0, or -errno when there is no going on; what is wrong with the file is in r. */
static int read_side(struct run *r, enum compare_side side, char **file)
{
	struct source_config from = {
		.files = (const char *const *)file, .n_files = 1, .bpf = r->cfg->bpf};
	struct pipeline_config pipe = {.workers = 1,
				       .stop = &session_stopped,
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
		session_input_failed(&r->session, err);
		comparison_captured(r->comparison, side, (const char *const *)file, &stats, err);
		return err == -EDOM ? err : 0;
	}
	err = pipeline_run(src, session_hooks(&r->session, comparison_hooks(r->comparison, side)),
			   &pipe, &stats);
	if (err != 0) {
		log_error(NULL, "%s: %s", *file, strerror(-err));
		session_happened(&r->session, EXIT_IO);
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

static void write_reports(struct run *r)
{
	struct report_options o = {
		.errors = r->errors,
		.n_errors = r->n_errors,
		.comparison = r->comparison,
		.study = comparison_study(r->comparison),
		.filter = r->cfg->bpf,
		.command = &command_compare,
		.config = r->cfg,
	};

	/* Not two captures of one path, or nothing came through: either way nothing could be
	 * compared. */
	if (!comparison_clock(r->comparison)->aligned) {
		log_error(NULL, "no packet is in both captures, so nothing could be compared");
		session_happened(&r->session, EXIT_PARTIAL);
	}
	session_write(&r->session, comparison_analysis(r->comparison), &o);
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

/* expected: of the run that this one repeats, or NULL. */
static int compare_once(const void *config, int argc, char **argv, const struct manifest *expected)
{
	const struct compare_options *cfg = config;
	struct run r = {.cfg = cfg, .session = {.expected = expected}};

	if (!usage_fits(&r, argc, argv) || !plugins_start(&cfg->plugins, &command_compare))
		return EXIT_USAGE;
	struct compare_config want = {.ends = {r.ends[0], r.ends[1]},
				      .n_ends = {cfg->ends[0].n, cfg->ends[1].n}};
	if (!session_start(&r.session, &cfg->session, argv, argc))
		goto out;
	int err = comparison_new(&r.comparison, &want);
	session_catch_signals();
	progress_start(&r.progress, !cfg->session.quiet, SIDES);
	for (unsigned side = 0; side < SIDES && err == 0; side++)
		err = read_side(&r, side, &argv[side]);
	progress_clear(&r.progress);
	if (err == 0)
		err = comparison_run(r.comparison);
	if (err == 0) {
		write_reports(&r);
	} else if (err != -EDOM) { /* a wrong filter was told already */
		log_error(NULL, "compare: %s", strerror(-err));
		session_happened(&r.session, EXIT_IO);
	}
out:
	comparison_free(r.comparison);
	session_end(&r.session);
	return session_exit_status(&r.session);
}

static int compare_run(void *config, int argc, char **argv)
{
	static const char *const made_by[] = {"compare", NULL};
	static const struct repeat repeat = {
		.command = &command_compare,
		.session = offsetof(struct compare_options, session),
		.made_by = made_by,
		.others = "only what compare found in two captures can be repeated by compare",
		.run = compare_once,
	};
	const struct compare_options *cfg = config;

	return cfg->session.from != NULL ? repeat_run(&repeat, cfg, argc)
					 : compare_once(cfg, argc, argv, NULL);
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
		"reported as inconclusive. What was dealt with alike is a box; its rule is a name, "
		"protocol, QUIC version, address or port that those dealt with have and those let "
		"through have not, stated only after several tries with others in between. A "
		"conversation that only one file has is judged if both "
		"of its addresses are known to be at the ends, from other conversations or from "
		"--client and --server.",
	.options = compare_rows,
	.config_size = sizeof(struct compare_options),
	.run = compare_run,
};
