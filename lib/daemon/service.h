/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service - the life of a daemon with one loop: start, reload, drain, end.
 *
 * SIGHUP: a new configuration is loaded and checked whole, the daemon adopts it or the old one
 * stays.  SIGTERM: nothing more is accepted; the process ends with the last connection, or after
 * timeouts.drain.  The admin listener, the watchdog's heartbeat and addresses_file belong to it.
 */
#ifndef SCHLEUSE_DAEMON_SERVICE_H
#define SCHLEUSE_DAEMON_SERVICE_H

#include "lib/daemon/door.h"
#include "lib/daemon/service_section.h"

struct service_ops {
	/* Reads and checks the file; NULL: its faults are in `errors`. */
	struct service_conf *(*load)(const char *path, struct buf *errors);
	/* Whether settings differ that only a restart can change; their names go to `what`. */
	bool (*needs_restart)(
	    const struct service_conf *old, const struct service_conf *new, struct buf *what);
	/* Opens everything by the first configuration; false: logged, close() follows. */
	bool (*open)(void *arg, struct loop *loop, struct service_conf *conf);
	/* Goes on with a new configuration, all of it or (false: logged) nothing.  The old one is
	 * released by the service after it. */
	bool (*adopt)(void *arg, struct service_conf *conf);
	void (*request)(void *arg, struct exchange *ex, enum err bad); /* see struct http_server */
	void (*missing)(void *arg, struct buf *out); /* a line for each thing; nothing: ready */
	void (*refresh)(void *arg);                  /* gauges, before metrics are printed */
	bool (*more)(void *arg, struct buf *out);    /* see struct admin_config; may be NULL */
	void (*drain)(void *arg);                    /* requests that wait are to end soon */
	/* Whether the process may end, once no connection is open; NULL: yes. */
	bool (*drained)(void *arg);
	void (*close)(void *arg); /* after all connections */
	const struct door_series *series;
	unsigned reloads, reloads_refused; /* their metrics */
};

/* Takes over conf.  The exit status. */
int service_run(const struct service_ops *ops, void *arg, struct service_conf *conf) MUST_CHECK;

#endif
