/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "proxy/accept.h"
#include "proxy/control.h"
#include "proxy/inbound.h"
#include "proxy/lookups.h"
#include "proxy/passage.h"
#include "proxy/series.h"

struct thread { /* what worker.h does not show */
	struct worker w;
	pthread_t id;
};

/* --- the thread --- */

static void
finish_drain(struct worker *w)
{
	loop_stop(w->loop);
}

static void
on_drain_timer(void *arg)
{
	struct worker *w = arg;

	log_warn("drain: %zu connections still busy at the deadline; closing them (timeouts.drain)",
	    w->http.n_conns + w->out.plain.n_conns + w->out.n_tunnels);
	finish_drain(w);
}

void
worker_look_drained(struct worker *w)
{
	if (w->draining && w->http.n_conns == 0 && !outward_busy(w) && !accept_waits(w))
		finish_drain(w);
}

static void
on_conn_closed(struct http_server *s, const struct http_conn *c)
{
	struct worker *w = s->owner;

	accept_closed(w, c);
	worker_look_drained(w);
}

static void
begin_drain(struct worker *w, bool alone)
{
	if (w->draining)
		return;
	accept_stop(w, alone);
	w->draining = true;
	http_server_drain(&w->http);
	outward_drain(w);
	timer_set(w->loop, &w->drain_timer, w->conf->drain_timeout);
	worker_look_drained(w);
}

static void
open_ended(struct letter *l, void *receiver) /* on the control thread */
{
	free(l);
	if (receiver != NULL)
		control_worker_ended(receiver);
}

static void
tell_ended(struct worker *w)
{
	struct letter *l = calloc(1, sizeof(*l));

	if (l == NULL)
		abort(); /* the control thread would wait for ever */
	l->open = open_ended;
	loop_post(control_loop(w->control), l);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "worker%u", w->number);
	log_thread(name);
	if (!metrics_thread())
		log_error("no memory for metrics; this worker counts nothing");
	loop_run(w->loop);
	http_server_fini(&w->http);
	outward_cut(w);
	lookups_close(w);
	arena_drop_cache();
	buf_drop_cache();
	log_flush();
	tell_ended(w);
	return NULL;
}

void
worker_free(struct worker *w)
{
	lookups_close(w);
	inbound_close(w);
	outward_close(w);
	loop_free(w->loop); /* frees what is buried and opens what is still in the mailbox */
	passage_drop_spares(w);
	free(w);
}

struct worker *
worker_start(struct control *control, unsigned number, unsigned n_workers, struct proxy_conf *conf,
    struct tls_tickets *tickets, struct tls_staples *staples,
    const unsigned char invite_key[INVITE_KEY_BYTES], char *why, size_t why_size)
{
	struct thread *t = calloc(1, sizeof(*t));
	struct worker *w;

	snprintf(why, why_size, "out of memory or descriptors");
	if (t == NULL)
		return NULL;
	w = &t->w;
	w->number = number;
	w->n_workers = n_workers;
	w->control = control;
	w->connections = control_connections(control);
	w->rates = control_rates(control);
	w->tickets = snapshot_hold(&tickets->snap);
	memcpy(w->invite_key, invite_key, INVITE_KEY_BYTES);
	w->loop = loop_new(w);
	if (w->loop == NULL)
		goto fail;
	http_server_init(&w->http, w->loop);
	w->http.closed = on_conn_closed;
	outward_init(w);
	accept_init(w);
	timer_init(&w->drain_timer, on_drain_timer, w);
	if (!inbound_adopt(w, conf, staples, why, why_size) || !lookups_open(w))
		goto fail;
	if (pthread_create(&t->id, NULL, worker_main, w) != 0) {
		snprintf(why, why_size, "cannot start a thread");
		goto fail;
	}
	return w;
fail:
	worker_free(w);
	return NULL;
}

void
worker_join(struct worker *w)
{
	pthread_join(((struct thread *)w)->id, NULL);
}

/* --- news --- */

struct news {
	struct letter letter;
	void (*apply)(struct worker *w, struct news *n);
	struct snapshot *snapshot; /* one reference */
	struct snapshot *staples;  /* one reference, or NULL */
	size_t number;
	int64_t as_of;
	bool up;
};

static void
open_news(struct letter *l, void *receiver)
{
	struct news *n = (struct news *)l;

	if (receiver != NULL)
		n->apply(receiver, n);
	snapshot_drop(n->snapshot);
	snapshot_drop(n->staples);
	free(n);
}

static bool
post_news(struct worker *w, const struct news *what)
{
	struct news *n = malloc(sizeof(*n));

	if (n == NULL)
		return false;
	*n = *what;
	n->letter.open = open_news;
	snapshot_hold(n->snapshot);
	snapshot_hold(n->staples);
	loop_post(w->loop, &n->letter);
	return true;
}

static bool
post(struct worker *w, void (*apply)(struct worker *, struct news *), struct snapshot *s)
{
	return post_news(w, &(struct news){ .apply = apply, .snapshot = s });
}

static void
apply_conf(struct worker *w, struct news *n)
{
	char why[256];

	w->left_behind = !inbound_adopt(w, (struct proxy_conf *)n->snapshot,
	    (struct tls_staples *)n->staples, why, sizeof(why));
	if (w->left_behind)
		log_error("reload: this worker keeps its old configuration, and its federation "
			  "lists will expire: %s",
		    why);
	else
		lookups_adopt(w);
}

static void
apply_tickets(struct worker *w, struct news *n)
{
	snapshot_drop((struct snapshot *)w->tickets);
	w->tickets = snapshot_hold(n->snapshot);
	tls_server_set_tickets(w->tls, w->tickets);
}

static void
apply_staples(struct worker *w, struct news *n)
{
	if (!w->left_behind) /* else they are those of other services */
		tls_server_set_staples(w->tls, (struct tls_staples *)n->snapshot);
}

static void
apply_list(struct worker *w, struct news *n)
{
	struct federation_view *v;

	/* Federations are numbered by the configuration in force on the control thread. */
	if (w->left_behind || n->number >= w->conf->n_federations)
		return;
	v = &w->federations[n->number];
	snapshot_drop((struct snapshot *)v->list);
	v->list = snapshot_hold(n->snapshot);
	v->as_of = n->as_of;
}

static void
apply_passports(struct worker *w, struct news *n)
{
	struct federation_view *v;

	if (w->left_behind || n->number >= w->conf->n_federations)
		return;
	v = &w->federations[n->number];
	snapshot_drop((struct snapshot *)v->passports);
	v->passports = snapshot_hold(n->snapshot);
}

static void
apply_health(struct worker *w, struct news *n)
{
	/* Addresses are numbered by the configuration. */
	if (w->conf == (struct proxy_conf *)n->snapshot)
		upstreams_set_health(w->upstreams, n->number, n->up);
}

static void
apply_forget(struct worker *w, struct news *n)
{
	(void)n;
	fact_clear(w->accounts);
}

static void
apply_listeners(struct worker *w, struct news *n)
{
	accept_adopt(w, (struct listeners *)n->snapshot);
}

static void
apply_drain(struct worker *w, struct news *n)
{
	(void)n;
	begin_drain(w, false);
}

static void
apply_drain_alone(struct worker *w, struct news *n)
{
	(void)n;
	begin_drain(w, true);
}

bool
worker_post_conf(struct worker *w, struct proxy_conf *conf, struct tls_staples *staples)
{
	return post_news(
	    w, &(struct news){
		   .apply = apply_conf, .snapshot = &conf->snap, .staples = &staples->snap });
}

bool
worker_post_staples(struct worker *w, struct tls_staples *staples)
{
	return post(w, apply_staples, &staples->snap);
}

bool
worker_post_listeners(struct worker *w, struct listeners *l)
{
	return post(w, apply_listeners, &l->snap);
}

bool
worker_post_tickets(struct worker *w, struct tls_tickets *tickets)
{
	return post(w, apply_tickets, &tickets->snap);
}

bool
worker_post_list(struct worker *w, size_t federation, const struct fedlist *list, int64_t as_of)
{
	return post_news(w, &(struct news){ .apply = apply_list,
				.snapshot = (struct snapshot *)(uintptr_t)list,
				.number = federation,
				.as_of = as_of });
}

bool
worker_post_passports(struct worker *w, size_t federation, struct passport_trust *trust)
{
	return post_news(w, &(struct news){ .apply = apply_passports,
				.snapshot = (struct snapshot *)trust,
				.number = federation });
}

bool
worker_post_health(struct worker *w, struct proxy_conf *conf, size_t number, bool up)
{
	return post_news(
	    w, &(struct news){
		   .apply = apply_health, .snapshot = &conf->snap, .number = number, .up = up });
}

bool
worker_post_forget(struct worker *w)
{
	return post(w, apply_forget, NULL);
}

bool
worker_post_drain(struct worker *w, bool alone)
{
	return post(w, alone ? apply_drain_alone : apply_drain, NULL);
}

/* -- what is in force -- */

/* The place of a federation in the configuration of this worker, which may be a newer one than the
 * request's that numbers them another way; n_federations: it has none of that name. */
static size_t
place_of(const struct worker *w, const struct federation_conf *f)
{
	const struct proxy_conf *conf = w->conf;
	size_t i = 0;

	while (i < conf->n_federations && &conf->federations[i] != f &&
	       strcmp(conf->federations[i].name, f->name) != 0)
		i++;
	return i;
}

void
worker_list(const struct worker *w, const struct federation_conf *f, int64_t now_s,
    const struct fedlist **list, bool *stale)
{
	size_t i = place_of(w, f);
	const struct federation_view *v = &w->federations[i];
	int64_t ttl, end;

	*list = i < w->conf->n_federations ? v->list : NULL;
	*stale = false;
	if (*list == NULL)
		return;
	ttl = (int64_t)(w->conf->federations[i].list_ttl / 1000);
	end = fedlist_not_after(v->list);
	*stale = now_s - v->as_of > ttl || (end != 0 && now_s > end);
}

const struct passport_trust *
worker_passports(const struct worker *w, const struct federation_conf *f)
{
	size_t i = place_of(w, f);

	if (i == w->conf->n_federations)
		return NULL;
	return w->federations[i].passports != NULL ? w->federations[i].passports
						   : w->conf->federations[i].passports;
}
