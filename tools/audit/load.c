/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/audit/load.h"

#include <inttypes.h>

#include "tools/facts.h"
#include "tools/json.h"

static void rate_text(const struct load_report *r, double rate, char out[32])
{
	static const char prefixes[] = " kMG";
	unsigned i = 0;

	for (; rate >= 1000 && prefixes[i + 1] != '\0'; i++)
		rate /= 1000;
	snprintf(out, 32, "%.3g %.*s%s", rate, i > 0, prefixes + i,
		 r->kind == PACE_BITS ? "bit/s" : "pkt/s");
}

static uint64_t missing(const struct load_trial *t, enum compare_way way)
{
	uint64_t sent = t->sent[way_from(way)], arrived = t->arrived[way_to(way)];

	return sent > arrived ? sent - arrived : 0;
}

void load_print_trial(const struct load_report *r, const struct load_trial *t)
{
	static const char *const words[] = {[TRIAL_PASSED] = "no loss",
					    [TRIAL_LOST] = "the box lost frames",
					    [TRIAL_TESTER] = "the tester's own limit"};
	char asked[32], got[32];

	if (r->quiet || r->jsonl == stdout)
		return;
	rate_text(r, t->rate.value, asked);
	rate_text(r, r->kind == PACE_BITS ? t->achieved.bits : t->achieved.packets, got);
	printf("  %-13s  %-13s  %10" PRIu64 "  %8" PRIu64 "  %10" PRIu64 "  %8" PRIu64 "  %s\n",
	       asked, got, t->sent[SIDE_CLIENT], missing(t, WAY_UP), t->sent[SIDE_SERVER],
	       missing(t, WAY_DOWN), words[t->end]);
	fflush(stdout);
}

static void json_head(const struct load_report *r, struct json *j)
{
	char text[FACTS_TIME_SIZE];

	json_start(j, r->jsonl);
	json_object(j, NULL);
	json_uint(j, "schema", 1);
	json_string(j, "event_type", "load");
	json_string(j, "timestamp", facts_time(r->started_ns, text));
	json_object(j, "load");
}

void load_json_trial(const struct load_report *r, const struct load_trial *t)
{
	static const char *const names[] = {[TRIAL_PASSED] = "no_loss", [TRIAL_LOST] = "lost",
					    [TRIAL_TESTER] = "tester"};
	struct json j;

	if (r->jsonl == NULL)
		return;
	json_head(r, &j);
	json_object(&j, "trial");
	json_string(&j, "unit", r->kind == PACE_BITS ? "bits_per_s" : "packets_per_s");
	json_number(&j, "asked", t->rate.value);
	json_number(&j, "achieved", r->kind == PACE_BITS ? t->achieved.bits : t->achieved.packets);
	for (unsigned w = 0; w < WAYS; w++) {
		json_object(&j, w == WAY_UP ? "from_client" : "from_server");
		json_uint(&j, "sent", t->sent[way_from(w)]);
		json_uint(&j, "arrived", t->arrived[way_to(w)]);
		json_end(&j);
	}
	json_uint(&j, "tester_lost_frames", t->tester);
	json_string(&j, "end", names[t->end]);
	json_end(&j);
	json_end(&j);
	json_end(&j);
}

static void print_latency(const struct load_report *r, enum compare_way way)
{
	const struct ledger_way *w = ledger_way(r->ledger, way);
	const struct pace_errors *e = &w->transit;

	printf("  from the %s: ", way == WAY_UP ? "client" : "server");
	if (e->n == 0) {
		puts("nothing arrived");
		return;
	}
	printf("%.1f us median, %.1f us p90, %.1f us p99, %.1f us p99.9, %.1f us at most; %" PRIu64
	       " of %" PRIu64 " lost, %" PRIu64 " reordered\n",
	       (double)pace_errors_quantile(e, 0.5) / 1e3, (double)pace_errors_quantile(e, 0.9) / 1e3,
	       (double)pace_errors_quantile(e, 0.99) / 1e3,
	       (double)pace_errors_quantile(e, 0.999) / 1e3, (double)e->max_ns / 1e3,
	       w->totals.fates[FATE_DROPPED], w->totals.sent, w->totals.reordered);
}

void load_print_result(const struct load_report *r)
{
	const struct search *s = &r->search;
	char pass[32], fail[32];

	if (r->quiet || r->jsonl == stdout)
		return;
	rate_text(r, s->pass, pass);
	rate_text(r, s->fail, fail);
	putchar('\n');
	if (s->pass == 0)
		printf("No rate from --from on passed: %s at %s.\n",
		       s->tester ? "the tester is at its limit" : "the box loses frames", fail);
	else if (s->fail == 0)
		printf("The box loses nothing at %s, the highest rate that was tried.\n", pass);
	else if (s->tester)
		printf("The box loses nothing at %s; beyond is the tester's own limit.\n", pass);
	else
		printf("The box loses nothing at %s, and loses frames at %s.\n", pass, fail);
	if (r->ledger == NULL)
		return;
	rate_text(r, r->latency.rate.value, pass);
	printf("In the box at %s (half of that), by this kernel's stamps at both ports:\n", pass);
	print_latency(r, WAY_UP);
	print_latency(r, WAY_DOWN);
	if (r->latency.tester > 0)
		printf("  The tester itself lost %" PRIu64 " frames: those are not the box's.\n",
		       r->latency.tester);
}

static void json_latency(struct json *j, const struct load_report *r, enum compare_way way)
{
	const struct ledger_way *w = ledger_way(r->ledger, way);
	static const struct {
		const char *key;
		double q;
	} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};

	json_object(j, way == WAY_UP ? "from_client" : "from_server");
	json_uint(j, "sent", w->totals.sent);
	json_uint(j, "dropped", w->totals.fates[FATE_DROPPED]);
	json_uint(j, "reordered", w->totals.reordered);
	json_object(j, "transit_us");
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		json_number(j, quantiles[i].key,
			    (double)pace_errors_quantile(&w->transit, quantiles[i].q) / 1e3);
	json_number(j, "max", (double)w->transit.max_ns / 1e3);
	json_end(j);
	json_end(j);
}

bool load_json_result(const struct load_report *r)
{
	const struct search *s = &r->search;
	struct json j;

	if (r->jsonl == NULL)
		return true;
	json_head(r, &j);
	json_object(&j, "result");
	json_string(&j, "unit", r->kind == PACE_BITS ? "bits_per_s" : "packets_per_s");
	if (s->pass > 0)
		json_number(&j, "no_loss_at", s->pass);
	else
		json_null(&j, "no_loss_at");
	if (s->fail > 0)
		json_number(&j, "failed_at", s->fail);
	else
		json_null(&j, "failed_at");
	json_bool(&j, "tester_limit", s->fail > 0 && s->tester);
	if (r->ledger != NULL) {
		json_object(&j, "latency");
		json_string(&j, "clock", "kernel stamps at both ports of one machine");
		json_number(&j, "rate", r->latency.rate.value);
		json_latency(&j, r, WAY_UP);
		json_latency(&j, r, WAY_DOWN);
		json_uint(&j, "tester_lost_frames", r->latency.tester);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	json_end(&j);
	return fflush(r->jsonl) == 0 && !ferror(r->jsonl);
}
