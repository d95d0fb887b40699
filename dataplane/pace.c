/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/pace.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "dataplane/now.h"

#define NS_PER_S UINT64_C(1000000000)

/* What is asked for may be slow or fast, but a typing error must not make it never or always. */
#define RATE_MIN 1e-3
#define RATE_MAX 1e13

#define MARGIN_MIN_NS 20000u
#define MARGIN_MAX_NS 1000000u

static const struct {
	const char *suffix;
	enum pace_kind kind;
	double factor;
} units[] = {
	{"pps", PACE_PACKETS, 1},  {"kpps", PACE_PACKETS, 1e3}, {"mpps", PACE_PACKETS, 1e6},
	{"bps", PACE_BITS, 1},     {"kbps", PACE_BITS, 1e3},    {"mbps", PACE_BITS, 1e6},
	{"gbps", PACE_BITS, 1e9},
};

/* Digits with at most one point: no sign, exponent, hexadecimal or locale. NULL: no number. */
static const char *parse_decimal(const char *text, double *out)
{
	double value = 0, place = 1;
	unsigned digits = 0;
	bool fraction = false;

	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !fraction); text++) {
		if (*text == '.') {
			fraction = true;
			continue;
		}
		value = value * 10 + (*text - '0');
		place *= fraction ? 10 : 1;
		if (++digits > 15)
			return NULL;
	}
	*out = value / place;
	return digits > 0 ? text : NULL;
}

int pace_rate_parse(const char *text, struct pace_rate *out)
{
	double value;

	*out = (struct pace_rate){.kind = PACE_ORIGINAL, .value = 1};
	if (strcmp(text, "original") == 0)
		return 0;
	if (strcmp(text, "max") == 0) {
		out->kind = PACE_MAX;
		return 0;
	}
	bool times = text[0] == 'x';
	const char *suffix = parse_decimal(text + times, &value);
	if (suffix == NULL)
		return -EINVAL;
	if (times && suffix[0] == '\0') {
		out->value = value;
		return value >= RATE_MIN && value <= RATE_MAX ? 0 : -EINVAL;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && !times; i++) {
		if (strcmp(suffix, units[i].suffix) != 0)
			continue;
		*out = (struct pace_rate){units[i].kind, value * units[i].factor};
		return out->value >= RATE_MIN && out->value <= RATE_MAX ? 0 : -EINVAL;
	}
	return -EINVAL;
}

void pace_start(struct pace *p, struct pace_rate rate, uint64_t start_ns)
{
	*p = (struct pace){.rate = rate, .start_ns = start_ns, .last_ns = start_ns};
}

/* A double counts ns exactly for 104 days, and what is longer than that to the microsecond. */
static uint64_t scaled(uint64_t n, double ns_each)
{
	double ns = (double)n * ns_each;

	return ns < 9e18 ? (uint64_t)ns : UINT64_C(9000000000000000000);
}

static uint64_t original_offset(struct pace *p, uint64_t ts_ns)
{
	uint64_t now = capture_clock_stamp(&p->clock, ts_ns);
	uint64_t since = now - p->clock.first_ns;

	return p->base_ns + (p->rate.value == 1 ? since : scaled(since, 1 / p->rate.value));
}

uint64_t pace_due(struct pace *p, uint64_t ts_ns, uint32_t len)
{
	uint64_t offset = 0;

	switch (p->rate.kind) {
	case PACE_ORIGINAL:
		offset = original_offset(p, ts_ns);
		break;
	case PACE_PACKETS:
		offset = scaled(p->packets, (double)NS_PER_S / p->rate.value);
		break;
	case PACE_BITS:
		offset = scaled(p->wire_bits, (double)NS_PER_S / p->rate.value);
		break;
	case PACE_MAX:
		break;
	}
	p->packets++;
	p->in_timeline++;
	p->wire_bits += (uint64_t)pace_wire_bytes(len) * 8;
	if (p->start_ns + offset > p->last_ns)
		p->last_ns = p->start_ns + offset;
	return p->last_ns;
}

void pace_seam(struct pace *p)
{
	if (p->in_timeline == 0)
		return;
	uint64_t offset = p->last_ns - p->start_ns;
	uint64_t gap = p->in_timeline > 1 ? (offset - p->base_ns) / (p->in_timeline - 1) : 0;

	p->base_ns = offset + gap;
	p->in_timeline = 0;
	p->clock = (struct capture_clock){.started = false};
}

uint64_t pace_loop_ns(const struct pace *one, uint64_t loop)
{
	switch (one->rate.kind) {
	case PACE_ORIGINAL:
		return one->base_ns * loop;
	case PACE_PACKETS:
		return scaled(one->packets * loop, (double)NS_PER_S / one->rate.value);
	case PACE_BITS:
		return scaled(one->wire_bits * loop, (double)NS_PER_S / one->rate.value);
	case PACE_MAX:
		break;
	}
	return 0;
}

static unsigned bucket_of(uint64_t ns)
{
	if (ns < PACE_STEPS)
		return (unsigned)ns;
	unsigned power = 63 - (unsigned)__builtin_clzll(ns); /* 5 and more */
	unsigned bucket = PACE_STEPS * (power - 4) +
			  (unsigned)(ns >> (power - 5) & (PACE_STEPS - 1));
	return bucket < PACE_BUCKETS ? bucket : PACE_BUCKETS - 1;
}

/* The largest value that falls there: an error is never made smaller than it is. */
static uint64_t bucket_top(unsigned bucket)
{
	if (bucket < PACE_STEPS)
		return bucket;
	unsigned power = bucket / PACE_STEPS + 4;
	uint64_t low = (uint64_t)(PACE_STEPS + bucket % PACE_STEPS) << (power - 5);
	return low + ((UINT64_C(1) << (power - 5)) - 1);
}

void pace_errors_add(struct pace_errors *e, uint64_t due_ns, uint64_t sent_ns)
{
	uint64_t off = sent_ns >= due_ns ? sent_ns - due_ns : due_ns - sent_ns;

	e->n++;
	e->early += sent_ns < due_ns;
	e->bucket[bucket_of(off)]++;
	if (off > e->max_ns)
		e->max_ns = off;
}

void pace_errors_merge(struct pace_errors *into, const struct pace_errors *from)
{
	into->n += from->n;
	into->early += from->early;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	for (unsigned i = 0; i < PACE_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t pace_errors_quantile(const struct pace_errors *e, double q)
{
	uint64_t seen = 0, want = (uint64_t)((double)e->n * q);

	if (e->n == 0)
		return 0;
	if (want >= e->n)
		want = e->n - 1;
	for (unsigned i = 0; i < PACE_BUCKETS; i++) {
		seen += e->bucket[i];
		if (seen > want && i + 1 < PACE_BUCKETS && bucket_top(i) < e->max_ns)
			return bucket_top(i);
		if (seen > want)
			break;
	}
	return e->max_ns;
}

uint64_t pace_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void pace_sleeper_start(struct pace_sleeper *s)
{
	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	s->margin_ns = MARGIN_MAX_NS / 4;
}

/* Late wakes move the margin up at once; it comes down by a sixteenth a sleep. */
static void learn(struct pace_sleeper *s, uint64_t late_ns)
{
	uint64_t want = late_ns + late_ns / 2;

	if (want < s->margin_ns)
		want = s->margin_ns - (s->margin_ns - want) / 16;
	s->margin_ns = want < MARGIN_MIN_NS   ? MARGIN_MIN_NS
		       : want > MARGIN_MAX_NS ? MARGIN_MAX_NS
					      : want;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

uint64_t pace_wait(struct pace_sleeper *s, uint64_t due_ns)
{
	uint64_t now = pace_now();

	while (now < due_ns) {
		if (due_ns - now <= s->margin_ns) {
			relax();
			now = pace_now();
			continue;
		}
		uint64_t until = due_ns - s->margin_ns;
		struct timespec ts = {.tv_sec = (time_t)(until / NS_PER_S),
				      .tv_nsec = (long)(until % NS_PER_S)};
		int err = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		now = pace_now();
		if (err == 0 && now > until)
			learn(s, now - until);
	}
	return now;
}
