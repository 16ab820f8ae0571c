/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program - the command line that all daemons have: which configuration, and whether to run it, to
 * check it or to print it.
 */
#ifndef SCHLEUSE_DAEMON_PROGRAM_H
#define SCHLEUSE_DAEMON_PROGRAM_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/snapshot.h"

/* What a command of one program was called with. */
struct program_value {
	const struct program_option *option;
	const char *text; /* its argument, or NULL */
};

struct program_call {
	const char *config; /* the file to read, */
	bool named;         /* which was given; else it is the default and may not exist */
	const struct program_value *values; /* in the order given, the command's own too */
	size_t n;
};

/* An option that only this program has: a command, which does something else than running, or,
 * after it in the table, what goes with that command alone. */
struct program_option {
	const char *name;     /* without the dashes */
	const char *argument; /* what the usage calls it; NULL: takes none */
	const char *help;     /* a line */
	int (*command)(const struct program_call *call); /* gives the exit status; or NULL */
};

struct program {
	const char *name;   /* as in "schleuse-proxy" */
	const char *config; /* the file read unless another is named */
	const char *about;  /* last lines of the usage */
	/* The configuration of the file, one reference; NULL: its faults are in `errors`. */
	struct snapshot *(*load)(const char *path, struct buf *errors);
	bool (*print)(const struct snapshot *conf, struct buf *out);
	/* Takes over the configuration and runs until the end.  The exit status. */
	int (*run)(struct snapshot *conf, char *const *argv);
	const struct program_option *more; /* up to one without name; or NULL */
};

/* The exit status: 0, 1 after a failure, 2 for wrong options. */
int program_main(const struct program *p, int argc, char **argv) MUST_CHECK;

#endif
