/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Words for people, on stderr: "warning: file: text". Any thread; a line is never torn. Never called
 * per packet: what packets do is counted. Control characters are written as '?', since captured
 * names must not drive the reader's terminal.
 */

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN, /* the default */
	LOG_LEVEL_INFO,
};

void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* tag: the module, or NULL. fmt has no newline at its end. */
void log_error(const char *tag, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(const char *tag, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_info(const char *tag, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
