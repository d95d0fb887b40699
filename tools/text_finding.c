/* SPDX-License-Identifier: BSD-3-Clause */

/* One finding in full. */

#include <inttypes.h>
#include <string.h>

#include "classifiers/lists/page.h"
#include "classifiers/app/quic.h"
#include "tools/escape.h"
#include "tools/facts.h"
#include "tools/report_text.h"
#include "tools/spell.h"
#include "tools/words.h"

#define LABEL 17
#define FILE_SHOWN 512 /* of a file's last name, escaped */

static void label(const struct text *t, const char *word)
{
	size_t n = strlen(word);

	fputs("  ", t->out);
	fwrite(word, 1, n, t->out);
	text_blanks(t, n < LABEL - 2 ? (unsigned)(LABEL - 2 - n) : 0);
}

/* What the packets' own words may be in: made harmless, then wrapped. */
static void wrapped(const struct text *t, unsigned indent, const char *raw, unsigned flags)
{
	char buf[4 * 1024 + 1];

	escape_string(buf, sizeof(buf), raw, t->escape | flags);
	text_wrap(t, indent, buf);
}

static void line(const struct text *t, const char *word, const char *raw)
{
	if (raw == NULL || raw[0] == '\0')
		return;
	label(t, word);
	wrapped(t, LABEL, raw, ESCAPE_KEEP_BACKSLASH);
}

static void sentence(const struct text *t, const struct finding *f)
{
	char text[WORDS_SENTENCE_SIZE];

	if (words_sentence(f, text)[0] == '\0')
		return;
	fputs("\n  ", t->out);
	wrapped(t, 2, text, ESCAPE_KEEP_BACKSLASH);
}

static void head(const struct text *t, const struct finding *f)
{
	char flow[192], proto[8], rule[TEXT_WIDTH];
	unsigned score = (unsigned)(f->score > 0 && f->score < 1e6 ? f->score * 10 + 0.5 : 0);

	memset(rule, '-', sizeof(rule));
	fwrite(rule, 1, sizeof(rule), t->out);
	fprintf(t->out, "\n[%u] ", f->number);
	text_colour(t, f->verdict);
	fputs(verdict_name[f->verdict], t->out);
	text_plain(t);
	fprintf(t->out, "  %s  (%s, score %u.%u)\n", f->id, family_name[f->family], score / 10,
		score % 10);
	if (f->scope != SCOPE_FLOW) {
		fprintf(t->out, "    %s: %u connection%s\n", scope_name[f->scope], f->n_flows,
			f->n_flows == 1 ? "" : "s");
		sentence(t, f);
		putc('\n', t->out);
		return;
	}
	text_flow(t, f->flow, flow, sizeof(flow));
	fprintf(t->out, "    %s%s%s  flow %" PRIu64, flow,
		text_columns(flow) > TEXT_WIDTH - 50 ? "\n    " : "  ",
		facts_proto(f->flow->proto, proto), f->flow->id);
	for (unsigned i = 0; i < f->flow->n_tunnels && i < TUNNELS_MAX; i++)
		fprintf(t->out, "%s%s", i == 0 ? "  within " : "+",
			facts_tunnel(f->flow->tunnels[i]));
	for (unsigned i = 0; i < f->flow->n_vlans && i < 2; i++)
		fprintf(t->out, "%s%u", i == 0 ? "  VLAN " : ".", f->flow->vlan[i]);
	putc('\n', t->out);
	if (facts_several_files(t->analysis)) {
		fputs("    in ", t->out);
		const char *file = facts_filename(t->analysis, f->flow);
		text_raw(t, file, strlen(file));
		putc('\n', t->out);
	}
	sentence(t, f);
	putc('\n', t->out);
}

/* Of one timeline of several files: which of them the frame just spelled is in, unless where it began. */
static void elsewhere(const struct text *t, const struct finding *f, uint32_t file,
		      struct spelling *s)
{
	const char *at = facts_file(t->analysis, f->flow, file);
	char name[FILE_SHOWN];

	if (strcmp(at, facts_filename(t->analysis, f->flow)) == 0)
		return;
	const char *base = strrchr(at, '/');
	escape_string(name, sizeof(name), base != NULL ? base + 1 : at, t->escape);
	spell(s, " of ");
	spell(s, name);
}

static void trigger(const struct text *t, const struct finding *f)
{
	char name[4 * FINDING_TRIGGER + 32], text[sizeof(name) + FILE_SHOWN + 128];
	struct spelling s = spelling_of(text, sizeof(text));

	if (f->trigger == TRIGGER_NONE)
		spell(&s, "none known");
	else
		spell(&s, text_trigger(t, f, name, sizeof(name)));
	if (f->trigger_packet != 0) {
		spell(&s, " in frame ");
		spell_number(&s, f->trigger_packet);
		elsewhere(t, f, f->trigger_file, &s);
	}
	if (f->reaction_ms >= 0) {
		uint64_t us = f->reaction_ms < 1e12 ? (uint64_t)(f->reaction_ms * 1000 + 0.5) : 0;
		spell(&s, "; reaction after ");
		spell_number(&s, us / 1000);
		spell(&s, ".");
		spell_padded(&s, us % 1000, 3);
		spell(&s, " ms");
	}
	label(t, "Trigger");
	text_wrap(t, LABEL, text);
}

static void numbers(const struct text *t, const char *word, const uint64_t *list, unsigned n)
{
	unsigned column = LABEL;

	if (n == 0)
		return;
	label(t, word);
	for (unsigned i = 0; i < n; i++) {
		char number[DIGITS_MAX + 2];
		struct spelling s = spelling_of(number, sizeof(number));
		spell_number(&s, list[i]);
		spell(&s, i + 1 < n ? "," : "");
		unsigned len = (unsigned)(s.at - number);
		if (column > LABEL && column + 1 + len > TEXT_WIDTH) {
			putc('\n', t->out);
			text_blanks(t, LABEL);
			column = LABEL;
		} else if (column > LABEL) {
			putc(' ', t->out);
			column++;
		}
		fputs(number, t->out);
		column += len;
	}
	putc('\n', t->out);
}

static void evidence_row(const struct text *t, const struct finding *f, const struct evidence_row *r)
{
	char text[1024 + FILE_SHOWN], value[4 * EVIDENCE_TEXT + 1], expected[4 * EVIDENCE_TEXT + 1];
	struct spelling s = spelling_of(text, sizeof(text));
	unsigned grade = r->grade >= GRADE_D1 && r->grade <= GRADE_D4 ? r->grade : 1;

	escape_bytes(value, sizeof(value), r->value, strlen(r->value),
		     t->escape | ESCAPE_KEEP_BACKSLASH);
	escape_bytes(expected, sizeof(expected), r->expected,
		     strlen(r->expected), t->escape | ESCAPE_KEEP_BACKSLASH);
	spell(&s, r->kind);
	if (r->packet != 0) {
		spell(&s, " (frame ");
		spell_number(&s, r->packet);
		elsewhere(t, f, r->packet_file, &s);
		spell(&s, ")");
	}
	spell(&s, value[0] != '\0' ? ": " : "");
	spell(&s, value);
	spell(&s, expected[0] != '\0' ? "; expected: " : "");
	spell(&s, expected);
	spell(&s, r->counted ? "" : " [restates another row: not counted]");
	fputs(r->counted ? "     D" : "    (D", t->out);
	putc((int)('0' + grade), t->out);
	fputs(r->counted ? "  " : ") ", t->out);
	text_wrap(t, 9, text);
}

static void evidence(const struct text *t, const struct finding *f)
{
	if (f->n_rows > 0)
		fputs("\n  Evidence\n", t->out);
	for (unsigned i = 0; i < f->n_rows; i++)
		evidence_row(t, f, &f->rows[i]);
	if (f->n_untestable > 0)
		fputs("\n  Not testable here\n", t->out);
	for (unsigned i = 0; i < f->n_untestable; i++) {
		char text[512];
		struct spelling s = spelling_of(text, sizeof(text));
		spell(&s, f->untestable[i].kind);
		spell(&s, ": ");
		spell(&s, f->untestable[i].why);
		fputs("    - ", t->out);
		wrapped(t, 6, text, ESCAPE_KEEP_BACKSLASH);
	}
}

static void explanations(const struct text *t, const char *title, const char **list, unsigned n)
{
	if (n > 0)
		fprintf(t->out, "\n  %s\n", title);
	for (unsigned i = 0; i < n; i++) {
		fputs("    - ", t->out);
		wrapped(t, 6, list[i], ESCAPE_KEEP_BACKSLASH);
	}
}

/* Of one timeline of several files: which of them each frame is in. */
static void frames(const struct text *t, const char *word, const struct finding *f,
		   const uint64_t *list, const uint32_t *files, unsigned n)
{
	const struct capture_result *c = &t->analysis->captures[f->flow->capture];
	if (c->n_files < 2 || files == NULL) {
		numbers(t, word, list, n);
		return;
	}
	for (unsigned i = 0, k; i < n; i = k) {
		for (k = i; k < n && files[k] == files[i];)
			k++;
		numbers(t, word, list + i, k - i);
		line(t, "  of file", files[i] < c->n_files ? c->files[files[i]] : "");
	}
}

/* An opinion on who made the packets; what was found stands without it. */
static void devices(const struct text *t, const struct finding *f)
{
	for (unsigned i = 0; i < f->n_devices; i++) {
		const struct device_match *d = &f->devices[i];
		char text[640];
		struct spelling s = spelling_of(text, sizeof(text));
		spell_some(&s, d->id, 60);
		spell(&s, " (");
		spell(&s, attribution_name[d->grade]);
		spell(&s, ": ");
		spell(&s, words_attribution(d->grade));
		if (d->hops >= 0) {
			spell(&s, ", ");
			spell_number(&s, (unsigned)d->hops);
			spell(&s, " hops away");
		}
		spell(&s, "); ");
		spell_some(&s, d->detail, 160);
		spell(&s, "; described in ");
		spell_some(&s, d->source, 200);
		line(t, i == 0 ? "Looks like" : "and like", text);
		frames(t, "  in frames", f, d->packets, d->packet_files, d->n_packets);
	}
	for (unsigned i = 0; i < f->n_injectors; i++) {
		line(t, "Stamped as", f->injectors[i].mbx);
		if (f->n_injectors > 1)
			frames(t, "  in frames", f, f->injectors[i].packets,
			       f->injectors[i].packet_files, f->injectors[i].n_packets);
	}
}

static void conditional(const struct text *t, const struct finding *f)
{
	label(t, "Conditional");
	fputs(words_conditional(f), t->out);
	putc('\n', t->out);
	numbers(t, "Compared with", f->controls, f->n_controls);
}

/* The answer as lists know it, and whether packets show who sent it. */
static void page(const struct text *t, const struct finding *f)
{
	const struct page_facts *p = f->page;
	char words[640];

	if (p == NULL)
		return;
	if (p->rule != NULL)
		snprintf(words, sizeof(words), "%.120s (rule %.80s of %.80s, %s%s%.40s)",
			 p->rule->name, p->rule->id, p->rule->list,
			 rule_scope_name[p->rule->scope],
			 p->rule->countries[0] != '\0' ? ", " : "", p->rule->countries);
	else
		snprintf(words, sizeof(words), "Iran's national page, by what it frames");
	line(t, "Page", words);
	line(t, "Its title", p->title);
	line(t, "Sent by",
	     f->injected ? "somebody else than the server: the packets show it"
			 : "not shown by the packets: the server, a proxy or an injector");
}

/* What the connection carried, and who says so. */
static void carried(const struct text *t, const struct flow_record *f)
{
	char text[512];
	struct spelling s = spelling_of(text, sizeof(text));

	spell_some(&s, f->app_proto != NULL ? f->app_proto : "unknown", 40);
	for (unsigned i = 0; i < f->n_labels && s.end - s.at >= 100; i++) {
		const struct label *l = &f->labels[i];
		if (l->by == NULL)
			continue;
		spell(&s, "; ");
		spell_some(&s, l->by, 16);
		spell(&s, " says ");
		spell(&s, l->app);
	}
	const char *dispute = facts_dispute(f);
	if (dispute != NULL && s.end - s.at >= 100) {
		spell(&s, "; ");
		spell(&s, dispute);
	}
	const struct tls_client_hello *hello = f->quic != NULL ? &f->quic->tls : f->tls;
	if (hello != NULL && hello->ja4[0] != '\0' && s.end - s.at >= 50) {
		spell(&s, "; JA4 ");
		spell(&s, hello->ja4);
	}
	line(t, "Carried", text);
}

static void place(const struct text *t, const char *word, const struct geo_place *p)
{
	char text[160], asn[24] = "";

	if (p == NULL)
		return;
	if (p->asn != 0)
		snprintf(asn, sizeof(asn), "AS%u ", p->asn);
	snprintf(text, sizeof(text), "%s%s%s%s", asn, p->org, p->org[0] != '\0' ? " " : "", p->country);
	line(t, word, text);
}

/* In words, and as machines have it. */
static void put_both(const struct text *t, const char *words, const char *name)
{
	fputs(words, t->out);
	fputs(" (", t->out);
	fputs(name, t->out);
	fputs(")\n", t->out);
}

void text_finding(const struct text *t, const struct finding *f)
{
	char when[FACTS_TIME_SIZE];

	head(t, f);
	line(t, "What it is", f->summary);
	if (f->scope == SCOPE_FLOW)
		carried(t, f->flow);
	place(t, "Client in", f->flow->client_at);
	place(t, "Server in", f->flow->server_at);
	page(t, f);
	trigger(t, f);
	numbers(t, "Flows", f->flows, f->n_flows);
	label(t, "Stage");
	put_both(t, words_stage(f->stage), facts_stage(f->stage));
	label(t, "Direction");
	put_both(t, words_direction(f), facts_direction(f->direction));
	label(t, "Time");
	fputs(facts_time(f->ts_ns, when), t->out);
	putc('\n', t->out);
	frames(t, "Frames", f, f->packets, f->packet_files, f->n_packets);
	if (f->scope == SCOPE_FLOW)
		text_ladder(t, f);
	evidence(t, f);
	explanations(t, "What else could explain it", f->benign, f->n_benign);
	explanations(t, "Ruled out by the packets", f->ruled_out, f->n_ruled_out);
	putc('\n', t->out);
	conditional(t, f);
	devices(t, f);
	line(t, "References", f->refs);
	putc('\n', t->out);
}
