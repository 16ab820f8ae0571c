/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - one loop for all: there is no data plane here, and what takes long is an errand on a
 * thread of its own.
 *
 * SIGHUP: a new configuration is loaded and checked whole, its parts are opened beside the old ones
 * and then put in force.  SIGTERM: nothing more is accepted; the process ends with the last
 * connection, or after timeouts.drain.
 */
#include "regsvc/control.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "lib/daemon/admin.h"
#include "lib/daemon/heartbeat.h"
#include "lib/daemon/notify.h"
#include "lib/daemon/signals.h"
#include "lib/net/listener.h"
#include "regsvc/api.h"
#include "regsvc/door.h"
#include "regsvc/series.h"

#define DRAIN_LOOK_MS 50

struct control {
	struct loop *loop;
	struct regsvc_conf *conf; /* one reference */
	struct parts parts;
	struct api *api;
	struct door *door;
	struct admin *admin;
	struct signals *signals;
	int admin_fd;
	struct heartbeat *heartbeat;
	bool draining;
	clock_ms drain_until;
	struct timer drain;
};

/* --- what operators ask --- */

static void
on_missing(void *arg, struct buf *out)
{
	struct control *c = arg;

	if (c->draining && !buf_printf(out, "draining\n"))
		return;
	parts_missing(&c->parts, out);
}

static void
on_refresh(void *arg)
{
	struct control *c = arg;

	parts_refresh(&c->parts);
}

/* --- reload --- */

static struct regsvc_conf *
load(const char *path)
{
	struct regsvc_conf *conf;
	struct buf errors;
	struct str text, line;

	buf_init(&errors, 1 << 20);
	conf = regsvc_conf_load(path, &errors);
	text = buf_str(&errors);
	while (conf == NULL && text.n > 0) {
		str_cut(text, '\n', &line, &text);
		if (line.n > 0)
			log_error("reload: " STR_FMT, STR_ARG(line));
	}
	buf_fini(&errors);
	return conf;
}

static void
warn_restart(const struct regsvc_conf *old, const struct regsvc_conf *new)
{
	struct buf what;

	buf_init(&what, 65536);
	if (regsvc_conf_needs_restart(old, new, &what))
		log_warn("reload: these settings changed but need a restart: " STR_FMT,
		    STR_ARG(buf_str(&what)));
	buf_fini(&what);
}

static bool
adopt(struct control *c, struct regsvc_conf *conf)
{
	struct regsvc_conf *old_conf = c->conf;
	struct parts next, old = c->parts;

	if (!parts_open(&next, &old, c->loop, conf))
		return false;
	if (!door_adopt(c->door, conf)) {
		parts_close(&next);
		return false;
	}
	warn_restart(old_conf, conf);
	c->conf = conf;
	c->parts = next;
	parts_adopt(&c->parts, &old);
	log_threshold = conf->log_level;
	parts_close(&old);
	snapshot_drop(&old_conf->snap);
	api_adopt(c->api);
	return true;
}

static void
reload(struct control *c)
{
	struct regsvc_conf *conf;
	bool ok;

	log_info("reload: reading %s", c->conf->path);
	notify_reloading();
	conf = load(c->conf->path);
	ok = conf != NULL && adopt(c, conf);
	if (ok) {
		metrics_inc(S_RELOADS);
		log_info("reload: the new configuration is in force");
	} else {
		if (conf != NULL)
			snapshot_drop(&conf->snap);
		metrics_inc(S_RELOADS_REFUSED);
		log_error("reload: refused; the old configuration stays in force");
	}
	(void)notify_send("READY=1\nSTATUS=%s",
	    ok ? "Serving" : "Serving; the last reload was refused, see the log");
}

/* --- the end --- */

static void
look_drained(void *arg)
{
	struct control *c = arg;

	if (door_connections(c->door) == 0 || loop_now(c->loop) >= c->drain_until)
		loop_stop(c->loop);
	else
		timer_set(c->loop, &c->drain, DRAIN_LOOK_MS);
}

static void
leave(struct control *c, const char *why)
{
	if (c->draining)
		return;
	c->draining = true;
	log_info("%s: accepting no more, finishing what is open", why);
	(void)notify_send("STOPPING=1\nSTATUS=Draining");
	door_drain(c->door);
	api_drain(c->api);
	c->drain_until = loop_now(c->loop) + c->conf->timeouts.drain;
	timer_set(c->loop, &c->drain, 0);
}

/* --- signals --- */

static void
on_signal(void *arg, int number)
{
	struct control *c = arg;

	if (number != SIGHUP)
		leave(c, number == SIGTERM ? "SIGTERM" : "SIGINT");
	else if (!c->draining)
		reload(c);
}

/* --- start --- */

static void
on_request(void *arg, struct exchange *ex, enum err bad)
{
	struct control *c = arg;

	api_request(c->api, ex, bad);
}

static bool
open_admin(struct control *c)
{
	const struct conf_address *a = &c->conf->admin;
	struct admin_config ac = { .missing = on_missing, .refresh = on_refresh, .arg = c };

	errno = EADDRINUSE;
	c->admin_fd = a->unix_path == NULL && a->port != 0 && listener_taken(a->host, a->port)
			  ? -1
			  : listener_bind(a->unix_path, a->host, a->port);
	if (c->admin_fd < 0) {
		log_error("admin: cannot listen on %s: %s", a->text, strerror(errno));
		return false;
	}
	ac.socket = c->admin_fd;
	c->admin = admin_new(c->loop, &ac);
	if (c->admin == NULL)
		close(c->admin_fd);
	return c->admin != NULL;
}

static bool
tell_addresses(struct control *c)
{
	const char *path = c->conf->addresses_file;
	char text[256];
	struct buf b;
	bool ok;

	if (path == NULL)
		return true;
	buf_init(&b, 65536);
	ok = buf_printf(&b, "{\"listeners\":[") && door_addresses(c->door, &b) &&
	     buf_printf(
		 &b, "],\"admin\":\"%s\"}\n", listener_address(c->admin_fd, text, sizeof(text))) &&
	     fs_replace(path, buf_str(&b), 0644) == 0;
	if (!ok)
		log_error("addresses_file: cannot write %s: %s", path, strerror(errno));
	buf_fini(&b);
	return ok;
}

static void
on_beat(void *arg)
{
	(void)arg;
	(void)notify_send("WATCHDOG=1");
}

static bool
open_heartbeat(struct control *c)
{
	clock_ms every = notify_watchdog() / 3; /* one may be late */

	if (every == 0)
		return true;
	c->heartbeat = heartbeat_new(c->loop, 1, every, on_beat, c);
	if (c->heartbeat == NULL)
		return false;
	heartbeat_watch(c->heartbeat, c->loop);
	heartbeat_start(c->heartbeat);
	return true;
}

static bool
start(struct control *c)
{
	struct parts old = { 0 };

	c->loop = loop_new(c);
	if (c->loop != NULL)
		c->signals = signals_new(c->loop, false, on_signal, c);
	if (c->signals == NULL) {
		log_error("cannot start: out of memory or descriptors");
		return false;
	}
	timer_init(&c->drain, look_drained, c);
	if (!parts_open(&c->parts, &old, c->loop, c->conf))
		return false;
	parts_adopt(&c->parts, &old);
	c->api = api_new(c->loop, &c->parts);
	c->door = c->api != NULL ? door_new(c->loop, c->conf, on_request, c) : NULL;
	return c->door != NULL && open_admin(c) && tell_addresses(c) && open_heartbeat(c) &&
	       door_open(c->door);
}

static void
stop(struct control *c)
{
	door_free(c->door);
	api_free(c->api);
	admin_free(c->admin);
	timer_clear(&c->drain);
	parts_close(&c->parts);
	signals_free(c->signals);
	loop_free(c->loop);
	heartbeat_free(c->heartbeat);
	snapshot_drop(&c->conf->snap);
	arena_drop_cache();
	buf_drop_cache();
}

int
control_run(struct regsvc_conf *conf)
{
	struct control c = { .conf = conf };
	bool ok;

	log_threshold = conf->log_level;
	ok = start(&c);
	if (ok) {
		log_info("started: %zu listeners", conf->n_listeners);
		(void)notify_send("READY=1\nSTATUS=Serving");
		loop_run(c.loop);
	}
	stop(&c);
	if (ok)
		log_info("stopped");
	log_flush();
	return ok ? 0 : 1;
}
