/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_int max_level = LOG_LEVEL_WARN;

static const char *const level_word[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
};

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&max_level, memory_order_relaxed);
}

/* C0, DEL, and C1 in UTF-8, which some terminals obey too. Other bytes pass: names may be UTF-8. */
static void defuse(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p != 0; p++) {
		if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
			p[0] = p[1] = '?';
		else if (p[0] < 0x20 || p[0] == 0x7f)
			p[0] = '?';
	}
}

static void __attribute__((format(printf, 3, 0)))
log_line(enum log_level level, const char *tag, const char *fmt, va_list ap)
{
	if (level > log_get_level())
		return;
	int saved = errno;
	char line[1024];
	int n = snprintf(line, sizeof(line) - 1, "%s: %s%s", level_word[level],
			 tag != NULL ? tag : "", tag != NULL ? ": " : "");
	if (n > 0 && (size_t)n < sizeof(line) - 1)
		vsnprintf(line + n, sizeof(line) - 1 - (size_t)n, fmt, ap);
	defuse(line);
	size_t len = strlen(line);
	line[len] = '\n';
	/* One call: stdio locks the stream for its length. */
	fwrite(line, 1, len + 1, stderr);
	errno = saved;
}

void log_error(const char *tag, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERROR, tag, fmt, ap);
	va_end(ap);
}

void log_warn(const char *tag, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_line(LOG_LEVEL_WARN, tag, fmt, ap);
	va_end(ap);
}

void log_info(const char *tag, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_line(LOG_LEVEL_INFO, tag, fmt, ap);
	va_end(ap);
}
