/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/program.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>

#define ERRORS_MAX (1 << 20)
#define PRINT_MAX (16 << 20)

enum { CHECK = 256, PRINT };
enum what { RUN_IT, CHECK_IT, PRINT_IT };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check-config", no_argument, NULL, CHECK },
	{ "print-config", no_argument, NULL, PRINT },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static void
usage(const struct program *p, FILE *to)
{
	fprintf(to,
	    "usage: %s [-c FILE] [--check-config] [--print-config]\n"
	    "       %s --help | --version\n"
	    "\n"
	    "  -c, --config FILE   configuration (default: %s)\n"
	    "      --check-config  read and check the configuration, print every fault, exit\n"
	    "      --print-config  the same, and print every setting in force\n"
	    "  -h, --help          this text\n"
	    "  -V, --version       the version\n"
	    "\n"
	    "%s",
	    p->name, p->name, p->config, p->about);
}

static struct snapshot *
load(const struct program *p, const char *path)
{
	struct snapshot *conf;
	struct buf errors;

	buf_init(&errors, ERRORS_MAX);
	conf = p->load(path, &errors);
	if (conf == NULL && buf_len(&errors) > 0)
		fwrite(buf_str(&errors).p, 1, buf_len(&errors), stderr);
	buf_fini(&errors);
	return conf;
}

static int
print(const struct program *p, const struct snapshot *conf)
{
	struct buf out;
	bool ok;

	buf_init(&out, PRINT_MAX);
	ok = p->print(conf, &out);
	if (ok)
		fwrite(buf_str(&out).p, 1, buf_len(&out), stdout);
	buf_fini(&out);
	return ok ? 0 : 1;
}

static int
carry_out(const struct program *p, const char *path, enum what what, char *const *argv)
{
	struct snapshot *conf = load(p, path);
	int status = 0;

	if (conf == NULL)
		return 1;
	if (what == RUN_IT)
		return p->run(conf, argv);
	if (what == PRINT_IT)
		status = print(p, conf);
	else
		printf("%s: configuration ok\n", path);
	snapshot_drop(conf);
	return status;
}

int
program_main(const struct program *p, int argc, char **argv)
{
	const char *path = p->config;
	enum what what = RUN_IT;
	int o;

	while ((o = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		/* clang-format off */
		switch (o) {
		case 'c':   path = optarg; break;
		case CHECK: what = what == RUN_IT ? CHECK_IT : what; break;
		case PRINT: what = PRINT_IT; break;
		case 'h':   usage(p, stdout); return 0;
		case 'V':   printf("%s %s\n", p->name, PACKAGE_VERSION); return 0;
		default:    usage(p, stderr); return 2;
		}
		/* clang-format on */
	}
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected argument: %s\n", p->name, argv[optind]);
		usage(p, stderr);
		return 2;
	}
	if (sodium_init() < 0) {
		fprintf(stderr, "%s: libsodium cannot be initialised\n", p->name);
		return 1;
	}
	return carry_out(p, path, what, argv);
}
