/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope replay: captures out of a port, paced. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "dataplane/interface.h"
#include "dataplane/log.h"
#include "dataplane/plugin.h"
#include "dataplane/replay.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/plugins.h"
#include "tools/replay_options.h"
#include "tools/replay_report.h"
#include "tools/session.h"

#define SLACK_MAX_US     1000000u
#define QUEUES_ASKED_MAX REPLAY_QUEUES
#define FILE_MTU         262130u /* libpcap's MAXIMUM_SNAPLEN, less an Ethernet header */

extern const struct command command_replay;

struct replay_options {
	const char *iface, *dual, *rate, *loop, *src_mac, *dst_mac, *bpf, *stats, *eal, *write, *engine;
	int vary, truncated;
	unsigned long vlan, queues, slack;
	struct option_strings maps, clients, plugins;
	bool rotated, qdisc, copy, yes, quiet, verbose;
};

/* The first value is the default. Plug-ins may bring other engines. */
static const char *const engines[] = {"packet", "live", "xdp", "dpdk", "file", NULL};
static const char *const varies[] = {"none", "addresses", "ports", NULL};
static const char *const truncateds[] = {"refuse", "skip", "pad", NULL};
enum { TRUNCATED_REFUSE, TRUNCATED_SKIP, TRUNCATED_PAD };

#define AT(field) .offset = offsetof(struct replay_options, field)
static const struct option_row replay_rows[] = {
	{.name = "interface",
	 .letter = 'i',
	 .kind = OPTION_STRING,
	 AT(iface),
	 .argument = "IFACE",
	 .help = "the port that frames leave by"},
	{.name = "engine",
	 .kind = OPTION_STRING,
	 AT(engine),
	 .values = engines,
	 .argument = "NAME",
	 .help = "how: an AF_PACKET ring, live frames from inside the kernel, AF_XDP, DPDK, "
		 "into the file that -w names, where nothing waits, or by a plug-in's sink (--load)"},
	{.name = "rate",
	 .letter = 'r',
	 .kind = OPTION_STRING,
	 AT(rate),
	 .argument = "RATE",
	 .help = "original, xN times as fast, Npps, Nkpps, Nmpps, Nkbps, Nmbps, Ngbps or max; bits "
		 "are those on the wire: each frame with 24 bytes more, and 60 at least; the "
		 "default is original"},
	{.name = "slack",
	 .kind = OPTION_UINT,
	 AT(slack),
	 .argument = "US",
	 .none = true,
	 .help = "frames may be so many microseconds late: the sender sleeps until several are due, "
		 "where it else takes a core to itself to be on time. Not for live, whose clock is "
		 "the kernel's"},
	{.name = "loop",
	 .letter = 'l',
	 .kind = OPTION_STRING,
	 AT(loop),
	 .argument = "N",
	 .help = "send everything N times, or forever"},
	{.name = "vary",
	 .kind = OPTION_ENUM,
	 AT(vary),
	 .values = varies,
	 .help = "in each loop after the first other addresses (the middle two bytes of IPv4, the "
		 "third group of IPv6), or other client ports, so that flows are new"},
	{.name = "map",
	 .kind = OPTION_STRINGS,
	 AT(maps),
	 .argument = "A=B",
	 .help = "addresses in A become those in B, either end, ARP and ICMP errors too: addresses "
		 "or prefixes of equal length; several times for several, the first that fits"},
	{.name = "src-mac",
	 .kind = OPTION_STRING,
	 AT(src_mac),
	 .argument = "MAC[,MAC]",
	 .help = "source MAC address of all frames; the second is of the port of --dual"},
	{.name = "dst-mac",
	 .kind = OPTION_STRING,
	 AT(dst_mac),
	 .argument = "MAC[,MAC]",
	 .help = "the same of the destination"},
	{.name = "vlan",
	 .kind = OPTION_UINT,
	 AT(vlan),
	 .argument = "ID",
	 .help = "put an 802.1Q tag on, outside of those that are there"},
	{.name = "truncated",
	 .kind = OPTION_ENUM,
	 AT(truncated),
	 .values = truncateds,
	 .help = "packets that the capture has not all of: refuse them (and exit with 5), skip "
		 "them, or pad them with zeros, which leaves their checksums wrong"},
	{.name = "dual",
	 .kind = OPTION_STRING,
	 AT(dual),
	 .argument = "IFACE2",
	 .help = "what servers sent leaves by this port, what clients sent by that of -i"},
	{.name = "client",
	 .kind = OPTION_STRINGS,
	 AT(clients),
	 .argument = "PREFIX",
	 .help = "with --dual: who the clients are; without it, who opened each flow"},
	{.name = "filter",
	 .letter = 'f',
	 .kind = OPTION_STRING,
	 AT(bpf),
	 .argument = "BPF",
	 .none = true,
	 .help = "only packets that match this pcap-filter(7) expression"},
	{.name = "rotated",
	 .kind = OPTION_FLAG,
	 AT(rotated),
	 .help = "the files are pieces of one capture; otherwise one is sent after the other"},
	{.name = "queues",
	 .kind = OPTION_UINT,
	 AT(queues),
	 .argument = "N",
	 .help = "threads and queues of the port, flows shared out among them; each reads the "
		 "files"},
	{.name = "qdisc",
	 .kind = OPTION_FLAG,
	 AT(qdisc),
	 .help = "packet: through the queueing discipline instead of past it"},
	{.name = "copy", .kind = OPTION_FLAG, AT(copy), .help = "xdp: do not try zero copy"},
	{.name = "eal",
	 .kind = OPTION_STRING,
	 AT(eal),
	 .argument = "ARGS",
	 .none = true,
	 .help = "dpdk: arguments for its environment, one string"},
	{.name = "write",
	 .letter = 'w',
	 .kind = OPTION_STRING,
	 AT(write),
	 .argument = "FILE",
	 .help = "file: where to; nanosecond pcap if it ends in .pcap, else pcapng"},
	{.name = "stats",
	 .kind = OPTION_STRING,
	 AT(stats),
	 .argument = "FILE",
	 .help = "write rates, errors and counters here as JSON"},
	{.name = "yes-this-interface",
	 .kind = OPTION_FLAG,
	 AT(yes),
	 .help = "also if it has an address of this machine or its default route"},
	{.name = "quiet",
	 .letter = 'q',
	 .kind = OPTION_FLAG,
	 AT(quiet),
	 .help = "no report on standard output and no warnings"},
	{.name = "verbose",
	 .letter = 'v',
	 .kind = OPTION_FLAG,
	 AT(verbose),
	 .help = "more words about the run on standard error"},
	PLUGIN_OPTION(struct replay_options, plugins, "a packet source or sink"),
	{.name = NULL},
};

struct run {
	const struct replay_options *opt;
	struct replay_config cfg;
	struct prefix clients[OPTION_STRINGS_MAX];
	FILE *stats;
	struct session session; /* its exit status only */
};

/* Says so; false, for the caller to return. */
static bool usage(const char *wrong, const char *what)
{
	options_error(&command_replay, wrong, what);
	return false;
}

static bool parse_loops(const char *text, uint64_t *out)
{
	uint64_t n = 0;

	*out = 1;
	if (text == NULL)
		return true;
	*out = REPLAY_FOREVER;
	if (strcmp(text, "forever") == 0)
		return true;
	if (text[0] == '\0' || strlen(text) > 18)
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	*out = n;
	return *text == '\0' && n > 0;
}

static bool parse_rewriting(struct run *r)
{
	const struct replay_options *o = r->opt;
	struct rewrite_config *w = &r->cfg.rewrite;

	_Static_assert(OPTION_STRINGS_MAX <= REWRITE_MAPS_MAX, "every map has its place");
	for (; w->n_maps < o->maps.n; w->n_maps++) {
		const char *text = o->maps.v[w->n_maps];
		if (rewrite_map_parse(text, &w->maps[w->n_maps]) != 0)
			return usage("--map: two addresses or prefixes of one kind, as A=B", text);
	}
	if (!replay_options_macs(o->src_mac, NULL, r->cfg.macs))
		return usage("--src-mac: not a MAC address", o->src_mac);
	if (!replay_options_macs(o->src_mac, o->dst_mac, r->cfg.macs))
		return usage("--dst-mac: not a MAC address", o->dst_mac);
	if (o->vlan > REWRITE_VLAN_MAX)
		return usage("--vlan: 1 to 4094", NULL);
	w->vlan = (uint16_t)o->vlan;
	w->vary = (enum rewrite_vary)o->vary;
	w->truncated = o->truncated == TRUNCATED_PAD ? REWRITE_CUT_PAD : REWRITE_CUT_REFUSE;
	return true;
}

static bool is_engine(const char *name)
{
	const struct plugin *p;
	bool is = false;

	for (unsigned i = 0; engines[i] != NULL; i++)
		is = is || strcmp(engines[i], name) == 0;
	for (unsigned i = 0; (p = plugin_at(PLUGIN_SINK, i)) != NULL; i++)
		is = is || strcmp(p->sink->name, name) == 0;
	return is;
}

static bool parse_ports(struct run *r)
{
	const struct replay_options *o = r->opt;
	bool to_file = strcmp(r->cfg.engine, "file") == 0;

	if (to_file && (o->write == NULL || o->iface != NULL || o->dual != NULL))
		return usage("--engine file takes -w FILE and no interface", NULL);
	if (!to_file && (o->iface == NULL || o->write != NULL))
		return usage(o->iface == NULL ? "no interface is given: -i"
					      : "-w goes with --engine file",
			     NULL);
	if (o->queues > QUEUES_ASKED_MAX)
		return usage("--queues: 1 to 64", NULL);
	if (o->clients.n > 0 && o->dual == NULL)
		return usage("--client goes with --dual", NULL);
	if (o->dual != NULL && strcmp(o->dual, o->iface) == 0)
		return usage("--dual: another interface than that of -i", o->dual);
	r->cfg.n_ports = o->dual != NULL ? 2 : 1;
	for (unsigned p = 0; p < r->cfg.n_ports; p++)
		r->cfg.port[p] = (struct sink_config){
			.iface = p == 0 ? o->iface : o->dual,
			.path = o->write,
			.queues = (unsigned)o->queues,
			.eal = o->eal,
			.copy = o->copy,
			.qdisc = o->qdisc,
		};
	const char *bad = replay_options_clients(&o->clients, r->clients, &r->cfg);
	if (bad != NULL)
		return usage("--client: not an address or prefix", bad);
	return true;
}

/* What the option rows cannot check. */
static bool parse(struct run *r, int argc, char **argv)
{
	const struct replay_options *o = r->opt;
	unsigned stdins = 0;

	for (int i = 0; i < argc; i++) {
		stdins += strcmp(argv[i], "-") == 0;
		bool same = o->write != NULL && strcmp(argv[i], o->write) == 0;
		if (same && strcmp(o->write, "-") != 0)
			return usage("-w would overwrite what is to be read", o->write);
	}
	if (argc == 0)
		return usage("no capture file is given", NULL);
	if (!parse_loops(o->loop, &r->cfg.loops))
		return usage("--loop: a number from 1 on, or forever", o->loop);
	if (stdins > 1 || (stdins == 1 && r->cfg.loops > 1))
		return usage("standard input can be read only once", NULL);
	if (pace_rate_parse(o->rate != NULL ? o->rate : "original", &r->cfg.rate) != 0)
		return usage("--rate: original, xN, Npps, Nkpps, Nmpps, Nkbps, Nmbps, Ngbps or max",
			     o->rate);
	if (o->slack > SLACK_MAX_US)
		return usage("--slack: at most 1000000 microseconds", NULL);
	r->cfg.slack_ns = o->slack * UINT64_C(1000);
	r->cfg.engine = o->engine != NULL ? o->engine : engines[0];
	if (!is_engine(r->cfg.engine))
		return usage("--engine: none of wmscope's, nor a sink of a plug-in (--load)", r->cfg.engine);
	if (o->slack > 0 && strcmp(r->cfg.engine, "live") == 0)
		return usage("--slack: live frames are paced in the kernel", NULL);
	r->cfg.source = (struct source_config){.files = (const char *const *)argv,
					       .n_files = (unsigned)argc,
					       .rotated = o->rotated && argc > 1,
					       .bpf = o->bpf};
	r->cfg.stop = &session_stopped;
	return parse_rewriting(r) && parse_ports(r);
}

/* False: said, and in the session's conditions. */
static bool ports_are_free(struct run *r)
{
	uint32_t mtu = FILE_MTU;

	for (unsigned p = 0; p < r->cfg.n_ports && r->cfg.port[p].iface != NULL; p++) {
		const char *name = r->cfg.port[p].iface;
		struct interface i;
		int err = interface_get(name, &i);
		/* DPDK's ports need not be the kernel's. */
		if (err == -ENODEV && strcmp(r->cfg.engine, "dpdk") == 0)
			continue;
		const char *used = err == 0 ? interface_in_use(&i) : NULL;
		if (err != 0) {
			log_error(NULL, "%s: %s", name, strerror(-err));
		} else if (used != NULL && !r->opt->yes) {
			log_error(NULL, "%s: a replay may reach real hosts or cut this machine off; "
					"--yes-this-interface if you mean it",
				  used);
		} else {
			mtu = i.mtu < mtu ? i.mtu : mtu;
			continue;
		}
		session_happened(&r->session, EXIT_IO);
		return false;
	}
	r->cfg.rewrite.mtu = mtu;
	/* An Ethernet header and a tag, which an interface's MTU does not count. */
	for (unsigned p = 0; p < r->cfg.n_ports; p++)
		r->cfg.port[p].frame_max = mtu + 18;
	return true;
}

/* A sink that is not in the table is one that was not built. */
static void say_not_opened(struct run *r, int err, bool at_input, const char *why)
{
	bool xdp = strcmp(r->cfg.engine, "xdp") == 0 || strcmp(r->cfg.engine, "live") == 0;

	if (at_input) {
		log_error(NULL, "%s", why);
		session_input_failed(&r->session, err);
		return;
	}
	if (err == -ENOENT && xdp && HAVE_XDP == 0)
		log_error(NULL, "--engine %s: wmscope was built without XDP", r->cfg.engine);
	else if (err == -ENOENT && strcmp(r->cfg.engine, "dpdk") == 0 && HAVE_DPDK == 0)
		log_error(NULL, "--engine dpdk: wmscope was built without DPDK");
	else
		log_error(NULL, "%s", why);
	session_happened(&r->session, EXIT_IO);
}

static void write_reports(struct run *r, const struct replay_stats *stats, const char *error)
{
	struct replay_report report = {
		.cfg = &r->cfg,
		.stats = stats,
		.rate = r->opt->rate != NULL ? r->opt->rate : "original",
		.error = error,
		.exit_status = session_exit_status(&r->session),
	};

	/* A capture on standard output has it for itself. */
	bool taken = r->opt->write != NULL && strcmp(r->opt->write, "-") == 0;
	if (!r->opt->quiet)
		replay_report_text(taken ? stderr : stdout, &report);
	if (!r->opt->quiet && !taken && (fflush(stdout) != 0 || ferror(stdout))) {
		log_error(NULL, "standard output: %s", strerror(errno));
		session_happened(&r->session, EXIT_IO);
	}
	if (r->stats == NULL)
		return;
	replay_report_json(r->stats, &report);
	bool wrote = ferror(r->stats) == 0;
	if (fclose(r->stats) != 0 || !wrote) {
		log_error(NULL, "%s: %s", r->opt->stats, strerror(errno));
		session_happened(&r->session, EXIT_IO);
	}
	r->stats = NULL;
}

static void replay(struct run *r)
{
	struct replay *replay = NULL;
	char why[320];
	bool at_input;

	session_catch_signals();
	int err = replay_new(&replay, &r->cfg, &at_input, why, sizeof(why));
	if (err != 0) {
		say_not_opened(r, err, at_input, why);
		return;
	}
	err = replay_run(replay, why, sizeof(why));
	const struct replay_stats *s = replay_stats(replay);
	if (err != 0) {
		log_error(NULL, "%s", why);
		session_happened(&r->session, EXIT_IO);
	}
	bool cut = s->ends[REPLAY_TRUNCATED] > 0 && r->opt->truncated == TRUNCATED_REFUSE;
	if (s->interrupted || s->damaged > 0 || cut)
		session_happened(&r->session, EXIT_PARTIAL);
	write_reports(r, s, err != 0 ? why : NULL);
	replay_free(replay);
}

static int replay_command(void *config, int argc, char **argv)
{
	const struct replay_options *o = config;
	struct run r = {.opt = o};

	log_set_level(o->quiet ? LOG_LEVEL_ERROR : o->verbose ? LOG_LEVEL_INFO : LOG_LEVEL_WARN);
	if (!plugins_start(&o->plugins, &command_replay) || !parse(&r, argc, argv))
		return EXIT_USAGE;
	if (!ports_are_free(&r))
		goto out;
	if (o->stats != NULL) {
		r.stats = strcmp(o->stats, "-") == 0 ? fdopen(dup(STDOUT_FILENO), "w")
						     : fopen(o->stats, "we");
		if (r.stats == NULL) {
			log_error(NULL, "%s: %s", o->stats, strerror(errno));
			session_happened(&r.session, EXIT_IO);
			goto out;
		}
	}
	replay(&r);
out:
	if (r.stats != NULL)
		fclose(r.stats);
	return session_exit_status(&r.session);
}

const struct command command_replay = {
	.name = "replay",
	.usage = "FILE...",
	.summary = "send captures out of a port, paced",
	.details =
		"FILE is a pcap or pcapng capture, also compressed, or - for standard input. "
		"Frames are sent as captured but for what options change; checksums follow those "
		"changes, and wrong ones stay wrong. Captures without Ethernet headers (raw IP, "
		"Linux cooked, loopback, PPP, HDLC) get some. Every packet that is not sent is "
		"counted by why. An interface that carries the default route, or has an address, "
		"is refused unless --yes-this-interface. The report says what rate was asked for "
		"and achieved, and how far frames were off their time; on a busy machine nice -n -19 "
		"in front keeps them closer to it. SIGINT or SIGTERM ends the "
		"replay, and the report is still written.",
	.options = replay_rows,
	.config_size = sizeof(struct replay_options),
	.run = replay_command,
};
