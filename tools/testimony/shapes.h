/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The judged model of one capture as a table of fields (wire.h): flows, what was found of each,
 * every attempt, and what is said of the capture itself. Everything that a study pools over
 * captures and that reports print comes out of these.
 */

#include "classifiers/attempt.h"
#include "classifiers/inspector.h"
#include "tools/testimony/wire.h"

extern const struct wire_shape shape_judged_capture;
