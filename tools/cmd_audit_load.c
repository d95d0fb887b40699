/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope audit load: how much a box between two ports takes before it loses frames, and how long they
 * are in it. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/log.h"
#include "dataplane/now.h"
#include "dataplane/replay.h"
#include "dataplane/thread.h"
#include "tools/audit/bench.h"
#include "tools/audit/load.h"
#include "tools/audit/taps.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/replay_options.h"
#include "tools/session.h"

#define SECONDS_DEFAULT 5u
#define SECONDS_MAX	3600u
#define SETTLE_NS	300000000u
#define NAP_NS		20000000u
#define NEAR		0.95 /* of the rate asked for: less, and the tester is what is slow */
#define LATENCY_FRAMES	500000u /* that are paired one by one */
#define RING_MIB	256u

extern const struct command command_audit_load;

struct audit_load_options {
	struct option_strings ifaces, clients;
	const char *from, *to, *src_mac, *dst_mac, *jsonl;
	unsigned long seconds, ring_mib;
	bool yes, quiet, verbose;
};

#define AT(field) .offset = offsetof(struct audit_load_options, field)
static const struct option_row audit_load_rows[] = {
	{.name = "interface",
	 .letter = 'i',
	 .kind = OPTION_STRINGS,
	 AT(ifaces),
	 .argument = "IFACE",
	 .help = "given twice: the port that clients' frames leave by, then that of servers' frames"},
	{.name = "from",
	 .kind = OPTION_STRING,
	 AT(from),
	 .argument = "RATE",
	 .help = "the lowest rate, as for replay: Nkpps, Nmbps and so on; 1kpps by default"},
	{.name = "to",
	 .kind = OPTION_STRING,
	 AT(to),
	 .argument = "RATE",
	 .help = "the highest rate, of the same kind; 100kpps by default"},
	{.name = "seconds",
	 .kind = OPTION_UINT,
	 AT(seconds),
	 .argument = "N",
	 .help = "of a trial; 5 by default, and RFC 2544 asks for 60"},
	{.name = "client",
	 .kind = OPTION_STRINGS,
	 AT(clients),
	 .argument = "PREFIX",
	 .help = "who the clients are; without it, who opened each flow"},
	{.name = "src-mac",
	 .kind = OPTION_STRING,
	 AT(src_mac),
	 .argument = "MAC[,MAC]",
	 .help = "source MAC address of all frames; the second is of the servers' port"},
	{.name = "dst-mac",
	 .kind = OPTION_STRING,
	 AT(dst_mac),
	 .argument = "MAC[,MAC]",
	 .help = "the same of the destination"},
	{.name = "buffer",
	 .letter = 'B',
	 .kind = OPTION_UINT,
	 AT(ring_mib),
	 .argument = "MIB",
	 .help = "memory between the kernel and wmscope at each port, 2 to 4095; 256 by default"},
	{.name = "jsonl",
	 .kind = OPTION_STRING,
	 AT(jsonl),
	 .argument = "FILE",
	 .help = "write JSON Lines here: an event `load` for each trial, and one with the result"},
	{.name = "yes-this-interface",
	 .kind = OPTION_FLAG,
	 AT(yes),
	 .help = "also if a port has an address of this machine or its default route"},
	{.name = "quiet",
	 .letter = 'q',
	 .kind = OPTION_FLAG,
	 AT(quiet),
	 .help = "no table on standard output and no warnings"},
	{.name = "verbose",
	 .letter = 'v',
	 .kind = OPTION_FLAG,
	 AT(verbose),
	 .help = "more words about the run on standard error"},
	{.name = NULL},
};

struct run {
	const struct audit_load_options *opt;
	struct replay_config cfg;
	struct prefix clients[OPTION_STRINGS_MAX];
	unsigned seconds;
	double from, to;
	struct ledger *ledger;
	atomic_bool stop;
	uint64_t until_ns;
	struct load_report out;
	struct session session; /* its exit status only */
};

static bool usage(const char *wrong, const char *what)
{
	options_error(&command_audit_load, wrong, what);
	return false;
}

static bool parse_rates(struct run *r)
{
	const char *from = r->opt->from, *to = r->opt->to;
	struct pace_rate a, b;

	if (pace_rate_parse(from != NULL ? from : "1kpps", &a) != 0)
		return usage("--from: Npps, Nkpps, Nmpps, Nkbps, Nmbps or Ngbps", from);
	if (pace_rate_parse(to != NULL ? to : "100kpps", &b) != 0)
		return usage("--to: Npps, Nkpps, Nmpps, Nkbps, Nmbps or Ngbps", to);
	if (a.kind != b.kind || (a.kind != PACE_PACKETS && a.kind != PACE_BITS))
		return usage("--from, --to: both in packets or both in bits a second", NULL);
	if (!(a.value > 0) || a.value > b.value)
		return usage("--from, --to: the second is the higher one", NULL);
	r->out.kind = a.kind;
	r->from = a.value;
	r->to = b.value;
	return true;
}

/* What the option rows cannot check. */
static bool parse(struct run *r, int argc, char **argv)
{
	const struct audit_load_options *o = r->opt;

	if (argc != 1 || strcmp(argv[0], "-") == 0)
		return usage("one capture file is wanted, and not standard input", NULL);
	if (!bench_ports_named(&command_audit_load, &o->ifaces) || !parse_rates(r))
		return false;
	if (o->seconds > SECONDS_MAX)
		return usage("--seconds: 1 to 3600", NULL);
	r->seconds = o->seconds != 0 ? (unsigned)o->seconds : SECONDS_DEFAULT;
	if (o->ring_mib != 0 && (o->ring_mib < 2 || o->ring_mib > 4095))
		return usage("-B: 2 to 4095 MiB", NULL);
	if (!replay_options_macs(o->src_mac, o->dst_mac, r->cfg.macs))
		return usage("--src-mac, --dst-mac: one MAC address or two", NULL);
	const char *bad = replay_options_clients(&o->clients, r->clients, &r->cfg);
	if (bad != NULL)
		return usage("--client: not an address or prefix", bad);
	r->cfg.source = (struct source_config){.files = (const char *const *)argv, .n_files = 1};
	r->cfg.engine = "packet";
	r->cfg.n_ports = SIDES;
	r->cfg.loops = REPLAY_FOREVER;
	r->cfg.stop = &r->stop;
	return true;
}

/* Ends a trial when its time is over. */
static void *timer_main(void *arg)
{
	struct run *r = arg;
	struct timespec nap = {.tv_nsec = NAP_NS};

	while (!atomic_load(&r->stop)) {
		if (clock_ns(CLOCK_MONOTONIC) >= r->until_ns || atomic_load(&session_stopped))
			atomic_store(&r->stop, true);
		nanosleep(&nap, NULL);
	}
	return NULL;
}

/* 0 or -errno, why (len) says it. */
static int send_for(struct run *r, struct replay *replay, uint64_t ns, char *why, size_t len)
{
	pthread_t timer;

	atomic_store(&r->stop, false);
	r->until_ns = clock_ns(CLOCK_MONOTONIC) + ns;
	int err = thread_start(&timer, timer_main, r);
	if (err != 0) {
		snprintf(why, len, "%s", strerror(-err));
		return err;
	}
	err = replay_run(replay, why, len);
	atomic_store(&r->stop, true);
	pthread_join(timer, NULL);
	return err;
}

static void judge(struct load_trial *t)
{
	double asked = t->rate.value;
	double got = t->rate.kind == PACE_BITS ? t->achieved.bits : t->achieved.packets;
	bool lost = t->arrived[SIDE_SERVER] < t->sent[SIDE_CLIENT] ||
		    t->arrived[SIDE_CLIENT] < t->sent[SIDE_SERVER];

	t->slow = got < asked * NEAR;
	/* What the tester lost may be all that is missing: the box is not told from it. */
	t->end = t->tester > 0 || (t->slow && !lost) ? TRIAL_TESTER
		 : lost				     ? TRIAL_LOST
						     : TRIAL_PASSED;
}

/* ledger: frames are told apart, one by one; NULL: counted. 0 or -errno, why (len) says it. */
static int try_rate(struct run *r, double rate, uint64_t ns, struct ledger *ledger, struct load_trial *t,
		    char *why, size_t len)
{
	struct taps_config taps_cfg = {
		.iface = {r->opt->ifaces.v[0], r->opt->ifaces.v[1]},
		.ring_mib = r->opt->ring_mib != 0 ? (uint32_t)r->opt->ring_mib : RING_MIB,
		.ledger = ledger,
	};
	struct timespec settle = {.tv_nsec = SETTLE_NS};
	struct ledger_losses losses = {.missed = {0}};
	struct replay *replay = NULL;
	struct taps *taps = NULL;
	bool at_input;

	*t = (struct load_trial){.rate = {.kind = r->out.kind, .value = rate}};
	r->cfg.rate = t->rate;
	/* Past the queueing discipline the captures do not see frames leave, which costs less. */
	for (unsigned p = 0; p < SIDES; p++)
		r->cfg.port[p].qdisc = ledger != NULL;
	int err = replay_new(&replay, &r->cfg, &at_input, why, len);
	if (err != 0 && at_input) {
		session_input_failed(&r->session, err);
		goto out;
	}
	if (err == 0)
		err = taps_open(&taps, &taps_cfg, why, len);
	if (err == 0)
		err = taps_start(taps, why, len);
	if (err == 0)
		err = send_for(r, replay, ns, why, len);
	if (err != 0)
		goto out;
	nanosleep(&settle, NULL);
	err = taps_stop(taps);
	if (err != 0)
		snprintf(why, len, "%s", strerror(-err));
	const struct replay_stats *s = replay_stats(replay);
	t->achieved = replay_achieved(s);
	for (unsigned p = 0; p < SIDES; p++) {
		struct taps_stats at;
		taps_stats(taps, p, &at);
		t->sent[p] = s->sink[p].frames;
		t->arrived[p] = at.arrived;
		losses.handed[p] = s->sink[p].frames;
		losses.missed[p] = at.dropped;
		losses.unsent[p] = s->sink[p].lost;
		t->tester += at.dropped + s->sink[p].lost;
	}
	t->tester += s->ends[REPLAY_REFUSED];
	judge(t);
	if (err == 0 && ledger != NULL)
		err = ledger_close(ledger, &losses);
out:
	taps_close(taps);
	replay_free(replay);
	return err;
}

static bool find_rate(struct run *r)
{
	char why[320];

	if (!r->opt->quiet && r->out.jsonl != stdout)
		printf("  %-13s  %-13s  %10s  %8s  %10s  %8s\n", "asked", "achieved", "client sent",
		       "lost", "server sent", "lost");
	search_start(&r->out.search, r->from, r->to);
	while (r->out.search.next > 0) {
		struct load_trial t;
		if (try_rate(r, r->out.search.next, r->seconds * UINT64_C(1000000000), NULL, &t, why,
			     sizeof(why)) != 0)
			return bench_said(&r->session, EXIT_IO, why);
		if (atomic_load(&session_stopped)) {
			session_happened(&r->session, EXIT_PARTIAL);
			return false;
		}
		load_print_trial(&r->out, &t);
		load_json_trial(&r->out, &t);
		search_note(&r->out.search, t.end);
	}
	return true;
}

/* At half the rate, for as long as its frames can be told apart. */
static bool find_latency(struct run *r)
{
	double rate = r->out.search.pass / 2;
	uint64_t ns = r->seconds * UINT64_C(1000000000);
	char why[320];

	if (rate == 0)
		return true;
	/* A frame is 84 bytes of the wire at least. */
	double packets = r->out.kind == PACE_BITS ? rate / (84 * 8) : rate;
	if (packets * r->seconds > LATENCY_FRAMES)
		ns = (uint64_t)(LATENCY_FRAMES / packets * 1e9);
	if (ledger_new(&r->ledger, 0) != 0)
		return bench_said(&r->session, EXIT_IO, strerror(ENOMEM));
	return try_rate(r, rate, ns, r->ledger, &r->out.latency, why, sizeof(why)) == 0 ||
	       bench_said(&r->session, EXIT_IO, why);
}

static bool open_all(struct run *r)
{
	const struct audit_load_options *o = r->opt;
	uint32_t mtu;
	char why[320];

	if (!bench_ports_free(o->ifaces.v, o->yes, &mtu, why, sizeof(why)))
		return bench_said(&r->session, EXIT_IO, why);
	/* Read again for each trial: a capture that cannot be is told once, as such. */
	struct source *src;
	int err = source_open(&src, NULL, &r->cfg.source, why, sizeof(why));
	if (err != 0) {
		log_error(NULL, "%s", why);
		session_input_failed(&r->session, err);
		return false;
	}
	source_close(src);
	r->cfg.rewrite.mtu = mtu;
	for (unsigned p = 0; p < SIDES; p++)
		r->cfg.port[p] =
			(struct sink_config){.iface = o->ifaces.v[p], .frame_max = mtu + 18};
	if (o->jsonl == NULL)
		return true;
	r->out.jsonl = strcmp(o->jsonl, "-") == 0 ? stdout : fopen(o->jsonl, "we");
	if (r->out.jsonl != NULL)
		return true;
	snprintf(why, sizeof(why), "%s: %s", o->jsonl, strerror(errno));
	return bench_said(&r->session, EXIT_IO, why);
}

static int audit_load(void *config, int argc, char **argv)
{
	const struct audit_load_options *o = config;
	struct run r = {.opt = o, .out = {.quiet = o->quiet}};

	log_set_level(o->quiet ? LOG_LEVEL_ERROR : o->verbose ? LOG_LEVEL_INFO : LOG_LEVEL_WARN);
	if (!parse(&r, argc, argv))
		return EXIT_USAGE;
	session_catch_signals();
	r.out.started_ns = clock_ns(CLOCK_REALTIME);
	if (!open_all(&r) || !find_rate(&r) || !find_latency(&r))
		goto out;
	r.out.ledger = r.ledger;
	load_print_result(&r.out);
	if (!load_json_result(&r.out))
		bench_said(&r.session, EXIT_IO, "--jsonl: it could not be written");
	if (fflush(stdout) != 0 || ferror(stdout))
		bench_said(&r.session, EXIT_IO, "standard output: it could not be written");
out:
	if (r.out.jsonl != NULL && r.out.jsonl != stdout)
		fclose(r.out.jsonl);
	ledger_free(r.ledger);
	return session_exit_status(&r.session);
}

const struct command command_audit_load = {
	.name = "audit load",
	.usage = "FILE",
	.summary = "the highest rate at which a box between two ports loses nothing",
	.details =
		"FILE is replayed through the box again and again, clients' frames by the first port "
		"and servers' by the second, for --seconds at each rate; rates are halved between "
		"--from and --to until the highest that passes without loss is known within 2 % (RFC "
		"2544, section 26.1). Frames are counted where they leave and where they arrive; a trial "
		"in which the tester lost frames itself, or sent less than it should, says nothing of "
		"the box and counts as the tester's limit: a cable in place of the box shows where that "
		"is. Then, at half the rate, frames are told apart one by one for their time in the box "
		"(from the kernel's stamp where they leave to its stamp where they arrive, one clock), "
		"loss and order. Each loop sends the same frames: a box that filters or keeps state "
		"sees them again.",
	.options = audit_load_rows,
	.config_size = sizeof(struct audit_load_options),
	.run = audit_load,
};
