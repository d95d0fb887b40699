/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * From single connections to what researchers publish: which names are filtered (with the table
 * behind it), for how long a trigger blocks what comes after it, and a profile of each box. Pooled over
 * all captures of a run. Reads the finished model, and adds to it: findings of a wider scope than one
 * flow, and to the findings of single flows whether their trigger made the difference.
 *
 *   analysis_judge, study_new, reports, study_free, analysis_free
 *
 * All memory is the study's, so the analysis is not to be used after study_free().
 */

#include "classifiers/attempt.h"
#include "classifiers/verdict.h"

/* When a name is called filtered. */
#define STUDY_FAIL_SHARE 0.8    /* of the tries of the name, at least */
#define STUDY_FAIL_TRIES 3
#define STUDY_CONTROL_SHARE 0.2 /* of the tries of other names at the same address, at most */
#define STUDY_CONTROL_TRIES 2

/* One name at one server: a row of the table of triggers. */
struct study_name {
	enum trigger_kind kind;
	const char *name;         /* lower case, bytes as sent; "" a hello or query without one */
	struct ip_addr server;
	uint16_t server_port;
	uint8_t ip_version, proto;
	unsigned ends[ATTEMPT_N]; /* independent tries, by what became of them */
	unsigned dependent;       /* failures left out, for an earlier one may be their cause */
	unsigned ok, failed;      /* among ends */
	/* Other names at this address, same transport; without those that mostly fail themselves. */
	unsigned control_ok, control_failed;
	unsigned others_ok, others_failed; /* with them, and with what was left out as dependent */
	bool filtered;            /* its name is, by the rule above */
	struct finding *finding;  /* that says so; NULL */
};

/* A statement about a box: seen n times, looked for and not seen, or out of sight from here. */
enum study_said { STUDY_NOT_TESTABLE, STUDY_NOT_OBSERVED, STUDY_OBSERVED };

struct study_line {
	const char *what;   /* stable snake_case: "on_path", "resets_client", "drops", … */
	enum study_said said;
	unsigned n;         /* connections that show it */
	const char *value;  /* printable; "" none */
	const char *why;    /* not testable: why; else how it shows */
	uint64_t *flows;    /* flow ids, at most STUDY_LINE_FLOWS */
	unsigned n_flows;
};
#define STUDY_LINE_FLOWS 16
#define STUDY_LINES_MAX 24

enum study_mode { STUDY_MODE_UNKNOWN, STUDY_ON_PATH, STUDY_IN_PATH, STUDY_MODE_N };
extern const char *const study_mode_name[STUDY_MODE_N]; /* "unknown", "on_path", "in_path" */

/* A trigger that the box acted on, or let pass. */
struct study_trigger {
	enum trigger_kind kind;
	const char *name;
	unsigned acted, passed;
};
#define STUDY_TRIGGERS_MAX 32

/* One box: injections that are stamped alike, or drops with one behaviour. */
struct study_profile {
	unsigned number;          /* from 1, in order of first action */
	const char *mbx;          /* "" where nothing was injected */
	const char *device;       /* best attribution; NULL */
	enum attribution_grade device_grade;
	int hops;                 /* from the box to the capture; -1 unknown */
	enum study_mode mode;
	const char *mode_why;
	unsigned n_findings;      /* that stand behind it */
	enum verdict verdict;     /* the best of them */
	uint64_t first_ns, last_ns;
	double reaction_ms[3];    /* p5, median, p95 from the trigger's packet; n of them */
	unsigned n_reactions;
	double residual_s[2];     /* bounds of the longest window; 0 unknown */
	struct study_line lines[STUDY_LINES_MAX];
	unsigned n_lines;
	struct study_trigger triggers[STUDY_TRIGGERS_MAX];
	unsigned n_triggers, more_triggers;
};

/*
 * More boxes than on any path: whoever forges resets can stamp each otherwise, and every box is
 * compared with every finding.
 */
#define STUDY_BOXES_MAX 256

struct study {
	struct study_name *names;       /* order: kind, name, server */
	size_t n_names;
	struct study_profile *profiles;
	unsigned n_profiles;
	/* Ids, rising, of flows whose connection another one shows: from elsewhere, or past a translator. */
	uint64_t *twins;
	size_t n_twins;
	size_t unplaced;                /* findings beyond STUDY_BOXES_MAX boxes: of no profile */
};

int study_new(struct study **out, struct analysis *a); /* 0 or -ENOMEM */
bool study_is_twin(const struct study *s, uint64_t flow_id);
/* A row worth a line: it failed, or passed where others fail. */
bool study_name_matters(const struct study *s, size_t row);
/* Its tries failed as a filtered name's do, which the server itself, or the path, may have done. */
bool study_name_open(const struct study_name *n);
void study_free(struct study *s); /* NULL is fine */
