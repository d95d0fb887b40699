/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/svg_ladder.h"

#include <inttypes.h>
#include <string.h>

#include "tools/words.h"

#define WIDTH	 860
#define CLIENT	 150
#define BOX	 480
#define SERVER	 810
#define HEAD	 44 /* names above the first packet */
#define ROW	 42
#define SKIP	 22 /* "packets left out" */
#define ROWS_MAX 28 /* drawn of a longer one */
#define NOTE	 64 /* bytes of a note that fit above an arrow */

bool svg_ladder_trigger(const struct finding *f, const struct ladder_packet *p)
{
	return f->trigger_packet != 0 && p->frame == f->trigger_packet &&
	       p->file == f->trigger_file && !p->forged;
}

bool svg_ladder_decisive(const struct finding *f, const struct ladder_packet *p)
{
	for (unsigned i = 0; i < f->n_packets; i++) {
		if (f->packets[i] == p->frame &&
		    (f->packet_files == NULL || f->packet_files[i] == p->file))
			return true;
	}
	return false;
}

/* A picture must not say more than the verdict does. */
static bool box_is_sure(const struct finding *f)
{
	return f->verdict >= VERDICT_LIKELY || f->filtered;
}

static bool was_taken_out(const struct finding *f, const struct ladder_packet *p)
{
	bool absence = f->family == FAMILY_SILENT_DROP ||
		       (f->family == FAMILY_QUIC_FILTERING && f->direction == DIR_C2S);

	return absence && p->dir == f->direction && !p->forged && svg_ladder_decisive(f, p);
}

/* Rows that are drawn, as a bit each: what the finding is about, and as much around it as fits. */
static uint64_t choose(const struct finding *f)
{
	unsigned n = f->n_ladder < 64 ? f->n_ladder : 64;
	uint64_t all = n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX, rows = 0xf & all;

	if (n <= ROWS_MAX)
		return all;
	for (unsigned i = 0; i < n && __builtin_popcountll(rows) < ROWS_MAX; i++) {
		const struct ladder_packet *p = &f->ladder[i];
		if (p->forged || svg_ladder_trigger(f, p) || svg_ladder_decisive(f, p))
			rows |= UINT64_C(1) << i;
	}
	for (;;) {
		uint64_t wider = (rows | rows << 1 | rows >> 1) & all;
		if (wider == rows || __builtin_popcountll(wider) > ROWS_MAX)
			return rows;
		rows = wider;
	}
}

static bool is_drawn(uint64_t rows, unsigned i)
{
	return i < 64 && (rows >> i & 1) != 0;
}

/* Something is left out between the row and the one that is drawn above it. */
static bool gap_above(const struct finding *f, uint64_t rows, unsigned i)
{
	return f->ladder[i].skipped_before || (i > 0 && !is_drawn(rows, i - 1));
}

static double height_of(const struct finding *f, uint64_t rows)
{
	double h = HEAD + 24;

	for (unsigned i = 0; i < f->n_ladder; i++) {
		if (is_drawn(rows, i))
			h += ROW + (gap_above(f, rows, i) ? SKIP : 0);
	}
	return h;
}

static void lifelines(struct svg *s, const struct finding *f)
{
	char client[WORDS_END_SIZE], server[WORDS_END_SIZE];
	bool sure = box_is_sure(f);

	svg_text(s, "who", SVG_MIDDLE, CLIENT, 14, "client");
	svg_text(s, "fact", SVG_MIDDLE, CLIENT, 29, "%s", words_end(f->flow, true, client));
	svg_text(s, "who", SVG_MIDDLE, BOX, 14, sure ? "middlebox" : "middlebox?");
	if (f->n_devices > 0 && f->devices[0].hops >= 0)
		svg_text(s, "fact", SVG_MIDDLE, BOX, 29, "%d hop%s from the capture",
			 f->devices[0].hops, f->devices[0].hops == 1 ? "" : "s");
	else if (!sure)
		svg_text(s, "fact", SVG_MIDDLE, BOX, 29, "not shown by this finding alone");
	svg_text(s, "who", SVG_MIDDLE, SERVER, 14, "server");
	svg_text(s, "fact", SVG_MIDDLE, SERVER, 29, "%s", words_end(f->flow, false, server));
	svg_line(s, "life", CLIENT, HEAD - 6, CLIENT, s->height - 4);
	svg_line(s, sure ? "life box" : "life box unsure", BOX, HEAD - 6, BOX, s->height - 4);
	svg_line(s, "life", SERVER, HEAD - 6, SERVER, s->height - 4);
}

static void facts_of(const struct finding *f, const struct ladder_packet *p, char *out, size_t room)
{
	bool v6 = f->flow->ip_version == 6, tcp = f->flow->proto == 6 && !p->icmp;
	char tcp_facts[80] = "", ip_id[24] = "";

	if (tcp)
		snprintf(tcp_facts, sizeof(tcp_facts), "seq %" PRIu32 ", ack %" PRIu32 ", win %u, ",
			 p->seq, p->ack, p->window);
	if (!v6)
		snprintf(ip_id, sizeof(ip_id), ", IP-ID %u", p->ip_id);
	snprintf(out, room, "%slen %" PRIu32 ", %s %u%s%s%s", tcp_facts, p->len, v6 ? "HL" : "TTL",
		 p->ttl, ip_id, p->df && !v6 ? ", DF" : "", p->has_ts ? ", TS" : "");
}

static void words_of(const struct finding *f, const struct ladder_packet *p, char *out, size_t room)
{
	char flags[WORDS_FLAGS_SIZE] = "";
	int note = (int)strlen(p->note);

	if (p->icmp)
		snprintf(flags, sizeof(flags), "ICMP");
	else if (f->flow->proto == 6)
		words_flags(p->flags, flags);
	snprintf(out, room, "%s%s%s%.*s",
		 p->forged		     ? (box_is_sure(f) ? "FORGED " : "FORGED? ")
		 : svg_ladder_trigger(f, p)  ? "TRIGGER "
		 : was_taken_out(f, p)	     ? "UNANSWERED "
		 : svg_ladder_decisive(f, p) ? "DECISIVE "
					     : "",
		 flags, note > 0 && flags[0] != '\0' ? " " : "", note > NOTE ? NOTE : note,
		 p->note);
}

/* From the box to whom it is meant for; the words stand on the other side of the box. */
static void forged(struct svg *s, const struct finding *f, const struct ladder_packet *p, double y)
{
	bool right = p->dir == DIR_C2S;
	double end = right ? SERVER : CLIENT, beside = right ? BOX - 12 : BOX + 12;
	char words[160], facts[160];

	svg_line(s, "arrow forged", BOX, y, end + (right ? -6 : 6), y);
	svg_arrowhead(s, "head forged", end, y, right);
	svg_mark(s, "mark forged", SVG_TRIANGLE, BOX, y, 6, NULL);
	words_of(f, p, words, sizeof(words));
	facts_of(f, p, facts, sizeof(facts));
	svg_text(s, "word forged", right ? SVG_END : SVG_START, beside, y - 4, "%s", words);
	svg_text(s, "fact", right ? SVG_END : SVG_START, beside, y + 11, "%s", facts);
}

static void genuine(struct svg *s, const struct finding *f, const struct ladder_packet *p, double y)
{
	bool right = p->dir == DIR_C2S, out = was_taken_out(f, p), stops = out && box_is_sure(f);
	double from = right ? CLIENT : SERVER, to = right ? SERVER : CLIENT;
	const char *class = svg_ladder_trigger(f, p) ? "word trigger" : out ? "word gone" : "word";
	double end = stops ? BOX : to, beside = right ? CLIENT + 12 : SERVER - 12;
	enum svg_anchor anchor = right ? SVG_START : SVG_END;
	char words[160], facts[160];

	svg_line(s, out ? "arrow gone" : "arrow", from, y, end + (right ? -6 : 6), y);
	if (stops)
		svg_mark(s, "mark gone", SVG_CROSS, BOX, y, 5, NULL);
	else
		svg_arrowhead(s, out ? "head gone" : "head", end, y, right);
	if (svg_ladder_trigger(f, p))
		svg_mark(s, "mark trigger", SVG_DIAMOND, from, y, 5, NULL);
	words_of(f, p, words, sizeof(words));
	facts_of(f, p, facts, sizeof(facts));
	svg_text(s, class, anchor, beside, y - 5, "%s", words);
	svg_text(s, "fact", anchor, beside, y + 13, "%s", facts);
}

static void times(struct svg *s, const struct finding *f, const struct ladder_packet *p, double y)
{
	double ms = p->ts_ns >= f->flow->first_ns ? (double)(p->ts_ns - f->flow->first_ns) / 1e6
						  : -(double)(f->flow->first_ns - p->ts_ns) / 1e6;

	svg_text(s, "time", SVG_END, 104, y - 2, "%.3f ms", ms);
	svg_text(s, "fact", SVG_END, 104, y + 12, "frame %" PRIu64, p->frame);
}

static void describe(const struct finding *f, char *out, size_t room)
{
	unsigned n_forged = 0;

	for (unsigned i = 0; i < f->n_ladder; i++)
		n_forged += f->ladder[i].forged;
	snprintf(out, room,
		 "Ladder diagram of %u packets between client and server, %u of them forged; the "
		 "table after it has the same packets.",
		 f->n_ladder, n_forged);
}

void svg_ladder(FILE *out, bool alone, const struct finding *f)
{
	struct svg s;
	char label[160];
	uint64_t rows = choose(f);
	double y = HEAD + 16;

	if (f->n_ladder == 0)
		return;
	describe(f, label, sizeof(label));
	svg_begin(&s, out, alone, WIDTH, height_of(f, rows), label);
	lifelines(&s, f);
	for (unsigned i = 0; i < f->n_ladder; i++) {
		const struct ladder_packet *p = &f->ladder[i];
		if (!is_drawn(rows, i))
			continue;
		if (gap_above(f, rows, i)) {
			svg_text(&s, "fact", SVG_MIDDLE, BOX, y,
				 "\xe2\x8b\xae packets of this connection left out \xe2\x8b\xae");
			y += SKIP;
		}
		times(&s, f, p, y);
		if (p->forged)
			forged(&s, f, p, y);
		else
			genuine(&s, f, p, y);
		y += ROW;
	}
	svg_end(&s);
}
