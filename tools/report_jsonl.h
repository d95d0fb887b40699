/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The two halves of the JSON Lines report: events of flows and findings, and the run event. */

#include "tools/json.h"
#include "tools/report.h"

void jsonl_time(struct json *j, const char *key, uint64_t ts_ns);
void jsonl_strings(struct json *j, const char *key, const char *const *list, unsigned n);
/* jsonl_app.c: what a flow's bytes said; a rule; a page or null. */
void jsonl_app(struct json *j, const struct flow_record *f);
struct rule;
void jsonl_rule(struct json *j, const struct rule *r);
void jsonl_page(struct json *j, const struct page_facts *p);
/* jsonl_dns.c */
void jsonl_dns(struct json *j, const struct dns_facts *d);
/* jsonl_rate.c; nothing for NULL */
void jsonl_rate(struct json *j, const struct rate_facts *r);
void jsonl_goodput(struct json *j, const struct goodput *g);
/* jsonl_study.c: what a finding speaks of, unless one flow; triggers and profiles. */
void jsonl_scope(struct json *j, const struct finding *f);
struct study;
void jsonl_study(struct json *j, const struct study *s);
/* jsonl_compare.c; NULL is nothing */
struct comparison;
struct compare_totals;
void jsonl_compared_way(struct json *j, const char *key, const struct compare_totals *t);
void jsonl_comparison(struct json *j, const struct comparison *c);
void jsonl_compare_note(struct json *j, const struct compare_note *n);
/* jsonl_audit.c; NULL is nothing */
void jsonl_audit(struct json *j, const struct audit_result *r);
void jsonl_run(struct json *j, const struct analysis *a, const struct report_options *o);
