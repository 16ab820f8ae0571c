/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/fsutil.h"
#include "lib/net/listener.h"

/* --- endpoints --- */

static void
endpoint_free(struct snapshot *s)
{
	struct endpoint *e = (struct endpoint *)s;

	for (size_t i = 0; i < e->n; i++)
		close(e->sockets[i]);
	free(e);
}

struct endpoint *
endpoint_new(const char *key, bool activated, size_t max)
{
	struct endpoint *e = calloc(1, sizeof(*e) + max * sizeof(e->sockets[0]));

	if (e == NULL)
		return NULL;
	snapshot_init(&e->snap, endpoint_free);
	snprintf(e->key, sizeof(e->key), "%s", key);
	e->activated = activated;
	return e;
}

void
endpoint_add(struct endpoint *e, int fd)
{
	e->sockets[e->n++] = fd;
}

void
endpoint_share(const struct endpoint *e, unsigned worker, unsigned n_workers,
    void (*fn)(void *arg, int fd), void *arg)
{
	size_t n = e->n > n_workers ? e->n : n_workers;

	for (size_t i = worker; i < n; i += n_workers)
		fn(arg, e->sockets[i % e->n]);
}

char *
listeners_key(const struct conf_address *a, char out[LISTENERS_KEY_MAX])
{
	unsigned char ip[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];

	if (a->unix_path != NULL)
		snprintf(out, LISTENERS_KEY_MAX, "unix:%s", a->unix_path);
	else if (inet_pton(AF_INET6, a->host, ip) == 1)
		snprintf(out, LISTENERS_KEY_MAX, "[%s]:%u",
		    inet_ntop(AF_INET6, ip, text, sizeof(text)), a->port);
	else
		snprintf(out, LISTENERS_KEY_MAX, "%s:%u", a->host, a->port);
	return out;
}

/* --- binding --- */

static int
bind_address(const struct conf_address *a, uint16_t port, const char *what)
{
	int fd = listener_bind(a->unix_path, a->host, port);

	if (fd < 0)
		log_error("%s: cannot listen on %s: %s%s", what, a->text, strerror(errno),
		    errno == EACCES       ? " (ports below 1024 need CAP_NET_BIND_SERVICE)"
		    : errno == EADDRINUSE ? " (another process uses it)"
					  : "");
	return fd;
}

static uint16_t
port_of(int fd)
{
	struct sockaddr_storage s;
	socklen_t len = sizeof(s);

	if (getsockname(fd, (struct sockaddr *)&s, &len) != 0)
		return 0;
	return ntohs(s.ss_family == AF_INET6  ? ((struct sockaddr_in6 *)&s)->sin6_port
		     : s.ss_family == AF_INET ? ((struct sockaddr_in *)&s)->sin_port
					      : 0);
}

/* The first socket's choice of a free port holds for all. */
static struct endpoint *
bind_endpoint(const struct conf_address *a, unsigned n, const char *what)
{
	char key[LISTENERS_KEY_MAX];
	struct endpoint *e = endpoint_new(listeners_key(a, key), false, n);
	uint16_t port = a->port;

	if (e == NULL)
		log_error("%s: out of memory", what);
	for (unsigned i = 0; e != NULL && i < n; i++) {
		int fd = bind_address(a, port, what);

		if (fd < 0) {
			snapshot_drop(&e->snap);
			return NULL;
		}
		endpoint_add(e, fd);
		if (i == 0 && a->unix_path == NULL)
			port = port_of(fd);
	}
	return e;
}

/* Whether we listen on this port ourselves, at whatever address. */
static bool
is_own_port(const struct listeners *had, uint16_t port)
{
	for (size_t i = 0; had != NULL && i < had->n; i++)
		if (port_of(had->of[i].endpoint->sockets[0]) == port)
			return true;
	return false;
}

static void
complain_taken(const struct conf_address *a)
{
	log_error("listener: cannot listen on %s: another process, perhaps another "
		  "schleuse-proxy, uses it",
	    a->text);
}

/* One socket, which all workers share. */
static struct endpoint *
bind_unix(const struct listener_conf *conf)
{
	const struct conf_address *a = &conf->address;
	char key[LISTENERS_KEY_MAX];
	struct endpoint *e;
	int fd;

	if (listener_taken_unix(a->unix_path)) {
		complain_taken(a);
		return NULL;
	}
	fd = listener_bind_unix(a->unix_path, conf->mode);
	if (fd < 0) {
		log_error("listener: cannot listen on %s: %s%s", a->text, strerror(errno),
		    errno == EEXIST   ? " (the file is no socket)"
		    : errno == ENOENT ? " (the folder is not there)"
		    : errno == EACCES ? " (the folder must be writable by the daemon)"
				      : "");
		return NULL;
	}
	e = endpoint_new(listeners_key(a, key), false, 1);
	if (e != NULL) {
		endpoint_add(e, fd);
		return e;
	}
	log_error("listener: out of memory");
	close(fd);
	unlink(a->unix_path);
	return NULL;
}

static struct endpoint *
bind_listener(const struct listener_conf *conf, const struct listeners *had, unsigned n_workers)
{
	const struct conf_address *a = &conf->address;

	if (a->unix_path != NULL)
		return bind_unix(conf);
	if (!is_own_port(had, a->port) && listener_taken(a->host, a->port)) {
		complain_taken(a);
		return NULL;
	}
	return bind_endpoint(a, n_workers, "listener");
}

/* --- sets --- */

static void
listeners_free(struct snapshot *s)
{
	struct listeners *l = (struct listeners *)s;

	for (size_t i = 0; i < l->n; i++)
		snapshot_drop(&l->of[i].endpoint->snap);
	if (l->admin != NULL)
		snapshot_drop(&l->admin->snap);
	if (l->conf != NULL)
		snapshot_drop(&l->conf->snap);
	free(l);
}

static struct listeners *
set_new(struct proxy_conf *conf, size_t max)
{
	struct listeners *l = calloc(1, sizeof(*l) + max * sizeof(l->of[0]));

	if (l == NULL)
		return NULL;
	snapshot_init(&l->snap, listeners_free);
	if (conf != NULL)
		l->conf = snapshot_hold(&conf->snap);
	return l;
}

static bool
holds(const struct listeners *l, const struct endpoint *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->of[i].endpoint == e)
			return true;
	return l->admin == e;
}

/* Whether somebody has removed the file of a unix socket: who connects there does not come to us.
 */
static bool
is_lost(const struct endpoint *e, const struct conf_address *a)
{
	if (a->unix_path == NULL || e->activated || listener_taken_unix(a->unix_path))
		return false;
	log_warn("listener %s: its file was removed; it is made anew", a->text);
	return true;
}

/* A listener of `had` for this address that `l` does not yet use, or NULL.  The file of a unix
 * socket that is being given up is gone. */
static const struct listening *
find(const struct listeners *l, const struct listeners *had, const struct conf_address *a)
{
	char key[LISTENERS_KEY_MAX];

	listeners_key(a, key);
	for (size_t i = 0; had != NULL && i < had->n; i++)
		if (strcmp(had->of[i].endpoint->key, key) == 0 && !holds(l, had->of[i].endpoint) &&
		    (a->unix_path == NULL || had->of[i].until == 0) &&
		    !is_lost(had->of[i].endpoint, a))
			return &had->of[i];
	return NULL;
}

static void
append(struct listeners *l, struct endpoint *e, const struct listener_conf *conf)
{
	l->of[l->n++] = (struct listening){ .endpoint = e, .kind = conf->kind, .conf = conf };
}

static struct endpoint *
open_admin(const struct listeners *had, const struct conf_address *a)
{
	char key[LISTENERS_KEY_MAX];

	if (had != NULL && had->admin != NULL &&
	    strcmp(had->admin->key, listeners_key(a, key)) == 0 && !is_lost(had->admin, a))
		return snapshot_hold(&had->admin->snap);
	if (a->unix_path == NULL && listener_taken(a->host, a->port)) {
		log_error("admin: cannot listen on %s: a listener of this configuration or another "
			  "process uses it",
		    a->text);
		return NULL;
	}
	return bind_endpoint(a, 1, "admin");
}

static bool
open_all(struct listeners *l, const struct listeners *had, unsigned n_workers)
{
	const struct proxy_conf *conf = l->conf;

	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct conf_address *a = &conf->listeners[i].address;
		const struct listening *old = find(l, had, a);
		struct endpoint *e = old != NULL
					 ? snapshot_hold(&old->endpoint->snap)
					 : bind_listener(&conf->listeners[i], had, n_workers);

		if (e == NULL)
			return false;
		append(l, e, &conf->listeners[i]);
	}
	l->admin = open_admin(had, &conf->admin);
	return l->admin != NULL;
}

struct listeners *
listeners_open(struct proxy_conf *conf, struct listeners *had, unsigned n_workers)
{
	struct listeners *l = set_new(conf, conf->n_listeners + (had != NULL ? had->n : 0));

	if (l == NULL) {
		log_error("listeners: out of memory");
		return NULL;
	}
	if (!open_all(l, had, n_workers)) {
		listeners_remove_files(l, had);
		snapshot_drop(&l->snap);
		return NULL;
	}
	for (size_t i = 0; had != NULL && i < had->n; i++) {
		const struct listening *of = &had->of[i];

		if (!holds(l, of->endpoint))
			l->of[l->n++] = (struct listening){
				.endpoint = snapshot_hold(&of->endpoint->snap),
				.kind = of->kind,
				.until =
				    of->until != 0 ? of->until : clock_now() + LISTENERS_SETTLE_MS,
			};
	}
	return l;
}

bool
listeners_refuse(const struct listeners *l)
{
	bool any = false;

	for (size_t i = 0; i < l->n; i++) {
		const struct endpoint *e = l->of[i].endpoint;
		bool refuse = l->of[i].until != 0;

		any |= refuse;
		/* Those of the service manager must go on: it will pass them again.  A unix socket
		 * has no handshake to refuse, and its file has gone. */
		for (size_t k = 0; !e->activated && !endpoint_is_unix(e) && k < e->n; k++)
			if (!listener_refuse(e->sockets[k], refuse) && refuse)
				log_warn("listener %s: cannot hold back new connections before it "
					 "is closed: %s",
				    e->key, strerror(errno));
	}
	return any;
}

struct listeners *
listeners_settle(struct listeners *l, clock_ms now)
{
	struct listeners *s = set_new(l->conf, l->n);

	if (s == NULL)
		return NULL;
	s->admin = snapshot_hold(&l->admin->snap);
	for (size_t i = 0; i < l->n; i++) {
		const struct listening *of = &l->of[i];

		if (of->until > 0 && of->until <= now)
			continue;
		s->of[s->n] = *of;
		snapshot_hold(&s->of[s->n++].endpoint->snap);
	}
	return s;
}

struct listeners *
listeners_inherit(const struct listening *of, size_t n, struct endpoint *admin)
{
	struct listeners *l = set_new(NULL, n);

	for (size_t i = 0; i < n; i++) {
		if (l != NULL)
			l->of[l->n++] = of[i];
		else
			snapshot_drop(&of[i].endpoint->snap);
	}
	if (l != NULL)
		l->admin = admin;
	else if (admin != NULL)
		snapshot_drop(&admin->snap);
	return l;
}

/* --- addresses_file --- */

bool
listeners_tell(const struct listeners *l)
{
	const char *path = l->conf->addresses_file, *comma = "";
	char text[256];
	struct buf b;
	bool ok;

	if (path == NULL)
		return true;
	buf_init(&b, 65536);
	ok = buf_printf(&b, "{\"listeners\":[");
	for (size_t i = 0; ok && i < l->n && l->of[i].until == 0; i++) {
		ok = buf_printf(&b, "%s\"%s\"", comma,
		    listener_address(l->of[i].endpoint->sockets[0], text, sizeof(text)));
		comma = ",";
	}
	ok = ok &&
	     buf_printf(&b, "],\"admin\":\"%s\"}\n",
		 listener_address(l->admin->sockets[0], text, sizeof(text))) &&
	     fs_replace(path, buf_str(&b), 0644) == 0;
	if (!ok)
		log_error("addresses_file: cannot write %s: %s", path, strerror(errno));
	buf_fini(&b);
	return ok;
}
