/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * merge: reports of several captures as one, from the testimony that their folders keep. What one
 * capture decided stays; what pools over captures is judged again.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "classifiers/inspector.h"
#include "classifiers/lists/rules.h"
#include "config.h"
#include "dataplane/log.h"
#include "tools/analyze.h"
#include "tools/digest.h"
#include "tools/manifest.h"
#include "tools/options.h"
#include "tools/privacy/key.h"
#include "tools/study/study.h"
#include "tools/testimony/fit.h"
#include "tools/testimony/testimony.h"

extern const struct command command_merge;

struct merge_config {
	struct session_config session;
};

static const struct option_row merge_options[] = {
	SESSION_OPTIONS(struct merge_config, session),
	{.name = NULL},
};

struct merge {
	char *const *dirs;
	unsigned n;
	struct testimony **from;      /* n of them */
	struct analyze_config cfg;    /* what one run over all would have been told */
	struct analysis *analysis;
	struct study *study;
	struct analysis_setup setup;
	struct session session;
	struct report_input_error *errors;
	unsigned n_errors, n_inputs;
};

static void refuse(struct merge *m, enum exit_status status, const char *why)
{
	log_error(NULL, "%s", why);
	session_happened(&m->session, status);
}

static int read_key(const char *path, struct seal_key *out, char *why, size_t len)
{
	uint8_t key[CRYPTO_PAN_KEY];

	int err = privacy_key_read(path, key, why, len);
	if (err == 0)
		err = seal_key_make(out, key, sizeof(key));
	privacy_key_forget(key);
	return err;
}

static enum exit_status status_of(int err)
{
	return err == -ENOKEY || err == -EKEYREJECTED ? EXIT_USAGE
	       : err == -EBADMSG || err == -ENOENT || err == -ENOTDIR ? EXIT_INPUT
								     : EXIT_IO;
}

/* Why there is no testimony, where no option would have kept one. */
static void say_other(const char *dir, char *why, size_t len)
{
	struct manifest m;
	char *path, ignored[320];

	if (asprintf(&path, "%s/report.json", dir) < 0)
		return;
	if (manifest_read(&m, path, ignored, sizeof(ignored)) == 0) {
		const char *by = manifest_made_by(&m);
		if (strcmp(by, "compare") == 0 || strcmp(by, "audit") == 0)
			snprintf(why, len, "%s: is a report of %s: what it proves stands on its own two "
					   "captures, and there is nothing to judge over several", dir, by);
		manifest_close(&m);
	}
	free(path);
}

static bool open_all(struct merge *m)
{
	struct seal_key seal = {.seal = {0}};
	const char *path = m->cfg.session.key;
	char why[640];

	if (path != NULL && read_key(path, &seal, why, sizeof(why)) != 0) {
		refuse(m, EXIT_USAGE, why);
		return false;
	}
	for (unsigned i = 0; i < m->n; i++) {
		int err = testimony_open(&m->from[i], m->dirs[i], path != NULL ? &seal : NULL, why,
					 sizeof(why));
		if (err == -ENOENT)
			say_other(m->dirs[i], why, sizeof(why));
		if (err != 0) {
			refuse(m, status_of(err), why);
			break;
		}
	}
	seal_key_forget(&seal);
	return m->n != 0 && m->from[m->n - 1] != NULL;
}

/* One run has its controls behind all other captures, and each once. */
static bool has_controls(const struct testimony_head *h)
{
	for (uint64_t i = 0; i < h->n_options; i++)
		if (strncmp(h->options[i], "--control=", 10) == 0)
			return true;
	return false;
}

/* Reports that one run could have made. */
static bool fit(struct merge *m)
{
	const struct testimony_head *first = testimony_head(m->from[0]);
	char why[640];

	for (unsigned i = 0; i < m->n; i++) {
		const struct testimony_head *h = testimony_head(m->from[i]);
		if (strcmp(h->version, WMSCOPE_VERSION) != 0) {
			log_error(NULL, "%s: was made by wmscope %s, this is " WMSCOPE_VERSION,
				  m->dirs[i], h->version);
		} else if (!testimony_fits(h, m->dirs[i], first, m->dirs[0], why, sizeof(why))) {
			log_error(NULL, "%s", why);
		} else if (has_controls(h)) {
			log_error(NULL, "%s has captures given with --control: analyze all together",
				  m->dirs[i]);
		} else {
			continue;
		}
		session_happened(&m->session, EXIT_USAGE);
		return false;
	}
	return true;
}

/* As if its options had been given here. */
static bool take_options(struct merge *m)
{
	const struct testimony_head *h = testimony_head(m->from[0]);
	const struct session_config mine = m->cfg.session;
	char **argv = calloc((size_t)h->n_options + 2, sizeof(*argv));
	int n = 0, first;

	if (argv == NULL) {
		refuse(m, EXIT_IO, strerror(ENOMEM));
		return false;
	}
	argv[n++] = (char *)(uintptr_t)command_analyze.name;
	for (uint64_t i = 0; i < h->n_options; i++)
		if (!testimony_is_for_show(h->options[i]))
			argv[n++] = (char *)(uintptr_t)h->options[i];
	bool ok = manifest_options_known(&command_analyze, n - 1, argv + 1) &&
		  options_parse(&command_analyze, &m->cfg, n, argv, &first) == OPTIONS_RUN;
	free(argv);
	m->cfg.session = mine;
	if (!ok)
		refuse(m, EXIT_INPUT, "the reports say options that analyze does not have");
	return ok;
}

/* Labels and pages say which rule, by its number. Where addresses are was looked up already. */
static bool open_lists(struct merge *m)
{
	const struct testimony_head *h = testimony_head(m->from[0]);
	enum exit_status status = lists_open(&m->setup.lists, &m->cfg.analysis.lists);
	const struct ruleset *rules = m->setup.lists.rules;

	if (status != EXIT_DONE) {
		session_happened(&m->session, status);
		return false;
	}
	if (rules != NULL && memcmp(h->rules, ruleset_hash(rules), sizeof(h->rules)) == 0)
		return true;
	refuse(m, EXIT_USAGE, "the reports were made with other lists of rules than are here "
			      "(wmscope lists): merge them where they were made");
	return false;
}

static bool known_already(const struct merge *m, unsigned n, const struct capture_digest *d,
			  unsigned *where)
{
	for (*where = 0; *where < n; ++*where) {
		const struct capture_result *c = &m->analysis->captures[*where];
		for (unsigned i = 0; i < c->n_files; i++)
			if (d->sha256[0] != '\0' && strcmp(c->digests[i].sha256, d->sha256) == 0)
				return true;
	}
	return false;
}

/* What two reports have in common would count twice. before: captures of the reports before this. */
static bool disjoint(struct merge *m, unsigned report, unsigned before)
{
	for (unsigned i = before; i < m->analysis->n_captures; i++) {
		const struct capture_result *c = &m->analysis->captures[i];
		for (unsigned k = 0; k < c->n_files; k++) {
			unsigned where;
			if (!known_already(m, before, &c->digests[k], &where))
				continue;
			log_error(NULL, "%s: %s is the same capture as %s of a report before it",
				  m->dirs[report], c->files[k], m->analysis->captures[where].files[0]);
			session_happened(&m->session, EXIT_USAGE);
			return false;
		}
	}
	return true;
}

static bool take_one(struct merge *m, unsigned i)
{
	const struct testimony_head *h = testimony_head(m->from[i]);
	unsigned before = m->analysis->n_captures;
	char why[640];

	int err = testimony_take(m->from[i], m->analysis, m->setup.lists.rules,
				 session_survey(&m->session), m->n_inputs, why, sizeof(why));
	if (err != 0) {
		refuse(m, status_of(err), why);
		return false;
	}
	for (uint64_t k = 0; k < h->n_errors; k++)
		m->errors[m->n_errors++] = h->errors[k];
	m->n_inputs += (unsigned)h->n_inputs;
	m->session.conditions |= (unsigned)h->conditions;
	return disjoint(m, i, before);
}

/* Rooms for what all of them say. */
static bool make_room(struct merge *m)
{
	uint64_t errors = 0, inputs = 0;

	for (unsigned i = 0; i < m->n; i++) {
		errors += testimony_head(m->from[i])->n_errors;
		inputs += testimony_head(m->from[i])->n_inputs;
	}
	/* A flow's id has 24 bits for its file. */
	if (inputs >= 1u << 24) {
		refuse(m, EXIT_INPUT, "the reports are about more files than one run can have");
		return false;
	}
	m->errors = calloc((size_t)errors + 1, sizeof(*m->errors));
	if (m->errors == NULL)
		refuse(m, EXIT_IO, strerror(ENOMEM));
	return m->errors != NULL;
}

/* A capture of the run that is not where it was, or not what it was; NULL: all are. */
static const char *missing(const struct analysis *a)
{
	char hex[DIGEST_HEX];
	uint64_t size;

	for (unsigned i = 0; i < a->n_captures; i++) {
		const struct capture_result *c = &a->captures[i];
		for (unsigned k = 0; k < c->n_files; k++)
			if (c->digests[k].sha256[0] == '\0' ||
			    digest_file(c->files[k], hex, &size) != 0 ||
			    strcmp(hex, c->digests[k].sha256) != 0)
				return c->files[k];
	}
	return NULL;
}

/* Testimony has no packets: they are written again only where the captures are still at hand. */
static void find_packets(struct merge *m)
{
	const char *file = outputs_has(&m->session.outputs, "pcapng") ? missing(m->analysis) : NULL;

	if (file == NULL)
		return;
	if (m->cfg.session.pcapng != NULL) {
		log_error(NULL, "--pcapng: %s is not here, or not what it was", file);
		session_happened(&m->session, EXIT_INPUT);
	} else {
		log_warn(NULL, "no packets are written: %s is not here, or not what it was", file);
	}
	outputs_drop(&m->session.outputs, "pcapng");
}

static bool judge(struct merge *m)
{
	int err = study_new(&m->study, m->analysis);

	if (err != 0)
		refuse(m, EXIT_IO, strerror(-err));
	return err == 0;
}

/* What is read lasts until the end, and would be lost to an early one. */
static bool writes_elsewhere(struct merge *m)
{
	struct stat out, in;

	if (m->cfg.session.dir == NULL || stat(m->cfg.session.dir, &out) != 0)
		return true;
	for (unsigned i = 0; i < m->n; i++) {
		if (stat(m->dirs[i], &in) != 0 || in.st_dev != out.st_dev || in.st_ino != out.st_ino)
			continue;
		log_error(NULL, "%s: would be overwritten by the report that it is to be part of",
			  m->dirs[i]);
		session_happened(&m->session, EXIT_USAGE);
		return false;
	}
	return true;
}

static bool merge_all(struct merge *m)
{
	for (unsigned i = 0; i < m->n; i++)
		if (!take_one(m, i))
			return false;
	const struct testimony_run run = {.command = &command_analyze,
					  .config = &m->cfg,
					  .rules = m->setup.lists.rules,
					  .errors = m->errors,
					  .n_errors = m->n_errors,
					  .n_inputs = m->n_inputs,
					  .plugins = testimony_head(m->from[0])->plugins};
	testimony_keep(&m->session, m->analysis, &run);
	find_packets(m);
	return judge(m);
}

static void write_reports(struct merge *m)
{
	struct report_options o = {
		.errors = m->errors,
		.n_errors = m->n_errors,
		.study = m->study,
		.filter = m->cfg.analysis.bpf,
		.command = &command_analyze,
		.config = &m->cfg,
		.rules = m->setup.lists.rules,
		.matcher = m->setup.lists.matcher,
		.plugins = testimony_head(m->from[0])->plugins,
	};

	if (m->setup.lists.matcher != NULL && ruleset_lists(m->setup.lists.rules) > 1)
		matcher_prepare(m->setup.lists.matcher);
	session_write(&m->session, m->analysis, &o);
}

static void merge_close(struct merge *m)
{
	study_free(m->study);
	analysis_free(m->analysis);
	for (unsigned i = 0; m->from != NULL && i < m->n; i++)
		testimony_free(m->from[i]);
	analysis_setup_close(&m->setup);
	free(m->from);
	free(m->errors);
	session_end(&m->session);
}

static int merge_run(void *config, int argc, char **argv)
{
	const struct merge_config *cfg = config;
	struct merge m = {.dirs = argv, .n = (unsigned)argc, .cfg = {.session = cfg->session},
			  .session = {.may_testify = true}};

	if (argc == 0) {
		options_error(&command_merge, "no report is given", NULL);
		return EXIT_USAGE;
	}
	m.from = calloc((size_t)argc, sizeof(struct testimony *));
	if (m.from == NULL) {
		refuse(&m, EXIT_IO, strerror(ENOMEM));
		goto out;
	}
	if (!writes_elsewhere(&m) || !open_all(&m) || !fit(&m) || !take_options(&m) || !make_room(&m))
		goto out;
	if (!session_start(&m.session, &m.cfg.session, argv, argc) ||
	    !open_lists(&m))
		goto out;
	/* What was sealed is not put on a disk in the clear. */
	if (m.cfg.session.key == NULL)
		session_spill(&m.session);
	struct analysis_config want = analysis_setup_config(&m.setup, &m.cfg.analysis, &m.session);
	int err = analysis_new(&m.analysis, &want);
	if (err != 0)
		refuse(&m, EXIT_IO, strerror(-err));
	else if (merge_all(&m))
		write_reports(&m);
out:
	merge_close(&m);
	return session_exit_status(&m.session);
}

const struct command command_merge = {
	.name = "merge",
	.usage = "DIR...",
	.summary = "join reports of several captures into the one that a single run would have made",
	.details = "DIR is what analyze -o wrote, with --key or --show-clients: then its "
		   "testimony.bin holds what was seen and found of every connection, sealed with the key "
		   "unless clients are shown. Captures are not needed, nor read but to write their packets "
		   "again, where they still are. Each capture was judged by itself; names, controls, "
		   "residual windows and profiles are judged again over all, in the order given. Reports "
		   "are refused that were made with other options, lists, keys or another wmscope, and "
		   "those that have a capture in common. A connection that one capture begins and another "
		   "ends stays two: give such captures to analyze --rotated.",
	.options = merge_options,
	.config_size = sizeof(struct merge_config),
	.run = merge_run,
};
