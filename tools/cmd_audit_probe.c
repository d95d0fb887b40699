/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope audit probe: what a box between two ports does to a name, asked in several ways. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/log.h"
#include "dataplane/now.h"
#include "tools/audit/bench.h"
#include "tools/audit/probes.h"
#include "tools/audit/requests.h"
#include "tools/command.h"
#include "tools/escape.h"
#include "tools/facts.h"
#include "tools/folder.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/replay_options.h"
#include "tools/session.h"

#define REPEAT_DEFAULT 3u
#define REPEAT_MAX     1000u
#define RESIDUAL_MS    5000u
#define WAIT_MS	       250u
#define LINGER_NS      80000000u
#define TRIES	       3u
#define CLIENTS	       "192.0.2.0" /* RFC 5737, TEST-NET-1 */
#define SERVERS	       "198.51.100.0" /* TEST-NET-2 */

extern const struct command command_audit_probe;

struct audit_probe_options {
	struct option_strings ifaces, controls, only;
	const char *name, *dir, *jsonl, *dst_mac, *clients, *servers, *wait, *residual;
	unsigned long repeat;
	bool yes, quiet, verbose;
};

#define AT(field) .offset = offsetof(struct audit_probe_options, field)
static const struct option_row audit_probe_rows[] = {
	{.name = "interface", .letter = 'i', .kind = OPTION_STRINGS, AT(ifaces), .argument = "IFACE",
	 .help = "given twice: the port that the client is played at, then the server's"},
	{.name = "name", .letter = 'n', .kind = OPTION_STRING, AT(name), .argument = "NAME",
	 .help = "the name that the box may look for"},
	{.name = "control", .kind = OPTION_STRINGS, AT(controls), .argument = "NAME",
	 .help = "a name that it surely does not look for, several times for several; "
		 "control.example and control.invalid by default"},
	{.name = "only", .kind = OPTION_STRINGS, AT(only), .argument = "PROBE",
	 .help = "this probe alone, by its id; several times for several"},
	{.name = "repeat", .kind = OPTION_UINT, AT(repeat), .argument = "N",
	 .help = "each probe so many times with each name; 3 by default"},
	{.name = "residual", .kind = OPTION_STRING, AT(residual), .argument = "MS",
	 .help = "how long after the name another one is tried again; 5000 by default"},
	{.name = "wait", .kind = OPTION_STRING, AT(wait), .argument = "MS",
	 .help = "how long a frame may be in the box until a copy is sent, three at most; 250 by "
		 "default"},
	{.name = "dst-mac", .kind = OPTION_STRING, AT(dst_mac), .argument = "MAC[,MAC]",
	 .help = "destination of what leaves by the client's port, and by the server's: of a box that "
		 "routes"},
	{.name = "clients", .kind = OPTION_STRING, AT(clients), .argument = "NET",
	 .help = "the /24 that clients are in; 192.0.2.0 by default"},
	{.name = "servers", .kind = OPTION_STRING, AT(servers), .argument = "NET",
	 .help = "the /24 that servers are in; 198.51.100.0 by default"},
	{.name = "output", .letter = 'o', .kind = OPTION_STRING, AT(dir), .argument = "DIR",
	 .help = "write client.pcapng and server.pcapng into this folder, for analyze and compare"},
	{.name = "jsonl", .kind = OPTION_STRING, AT(jsonl), .argument = "FILE",
	 .help = "write JSON Lines here: an event `probe` for each, and one with what follows"},
	{.name = "yes-this-interface", .kind = OPTION_FLAG, AT(yes),
	 .help = "also if a port has an address of this machine or its default route"},
	{.name = "quiet", .letter = 'q', .kind = OPTION_FLAG, AT(quiet),
	 .help = "no table on standard output and no warnings"},
	{.name = "verbose", .letter = 'v', .kind = OPTION_FLAG, AT(verbose),
	 .help = "more words about the run on standard error"},
	{.name = NULL},
};

static const char *const default_controls[] = {"control.example", "control.invalid"};

struct row {
	bool wanted;
	struct outcome_tally name, controls;
	enum probe_verdict verdict;
};

struct run {
	const struct audit_probe_options *opt;
	const char *const *controls;
	unsigned n_controls, repeat;
	uint64_t wait_ns, later_ns;
	struct hosts_config cfg;
	struct bench_files files;
	struct hosts *hosts;
	FILE *jsonl;
	struct row rows[PROBE_IDS];
	struct conclusion said[CONCLUSIONS_MAX];
	unsigned n_said;
	uint64_t lost, started_ns;
	uint32_t trials;
	struct session session; /* its exit status only */
};

static bool usage(const char *wrong, const char *what)
{
	options_error(&command_audit_probe, wrong, what);
	return false;
}

/* A /24: the last number is ignored. */
static bool parse_net(const char *text, uint8_t out[3])
{
	struct in_addr a;
	char copy[32];

	snprintf(copy, sizeof(copy), "%s", text);
	copy[strcspn(copy, "/")] = '\0';
	if (inet_pton(AF_INET, copy, &a) != 1)
		return false;
	memcpy(out, &a, 3);
	return true;
}

static bool is_name(const char *name)
{
	uint8_t room[REQUEST_MAX];

	for (const char *c = name; *c != '\0'; c++) {
		if (*c <= ' ' || *c == 0x7f)
			return false;
	}
	return name[0] != '\0' && request_tls(room, sizeof(room), name) != 0 &&
	       request_dns(room, sizeof(room), name, 0, 0) != 0;
}

static bool choose(struct run *r)
{
	const struct option_strings *only = &r->opt->only;

	for (unsigned p = 0; p < PROBE_IDS; p++)
		r->rows[p].wanted = only->n == 0;
	for (unsigned i = 0; i < only->n; i++) {
		unsigned p = 0;
		while (p < PROBE_IDS && strcmp(probe_table[p].id, only->v[i]) != 0)
			p++;
		if (p == PROBE_IDS)
			return usage("--only: there is no probe of this name", only->v[i]);
		r->rows[p].wanted = true;
	}
	return true;
}

static bool parse(struct run *r, int argc)
{
	const struct audit_probe_options *o = r->opt;
	struct rewrite_macs macs[SIDES];

	if (argc != 0)
		return usage("probe reads no files: run does", NULL);
	if (!bench_ports_named(&command_audit_probe, &o->ifaces))
		return false;
	if (o->name == NULL)
		return usage("--name: which one?", NULL);
	r->controls = o->controls.n > 0 ? o->controls.v : default_controls;
	r->n_controls = o->controls.n > 0 ? o->controls.n : 2;
	for (unsigned i = 0; i < r->n_controls; i++) {
		if (!is_name(r->controls[i]))
			return usage("--control: no name for a request", r->controls[i]);
		if (strcmp(r->controls[i], o->name) == 0)
			return usage("--control: the name itself", o->name);
	}
	if (!is_name(o->name))
		return usage("--name: no name for a request", o->name);
	if (o->repeat > REPEAT_MAX)
		return usage("--repeat: 1 to 1000", NULL);
	r->repeat = o->repeat != 0 ? (unsigned)o->repeat : REPEAT_DEFAULT;
	if (!bench_ms(o->wait, WAIT_MS, &r->wait_ns) || r->wait_ns == 0)
		return usage("--wait: milliseconds, 1 to 60000", o->wait);
	if (!bench_ms(o->residual, RESIDUAL_MS, &r->later_ns))
		return usage("--residual: milliseconds, at most 60000", o->residual);
	if (!replay_options_macs(NULL, o->dst_mac, macs))
		return usage("--dst-mac: one MAC address or two", o->dst_mac);
	r->cfg = (struct hosts_config){.iface = {o->ifaces.v[0], o->ifaces.v[1]},
				       .wait_ns = r->wait_ns, .tries = TRIES,
				       .linger_ns = LINGER_NS};
	for (unsigned p = 0; p < SIDES; p++) {
		r->cfg.set_mac[p] = macs[p].set_dst;
		memcpy(r->cfg.mac[p], macs[p].dst, 6);
	}
	if (!parse_net(o->clients != NULL ? o->clients : CLIENTS, r->cfg.net[SIDE_CLIENT]))
		return usage("--clients: no IPv4 network", o->clients);
	if (!parse_net(o->servers != NULL ? o->servers : SERVERS, r->cfg.net[SIDE_SERVER]))
		return usage("--servers: no IPv4 network", o->servers);
	if (memcmp(r->cfg.net[0], r->cfg.net[1], 3) == 0)
		return usage("--clients, --servers: two different networks", NULL);
	return choose(r);
}

static bool open_all(struct run *r)
{
	const struct audit_probe_options *o = r->opt;
	uint32_t mtu;
	char why[320] = "";

	if (!bench_ports_free(r->cfg.iface, o->yes, &mtu, why, sizeof(why)))
		return bench_said(&r->session, EXIT_IO, why);
	if (mtu < 1500) {
		snprintf(why, sizeof(why), "an MTU of %u: probes take 1500", mtu);
		return bench_said(&r->session, EXIT_IO, why);
	}
	if (o->dir != NULL) {
		int err = bench_files_make(&r->files, o->dir, why, sizeof(why));
		if (err != 0)
			return bench_said(&r->session, EXIT_IO, why);
		r->cfg.path[0] = r->files.path[0];
		r->cfg.path[1] = r->files.path[1];
	}
	if (o->jsonl != NULL) {
		r->jsonl = strcmp(o->jsonl, "-") == 0 ? stdout : fopen(o->jsonl, "we");
		if (r->jsonl == NULL) {
			snprintf(why, sizeof(why), "%s: %s", o->jsonl, strerror(errno));
			return bench_said(&r->session, EXIT_IO, why);
		}
	}
	return hosts_new(&r->hosts, &r->cfg, why, sizeof(why)) == 0 ||
	       bench_said(&r->session, EXIT_IO, why);
}

static int try(struct run *r, const struct probe *p, const char *name, const char *harmless,
	       struct outcome_tally *into)
{
	struct probe_task task = {.name = name, .harmless = harmless, .later_ns = r->later_ns,
				  .number = r->trials++};
	struct outcome_facts facts = {.failed = true};

	int err = p->run(r->hosts, &task, &facts);
	if (atomic_load(&session_stopped))
		return -EINTR;
	if (err != 0)
		return err;
	enum outcome o = outcome_of(&facts);
	log_info(NULL, "%s, %s: %s", p->id, name, outcome_name[o]);
	outcome_add(into, o);
	return 0;
}

/* The name and its controls in turn, so that what changes with time changes for both. */
static bool try_all(struct run *r)
{
	int err = 0;

	for (unsigned p = 0; p < PROBE_IDS && err == 0; p++) {
		struct row *row = &r->rows[p];
		for (unsigned n = 0; n < r->repeat && err == 0 && row->wanted; n++) {
			for (unsigned c = 0; c < r->n_controls && err == 0; c++)
				err = try(r, &probe_table[p], r->controls[c],
					  r->controls[(c + 1) % r->n_controls], &row->controls);
			if (err == 0)
				err = try(r, &probe_table[p], r->opt->name, r->controls[0], &row->name);
		}
	}
	int failed;
	r->lost = hosts_stop(r->hosts, &failed);
	if (err == -EINTR)
		session_happened(&r->session, EXIT_PARTIAL);
	else if (err != 0 || failed != 0)
		bench_said(&r->session, EXIT_IO, strerror(err != 0 ? -err : -failed));
	return err == 0 || err == -EINTR;
}

static void judge(struct run *r)
{
	enum probe_verdict v[PROBE_IDS];

	for (unsigned p = 0; p < PROBE_IDS; p++) {
		struct row *row = &r->rows[p];
		row->verdict = probe_judge(&row->name, &row->controls);
		/* What the tester may have lost is no drop. */
		bool unsure = r->lost > 0 && (row->name.of[OUTCOME_DROPPED] > 0 ||
					      row->controls.of[OUTCOME_DROPPED] > 0);
		v[p] = row->verdict = unsure ? PROBE_UNTESTED : row->verdict;
	}
	r->n_said = probe_conclude(v, r->said);
	if (r->lost > 0)
		session_happened(&r->session, EXIT_PARTIAL);
}

/* "reset toward both 3/3", or all that it was. */
static void print_tally(FILE *out, const struct outcome_tally *t, int width)
{
	char text[256];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned o = 0; o < OUTCOME_N && n < sizeof(text); o++) {
		if (t->of[o] > 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %u/%u",
					      n > 0 ? ", " : outcome_steady(t) ? "" : "unsteady: ",
					      outcome_words[o], t->of[o], t->n);
	}
	fprintf(out, "  %-*s", width, t->n > 0 ? text : "-");
}

static void write_table(struct run *r)
{
	FILE *out = stdout;

	fputs("The box between ", out);
	escape_write(out, r->cfg.iface[0], strlen(r->cfg.iface[0]), 0);
	fputs(" (client) and ", out);
	escape_write(out, r->cfg.iface[1], strlen(r->cfg.iface[1]), 0);
	fputs(", asked for ", out);
	escape_write(out, r->opt->name, strlen(r->opt->name), 0);
	fputs("\n\n", out);
	fprintf(out, "%-17s  %-45s  %-26s  %s\n", "probe", "what", "name", "controls");
	for (unsigned p = 0; p < PROBE_IDS; p++) {
		if (!r->rows[p].wanted)
			continue;
		fprintf(out, "%-17s  %-45s", probe_table[p].id, probe_table[p].what);
		print_tally(out, &r->rows[p].name, 26);
		print_tally(out, &r->rows[p].controls, 0);
		putc('\n', out);
	}
	putc('\n', out);
	for (unsigned i = 0; i < r->n_said; i++)
		fprintf(out, "- %s\n", r->said[i].sentence);
	for (unsigned p = 0; p < PROBE_IDS; p++) {
		if (r->rows[p].verdict == PROBE_ALL)
			fprintf(out, "- %s: what is done to the name is done to controls too\n",
				probe_table[p].id);
		if (r->rows[p].verdict == PROBE_UNSTEADY)
			fprintf(out, "- %s: not the same each time\n", probe_table[p].id);
	}
	if (r->lost > 0)
		fprintf(out, "The tester itself lost %llu frames: what was dropped is not decided.\n",
			(unsigned long long)r->lost);
}

static void json_head(struct json *j, uint64_t ts_ns)
{
	char text[FACTS_TIME_SIZE];

	json_object(j, NULL);
	json_uint(j, "schema", 1);
	json_string(j, "event_type", "probe");
	json_string(j, "timestamp", facts_time(ts_ns, text));
	json_object(j, "probe");
}

static void json_tally(struct json *j, const char *key, const struct outcome_tally *t)
{
	json_object(j, key);
	json_string(j, "outcome", t->n == 0	      ? NULL
				  : outcome_steady(t) ? outcome_name[outcome_most(t)]
						      : "unsteady");
	json_uint(j, "trials", t->n);
	json_object(j, "outcomes");
	for (unsigned o = 0; o < OUTCOME_N; o++) {
		if (t->of[o] > 0)
			json_uint(j, outcome_name[o], t->of[o]);
	}
	json_end(j);
	json_end(j);
}

static void write_events(struct run *r)
{
	struct json j;

	json_start(&j, r->jsonl);
	for (unsigned p = 0; p < PROBE_IDS; p++) {
		const struct row *row = &r->rows[p];
		if (!row->wanted)
			continue;
		json_head(&j, r->started_ns);
		json_string(&j, "id", probe_table[p].id);
		json_string(&j, "what", probe_table[p].what);
		json_bytes(&j, "name", r->opt->name, strlen(r->opt->name));
		json_array(&j, "controls");
		for (unsigned c = 0; c < r->n_controls; c++)
			json_bytes(&j, NULL, r->controls[c], strlen(r->controls[c]));
		json_end(&j);
		json_tally(&j, "of_name", &row->name);
		json_tally(&j, "of_controls", &row->controls);
		json_string(&j, "verdict", probe_verdict_name[row->verdict]);
		json_end(&j);
		json_end(&j);
	}
	json_head(&j, r->started_ns);
	json_string(&j, "id", "conclusions");
	json_uint(&j, "tester_lost_frames", r->lost);
	json_array(&j, "conclusions");
	for (unsigned i = 0; i < r->n_said; i++) {
		json_object(&j, NULL);
		json_string(&j, "id", r->said[i].id);
		json_string(&j, "value", r->said[i].value);
		json_string(&j, "sentence", r->said[i].sentence);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	json_end(&j);
	if (fflush(r->jsonl) != 0 || ferror(r->jsonl))
		bench_said(&r->session, EXIT_IO, "--jsonl: it could not be written");
}

static int audit_probe(void *config, int argc, char **argv)
{
	const struct audit_probe_options *o = config;
	struct run r = {.opt = o, .files = {.fd = {-1, -1}}};

	(void)argv;
	log_set_level(o->quiet ? LOG_LEVEL_ERROR : o->verbose ? LOG_LEVEL_INFO : LOG_LEVEL_WARN);
	if (!parse(&r, argc))
		return EXIT_USAGE;
	session_catch_signals();
	r.started_ns = clock_ns(CLOCK_REALTIME);
	if (!open_all(&r) || !try_all(&r))
		goto out;
	judge(&r);
	if (!o->quiet && r.jsonl != stdout)
		write_table(&r);
	if (r.jsonl != NULL)
		write_events(&r);
	if (fflush(stdout) != 0 || ferror(stdout))
		bench_said(&r.session, EXIT_IO, "standard output: it could not be written");
out:
	hosts_free(r.hosts);
	if (r.jsonl != NULL && r.jsonl != stdout)
		fclose(r.jsonl);
	bench_files_close(&r.files);
	return session_exit_status(&r.session);
}

const struct command command_audit_probe = {
	.name = "audit probe",
	.usage = "--name NAME",
	.summary = "ask a box between two ports for a name, in several ways, and say what it does",
	.details =
		"A client and a server are played at the two ports that the box is wired between, with "
		"addresses of 192.0.2.0/24 and 198.51.100.0/24 that change with every trial; ARP "
		"requests for them are answered, but for .250 and up. Each probe is one exchange with "
		"the name in it, and the same with control names: a ClientHello in one segment and in "
		"two, without a handshake, to another port, from the server's side; HTTP with the name "
		"as Host and in the path; DNS over UDP and TCP; a QUIC Initial; and after the name "
		"another one, at once and later. What did not arrive is sent twice more. The outcome is "
		"what the box did: nothing, a reset toward client, server or both, a page, a forged "
		"answer, changed or dropped frames; unsteady where repeats differ. The sentences below "
		"the table hold only where the name is always treated in one way and controls are always "
		"left alone. It has no names of its own but the controls.",
	.options = audit_probe_rows,
	.config_size = sizeof(struct audit_probe_options),
	.run = audit_probe,
};
