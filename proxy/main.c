/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schleuse-proxy - its command line, then the control thread.
 */
#include <stdio.h>

#include "lib/daemon/program.h"
#include "proxy/control.h"
#include "proxy/makeca.h"
#include "proxy/routes.h"
#include "proxy/series.h"

static struct snapshot *
load(const char *path, struct buf *errors)
{
	return (struct snapshot *)proxy_conf_load(path, errors);
}

static bool
print(const struct snapshot *conf, struct buf *out)
{
	return proxy_conf_print((const struct proxy_conf *)conf, out);
}

static int
run(struct snapshot *conf, char *const *argv)
{
	int status;

	if (!routes_init() || !series_declare()) {
		fprintf(stderr, "schleuse-proxy: out of memory\n");
		snapshot_drop(conf);
		return 1;
	}
	status = control_run((struct proxy_conf *)conf, argv);
	routes_fini();
	return status;
}

int
main(int argc, char **argv)
{
	static const struct program p = {
		.name = "schleuse-proxy",
		.config = SCHLEUSE_SYSCONFDIR "/proxy.yaml",
		.about =
		    "Runs in the foreground and logs to standard error.  SIGHUP reloads, SIGUSR2 "
		    "hands over\nto a newly started program, SIGTERM drains and ends.  See "
		    "schleuse-proxy(8) and schleuse-proxy.yaml(5).\n",
		.load = load,
		.print = print,
		.run = run,
		.more = makeca_options,
	};

	return program_main(&p, argc, argv);
}
