/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command - from words of the command line to a question to the service.
 */
#ifndef SCHLEUSE_CTL_COMMAND_H
#define SCHLEUSE_CTL_COMMAND_H

#include <stdbool.h>

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

/* What options can say; NULL: not given. */
struct options {
	const char *socket;
	bool json;
	const char *tenant, *method, *scope, *subscription, *certificate, *grace, *x5u, *label;
};

/* The exit status; what is wrong is printed. */
int command_run(const struct options *o, int n, char **words);

#endif
