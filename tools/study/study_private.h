/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What the parts of the study share. */

#include "classifiers/arena.h"
#include "tools/study/line.h"
#include "tools/study/study.h"

#define NO_ROW UINT32_MAX

/* An attempt as the study counts it. */
struct trial {
	const struct attempt *a;
	uint32_t row;      /* of names; NO_ROW: it asked for nothing */
	bool ok, failed;   /* neither: it says nothing of its name */
	bool twin;         /* of a connection seen in another capture, or past a translator: not counted */
	uint32_t twin_of;  /* the trial that counts; its own number if it does itself */
	bool dependent;    /* an earlier failure may be its cause: not counted */
	bool lost;         /* its client asked for several names there, and nothing ever passed */
	bool residual;     /* of these: that of another name, which this one only came after */
};

/* Everything in one window after a trigger, between the same two hosts. */
struct window {
	uint32_t trigger;      /* trial */
	size_t at;             /* of it, in pairs */
	uint32_t last_failed, first_ok; /* trials; first_ok NO_ROW: none seen */
	unsigned n_failed;
	bool other_ports, other_sources; /* among those that failed: of the server, of the client */
	double from_trigger[2], from_last[2]; /* bounds in seconds; [1] 0: no upper one */
	enum study_timer { TIMER_UNKNOWN, TIMER_STANDS, TIMER_RESETS } timer; /* does a try reset it */
};

/* Ways in which hellos with one name differ, and which may make the difference. */
enum study_feature { FEATURE_SEGMENTED, FEATURE_RECORDS, FEATURE_ECH, FEATURE_ESNI, FEATURE_N };

/* One name over all servers. */
struct study_group {
	uint32_t first_row, n_rows;
	const struct attempt *passed;     /* before anything is left out, the first that did; NULL none */
	bool passed_for_several;          /* clients */
	unsigned ok, failed;              /* independent tries */
	unsigned with[FEATURE_N][2], without[FEATURE_N][2]; /* [0] passed, [1] failed */
	unsigned passed_by;               /* bit per feature: with it all pass, without it none */
	unsigned failed_by;               /* bit per feature: with it all fail, without it none */
};

struct study_run {
	struct study pub;      /* first: it is handed out */
	struct analysis *a;
	struct arena arena;
	struct trial *trials;  /* order of the attempts: capture, time, flow */
	size_t n_trials;
	uint32_t *pairs;       /* trials that count, by capture, protocol, client, server, time */
	size_t n_pairs;
	uint32_t *found;       /* trials that something was found of, in their order */
	size_t n_found;
	size_t *found_at;      /* places in pairs of such trials, in their order */
	size_t n_found_at;
	struct named {
		uint32_t trial, group;
	} *named;              /* trials that have a row, in their order */
	size_t n_named;
	struct study_group *groups; /* names over all servers; rows of one group are adjacent */
	size_t n_groups;
	uint32_t *group_of;    /* row -> group */
	uint32_t *host_of;     /* row -> number of its server's address, from 0 */
	size_t n_hosts;
	struct window *windows;
	size_t n_windows;
	size_t room_findings;  /* of a->findings once it is the study's to grow */
};

/* trials.c: rows of the table and the tries behind them. 0 or -ENOMEM, as all of these. */
int study_trials(struct study_run *r);
/* twins.c, after these. */
int study_twins(struct study_run *r);
/* names.c: tries counted; then which names are filtered. */
int study_names(struct study_run *r);
/* residual.c: windows, failures that they explain, findings. Between the two above. */
int study_windows(struct study_run *r);
int study_residual(struct study_run *r);
/* certificates.c: one name, one address, and certificates of different authorities. */
int study_certificates(struct study_run *r);
/* features.c: conditions other than a name: ESNI, ECH, splitting, client fingerprint, certificates. */
int study_features(struct study_run *r);
/* rates.c: names that are held to a rate which others are not. */
int study_rates(struct study_run *r);
/* encrypted.c: fully encrypted connections that are dropped, or replayed by others. */
int study_encrypted(struct study_run *r);
/* allowed.c: protocols that are dropped on ports where DNS, HTTP and TLS pass. */
int study_allowed(struct study_run *r);
/* bursts.c: new connections that freeze once there were many. */
int study_bursts(struct study_run *r);
/* probes.c: servers of OpenVPN that somebody probes. */
int study_probes(struct study_run *r);
/* profile.c */
int study_profiles(struct study_run *r);

/* A finding of a wider scope, appended to the model. Rows are added by study_row(). NULL: no memory. */
struct study_cause {
	const char *id, *summary, *refs;
	enum family family;
	enum finding_scope scope;
	const struct attempt *const *attempts; /* it stands on, at least one with a record */
	unsigned n_attempts;
	const struct attempt *const *controls;
	unsigned n_controls;
};
struct finding *study_finding(struct study_run *r, const struct study_cause *c);
/* Their flows' ids in order, each once; of the arena. NULL: no memory. */
uint64_t *study_flow_ids(struct study_run *r, const struct attempt *const *list, unsigned n,
			 unsigned *n_out);
/* A finding of one connection is as conditional as that over several, by the same controls. */
void study_condition(struct finding *own, const struct finding *over);
/* At most STUDY_ROWS a finding. */
#define STUDY_ROWS 8
void study_row(struct study_run *r, struct finding *f, const char *kind, enum grade grade, const char *value,
	       const char *expected);
void study_benign(struct finding *f, const char *why);
/* The verdict of the rows by judge's arithmetic, each a fact of its own; never above `most`. */
void study_weigh(struct finding *f, enum verdict most);

/*
 * chance.c: that chance alone puts as many or more of the failed among those in question, [1], as
 * against the others, [0]. Below STUDY_CHANCE it does not: Wu et al., USENIX Security 2023.
 */
#define STUDY_CHANCE 0.01
double study_chance(const unsigned failed[2], const unsigned passed[2]);

/* names.c: its hello, or Initial, has it. */
bool study_has_feature(const struct attempt *a, enum study_feature f);
/* names.c: most tries of the name itself fail, wherever they go and whosever they are. */
bool study_mostly_fails(const struct study_group *g);
bool study_same_client(const struct attempt *x, const struct attempt *y);
/* The same client and server addresses. */
bool study_same_pair(const struct attempt *x, const struct attempt *y);
/* Trials i and j of r->pairs are of one pair of hosts in one capture. */
bool study_one_pair(const struct study_run *r, size_t i, size_t j);
/* Best grade among the counted rows of what was found of the attempt itself; 0 none. */
enum grade study_grade(const struct attempt *a);

/*
 * A path that loses large packets explains the failures as well: what went unanswered was large, and nothing
 * as large passed. ATTEMPT_SILENT alone; a hello that was reset had arrived.
 */
bool study_may_be_mtu(const struct attempt *const *failed, unsigned n_failed,
		      const struct attempt *const *passed, unsigned n_passed);
#define MTU_BENIGN "a path that loses large packets (MTU): no request as large got through"
/*
 * A server or balancer that waits for no second datagram explains them too: QUIC hellos that went unanswered
 * did not fit into one, as those with a post-quantum key, and none that passed did so either.
 */
bool study_may_be_pieces(const struct attempt *const *failed, unsigned n_failed,
			 const struct attempt *const *passed, unsigned n_passed);
/* QUIC tries, none of which has a control that passed in its own version. */
bool study_may_be_version(const struct attempt *const *failed, unsigned n_failed,
			  const struct attempt *const *passed, unsigned n_passed);
#define VERSION_BENIGN "a server without this version of QUIC: no other name got through in it"
#define PIECES_BENIGN "a server that takes no ClientHello of two datagrams: no other such hello got through"
