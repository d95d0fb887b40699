/* SPDX-License-Identifier: BSD-3-Clause */

/* A finding's packets one below the other, forged ones marked. */

#include <string.h>

#include "tools/digits.h"
#include "tools/escape.h"
#include "tools/facts.h"
#include "tools/report_text.h"
#include "tools/spell.h"
#include "tools/words.h"

enum column { COL_FRAME, COL_MS, COL_FLAGS, COL_SEQ, COL_ACK, COL_LEN, COL_TTL, COL_ID, COL_WIN,
	      COL_OPT, COL_N };

static const char *const titles[COL_N] = {
	[COL_FRAME] = "frame", [COL_MS] = "ms", [COL_FLAGS] = "flags", [COL_SEQ] = "seq",
	[COL_ACK] = "ack", [COL_LEN] = "len", [COL_TTL] = "ttl", [COL_ID] = "ip-id",
	[COL_WIN] = "window", [COL_OPT] = "opt",
};

#define CELL 24 /* the longest is a time before the flow's: sign, 17 digits, point, 3 digits */

struct cells {
	char text[COL_N][CELL];
};

static void put_decimal(char *out, uint64_t v)
{
	*digits_put(out, v) = '\0';
}

static void relative_ms(uint64_t ts_ns, uint64_t start_ns, char *out)
{
	bool before = ts_ns < start_ns;
	uint64_t us = (before ? start_ns - ts_ns : ts_ns - start_ns) / 1000;

	if (before)
		*out++ = '-';
	out = digits_put(out, us / 1000);
	*out++ = '.';
	*digits_pad(out, us % 1000, 3) = '\0';
}

static void fill(const struct finding *f, const struct ladder_packet *p, struct cells *c)
{
	bool v6 = f->flow->ip_version == 6, tcp = f->flow->proto == 6 && !p->icmp;

	for (unsigned i = 0; i < COL_N; i++)
		c->text[i][0] = '\0';
	put_decimal(c->text[COL_FRAME], p->frame);
	relative_ms(p->ts_ns, f->flow->first_ns, c->text[COL_MS]);
	if (p->icmp)
		strcpy(c->text[COL_FLAGS], "ICMP");
	else if (tcp)
		words_flags(p->flags, c->text[COL_FLAGS]);
	if (tcp) {
		put_decimal(c->text[COL_SEQ], p->seq);
		put_decimal(c->text[COL_ACK], p->ack);
		put_decimal(c->text[COL_WIN], p->window);
	}
	put_decimal(c->text[COL_LEN], p->len);
	put_decimal(c->text[COL_TTL], p->ttl);
	/* IPv6 has neither. */
	if (!v6)
		put_decimal(c->text[COL_ID], p->ip_id);
	bool df = p->df && !v6;
	strcpy(c->text[COL_OPT], df && p->has_ts ? "DF,TS" : df ? "DF" : p->has_ts ? "TS" : "");
}

static char *put_after(char *at, unsigned blanks, const char *word)
{
	size_t n = strlen(word);

	memset(at, ' ', blanks);
	memcpy(at + blanks, word, n);
	return at + blanks + n;
}

/* Blanks are owed, not put, until something follows them: no line ends with one. */
static unsigned put_cells(const struct text *t, const struct cells *c, const unsigned width[COL_N],
			  const char *arrow)
{
	char line[COL_N * (2 * CELL + 4) + 64], *at = line;
	unsigned owed = 1;

	for (unsigned i = 0; i < COL_N; i++) {
		bool left = i == COL_FLAGS || i == COL_OPT;
		unsigned n = (unsigned)strlen(c->text[i]);
		if (i == COL_FLAGS) {
			at = put_after(at, owed, arrow);
			owed = 2;
		}
		if (width[i] == 0)
			continue;
		if (n == 0) {
			owed += width[i] + 2;
			continue;
		}
		at = put_after(at, owed + (left ? 0 : width[i] - n), c->text[i]);
		owed = 2 + (left ? width[i] - n : 0);
	}
	fwrite(line, 1, (size_t)(at - line), t->out);
	return owed;
}

/* Ends the row: beside it where there is room, else below. */
static void put_note(const struct text *t, const struct ladder_packet *p, unsigned owed,
		     unsigned used)
{
	enum { BELOW = 26, SHOWN = 257 };
	char note[SHOWN];

	escape_bytes(note, sizeof(note), p->note, strlen(p->note), t->escape);
	if (note[0] == '\0') {
		putc('\n', t->out);
	} else if (used + 2 + text_columns(note) > TEXT_WIDTH) {
		putc('\n', t->out);
		text_blanks(t, BELOW);
		text_wrap(t, BELOW, note);
	} else {
		text_blanks(t, owed);
		fputs(note, t->out);
		putc('\n', t->out);
	}
}

static void put_row(const struct text *t, const struct finding *f, const struct ladder_packet *p,
		    const unsigned width[COL_N], unsigned used)
{
	struct cells c;
	char arrow[32];
	struct spelling words = spelling_of(arrow, sizeof(arrow));
	bool to_server = p->dir == DIR_C2S;

	if (p->skipped_before)
		fprintf(t->out, "    %s packets of this connection left out\n", t->ellipsis);
	fill(f, p, &c);
	spell(&words, "client ");
	spell(&words, to_server ? t->to_server : t->to_client);
	spell(&words, " server");
	if (p->forged)
		text_colour(t, VERDICT_CONFIRMED);
	fputs(p->forged ? "  >>" : "    ", t->out);
	unsigned owed = put_cells(t, &c, width, arrow);
	if (p->forged)
		text_plain(t);
	put_note(t, p, owed, used);
}

void text_ladder(const struct text *t, const struct finding *f)
{
	unsigned width[COL_N] = {0}, used = 4 + 2 + 17; /* mark, arrow */
	struct cells head;
	bool forged = false;

	if (f->n_ladder == 0)
		return;
	for (unsigned i = 0; i < f->n_ladder; i++) {
		struct cells c;
		fill(f, &f->ladder[i], &c);
		forged = forged || f->ladder[i].forged;
		for (unsigned k = 0; k < COL_N; k++) {
			unsigned n = (unsigned)strlen(c.text[k]);
			width[k] = n > width[k] ? n : width[k];
		}
	}
	for (unsigned k = 0; k < COL_N; k++) {
		strcpy(head.text[k], titles[k]);
		unsigned n = (unsigned)strlen(titles[k]);
		/* A column that no packet has anything in is left out. */
		if (width[k] != 0 && width[k] < n)
			width[k] = n;
		used += width[k] != 0 ? width[k] + 2 : 0;
	}
	fprintf(t->out, "\n  Packets of the connection%s\n",
		forged ? " (>> marks those that this finding is about)" : "");
	fputs("    ", t->out);
	put_cells(t, &head, width, "                 ");
	putc('\n', t->out);
	for (unsigned i = 0; i < f->n_ladder; i++) {
		/* Each file of one timeline counts its frames anew. */
		if (facts_rotated(t->analysis, f) &&
		    (i == 0 || f->ladder[i].file != f->ladder[i - 1].file)) {
			const char *file = facts_file(t->analysis, f->flow, f->ladder[i].file);
			fputs("    of ", t->out);
			text_raw(t, file, strlen(file));
			putc('\n', t->out);
		}
		put_row(t, f, &f->ladder[i], width, used);
	}
}
