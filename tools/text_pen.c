/* SPDX-License-Identifier: BSD-3-Clause */

/* How the report for people puts words on the page. */

#include <string.h>

#include "tools/escape.h"
#include "tools/facts.h"
#include "tools/report_text.h"
#include "tools/spell.h"
#include "tools/words.h"

struct text text_of(const struct analysis *a, const struct report_options *o, FILE *out)
{
	return (struct text){
		.out = out,
		.analysis = a,
		.options = o,
		.escape = o->utf8 ? 0 : ESCAPE_ASCII,
		.dash = o->utf8 ? "\xe2\x80\x93" : "-",
		.ellipsis = o->utf8 ? "\xe2\x80\xa6" : "...",
		.to_server = o->utf8 ? "\xe2\x94\x80\xe2\x94\x80\xe2\x86\x92" : "-->",
		.to_client = o->utf8 ? "\xe2\x86\x90\xe2\x94\x80\xe2\x94\x80" : "<--",
	};
}

void text_raw(const struct text *t, const void *data, size_t len)
{
	escape_write(t->out, data, len, t->escape);
}

unsigned text_columns(const char *s)
{
	unsigned n = 0;

	for (; *s != '\0'; s++)
		n += ((uint8_t)*s & 0xc0) != 0x80;
	return n;
}

/* Bytes of the first *columns characters of s or of its first word; sets *columns to their number. */
static size_t word_prefix(const char *s, unsigned *columns)
{
	size_t i = 0;
	unsigned n = 0;

	while (s[i] != '\0' && s[i] != ' ' && n < *columns) {
		i++;
		while (((uint8_t)s[i] & 0xc0) == 0x80)
			i++;
		n++;
	}
	*columns = n;
	return i;
}

void text_blanks(const struct text *t, unsigned n)
{
	for (; n > 0; n--)
		putc(' ', t->out);
}

void text_wrap(const struct text *t, unsigned indent, const char *text)
{
	unsigned column = indent, room = TEXT_WIDTH - indent;
	const char *run = text; /* words of this line that are not written yet, as they stand */
	size_t len = 0;

	while (*text != '\0') {
		/* A word longer than a line is broken where the line ends. */
		unsigned columns = room;
		size_t n = word_prefix(text, &columns);
		bool breaks = column > indent && column + 1 + columns > TEXT_WIDTH;
		bool blank = column > indent && !breaks;
		if (blank && text == run + len + 1) {
			len++; /* the one blank between them */
		} else {
			fwrite(run, 1, len, t->out);
			run = text;
			len = 0;
			if (breaks)
				putc('\n', t->out);
			text_blanks(t, breaks ? indent : blank);
		}
		column = (breaks ? indent : column + blank) + columns;
		len += n;
		text += n;
		text += strspn(text, " ");
	}
	fwrite(run, 1, len, t->out);
	putc('\n', t->out);
}

void text_colour(const struct text *t, enum verdict v)
{
	static const char *const codes[VERDICT_N] = {
		[VERDICT_NONE] = "0",    [VERDICT_INCONCLUSIVE] = "2", [VERDICT_ANOMALY] = "33",
		[VERDICT_LIKELY] = "31", [VERDICT_CONFIRMED] = "1;31",
	};

	if (t->options->colour)
		fprintf(t->out, "\033[%sm", codes[v]);
}

void text_plain(const struct text *t)
{
	if (t->options->colour)
		fputs("\033[0m", t->out);
}

const char *text_flow(const struct text *t, const struct flow_record *f, char *out, size_t room)
{
	char client[WORDS_END_SIZE], server[WORDS_END_SIZE];

	struct spelling s = spelling_of(out, room);
	spell(&s, words_end(f, true, client));
	spell(&s, t->options->utf8 ? " \xe2\x86\x92 " : " -> ");
	spell(&s, words_end(f, false, server));
	return out;
}

const char *text_trigger(const struct text *t, const struct finding *f, char *out, size_t room)
{
	struct spelling s = spelling_of(out, room);

	spell(&s, words_trigger(f->trigger));
	if (f->trigger == TRIGGER_NONE)
		return out;
	spell(&s, " ");
	escape_bytes(s.at, (size_t)(s.end + 1 - s.at), f->trigger_value,
		     strlen(f->trigger_value), t->escape);
	return out;
}
