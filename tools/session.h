/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What every command that ends in reports does alike: its output options, its signals, how it ends.
 *
 *   session_start -> read packets, judge -> session_write -> session_end
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "classifiers/arena.h"
#include "tools/command.h"
#include "dataplane/pipeline.h"
#include "tools/outputs.h"

struct session_config {
	const char *dir, *jsonl, *text, *html, *pcapng, *zeek, *key;
	const char *from; /* the manifest of the run to repeat */
	int min_verdict, fail_on, color;
	bool quiet, verbose, all_packets;
	bool private_all, show_clients, all_names, keep_payload, redact_names;
};

extern const char *const session_min_verdicts[], *const session_fail_ons[], *const session_colors[];

/* Rows of a command whose config of this type holds a struct session_config under this name. */
#define SESSION_OPTIONS(type, field)                                                               \
	{.name = "output",                                                                         \
	 .letter = 'o',                                                                            \
	 .kind = OPTION_STRING,                                                                    \
	 .offset = offsetof(type, field.dir),                                                      \
	 .argument = "DIR",                                                                        \
	 .help = "write all reports but Zeek's into this folder, made if need be"}, \
	{.name = "text",                                                                           \
	 .kind = OPTION_STRING,                                                                    \
	 .offset = offsetof(type, field.text),                                                     \
	 .argument = "FILE",                                                                       \
	 .help = "write the report for people here; the default, on standard output"},             \
	{.name = "jsonl",                                                                          \
	 .kind = OPTION_STRING,                                                                    \
	 .offset = offsetof(type, field.jsonl),                                                    \
	 .argument = "FILE",                                                                       \
	 .help = "write JSON Lines here: the run, the flows, every finding"},                      \
	{.name = "html",                                                                           \
	 .kind = OPTION_STRING,                                                                    \
	 .offset = offsetof(type, field.html),                                                     \
	 .argument = "FILE",                                                                       \
	 .help = "write the report here as one page for a browser, with ladders and plots"},       \
	{.name = "pcapng",                                                                         \
	 .kind = OPTION_STRING,                                                                    \
	 .offset = offsetof(type, field.pcapng),                                                   \
	 .argument = "FILE",                                                                       \
	 .help = "write the packets of touched connections here, with comments for Wireshark"},    \
	{.name = "all-packets",                                                                    \
	 .kind = OPTION_FLAG,                                                                      \
	 .offset = offsetof(type, field.all_packets),                                              \
	 .help = "annotated captures hold every packet"},                                          \
	{.name = "private",                                                                        \
	 .kind = OPTION_FLAG,                                                                      \
	 .offset = offsetof(type, field.private_all),                                              \
	 .help = "clients under pseudonyms everywhere, on standard output too"},                   \
	{.name = "show-clients",                                                                   \
	 .kind = OPTION_FLAG,                                                                      \
	 .offset = offsetof(type, field.show_clients),                                             \
	 .help = "the clients' real addresses and all names, in what -o, --html and --pcapng "   \
		 "write too"},                                                                     \
	{.name = "all-names",                                                                      \
	 .kind = OPTION_FLAG,                                                                      \
	 .offset = offsetof(type, field.all_names),                                                \
	 .help = "list the names of connections that nothing was found of, which are else "        \
		 "counted in what is written without the clients' addresses"},                     \
	{.name = "redact-names",                                                                   \
	 .kind = OPTION_FLAG,                                                                      \
	 .offset = offsetof(type, field.redact_names),                                             \
	 .help = "names too under pseudonyms, in what is written without the clients' addresses: " \
		 "of servers, hosts, queries, certificates, paths and pages; annotated captures "  \
		 "have them as anonymize does. Servers' addresses and what lists call their rows " \
		 "stay"},                                                                          \
	{.name = "keep-payload",                                                                   \
	 .kind = OPTION_FLAG,                                                                      \
	 .offset = offsetof(type, field.keep_payload),                                             \
	 .help = "annotated captures without clients' addresses keep what connections carry"},     \
	{.name = "key",                                                                            \
	 .kind = OPTION_STRING,                                                                    \
	 .offset = offsetof(type, field.key),                                                      \
	 .argument = "FILE",                                                                       \
	 .help = "the key that pseudonyms are made with, 32 bytes or 64 hexadecimal digits, so "   \
		 "that they are the same in every run; otherwise one that is not kept"},           \
	{.name = "zeek",                                                                           \
	 .kind = OPTION_STRING,                                                                    \
	 .offset = offsetof(type, field.zeek),                                                     \
	 .argument = "DIR",                                                                        \
	 .help = "write conn.log and interference.log for tools of Zeek into this folder"},        \
	{.name = "min-verdict",                                                                    \
	 .kind = OPTION_ENUM,                                                                      \
	 .offset = offsetof(type, field.min_verdict),                                              \
	 .values = session_min_verdicts,                                                           \
	 .help = "show findings from this verdict up; others are counted"},                        \
	{.name = "fail-on",                                                                        \
	 .kind = OPTION_ENUM,                                                                      \
	 .offset = offsetof(type, field.fail_on),                                                  \
	 .values = session_fail_ons,                                                               \
	 .help = "exit with 1 if there is a finding of this verdict or above; likely and "         \
		 "confirmed mean interference, so likely is the default"},                         \
	{.name = "color",                                                                          \
	 .kind = OPTION_ENUM,                                                                      \
	 .offset = offsetof(type, field.color),                                                    \
	 .values = session_colors,                                                                 \
	 .help = "colour in text on standard output; auto: on a terminal and without NO_COLOR"},   \
	{.name = "quiet",                                                                          \
	 .letter = 'q',                                                                            \
	 .kind = OPTION_FLAG,                                                                      \
	 .offset = offsetof(type, field.quiet),                                                    \
	 .help = "no progress and no warnings"},                                                   \
	{.name = "verbose",                                                                        \
	 .letter = 'v',                                                                            \
	 .kind = OPTION_FLAG,                                                                      \
	 .offset = offsetof(type, field.verbose),                                                  \
	 .help = "more words about the run on standard error"}

/* The same, of a command that can repeat a run (tools/repeat.h). */
#define SESSION_FROM(type, field)                                                                  \
	{.name = "from",                                                                           \
	 .kind = OPTION_STRING,                                                                    \
	 .offset = offsetof(type, field.from),                                                     \
	 .argument = "REPORT",                                                                     \
	 .help = "repeat the run of this report.json and say whether the result is the same (0) "  \
		 "or not (1); options and files given here go before its own"}

struct privacy;  /* tools/privacy/model.h */
struct spill;    /* classifiers/spill.h */
struct seal_key; /* tools/privacy/seal.h */
struct survey;   /* tools/privacy/survey.h */

struct session {
	const struct session_config *cfg;
	struct outputs outputs;
	struct privacy *privacy; /* NULL: nothing is shared */
	bool may_testify;        /* set before session_start(): the command can keep its testimony */
	bool testify;            /* and this run does: whoever merges it needs no other key */
	bool testified;          /* it is in the folder */
	struct survey *survey;   /* who is a client, where privacy does not know; else NULL */
	struct arena arena;      /* what is said of the run, as long as the session */
	const struct manifest *expected; /* set before session_start(): the run repeats another */
	bool same;
	struct spill *spill; /* session_spill()'s; NULL: what is found stays in memory */
	unsigned conditions; /* 1 << enum exit_status, or'ed: all that apply */
};

/* Becomes true at the first SIGINT or SIGTERM; the second ends the program at once. */
extern atomic_bool session_stopped;
void session_catch_signals(void);

/*
 * Log level and outputs, opened before an hour of work. inputs: files that no report may overwrite.
 * False: said on stderr, and in conditions.
 */
bool session_start(struct session *s, const struct session_config *cfg, char *const *inputs,
		   int n_inputs);
/*
 * What the analysis finds may go into a file in TMPDIR, else /var/tmp, once it is much. For runs over
 * captures that are on a disk: what was never on one is not put there.
 */
void session_spill(struct session *s);
void session_happened(struct session *s, enum exit_status status);
/* What the process exits with: where several apply, 2, 4, 3, 5, then 1. */
int session_exit_status(const struct session *s);
/* -errno of source_open() for an input: what that makes of the run. */
void session_input_failed(struct session *s, int err);
/* In place of the analysis's own, which they call: what is shared needs to know who is a client. */
const struct pipeline_hooks *session_hooks(struct session *s, const struct pipeline_hooks *inner);
/* What is known of who is a client; NULL: nobody needs to know. */
struct survey *session_survey(const struct session *s);
/* What a folder's testimony is sealed with; NULL: it is in the clear, as the report is. */
const struct seal_key *session_seal_key(const struct session *s);
/*
 * Fills what of o is the session's (verdicts, colour, invocation, exit status) and writes every
 * report; the caller has set the rest. What is shared comes last: a and all that o points to are
 * rewritten for it, and have no real clients in them afterwards.
 */
void session_write(struct session *s, struct analysis *a, struct report_options *o);
void session_end(struct session *s);
