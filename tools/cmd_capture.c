/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope capture: packets of an interface, analysed and written as they come. */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "classifiers/inspector.h"
#include "config.h"
#include "dataplane/log.h"
#include "dataplane/now.h"
#include "dataplane/plugin.h"
#include "tools/analysis_options.h"
#include "tools/analyze.h"
#include "tools/command.h"
#include "tools/live_stats.h"
#include "tools/options.h"
#include "tools/privileges.h"
#include "tools/progress.h"
#include "tools/recorder.h"
#include "tools/session.h"
#include "tools/study/study.h"
#include "tools/testimony/testimony.h"

#define SECOND_NS 1000000000ULL
#define MEGABYTE 1000000ULL
#define SNAPLEN_MIN 64
#define SNAPLEN_MAX 262144
#define MEMORY_MIB 1024UL

extern const struct command command_capture;

struct capture_config {
	struct session_config session;
	struct analysis_options analysis;
	struct option_strings ifaces; /* one; more are refused rather than the first forgotten */
	const char *record, *user, *stats, *eal, *engine;
	unsigned long count, seconds, snaplen, ring_mib, megabytes, rotate_s, keep, memory_mib,
		receivers;
	bool no_promisc, this_interface, shunt;
};

/* Names of sources; the first is the default. Plug-ins may bring others. */
static const char *const engines[] = {"packet", "xdp", "dpdk", NULL};
static const char *const built_without[] = {NULL, HAVE_XDP ? NULL : "XDP", HAVE_DPDK ? NULL : "DPDK"};

static const char *engine_of(const struct capture_config *cfg)
{
	return cfg->engine != NULL ? cfg->engine : engines[0];
}

static bool is_engine(const char *name)
{
	const struct plugin *p;
	bool is = false;

	for (unsigned i = 0; engines[i] != NULL; i++)
		is = is || strcmp(engines[i], name) == 0;
	for (unsigned i = 0; (p = plugin_at(PLUGIN_SOURCE, i)) != NULL; i++)
		is = is || (p->source->probe == NULL && strcmp(p->source->name, name) == 0);
	return is;
}

/* What a build without something says of the engine that needs it; NULL: it is there. */
static const char *engine_lacks(const char *name)
{
	for (unsigned i = 0; engines[i] != NULL; i++)
		if (strcmp(engines[i], name) == 0)
			return built_without[i];
	return NULL;
}

#define AT(field) .offset = offsetof(struct capture_config, field)
static const struct option_row capture_options[] = {
	{.name = "interface", .letter = 'i', .kind = OPTION_STRINGS, AT(ifaces), .argument = "IFACE",
	 .help = "the interface to capture from"},
	{.name = "engine", .kind = OPTION_STRING, AT(engine), .values = engines, .argument = "NAME",
	 .help = "packet gets a copy; xdp and dpdk take the frames away from the host; the source of a "
		 "plug-in (--load) has its own name"},
	{.name = "write", .letter = 'w', .kind = OPTION_STRING, AT(record), .argument = "FILE",
	 .help = "write the packets to this pcapng file too; - is standard output"},
	{.name = "rotate-size", .letter = 'C', .kind = OPTION_UINT, AT(megabytes), .argument = "MB",
	 .help = "begin a new file when one would grow beyond so many million bytes"},
	{.name = "rotate-seconds", .letter = 'G', .kind = OPTION_UINT, AT(rotate_s), .argument = "N",
	 .help = "begin a new file so many seconds after a file's first packet"},
	{.name = "keep", .letter = 'W', .kind = OPTION_UINT, AT(keep), .argument = "N",
	 .help = "of such files only the newest so many; older ones are deleted"},
	{.name = "count", .letter = 'c', .kind = OPTION_UINT, AT(count), .argument = "N",
	 .help = "end after so many packets"},
	{.name = "duration", .kind = OPTION_UINT, AT(seconds), .argument = "SECONDS",
	 .help = "end after this time"},
	{.name = "snaplen", .letter = 's', .kind = OPTION_UINT, AT(snaplen), .argument = "BYTES",
	 .help = "keep no more of a packet; what is cut off cannot be analysed"},
	{.name = "buffer", .letter = 'B', .kind = OPTION_UINT, AT(ring_mib), .argument = "MIB",
	 .help = "memory between the kernel and wmscope, 2 to 4095; 64 by default"},
	{.name = "memory", .kind = OPTION_UINT, AT(memory_mib), .argument = "MIB",
	 .help = "for what connections that ended leave until the report; 1024 by default; what does "
		 "not fit is counted"},
	{.name = "receivers", .kind = OPTION_UINT, AT(receivers), .argument = "N",
	 .help = "packet: so many parts of that memory, filled by several processors at once; 1 by default, "
		 "at most 16"},
	{.name = "no-promiscuous-mode", .letter = 'p', .kind = OPTION_FLAG, AT(no_promisc),
	 .help = "only what is meant for this machine"},
	{.name = "relinquish-privileges", .letter = 'Z', .kind = OPTION_STRING, AT(user),
	 .argument = "USER",
	 .help = "whom to become once all is open; by default who called sudo, else nobody"},
	{.name = "stats", .kind = OPTION_STRING, AT(stats), .argument = "FILE",
	 .help = "write counters here every second, as JSON Lines"},
	{.name = "yes-this-interface", .kind = OPTION_FLAG, AT(this_interface),
	 .help = "xdp, dpdk: though it has an address or the default route, which ends both"},
	{.name = "shunt", .kind = OPTION_FLAG, AT(shunt),
	 .help = "xdp: count the bulk of long connections in the kernel instead of reading it; asks "
		 "for --no-throttling, since rates take every packet"},
	{.name = "eal", .kind = OPTION_STRING, AT(eal), .argument = "ARGUMENTS", .none = true,
	 .help = "dpdk: arguments for its environment, one string"},
	SESSION_OPTIONS(struct capture_config, session),
	ANALYSIS_OPTIONS(struct capture_config, analysis),
	{.name = NULL},
};

struct run {
	const struct capture_config *cfg;
	const char *name; /* of the capture in reports */
	struct analyze_config as; /* analyze would have been told so of the same packets */
	struct source *source;
	struct recorder *recorder;
	struct analysis *analysis;
	struct study *study;
	struct analysis_setup setup;
	struct session session;
	struct progress progress;
	struct live_stats live;
	FILE *stats;
	bool stats_made; /* its file was not there before */
	uint64_t started_ns, second_ns; /* CLOCK_MONOTONIC; when the next second is over */
	atomic_bool stop;
	bool signalled;
	int stats_error;
};

static atomic_bool counters_wanted;

static void on_usr1(int sig)
{
	(void)sig;
	atomic_store(&counters_wanted, true);
}

/* What passed the interface, and of it what did not fit between the kernel and us. */
static void recorder_tell(struct run *r, const struct source_stats *st)
{
	uint64_t dropped;

	if (live_stats_dropped(st, &dropped))
		recorder_tick(r->recorder, st->received + dropped, dropped);
	else
		recorder_tick(r->recorder, UINT64_MAX, UINT64_MAX);
}

/* What happens each second, and when the capture ends. For pipeline_config.progress. */
static void on_progress(void *user, const struct source_stats *st, uint64_t now_ns)
{
	struct run *r = user;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (atomic_load(&session_stopped)) {
		r->signalled = true;
		atomic_store(&r->stop, true);
	}
	if (r->cfg->seconds != 0 && now - r->started_ns >= r->cfg->seconds * SECOND_NS)
		atomic_store(&r->stop, true);
	if (atomic_exchange(&counters_wanted, false)) {
		progress_clear(&r->progress);
		live_stats_print(&r->live, st, stderr);
	}
	progress_show(&r->progress, st, now_ns);
	if (now < r->second_ns)
		return;
	r->second_ns = now + SECOND_NS;
	if (r->recorder != NULL) {
		recorder_tell(r, st);
		if (recorder_error(r->recorder) != 0)
			atomic_store(&r->stop, true);
	}
	if (r->stats != NULL && r->stats_error == 0)
		r->stats_error = live_stats_event(&r->live, st, r->stats);
}

static void said(struct run *r, enum exit_status status, const char *why)
{
	log_error(NULL, "%s", why);
	session_happened(&r->session, status);
}

static bool source_start(struct run *r)
{
	const struct capture_config *cfg = r->cfg;
	struct source_config from = {.iface = cfg->ifaces.v[0], .bpf = cfg->analysis.bpf,
				     .snaplen = (uint32_t)cfg->snaplen,
				     .ring_mib = (uint32_t)cfg->ring_mib,
				     .rings = (uint32_t)cfg->receivers,
				     .no_promisc = cfg->no_promisc,
				     .take_used = cfg->this_interface, .eal = cfg->eal,
				     .shunt = cfg->shunt};
	char why[320];

	const char *engine = engine_of(cfg), *lacks = engine_lacks(engine);
	int err = source_open(&r->source, engine, &from, why, sizeof(why));
	if (err == -ENOENT && lacks != NULL)
		snprintf(why, sizeof(why), "--engine %s: wmscope was built without %s", engine, lacks);
	if (err != 0)
		said(r, err == -EDOM ? EXIT_USAGE : EXIT_IO, why);
	return err == 0;
}

static bool recorder_begin(struct run *r)
{
	const struct capture_config *cfg = r->cfg;
	struct source_stats st;
	char why[320];

	if (cfg->record == NULL)
		return true;
	source_stats(r->source, &st);
	if (st.n_ifaces == 0) {
		said(r, EXIT_IO, "-w: the source does not say what its packets begin with");
		return false;
	}
	struct recorder_config to = {
		.path = cfg->record, .max_bytes = cfg->megabytes * MEGABYTE,
		.every_ns = cfg->rotate_s * SECOND_NS, .keep = (unsigned)cfg->keep,
		.iface = cfg->ifaces.v[0], .filter = cfg->analysis.bpf,
		.linktype = st.ifaces[0].linktype, .snaplen = st.ifaces[0].snaplen,
	};
	int err = recorder_open(&r->recorder, &to, why, sizeof(why));
	if (err != 0)
		said(r, EXIT_IO, why);
	return err == 0;
}

static bool stats_begin(struct run *r)
{
	if (r->cfg->stats == NULL)
		return true;
	r->stats_made = strcmp(r->cfg->stats, "-") != 0 && access(r->cfg->stats, F_OK) != 0;
	r->stats = strcmp(r->cfg->stats, "-") == 0 ? stdout : fopen(r->cfg->stats, "we");
	if (r->stats != NULL)
		return true;
	log_error(NULL, "%s: %s", r->cfg->stats, strerror(errno));
	session_happened(&r->session, EXIT_IO);
	return false;
}

/* From here on what is read and written is read and written by nobody special. */
static bool become_ordinary(struct run *r)
{
	struct privileges who;
	char why[320];

	int err = privileges_choose(&who, r->cfg->user, why, sizeof(why));
	if (err == 0 && who.change) {
		outputs_give(&r->session.outputs, who.uid, who.gid);
		err = r->recorder != NULL ? recorder_give(r->recorder, who.uid, who.gid) : 0;
		if (err == 0 && r->stats_made && fchown(fileno(r->stats), who.uid, who.gid) != 0)
			err = -errno;
		if (err != 0)
			snprintf(why, sizeof(why), "giving files to %s: %s", who.name,
				 strerror(-err));
	}
	if (err == 0)
		err = privileges_drop(&who, why, sizeof(why));
	if (err == 0 && r->recorder != NULL)
		err = recorder_start(r->recorder, why, sizeof(why));
	if (err != 0)
		said(r, err == -ENOENT ? EXIT_USAGE : EXIT_IO, why);
	else if (who.change)
		log_info(NULL, "going on as %s", who.name);
	return err == 0;
}

/* Reports, packets and counters: one of them at most goes to standard output, or into one file. */
static bool place_shared(const struct run *r)
{
	const char *const others[] = {r->cfg->record, r->cfg->stats};
	unsigned n = 0;

	for (unsigned i = 0; i < r->session.outputs.n; i++)
		n += strcmp(r->session.outputs.list[i].path, "-") == 0;
	for (unsigned i = 0; i < 2; i++)
		n += others[i] != NULL && strcmp(others[i], "-") == 0;
	return n > 1 || (others[0] != NULL && others[1] != NULL && strcmp(others[0], others[1]) == 0);
}

static bool begin(struct run *r)
{
	const struct capture_config *cfg = r->cfg;

	const char *const others[] = {cfg->record, cfg->stats};
	char *named[2];
	int n = 0;

	for (unsigned i = 0; i < 2; i++)
		if (others[i] != NULL && (i == 0 || strcmp(others[i], "-") != 0))
			named[n++] = (char *)(uintptr_t)others[i];
	if (!session_start(&r->session, &cfg->session, named, n))
		return false;
	if (place_shared(r)) {
		said(r, EXIT_USAGE, "reports, packets (-w) and counters (--stats): only one of them "
				    "can go to standard output, or into one file");
		return false;
	}
	if (!source_start(r) ||
	    !analysis_setup_open(&r->setup, &r->cfg->analysis, &command_capture, &r->session) ||
	    !recorder_begin(r) || !stats_begin(r))
		return false;
	/* Now rather than when the first packet asks: it takes time, and a cache that is root's. */
	if (r->setup.lists.matcher != NULL)
		matcher_prepare(r->setup.lists.matcher);
	return become_ordinary(r);
}

/* Ends the files; 0 or -errno of the analysis. */
static int finish(struct run *r, struct pipeline_stats *stats, int failed)
{
	const struct capture_config *cfg = r->cfg;
	bool limited = cfg->count != 0 || cfg->seconds != 0;

	progress_clear(&r->progress);
	if (r->stats != NULL && r->stats_error == 0)
		r->stats_error = live_stats_event(&r->live, &stats->source, r->stats);
	if (r->stats_error != 0)
		said(r, EXIT_IO, "--stats: the counters could not be written");
	if (r->recorder != NULL) {
		recorder_tell(r, &stats->source);
		int err = recorder_close(r->recorder);
		r->recorder = NULL;
		if (err != 0) {
			log_error(NULL, "%s: %s; it ends with its last whole packet", cfg->record,
				  strerror(-err));
			session_happened(&r->session, EXIT_IO);
		}
	}
	if (failed != 0) {
		log_error(NULL, "%s: %s", cfg->ifaces.v[0],
			  failed == -ENETDOWN ? "the interface went down" : strerror(-failed));
		session_happened(&r->session, EXIT_IO);
	}
	/* A signal is how a capture without a limit is meant to end. */
	stats->interrupted = r->signalled && limited;
	log_info(NULL, "%s: %" PRIu64 " packets", cfg->ifaces.v[0], stats->source.received);
	return analysis_end(r->analysis, stats, failed);
}

static int capture_all(struct run *r)
{
	const struct capture_config *cfg = r->cfg;
	struct analysis_config want = analysis_setup_config(&r->setup, &cfg->analysis, &r->session);
	want.room = (cfg->memory_mib != 0 ? cfg->memory_mib : MEMORY_MIB) << 20;
	struct pipeline_config pipe = {
		.workers = (unsigned)cfg->analysis.workers, .stop_after = cfg->count, .stop = &r->stop,
		.shunt = cfg->shunt, .progress = on_progress, .progress_user = r,
		.tap = r->recorder != NULL ? recorder_write : NULL, .tap_user = r->recorder,
	};
	struct sigaction usr1 = {.sa_handler = on_usr1};
	struct pipeline_stats stats;

	int err = analysis_new(&r->analysis, &want);
	if (err == 0)
		err = analysis_begin(r->analysis, &r->name, 1);
	if (err != 0)
		return err;
	sigaction(SIGUSR1, &usr1, NULL);
	session_catch_signals();
	live_stats_start(&r->live, cfg->ifaces.v[0]);
	progress_start(&r->progress, !cfg->session.quiet, 1);
	log_info(NULL, "%s: capturing", cfg->ifaces.v[0]);
	r->started_ns = clock_ns(CLOCK_MONOTONIC);
	r->second_ns = r->started_ns + SECOND_NS;
	int failed = pipeline_run(r->source, session_hooks(&r->session, analysis_hooks(r->analysis)),
				  &pipe, &stats);
	err = finish(r, &stats, failed);
	if (err == 0)
		err = analysis_judge(r->analysis);
	if (err != 0)
		return err;
	const struct testimony_run said = {.command = &command_analyze,
					   .config = &r->as,
					   .rules = r->setup.lists.rules,
					   .n_inputs = 1};
	testimony_keep(&r->session, r->analysis, &said);
	return study_new(&r->study, r->analysis);
}

static const char *wrong_shunt(const struct capture_config *cfg)
{
	if (!cfg->shunt)
		return NULL;
	if (strcmp(engine_of(cfg), "xdp") != 0)
		return "--shunt: only --engine xdp can";
	if (!cfg->analysis.no_throttling)
		return "--shunt: a rate is known from all packets; say --no-throttling to do without";
	if (cfg->record != NULL)
		return "--shunt: the file of -w would lack the packets that are only counted";
	if (cfg->session.pcapng != NULL)
		return "--shunt: --pcapng needs the packets that are only counted";
	if (cfg->analysis.bpf != NULL)
		return "--shunt: no filter (-f) sees the packets that are only counted";
	return NULL;
}

/* What the option rows cannot check: NULL, or what is wrong. */
static const char *wrong_usage(const struct capture_config *cfg, int argc)
{
	bool record_on_stdout = cfg->record != NULL && strcmp(cfg->record, "-") == 0;
	bool rotates = cfg->megabytes != 0 || cfg->rotate_s != 0;

	if (!is_engine(engine_of(cfg)))
		return "--engine: none of wmscope's, nor a plug-in's source for interfaces (--load)";
	if (argc != 0)
		return "capture reads no files: analyze does";
	if (cfg->ifaces.n != 1)
		return cfg->ifaces.n == 0 ? "-i: which interface?" : "-i: one interface at a time";
	if (cfg->record == NULL && rotates)
		return "-C and -G are about the files of -w";
	if ((cfg->keep != 0 && !rotates) || (rotates && record_on_stdout))
		return "-W is about the files of -w with -C or -G, and those have names";
	if (cfg->snaplen != 0 && (cfg->snaplen < SNAPLEN_MIN || cfg->snaplen > SNAPLEN_MAX))
		return "-s: 64 to 262144 bytes";
	if (cfg->ring_mib != 0 && (cfg->ring_mib < 2 || cfg->ring_mib > 4095))
		return "-B: 2 to 4095 MiB";
	if (cfg->receivers > 16 || (cfg->receivers > 1 && strcmp(engine_of(cfg), "packet") != 0))
		return "--receivers: 1 to 16, and of --engine packet: others have one a queue of the card";
	if (cfg->keep > UINT16_MAX || cfg->megabytes > UINT32_MAX || cfg->rotate_s > UINT32_MAX ||
	    cfg->seconds > UINT32_MAX || cfg->memory_mib > UINT32_MAX)
		return "a limit is beyond all measure";
	const char *wrong = wrong_shunt(cfg);
	return wrong != NULL ? wrong : analysis_options_wrong(&cfg->analysis);
}

static int capture_run(void *config, int argc, char **argv)
{
	const struct capture_config *cfg = config;
	struct run r = {.cfg = cfg, .name = cfg->record != NULL && strcmp(cfg->record, "-") != 0
						    ? cfg->record : cfg->ifaces.v[0],
			.as = {.session = cfg->session, .analysis = cfg->analysis},
			.session = {.may_testify = true}};

	(void)argv;
	if (!plugins_start(&cfg->analysis.plugins, &command_capture))
		return EXIT_USAGE;
	const char *wrong = wrong_usage(cfg, argc);
	if (wrong != NULL) {
		options_error(&command_capture, wrong, NULL);
		return EXIT_USAGE;
	}
	if (!begin(&r))
		goto out;
	int err = capture_all(&r);
	if (err == 0) {
		struct report_options o = {.study = r.study, .rules = r.setup.lists.rules,
					   .matcher = r.setup.lists.matcher,
					   .command = &command_analyze, .config = &r.as};
		session_write(&r.session, r.analysis, &o);
	} else {
		said(&r, EXIT_IO, strerror(-err));
	}
out:
	recorder_close(r.recorder);
	if (r.stats != NULL && r.stats != stdout)
		fclose(r.stats);
	study_free(r.study);
	analysis_free(r.analysis);
	analysis_setup_close(&r.setup);
	session_end(&r.session);
	source_close(r.source);
	return session_exit_status(&r.session);
}

const struct command command_capture = {
	.name = "capture",
	.usage = "-i IFACE",
	.summary = "capture from an interface, and report what analyze would of the same packets",
	.details = "The report is written when the capture ends: by SIGINT or SIGTERM, after -c "
		   "packets or after --duration. It ends too when the interface goes down or the "
		   "disk is full, and then the exit status is 4; a signal before a limit that was "
		   "asked for makes it 5. With --shunt, packets of a TCP connection under way of which "
		   "everything is known are counted in the kernel, as long as each is the next of its "
		   "direction and looks like the ones before; from the first that does not, a reset "
		   "among them, all are read again. What is found is the same; rates (throttling) and "
		   "recordings need every packet and cannot be had with it. Frames are numbered as they "
		   "came to the interface. SIGUSR1 prints counters. Once everything is open, root "
		   "becomes an ordinary user without capabilities (-Z). Files named on the command "
		   "line are made before that and given to that user. With -C or -G the file "
		   "NAME.pcapng stands for NAME_00001_20261122T061704Z.pcapng and so on, a number "
		   "and the time (UTC) of the first packet, in a folder that user can write to; a "
		   "report counts frames over all of them, and each file's comment says at which "
		   "frame of the capture it begins. Otherwise frames are those of the file.",
	.options = capture_options,
	.config_size = sizeof(struct capture_config),
	.run = capture_run,
};
