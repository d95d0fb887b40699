/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <string.h>

#include "classifiers/lists/page.h"
#include "tools/privacy/model_private.h"
#include "tools/privacy/relation.h"
#include "tools/privacy/text.h"

#define PROTO_TCP 6

/* The first of one pattern in a text for another, as far as the room goes. */
static void replace(char *text, size_t room, const char *from, const char *to)
{
	char *at = strstr(text, from);

	if (at != NULL)
		text_replace(text, room, at, strlen(from), to);
}

/* Evidence that quotes the fields of a packet which has others now. */
static void restamp_row(struct privacy *p, struct evidence_row *row, const struct tsg_stamp *was,
			const struct tsg_stamp *now)
{
	char from[24], to[24], value[EVIDENCE_TEXT];

	snprintf(value, sizeof(value), "%s", row->value);
	snprintf(from, sizeof(from), "IP-ID 0x%04x", was->ip_id);
	snprintf(to, sizeof(to), "IP-ID 0x%04x", now->ip_id);
	replace(value, sizeof(value), from, to);
	snprintf(from, sizeof(from), "window %u", was->window);
	snprintf(to, sizeof(to), "window %u", now->window);
	replace(value, sizeof(value), from, to);
	row->value = privacy_keep(p, value);
}

/* IP-IDs of packets that the ladder does not show, where those that it shows follow from addresses.
 */
static void forget_others(struct privacy *p, struct finding *f)
{
	for (unsigned i = 0; i < f->n_rows; i++) {
		bool shown = false;
		for (unsigned k = 0; k < f->n_ladder; k++)
			shown |= f->ladder[k].frame == f->rows[i].packet &&
				 f->ladder[k].file == f->rows[i].packet_file;
		char value[EVIDENCE_TEXT];
		snprintf(value, sizeof(value), "%s", f->rows[i].value);
		char *at = strstr(value, "IP-ID 0x");
		if (shown || at == NULL || strlen(at) < 12)
			continue;
		memcpy(at + 8, "????", 4);
		f->rows[i].value = privacy_keep(p, value);
	}
}

static void restamp(struct privacy *p, struct finding *f)
{
	const struct flow_record *r = f->flow;
	bool any = false;

	if (r == NULL || r->ip_version != 4 || r->proto != PROTO_TCP)
		return;
	for (unsigned i = 0; i < f->n_ladder; i++) {
		struct ladder_packet *l = &f->ladder[i];
		bool up = l->dir == DIR_C2S;
		struct relation rel = {.src = up ? r->client : r->server,
				       .dst = up ? r->server : r->client};
		struct tsg_stamp was = {.window = l->window, .ip_id = l->ip_id, .ttl = l->ttl},
				 now = was;
		if (l->icmp || (l->flags & TCP_RST) == 0)
			continue;
		pseudonyms_of(p->pseudonyms, &rel.src, &rel.as_src);
		pseudonyms_of(p->pseudonyms, &rel.dst, &rel.as_dst);
		rel.seed[0] = pseudonyms_seed(p->pseudonyms, &rel.dst, &rel.src);
		rel.seed[1] = pseudonyms_seed(p->pseudonyms, &rel.src, &rel.dst);
		if (!relation_apply(&rel, &now))
			continue;
		any = true;
		l->window = now.window;
		l->ip_id = now.ip_id;
		for (unsigned k = 0; k < f->n_rows; k++)
			if (f->rows[k].packet == l->frame && f->rows[k].packet_file == l->file)
				restamp_row(p, &f->rows[k], &was, &now);
	}
	if (any)
		forget_others(p, f);
}

void privacy_dns(struct privacy *p, struct finding *f, privacy_fn qname, privacy_fn answer)
{
	if (f->dns == NULL)
		return;
	struct dns_facts *d = arena_alloc(&p->arena, sizeof(*d));
	const char **answers = arena_alloc(&p->arena, (f->dns->n_answers + 1) * sizeof(*answers));

	if (d == NULL || answers == NULL) {
		p->no_memory = true;
		f->dns = NULL;
		return;
	}
	*d = *f->dns;
	d->qname = qname(p, d->qname);
	for (unsigned i = 0; i < d->n_answers; i++)
		answers[i] = answer(p, f->dns->answers[i]);
	d->answers = answers;
	f->dns = d;
}

struct page_facts *privacy_page(struct privacy *p, struct finding *f)
{
	if (f->page == NULL)
		return NULL;
	struct page_facts *page = arena_alloc(&p->arena, sizeof(*page));

	if (page != NULL)
		*page = *f->page;
	p->no_memory |= page == NULL;
	f->page = page;
	return page;
}

void privacy_finding(struct privacy *p, struct finding *f)
{
	restamp(p, f);
	f->sentence = privacy_said(p, f->sentence, FINDING_SENTENCE);
	f->trigger_value = privacy_said(p, f->trigger_value, FINDING_TRIGGER);
	for (unsigned i = 0; i < f->n_rows; i++) {
		f->rows[i].value = privacy_said(p, f->rows[i].value, EVIDENCE_TEXT);
		f->rows[i].expected = privacy_said(p, f->rows[i].expected, EVIDENCE_TEXT);
	}
	for (unsigned i = 0; i < f->n_ladder; i++)
		f->ladder[i].note = privacy_string(p, f->ladder[i].note);
	for (unsigned i = 0; i < f->n_devices; i++)
		f->devices[i].detail = privacy_string(p, f->devices[i].detail);
	privacy_dns(p, f, privacy_string, privacy_string);
	struct page_facts *page = privacy_page(p, f);
	if (page != NULL) {
		privacy_mask(p, page->title, strnlen(page->title, sizeof(page->title)));
		privacy_mask(p, page->frame, strnlen(page->frame, sizeof(page->frame)));
	}
}
