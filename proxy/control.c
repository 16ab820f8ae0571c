/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - starts everything, keeps it current, stops it.
 *
 * start: configuration is loaded, sockets are bound, look-ups and lists set up, workers started,
 * admin listener opened.  SIGHUP: a new configuration is loaded and checked whole, then put in
 * force here and posted to the workers.  SIGTERM: workers drain; when the last has ended so does
 * the daemon.
 */
#include "proxy/control.h"

#include <errno.h>
#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fsutil.h"
#include "lib/base/rates.h"
#include "lib/daemon/admin.h"
#include "lib/net/connlimit.h"
#include "proxy/inbound.h"
#include "proxy/lookups.h"
#include "proxy/outside.h"
#include "proxy/series.h"
#include "proxy/staple.h"
#include "proxy/tickets.h"
#include "proxy/worker.h"

struct control {
	struct loop *loop;
	struct proxy_conf *conf;
	struct outside out;
	struct invites *invites;
	struct tickets *tickets;
	struct connlimit *connections;
	struct rates *rates;
	struct staple_keeper *staples;
	struct worker **workers;
	unsigned n_workers, n_ended;
	struct list questions;
	struct admin *admin;
	struct event *signals;
	int signal_fd;
	bool draining;
};

/* --- federation lists --- */

static void
on_list(void *arg, size_t federation, const struct fedlist *list, int64_t as_of)
{
	struct control *c = arg;

	/* Sources look from the loop, so one of a configuration not yet in force, which numbers its
	 * federations its own way, never gets here: adopt() comes first. */
	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_list(c->workers[i], federation, list, as_of))
			log_error("federation %s: out of memory; a worker keeps its old list",
			    c->conf->federations[federation].name);
}

/* --- health of upstreams --- */

static void
on_health(void *arg, size_t number, bool up)
{
	struct control *c = arg;

	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_health(c->workers[i], c->conf, number, up))
			log_error("upstreams: out of memory; a worker does not know which is down");
}

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

struct list *
control_questions(struct control *c)
{
	return &c->questions;
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

/* --- tickets --- */

static void
on_tickets(void *arg, struct tls_tickets *now)
{
	struct control *c = arg;

	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_tickets(c->workers[i], now))
			log_warn("tls: a worker keeps its old ticket keys: out of memory");
}

static void
on_staples(void *arg, struct tls_staples *now)
{
	struct control *c = arg;

	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_staples(c->workers[i], now))
			log_warn("tls: a worker keeps its old OCSP responses: out of memory");
}

/* --- reload --- */

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

static void
warn_restart(const struct proxy_conf *old, const struct proxy_conf *new)
{
	struct buf what;

	buf_init(&what, 65536);
	if (proxy_conf_needs_restart(old, new, &what))
		log_warn("reload: these settings changed but need a restart: " STR_FMT,
		    STR_ARG(buf_str(&what)));
	buf_fini(&what);
}

static void
adopt(
    struct control *c, struct proxy_conf *conf, struct outside *out, struct staple_keeper *staples)
{
	struct outside old = c->out;
	struct proxy_conf *old_conf = c->conf;

	warn_restart(old_conf, conf);
	c->out = *out;
	c->conf = conf;
	log_threshold = conf->log_level;
	invites_set_limits(c->invites, conf->invites_max, conf->invites_ttl);
	tickets_adopt(c->tickets, conf, out->redis);
	staple_close(c->staples);
	c->staples = staples;
	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_conf(c->workers[i], conf, staple_now(staples)))
			log_error("reload: a worker keeps its old configuration: out of memory");
	/* Under new trust anchors an old list may no longer count: what the new store holds is
	 * posted, even nothing. */
	outside_tell_lists(out);
	health_carry(out->health, old.health);
	health_tell(out->health);
	lookups_ask_again(c);
	outside_close(&old);
	snapshot_drop(&old_conf->snap);
}

static void
reload(struct control *c)
{
	struct outside out = { 0 };
	struct proxy_conf *conf;
	struct staple_keeper *staples = NULL;
	struct tls_server *trial = NULL;
	struct buf errors;
	char why[256] = "";

	log_info("reload: reading %s", c->conf->path);
	buf_init(&errors, 1 << 20);
	conf = proxy_conf_load(c->conf->path, &errors);
	if (conf != NULL)
		trial = inbound_tls(conf, tickets_now(c->tickets), why, sizeof(why));
	if (conf == NULL)
		log_lines(LOG_ERROR, "reload: ", buf_str(&errors));
	else if (trial == NULL)
		log_error("reload: %s", why);
	if (trial != NULL && outside_open(&out, &c->out, c->loop, conf, on_list, on_health, c))
		staples = staple_open(c->loop, conf, out.fetcher, on_staples, c);
	if (staples != NULL) {
		adopt(c, conf, &out, staples);
		metrics_inc(S_RELOADS);
		log_info("reload: the new configuration is in force");
	} else {
		outside_close(&out);
		if (conf != NULL)
			snapshot_drop(&conf->snap);
		metrics_inc(S_RELOADS_REFUSED);
		log_error("reload: refused; the old configuration stays in force");
	}
	tls_server_free(trial);
	buf_fini(&errors);
}

/* --- signals --- */

static void
drain(struct control *c, const char *why)
{
	if (c->draining)
		return;
	c->draining = true;
	log_info("%s: draining; at most %llu s", why,
	    (unsigned long long)(c->conf->drain_timeout / 1000));
	for (unsigned i = 0; i < c->n_workers; i++)
		if (!worker_post_drain(c->workers[i]))
			loop_stop(c->workers[i]->loop);
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	struct signalfd_siginfo s;

	(void)what;
	while (read(fd, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
		if (s.ssi_signo != SIGHUP)
			drain(c, s.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
		else if (!c->draining)
			reload(c);
	}
}

static bool
watch_signals(struct control *c)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	/* Before any thread is started, so that all inherit it. */
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return false;
	c->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (c->signal_fd < 0)
		return false;
	c->signals =
	    event_new(loop_base(c->loop), c->signal_fd, EV_READ | EV_PERSIST, on_signal, c);
	return c->signals != NULL && event_add(c->signals, NULL) == 0;
}

/* --- admin --- */

static void
missing(void *arg, struct buf *out)
{
	struct control *c = arg;
	int64_t now = clock_wall_s();
	bool ok = !c->draining || buf_printf(out, "draining\n");

	for (size_t i = 0; ok && i < c->out.n_lists; i++) {
		const struct federation_conf *fc = &c->conf->federations[i];
		struct fedstore *s = c->out.lists[i].store;
		int64_t age = now - fedstore_as_of(s), end;

		if (fedstore_list(s) == NULL) {
			ok = buf_printf(out, "federation %s: no valid list\n", fc->name);
			continue;
		}
		end = fedlist_not_after(fedstore_list(s));
		if (age > (int64_t)(fc->list_ttl / 1000) || (end != 0 && now > end))
			ok = buf_printf(out, "federation %s: list is outdated (%lld s old)\n",
			    fc->name, (long long)age);
	}
}

static void
refresh(void *arg)
{
	struct control *c = arg;
	int64_t ends = 0;

	for (size_t i = 0; i < c->conf->n_services; i++)
		if (ends == 0 || c->conf->services[i].certificate_not_after < ends)
			ends = c->conf->services[i].certificate_not_after;
	metrics_set(S_CERTIFICATE_NOT_AFTER, ends);
	metrics_set(S_INVITES_HELD, (int64_t)invites_count(c->invites));
	for (size_t i = 0; i < c->out.n_lists; i++) {
		struct fedsource_state st = fedsource_state(c->out.lists[i].source);

		metrics_set(S_LIST_VERSION, st.version);
		metrics_set(S_LIST_ENTRIES, (int64_t)st.count);
		metrics_set(S_LIST_AS_OF, st.as_of);
	}
}

static bool
more_metrics(void *arg, struct buf *out)
{
	struct control *c = arg;

	return health_print(c->out.health, out);
}

/* --- start --- */

static int
bind_address(const struct conf_address *a, const char *what)
{
	int fd = listener_bind(a->unix_path, a->host, a->port);

	if (fd < 0)
		log_error("%s: cannot listen on %s: %s%s", what, a->text, strerror(errno),
		    errno == EACCES       ? " (ports below 1024 need CAP_NET_BIND_SERVICE)"
		    : errno == EADDRINUSE ? " (another process uses it)"
					  : "");
	return fd;
}

/* One socket per listener for one worker; the first worker's choice of a free port holds for all.
 */
static bool
bind_worker(struct proxy_conf *conf, int *sockets, const int *first)
{
	for (size_t i = 0; i < conf->n_listeners; i++) {
		struct conf_address a = conf->listeners[i].address;

		if (first != NULL && a.port == 0) {
			struct sockaddr_storage s;
			socklen_t len = sizeof(s);

			if (getsockname(first[i], (struct sockaddr *)&s, &len) == 0)
				a.port = ntohs(s.ss_family == AF_INET6
						   ? ((struct sockaddr_in6 *)&s)->sin6_port
						   : ((struct sockaddr_in *)&s)->sin_port);
		}
		if (first == NULL && a.unix_path == NULL && listener_taken(a.host, a.port)) {
			log_error("listener: cannot listen on %s: another process, perhaps another "
				  "schleuse-proxy, uses it",
			    a.text);
			sockets[i] = -1;
		} else {
			sockets[i] = bind_address(&a, "listener");
		}
		if (sockets[i] < 0) {
			while (i-- > 0)
				close(sockets[i]);
			return false;
		}
	}
	return true;
}

static bool
write_addresses(const struct proxy_conf *conf, const int *sockets, int admin)
{
	char text[256];
	struct buf b;
	bool ok;

	if (conf->addresses_file == NULL)
		return true;
	buf_init(&b, 65536);
	ok = buf_printf(&b, "{\"listeners\":[");
	for (size_t i = 0; ok && i < conf->n_listeners; i++)
		ok = buf_printf(&b, "%s\"%s\"", i > 0 ? "," : "",
		    listener_address(sockets[i], text, sizeof(text)));
	ok = ok &&
	     buf_printf(&b, "],\"admin\":\"%s\"}\n", listener_address(admin, text, sizeof(text))) &&
	     fs_replace(conf->addresses_file, buf_str(&b), 0644) == 0;
	if (!ok)
		log_error(
		    "addresses_file: cannot write %s: %s", conf->addresses_file, strerror(errno));
	buf_fini(&b);
	return ok;
}

static unsigned
count_workers(const struct proxy_conf *conf)
{
	cpu_set_t set;

	if (conf->workers > 0)
		return conf->workers;
	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static bool
start_workers(struct control *c, int admin_socket)
{
	unsigned n = count_workers(c->conf);
	int *sockets = calloc((size_t)n * c->conf->n_listeners, sizeof(*sockets));
	unsigned bound = 0;
	char why[256];
	bool ok = sockets != NULL;

	c->workers = calloc(n, sizeof(struct worker *));
	ok = ok && c->workers != NULL;
	for (; ok && bound < n; bound++)
		ok = bind_worker(
		    c->conf, &sockets[bound * c->conf->n_listeners], bound > 0 ? sockets : NULL);
	ok = ok && write_addresses(c->conf, sockets, admin_socket);
	for (unsigned i = 0; ok && i < n; i++) {
		struct worker *w = worker_start(c, i, c->conf, tickets_now(c->tickets),
		    staple_now(c->staples), &sockets[i * c->conf->n_listeners],
		    c->conf->n_listeners, invites_key(c->invites)->bytes, why, sizeof(why));

		ok = w != NULL;
		if (ok)
			c->workers[c->n_workers++] = w;
		else
			log_error("worker %u cannot start: %s", i, why);
	}
	free(sockets);
	return ok;
}

static uint64_t
raise_descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return UINT64_MAX;
	if (r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	return r.rlim_cur;
}

/* A quarter of the descriptors is kept from clients: for homeservers, look-ups, files. */
static struct connlimit *
count_connections(const struct proxy_conf *conf)
{
	uint64_t descriptors = raise_descriptor_limit(), ceiling = descriptors / 4 * 3;

	if (ceiling < conf->connections_max)
		log_warn("limits.connections_max: %llu descriptors allow %llu connections; raise "
			 "LimitNOFILE",
		    (unsigned long long)descriptors, (unsigned long long)ceiling);
	return connlimit_new(ceiling);
}

static bool
start(struct control *c)
{
	const struct proxy_conf *conf = c->conf;
	const struct invites_config ic = {
		.state_dir = conf->state_dir, .max = conf->invites_max, .ttl = conf->invites_ttl
	};
	const struct outside none = { 0 };
	struct admin_config ac = {
		.missing = missing, .refresh = refresh, .more = more_metrics, .arg = c
	};

	c->connections = count_connections(conf);
	c->rates = rates_new(conf->rate_names_max);
	c->loop = loop_new(c);
	if (c->connections == NULL || c->rates == NULL || c->loop == NULL || !watch_signals(c)) {
		log_error("cannot start: out of memory or descriptors");
		return false;
	}
	if (invites_open(c->loop, &ic, &c->invites) != OK) {
		log_error("cannot start: state_dir %s: see the line above, or out of memory",
		    conf->state_dir);
		return false;
	}
	if (!outside_open(&c->out, &none, c->loop, c->conf, on_list, on_health, c))
		return false;
	c->tickets = tickets_open(c->loop, c->conf, c->out.redis, on_tickets, c);
	c->staples = staple_open(c->loop, c->conf, c->out.fetcher, on_staples, c);
	if (c->tickets == NULL || c->staples == NULL) {
		log_error("cannot start: out of memory");
		return false;
	}
	ac.socket = bind_address(&conf->admin, "admin");
	if (ac.socket < 0)
		return false;
	c->admin = admin_new(c->loop, &ac);
	if (c->admin == NULL) {
		close(ac.socket);
		return false;
	}
	if (!start_workers(c, ac.socket))
		return false;
	outside_tell_lists(&c->out);
	return true;
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
	if (c->invites != NULL)
		invites_close(c->invites);
	if (c->signals != NULL)
		event_free(c->signals);
	if (c->signal_fd >= 0)
		close(c->signal_fd);
	connlimit_free(c->connections);
	rates_free(c->rates);
	loop_free(c->loop);
	snapshot_drop(&c->conf->snap);
	arena_drop_cache();
	buf_drop_cache();
}

int
control_run(struct proxy_conf *conf)
{
	struct control c = { .conf = conf, .signal_fd = -1 };
	bool ok;

	list_init(&c.questions);
	log_threshold = conf->log_level;
	ok = start(&c);
	if (ok) {
		log_info("started: %u workers, %zu services, %zu listeners", c.n_workers,
		    conf->n_services, conf->n_listeners);
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
