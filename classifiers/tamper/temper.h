/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * What holds a verdict down, or takes it back: innocent causes that are known to look the same. The
 * last word on a case whose rows have been weighed (judge.h).
 */

#include "classifiers/tamper/judge.h"

/* Lowers c->verdict, and says in c->cap_why what for. */
void temper(const struct view *v, struct judged_case *c);

/*
 * Event k, a reset of the direction that `across` is of, and reset r of the other are two of one hand: they
 * came at once and k is stamped unlike its sender. An end's answer to r carries that end's own TTL and DF.
 */
bool temper_is_pair(const struct view *across, unsigned k, const struct event *r);
