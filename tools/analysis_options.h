/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What every command that analyses packets is told alike, and what comes of it: rules, places, the
 * analysis's own configuration.
 */

#include <stdbool.h>
#include <stddef.h>

#include "classifiers/inspector.h"
#include "tools/command.h"
#include "tools/lists.h"
#include "tools/plugins.h"
#include "tools/session.h"

#define WORKERS_MAX 64 /* as help says */

struct geo;

struct analysis_options {
	const char *bpf;
	unsigned long workers;
	int vantage;
	bool no_ndpi, no_throttling;
	struct lists_config lists;
	const char *country;
	struct option_strings asn_db, plugins;
};

extern const char *const analysis_vantages[];

/* Rows of a command whose config of this type holds a struct analysis_options under this name. */
#define ANALYSIS_OPTIONS(type, field)                                                              \
	{.name = "filter",                                                                         \
	 .letter = 'f',                                                                            \
	 .kind = OPTION_STRING,                                                                    \
	 .offset = offsetof(type, field.bpf),                                                      \
	 .argument = "BPF",                                                                        \
	 .none = true,                                                                             \
	 .help = "only packets that match this pcap-filter(7) expression, which sees the "         \
		 "outermost headers: a tunnel's, not those of what it carries"},                   \
	{.name = "vantage",                                                                        \
	 .kind = OPTION_ENUM,                                                                      \
	 .offset = offsetof(type, field.vantage),                                                  \
	 .values = analysis_vantages,                                                              \
	 .help = "where the capture was taken; auto works it out from the packets"},               \
	{.name = "workers",                                                                        \
	 .kind = OPTION_UINT,                                                                      \
	 .offset = offsetof(type, field.workers),                                                  \
	 .argument = "N",                                                                          \
	 .most = WORKERS_MAX,                                                                      \
	 .help = "threads, 1 to 64; the result does not depend on it"},                            \
	{.name = "no-ndpi",                                                                        \
	 .kind = OPTION_FLAG,                                                                      \
	 .offset = offsetof(type, field.no_ndpi),                                                  \
	 .help = "do not label flows with nDPI"},                                                  \
	{.name = "no-throttling",                                                                  \
	 .kind = OPTION_FLAG,                                                                      \
	 .offset = offsetof(type, field.no_throttling),                                            \
	 .help = "do not look at rates, which takes every packet of a connection"},                \
	LISTS_OPTIONS(type, field.lists),                                                          \
	{.name = "country",                                                                        \
	 .kind = OPTION_STRING,                                                                    \
	 .offset = offsetof(type, field.country),                                                  \
	 .argument = "CC",                                                                         \
	 .help = "the country that the clients are in, two letters: what is known of one "         \
		 "country's boxes counts in full only there"},                                     \
	{.name = "asn-db",                                                                         \
	 .kind = OPTION_STRINGS,                                                                   \
	 .offset = offsetof(type, field.asn_db),                                                   \
	 .argument = "FILE",                                                                       \
	 .help = "a database of MaxMind's format, for the networks and countries of addresses; "   \
		 "several times for several"},                                                     \
	PLUGIN_OPTION(type, field.plugins,                                                         \
		      "a packet source, a classifier, signatures or devices")

/* What the option rows cannot check: NULL, or what is wrong. */
const char *analysis_options_wrong(const struct analysis_options *o);

/* What an analysis refers to and must not outlive. Zeroed before analysis_setup_open(). */
struct analysis_setup {
	struct lists lists;
	struct geo *geo;
};

/* Opens what o names. False: said on stderr, in the words of command c, and in s's conditions. */
bool analysis_setup_open(struct analysis_setup *setup, const struct analysis_options *o,
			 const struct command *c, struct session *s);
struct analysis_config analysis_setup_config(const struct analysis_setup *setup,
					     const struct analysis_options *o,
					     const struct session *s);
void analysis_setup_close(struct analysis_setup *setup);
