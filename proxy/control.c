/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - starts everything, keeps it current, stops it.
 *
 * start: configuration is loaded, sockets are inherited or bound, look-ups and lists set up,
 * workers started, and only when nothing can fail any more do they accept.  SIGHUP: a new
 * configuration is loaded and checked whole, then put in force here and posted to the workers.
 * SIGUSR2: a successor is started; when it serves we drain.  SIGTERM: workers drain; when the last
 * has ended so does the daemon.
 */
#include "proxy/control.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/rates.h"
#include "lib/daemon/descriptors.h"
#include "lib/daemon/notify.h"
#include "lib/daemon/signals.h"
#include "lib/net/connlimit.h"
#include "proxy/control_int.h"
#include "proxy/lookups.h"

/* --- questions of workers --- */

struct loop *
control_loop(struct control *c)
{
	return c->loop;
}

struct connlimit *
control_connections(struct control *c)
{
	return c->connections;
}

struct rates *
control_rates(struct control *c)
{
	return c->rates;
}

struct fact_cache *
control_keys(struct control *c)
{
	return keyring_cache(c->out.keyring);
}

struct fact_cache *
control_accounts(struct control *c)
{
	return homeserver_accounts(c->out.homeserver);
}

struct fact_cache *
control_misses(struct control *c)
{
	return misses_cache(c->out.misses);
}

struct fact_cache *
control_destinations(struct control *c)
{
	return destinations_cache(c->out.destinations);
}

struct fact_cache *
control_owners(struct control *c)
{
	return owners_cache(discovery_owners(c->out.discovery));
}

struct list *
control_questions(struct control *c)
{
	return &c->questions;
}

struct list *
control_invite_questions(struct control *c)
{
	return &c->invite_questions;
}

void
control_note_invite(struct control *c, const struct invite_digest *d)
{
	enum err err = invites_note(c->invites, d);

	if (err != OK)
		log_error(
		    "invites: an accepted invite %s: %s; its event will be refused after a restart",
		    err == ERR_FILE ? "is not on disk" : "is not remembered", err_text(err));
}

bool
control_shares_state(const struct control *c)
{
	return c->draining || inheritance_shared(&c->inherited);
}

bool
control_knows_invite(struct control *c, const struct invite_digest *d)
{
	return invites_has(c->invites, d);
}

void
control_forget_accounts(struct control *c)
{
	fact_clear(control_accounts(c));
	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_forget(c->workers[i]))
			log_warn(
			    "a worker remembers ended sessions a little longer: out of memory");
}

void
control_worker_ended(struct control *c)
{
	if (++c->n_ended == c->n_workers)
		loop_stop(c->loop);
}

/* --- signals --- */

static void
on_signal(void *arg, int number)
{
	struct control *c = arg;

	if (number == SIGUSR2)
		leave_to_successor(c);
	else if (number != SIGHUP)
		leave(c, number == SIGTERM ? "SIGTERM" : "SIGINT");
	else if (c->handover != NULL)
		c->reload_wanted = true; /* the successor reads the file anyway */
	else if (!c->draining)
		reload(c);
}

/* --- start --- */

static unsigned
count_workers(const struct proxy_conf *conf)
{
	cpu_set_t set;

	if (conf->workers > 0)
		return conf->workers;
	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static bool
start_workers(struct control *c, unsigned n)
{
	char why[256];

	c->workers = calloc(n, sizeof(struct worker *));
	for (unsigned i = 0; c->workers != NULL && i < n; i++) {
		struct worker *w = worker_start(c, i, n, c->conf, tickets_now(c->tickets),
		    staple_now(c->staples), invites_key(c->invites)->bytes, why, sizeof(why));

		if (w == NULL) {
			log_error("worker %u cannot start: %s", i, why);
			return false;
		}
		c->workers[c->n_workers++] = w;
	}
	return c->workers != NULL;
}

/* With a descriptor of its own, because it still answers when the listeners are gone. */
struct admin *
control_open_admin(struct control *c, const struct listeners *l)
{
	const struct admin_config ac = {
		.socket = fcntl(l->admin->sockets[0], F_DUPFD_CLOEXEC, 0),
		.missing = status_missing,
		.refresh = status_refresh,
		.more = status_more,
		.arg = c,
	};
	struct admin *a = ac.socket >= 0 ? admin_new(c->loop, &ac) : NULL;

	if (a == NULL) {
		log_error("admin: out of memory or descriptors");
		if (ac.socket >= 0)
			close(ac.socket);
	}
	return a;
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
	c->heartbeat = heartbeat_new(c->loop, c->n_workers, every, on_beat, c);
	if (c->heartbeat == NULL)
		return false;
	for (unsigned i = 0; i < c->n_workers; i++)
		heartbeat_watch(c->heartbeat, c->workers[i]->loop);
	heartbeat_start(c->heartbeat);
	return true;
}

static bool
open_state(struct control *c)
{
	const struct invites_config ic = { .state_dir = c->conf->state_dir,
		.max = c->conf->invites_max,
		.ttl = c->conf->invites_ttl };
	const struct outside none = { 0 };

	if (invites_open(c->loop, &ic, &c->invites) != OK) {
		log_error("cannot start: state_dir %s: see the line above, or out of memory",
		    c->conf->state_dir);
		return false;
	}
	c->events = (struct fedlink_events){
		.list = control_on_list, .passports = control_on_passports, .arg = c
	};
	if (!outside_open(&c->out, &none, c->loop, c->conf, &c->events, control_on_health, c))
		return false;
	c->tickets = tickets_open(
	    c->loop, c->conf, c->out.redis, c->inherited.tickets, control_on_tickets, c);
	c->staples = staple_open(c->loop, c->conf, c->out.fetcher, control_on_staples, c);
	if (c->tickets == NULL || c->staples == NULL)
		log_error("cannot start: out of memory");
	return c->tickets != NULL && c->staples != NULL;
}

static bool
start(struct control *c)
{
	unsigned n = count_workers(c->conf);
	struct listeners *l;

	if (!inheritance_take(&c->inherited, c->conf))
		return false;
	c->connections = connlimit_new(descriptors_for_clients(c->conf->connections_max));
	c->rates = rates_new(c->conf->rate_names_max);
	c->loop = loop_new(c);
	if (c->loop != NULL)
		c->signals = signals_new(c->loop, true, on_signal, c);
	if (c->connections == NULL || c->rates == NULL || c->signals == NULL) {
		log_error("cannot start: out of memory or descriptors");
		return false;
	}
	timer_init(&c->settle, reload_settle, c);
	if (!open_state(c))
		return false;
	l = listeners_open(c->conf, c->inherited.listeners, n);
	if (l == NULL)
		return false;
	c->admin = control_open_admin(c, l);
	if (c->admin == NULL || !start_workers(c, n) || !open_heartbeat(c) || !listeners_tell(l)) {
		admin_free(c->admin);
		c->admin = NULL;
		listeners_remove_files(l, c->inherited.listeners);
		snapshot_drop(&l->snap);
		return false;
	}
	outside_tell_federations(&c->out);
	reload_listeners(c, l);
	return true;
}

static void
tell_started(struct control *c)
{
	if (c->inherited.listeners != NULL)
		snapshot_drop(&c->inherited.listeners->snap);
	c->inherited.listeners = NULL;
	inheritance_ready(&c->inherited);
	log_info("started: %u workers, %zu services, %zu listeners", c->n_workers,
	    c->conf->n_services, c->conf->n_listeners);
	(void)notify_send("READY=1\nSTATUS=Serving");
}

/* --- stop --- */

static void
stop(struct control *c)
{
	for (unsigned i = 0; i < c->n_workers; i++)
		worker_join(c->workers[i]);
	lookups_drop(c);
	admin_free(c->admin);
	tickets_close(c->tickets);
	staple_close(c->staples);
	outside_close(&c->out);
	for (unsigned i = 0; i < c->n_workers; i++)
		worker_free(c->workers[i]);
	free(c->workers);
	handover_free(c->handover);
	inheritance_fini(&c->inherited);
	if (c->listeners != NULL)
		snapshot_drop(&c->listeners->snap);
	if (c->invites != NULL)
		invites_close(c->invites);
	signals_free(c->signals);
	connlimit_free(c->connections);
	rates_free(c->rates);
	loop_free(c->loop);
	heartbeat_free(c->heartbeat);
	snapshot_drop(&c->conf->snap);
	arena_drop_cache();
	buf_drop_cache();
}

int
control_run(struct proxy_conf *conf, char *const *argv)
{
	struct control c = { .conf = conf, .argv = argv };
	bool ok;

	list_init(&c.questions);
	list_init(&c.invite_questions);
	log_threshold = conf->log_level;
	ok = start(&c);
	if (ok) {
		tell_started(&c);
		loop_run(c.loop);
	} else {
		for (unsigned i = 0; i < c.n_workers; i++)
			loop_stop(c.workers[i]->loop);
	}
	stop(&c);
	if (ok)
		log_info("stopped");
	log_flush();
	return ok ? 0 : 1;
}
