/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What a TLS server says in the clear: TLS-ALERT-INJ, and certificates of authorities that are known
 * to intercept. A server's own alert refuses a name or a client as it likes and is nothing; what
 * compares several flows (TLS-MITM, TLS-JA4S-SPLIT, TLS-FRAGSENS …) is the study's.
 */

#include <string.h>
#include <strings.h>

#include "classifiers/app/interceptor.h"
#include "classifiers/app/tls.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/tamper/dns_address.h"
#include "classifiers/tamper/signature.h"

#define ALERT_FATAL 2

/* EV-* of the alert's packet against its sender's others; 0: it fits them. */
static enum grade contradicted(const struct view *v, unsigned i)
{
	const struct half *s = &v->ev->half[v->dir], *p = &v->ev->half[dir_other(v->dir)];
	struct view w = view_without(v, i);
	if (s->ts_ok && p->ts_ok && s->ts_later && (v->e[i].bits & EVENT_TS) == 0)
		return GRADE_D4;
	return w.base.n != 0 && !w.base.handshake_only && view_ttl_off(&w, i, 9) &&
			       view_df_off(&w, i)
		       ? GRADE_D3
		       : 0;
}

/* RACE-8: the packet that has other bytes in the place of the alert; -1. */
static int went_on(const struct view *v, unsigned i)
{
	for (unsigned k = i + 1; (v->ev->found & EVIDENCE_BYTES) != 0 && k < v->n; k++)
		if (v->e[k].frame == v->ev->bytes_frame && event_dir(&v->e[k]) == v->dir &&
		    v->e[k].seq == v->e[i].seq)
			return (int)k;
	return -1;
}

static bool match_alert(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct tls_server *s = v->flow->tls_server;
	(void)self;
	if (v->dir != DIR_S2C || s == NULL || !s->has_alert || s->has_hello || v->first_s2c < 0 ||
	    s->alert_level != ALERT_FATAL || s->alert_offset != 0)
		return false;
	unsigned i = (unsigned)v->first_s2c;
	int later = went_on(v, i);
	t->grade = later >= 0 ? GRADE_D4 : contradicted(v, i);
	if (t->grade == 0)
		return false;
	t->frame = v->e[later >= 0 ? (unsigned)later : i].frame;
	testimony_suspect(t, i);
	testimony_says(t, "fatal alert %s instead of a ServerHello, %s", tls_alert_name(s->alert),
		       later >= 0 ? "and then the server's own bytes"
				  : "by a packet unlike its sender's others");
	testimony_expects(t, "nothing after a fatal alert, which ends the connection");
	return true;
}

static const struct interceptor *interceptor_of(const struct view *v)
{
	const struct tls_server *s = v->flow->tls_server;
	bool has = v->dir == DIR_S2C && s != NULL && v->first_s2c >= 0;
	return has ? interceptor_get(s->interceptor) : NULL;
}

static void say_issuer(const struct view *v, const struct interceptor *k, struct testimony *t)
{
	t->frame = v->e[v->first_s2c].frame;
	testimony_suspect(t, (unsigned)v->first_s2c);
	/* As long as those know it who put pseudonyms in its place. */
	testimony_says(t, "issuer %.80s", v->flow->tls_server->issuer);
	testimony_expects(t, "an issuer that browsers trust, not %s", k->name);
}

static bool match_issuer(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct interceptor *k = interceptor_of(v);
	(void)self;
	if (k == NULL || k->country[0] == '\0')
		return false;
	/* Anybody can write a name into a certificate; in its own country few others do. */
	const char *country = context_country(v->flow);
	t->grade = strncmp(country, k->country, 2) == 0 ? GRADE_D4
		   : country[0] == '\0'		 ? GRADE_D3
							 : GRADE_D2;
	say_issuer(v, k, t);
	return true;
}

/* The name that was asked for, or a wildcard of its domain: what a product copies from the server. */
static bool is_for(const char *subject, const char *name)
{
	if (strncmp(subject, "*.", 2) == 0)
		return dns_name_is_within(name, subject + 2);
	return subject[0] != '\0' && strcasecmp(subject, name) == 0;
}

/* A product at its owner's own address shows certificates of its maker's, too, but of no other's name. */
static bool match_product(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct interceptor *k = interceptor_of(v);
	const struct tls_client_hello *hello = v->flow->tls;
	(void)self;
	if (k == NULL || k->country[0] != '\0' || hello == NULL || !hello->has_sni ||
	    dns_address_is_inside(&v->flow->server, v->flow->ip_version) ||
	    !is_for(v->flow->tls_server->subject, hello->sni))
		return false;
	t->grade = GRADE_D2;
	say_issuer(v, k, t);
	return true;
}

const struct signature sig_tls[] = {
	{.id = "tls-alert-injected", .family = FAMILY_TLS_FILTERING, .cause = CAUSE_CONTENT,
	 .fact = FACT_HEADER, .names = true,
	 .summary = "a TLS alert that the server did not send ended the handshake",
	 .benign = "a load balancer that refuses for its servers",
	 .rules_out = "the server: it had not ended the handshake",
	 .refs = "after Weaver, Sommer, Paxson, NDSS 2009 (of resets); RFC 8446 section 6",
	 .match = match_alert},
	{.id = "interception-issuer", .family = FAMILY_TLS_INTERCEPTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_ISSUER, .names = true,
	 .summary = "the certificate was issued by an authority that is known for interception",
	 .benign = "a server that uses such a certificate to show or test interception",
	 .refs = "Sundara Raman et al., Investigating Large Scale HTTPS Interception in "
		 "Kazakhstan, IMC 2020; OONI, Kazakhstan, 2024",
	 .match = match_issuer},
	{.id = "interception-product", .family = FAMILY_TLS_INTERCEPTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_ISSUER, .names = true,
	 .summary = "the certificate for this name was issued by a product that opens TLS",
	 .benign = "a company's, school's or family's firewall, or a virus scanner on the client, which its "
		   "owner chose",
	 .refs = "Durumeric et al., The Security Impact of HTTPS Interception, NDSS 2017; Chromium's list of "
		 "interception software",
	 .match = match_product},
	{.id = NULL},
};
