/* SPDX-License-Identifier: BSD-3-Clause */

/* Finds the command and calls it. */

#include <errno.h>
#include <locale.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tools/command.h"
#include "tools/options.h"

#define FILES_MIN 64 /* open at once: reports, their digests and captures, with room to spare */

/*
 * What libraries meet with a crash rather than an error is told before. libgcrypt, which nDPI has,
 * ends the program when it may open no file; and the address space of a limited one is not to be
 * spent on the 64 MB that glibc reserves for each thread.
 */
static bool limits_suffice(void)
{
	struct rlimit files, space;

#ifdef __GLIBC__
	if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
		(void)mallopt(M_ARENA_MAX, 1);
#else
	(void)space;
#endif
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= FILES_MIN)
		return true;
	fprintf(stderr, "error: only %lu files may be open at once here, and %d are wanted (ulimit -n)\n",
		(unsigned long)files.rlim_cur, FILES_MIN);
	return false;
}

/* Words for the user went to stdout: did they arrive? */
static int printed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_DONE;
	fprintf(stderr, "error: standard output: %s\n", strerror(errno));
	return EXIT_IO;
}

static int run_command(const struct command *c, int argc, char **argv)
{
	int operands = argc;
	if (!limits_suffice())
		return EXIT_IO;
	void *config = malloc(c->config_size != 0 ? c->config_size : 1);

	if (config == NULL) {
		fputs("error: out of memory\n", stderr);
		return EXIT_IO;
	}
	int status = EXIT_USAGE;
	switch (options_parse(c, config, argc, argv, &operands)) {
	case OPTIONS_RUN:
		status = c->run(config, argc - operands, argv + operands);
		break;
	case OPTIONS_DONE:
		status = printed();
		break;
	case OPTIONS_BAD:
		break;
	}
	free(config);
	return status;
}

static int help(int argc, char **argv)
{
	int words;
	const struct command *c = options_find_words(argc - 1, argv + 1, &words);

	if (argc > 1 && c == NULL && options_is_group(argv[1]) && strcmp(argv[0], "--man") != 0) {
		options_group(argv[1], stdout);
		return printed();
	}
	if (argc > 1 && c == NULL) {
		options_error(NULL, "no such command", argv[1]);
		return EXIT_USAGE;
	}
	if (strcmp(argv[0], "--man") == 0)
		options_manual(c, stdout);
	else if (c != NULL)
		options_help(c, stdout);
	else
		options_overview(stdout);
	return printed();
}

static bool asks_for(const char *word, const char *name, const char *letter)
{
	return word != NULL && (strcmp(word, name) == 0 || strcmp(word, letter) == 0);
}

/* argv: a first word of commands of two, and no second one that is known. */
static int group(char **argv)
{
	if (asks_for(argv[1], "--version", "-V")) {
		options_version(stdout);
		return printed();
	}
	bool help = asks_for(argv[1], "--help", "-h");
	if (!help)
		options_error(NULL, argv[1] == NULL ? "this command has a second word"
						    : "no such command", argv[argv[1] != NULL]);
	options_group(argv[0], help ? stdout : stderr);
	return help ? printed() : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	/* Characters only: numbers stay as they are written everywhere. */
	setlocale(LC_CTYPE, "");
	/* A reader that went away and a file that may grow no further are failed writes. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (options_remember(argc, argv) != 0) {
		fputs("error: out of memory\n", stderr);
		return EXIT_IO;
	}

	if (argc < 2) {
		options_overview(stderr);
		return EXIT_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, "help") == 0 || asks_for(name, "--help", "-h") || strcmp(name, "--man") == 0)
		return help(argc - 1, argv + 1);
	if (asks_for(name, "--version", "-V")) {
		options_version(stdout);
		return printed();
	}
	if (strcmp(name, "--completion") == 0) {
		options_completion(stdout);
		return printed();
	}
	int words;
	const struct command *c = options_find_words(argc - 1, argv + 1, &words);
	if (c == NULL && options_is_group(name))
		return group(argv + 1);
	if (c == NULL) {
		options_error(NULL, name[0] == '-' ? "unknown option" : "no such command", name);
		return EXIT_USAGE;
	}
	return run_command(c, argc - words, argv + words);
}
