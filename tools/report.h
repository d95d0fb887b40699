/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Writers of the finished analysis. A report is one report_*.c ending in one const struct report;
 * the build generates report_table.
 */

#include <stdbool.h>
#include <stdio.h>

#include "classifiers/lists/matcher.h"
#include "classifiers/verdict.h"
#include "tools/plugins.h"

/* An input that could not be analysed at all. */
struct report_input_error {
	const char *file;
	char reason[320];
};

struct seal_key; /* tools/privacy/seal.h */
struct scrub; /* tools/privacy/scrub.h */
struct command;  /* tools/command.h */
struct manifest; /* tools/manifest.h */
struct comparison; /* tools/compare/compare.h */
struct audit_result; /* tools/audit/audit.h */
struct study; /* tools/study/study.h */
struct trail; /* tools/trail.h */
struct table_digests; /* tools/digest.h */

struct report_options {
	struct plugins_said plugins; /* whose words may be among the findings */
	enum verdict min_verdict; /* findings below are counted, not shown */
	bool colour;              /* text on a terminal */
	bool real_clients;        /* addresses are as captured */
	bool redacted_names;      /* names are pseudonyms (tools/privacy/names.h) */
	int argc;                 /* how it was called, for the run event */
	char **argv;
	int exit_status;          /* what the process will exit with */
	unsigned conditions;      /* 1 << enum exit_status, or'ed: all that apply */
	bool utf8;                /* the reader of text can take more than ASCII */
	const struct report_input_error *errors;
	unsigned n_errors;
	const struct study *study; /* NULL: none was made */
	const char *filter;       /* the pcap-filter expression that packets passed; NULL: all */
	struct scrub *scrub;      /* that packets go through; NULL: they are as captured */
	const struct seal_key *seal_key; /* of the report's key; NULL: it was not kept, or there is none */
	const struct trail *const *trails; /* of each capture, or NULL; NULL: none was kept */
	bool all_packets;         /* annotated captures hold every packet, not only of touched flows */
	const struct ruleset *rules; /* what was looked for; NULL: nothing */
	const struct comparison *comparison; /* of two captures of one path; else NULL */
	const struct audit_result *audit; /* of a box between two ports; else NULL */
	struct matcher *matcher;     /* NULL: patterns were not searched */
	const struct command *command; /* with its config: what decided the result; NULL: not kept */
	const void *config;
	const struct manifest *expected; /* of the run that this one repeats; NULL: of none */
	struct table_digests *table_digests; /* from csv to manifest, which is last; NULL: of none */
	bool *same;               /* with expected: whether it found the same */
};

/*
 * One of the three writes, or none: then another report makes it too. 0 or -errno, also when what it
 * writes to has an error. Reports are written at the same time, by threads: a writer changes nothing
 * but what it writes to, and what options lend to it alone (scrub to pcapng, same to same,
 * table_digests to csv).
 */
struct report {
	const char *name, *doc;
	bool last; /* it reads what the others wrote */
	/* Does not close out. */
	int (*write)(const struct analysis *a, const struct report_options *o, FILE *out);
	/* A library wants a name: path is there and empty, and is put in its place afterwards. */
	int (*write_path)(const struct analysis *a, const struct report_options *o,
			  const char *path);
	/* Several files in a folder that is there, each through tools/folder.h. */
	int (*write_folder)(const struct analysis *a, const struct report_options *o,
			    const char *dir);
};

extern const struct report *const report_table[]; /* NULL-terminated, generated */
const struct report *report_find(const char *name); /* NULL: no such report */
