/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch - where to go next, until there is an answer.
 *
 * A fetch resolves one endpoint after the other and tries their addresses one after the other; one
 * attempt is one easy handle, told by CURLOPT_CONNECT_TO to go to that address.  A redirect starts
 * again with the new URL.  What curl reports is judged in a deferred task, never inside curl.
 */
#include "lib/http/fetch.h"

#include <stdlib.h>

#include "lib/http/fetch_int.h"

static void next_endpoint(struct fetch *x);
static void next_address(struct fetch *x);

static void
finish(struct fetch *x, enum err err) /* tells it at the end of the turn */
{
	fetch_attempt_end(x);
	resolver_cancel(&x->req);
	timer_clear(&x->deadline);
	x->err = err;
	task_defer(x->fetcher->loop, &x->task);
}

static void
attempt(struct fetch *x)
{
	if (!fetch_attempt(x))
		finish(x, ERR_MEMORY);
}

/* --- where to --- */

static void
on_addrs(void *arg, enum err err, const struct address *addrs, size_t n)
{
	struct fetch *x = arg;

	x->n_addrs = x->at_addr = 0;
	for (size_t i = 0; err == OK && i < n; i++)
		if (x->local || x->proxied || x->fetcher->private_addresses ||
		    address_is_public(&addrs[i].sa))
			x->addrs[x->n_addrs++] = addrs[i];
	if (err == OK && x->n_addrs == 0)
		err = ERR_ADDRESS;
	if (err == OK) {
		attempt(x);
		return;
	}
	x->err = err;
	next_endpoint(x);
}

/* Whether a proxy may be told to connect there. */
static bool
may_name(const struct fetch *x, const char *host)
{
	return x->fetcher->private_addresses || address_may_be_public(str_z(host));
}

static bool
resolve(struct fetch *x, const struct fetch_endpoint *e)
{
	const struct fetcher *f = x->fetcher;
	struct str host = str_z(x->proxied ? f->proxy.host : e->host);

	return resolver_addrs(
	    f->resolver, host, x->proxied ? f->proxy.port : e->port, &x->req, on_addrs, x);
}

/* Resolves the endpoint after the current one, or the proxy that leads there; none left: the last
 * error is the result. */
static void
next_endpoint(struct fetch *x)
{
	while (x->at_via < x->n_via) {
		const struct fetch_endpoint *e = &x->via[x->at_via++];

		if (x->proxied && !may_name(x, e->host)) {
			x->err = ERR_ADDRESS;
			continue;
		}
		if (!resolve(x, e))
			finish(x, ERR_MEMORY);
		return;
	}
	finish(x, x->err);
}

static void
next_address(struct fetch *x)
{
	if (++x->at_addr < x->n_addrs)
		attempt(x);
	else
		next_endpoint(x);
}

/* --- the answer --- */

static bool
is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool /* whether it is under way */
follow(struct fetch *x)
{
	char *to = NULL, *copy;

	curl_easy_getinfo(x->easy, CURLINFO_REDIRECT_URL, &to);
	copy = to != NULL ? strdup(to) : NULL;
	if (copy == NULL)
		return false;
	x->redirects--;
	if (!fetch_request_follow(x, copy))
		return false;
	fetch_attempt_end(x);
	next_endpoint(x);
	return true;
}

static void
judge(struct fetch *x)
{
	x->err = fetch_attempt_err(x);
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->status);
	if (fetch_attempt_refused(x)) {
		fetch_attempt_end(x);
		next_endpoint(x);
	} else if (x->err != OK && fetch_attempt_never_connected(x) && x->unix_path == NULL) {
		fetch_attempt_end(x);
		next_address(x);
	} else if (x->err == OK && is_redirect(x->status) && x->redirects > 0 && x->post == NULL) {
		if (!follow(x))
			finish(x, ERR_HTTP_ANSWER);
	} else {
		finish(x, x->err);
	}
}

static void
free_fetch(struct fetch *x)
{
	resolver_cancel(&x->req);
	fetch_attempt_end(x);
	timer_clear(&x->deadline);
	task_cancel(&x->task);
	list_remove(&x->node);
	fetch_request_fini(x);
	buf_fini(&x->body);
	free(x);
}

void
fetch_take_body(const struct fetch_result *r, struct buf *out)
{
	*out = *r->body_buf;
	buf_init(r->body_buf, out->max);
}

static void
tell(struct fetch *x)
{
	const struct fetch_result r = { .err = x->err,
		.status = x->err == OK ? (int)x->status : 0,
		.body = x->err == OK ? buf_str(&x->body) : STR_NONE,
		.cache_control = x->headers[FETCH_CACHE_CONTROL],
		.expires = x->headers[FETCH_EXPIRES],
		.etag = x->headers[FETCH_ETAG],
		.age = x->headers[FETCH_AGE],
		.content_type = x->headers[FETCH_CONTENT_TYPE],
		.retry_after = x->headers[FETCH_RETRY_AFTER],
		.body_buf = &x->body };

	/* Nothing of the fetcher is touched after the call: it may be gone. */
	fetch_attempt_end(x);
	list_remove(&x->node);
	x->fn(x->arg, &r);
	free_fetch(x);
}

static void
on_task(void *arg)
{
	struct fetch *x = arg;

	if (x->ended)
		judge(x);
	else
		tell(x);
}

static void
on_deadline(void *arg)
{
	finish(arg, ERR_TIMEOUT);
}

/* --- starting --- */

struct fetch *
fetch_start(struct fetcher *f, const struct fetch_request *req,
    void (*fn)(void *arg, const struct fetch_result *r), void *arg)
{
	struct fetch *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->fetcher = f;
	x->fn = fn;
	x->arg = arg;
	x->err = ERR_DNS;
	timer_init(&x->deadline, on_deadline, x);
	task_init(&x->task, on_task, x);
	resolver_req_init(&x->req);
	buf_init(&x->body, req->max_bytes);
	list_init(&x->node);
	list_append(&f->fetches, &x->node);
	if (!fetch_request_copy(x, req)) {
		free_fetch(x);
		return NULL;
	}
	timer_set(f->loop, &x->deadline, req->timeout_ms);
	if (x->unix_path != NULL)
		attempt(x);
	else
		next_endpoint(x);
	return x;
}

void
fetch_cancel(struct fetch *x)
{
	if (x != NULL)
		free_fetch(x);
}

/* --- the fetcher --- */

struct fetcher *
fetcher_new(struct loop *loop, const struct fetcher_config *cfg)
{
	struct fetcher *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->loop = loop;
	f->resolver = cfg->resolver;
	f->private_addresses = cfg->private_addresses;
	list_init(&f->fetches);
	f->anchors = fetch_anchors(cfg->ca_file, cfg->ca_system);
	f->curl = curlloop_new(loop, fetch_attempt_ended);
	if (f->anchors == NULL || f->curl == NULL || !curlopt_proxy_copy(&f->proxy, cfg->proxy)) {
		fetcher_free(f);
		return NULL;
	}
	return f;
}

void
fetcher_free(struct fetcher *f)
{
	struct list *node;

	if (f == NULL)
		return;
	while ((node = list_first(&f->fetches)) != NULL)
		free_fetch(LIST_ENTRY(node, struct fetch, node));
	curlloop_free(f->curl);
	X509_STORE_free(f->anchors);
	curlopt_proxy_fini(&f->proxy);
	free(f);
}
