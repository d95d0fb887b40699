/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What every report derives from the model in the same way: words, times, counts and notes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/verdict.h"
#include "tools/report.h"

#define FACTS_TIME_SIZE 96

/* "2026-11-21T12:34:56.123456789Z" */
const char *facts_time(uint64_t ts_ns, char out[FACTS_TIME_SIZE]);
/* "TCP", "UDP", "ICMP", "ICMPv6" or a number */
const char *facts_proto(uint8_t proto, char out[8]);
const char *facts_stage(enum stage stage);
const char *facts_direction(enum dir dir); /* "to_client", "to_server" */
const char *facts_tunnel(uint8_t tunnel);
const char *facts_linktype(uint32_t linktype); /* NULL: not known by name */
const char *facts_exit_status(unsigned status);
bool facts_has_ports(const struct flow_record *f);
/* Of a tunnel: another classifier read the same packets and names another protocol. */
bool facts_is_disputed(const struct flow_record *f);
/*
 * The same in words: of tunnels, and of what another calls one that wmscope's own readers do not. NULL:
 * nobody disagrees.
 */
const char *facts_dispute(const struct flow_record *f);

/* More than one file was analysed, so that a frame number alone does not say which packet. */
bool facts_several_files(const struct analysis *a);
/* Which of its capture's files the flow's first packet is in, counted from that capture's first. */
uint32_t facts_home(const struct capture_result *c, const struct flow_record *f);
/* The same by name. */
const char *facts_filename(const struct analysis *a, const struct flow_record *f);
/* A file of the flow's capture: the one that frame numbers beside it are of. */
const char *facts_file(const struct analysis *a, const struct flow_record *f, uint32_t file);
/* The file that facts_decisive_frame() is in. */
const char *facts_decisive_filename(const struct analysis *a, const struct finding *f);
/* Every packet of the capture is of a link type that is not read: nothing was examined. */
bool facts_unread(const struct capture_result *c);
/* Packets and connections that the capture has and that were not examined: memory was refused. */
uint64_t facts_unexamined(const struct capture_result *c);
/* Its capture is one timeline of several files. */
bool facts_rotated(const struct analysis *a, const struct finding *f);
/* Community ID of the flow, "" where it cannot be known. */
const char *facts_community_id(const struct flow_record *f, char out[32]);
/* The frame that the finding points at, 0 if none. */
uint64_t facts_decisive_frame(const struct finding *f);

/*
 * What a finding's packets are to it. Only what is at least likely is called injected: a weaker verdict
 * says that the packets may be the ends' own.
 */
enum facts_role {
	ROLE_INJECTED,   /* put into the connection by somebody else */
	ROLE_SUSPECT,    /* look like it */
	ROLE_UNANSWERED, /* sent, and nothing came of them */
	ROLE_PAGE,       /* a page that blocks, whoever sent it */
	ROLE_DECISIVE,   /* show it in another way */
	ROLE_N
};
extern const char *const facts_role_name[ROLE_N]; /* "injected", … */
enum facts_role facts_role(const struct finding *f);

struct facts_tally {
	uint64_t flows;                  /* of all captures; compared: conversations */
	uint64_t flows_by[VERDICT_N];    /* flows with a finding, by their worst verdict */
	/* The same by connection: what is seen from two places, or on both sides of a translator, is one. */
	uint64_t connections, connections_by[VERDICT_N];
	uint64_t findings_by[VERDICT_N], families[FAMILY_N];
	uint64_t names;                  /* that are filtered, each once */
	uint64_t hidden;                 /* findings below min_verdict */
	uint64_t packets;
};
/*
 * Each filtered name once, in byte order; one may be a row by server, protocol and address family. *out
 * is the caller's to free; NULL and 0 also where there is no memory for it. s may be NULL.
 */
size_t facts_filtered_names(const struct study *s, const char ***out);
void facts_tally(const struct analysis *a, const struct report_options *o, struct facts_tally *out);

/* Every named counter of a capture. group is NULL for the ungrouped; groups come in one piece. */
typedef void (*facts_counter_fn)(void *user, const char *group, const char *name, uint64_t n);
void facts_counters(const struct capture_result *c, facts_counter_fn fn, void *user);

/* What the quality of a capture rules out or makes less sure. */
#define FACTS_NOTES_MAX 32
struct facts_notes {
	unsigned n;
	char text[FACTS_NOTES_MAX][256];
};
void facts_notes(const struct capture_result *c, struct facts_notes *out);
/* Packets that the capturing system says it lost; *known false if it says nothing. */
uint64_t facts_dropped(const struct capture_result *c, bool *known);
