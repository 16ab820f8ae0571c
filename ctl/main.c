/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schleusectl - manages the clients and certificates of schleuse-regsvc.
 */
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ctl/command.h"

/* Where the unit and the samples of the service have its state directory. */
#define DEFAULT_SOCKET SCHLEUSE_REGSVC_STATEDIR "/control.sock"

static const char usage[] =
    "usage: schleusectl [options] client add ID --tenant NAME --method basic|oauth|mtls\n"
    "                   --scope SCOPE,... [--subscription UUID] [--certificate FILE]\n"
    "       schleusectl [options] client list\n"
    "       schleusectl [options] client show|revoke ID\n"
    "       schleusectl [options] client rotate ID [--grace TIME] [--certificate FILE]\n"
    "       schleusectl [options] certificate add FILE [--x5u URL] [--label TEXT]\n"
    "       schleusectl [options] certificate list\n"
    "       schleusectl [options] certificate remove FINGERPRINT\n"
    "       schleusectl [options] status\n"
    "       schleusectl --help | --version\n"
    "\n"
    "  -s, --socket PATH  control socket of schleuse-regsvc (default: " DEFAULT_SOCKET ")\n"
    "  -j, --json         print the answer as JSON\n"
    "  -h, --help         this text\n"
    "  -V, --version      the version\n"
    "\n"
    "Secrets are printed once, when they are made.  See schleusectl(8).\n";

enum { TENANT = 256, METHOD, SCOPE, SUBSCRIPTION, CERTIFICATE, GRACE, X5U, LABEL };

static const struct option options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "tenant", required_argument, NULL, TENANT },
	{ "method", required_argument, NULL, METHOD },
	{ "scope", required_argument, NULL, SCOPE },
	{ "subscription", required_argument, NULL, SUBSCRIPTION },
	{ "certificate", required_argument, NULL, CERTIFICATE },
	{ "grace", required_argument, NULL, GRACE },
	{ "x5u", required_argument, NULL, X5U },
	{ "label", required_argument, NULL, LABEL },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* A secret that nobody has seen must not look like success. */
static int
printed(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr,
	    "schleusectl: the answer could not be printed: %s; what was asked for is "
	    "done, a secret made with it is lost: rotate it\n",
	    strerror(errno));
	return EXIT_REFUSED;
}

int
main(int argc, char **argv)
{
	struct options given = { .socket = DEFAULT_SOCKET };
	int o;

	while ((o = getopt_long(argc, argv, "s:jhV", options, NULL)) != -1) {
		/* clang-format off */
		switch (o) {
		case 's':          given.socket = optarg; break;
		case 'j':          given.json = true; break;
		case TENANT:       given.tenant = optarg; break;
		case METHOD:       given.method = optarg; break;
		case SCOPE:        given.scope = optarg; break;
		case SUBSCRIPTION: given.subscription = optarg; break;
		case CERTIFICATE:  given.certificate = optarg; break;
		case GRACE:        given.grace = optarg; break;
		case X5U:          given.x5u = optarg; break;
		case LABEL:        given.label = optarg; break;
		case 'h':          fputs(usage, stdout); return EXIT_DONE;
		case 'V':          printf("schleusectl %s\n", PACKAGE_VERSION); return EXIT_DONE;
		default:           fputs(usage, stderr); return EXIT_USAGE;
		}
		/* clang-format on */
	}
	if (sodium_init() < 0) {
		fprintf(stderr, "schleusectl: no random numbers from the system\n");
		return EXIT_REFUSED;
	}
	if (optind == argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return printed(command_run(&given, argc - optind, argv + optind));
}
