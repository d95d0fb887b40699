/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Where packets go. A sink is one .c file ending in one const struct sink_ops; the build generates
 * sink_table from the names in meson.build.
 *
 * Threads: a queue is used on one thread; open, flush, stats and close on the thread that opened.
 * A round is alloc -> fill data and len -> send. The frames of one alloc are sent or given back in
 * one send, in their order: what is not to go out has len 0.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
	uint8_t *data;   /* the sink's, from alloc to send */
	uint32_t room;   /* bytes at data */
	uint32_t len;    /* filled by the caller, without FCS; 0: do not send */
	uint64_t due_ns; /* CLOCK_MONOTONIC; 0: at once. Only a sink that paces looks at it */
	uint64_t tx_ns;  /* filled by send: CLOCK_MONOTONIC when it was handed on; 0: not known */
};

struct sink_config {
	const char *iface;     /* live sinks: the interface */
	const char *path;      /* file: where to; "-" is stdout */
	unsigned queues;       /* wanted; 0: 1. What there is says queues() */
	uint32_t frame_max;    /* longest frame that will be sent, bytes; 0: 1514 */
	const char *eal;       /* dpdk: arguments of the EAL, blank-separated; NULL for none */
	bool copy;             /* xdp: do not ask for zero copy */
	bool qdisc;            /* packet: through the kernel's queueing discipline, not past it */
	/* Room wanted in each queue for frames that stay (hold()), and bytes of them all. */
	uint64_t hold_frames, hold_bytes;
};

struct sink_stats {
	uint64_t frames, bytes; /* that went out, as far as the sink can tell */
	uint64_t refused;       /* by the device or kernel, for good: too long, interface down */
	uint64_t lost;          /* taken by the kernel, dropped on the way out (the device's counters) */
	uint64_t waits;         /* how often a full ring was waited for */
	/* A sink that paces: of frames with a due time, how long after it they went, in ns. */
	uint64_t timed, late_p50_ns, late_p99_ns, late_max_ns;
	char mode[64];          /* what it got: "zero copy", "copy", "live frames, batch 64", … */
};

struct sink_ops {
	const char *name, *doc;
	size_t state_size;      /* allocated zeroed by sink_open() */
	bool paces;             /* sends each frame at its due_ns; else send() is now */
	bool offline;           /* no wire: due_ns is in the capture's time, and nobody waits for it */
	/* 0 or -errno; on failure err (errlen bytes) says what is missing and how to get it. */
	int (*open)(void *state, const struct sink_config *cfg, char *err, size_t errlen);
	unsigned (*queues)(const void *state);
	/* How many of n there is room for: 0 means wait and ask again; -errno. */
	int (*alloc)(void *state, unsigned q, struct frame frames[], unsigned n);
	/* Takes all n back. How many went out (or were queued in order), or -errno when none ever will. */
	int (*send)(void *state, unsigned q, struct frame frames[], unsigned n);
	/*
	 * Frames that stay with the sink until it is closed, to be written once and sent many times:
	 * both, or neither where there is no such memory. hold(), on the thread that opened and
	 * before anything is sent, has len in *f and gives data; -ENOSPC: no more of them, -EMSGSIZE:
	 * this one cannot be sent. resend() queues those of hold(), in order: how many, the first of
	 * n; 0 after it has waited for room in vain for a while; -errno. tx_ns stays as it is.
	 */
	int (*hold)(void *state, unsigned q, struct frame *f);
	int (*resend)(void *state, unsigned q, const struct frame frames[], unsigned n);
	int (*flush)(void *state); /* returns when everything left this machine: 0 or -errno */
	void (*stats)(void *state, struct sink_stats *out);
	void (*close)(void *state);
};

extern const struct sink_ops *const sink_table[]; /* NULL-terminated, generated */

struct sink;

const struct sink_ops *sink_find(const char *name); /* of those linked in; NULL: none of them */
/* As the ops of the same name. name NULL: never; -ENOENT: there is no such sink. */
int sink_open(struct sink **out, const char *name, const struct sink_config *cfg, char *err,
	      size_t errlen);
const struct sink_ops *sink_ops_of(const struct sink *s);
unsigned sink_queues(const struct sink *s);
int sink_alloc(struct sink *s, unsigned q, struct frame frames[], unsigned n);
int sink_send(struct sink *s, unsigned q, struct frame frames[], unsigned n);
int sink_hold(struct sink *s, unsigned q, struct frame *f); /* -ENOSPC where the sink has none */
int sink_resend(struct sink *s, unsigned q, const struct frame frames[], unsigned n);
int sink_flush(struct sink *s);
void sink_stats(struct sink *s, struct sink_stats *out);
void sink_close(struct sink *s); /* NULL is fine */
