/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope anonymize: a capture that can be shared. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "dataplane/log.h"
#include "dataplane/pcapng_write.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/plugins.h"
#include "tools/privacy/key.h"
#include "tools/privacy/scrub.h"
#include "tools/privacy/survey.h"
#include "tools/session.h"

#define BATCH 64u

extern const struct command command_anonymize;

struct anonymize_config {
	const char *key;
	bool keep_payload, redact_names, quiet;
	struct option_strings plugins;
};

#define AT(field) .offset = offsetof(struct anonymize_config, field)
static const struct option_row anonymize_rows[] = {
	{.name = "key",
	 .kind = OPTION_STRING,
	 AT(key),
	 .argument = "FILE",
	 .help = "the key that pseudonyms are made with, 32 bytes or 64 hexadecimal digits, so "
		 "that "
		 "they are the same in every run; otherwise one that is not kept"},
	{.name = "keep-payload",
	 .kind = OPTION_FLAG,
	 AT(keep_payload),
	 .help = "keep what connections carry; addresses in it are replaced where they are found"},
	{.name = "redact-names",
	 .kind = OPTION_FLAG,
	 AT(redact_names),
	 .help = "names too under pseudonyms: of servers, hosts, paths and DNS, cut to the length that the "
		 "name had; what holds one in pieces, and QUIC, is cut"},
	{.name = "quiet", .letter = 'q', .kind = OPTION_FLAG, AT(quiet), .help = "no warnings"},
	PLUGIN_OPTION(struct anonymize_config, plugins, "a packet source"),
	{.name = NULL},
};

struct run {
	const struct anonymize_config *cfg;
	const char *in;
	struct pseudonyms *pseudonyms;
	struct names_key names;
	struct scrub *scrub;
	struct pcapng_writer *writer;
	unsigned *ifaces; /* of the writer, by interface of the input; UINT_MAX: not written yet */
	unsigned n_ifaces;
	uint8_t *frame;
	size_t room;
	struct session session;
};

static int open_source(struct run *r, struct source **out)
{
	struct source_config from = {.files = &r->in, .n_files = 1};
	char why[320];

	int err = source_open(out, NULL, &from, why, sizeof(why));
	if (err != 0) {
		log_error(NULL, "%s", why);
		session_input_failed(&r->session, err);
	}
	return err;
}

static void tell_damage(struct run *r, const struct source_stats *st)
{
	for (unsigned i = 0; i < st->n_damage; i++)
		log_warn(NULL, "%s: offset %llu: %s", r->in,
			 (unsigned long long)st->damage[i].offset, st->damage[i].reason);
	if (st->n_damage != 0)
		session_happened(&r->session, EXIT_PARTIAL);
}

/* First reading: who is a client. */
static int find_clients(struct run *r)
{
	struct pipeline_config pipe = {.stop = &session_stopped};
	struct pipeline_stats stats = {.first_ns = 0};
	struct survey *survey = NULL;
	struct source *src = NULL;

	int err = survey_new(&survey);
	if (err == 0)
		err = open_source(r, &src);
	if (err != 0)
		goto out;
	err = pipeline_run(src, survey_hooks(survey, NULL), &pipe, &stats);
	tell_damage(r, &stats.source);
	if (stats.interrupted)
		err = -EINTR;
	if (survey_refused(survey) != 0)
		log_warn(NULL,
			 "%s: too many hosts to tell who is a client: servers get pseudonyms too",
			 r->in);
	if (err == 0)
		err = survey_fill(survey, r->pseudonyms);
	if (err == 0)
		err = pseudonyms_settle(r->pseudonyms);
out:
	source_close(src);
	survey_free(survey);
	return err;
}

static int make_pseudonyms(struct run *r)
{
	uint8_t key[CRYPTO_PAN_KEY];
	char why[320];

	int err = r->cfg->key != NULL ? privacy_key_read(r->cfg->key, key, why, sizeof(why))
				      : privacy_key_random(key);
	if (err != 0) {
		log_error(NULL, "%s", r->cfg->key != NULL ? why : strerror(-err));
		session_happened(&r->session, r->cfg->key != NULL ? EXIT_USAGE : EXIT_IO);
		return err;
	}
	err = pseudonyms_new(&r->pseudonyms, key);
	if (err == 0 && r->cfg->redact_names)
		err = names_key_make(&r->names, key, sizeof(key));
	privacy_key_forget(key);
	return err;
}

/* The writer's number of an interface, which is written when its first packet comes. */
static int iface_of(struct run *r, struct source *src, const struct packet *pkt, unsigned *out)
{
	if (pkt->iface >= r->n_ifaces) {
		unsigned n = pkt->iface + 16;
		unsigned *more = realloc(r->ifaces, n * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		for (unsigned i = r->n_ifaces; i < n; i++)
			more[i] = UINT_MAX;
		r->ifaces = more;
		r->n_ifaces = n;
	}
	if (r->ifaces[pkt->iface] == UINT_MAX) {
		struct source_stats st;
		struct pcapng_interface i = {.linktype = pkt->linktype};
		source_stats(src, &st);
		for (unsigned k = 0; k < st.n_ifaces; k++)
			if (st.ifaces[k].iface == pkt->iface)
				i.snaplen = st.ifaces[k].snaplen;
		int n = pcapng_write_interface(r->writer, &i);
		if (n < 0)
			return n;
		r->ifaces[pkt->iface] = (unsigned)n;
	}
	*out = r->ifaces[pkt->iface];
	return 0;
}

static int write_packet(struct run *r, struct source *src, const struct packet *pkt)
{
	struct packet shown = *pkt;
	unsigned iface;

	if (pkt->caplen > r->room) {
		uint8_t *more = realloc(r->frame, pkt->caplen);
		if (more == NULL)
			return -ENOMEM;
		r->frame = more;
		r->room = pkt->caplen;
	}
	int err = iface_of(r, src, pkt, &iface);
	if (err != 0)
		return err;
	shown.data = r->frame;
	shown.caplen = scrub_packet(r->scrub, pkt, r->frame);
	return pcapng_write_packet(r->writer, iface, &shown, NULL);
}

/* What the capturing system says that it lost. */
static int write_losses(struct run *r, struct source *src)
{
	struct source_stats st;
	int err = 0;

	source_stats(src, &st);
	for (unsigned i = 0; i < st.n_ifaces && err == 0; i++) {
		uint32_t n = st.ifaces[i].iface;
		if (n < r->n_ifaces && r->ifaces[n] != UINT_MAX &&
		    st.ifaces[i].dropped != UINT64_MAX)
			err = pcapng_write_statistics(
				r->writer, r->ifaces[n],
				&(struct pcapng_statistics){.received = st.ifaces[i].packets,
							    .dropped = st.ifaces[i].dropped});
	}
	return err;
}

/* Second reading. */
static int write_packets(struct run *r, struct source *src)
{
	struct packet pkts[BATCH];
	int err = 0, n;

	while (err == 0 && (n = source_recv(src, 0, pkts, BATCH)) != SOURCE_EOF) {
		if (atomic_load(&session_stopped)) {
			session_happened(&r->session, EXIT_PARTIAL);
			break;
		}
		/* A file that cannot be read on: what there was is written. */
		if (n < 0) {
			session_happened(&r->session, EXIT_IO);
			log_error(NULL, "%s: %s", r->in, strerror(-n));
			continue;
		}
		for (int i = 0; i < n && err == 0; i++)
			err = write_packet(r, src, &pkts[i]);
		source_release(src, 0, pkts, (unsigned)n);
	}
	return err != 0 ? err : write_losses(r, src);
}

static int write_capture(struct run *r, const char *path)
{
	struct scrub_config want = {.pseudonyms = r->pseudonyms,
				    .keep_payload = r->cfg->keep_payload,
				    .names = r->cfg->redact_names ? &r->names : NULL};
	struct pcapng_section section = {
		.application = "wmscope " WMSCOPE_VERSION,
		.comment = r->cfg->redact_names
				   ? "addresses of clients are pseudonyms (Crypto-PAn), those of servers "
				     "are real; names are pseudonyms of the same length"
				   : "addresses of clients are pseudonyms (Crypto-PAn), those of "
				     "servers are real"};
	struct source *src = NULL;

	int err = open_source(r, &src);
	if (err != 0)
		return err;
	bool to_stdout = strcmp(path, "-") == 0;
	int fd = to_stdout ? STDOUT_FILENO
			   : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		err = -errno;
		goto out;
	}
	err = scrub_new(&r->scrub, &want);
	if (err == 0)
		err = pcapng_writer_new(&r->writer, fd, &section);
	if (err == 0)
		err = write_packets(r, src);
	int end = pcapng_writer_free(r->writer);
	err = err != 0 ? err : end;
	if (!to_stdout && close(fd) != 0 && err == 0)
		err = -errno;
out:
	if (err != 0) {
		log_error(NULL, "%s: %s", to_stdout ? "standard output" : path, strerror(-err));
		session_happened(&r->session, EXIT_IO);
	}
	source_close(src);
	return err;
}

static const char *usage_fault(const struct anonymize_config *cfg, int argc, char **argv)
{
	return argc != 2 ? "two files are wanted: a capture, and one to be made"
	       : strcmp(argv[0], "-") == 0
		       ? "the capture is read twice, which standard input cannot be"
	       : cfg->keep_payload && cfg->redact_names
		       ? "--redact-names leaves no payload that could be kept"
		       : NULL;
}

static int anonymize_run(void *config, int argc, char **argv)
{
	const struct anonymize_config *cfg = config;
	struct run r = {.cfg = cfg};
	const char *fault = usage_fault(cfg, argc, argv);

	if (fault == NULL && strcmp(argv[1], "-") != 0 && access(argv[1], F_OK) == 0) {
		options_error(&command_anonymize, "there is a file of that name already", argv[1]);
		return EXIT_USAGE;
	}
	if (fault != NULL)
		options_error(&command_anonymize, fault, NULL);
	if (fault != NULL || !plugins_start(&cfg->plugins, &command_anonymize))
		return EXIT_USAGE;
	log_set_level(cfg->quiet ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN);
	session_catch_signals();
	r.in = argv[0];
	int err = make_pseudonyms(&r);
	if (err == 0)
		err = find_clients(&r);
	if (err == 0)
		err = write_capture(&r, argv[1]);
	if (err != 0 && r.session.conditions == 0) {
		log_error(NULL, "%s: %s", r.in, strerror(-err));
		session_happened(&r.session, err == -EINTR ? EXIT_PARTIAL : EXIT_IO);
	}
	free(r.frame);
	free(r.ifaces);
	scrub_free(r.scrub);
	names_key_forget(&r.names);
	pseudonyms_free(r.pseudonyms);
	return session_exit_status(&r.session);
}

const struct command command_anonymize = {
	.name = "anonymize",
	.usage = "IN OUT",
	.summary = "make a capture that can be shared: clients under pseudonyms, payload cut",
	.details =
		"IN is a pcap or pcapng capture, also compressed, and is read twice; OUT, which "
		"must "
		"not exist, becomes pcapng with nanoseconds and the same frame numbers. Addresses "
		"that are a client's anywhere in IN become pseudonyms that keep prefixes, "
		"everywhere: "
		"in tunnels, ARP, packets quoted by ICMP, DNS records and header fields that some "
		"boxes compute from an address. So do all MAC addresses. Checksums that were right "
		"stay right. Of the payload the ClientHello, QUIC Initials, the start line and "
		"Host of "
		"HTTP and DNS messages are kept. Addresses of servers, names and times are real; with "
		"--redact-names a name is what it is in a report with --redact-names and the same key, cut "
		"or filled up to its length label by label.",
	.options = anonymize_rows,
	.config_size = sizeof(struct anonymize_config),
	.run = anonymize_run,
};
