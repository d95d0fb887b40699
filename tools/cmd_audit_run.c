/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope audit run: captures through a box between two ports, and what it made of them. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "classifiers/inspector.h"
#include "dataplane/interface.h"
#include "dataplane/log.h"
#include "dataplane/now.h"
#include "tools/analysis_options.h"
#include "tools/audit/audit.h"
#include "tools/audit/bench.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/replay_options.h"
#include "tools/session.h"

#define MS             1000000u
#define WAIT_DEFAULT   200u  /* ms */
#define SETTLE_DEFAULT 1000u /* ms */
#define LATE_MS        300u  /* what a box sends of its own accord comes within this */
#define NAP_MS         10u

extern const struct command command_audit_run;

struct audit_run_options {
	struct session_config session;
	struct analysis_options analysis;
	struct option_strings ifaces, clients;
	const char *rate, *src_mac, *dst_mac, *user, *wait, *settle;
	unsigned long ring_mib;
	bool yes;
};

#define AT(field) .offset = offsetof(struct audit_run_options, field)
static const struct option_row audit_run_rows[] = {
	{.name = "interface", .letter = 'i', .kind = OPTION_STRINGS, AT(ifaces), .argument = "IFACE",
	 .help = "given twice: the port that clients' frames leave by, then that of servers' frames"},
	{.name = "rate", .letter = 'r', .kind = OPTION_STRING, AT(rate), .argument = "RATE",
	 .help = "original, xN times as fast, Npps, Nkpps, Nmpps, Nkbps, Nmbps, Ngbps or max; the "
		 "default is original"},
	{.name = "wait", .kind = OPTION_STRING, AT(wait), .argument = "MS",
	 .help = "how long an answer waits for what it answers to have come out of the box; 200 by "
		 "default, 0 never"},
	{.name = "settle", .kind = OPTION_STRING, AT(settle), .argument = "MS",
	 .help = "how long after the last frame what is still missing may arrive; 1000 by default"},
	{.name = "client", .kind = OPTION_STRINGS, AT(clients), .argument = "PREFIX",
	 .help = "who the clients are; without it, who opened each flow"},
	{.name = "src-mac", .kind = OPTION_STRING, AT(src_mac), .argument = "MAC[,MAC]",
	 .help = "source MAC address of all frames; the second is of the servers' port"},
	{.name = "dst-mac", .kind = OPTION_STRING, AT(dst_mac), .argument = "MAC[,MAC]",
	 .help = "the same of the destination: a box that routes takes frames for its own only"},
	{.name = "buffer", .letter = 'B', .kind = OPTION_UINT, AT(ring_mib), .argument = "MIB",
	 .help = "memory between the kernel and wmscope at each port, 2 to 4095; 64 by default"},
	{.name = "relinquish-privileges", .letter = 'Z', .kind = OPTION_STRING, AT(user),
	 .argument = "USER",
	 .help = "whom to become before what was captured is analysed; by default who called sudo, "
		 "else nobody"},
	{.name = "yes-this-interface", .kind = OPTION_FLAG, AT(yes),
	 .help = "also if a port has an address of this machine or its default route"},
	SESSION_OPTIONS(struct audit_run_options, session),
	ANALYSIS_OPTIONS(struct audit_run_options, analysis),
	{.name = NULL},
};

struct run {
	const struct audit_run_options *opt;
	struct replay_config cfg;
	struct prefix clients[OPTION_STRINGS_MAX];
	uint64_t wait_ns, settle_ns;
	struct ledger *ledger;
	struct order *order;
	struct taps *taps;
	struct replay *replay;
	struct bench_files files;
	struct analysis_setup setup;
	struct analysis *seen[SIDES];
	struct audit_model *model;
	struct audit_result result;
	struct session session;
	struct progress progress;
};

static bool usage(const char *wrong, const char *what)
{
	options_error(&command_audit_run, wrong, what);
	return false;
}

/* What the option rows cannot check. */
static bool parse(struct run *r, int argc, char **argv)
{
	const struct audit_run_options *o = r->opt;
	const char *wrong = analysis_options_wrong(&o->analysis);

	if (wrong != NULL)
		return usage(wrong, NULL);
	if (argc == 0)
		return usage("no capture file is given", NULL);
	if (!bench_ports_named(&command_audit_run, &o->ifaces))
		return false;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-") == 0)
			return usage("captures are read twice: standard input cannot be", NULL);
	}
	if (!bench_ms(o->wait, WAIT_DEFAULT, &r->wait_ns))
		return usage("--wait: milliseconds, at most 60000", o->wait);
	if (!bench_ms(o->settle, SETTLE_DEFAULT, &r->settle_ns))
		return usage("--settle: milliseconds, at most 60000", o->settle);
	if (o->ring_mib != 0 && (o->ring_mib < 2 || o->ring_mib > 4095))
		return usage("-B: 2 to 4095 MiB", NULL);
	if (pace_rate_parse(o->rate != NULL ? o->rate : "original", &r->cfg.rate) != 0)
		return usage("--rate: original, xN, Npps, Nkpps, Nmpps, Nkbps, Nmbps, Ngbps or max",
			     o->rate);
	if (!replay_options_macs(o->src_mac, o->dst_mac, r->cfg.macs))
		return usage("--src-mac, --dst-mac: one MAC address or two", NULL);
	const char *bad = replay_options_clients(&o->clients, r->clients, &r->cfg);
	if (bad != NULL)
		return usage("--client: not an address or prefix", bad);
	r->cfg.source = (struct source_config){.files = (const char *const *)argv,
					       .n_files = (unsigned)argc,
					       .bpf = o->analysis.bpf};
	return true;
}

/* Ports */

static void on_arrival(void *user, enum compare_side port, const struct packet *pkt,
		       const struct headers *h)
{
	struct run *r = user;

	(void)pkt;
	order_arrive(r->order, port, h);
}

static void on_gate(void *user, unsigned port, const struct headers *h)
{
	struct run *r = user;

	order_leave(r->order, port, h);
}

static bool open_replay(struct run *r)
{
	uint32_t mtu;
	bool at_input;
	char why[320];

	if (!bench_ports_free(r->opt->ifaces.v, r->opt->yes, &mtu, why, sizeof(why)))
		return bench_said(&r->session, EXIT_IO, why);
	r->cfg.engine = "packet";
	r->cfg.n_ports = SIDES;
	r->cfg.rewrite.mtu = mtu;
	/* Through the queueing discipline: what goes past it, the captures do not see leave. */
	for (unsigned p = 0; p < SIDES; p++)
		r->cfg.port[p] = (struct sink_config){.iface = r->opt->ifaces.v[p], .qdisc = true,
						      .frame_max = mtu + 18};
	r->cfg.stop = &session_stopped;
	r->cfg.gate = on_gate;
	r->cfg.gate_user = r;
	int err = replay_new(&r->replay, &r->cfg, &at_input, why, sizeof(why));
	if (err != 0 && at_input) {
		log_error(NULL, "%s", why);
		session_input_failed(&r->session, err);
	} else if (err != 0) {
		bench_said(&r->session, EXIT_IO, why);
	}
	return err == 0;
}

static bool open_taps(struct run *r)
{
	char why[320] = "";
	int err = bench_files_make(&r->files, r->opt->session.dir, why, sizeof(why));

	if (err == 0 && (order_new(&r->order, r->wait_ns, &session_stopped) != 0 ||
			 ledger_new(&r->ledger, 0) != 0)) {
		err = -ENOMEM;
		snprintf(why, sizeof(why), "%s", strerror(ENOMEM));
	}
	struct taps_config cfg = {
		.iface = {r->opt->ifaces.v[0], r->opt->ifaces.v[1]},
		.path = {r->files.path[0], r->files.path[1]},
		.ring_mib = (uint32_t)r->opt->ring_mib,
		.ledger = r->ledger,
		.arrived = on_arrival,
		.user = r,
	};
	if (err == 0)
		err = taps_open(&r->taps, &cfg, why, sizeof(why));
	if (err == 0)
		err = taps_start(r->taps, why, sizeof(why));
	return err == 0 || bench_said(&r->session, EXIT_IO, why);
}

/*
 * Until all has arrived and a box had time to add to it, or nothing more comes; after a signal too:
 * what is in the box then is not dropped.
 */
static void settle(struct run *r)
{
	uint64_t late = LATE_MS * MS < r->settle_ns ? LATE_MS * MS : r->settle_ns;
	struct timespec nap = {.tv_nsec = NAP_MS * MS};
	struct order_stats st;

	do {
		nanosleep(&nap, NULL);
		order_stats(r->order, &st);
	} while (clock_ns(CLOCK_MONOTONIC) - st.last_ns < (st.outstanding == 0 ? late : r->settle_ns));
}

static bool through_the_box(struct run *r)
{
	char why[320];

	int err = replay_run(r->replay, why, sizeof(why));
	const struct replay_stats *s = replay_stats(r->replay);
	if (err != 0)
		bench_said(&r->session, EXIT_IO, why);
	else
		settle(r);
	if (s->interrupted || s->damaged > 0 || s->ends[REPLAY_TRUNCATED] > 0)
		session_happened(&r->session, EXIT_PARTIAL);
	int stopped = taps_stop(r->taps);
	if (stopped != 0)
		bench_said(&r->session, EXIT_IO, strerror(-stopped));
	struct ledger_losses losses = {.broken = err != 0 || stopped != 0};
	for (unsigned p = 0; p < SIDES; p++) {
		taps_stats(r->taps, p, &r->result.taps[p]);
		r->result.iface[p] = r->opt->ifaces.v[p];
		losses.missed[p] = r->result.taps[p].dropped;
		losses.unsent[p] = s->sink[p].lost;
		losses.handed[p] = s->sink[p].frames;
	}
	r->result.replay = s;
	order_stats(r->order, &r->result.order);
	err = ledger_close(r->ledger, &losses);
	return err == 0 || bench_said(&r->session, EXIT_IO, strerror(-err));
}

/* Analysis */

static int analyze_port(struct run *r, enum compare_side port)
{
	struct analysis_config want =
		analysis_setup_config(&r->setup, &r->opt->analysis, &r->session);
	struct source_config from = {.files = (const char *const *)&r->files.again[port],
				     .n_files = 1};
	/* A signal ended the replay: what came of it is still reported. */
	struct pipeline_config pipe = {.workers = (unsigned)r->opt->analysis.workers,
				       .progress = progress_show,
				       .progress_user = &r->progress};
	struct pipeline_stats stats = {.first_ns = 0};
	struct source *src = NULL;
	char why[320];

	want.all_flows = true;
	want.vantage = port == SIDE_CLIENT ? VANTAGE_CLIENT : VANTAGE_SERVER;
	int err = source_open(&src, NULL, &from, why, sizeof(why));
	if (err != 0) {
		log_error(NULL, "%s", why);
		return err;
	}
	err = analysis_new(&r->seen[port], &want);
	if (err == 0)
		err = analysis_begin(r->seen[port], (const char *const *)&r->files.shown[port], 1);
	if (err == 0) {
		int failed = pipeline_run(
			src, session_hooks(&r->session, analysis_hooks(r->seen[port])), &pipe, &stats);
		err = analysis_end(r->seen[port], &stats, failed);
	}
	if (err == 0)
		err = analysis_judge(r->seen[port]);
	if (err == 0)
		r->seen[port]->captures[0].paths = (const char *const *)&r->files.again[port];
	progress_next(&r->progress, stats.source.received);
	source_close(src);
	return err;
}

static bool conclude(struct run *r)
{
	int err = 0;

	progress_start(&r->progress, !r->opt->session.quiet, SIDES);
	for (unsigned p = 0; p < SIDES && err == 0; p++)
		err = analyze_port(r, p);
	progress_clear(&r->progress);
	if (err == 0)
		err = audit_model_new(&r->model, r->ledger, r->seen);
	if (err != 0)
		return bench_said(&r->session, EXIT_IO, strerror(-err));
	audit_model_result(r->model, &r->result);
	for (unsigned way = 0; way < WAYS; way++) {
		if (ledger_unsure(r->ledger, way))
			session_happened(&r->session, EXIT_PARTIAL);
	}
	struct report_options o = {.audit = &r->result, .rules = r->setup.lists.rules,
				   .filter = r->opt->analysis.bpf,
				   .matcher = r->setup.lists.matcher};
	session_write(&r->session, audit_model_analysis(r->model), &o);
	return true;
}

static int audit_run(void *config, int argc, char **argv)
{
	const struct audit_run_options *o = config;
	struct run r = {.opt = o};
	char why[320];

	if (!parse(&r, argc, argv) || !plugins_start(&o->analysis.plugins, &command_audit_run))
		return EXIT_USAGE;
	if (!session_start(&r.session, &o->session, argv, argc) ||
	    !analysis_setup_open(&r.setup, &o->analysis, &command_audit_run, &r.session))
		goto out;
	session_catch_signals();
	if (!open_replay(&r) || !open_taps(&r) || !through_the_box(&r))
		goto out;
	/* Captures were read with the rights that opened them; what a box sent is read with none. */
	if (bench_become_ordinary(&r.files, &r.session, o->user, why, sizeof(why)) != 0)
		bench_said(&r.session, EXIT_IO, why);
	else
		(void)conclude(&r);
out:
	audit_model_free(r.model);
	for (unsigned p = 0; p < SIDES; p++)
		analysis_free(r.seen[p]);
	analysis_setup_close(&r.setup);
	session_end(&r.session);
	replay_free(r.replay);
	taps_close(r.taps);
	ledger_free(r.ledger);
	order_free(r.order);
	bench_files_close(&r.files);
	return session_exit_status(&r.session);
}

const struct command command_audit_run = {
	.name = "audit run",
	.usage = "FILE...",
	.summary = "replay captures through a box between two ports: what went in, what came out",
	.details =
		"The box under test is wired between two ports of this machine. What clients sent in "
		"FILE leaves by the first, what servers sent by the second, in the capture's order: an "
		"answer waits until what it answers has come out of the box (--wait). Both ports are "
		"captured, into client.pcapng and server.pcapng of the folder that -o names, with the "
		"addresses as they are. Since all that was sent is known, a frame that arrives and was "
		"never sent is the box's, and one that never arrives was dropped by it; where the "
		"tester itself lost frames, nothing is said of what is missing. Nothing is sent "
		"again, and nobody answers but the capture: a box that needs a handshake sees the "
		"recorded one. What a router does (MAC addresses, TTL, checksum) is no change; a TTL "
		"that is less by one number in all is said once. Findings of the analysis about packets "
		"that came through as they were sent are of the capture, not of the box, and only "
		"counted. Filters (-f) choose what is replayed.",
	.options = audit_run_rows,
	.config_size = sizeof(struct audit_run_options),
	.run = audit_run,
};
