/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/testimony/testimony.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "classifiers/lists/rules.h"
#include "config.h"
#include "dataplane/log.h"
#include "tools/escape.h"
#include "tools/folder.h"
#include "tools/input_digests.h"
#include "tools/manifest.h"
#include "tools/privacy/survey.h"
#include "tools/session.h"
#include "tools/testimony/shapes.h"

#define FILE_SHIFT 40 /* of a flow's id: which of the files its first packet is in */

struct kept_survey {
	uint64_t n_parts;
	struct survey_part *parts;
};

#define T struct report_input_error
static const struct wire_field error_rows[] = {STRING(T, file, .required = true), TEXT(T, reason)};
#undef T
static const struct wire_shape shape_error = {SHAPE(report_input_error, error_rows)};

#define T struct plugin_said
static const struct wire_field plugin_rows[] = {
	STRING(T, file, .required = true), STRING(T, sha256, .required = true),
	STRING(T, adds, .required = true),
};
#undef T
static const struct wire_shape shape_plugin = {SHAPE(plugin_said, plugin_rows)};

#define T struct testimony_head
static const struct wire_field head_rows[] = {
	STRING(T, version, .required = true), U(T, n_options), STRINGS(T, options, n_options),
	BYTES(T, rules), U(T, plugins.n, .most = OPTION_STRINGS_MAX),
	STRUCTS(T, plugins.list, plugins.n, &shape_plugin), U(T, n_inputs),
	U(T, conditions, .most = UINT8_MAX), U(T, n_errors),
	STRUCTS(T, errors, n_errors, &shape_error), U(T, n_captures),
};
#undef T
static const struct wire_shape shape_head = {SHAPE(testimony_head, head_rows)};

#define T struct survey_host
static const struct wire_field host_rows[] = {BYTES(T, addr), U(T, role)};
#undef T
static const struct wire_shape shape_host = {SHAPE(survey_host, host_rows)};

#define T struct tsg_stamp
static const struct wire_field stamp_rows[] = {U(T, window), U(T, ip_id), U(T, ttl)};
#undef T
static const struct wire_shape shape_stamp = {SHAPE(tsg_stamp, stamp_rows)};

#define T struct survey_stamps
static const struct wire_field stamps_rows[] = {
	BYTES(T, pair), U(T, n, .most = SURVEY_STAMPS), STRUCT_ARRAY(T, stamp, &shape_stamp),
};
#undef T
static const struct wire_shape shape_stamps = {SHAPE(survey_stamps, stamps_rows)};

#define T struct survey_part
static const struct wire_field part_rows[] = {
	U(T, n_hosts), STRUCTS(T, hosts, n_hosts, &shape_host), U(T, n_pairs),
	STRUCTS(T, pairs, n_pairs, &shape_stamps), U(T, refused),
};
#undef T
static const struct wire_shape shape_part = {SHAPE(survey_part, part_rows)};

#define T struct kept_survey
static const struct wire_field survey_rows[] = {
	U(T, n_parts, .most = FLOW_SHARDS), STRUCTS(T, parts, n_parts, &shape_part),
};
#undef T
static const struct wire_shape shape_survey = {SHAPE(kept_survey, survey_rows)};

struct layout {
	uint64_t hash;
};
static const struct wire_field layout_rows[] = {U(struct layout, hash)};
static const struct wire_shape shape_layout = {SHAPE(layout, layout_rows)};

struct testimony {
	FILE *in;
	struct seal *seal;
	struct arena arena;
	struct wire wire;
	struct testimony_head head;
	char name[256]; /* the file's, escaped */
};

/* Of all that a file holds. */
static uint64_t layout_hash(void)
{
	return wire_layout(&shape_head) ^ wire_layout(&shape_judged_capture) * 3 ^
	       wire_layout(&shape_survey) * 5;
}

/* What the wire says is wrong. */
static int wrong(struct testimony *t, int err, char *why, size_t len)
{
	if (err == 0)
		return 0;
	int n = snprintf(why, len, "%s: ", t->name);
	if (n > 0 && (size_t)n < len)
		wire_why(&t->wire, why + n, len - (size_t)n);
	return err;
}

static int refused(const struct testimony *t, int err, const char *reason, char *why, size_t len)
{
	snprintf(why, len, "%s: %s", t->name, reason);
	return err;
}

static int read_head(struct testimony *t, char *why, size_t len)
{
	struct layout layout = {.hash = 0};

	wire_walk(&t->wire, &shape_layout, &layout);
	if (t->wire.err == 0 && layout.hash != layout_hash())
		return refused(t, -EBADMSG, "was written by another version of wmscope", why, len);
	wire_walk(&t->wire, &shape_head, &t->head);
	return wrong(t, t->wire.err, why, len);
}

static int open_seal(struct testimony *t, const struct seal_key *key, char *why, size_t len)
{
	struct stat st;

	if (fstat(fileno(t->in), &st) != 0 || !S_ISREG(st.st_mode))
		return refused(t, -EBADMSG, "is no regular file", why, len);
	int err = seal_open(&t->seal, t->in, key);
	const char *reason = err == -ENOKEY	    ? "is sealed: give the report's --key"
			     : err == -EKEYREJECTED ? "was made with another key than this one"
			     : err == -EBADMSG	    ? "is no testimony of this version of wmscope"
						    : strerror(-err);
	if (err != 0)
		return refused(t, err, reason, why, len);
	t->wire.reading = true;
	t->wire.turn = seal_read;
	t->wire.user = t->seal;
	t->wire.arena = &t->arena;
	t->wire.left = (uint64_t)st.st_size;
	return 0;
}

int testimony_open(struct testimony **out, const char *dir, const struct seal_key *key, char *why,
		   size_t len)
{
	struct testimony *t = calloc(1, sizeof(*t));
	char *path = NULL;
	int err = -ENOMEM;

	if (t == NULL || asprintf(&path, "%s/%s", dir, TESTIMONY_NAME) < 0) {
		snprintf(why, len, "%s", strerror(ENOMEM));
		path = NULL;
		goto out;
	}
	escape_string(t->name, sizeof(t->name), path, 0);
	t->in = fopen(path, "rbe");
	err = t->in != NULL ? 0 : -errno;
	if (err == -ENOENT)
		refused(t, err, "is not there: a report keeps its testimony with --key FILE or "
				"--show-clients", why, len);
	else if (err != 0)
		refused(t, err, strerror(-err), why, len);
	if (err == 0)
		err = open_seal(t, key, why, len);
	if (err == 0)
		err = read_head(t, why, len);
out:
	free(path);
	if (err != 0)
		testimony_free(t);
	else
		*out = t;
	return err;
}

const struct testimony_head *testimony_head(const struct testimony *t)
{
	return &t->head;
}

void testimony_free(struct testimony *t)
{
	if (t == NULL)
		return;
	wire_free(&t->wire);
	seal_free(t->seal);
	arena_free(&t->arena);
	if (t->in != NULL)
		fclose(t->in);
	free(t);
}

/* Lists are in the order that those who search them rely on, ids are of files that there are. */
static const char *out_of_order(const struct judged_capture *j, uint64_t n_inputs)
{
	unsigned n_files = j->result.n_files, first = j->result.first_input;

	if (first >= n_inputs || n_inputs - first < n_files)
		return "a capture of files that were not given";
	for (uint64_t i = 0; i < j->n_flows; i++) {
		const struct flow_record *f = j->flows[i], *before = i != 0 ? j->flows[i - 1] : f;
		if ((f->id >> FILE_SHIFT) - first >= n_files)
			return "a flow of a file that its capture has not";
		if (before->last_ns > f->last_ns ||
		    (i != 0 && before->last_ns == f->last_ns && before->id >= f->id))
			return "flows out of order";
	}
	for (uint64_t i = 0, k = 0; i < j->n_findings; i++) {
		if (j->findings[i]->scope != SCOPE_FLOW || j->findings[i]->n_flows != 0)
			return "a finding over several flows";
		while (k < j->n_flows && j->flows[k] != j->findings[i]->flow)
			k++;
		if (k == j->n_flows)
			return "a finding that is not in the order of the flows";
	}
	for (uint64_t i = 0; i < j->n_attempts; i++) {
		const struct attempt *a = &j->attempts[i], *before = i != 0 ? a - 1 : a;
		if ((a->flow_id >> FILE_SHIFT) - first >= n_files)
			return "an attempt of a file that its capture has not";
		if (before->start_ns > a->start_ns ||
		    (before->start_ns == a->start_ns && before->flow_id > a->flow_id))
			return "attempts out of order";
	}
	return NULL;
}

static void renumber(struct judged_capture *j, uint64_t inputs)
{
	j->result.first_input += (unsigned)inputs;
	for (uint64_t i = 0; i < j->n_flows; i++)
		j->flows[i]->id += inputs << FILE_SHIFT;
	for (uint64_t i = 0; i < j->n_attempts; i++)
		j->attempts[i].flow_id += inputs << FILE_SHIFT;
	for (uint64_t i = 0; i < j->n_findings; i++)
		for (unsigned k = 0; k < j->findings[i]->n_controls; k++)
			j->findings[i]->controls[k] += inputs << FILE_SHIFT;
}

int testimony_take(struct testimony *t, struct analysis *a, const struct ruleset *rules,
		   struct survey *survey, uint64_t inputs, char *why, size_t len)
{
	struct kept_survey kept = {.parts = NULL};
	int err = 0;

	t->wire.rules = rules;
	t->arena.spill = a->spill;
	for (uint64_t i = 0; i < t->head.n_captures && err == 0; i++) {
		struct judged_capture c;
		memset(&c, 0, sizeof(c));
		wire_walk(&t->wire, &shape_judged_capture, &c);
		err = wrong(t, t->wire.err, why, len);
		const char *reason = err == 0 ? out_of_order(&c, t->head.n_inputs) : NULL;
		if (reason != NULL)
			return refused(t, -EBADMSG, reason, why, len);
		if (err != 0)
			return err;
		renumber(&c, inputs);
		err = analysis_take(a, &c);
		if (err != 0)
			refused(t, err, strerror(-err), why, len);
	}
	if (err == 0)
		wire_walk(&t->wire, &shape_survey, &kept);
	if (err == 0)
		err = wrong(t, wire_end(&t->wire), why, len);
	for (uint64_t i = 0; err == 0 && survey != NULL && i < kept.n_parts; i++)
		survey_add(survey, (unsigned)i, &kept.parts[i]);
	return err;
}

struct option_list {
	struct arena *arena;
	const char **list;
	uint64_t n;
};

static int note_option(void *user, const char *option)
{
	struct option_list *l = user;
	size_t n = strlen(option) + 1;
	char *copy = arena_alloc(l->arena, n);

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, option, n);
	if (l->list != NULL)
		l->list[l->n] = copy;
	l->n++;
	return 0;
}

static int take_options(const struct testimony_run *run, struct testimony_head *head,
			struct arena *arena)
{
	struct option_list l = {.arena = arena};

	int err = manifest_options(run->command, run->config, note_option, &l);
	if (err == 0)
		l.list = arena_alloc(l.arena, (l.n + 1) * sizeof(*l.list));
	if (err != 0 || l.list == NULL)
		return -ENOMEM;
	l.n = 0;
	err = manifest_options(run->command, run->config, note_option, &l);
	head->options = l.list;
	head->n_options = l.n;
	return err;
}

/* Those of files that were read already are kept. */
static int take_digests(struct arena *arena, struct analysis *a)
{
	for (unsigned i = 0; i < a->n_captures; i++) {
		struct capture_result *c = &a->captures[i];
		if (c->digests != NULL)
			continue;
		struct capture_digest *d = arena_alloc(arena, c->n_files * sizeof(*d));
		if (d == NULL)
			return -ENOMEM;
		for (unsigned k = 0; k < c->n_files; k++)
			input_digest(c->files[k], &d[k]);
		c->digests = d;
	}
	return 0;
}

/* Its share of the lists, which are in the order of captures. */
struct place {
	size_t flow, finding, attempt;
};

static struct judged_capture share(const struct analysis *a, unsigned capture, struct place *p)
{
	const struct place from = *p;
	/* Without any there is no list either. */
	struct judged_capture j = {.result = a->captures[capture],
				   .flows = a->n_flows != 0 ? a->flows + p->flow : NULL,
				   .findings = a->n_findings != 0 ? a->findings + p->finding : NULL,
				   .attempts = a->n_attempts != 0 ? a->attempts + p->attempt : NULL};

	while (p->flow < a->n_flows && a->flows[p->flow]->capture == capture)
		p->flow++;
	while (p->finding < a->n_findings && a->findings[p->finding]->flow->capture == capture)
		p->finding++;
	while (p->attempt < a->n_attempts && a->attempts[p->attempt].capture == capture)
		p->attempt++;
	j.n_flows = p->flow - from.flow;
	j.n_findings = p->finding - from.finding;
	j.n_attempts = p->attempt - from.attempt;
	return j;
}

static int walk_all(const struct testimony_place *at, struct wire *w, const struct analysis *a,
		    struct testimony_head *head)
{
	struct layout layout = {.hash = layout_hash()};
	struct survey_part parts[FLOW_SHARDS];
	struct kept_survey kept = {.n_parts = FLOW_SHARDS, .parts = parts};
	struct place p = {.flow = 0};
	int err = 0;

	for (unsigned i = 0; i < FLOW_SHARDS && err == 0; i++)
		err = survey_part(at->survey, i, at->arena, &parts[i]);
	if (err != 0)
		return err;
	wire_walk(w, &shape_layout, &layout);
	wire_walk(w, &shape_head, head);
	for (unsigned i = 0; i < a->n_captures; i++) {
		struct judged_capture c = share(a, i, &p);
		wire_walk(w, &shape_judged_capture, &c);
	}
	wire_walk(w, &shape_survey, &kept);
	return wire_end(w);
}

int testimony_head_of(struct testimony_head *out, const struct testimony_run *run,
		      unsigned conditions, struct arena *arena)
{
	*out = (struct testimony_head){
		.version = WMSCOPE_VERSION,
		.plugins = run->plugins.n != 0 ? run->plugins : plugins_said(),
		.n_inputs = run->n_inputs,
		.conditions = conditions,
		.n_errors = run->n_errors,
		.errors = (struct report_input_error *)(uintptr_t)run->errors,
	};
	if (run->rules != NULL)
		memcpy(out->rules, ruleset_hash(run->rules), sizeof(out->rules));
	return take_options(run, out, arena);
}

int testimony_write(const struct testimony_place *at, struct analysis *a,
		    struct testimony_head *head, const struct ruleset *rules)
{
	struct wire *w = calloc(1, sizeof(*w));
	struct seal *seal = NULL;
	struct folder_file f;
	char why[160];

	if (w == NULL)
		return -ENOMEM;
	head->n_captures = a->n_captures;
	int err = take_digests(at->arena, a);
	if (err == 0)
		err = folder_file_open(&f, at->dir, TESTIMONY_NAME);
	if (err != 0)
		goto out;
	err = seal_new(&seal, f.out, at->key);
	w->turn = seal_write;
	w->user = seal;
	w->rules = rules;
	if (err == 0)
		err = walk_all(at, w, a, head);
	if (w->err != 0) {
		wire_why(w, why, sizeof(why));
		log_error(NULL, "%s: %s", TESTIMONY_NAME, why);
	}
	if (err == 0)
		err = seal_finish(seal);
	err = folder_file_close(&f, err);
out:
	seal_free(seal);
	wire_free(w);
	free(w);
	return err;
}

void testimony_keep(struct session *s, struct analysis *a, const struct testimony_run *run)
{
	const struct testimony_place at = {.dir = s->cfg->dir, .key = session_seal_key(s),
					   .survey = session_survey(s), .arena = &s->arena};
	struct testimony_head head;

	if (!s->testify)
		return;
	int err = testimony_head_of(&head, run, s->conditions, &s->arena);
	if (err == 0)
		err = testimony_write(&at, a, &head, run->rules);
	s->testified = err == 0;
	if (err != 0) {
		log_error(NULL, "%s/%s: %s", s->cfg->dir, TESTIMONY_NAME, strerror(-err));
		session_happened(s, EXIT_IO);
	}
}

void testimony_forget(const char *dir)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, TESTIMONY_NAME) >= 0) {
		unlink(path);
		free(path);
	}
}
