/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/replay_report.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "tools/escape.h"
#include "tools/facts.h"
#include "tools/json.h"

/* How far frames were off their time: measured here, or by the sink. */
struct off {
	uint64_t n, early, p50_ns, p99_ns, max_ns;
};

static struct off off_of(const struct replay_report *r)
{
	const struct pace_errors *e = &r->stats->errors;
	struct off off = {.n = e->n, .early = e->early, .max_ns = e->max_ns,
			  .p50_ns = pace_errors_quantile(e, 0.5),
			  .p99_ns = pace_errors_quantile(e, 0.99)};

	for (unsigned p = 0; p < r->cfg->n_ports && e->n == 0; p++) {
		const struct sink_stats *s = &r->stats->sink[p];
		off.n += s->timed;
		/* Of two ports the worse one. */
		off.p50_ns = s->late_p50_ns > off.p50_ns ? s->late_p50_ns : off.p50_ns;
		off.p99_ns = s->late_p99_ns > off.p99_ns ? s->late_p99_ns : off.p99_ns;
		off.max_ns = s->late_max_ns > off.max_ns ? s->late_max_ns : off.max_ns;
	}
	/* A sink's quantiles are those of its buckets. */
	off.p50_ns = off.p50_ns < off.max_ns ? off.p50_ns : off.max_ns;
	off.p99_ns = off.p99_ns < off.max_ns ? off.p99_ns : off.max_ns;
	return off;
}

static const char *port_name(const struct sink_config *port)
{
	return port->iface != NULL ? port->iface : port->path;
}

static void print_name(FILE *out, const char *name)
{
	escape_write(out, name, strlen(name), 0);
}

/* 12.3 kpps, 1.23 Gb/s: what people compare, so few digits and a unit. */
static void print_scaled(FILE *out, double v, const char *unit)
{
	static const char prefixes[] = " kMGT";
	unsigned i = 0;

	for (; v >= 1000 && prefixes[i + 1] != '\0'; i++)
		v /= 1000;
	fprintf(out, "%.*f %.*s%s", v < 10 ? 3 : v < 100 ? 2 : 1, v, i > 0, prefixes + i, unit);
}

static void print_rate(FILE *out, const char *label, struct replay_rate rate)
{
	fprintf(out, "  %-10s", label);
	print_scaled(out, rate.packets, "pkt/s");
	fputs(", ", out);
	print_scaled(out, rate.bits, "bit/s on the wire\n");
}

static void print_rates(FILE *out, const struct replay_report *r)
{
	const struct replay_stats *s = r->stats;
	struct replay_rate asked = replay_asked(s), got = replay_achieved(s);

	if (asked.packets > 0)
		print_rate(out, "asked", asked);
	else if (r->cfg->rate.kind == PACE_MAX)
		fputs("  asked     as fast as it goes\n", out);
	if (got.packets > 0)
		print_rate(out, "achieved", got);
	struct off off = off_of(r);
	if (off.n == 0)
		return;
	fprintf(out, "  off by    %.1f us median, %.1f us p99, %.1f us at most, of %" PRIu64
		     " frames",
		(double)off.p50_ns / 1e3, (double)off.p99_ns / 1e3, (double)off.max_ns / 1e3,
		off.n);
	if (off.early > 0)
		fprintf(out, " (%" PRIu64 " early)", off.early);
	fputc('\n', out);
}

static void print_ends(FILE *out, const struct replay_stats *s)
{
	static const char *const words[REPLAY_N] = {
		[REPLAY_REFUSED] = "refused by the device or kernel",
		[REPLAY_TRUNCATED] = "not wholly in the capture (--truncated pad sends zeros)",
		[REPLAY_TOO_LONG] = "longer than the interface takes (see its MTU)",
		[REPLAY_NOT_ETHERNET] = "no Ethernet header can be made for it",
		[REPLAY_RUNT] = "shorter than its link header",
		[REPLAY_UNSENT] = "read, but the replay ended",
	};

	for (unsigned i = 0; i < REPLAY_N; i++) {
		if (i != REPLAY_SENT && s->ends[i] > 0)
			fprintf(out, "  not sent  %" PRIu64 ": %s\n", s->ends[i], words[i]);
	}
	if (s->filtered > 0)
		fprintf(out, "  filtered  %" PRIu64 "\n", s->filtered);
	if (s->undecided > 0)
		fprintf(out, "  undecided %" PRIu64 ": sent with the clients' packets\n",
			s->undecided);
}

void replay_report_text(FILE *out, const struct replay_report *r)
{
	const struct replay_stats *s = r->stats;

	fprintf(out, "%" PRIu64 " packets read in %" PRIu64 " loop%s, %" PRIu64 " sent, %" PRIu64
		     " bytes\n",
		s->read, s->loops, s->loops == 1 ? "" : "s", s->ends[REPLAY_SENT], s->bytes);
	print_rates(out, r);
	print_ends(out, s);
	for (unsigned p = 0; p < r->cfg->n_ports; p++) {
		const struct sink_stats *k = &s->sink[p];
		fputs("  ", out);
		print_name(out, port_name(&r->cfg->port[p]));
		fprintf(out, ": %s (%s), %" PRIu64 " frames, %" PRIu64 " lost on the way out, "
			     "%" PRIu64 " waits\n",
			r->cfg->engine, k->mode, k->frames, k->lost, k->waits);
	}
	if (s->interrupted)
		fputs("  interrupted\n", out);
	if (r->error != NULL) {
		fputs("  ended early: ", out);
		print_name(out, r->error);
		fputc('\n', out);
	}
}

static void json_rate(struct json *j, const char *key, struct replay_rate rate)
{
	json_object(j, key);
	json_number(j, "packets_per_s", rate.packets);
	json_number(j, "bits_per_s", rate.bits);
	json_end(j);
}

static void json_port(struct json *j, const struct sink_config *port, const struct sink_stats *k)
{
	const char *name = port_name(port);

	json_object(j, NULL);
	json_bytes(j, "name", name, strlen(name));
	json_string(j, "mode", k->mode);
	json_uint(j, "frames", k->frames);
	json_uint(j, "bytes", k->bytes);
	json_uint(j, "refused", k->refused);
	json_uint(j, "lost", k->lost);
	json_uint(j, "waits", k->waits);
	json_end(j);
}

void replay_report_json(FILE *out, const struct replay_report *r)
{
	const struct replay_stats *s = r->stats;
	struct off off = off_of(r);
	struct timespec now;
	char when[FACTS_TIME_SIZE];
	struct json j;

	json_start(&j, out);
	json_object(&j, NULL);
	json_uint(&j, "schema", 1);
	json_string(&j, "event_type", "stats");
	clock_gettime(CLOCK_REALTIME, &now);
	json_string(&j, "timestamp",
		    facts_time((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec, when));
	json_object(&j, "replay");
	json_string(&j, "version", WMSCOPE_VERSION);
	json_string(&j, "engine", r->cfg->engine);
	json_string(&j, "rate", r->rate);
	json_uint(&j, "queues", s->queues);
	json_uint(&j, "loops", s->loops);
	json_uint(&j, "read", s->read);
	json_uint(&j, "filtered", s->filtered);
	json_object(&j, "packets");
	for (unsigned i = 0; i < REPLAY_N; i++)
		json_uint(&j, replay_end_name[i], s->ends[i]);
	json_end(&j);
	json_uint(&j, "bytes", s->bytes);
	json_uint(&j, "wire_bytes", s->wire_bytes);
	json_rate(&j, "asked", replay_asked(s));
	json_rate(&j, "achieved", replay_achieved(s));
	json_object(&j, "off_by");
	json_uint(&j, "frames", off.n);
	json_uint(&j, "early", off.early);
	json_uint(&j, "p50_ns", off.p50_ns);
	json_uint(&j, "p99_ns", off.p99_ns);
	json_uint(&j, "max_ns", off.max_ns);
	json_end(&j);
	json_array(&j, "ports");
	for (unsigned p = 0; p < r->cfg->n_ports; p++)
		json_port(&j, &r->cfg->port[p], &s->sink[p]);
	json_end(&j);
	if (r->cfg->n_ports > 1)
		json_uint(&j, "undecided", s->undecided);
	json_uint(&j, "damaged", s->damaged);
	json_bool(&j, "interrupted", s->interrupted);
	if (r->error != NULL)
		json_bytes(&j, "error", r->error, strlen(r->error));
	json_uint(&j, "exit_status", (uint64_t)r->exit_status);
	json_end(&j);
	json_end(&j);
}
