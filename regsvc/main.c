/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schleuse-regsvc - its command line, then the daemon.
 */
#include <stdio.h>

#include "lib/daemon/program.h"
#include "regsvc/control.h"
#include "regsvc/series.h"

static struct snapshot *
load(const char *path, struct buf *errors)
{
	return (struct snapshot *)regsvc_conf_load(path, errors);
}

static bool
print(const struct snapshot *conf, struct buf *out)
{
	return regsvc_conf_print((const struct regsvc_conf *)conf, out);
}

static int
run(struct snapshot *conf, char *const *argv)
{
	(void)argv;
	if (!series_declare()) {
		fprintf(stderr, "schleuse-regsvc: out of memory\n");
		snapshot_drop(conf);
		return 1;
	}
	return control_run((struct regsvc_conf *)conf);
}

int
main(int argc, char **argv)
{
	static const struct program p = {
		.name = "schleuse-regsvc",
		.config = SCHLEUSE_SYSCONFDIR "/regsvc.yaml",
		.about = "Runs in the foreground and logs to standard error.  SIGHUP reloads, "
			 "SIGTERM drains and\nends.  See schleuse-regsvc(8) and "
			 "schleuse-regsvc.yaml(5).\n",
		.load = load,
		.print = print,
		.run = run,
	};

	return program_main(&p, argc, argv);
}
