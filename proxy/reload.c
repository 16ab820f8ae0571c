/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload - everything new is made and tried before anything old is let go; from then on nothing can
 * fail but memory.
 *
 * Listeners that are not in the new configuration go in two steps: first no new handshake begins
 * there, a second later, when those under way have ended and been accepted, the sockets are closed.
 * An address that comes back in between is simply kept.
 */
#include "lib/daemon/notify.h"
#include "proxy/control_int.h"
#include "proxy/inbound.h"
#include "proxy/lookups.h"
#include "proxy/series.h"

#define SETTLE_LOOK_MS 100

struct next { /* what a new configuration brings */
	struct proxy_conf *conf;
	struct listeners *listeners;
	struct admin *admin; /* NULL: the old one stays */
	struct outside out;
	struct staple_keeper *staples;
};

static void
log_lines(enum log_level level, const char *before, struct str text)
{
	struct str line;

	while (text.n > 0) {
		str_cut(text, '\n', &line, &text);
		if (line.n > 0)
			log_write(level, "%s" STR_FMT, before, STR_ARG(line));
	}
}

static struct proxy_conf *
load(const char *path)
{
	struct proxy_conf *conf;
	struct buf errors;

	buf_init(&errors, 1 << 20);
	conf = proxy_conf_load(path, &errors);
	if (conf == NULL)
		log_lines(LOG_ERROR, "reload: ", buf_str(&errors));
	buf_fini(&errors);
	return conf;
}

static bool
try_tls(struct control *c, const struct proxy_conf *conf)
{
	char why[256];
	struct tls_server *trial = inbound_tls(conf, tickets_now(c->tickets), why, sizeof(why));

	if (trial == NULL)
		log_error("reload: %s", why);
	tls_server_free(trial);
	return trial != NULL;
}

static bool
prepare(struct control *c, struct next *n)
{
	n->conf = load(c->conf->path);
	if (n->conf == NULL || !try_tls(c, n->conf))
		return false;
	n->listeners = listeners_open(n->conf, c->listeners, c->n_workers);
	if (n->listeners == NULL)
		return false;
	if (n->listeners->admin != c->listeners->admin) {
		n->admin = control_open_admin(c, n->listeners);
		if (n->admin == NULL)
			return false;
	}
	if (!outside_open(&n->out, &c->out, c->loop, n->conf, &c->events, control_on_health, c))
		return false;
	n->staples = staple_open(c->loop, n->conf, n->out.fetcher, control_on_staples, c);
	return n->staples != NULL;
}

static void
give_up(struct next *n, const struct listeners *old)
{
	outside_close(&n->out);
	admin_free(n->admin);
	if (n->listeners != NULL) {
		listeners_remove_files(n->listeners, old);
		snapshot_drop(&n->listeners->snap);
	}
	if (n->conf != NULL)
		snapshot_drop(&n->conf->snap);
}

static void
warn_restart(const struct proxy_conf *old, const struct proxy_conf *new)
{
	struct buf what;

	buf_init(&what, 65536);
	if (proxy_conf_needs_restart(old, new, &what))
		log_warn(
		    "reload: these settings changed but need a restart or a hand-over: " STR_FMT,
		    STR_ARG(buf_str(&what)));
	buf_fini(&what);
}

static void
post_listeners(struct control *c, struct listeners *l)
{
	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_listeners(c->workers[i], l))
			log_error("a worker keeps its old listeners: out of memory");
	if (c->listeners != NULL)
		snapshot_drop(&c->listeners->snap);
	c->listeners = l;
}

void
reload_listeners(struct control *c, struct listeners *l)
{
	post_listeners(c, l);
	listeners_adopt_files(l);
	if (listeners_refuse(l))
		timer_set(c->loop, &c->settle, SETTLE_LOOK_MS);
	else
		timer_clear(&c->settle);
}

void
reload_settle(void *arg)
{
	struct control *c = arg;
	struct listeners *l = listeners_settle(c->listeners, clock_now());

	if (l != NULL && l->n < c->listeners->n)
		post_listeners(c, l);
	else if (l != NULL)
		snapshot_drop(&l->snap);
	if (c->listeners->n > c->conf->n_listeners)
		timer_set(c->loop, &c->settle, SETTLE_LOOK_MS);
}

static void
adopt(struct control *c, struct next *n)
{
	struct outside old = c->out;
	struct proxy_conf *old_conf = c->conf;

	warn_restart(old_conf, n->conf);
	c->out = n->out;
	c->conf = n->conf;
	log_threshold = n->conf->log_level;
	invites_set_limits(c->invites, n->conf->invites_max, n->conf->invites_ttl);
	tickets_adopt(c->tickets, n->conf, n->out.redis);
	staple_close(c->staples);
	c->staples = n->staples;
	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_conf(c->workers[i], n->conf, staple_now(n->staples)))
			log_error("reload: a worker keeps its old configuration: out of memory");
	if (n->admin != NULL) {
		admin_free(c->admin);
		c->admin = n->admin;
	}
	reload_listeners(c, n->listeners);
	(void)listeners_tell(n->listeners); /* logged; everything else is in force */
	/* Under new trust anchors an old list may no longer count: what the new store holds is
	 * posted, even nothing. */
	outside_tell_federations(&c->out);
	health_carry(c->out.health, old.health);
	health_tell(c->out.health);
	lookups_ask_again(c);
	outside_close(&old);
	snapshot_drop(&old_conf->snap);
}

void
reload(struct control *c)
{
	struct next n = { 0 };
	bool ok;

	log_info("reload: reading %s", c->conf->path);
	notify_reloading();
	ok = prepare(c, &n);
	if (ok) {
		adopt(c, &n);
		metrics_inc(S_RELOADS);
		log_info("reload: the new configuration is in force");
	} else {
		give_up(&n, c->listeners);
		metrics_inc(S_RELOADS_REFUSED);
		log_error("reload: refused; the old configuration stays in force");
	}
	(void)notify_send("READY=1\nSTATUS=%s",
	    ok ? "Serving" : "Serving; the last reload was refused, see the log");
}
