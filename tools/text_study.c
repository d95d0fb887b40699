/* SPDX-License-Identifier: BSD-3-Clause */

/* The study for people: which names fail where, and what each box was seen to do. */

#include <inttypes.h>
#include <string.h>

#include "tools/escape.h"
#include "tools/facts.h"
#include "tools/report_text.h"
#include "tools/study/study.h"
#include "tools/words.h"

#define NAMES_MAX 40
#define LABEL 24
#define NAME_COLUMNS 36

static void title(const struct text *t, const char *words)
{
	fprintf(t->out, "\n%s\n", words);
	for (size_t i = 0; i < strlen(words); i++)
		putc('-', t->out);
	putc('\n', t->out);
}

static const char *kind_word(enum trigger_kind k)
{
	return k == TRIGGER_NONE ? "-" : trigger_name[k];
}

/* A name's bytes, harmless, and not wider than its column. */
static void name_column(const struct text *t, const char *name, unsigned width)
{
	char shown[1100];

	escape_string(shown, sizeof(shown), name[0] != '\0' ? name : "(no name)", t->escape);
	unsigned n = text_columns(shown);
	fprintf(t->out, "%s%*s", shown, n < width ? (int)(width - n) : 0, "");
	if (n > width)
		fprintf(t->out, "\n%*s", (int)width + 11, "");
}

static void name_row(const struct text *t, const struct study_name *n)
{
	char addr[64];

	fprintf(t->out, "  %-9s", kind_word(n->kind));
	name_column(t, n->name, NAME_COLUMNS);
	fprintf(t->out, " %6u %6u %11u/%-6u %-8s %s:%u\n", n->failed, n->ok, n->control_ok,
		n->control_ok + n->control_failed, n->filtered ? "yes" : study_name_open(n) ? "maybe" : "no",
		ip_addr_format(&n->server, n->ip_version, addr, sizeof(addr)), n->server_port);
	if (n->dependent != 0)
		fprintf(t->out, "           (%u more failures were left out: an earlier one may be their "
				"cause)\n", n->dependent);
}

static void names(const struct text *t, const struct study *s)
{
	unsigned shown = 0, more = 0;
	bool open = false;

	for (size_t i = 0; i < s->n_names; i++) {
		if (!study_name_matters(s, i))
			continue;
		open |= study_name_open(&s->names[i]);
		if (shown == NAMES_MAX) {
			more++;
			continue;
		}
		if (shown++ == 0) {
			title(t, "Names, and what became of tries with them");
			fprintf(t->out, "  %-9s%-*s %6s %6s %18s %-8s %s\n", "kind", NAME_COLUMNS,
				"name", "failed", "passed", "controls passed", "filtered", "server");
		}
		name_row(t, &s->names[i]);
	}
	if (more != 0)
		fprintf(t->out, "  %s %u more (--jsonl has all of them)\n", t->ellipsis, more);
	if (shown != 0)
		fputs("  ", t->out);
	if (shown != 0)
		text_wrap(t, 2, "Controls are tries of other names at the same address, by the same client "
				"where a name fails for fewer than three. A name is called filtered if "
				"at least 0.8 of 3 or more tries failed and at most 0.2 of 2 or more "
				"controls.");
	if (open)
		text_wrap(t, 2, "  maybe: that was so, but the server itself or a path that loses large "
				"packets could have done it; the finding says what is open.");
}

static void profile_line(const struct text *t, const struct study_line *l)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "observed (%u)", l->n);

	fprintf(t->out, "    %-*s", LABEL - 4, words_profile(l->what));
	if (l->value[0] != '\0')
		n += snprintf(text + n, sizeof(text) - (size_t)n, ": %s", l->value);
	if (l->why[0] != '\0')
		n += snprintf(text + n, sizeof(text) - (size_t)n, "; %s", l->why);
	for (unsigned i = 0; i < l->n_flows && i < 4; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%" PRIu64,
			      i == 0 ? "; flows " : ", ", l->flows[i]);
	if (l->n_flows > 4)
		snprintf(text + n, sizeof(text) - (size_t)n, ", %s", t->ellipsis);
	text_wrap(t, LABEL, text);
}

/* All that was looked for in vain, or could not be looked for, in one line each. */
static void rest(const struct text *t, const struct study_profile *p, enum study_said said,
		 const char *label)
{
	char text[1024] = "";
	const char *why = "";
	size_t n = 0;

	for (unsigned i = 0; i < p->n_lines; i++) {
		const struct study_line *l = &p->lines[i];
		if (l->said != said || n + 128 > sizeof(text))
			continue;
		/* A reason stands behind the last of those that share it. */
		if (n != 0 && strcmp(why, l->why) != 0 && why[0] != '\0')
			n += (size_t)snprintf(text + n, sizeof(text) - n, " (%s)", why);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
				      n == 0		       ? ""
				      : strcmp(why, l->why) == 0 ? ", "
							       : "; ",
				      words_profile(l->what));
		why = l->why;
	}
	if (n == 0)
		return;
	if (why[0] != '\0' && n + 128 < sizeof(text))
		snprintf(text + n, sizeof(text) - n, " (%s)", why);
	fprintf(t->out, "    %-*s", LABEL - 4, label);
	text_wrap(t, LABEL, text);
}

static void triggers(const struct text *t, const struct study_profile *p)
{
	for (unsigned i = 0; i < p->n_triggers; i++) {
		const struct study_trigger *g = &p->triggers[i];
		char name[1100];
		escape_string(name, sizeof(name), g->name[0] != '\0' ? g->name : "(no name)", t->escape);
		fprintf(t->out, "    %-*s%s %s: acted on %u, passed %u\n", LABEL - 4,
			i == 0 ? "triggers" : "", kind_word(g->kind), name, g->acted, g->passed);
	}
	if (p->more_triggers != 0)
		fprintf(t->out, "    %*s%s and %u more\n", LABEL - 4, "", t->ellipsis,
			p->more_triggers);
}

static void profile(const struct text *t, const struct study_profile *p)
{
	char text[512];

	fprintf(t->out, "  box %u: ", p->number);
	text_colour(t, p->verdict);
	fprintf(t->out, "%s", verdict_name[p->verdict]);
	text_plain(t);
	fprintf(t->out, ", %u finding%s\n", p->n_findings, p->n_findings == 1 ? "" : "s");
	if (p->mbx[0] != '\0')
		fprintf(t->out, "    %-*s%s\n", LABEL - 4, "stamps", p->mbx);
	if (p->device != NULL)
		fprintf(t->out, "    %-*s%s (%s)\n", LABEL - 4, "looks like", p->device,
			attribution_name[p->device_grade]);
	if (p->hops >= 0)
		fprintf(t->out, "    %-*s%d hop%s from the capture\n", LABEL - 4, "distance", p->hops,
			p->hops == 1 ? "" : "s");
	snprintf(text, sizeof(text), "%s%s%s", words_mode(p->mode), p->mode_why[0] != '\0' ? ": " : "",
		 p->mode_why);
	fprintf(t->out, "    %-*s", LABEL - 4, "place");
	text_wrap(t, LABEL, text);
	triggers(t, p);
	if (p->n_reactions != 0)
		fprintf(t->out, "    %-*smedian %.1f ms, p5 %.1f, p95 %.1f (%u)\n", LABEL - 4,
			"reaction", p->reaction_ms[1], p->reaction_ms[0], p->reaction_ms[2],
			p->n_reactions);
	for (unsigned i = 0; i < p->n_lines; i++)
		if (p->lines[i].said == STUDY_OBSERVED)
			profile_line(t, &p->lines[i]);
	rest(t, p, STUDY_NOT_OBSERVED, "not observed");
	rest(t, p, STUDY_NOT_TESTABLE, "not testable here");
}

void text_study(const struct text *t)
{
	const struct study *s = t->options->study;

	if (s == NULL)
		return;
	names(t, s);
	if (s->n_profiles != 0)
		title(t, "Boxes on the path, by what they did");
	for (unsigned i = 0; i < s->n_profiles; i++)
		profile(t, &s->profiles[i]);
	if (s->unplaced != 0)
		fprintf(t->out, "\n  and %zu findings of boxes beyond the first %d, without a profile\n",
			s->unplaced, STUDY_BOXES_MAX);
}
