/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/daemon/service.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "lib/daemon/admin.h"
#include "lib/daemon/heartbeat.h"
#include "lib/daemon/notify.h"
#include "lib/daemon/signals.h"
#include "lib/net/listener.h"
#include "lib/ops/metrics.h"

#define DRAIN_LOOK_MS 50

struct service {
	const struct service_ops *ops;
	void *arg;
	struct loop *loop;
	struct service_conf *conf; /* one reference */
	bool opened;
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
	struct service *s = arg;

	if (s->draining && !buf_printf(out, "draining\n"))
		return;
	s->ops->missing(s->arg, out);
}

static void
on_refresh(void *arg)
{
	struct service *s = arg;

	s->ops->refresh(s->arg);
}

static bool
on_more(void *arg, struct buf *out)
{
	struct service *s = arg;

	return s->ops->more == NULL || s->ops->more(s->arg, out);
}

/* --- reload --- */

static struct service_conf *
load(const struct service *s)
{
	struct service_conf *conf;
	struct buf errors;
	struct str text, line;

	buf_init(&errors, 1 << 20);
	conf = s->ops->load(s->conf->path, &errors);
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
warn_restart(const struct service *s, const struct service_conf *new)
{
	struct buf what;

	buf_init(&what, 65536);
	if (s->ops->needs_restart(s->conf, new, &what))
		log_warn("reload: these settings changed but need a restart: " STR_FMT,
		    STR_ARG(buf_str(&what)));
	buf_fini(&what);
}

static bool
adopt(struct service *s, struct service_conf *conf)
{
	if (!door_prepare(s->door, conf))
		return false;
	if (!s->ops->adopt(s->arg, conf)) {
		door_discard(s->door);
		return false;
	}
	door_adopt(s->door);
	warn_restart(s, conf);
	log_threshold = conf->log_level;
	snapshot_drop(&s->conf->snap);
	s->conf = conf;
	return true;
}

static void
reload(struct service *s)
{
	struct service_conf *conf;
	bool ok;

	log_info("reload: reading %s", s->conf->path);
	notify_reloading();
	conf = load(s);
	ok = conf != NULL && adopt(s, conf);
	if (ok) {
		metrics_inc(s->ops->reloads);
		log_info("reload: the new configuration is in force");
	} else {
		if (conf != NULL)
			snapshot_drop(&conf->snap);
		metrics_inc(s->ops->reloads_refused);
		log_error("reload: refused; the old configuration stays in force");
	}
	(void)notify_send("READY=1\nSTATUS=%s",
	    ok ? "Serving" : "Serving; the last reload was refused, see the log");
}

/* --- the end --- */

static bool
is_drained(const struct service *s)
{
	return door_connections(s->door) == 0 &&
	       (s->ops->drained == NULL || s->ops->drained(s->arg));
}

static void
look_drained(void *arg)
{
	struct service *s = arg;

	if (is_drained(s) || loop_now(s->loop) >= s->drain_until)
		loop_stop(s->loop);
	else
		timer_set(s->loop, &s->drain, DRAIN_LOOK_MS);
}

static void
leave(struct service *s, const char *why)
{
	if (s->draining)
		return;
	s->draining = true;
	log_info("%s: accepting no more, finishing what is open", why);
	(void)notify_send("STOPPING=1\nSTATUS=Draining");
	door_drain(s->door);
	s->ops->drain(s->arg);
	s->drain_until = loop_now(s->loop) + s->conf->timeouts.drain;
	timer_set(s->loop, &s->drain, 0);
}

static void
on_signal(void *arg, int number)
{
	struct service *s = arg;

	if (number != SIGHUP)
		leave(s, number == SIGTERM ? "SIGTERM" : "SIGINT");
	else if (!s->draining)
		reload(s);
}

/* --- start --- */

static bool
open_admin(struct service *s)
{
	const struct conf_address *a = &s->conf->admin;
	struct admin_config ac = {
		.missing = on_missing, .refresh = on_refresh, .more = on_more, .arg = s
	};

	errno = EADDRINUSE;
	s->admin_fd = a->unix_path == NULL && a->port != 0 && listener_taken(a->host, a->port)
			  ? -1
			  : listener_bind(a->unix_path, a->host, a->port);
	if (s->admin_fd < 0) {
		log_error("admin: cannot listen on %s: %s", a->text, strerror(errno));
		return false;
	}
	ac.socket = s->admin_fd;
	s->admin = admin_new(s->loop, &ac);
	if (s->admin == NULL)
		close(s->admin_fd);
	return s->admin != NULL;
}

static bool
tell_addresses(struct service *s)
{
	const char *path = s->conf->addresses_file;
	char text[256];
	struct buf b;
	bool ok;

	if (path == NULL)
		return true;
	buf_init(&b, 65536);
	ok = buf_printf(&b, "{\"listeners\":[") && door_addresses(s->door, &b) &&
	     buf_printf(
		 &b, "],\"admin\":\"%s\"}\n", listener_address(s->admin_fd, text, sizeof(text))) &&
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
open_heartbeat(struct service *s)
{
	clock_ms every = notify_watchdog() / 3; /* one may be late */

	if (every == 0)
		return true;
	s->heartbeat = heartbeat_new(s->loop, 1, every, on_beat, s);
	if (s->heartbeat == NULL)
		return false;
	heartbeat_watch(s->heartbeat, s->loop);
	heartbeat_start(s->heartbeat);
	return true;
}

static bool
start(struct service *s)
{
	s->loop = loop_new(s);
	if (s->loop != NULL)
		s->signals = signals_new(s->loop, false, on_signal, s);
	if (s->signals == NULL) {
		log_error("cannot start: out of memory or descriptors");
		return false;
	}
	timer_init(&s->drain, look_drained, s);
	s->opened = true;
	if (!s->ops->open(s->arg, s->loop, s->conf))
		return false;
	s->door = door_new(s->loop, s->conf, s->ops->series, s->ops->request, s->arg);
	return s->door != NULL && open_admin(s) && tell_addresses(s) && open_heartbeat(s) &&
	       door_open(s->door);
}

static void
stop(struct service *s)
{
	door_free(s->door);
	admin_free(s->admin);
	if (s->opened) {
		timer_clear(&s->drain);
		s->ops->close(s->arg);
	}
	signals_free(s->signals);
	loop_free(s->loop);
	heartbeat_free(s->heartbeat);
	snapshot_drop(&s->conf->snap);
	arena_drop_cache();
	buf_drop_cache();
}

int
service_run(const struct service_ops *ops, void *arg, struct service_conf *conf)
{
	struct service s = { .ops = ops, .arg = arg, .conf = conf };
	bool ok;

	log_threshold = conf->log_level;
	ok = start(&s);
	if (ok) {
		log_info("started: %zu listeners", conf->n_listeners);
		(void)notify_send("READY=1\nSTATUS=Serving");
		loop_run(s.loop);
	}
	stop(&s);
	if (ok)
		log_info("stopped");
	log_flush();
	return ok ? 0 : 1;
}
