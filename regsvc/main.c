/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schleuse-regsvc - options, then the daemon.
 */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>

#include "regsvc/control.h"
#include "regsvc/series.h"

#define DEFAULT_CONFIG SCHLEUSE_SYSCONFDIR "/regsvc.yaml"

static const char usage[] =
    "usage: schleuse-regsvc [-c FILE] [--check-config] [--print-config]\n"
    "       schleuse-regsvc --help | --version\n"
    "\n"
    "  -c, --config FILE   configuration (default: " DEFAULT_CONFIG ")\n"
    "      --check-config  read and check the configuration, print every fault, exit\n"
    "      --print-config  the same, and print every setting in force\n"
    "  -h, --help          this text\n"
    "  -V, --version       the version\n"
    "\n"
    "Runs in the foreground and logs to standard error.  SIGHUP reloads, SIGTERM drains and\n"
    "ends.  See schleuse-regsvc(8) and schleuse-regsvc.yaml(5).\n";

enum { CHECK = 256, PRINT };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check-config", no_argument, NULL, CHECK },
	{ "print-config", no_argument, NULL, PRINT },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int
show(const struct regsvc_conf *conf, bool print)
{
	struct buf out;
	int status = 0;

	if (!print) {
		printf("%s: configuration ok\n", conf->path);
		return 0;
	}
	buf_init(&out, 16 << 20);
	if (regsvc_conf_print(conf, &out))
		fwrite(buf_str(&out).p, 1, buf_len(&out), stdout);
	else
		status = 1;
	buf_fini(&out);
	return status;
}

static int
run(const char *path, bool check, bool print)
{
	struct regsvc_conf *conf;
	struct buf errors;
	int status;

	buf_init(&errors, 1 << 20);
	conf = regsvc_conf_load(path, &errors);
	if (conf == NULL)
		fwrite(buf_str(&errors).p, 1, buf_len(&errors), stderr);
	buf_fini(&errors);
	if (conf == NULL)
		return 1;
	if (check || print) {
		status = show(conf, print);
		snapshot_drop(&conf->snap);
		return status;
	}
	if (!series_declare()) {
		fprintf(stderr, "schleuse-regsvc: out of memory\n");
		snapshot_drop(&conf->snap);
		return 1;
	}
	return control_run(conf);
}

int
main(int argc, char **argv)
{
	const char *path = DEFAULT_CONFIG;
	bool check = false, print = false;
	int o;

	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		/* clang-format off */
		switch (o) {
		case 'c':   path = optarg; break;
		case CHECK: check = true; break;
		case PRINT: print = true; break;
		case 'h':   fputs(usage, stdout); return 0;
		case 'V':   printf("schleuse-regsvc %s\n", PACKAGE_VERSION); return 0;
		default:    fputs(usage, stderr); return 2;
		}
		/* clang-format on */
	}
	if (optind < argc) {
		fprintf(
		    stderr, "schleuse-regsvc: unexpected argument: %s\n%s", argv[optind], usage);
		return 2;
	}
	if (sodium_init() < 0) {
		fprintf(stderr, "schleuse-regsvc: no random numbers from the system\n");
		return 1;
	}
	return run(path, check, print);
}
