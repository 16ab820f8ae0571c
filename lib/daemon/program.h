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

struct program {
	const char *name;   /* as in "schleuse-proxy" */
	const char *config; /* the file read unless another is named */
	const char *about;  /* last lines of the usage */
	/* The configuration of the file, one reference; NULL: its faults are in `errors`. */
	struct snapshot *(*load)(const char *path, struct buf *errors);
	bool (*print)(const struct snapshot *conf, struct buf *out);
	/* Takes over the configuration and runs until the end.  The exit status. */
	int (*run)(struct snapshot *conf, char *const *argv);
};

/* The exit status: 0, 1 after a failure, 2 for wrong options. */
int program_main(const struct program *p, int argc, char **argv) MUST_CHECK;

#endif
