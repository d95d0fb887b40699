/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The report for people: what was found first, then how good the capture is, then each finding with
 * its packets, its evidence and what else it could be.
 */

#include "tools/report_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "tools/escape.h"
#include "tools/facts.h"
#include "tools/jobs.h"
#include "tools/spell.h"
#include "tools/words.h"

#define IN_FULL 20 /* findings of one kind towards one server */

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void headline(const struct text *t, const struct facts_tally *n)
{
	char text[320];

	fprintf(t->out, "wmscope %s\n\n", WMSCOPE_VERSION);
	if (n->flows_by[VERDICT_CONFIRMED] + n->flows_by[VERDICT_LIKELY] > 0)
		text_colour(t, VERDICT_CONFIRMED);
	words_headline(t->analysis, n, text, sizeof(text));
	text_wrap(t, 0, text);
	text_plain(t);
	if (n->names > 0)
		fprintf(t->out, "%" PRIu64 " name%s found to be filtered, with others as controls.\n",
			n->names, n->names == 1 ? " was" : "s were");
	if (n->hidden > 0)
		fprintf(t->out, "%" PRIu64 " finding%s below \"%s\" %s counted but not shown.\n",
			n->hidden, plural(n->hidden), verdict_name[t->options->min_verdict],
			n->hidden == 1 ? "is" : "are");
}

/* Whose words may be among the findings that follow. */
static void plugins(const struct text *t)
{
	for (uint64_t i = 0; i < t->options->plugins.n; i++) {
		const struct plugin_said *p = &t->options->plugins.list[i];
		char raw[1024], text[sizeof(raw) * 4];
		snprintf(raw, sizeof(raw), "With the plug-in %.255s (SHA-256 %.16s%s): %.512s%s", p->file,
			 p->sha256, t->ellipsis, p->adds, strlen(p->adds) > 512 ? t->ellipsis : ".");
		escape_string(text, sizeof(text), raw, t->escape);
		text_wrap(t, 0, text);
	}
}

static int by_strength(const void *a, const void *b)
{
	const struct text_finding *x = a, *y = b;

	if (x->f->verdict != y->f->verdict)
		return x->f->verdict < y->f->verdict ? 1 : -1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* What findings are grouped by, beside each other: of a million few then have to be fetched to sort them. */
struct fold_key {
	const char *id;
	struct ip_addr server;
	uint16_t server_port;
	bool alone; /* what speaks of several connections is not one of many alike */
	size_t at;  /* in the list, which is in order of strength */
};

/* The same thing towards the same server. */
static int by_group(const struct fold_key *x, const struct fold_key *y)
{
	int order = strcmp(x->id, y->id);

	if (order == 0 && x->alone)
		return x->at < y->at ? -1 : x->at > y->at;
	if (order == 0)
		order = memcmp(&x->server, &y->server, sizeof(x->server));
	if (order == 0)
		order = (int)x->server_port - (int)y->server_port;
	return order;
}

static int by_group_then_strength(const void *a, const void *b)
{
	const struct fold_key *x = a, *y = b;
	int order = by_group(x, y);

	return order != 0 ? order : x->at < y->at ? -1 : x->at > y->at;
}

/* Marks what comes after the first IN_FULL of each group. 0 or -ENOMEM. */
static int fold(struct text_finding *list, size_t n)
{
	struct fold_key *sorted = malloc((n != 0 ? n : 1) * sizeof(*sorted));

	if (sorted == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct finding *f = list[i].f;
		sorted[i] = (struct fold_key){.id = f->id,
					      .server = f->flow->server,
					      .server_port = f->flow->server_port,
					      .alone = f->scope != SCOPE_FLOW,
					      .at = i};
	}
	qsort(sorted, n, sizeof(*sorted), by_group_then_strength);
	for (size_t i = 0, first = 0; i < n; i++) {
		if (by_group(&sorted[first], &sorted[i]) != 0)
			first = i;
		if (i - first >= IN_FULL) {
			list[sorted[i].at].folded = true;
			list[sorted[first + IN_FULL - 1].at].more++;
		}
	}
	free(sorted);
	return 0;
}

/* Findings to show, strongest first. */
static int collect(const struct text *t, struct text_finding **out, size_t *n_out)
{
	const struct analysis *a = t->analysis;
	struct text_finding *list = calloc(a->n_findings != 0 ? a->n_findings : 1, sizeof(*list));
	size_t n = 0;

	*out = NULL;
	if (list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_findings; i++) {
		if (a->findings[i]->verdict >= t->options->min_verdict)
			list[n++] = (struct text_finding){.f = a->findings[i], .order = i};
	}
	qsort(list, n, sizeof(*list), by_strength);
	int err = fold(list, n);
	if (err != 0) {
		free(list);
		return err;
	}
	*out = list;
	*n_out = n;
	return 0;
}

struct table_row {
	char frame[24], trigger[1100], flow[192];
};

static void table_row(const struct text *t, const struct finding *f, struct table_row *r)
{
	enum { TRIGGER_MAX = 34 };

	struct spelling frame = spelling_of(r->frame, sizeof(r->frame));

	spell_number(&frame, facts_decisive_frame(f));
	text_trigger(t, f, r->trigger, sizeof(r->trigger));
	if (f->scope != SCOPE_FLOW)
		snprintf(r->flow, sizeof(r->flow), "%u connections", f->n_flows);
	else
		text_flow(t, f->flow, r->flow, sizeof(r->flow));
	if (text_columns(r->trigger) <= TRIGGER_MAX)
		return;
	/* Cut between characters. */
	size_t i = 0;
	for (unsigned n = 0; n < TRIGGER_MAX - 3; n++) {
		i++;
		while (((unsigned char)r->trigger[i] & 0xc0) == 0x80)
			i++;
	}
	snprintf(r->trigger + i, sizeof(r->trigger) - i, "%s", t->ellipsis);
}

/* A cell of a table, its words on the left. */
static void pad(const struct text *t, const char *s, unsigned width)
{
	unsigned n = text_columns(s);

	fputs(s, t->out);
	text_blanks(t, n < width ? width - n : 0);
}

static void grow(unsigned *width, const char *s)
{
	unsigned n = text_columns(s);

	*width = n > *width ? n : *width;
}

static void more_like_it(const struct text *t, const struct text_finding *f, const char *indent)
{
	char flow[192];

	if (f->more == 0)
		return;
	text_flow(t, f->f->flow, flow, sizeof(flow));
	const char *server = strrchr(flow, ' ');
	fprintf(t->out, "%s%s %u more %s towards%s (--jsonl has all of them)\n", indent,
		t->ellipsis, f->more, f->f->id, server != NULL ? server : " it");
}

/* The end of a file's name, as much of it as there is room for. */
static void in_file(const struct text *t, const struct finding *f, unsigned used)
{
	char name[4096];
	size_t n = escape_string(name, sizeof(name), facts_decisive_filename(t->analysis, f),
				 t->escape);
	bool below = used + 40 > TEXT_WIDTH;
	size_t room = TEXT_WIDTH - 8 - (below ? 4 : used), from = 0;

	if (n > room) {
		from = n - room;
		while (((unsigned char)name[from] & 0xc0) == 0x80)
			from++;
	}
	fprintf(t->out, "%sin %s%s", below ? "\n      " : "  ", from != 0 ? t->ellipsis : "",
		name + from);
}

static void table(const struct text *t, const struct text_finding *list, size_t n)
{
	unsigned w_frame = 5, w_id = 4, w_trigger = 7;
	struct table_row r;

	for (size_t i = 0; i < n; i++) {
		if (list[i].folded)
			continue;
		table_row(t, list[i].f, &r);
		grow(&w_frame, r.frame);
		grow(&w_id, list[i].f->id);
		grow(&w_trigger, r.trigger);
	}
	unsigned at = 20 + w_frame + w_id + 2 + w_trigger + 2;
	bool files = facts_several_files(t->analysis);
	fprintf(t->out, "\n%4s  %-12s  %*s  ", "#", "verdict", (int)w_frame, "frame");
	pad(t, "what", w_id + 2);
	pad(t, "trigger", w_trigger + 2);
	fputs("connection\n", t->out);
	for (size_t i = 0; i < n; i++) {
		if (list[i].folded)
			continue;
		table_row(t, list[i].f, &r);
		fprintf(t->out, "%4u  ", list[i].f->number);
		text_colour(t, list[i].f->verdict);
		pad(t, verdict_name[list[i].f->verdict], 12);
		text_plain(t);
		text_blanks(t, 2 + w_frame - (unsigned)strlen(r.frame));
		fputs(r.frame, t->out);
		text_blanks(t, 2);
		pad(t, list[i].f->id, w_id + 2);
		/* A connection that the line cannot hold, of IPv6 mostly, goes below. */
		bool below = files || at + text_columns(r.flow) > TEXT_WIDTH;
		pad(t, r.trigger, below ? 0 : w_trigger + 2);
		fputs(below ? "\n      " : "", t->out);
		fputs(r.flow, t->out);
		if (files)
			in_file(t, list[i].f, 6 + text_columns(r.flow));
		putc('\n', t->out);
		more_like_it(t, &list[i], "      ");
	}
}

static void in_full(const struct text *t, const struct text_finding *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].folded)
			continue;
		text_finding(t, list[i].f);
		more_like_it(t, &list[i], "  ");
		if (list[i].more != 0)
			putc('\n', t->out);
	}
}

/* Findings one behind the other, put into words by a thread of their own. */
struct part {
	struct text t;
	const struct text_finding *list;
	size_t n, len;
	char *text;
	bool whole;
};

enum { PARTS = JOBS_THREADS, PART_FINDINGS = 64 };

static void write_part(void *user, unsigned i)
{
	struct part *p = (struct part *)user + i;

	p->t.out = open_memstream(&p->text, &p->len);
	if (p->t.out == NULL)
		return;
	in_full(&p->t, p->list, p->n);
	p->whole = ferror(p->t.out) == 0;
	p->whole &= fclose(p->t.out) == 0;
}

/* In rounds: of many findings the text is larger than they are. */
static void details(const struct text *t, const struct text_finding *list, size_t n)
{
	putc('\n', t->out);
	while (n > PART_FINDINGS) {
		struct part parts[PARTS];
		unsigned n_parts = 0;
		for (; n > 0 && n_parts < PARTS; n_parts++) {
			size_t some = n < PART_FINDINGS ? n : PART_FINDINGS;
			parts[n_parts] = (struct part){.t = *t, .list = list, .n = some};
			list += some;
			n -= some;
		}
		jobs_run(n_parts, write_part, parts);
		for (unsigned i = 0; i < n_parts; i++) {
			/* Without the memory for it, it is written where it belongs. */
			if (parts[i].whole)
				fwrite(parts[i].text, 1, parts[i].len, t->out);
			else
				in_full(t, parts[i].list, parts[i].n);
			free(parts[i].text);
		}
	}
	in_full(t, list, n);
}

static int text_write(const struct analysis *a, const struct report_options *o, FILE *out)
{
	struct text t = text_of(a, o, out);
	struct text_finding *list;
	struct facts_tally tally;
	size_t n = 0;

	int err = collect(&t, &list, &n);
	if (err != 0)
		return err;
	facts_tally(a, o, &tally);
	headline(&t, &tally);
	plugins(&t);
	if (n > 0)
		table(&t, list, n);
	text_captures(&t);
	text_comparison(&t);
	text_audit(&t);
	text_study(&t);
	if (n > 0) {
		details(&t, list, n);
		text_legend(&t);
	}
	free(list);
	errno = 0;
	if (fflush(out) != 0 || ferror(out))
		return errno != 0 ? -errno : -EIO;
	return 0;
}

const struct report report_text = {
	.name = "text",
	.doc = "text for people: findings with their packets, evidence and other explanations",
	.write = text_write,
};
