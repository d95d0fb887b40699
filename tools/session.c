/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/session.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classifiers/spill.h"
#include "dataplane/log.h"
#include "tools/facts.h"
#include "tools/manifest.h"
#include "tools/options.h"
#include "tools/privacy/model.h"
#include "tools/privacy/survey.h"
#include "tools/testimony/testimony.h"

/* The first value is the default. */
const char *const session_min_verdicts[] = {"inconclusive", "anomaly", "likely", "confirmed", NULL};
const char *const session_fail_ons[] = {"likely",	"confirmed", "anomaly",
					"inconclusive", "never",     NULL};
const char *const session_colors[] = {"auto", "always", "never", NULL};

static const enum verdict min_verdict_of[] = {VERDICT_INCONCLUSIVE, VERDICT_ANOMALY, VERDICT_LIKELY,
					      VERDICT_CONFIRMED};
static const enum verdict fail_on_of[] = {VERDICT_LIKELY, VERDICT_CONFIRMED, VERDICT_ANOMALY,
					  VERDICT_INCONCLUSIVE, VERDICT_N};

atomic_bool session_stopped;

static void on_signal(int sig)
{
	if (atomic_exchange(&session_stopped, true)) {
		/* The second: at once, by what the signal does by itself once this returns. */
		signal(sig, SIG_DFL);
		raise(sig);
	}
}

void session_catch_signals(void)
{
	/* Without SA_RESTART, so that a read from a pipe that says nothing ends too. */
	struct sigaction act = {.sa_handler = on_signal};

	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
}

void session_happened(struct session *s, enum exit_status status)
{
	s->conditions |= 1U << status;
}

int session_exit_status(const struct session *s)
{
	static const enum exit_status order[] = {EXIT_USAGE, EXIT_IO, EXIT_INPUT, EXIT_PARTIAL,
						 EXIT_FINDINGS};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if ((s->conditions & 1U << order[i]) != 0)
			return (int)order[i];
	}
	return EXIT_DONE;
}

void session_input_failed(struct session *s, int err)
{
	session_happened(s, err == -EDOM     ? EXIT_USAGE
			    : err == -ENOMEM ? EXIT_IO
			    : err == -EINTR  ? EXIT_PARTIAL
					     : EXIT_INPUT);
}

void session_spill(struct session *s)
{
	const char *tmp = getenv("TMPDIR");
	/* What is large and lasts as long as a run: /tmp often is memory, file-hierarchy(7). */
	struct spill_config want = {.dir = tmp != NULL && tmp[0] != '\0' ? tmp : "/var/tmp"};

	(void)spill_new(&s->spill, &want); /* without it there is memory */
}

static int name_outputs(struct session *s)
{
	const struct session_config *cfg = s->cfg;
	struct outputs *o = &s->outputs;
	int err = 0;

	if (cfg->text != NULL)
		err = outputs_add(o, "text", cfg->text);
	if (err == 0 && cfg->jsonl != NULL)
		err = outputs_add(o, "jsonl", cfg->jsonl);
	if (err == 0 && cfg->zeek != NULL)
		err = outputs_add_in(o, "zeek", cfg->zeek);
	unsigned same = o->n;
	if (err == 0 && cfg->from != NULL)
		err = outputs_add(o, "same", "-");
	unsigned first = cfg->private_all ? 0 : o->n;
	if (err == 0 && cfg->html != NULL)
		err = outputs_add(o, "html", cfg->html);
	if (err == 0 && cfg->pcapng != NULL)
		err = outputs_add(o, "pcapng", cfg->pcapng);
	if (err == 0 && cfg->dir != NULL)
		err = outputs_add_folder(o, cfg->dir);
	if (err == 0 && o->n == 0)
		err = outputs_add(o, "text", "-");
	/* What was named by nothing goes to the terminal. */
	if (cfg->private_all || cfg->html != NULL || cfg->pcapng != NULL || cfg->dir != NULL)
		outputs_share(o, cfg->show_clients ? o->n : first);
	/* What another report has without clients is compared without them. */
	if (err == 0 && cfg->from != NULL)
		o->list[same].shared = manifest_is_private(s->expected);
	return err;
}

/* Packets are read a second time to be written with comments. */
static bool can_annotate(const struct session_config *cfg, char *const *inputs, int n_inputs)
{
	for (int i = 0; i < n_inputs && cfg->pcapng != NULL; i++) {
		if (strcmp(inputs[i], "-") == 0) {
			log_error(NULL, "--pcapng: standard input cannot be read twice");
			return false;
		}
	}
	return true;
}

static bool open_privacy(struct session *s)
{
	struct privacy_config want = {.key_file = s->cfg->key, .all_names = s->cfg->all_names,
				      .keep_payload = s->cfg->keep_payload,
				      .redact_names = s->cfg->redact_names};
	char why[320];

	if (!outputs_any(&s->outputs, true))
		return true;
	int err = privacy_new(&s->privacy, &want, why, sizeof(why));
	if (err != 0) {
		log_error(NULL, "%s", why[0] != '\0' ? why : strerror(-err));
		session_happened(s, why[0] != '\0' ? EXIT_USAGE : EXIT_IO);
	}
	return err == 0;
}

/* Pseudonyms of a key that is not kept can meet no others: then there is nobody to testify to. */
static bool open_testimony(struct session *s)
{
	s->testify = s->may_testify && s->cfg->dir != NULL &&
		     (s->privacy == NULL || s->cfg->key != NULL);
	if (s->testify && s->privacy == NULL && survey_new(&s->survey) != 0) {
		session_happened(s, EXIT_IO);
		return false;
	}
	return true;
}

/* What was asked for and cannot be had; NULL: nothing. */
static const char *contradiction(const struct session *s)
{
	const struct session_config *cfg = s->cfg;

	if (cfg->private_all && cfg->show_clients)
		return "--private and --show-clients contradict each other";
	if (!cfg->redact_names)
		return NULL;
	return cfg->show_clients   ? "--redact-names and --show-clients contradict each other"
	       : cfg->keep_payload ? "--redact-names leaves no payload that could be kept"
	       : !outputs_any(&s->outputs, true)
		       ? "--redact-names is about -o, --html and --pcapng: all else has real names "
			 "but with --private"
		       : NULL;
}

bool session_start(struct session *s, const struct session_config *cfg, char *const *inputs,
		   int n_inputs)
{
	s->cfg = cfg;
	log_set_level(cfg->quiet     ? LOG_LEVEL_ERROR
		      : cfg->verbose ? LOG_LEVEL_INFO
				     : LOG_LEVEL_WARN);
	if ((cfg->dir != NULL && strcmp(cfg->dir, "-") == 0) ||
	    (cfg->zeek != NULL && strcmp(cfg->zeek, "-") == 0)) {
		log_error(NULL, "-o, --zeek: standard output is no folder");
		session_happened(s, EXIT_USAGE);
		return false;
	}
	if (name_outputs(s) != 0) {
		session_happened(s, EXIT_IO);
		return false;
	}
	if (!can_annotate(cfg, inputs, n_inputs) ||
	    outputs_clash(&s->outputs, inputs, n_inputs)) {
		session_happened(s, EXIT_USAGE);
		return false;
	}
	const char *wrong = contradiction(s);
	if (wrong != NULL) {
		log_error(NULL, "%s", wrong);
		session_happened(s, EXIT_USAGE);
		return false;
	}
	if (!open_privacy(s) || !open_testimony(s))
		return false;
	if (outputs_open(&s->outputs) != 0) {
		session_happened(s, EXIT_IO);
		return false;
	}
	return true;
}

const struct pipeline_hooks *session_hooks(struct session *s, const struct pipeline_hooks *inner)
{
	if (s->survey != NULL)
		return survey_hooks(s->survey, inner);
	return s->privacy != NULL ? privacy_hooks(s->privacy, inner) : inner;
}

struct survey *session_survey(const struct session *s)
{
	return s->privacy != NULL ? privacy_survey(s->privacy) : s->survey;
}

const struct seal_key *session_seal_key(const struct session *s)
{
	return s->privacy != NULL ? privacy_seal_key(s->privacy) : NULL;
}

static bool want_colour(const struct session_config *cfg)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (cfg->color != 0)
		return cfg->color == 1;
	return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static void write_shared(struct session *s, struct analysis *a, struct report_options *o)
{
	o->conditions = s->conditions;
	o->exit_status = session_exit_status(s);
	int err = privacy_apply(s->privacy, a, o);
	if (err != 0)
		log_error(NULL, "what is shared is not written: %s", strerror(-err));
	if (err != 0 || outputs_write(&s->outputs, a, o, true) != 0)
		session_happened(s, EXIT_IO);
}

/* Nothing in it could be read: not the same as nothing found. */
static void unread(struct session *s, const struct capture_result *c)
{
	if (!facts_unread(c))
		return;
	for (unsigned i = 0; i < c->n_files; i++)
		log_error(c->files[i], "no packet could be read: link type %u is not known",
			  c->stats.source.n_ifaces != 0 ? c->stats.source.ifaces[0].linktype : 0);
	session_happened(s, EXIT_INPUT);
}

/* What was not looked at may be what there was to find. */
static void incomplete(struct session *s, const struct capture_result *c)
{
	uint64_t unexamined = facts_unexamined(c);

	if (unexamined > 0)
		log_error(NULL, "%s: out of memory: %" PRIu64 " packets were not examined",
			  c->n_files != 0 ? c->files[0] : "the capture", unexamined);
	if (unexamined > 0 || c->partial)
		session_happened(s, EXIT_PARTIAL);
}

void session_write(struct session *s, struct analysis *a, struct report_options *o)
{
	o->min_verdict = min_verdict_of[s->cfg->min_verdict];
	o->colour = want_colour(s->cfg);
	o->real_clients = true;
	if (o->plugins.n == 0)
		o->plugins = plugins_said();
	o->all_packets = s->cfg->all_packets;
	o->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	for (unsigned i = 0; i < a->n_captures; i++) {
		incomplete(s, &a->captures[i]);
		unread(s, &a->captures[i]);
	}
	for (size_t i = 0; i < a->n_findings; i++)
		a->findings[i]->number = (unsigned)i + 1;
	/* A run that repeats another is asked whether it found the same. */
	for (size_t i = 0; i < a->n_findings && s->expected == NULL; i++) {
		if (a->findings[i]->verdict >= fail_on_of[s->cfg->fail_on])
			session_happened(s, EXIT_FINDINGS);
	}
	o->argv = options_invocation(&o->argc);
	o->conditions = s->conditions;
	o->exit_status = session_exit_status(s);
	if (s->cfg->dir != NULL && !s->testified)
		testimony_forget(s->cfg->dir);
	o->seal_key = session_seal_key(s);
	o->expected = s->expected;
	o->same = &s->same;
	if (outputs_write(&s->outputs, a, o, false) != 0)
		session_happened(s, EXIT_IO);
	if (s->privacy != NULL)
		write_shared(s, a, o);
	if (s->expected != NULL && !s->same)
		session_happened(s, EXIT_FINDINGS);
}

void session_end(struct session *s)
{
	outputs_close(&s->outputs);
	privacy_free(s->privacy);
	survey_free(s->survey);
	arena_free(&s->arena);
	spill_free(s->spill);
	s->spill = NULL;
	s->privacy = NULL;
	s->survey = NULL;
}
