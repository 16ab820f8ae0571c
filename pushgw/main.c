/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schleuse-pushgw - its command line, then the daemon.
 */
#include <stdio.h>

#include "lib/daemon/program.h"
#include "pushgw/gateway.h"
#include "pushgw/import.h"
#include "pushgw/series.h"

static struct snapshot *
load(const char *path, struct buf *errors)
{
	return (struct snapshot *)pushgw_conf_load(path, errors);
}

static bool
print(const struct snapshot *conf, struct buf *out)
{
	return pushgw_conf_print((const struct pushgw_conf *)conf, out);
}

static int
run(struct snapshot *conf, char *const *argv)
{
	(void)argv;
	if (!series_declare()) {
		fprintf(stderr, "schleuse-pushgw: out of memory\n");
		snapshot_drop(conf);
		return 1;
	}
	return gateway_run((struct pushgw_conf *)conf);
}

int
main(int argc, char **argv)
{
	static const struct program p = {
		.name = "schleuse-pushgw",
		.config = SCHLEUSE_SYSCONFDIR "/pushgw.yaml",
		.about = "Runs in the foreground and logs to standard error.  SIGHUP reloads, "
			 "SIGTERM drains and\nends.  See schleuse-pushgw(8) and "
			 "schleuse-pushgw.yaml(5).\n",
		.load = load,
		.print = print,
		.run = run,
		.more = import_options,
	};

	return program_main(&p, argc, argv);
}
