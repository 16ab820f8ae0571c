/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_changes - requests that wait until the federation list or the certificates are others than
 * the client has (FD-5.2.1.2-13; FDS-2.6.4.2-4 to -7, FDS-2.6.5.2-5: each client waits under its
 * own subscription, and can do nothing else here).  A client that is revoked meanwhile hears no
 * more (FDS-2.6.4.2-3).
 *
 * News are told in the order in which the waiters came, TELL_AT_ONCE in a turn of the loop, so that
 * thousands of them do not hold up everything else.
 */
#include <stdio.h>

#include "regsvc/api_int.h"
#include "regsvc/certs.h"
#include "regsvc/lists.h"
#include "regsvc/series.h"

#define TELL_AT_ONCE 128

static struct call *
call_of(struct waiter *w)
{
	return (struct call *)(void *)((char *)w - offsetof(struct call, waiter));
}

/* --- what there is --- */

static bool
is_new(const struct call *c)
{
	const struct waiter *w = &c->waiter;
	const struct api *a = c->api;

	if (!w->lists && !w->certificates && w->status == NULL)
		return true; /* it has nothing yet */
	return (w->status != NULL && strcmp(w->status, api_list_state(a)) != 0) ||
	       (w->lists && w->version != api_list_version(a)) ||
	       (w->certificates && !str_eq(w->etag, str_z(certs_current(a->parts->certs)->etag)));
}

static void
answer_news(struct call *c)
{
	const struct api *a = c->api;
	char list[96], text[256];
	int n;

	n = snprintf(text, sizeof(text),
	    "{\"federation_list\":%s,\"passport_certificates\":{\"etag\":\"W/\\\"%s\\\"\"}}\n",
	    api_list_news(a, list, sizeof(list)), certs_current(a->parts->certs)->etag);
	call_answer(c, 200, "application/json", STR("Cache-Control: no-store\r\n"),
	    str_of(text, (size_t)n));
}

static void
answer_nothing(struct call *c)
{
	call_answer(c, 204, "", STR("Cache-Control: no-store\r\n"), STR_NONE);
}

static void
on_timer(void *arg)
{
	answer_nothing(call_of(arg));
}

/* --- those who wait --- */

void
changes_begin(struct call *c)
{
	list_init(&c->waiter.node);
	timer_init(&c->waiter.timer, on_timer, &c->waiter);
}

void
changes_forget(struct call *c)
{
	struct api *a = c->api;

	if (!c->waiter.waits)
		return;
	c->waiter.waits = false;
	timer_clear(&c->waiter.timer);
	list_remove(&c->waiter.node);
	hash_remove(&a->clients, &c->waiter.of_client);
	a->n_waiters--;
	metrics_set(S_API_WAITERS, (int64_t)a->n_waiters);
}

static size_t
waits_of(const struct api *a, const char *client)
{
	struct hash_node *n = hash_first(&a->clients, hash_str(str_z(client)));
	size_t count = 0;

	for (; n != NULL; n = hash_next(n)) {
		struct waiter *w = HASH_ENTRY(n, struct waiter, of_client);

		count += strcmp(call_of(w)->who.client, client) == 0;
	}
	return count;
}

static enum err
may_wait(const struct call *c)
{
	const struct changes_conf *l = &c->api->parts->conf->changes;

	if (l->per_client > 0 && waits_of(c->api, c->who.client) >= l->per_client) {
		metrics_inc(S_API_WAITERS_REFUSED_CLIENT);
		return ERR_CHANGES_OPEN;
	}
	if (c->api->n_waiters >= l->waiters) {
		metrics_inc(S_API_WAITERS_REFUSED_ALL);
		return ERR_CHANGES_FULL;
	}
	return OK;
}

static enum err
start_waiting(struct call *c, clock_ms wait)
{
	struct api *a = c->api;
	struct waiter *w = &c->waiter;
	enum err err = may_wait(c);

	if (err == OK && !hash_insert(&a->clients, &w->of_client, hash_str(str_z(c->who.client))))
		err = ERR_MEMORY;
	if (err != OK)
		return err;
	w->waits = true;
	w->seen = a->news;
	list_append(&a->waiters, &w->node);
	a->n_waiters++;
	metrics_set(S_API_WAITERS, (int64_t)a->n_waiters);
	timer_set(a->loop, &w->timer, wait);
	return OK;
}

/* --- the request --- */

/* One of the words we say ourselves. */
static enum err
read_status(struct str value, const char **out)
{
	for (int i = LISTS_MISSING; i <= LISTS_OUTDATED; i++)
		if (str_eq(value, str_z(lists_status_names[i])))
			*out = lists_status_names[i];
	return *out != NULL ? OK : ERR_QUERY;
}

static enum err
read_params(struct call *c, clock_ms *wait)
{
	struct waiter *w = &c->waiter;
	struct str value;
	uint64_t seconds;

	w->lists = target_param(&c->target, STR("list"), &value);
	if (w->lists && !str_to_u64(value, INT64_MAX, &w->version))
		return ERR_QUERY;
	w->certificates = target_param(&c->target, STR("certificates"), &value);
	if (w->certificates)
		w->etag = etag_opaque(value);
	if (target_param(&c->target, STR("status"), &value) && read_status(value, &w->status) != OK)
		return ERR_QUERY;
	if (!target_param(&c->target, STR("wait"), &value))
		return OK;
	if (!str_to_u64(value, INT32_MAX, &seconds))
		return ERR_QUERY;
	if (seconds * 1000 < *wait)
		*wait = seconds * 1000;
	return OK;
}

void
api_changes(struct call *c)
{
	clock_ms wait = c->api->parts->conf->changes.wait;
	enum err err = read_params(c, &wait);

	if (err == OK && is_new(c)) {
		answer_news(c);
		return;
	}
	if (err == OK && (wait == 0 || c->api->draining || c->ex->req.method == H1_HEAD)) {
		answer_nothing(c);
		return;
	}
	if (err == OK)
		err = start_waiting(c, wait);
	if (err != OK)
		call_refuse(c, err, STR_NONE);
}

/* --- news --- */

/* Who was looked at goes to the end of the list, so the first one of old sight is in front. */
static void
tell(void *arg)
{
	struct api *a = arg;

	for (unsigned i = 0; i < TELL_AT_ONCE && !list_empty(&a->waiters); i++) {
		struct waiter *w = LIST_ENTRY(list_first(&a->waiters), struct waiter, node);

		if (w->seen == a->news)
			return;
		w->seen = a->news;
		list_remove(&w->node);
		list_append(&a->waiters, &w->node);
		if (!auth_counts(a->parts->auth, &call_of(w)->who))
			call_refuse(call_of(w), ERR_AUTH_REFUSED, auth_challenges());
		else if (is_new(call_of(w)))
			answer_news(call_of(w));
	}
	if (!list_empty(&a->waiters))
		task_defer(a->loop, &a->tell);
}

static void
on_news(void *arg)
{
	struct api *a = arg;

	a->news++;
	task_defer(a->loop, &a->tell);
}

void
changes_answer_all(struct api *a)
{
	/* some may be back before this is over */
	for (size_t n = a->n_waiters; n > 0 && !list_empty(&a->waiters); n--)
		answer_nothing(call_of(LIST_ENTRY(list_first(&a->waiters), struct waiter, node)));
}

bool
changes_init(struct api *a)
{
	list_init(&a->waiters);
	hash_init(&a->clients);
	task_init(&a->tell, tell, a);
	a->certs_watch = certs_watch(a->parts->certs, on_news, a);
	a->lists_watch = lists_watch(a->parts->lists, on_news, a);
	auth_watch(a->parts->auth, on_news, a);
	return a->certs_watch != NULL && a->lists_watch != NULL;
}

void
changes_fini(struct api *a)
{
	auth_watch(a->parts->auth, NULL, NULL);
	certs_unwatch(a->certs_watch);
	lists_unwatch(a->lists_watch);
	task_cancel(&a->tell);
	hash_fini(&a->clients);
}
