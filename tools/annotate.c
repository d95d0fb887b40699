/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/annotate.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "tools/escape.h"
#include "tools/json.h"
#include "tools/tables.h"

struct note {
	uint64_t frame;
	const struct finding *f;
	uint32_t capture, file;
	bool trigger;     /* else one of the finding's packets */
};

struct annotations {
	struct note *notes; /* by capture, file, frame, finding */
	size_t n, room;
	char *text;         /* what comments[] point to */
	size_t len;
};

static int add(struct annotations *n, struct note note)
{
	if (n->n == n->room) {
		size_t room = n->room != 0 ? n->room * 2 : 256;
		struct note *notes = realloc(n->notes, room * sizeof(*notes));
		if (notes == NULL)
			return -ENOMEM;
		n->notes = notes;
		n->room = room;
	}
	n->notes[n->n++] = note;
	return 0;
}

static int add_finding(struct annotations *n, const struct analysis *a, const struct finding *f)
{
	const struct capture_result *c = &a->captures[f->flow->capture];
	struct note note = {.f = f, .capture = f->flow->capture};
	uint32_t home = facts_home(c, f->flow);
	int err = 0;

	for (unsigned i = 0; i < f->n_packets && err == 0; i++) {
		note.frame = f->packets[i];
		note.file = f->packet_files != NULL ? f->packet_files[i] : home;
		err = add(n, note);
	}
	if (f->trigger_packet != 0 && err == 0) {
		note.frame = f->trigger_packet;
		note.file = f->trigger_file;
		note.trigger = true;
		err = add(n, note);
	}
	return err;
}

static int compare_places(const struct note *a, uint32_t capture, uint32_t file, uint64_t frame)
{
	if (a->capture != capture)
		return a->capture < capture ? -1 : 1;
	if (a->file != file)
		return a->file < file ? -1 : 1;
	return a->frame < frame ? -1 : a->frame > frame;
}

static int compare_notes(const void *x, const void *y)
{
	const struct note *a = x, *b = y;
	int order = compare_places(a, b->capture, b->file, b->frame);

	if (order == 0)
		order = a->f->number < b->f->number ? -1 : a->f->number > b->f->number;
	return order != 0 ? order : (int)a->trigger - (int)b->trigger;
}

int annotations_new(struct annotations **out, const struct analysis *a,
		    const struct report_options *o)
{
	struct annotations *n = calloc(1, sizeof(*n));
	int err = n != NULL ? 0 : -ENOMEM;

	*out = NULL;
	for (size_t i = 0; i < a->n_findings && err == 0; i++) {
		if (!tables_shown(o, a->findings[i]))
			continue;
		/* What a wider finding names is in the findings that it stands on. */
		if (a->findings[i]->scope == SCOPE_FLOW)
			err = add_finding(n, a, a->findings[i]);
	}
	if (err != 0) {
		annotations_free(n);
		return err;
	}
	if (n->n != 0)
		qsort(n->notes, n->n, sizeof(*n->notes), compare_notes);
	*out = n;
	return 0;
}

void annotations_free(struct annotations *n)
{
	if (n == NULL)
		return;
	free(n->notes);
	free(n->text);
	free(n);
}

int annotations_each(const struct annotations *n, unsigned capture,
		     int (*fn)(void *user, uint32_t file, uint64_t frame), void *user)
{
	int err = 0;

	for (size_t i = 0; i < n->n && err == 0; i++)
		if (n->notes[i].capture == capture)
			err = fn(user, n->notes[i].file, n->notes[i].frame);
	return err;
}

/* Words */

static const char *const role_word[ROLE_N] = {
	[ROLE_INJECTED] = "INJECTED",	  [ROLE_SUSPECT] = "SUSPECT",
	[ROLE_UNANSWERED] = "UNANSWERED", [ROLE_PAGE] = "PAGE",
	[ROLE_DECISIVE] = "SHOWS",
};

/* " RST+ACK", " DNS answer", " ICMP 3/13": what the frame is by itself. */
static void say_packet(FILE *out, const struct packet *pkt)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} flags[] = {{TCP_SYN, "SYN"}, {TCP_FIN, "FIN"}, {TCP_RST, "RST"},
		     {TCP_PSH, "PSH"}, {TCP_ACK, "ACK"}, {TCP_URG, "URG"}};
	struct headers h;
	char separator = ' ';

	packet_decode(pkt, &h);
	if (h.end == DECODE_FRAGMENT) {
		fputs(" fragment", out);
	} else if (h.end != DECODE_OK) {
		fputs(" packet", out);
	} else if (h.proto == IPPROTO_TCP) {
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			if ((h.flags & flags[i].bit) == 0)
				continue;
			fprintf(out, "%c%s", separator, flags[i].name);
			separator = '+';
		}
		if (h.payload_len != 0)
			fprintf(out, ", %" PRIu32 " bytes", h.payload_len);
	} else if (h.proto == IPPROTO_UDP) {
		fprintf(out, " %s", h.sport == 53   ? "DNS answer"
				    : h.dport == 53 ? "DNS query"
						    : "UDP datagram");
	} else {
		fprintf(out, " ICMP %u/%u", h.sport, h.dport);
	}
}

/* Lower case: a name cannot say INJECTED. */
static void say_name(FILE *out, const struct finding *f)
{
	char text[4 * FINDING_TRIGGER + 1];
	size_t len = escape_bytes(text, sizeof(text), f->trigger_value,
				  strlen(f->trigger_value), 0);

	for (size_t i = 0; i < len; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
	if (len != 0)
		fprintf(out, " %s", text);
}

static void say_evidence(FILE *out, const struct finding *f)
{
	unsigned said = 0;

	for (unsigned i = 0; i < f->n_rows && said < 3; i++) {
		if (!f->rows[i].counted)
			continue;
		fprintf(out, "%s%s", said++ == 0 ? "; evidence " : ", ", f->rows[i].kind);
	}
	if (f->n_injectors != 0 && f->injectors[0].mbx[0] != '\0')
		fprintf(out, "; %s", f->injectors[0].mbx);
}

static void say_for_people(FILE *out, const struct note *n, const struct packet *pkt,
			   uint64_t written)
{
	const struct finding *f = n->f;

	if (n->trigger) {
		fprintf(out, "TRIGGER %s", trigger_name[f->trigger]);
		say_name(out, f);
	} else {
		fputs(role_word[facts_role(f)], out);
		say_packet(out, pkt);
		fprintf(out, " to the %s", f->direction == DIR_S2C ? "client" : "server");
	}
	fprintf(out, "; finding %u %s, %s", f->number, f->id, verdict_name[f->verdict]);
	if (!n->trigger)
		say_evidence(out, f);
	if (!n->trigger && f->trigger_packet != 0)
		fprintf(out, "; trigger in frame %" PRIu64 " of the capture", f->trigger_packet);
	if (pkt->frame != written)
		fprintf(out, "; frame %" PRIu64 " of the capture", pkt->frame);
	putc('\0', out);
}

static void say_for_machines(FILE *out, const struct note *n, const struct packet *pkt)
{
	const struct finding *f = n->f;
	struct json j;

	fputs("mbx:", out);
	json_start(&j, out);
	json_object(&j, NULL);
	json_string(&j, "v", n->trigger ? "trigger" : facts_role_name[facts_role(f)]);
	json_uint(&j, "finding", n->f->number);
	json_string(&j, "id", f->id);
	json_string(&j, "verdict", verdict_name[f->verdict]);
	json_id(&j, "flow_id", f->flow->id);
	json_uint(&j, "frame", pkt->frame);
	json_end(&j);
	putc('\0', out);
}

static const struct note *first_of(const struct annotations *n, unsigned capture, uint32_t file,
				   uint64_t frame, size_t *count)
{
	size_t low = 0, high = n->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_places(&n->notes[middle], capture, file, frame) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (*count = 0; low + *count < n->n &&
			 compare_places(&n->notes[low + *count], capture, file, frame) == 0;
	     (*count)++)
		;
	return &n->notes[low];
}

int annotations_of(struct annotations *n, unsigned capture, const struct packet *pkt,
		   uint64_t written, struct annotation *out)
{
	size_t count, ends[ANNOTATION_COMMENTS];
	const struct note *notes = first_of(n, capture, pkt->file, pkt->frame, &count);

	out->n = 0;
	if (count == 0)
		return 0;
	free(n->text);
	n->text = NULL;
	FILE *text = open_memstream(&n->text, &n->len);
	if (text == NULL)
		return -ENOMEM;
	size_t shown = count < ANNOTATION_COMMENTS / 2 ? count : ANNOTATION_COMMENTS / 2;
	/* What a person reads comes first. */
	for (size_t i = 0; i < 2 * shown; i++) {
		ends[i] = (size_t)ftell(text);
		if (i < shown)
			say_for_people(text, &notes[i], pkt, written);
		else
			say_for_machines(text, &notes[i - shown], pkt);
	}
	if (fclose(text) != 0)
		return -ENOMEM;
	for (; out->n < 2 * shown; out->n++) {
		char *comment = n->text + ends[out->n];
		/* An event of JSON Lines ends its line, a comment does not. */
		comment[strcspn(comment, "\n")] = '\0';
		out->comments[out->n] = comment;
	}
	return 0;
}
