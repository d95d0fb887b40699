/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/now.h"
#include "tools/live_stats.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "tools/facts.h"
#include "tools/json.h"

void live_stats_start(struct live_stats *s, const char *iface)
{
	*s = (struct live_stats){.iface = iface, .started_ns = clock_ns(CLOCK_MONOTONIC)};
	s->last_ns = s->started_ns;
}

bool live_stats_dropped(const struct source_stats *st, uint64_t *sum)
{
	bool known = false;

	*sum = 0;
	for (unsigned i = 0; i < st->n_ifaces; i++) {
		if (st->ifaces[i].dropped == UINT64_MAX)
			continue;
		known = true;
		*sum += st->ifaces[i].dropped;
	}
	return known;
}

int live_stats_event(struct live_stats *s, const struct source_stats *st, FILE *out)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), dropped;
	bool known = live_stats_dropped(st, &dropped);
	double past = (double)(now - s->last_ns) / 1e9;
	char when[FACTS_TIME_SIZE];
	struct json j;

	past = past > 0 ? past : 1e-9;
	json_start(&j, out);
	json_object(&j, NULL);
	json_uint(&j, "schema", 1);
	json_string(&j, "event_type", "stats");
	json_string(&j, "timestamp", facts_time(clock_ns(CLOCK_REALTIME), when));
	json_object(&j, "stats");
	json_string(&j, "interface", s->iface);
	json_number(&j, "uptime_s", (double)(now - s->started_ns) / 1e9);
	json_uint(&j, "packets", st->received);
	json_uint(&j, "bytes", st->bytes);
	if (known)
		json_uint(&j, "dropped", dropped);
	else
		json_null(&j, "dropped");
	json_uint(&j, "stalls", st->stalls);
	json_uint(&j, "truncated", st->truncated);
	json_uint(&j, "filtered", st->filtered);
	json_uint(&j, "shunted", st->shunted);
	json_number(&j, "packets_per_s", (double)(st->received - s->packets) / past);
	json_number(&j, "bytes_per_s", (double)(st->bytes - s->bytes) / past);
	if (known)
		json_number(&j, "dropped_per_s", (double)(dropped - s->dropped) / past);
	else
		json_null(&j, "dropped_per_s");
	json_end(&j);
	json_end(&j);
	s->last_ns = now;
	s->packets = st->received;
	s->bytes = st->bytes;
	s->dropped = dropped;
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}

void live_stats_print(const struct live_stats *s, const struct source_stats *st, FILE *out)
{
	double past = (double)(clock_ns(CLOCK_MONOTONIC) - s->started_ns) / 1e9;
	char lost[24] = "unknown";
	uint64_t dropped;

	if (live_stats_dropped(st, &dropped))
		snprintf(lost, sizeof(lost), "%" PRIu64, dropped);
	fprintf(out,
		"%s: %.1f s, %" PRIu64 " packets, %" PRIu64 " bytes, %s dropped by the kernel, %"
		PRIu64 " cut, %" PRIu64 " refused by the filter here, %" PRIu64 " shunted\n",
		s->iface, past, st->received, st->bytes, lost, st->truncated, st->filtered,
		st->shunted);
	fflush(out);
}
