/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What wmscope doctor finds: rows of a thing, its state, and what to do about it. Changes nothing. */

#include <stdbool.h>

#define DOCTOR_ROWS_MAX 64

/* How the thing is for captures and replays: a note is no fault, unknown was not to be found out. */
enum doctor_state { DOCTOR_GOOD, DOCTOR_NOTE, DOCTOR_BAD, DOCTOR_UNKNOWN };
extern const char *const doctor_state_name[];

struct doctor_row {
	const char *group, *name; /* literals */
	enum doctor_state state;
	char value[128];
	char advice[256]; /* "": none */
};

struct doctor {
	unsigned n;
	struct doctor_row rows[DOCTOR_ROWS_MAX];
};

/* The row added, for doctor_advise(); past DOCTOR_ROWS_MAX the last one is written over. */
struct doctor_row *__attribute__((format(printf, 5, 6)))
doctor_add(struct doctor *d, const char *group, const char *name, enum doctor_state state,
	   const char *fmt, ...);
void __attribute__((format(printf, 2, 3))) doctor_advise(struct doctor_row *r, const char *fmt, ...);

void doctor_system(struct doctor *d);
/* 0; -ENODEV: there is no such interface; or -errno. */
int doctor_interface(struct doctor *d, const char *iface);
