/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver - c-ares on the loop.
 *
 * c-ares cannot cancel one query, so each has an object of its own which outlives its asker; the
 * answer is copied into it and told from a deferred task.  A query is in `all` from start to end.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/net/resolver_int.h"

struct watch { /* a socket c-ares waits on */
	struct list node;
	struct resolver *resolver;
	struct event *event;
	ares_socket_t fd;
};

/* --- c-ares on the loop --- */

static void
schedule(struct resolver *r)
{
	struct timeval tv, *next = ares_timeout(r->channel, NULL, &tv);

	if (next == NULL)
		timer_clear(&r->timer);
	else
		timer_set(r->loop, &r->timer,
		    (clock_ms)next->tv_sec * 1000 + (clock_ms)next->tv_usec / 1000 + 1);
}

static void
on_timer(void *arg)
{
	struct resolver *r = arg;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	schedule(r);
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg; /* not the watch: c-ares may close it in here */

	ares_process_fd(r->channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
	    what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	schedule(r);
}

static struct watch *
watch_of(struct resolver *r, ares_socket_t fd)
{
	struct watch *w;

	LIST_FOR(node, &r->watches) {
		w = LIST_ENTRY(node, struct watch, node);
		if (w->fd == fd)
			return w;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NULL;
	w->fd = fd;
	list_init(&w->node);
	list_append(&r->watches, &w->node);
	return w;
}

static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	struct watch *w = watch_of(r, fd);

	if (w == NULL)
		return; /* the query ends by its time-out */
	if (w->event != NULL)
		event_free(w->event);
	w->event = NULL;
	if (what == 0) {
		list_remove(&w->node);
		free(w);
		return;
	}
	w->event = event_new(loop_base(r->loop), fd, (short)(what | EV_PERSIST), on_socket, r);
	if (w->event != NULL)
		event_add(w->event, NULL);
}

/* --- queries --- */

static void
free_query(struct resolver_query *q)
{
	if (q->req != NULL)
		q->req->query = NULL;
	task_cancel(&q->task);
	list_remove(&q->node);
	free(q);
}

static void
tell(void *arg)
{
	struct resolver_query *q = arg;
	struct resolver_req *req = q->req;

	q->req = NULL;
	if (req == NULL) {
		free_query(q);
		return;
	}
	req->query = NULL;
	req->ttl_ms = q->ttl_ms;
	req->none = q->none;
	/* The answer must survive whatever the asker does, closing the resolver included. */
	list_remove(&q->node);
	if (q->kind == RESOLVER_ADDRS)
		req->on_addrs(req->arg, q->err, q->addrs, q->n);
	else
		req->on_services(req->arg, q->err, q->services, q->n);
	free_query(q);
}

static struct resolver_query *
start(struct resolver *r, struct resolver_req *req, enum resolver_kind kind)
{
	struct resolver_query *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->resolver = r;
	q->kind = kind;
	q->req = req;
	req->query = q;
	task_init(&q->task, tell, q);
	list_init(&q->node);
	list_append(&r->all, &q->node);
	return q;
}

void
resolver_query_end(struct resolver_query *q, enum err err)
{
	q->flying = false;
	q->err = err;
	if (err != OK)
		q->n = 0;
	if (q->resolver->closing)
		free_query(q);
	else
		task_defer(q->resolver->loop, &q->task);
}

static bool
find_fixed(struct resolver *r, struct str host, struct resolver_query *q)
{
	bool found = false;

	for (size_t i = 0; i < r->n_fixed; i++) {
		if (!str_eq_ci(r->fixed[i].name, host))
			continue;
		found = true;
		if (q == NULL || q->n == RESOLVER_MAX_ANSWERS)
			continue;
		if (address_from(&r->fixed[i].address.sa, q->port, &q->addrs[q->n]))
			q->n++;
	}
	return found;
}

/* The whole name, NUL-terminated. */
static bool
full_name(char out[RESOLVER_NAME_MAX + 1], struct str service, struct str host)
{
	int n;

	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	if (host.n == 0 || host.n >= RESOLVER_NAME_MAX || memchr(host.p, '\0', host.n) != NULL)
		return false;
	n = snprintf(out, RESOLVER_NAME_MAX + 1, STR_FMT "%s" STR_FMT, STR_ARG(service),
	    service.n > 0 ? "." : "", STR_ARG(host));
	return n > 0 && n <= RESOLVER_NAME_MAX;
}

/* What needs no name server. */
static bool
know_addrs(struct resolver *r, struct str host, struct resolver_query *q)
{
	q->ttl_ms = RESOLVER_TTL_FIXED;
	if (address_parse(host, q->port, &q->addrs[0])) {
		q->n = 1;
		resolver_query_end(q, OK);
	} else if (find_fixed(r, host, q)) {
		resolver_query_end(q, OK);
	} else if (!full_name(q->name, STR_NONE, host)) {
		q->none = true;
		resolver_query_end(q, ERR_DNS);
	} else {
		return false;
	}
	return true;
}

bool
resolver_addrs(struct resolver *r, struct str host, uint16_t port, struct resolver_req *req,
    void (*fn)(void *arg, enum err err, const struct address *addrs, size_t n), void *arg)
{
	const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	struct resolver_query *q;

	resolver_cancel(req);
	req->on_addrs = fn;
	req->arg = arg;
	q = start(r, req, RESOLVER_ADDRS);
	if (q == NULL)
		return false;
	q->port = port;
	if (know_addrs(r, host, q))
		return true;
	q->flying = true;
	ares_getaddrinfo(r->channel, q->name, NULL, &hints, resolver_on_addrinfo, q);
	schedule(r);
	return true;
}

bool
resolver_services(struct resolver *r, struct str service, struct str host, struct resolver_req *req,
    void (*fn)(void *arg, enum err err, const struct resolver_service *s, size_t n), void *arg)
{
	struct resolver_query *q;

	resolver_cancel(req);
	req->on_services = fn;
	req->arg = arg;
	q = start(r, req, RESOLVER_SERVICES);
	if (q == NULL)
		return false;
	if (find_fixed(r, host, NULL) || !full_name(q->name, service, host)) {
		q->none = true;
		q->ttl_ms = RESOLVER_TTL_FIXED;
		resolver_query_end(q, ERR_NOT_FOUND);
		return true;
	}
	q->flying = true;
	ares_query(r->channel, q->name, RESOLVER_CLASS_IN, DNS_TYPE_SRV, resolver_on_srv, q);
	schedule(r);
	return true;
}

void
resolver_req_init(struct resolver_req *q)
{
	*q = (struct resolver_req){ 0 };
}

void
resolver_cancel(struct resolver_req *req)
{
	struct resolver_query *q = req->query;

	req->query = NULL;
	if (q == NULL)
		return;
	q->req = NULL;
	if (!q->flying)
		free_query(q);
}

/* --- the resolver --- */

static bool
set_fixed(struct resolver *r, const struct resolver_config *cfg)
{
	if (cfg->n_hosts == 0)
		return true;
	r->fixed = calloc(cfg->n_hosts, sizeof(*r->fixed));
	if (r->fixed == NULL)
		return false;
	for (size_t i = 0; i < cfg->n_hosts; i++) {
		char *name = strdup(cfg->hosts[i].name);

		if (name == NULL)
			return false;
		r->fixed[r->n_fixed].name = str_z(name);
		if (!address_parse(
			str_z(cfg->hosts[i].address), 0, &r->fixed[r->n_fixed++].address)) {
			log_error("resolver: fixed host %s: '%s' is not an IP address", name,
			    cfg->hosts[i].address);
			return false;
		}
	}
	return true;
}

static bool
set_nameservers(struct resolver *r, const struct resolver_config *cfg)
{
	struct buf csv;
	bool ok = true;

	if (cfg->n_nameservers == 0)
		return true;
	buf_init(&csv, 4096);
	for (size_t i = 0; ok && i < cfg->n_nameservers; i++)
		ok = buf_printf(&csv, "%s%s", i > 0 ? "," : "", cfg->nameservers[i]);
	ok = ok && buf_put(&csv, str_of("", 1));
	if (ok && ares_set_servers_ports_csv(r->channel, buf_str(&csv).p) != ARES_SUCCESS) {
		log_error("resolver: name servers '%s' are malformed: use ip or ip:port",
		    buf_str(&csv).p);
		ok = false;
	}
	buf_fini(&csv);
	return ok;
}

static bool
open_channel(struct resolver *r, const struct resolver_config *cfg)
{
	/* Names are absolute: the system's search domains and aliases do not apply. */
	struct ares_options opt = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = cfg->timeout_ms > 0 ? (int)cfg->timeout_ms : 2000,
		.tries = cfg->tries > 0 ? (int)cfg->tries : 3,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = r };
	int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;

#ifdef ARES_OPT_QUERY_CACHE
	/* Since 1.31 c-ares keeps answers; how long they are kept is our askers' business. */
	opt.qcache_max_ttl = 0;
	given |= ARES_OPT_QUERY_CACHE;
#endif
	return ares_init_options(&r->channel, &opt, given) == ARES_SUCCESS;
}

struct resolver *
resolver_new(struct loop *loop, const struct resolver_config *cfg)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->loop = loop;
	timer_init(&r->timer, on_timer, r);
	list_init(&r->watches);
	list_init(&r->all);
	if (!open_channel(r, cfg) || !set_nameservers(r, cfg) || !set_fixed(r, cfg)) {
		resolver_free(r);
		return NULL;
	}
	return r;
}

void
resolver_free(struct resolver *r)
{
	struct list *node;

	if (r == NULL)
		return;
	r->closing = true;
	timer_clear(&r->timer);
	if (r->channel != NULL)
		ares_destroy(r->channel); /* ends every flying query and closes every socket */
	while ((node = list_first(&r->all)) != NULL)
		free_query(LIST_ENTRY(node, struct resolver_query, node));
	while ((node = list_first(&r->watches)) != NULL) {
		struct watch *w = LIST_ENTRY(node, struct watch, node);

		list_remove(node);
		if (w->event != NULL)
			event_free(w->event);
		free(w);
	}
	for (size_t i = 0; i < r->n_fixed; i++)
		free((void *)(uintptr_t)r->fixed[i].name.p);
	free(r->fixed);
	free(r);
}
