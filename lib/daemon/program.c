/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/program.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define ERRORS_MAX (1 << 20)
#define PRINT_MAX (16 << 20)
#define HELP_COLUMN 22

enum { CHECK = 256, PRINT, MORE };
enum what { RUN_IT, CHECK_IT, PRINT_IT };

static const struct option common[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check-config", no_argument, NULL, CHECK },
	{ "print-config", no_argument, NULL, PRINT },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
};
#define N_COMMON (sizeof(common) / sizeof(*common))

/* The command line as far as it has been read. */
struct line {
	const struct program *p;
	enum what what;
	const struct program_option *command; /* instead of that, or NULL */
	struct program_call call;
	struct program_value *values; /* of the call, room for all arguments */
	struct option *options;
};

/* --- the usage --- */

static void
option_text(const struct program_option *o, char *out, size_t size)
{
	snprintf(out, size, "--%s%s%s", o->name, o->argument != NULL ? " " : "",
	    o->argument != NULL ? o->argument : "");
}

static void
usage_of_commands(const struct program *p, FILE *to)
{
	char text[80];

	for (const struct program_option *o = p->more; o != NULL && o->name != NULL; o++) {
		option_text(o, text, sizeof(text));
		if (o->command != NULL)
			fprintf(to, "       %s %s [-c FILE]", p->name, text);
		else
			fprintf(to, " [%s]", text);
		if (o[1].name == NULL || o[1].command != NULL)
			fprintf(to, "\n");
	}
}

static void
help_of_commands(const struct program *p, FILE *to)
{
	char text[80];

	for (const struct program_option *o = p->more; o != NULL && o->name != NULL; o++) {
		option_text(o, text, sizeof(text));
		fprintf(to, "      %s", text);
		if (strlen(text) + 6 > HELP_COLUMN - 2)
			fprintf(to, "\n%*s%s\n", HELP_COLUMN, "", o->help);
		else
			fprintf(to, "%*s%s\n", HELP_COLUMN - 6 - (int)strlen(text), "", o->help);
	}
}

static void
usage(const struct program *p, FILE *to)
{
	fprintf(to,
	    "usage: %s [-c FILE] [--check-config] [--print-config]\n"
	    "       %s --help | --version\n",
	    p->name, p->name);
	usage_of_commands(p, to);
	fprintf(to,
	    "\n"
	    "  -c, --config FILE   configuration (default: %s)\n"
	    "      --check-config  read and check the configuration, print every fault, exit\n"
	    "      --print-config  the same, and print every setting in force\n",
	    p->config);
	help_of_commands(p, to);
	fprintf(to,
	    "  -h, --help          this text\n"
	    "  -V, --version       the version\n"
	    "\n"
	    "%s",
	    p->about);
}

/* --- what is done --- */

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
carry_out(const struct line *l, char *const *argv)
{
	struct snapshot *conf;
	int status = 0;

	if (l->command != NULL)
		return l->command->command(&l->call);
	conf = load(l->p, l->call.config);
	if (conf == NULL)
		return 1;
	if (l->what == RUN_IT)
		return l->p->run(conf, argv);
	if (l->what == PRINT_IT)
		status = print(l->p, conf);
	else
		printf("%s: configuration ok\n", l->call.config);
	snapshot_drop(conf);
	return status;
}

/* --- reading it --- */

static bool
line_init(struct line *l, const struct program *p, int argc)
{
	size_t n = 0;

	*l = (struct line){ .p = p, .call.config = p->config };
	while (p->more != NULL && p->more[n].name != NULL)
		n++;
	l->options = calloc(N_COMMON + n + 1, sizeof(*l->options));
	l->values = calloc((size_t)argc + 1, sizeof(*l->values));
	if (l->options == NULL || l->values == NULL)
		return false;
	memcpy(l->options, common, sizeof(common));
	for (size_t i = 0; i < n; i++)
		l->options[N_COMMON + i] = (struct option){ p->more[i].name,
			p->more[i].argument != NULL ? required_argument : no_argument, NULL,
			MORE + (int)i };
	l->call.values = l->values;
	return true;
}

static void
line_fini(struct line *l)
{
	free(l->options);
	free(l->values);
}

static bool
fault(const struct line *l, const char *what, const char *name)
{
	fprintf(stderr, "%s: %s%s\n", l->p->name, what, name);
	return false;
}

static bool
take(struct line *l, const struct program_option *o, const char *text)
{
	if (o->command != NULL && l->command != NULL)
		return fault(l, "only one command at a time: --", o->name);
	if (o->command != NULL)
		l->command = o;
	l->values[l->call.n++] = (struct program_value){ o, text };
	return true;
}

static const struct program_option *
command_of(const struct program_option *o)
{
	while (o->command == NULL)
		o--;
	return o;
}

static bool
fits_together(const struct line *l)
{
	if (l->command != NULL && l->what != RUN_IT)
		return fault(l, "no other command goes with --", l->command->name);
	for (size_t i = 0; i < l->call.n; i++) {
		const struct program_option *of = command_of(l->values[i].option);

		if (of != l->command)
			return fault(l, "options are only understood together with --", of->name);
	}
	return true;
}

/* -1: carry it out; else the exit status. */
static int
line_read(struct line *l, int argc, char **argv)
{
	int o;

	while ((o = getopt_long(argc, argv, "c:hV", l->options, NULL)) != -1) {
		/* clang-format off */
		switch (o) {
		case 'c':   l->call.config = optarg; l->call.named = true; break;
		case CHECK: l->what = l->what == RUN_IT ? CHECK_IT : l->what; break;
		case PRINT: l->what = PRINT_IT; break;
		case 'h':   usage(l->p, stdout); return 0;
		case 'V':   printf("%s %s\n", l->p->name, PACKAGE_VERSION); return 0;
		default:
			if (o >= MORE && take(l, &l->p->more[o - MORE], optarg))
				break;
			usage(l->p, stderr);
			return 2;
		}
		/* clang-format on */
	}
	if (optind < argc || !fits_together(l)) {
		if (optind < argc)
			fault(l, "unexpected argument: ", argv[optind]);
		usage(l->p, stderr);
		return 2;
	}
	return -1;
}

int
program_main(const struct program *p, int argc, char **argv)
{
	struct line l;
	int status = 1;

	if (!line_init(&l, p, argc))
		fault(&l, "out of memory", "");
	else
		status = line_read(&l, argc, argv);
	if (status == -1 && sodium_init() < 0) {
		fault(&l, "libsodium cannot be initialised", "");
		status = 1;
	}
	if (status == -1)
		status = carry_out(&l, argv);
	line_fini(&l);
	return status;
}
