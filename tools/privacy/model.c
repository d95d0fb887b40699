/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/privacy/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/http_response.h"
#include "classifiers/attempt.h"
#include "classifiers/lists/page.h"
#include "tools/privacy/key.h"
#include "tools/privacy/model_private.h"
#include "tools/study/study.h"

int privacy_new(struct privacy **out, const struct privacy_config *cfg, char *why, size_t len)
{
	struct privacy *p = calloc(1, sizeof(*p));
	uint8_t key[CRYPTO_PAN_KEY];

	if (len != 0)
		why[0] = '\0';
	if (p == NULL)
		return -ENOMEM;
	p->cfg = *cfg;
	int err = cfg->key_file != NULL ? privacy_key_read(cfg->key_file, key, why, len)
					: privacy_key_random(key);
	if (err == 0)
		err = pseudonyms_new(&p->pseudonyms, key);
	if (err == 0 && cfg->key_file != NULL)
		err = seal_key_make(&p->seal, key, sizeof(key));
	if (err == 0)
		err = names_key_make(&p->names, key, sizeof(key));
	privacy_key_forget(key);
	if (err == 0)
		err = survey_new(&p->survey);
	if (err != 0) {
		privacy_free(p);
		return err;
	}
	*out = p;
	return 0;
}

void privacy_free(struct privacy *p)
{
	if (p == NULL)
		return;
	pseudonyms_free(p->pseudonyms);
	survey_free(p->survey);
	scrub_free(p->scrub);
	seal_key_forget(&p->seal);
	names_key_forget(&p->names);
	arena_free(&p->arena);
	free(p->cited);
	free(p);
}

const struct pipeline_hooks *privacy_hooks(struct privacy *p, const struct pipeline_hooks *inner)
{
	return survey_hooks(p->survey, inner);
}

const struct seal_key *privacy_seal_key(const struct privacy *p)
{
	return p->cfg.key_file != NULL ? &p->seal : NULL;
}

struct survey *privacy_survey(struct privacy *p)
{
	return p->survey;
}

/* What findings say of addresses is shown: no client may seem to be one of these. */
static int note_finding(struct privacy *p, const struct finding *f)
{
	int err = privacy_note_text(p, f->sentence);

	for (unsigned i = 0; i < f->n_rows && err == 0; i++)
		err = privacy_note_text(p, f->rows[i].value);
	for (unsigned i = 0; i < f->n_ladder && err == 0; i++)
		err = privacy_note_text(p, f->ladder[i].note);
	for (unsigned i = 0; f->dns != NULL && i < f->dns->n_answers && err == 0; i++)
		err = privacy_note_text(p, f->dns->answers[i]);
	return err;
}

static int note_ends(struct privacy *p, const struct ip_addr *client, const struct ip_addr *server,
		     unsigned ip_version)
{
	if (ip_version == 0)
		return 0;
	int err = pseudonyms_note(p->pseudonyms, client, ROLE_CLIENT);
	return err == 0 ? pseudonyms_note(p->pseudonyms, server, ROLE_SHOWN) : err;
}

static int note_all(struct privacy *p, const struct analysis *a)
{
	int err = survey_fill(p->survey, p->pseudonyms);

	for (size_t i = 0; i < a->n_flows && err == 0; i++)
		err = note_ends(p, &a->flows[i]->client, &a->flows[i]->server,
				a->flows[i]->ip_version);
	for (size_t i = 0; i < a->n_attempts && err == 0; i++)
		err = note_ends(p, &a->attempts[i].client, &a->attempts[i].server,
				a->attempts[i].ip_version);
	for (size_t i = 0; i < a->n_findings && err == 0; i++) {
		const struct flow_record *r = a->findings[i]->flow;
		err = note_finding(p, a->findings[i]);
		if (err == 0 && r != NULL)
			err = note_ends(p, &r->client, &r->server, r->ip_version);
	}
	return err == 0 ? pseudonyms_settle(p->pseudonyms) : err;
}

static void replace(const struct privacy *p, struct ip_addr *a)
{
	struct ip_addr as;

	pseudonyms_of(p->pseudonyms, a, &as);
	*a = as;
}

/* A record that several findings share is rewritten again, which changes nothing. */
static void rewrite_flow(struct privacy *p, const struct flow_record *record)
{
	struct flow_record *r = (struct flow_record *)(uintptr_t)record;
	struct http_request *h = (struct http_request *)(uintptr_t)r->http;
	struct http_response *s = (struct http_response *)(uintptr_t)r->response;
	struct page_facts *page = (struct page_facts *)(uintptr_t)r->page;

	replace(p, &r->client);
	replace(p, &r->server);
	if (h != NULL) {
		privacy_mask(p, h->path, strnlen(h->path, sizeof(h->path)));
		privacy_mask(p, h->host, strnlen(h->host, sizeof(h->host)));
	}
	if (s != NULL)
		privacy_mask(p, s->location, strnlen(s->location, sizeof(s->location)));
	if (page != NULL) {
		privacy_mask(p, page->title, strnlen(page->title, sizeof(page->title)));
		privacy_mask(p, page->frame, strnlen(page->frame, sizeof(page->frame)));
	}
}

static void rewrite_study(struct privacy *p, const struct study *study)
{
	struct study *s = (struct study *)(uintptr_t)study;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_names; i++) {
		replace(p, &s->names[i].server);
		s->names[i].name = privacy_string(p, s->names[i].name);
	}
	for (unsigned i = 0; i < s->n_profiles; i++) {
		struct study_profile *f = &s->profiles[i];
		for (unsigned k = 0; k < f->n_triggers; k++)
			f->triggers[k].name = privacy_string(p, f->triggers[k].name);
		for (unsigned k = 0; k < f->n_lines; k++) {
			f->lines[k].value = privacy_string(p, f->lines[k].value);
			f->lines[k].why = privacy_string(p, f->lines[k].why);
		}
	}
}

int privacy_apply(struct privacy *p, struct analysis *a, struct report_options *o)
{
	int err = note_all(p, a);

	if (err == 0)
		err = privacy_cite(p, a);
	if (err == 0)
		err = privacy_run(p, a, o);
	if (err != 0)
		return err;
	if (p->cfg.redact_names)
		privacy_redact(p, a, o);
	/* Findings first: their packets are computed again from the addresses of their flows. */
	for (size_t i = 0; i < a->n_findings; i++)
		privacy_finding(p, a->findings[i]);
	if (!p->cfg.all_names)
		privacy_hide_names(p, a);
	for (size_t i = 0; i < a->n_flows; i++)
		rewrite_flow(p, a->flows[i]);
	for (size_t i = 0; i < a->n_findings; i++)
		if (a->findings[i]->flow != NULL)
			rewrite_flow(p, a->findings[i]->flow);
	for (size_t i = 0; i < a->n_attempts; i++) {
		replace(p, &a->attempts[i].client);
		replace(p, &a->attempts[i].server);
		a->attempts[i].name = privacy_string(p, a->attempts[i].name);
	}
	rewrite_study(p, o->study);
	struct scrub_config scrub = {.pseudonyms = p->pseudonyms,
				     .keep_payload = p->cfg.keep_payload,
				     .names = p->cfg.redact_names ? &p->names : NULL};
	err = scrub_new(&p->scrub, &scrub);
	if (err != 0)
		return err;
	o->scrub = p->scrub;
	o->real_clients = false;
	o->redacted_names = p->cfg.redact_names;
	return p->no_memory ? -ENOMEM : 0;
}
