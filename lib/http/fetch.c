/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch - where to go next, until there is an answer.
 *
 * A fetch resolves one endpoint after the other and tries their addresses one after the other; one
 * attempt is one easy handle, told by CURLOPT_CONNECT_TO to go to that address.  A redirect starts
 * again with the new URL.  What curl reports is judged in a deferred task, never inside curl.
 */
#include "lib/http/fetch.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/http/fetch_int.h"

static void next_endpoint(struct fetch *x);
static void next_address(struct fetch *x);

static void
wipe_authorization(struct fetch *x)
{
	if (x->authorization != NULL)
		sodium_memzero(x->authorization, strlen(x->authorization));
	free(x->authorization);
	x->authorization = NULL;
}

static void
drop_identity(struct fetch *x)
{
	X509_free(x->identity.certificate);
	sk_X509_pop_free(x->identity.chain, X509_free);
	EVP_PKEY_free(x->identity.key);
	x->identity = (struct fetch_identity){ 0 };
}

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
		if (x->local || x->fetcher->private_addresses || address_is_public(&addrs[i].sa))
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

/* Resolves the endpoint after the current one; none left: the last error is the result. */
static void
next_endpoint(struct fetch *x)
{
	const struct fetch_endpoint *e;

	if (x->at_via >= x->n_via) {
		finish(x, x->err);
		return;
	}
	e = &x->via[x->at_via++];
	if (!resolver_addrs(x->fetcher->resolver, str_z(e->host), e->port, &x->req, on_addrs, x))
		finish(x, ERR_MEMORY);
}

static void
next_address(struct fetch *x)
{
	if (++x->at_addr < x->n_addrs)
		attempt(x);
	else
		next_endpoint(x);
}

static bool
add_endpoint(struct fetch *x, const char *host, uint16_t port)
{
	if (x->n_via == FETCH_MAX_ENDPOINTS)
		return true; /* surplus is ignored */
	x->via[x->n_via].host = strdup(host);
	x->via[x->n_via].port = port;
	return x->via[x->n_via++].host != NULL;
}

static void
clear_endpoints(struct fetch *x)
{
	for (size_t i = 0; i < x->n_via; i++)
		free((void *)(uintptr_t)x->via[i].host);
	x->n_via = x->at_via = 0;
}

/* The URL's own host and port as the endpoint; false: not a URL we fetch. */
static bool
endpoint_of_url(struct fetch *x)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL, *user = NULL;
	bool ok = u != NULL && curl_url_set(u, CURLUPART_URL, x->url, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_USER, &user, 0) ==
		      CURLUE_NO_USER; /* we bring no credentials */

	ok = ok && (strcmp(scheme, "https") == 0 ||
		       ((x->local || x->plain) && strcmp(scheme, "http") == 0));
	if (ok && x->n_via == 0)
		ok = add_endpoint(x, host, (uint16_t)atoi(port));
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(user);
	curl_url_cleanup(u);
	return ok;
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
	wipe_authorization(x); /* was meant for the first server only */
	drop_identity(x);      /* likewise */
	free(x->url);
	x->url = copy;
	free(x->host);
	x->host = NULL; /* it named the first server */
	clear_endpoints(x);
	if (!endpoint_of_url(x))
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
	if (x->err != OK && fetch_attempt_never_connected(x) && x->unix_path == NULL) {
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
	clear_endpoints(x);
	wipe_authorization(x);
	drop_identity(x);
	for (size_t i = 0; i < x->n_extra; i++)
		free(x->extra[i]);
	free(x->extra);
	X509_STORE_free(x->anchors);
	free(x->url);
	free(x->host);
	free(x->unix_path);
	free(x->etag);
	if (x->post != NULL)
		sodium_memzero(x->post, x->post_len); /* it may hold a secret */
	free(x->post);
	free(x->post_type);
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

static bool
copy_text(char **to, const char *from)
{
	*to = from != NULL ? strdup(from) : NULL;
	return from == NULL || *to != NULL;
}

static bool
copy_bearer(struct fetch *x, const char *token)
{
	size_t n = token != NULL ? strlen(token) + sizeof("Bearer ") : 0;

	if (token == NULL)
		return true;
	/* A line break would end the field. */
	if (strpbrk(token, "\r\n") != NULL || (x->authorization = malloc(n)) == NULL)
		return false;
	snprintf(x->authorization, n, "Bearer %s", token);
	return true;
}

static bool
copy_basic(struct fetch *x, const char *credentials)
{
	static const char scheme[] = "Basic ";
	size_t n = credentials != NULL ? strlen(credentials) : 0;
	size_t room = sizeof(scheme) + sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL);

	if (credentials == NULL)
		return true;
	if (x->authorization != NULL || (x->authorization = malloc(room)) == NULL)
		return false;
	memcpy(x->authorization, scheme, sizeof(scheme));
	sodium_bin2base64(x->authorization + sizeof(scheme) - 1, room - sizeof(scheme) + 1,
	    (const unsigned char *)credentials, n, sodium_base64_VARIANT_ORIGINAL);
	return true;
}

static bool
copy_identity(struct fetch *x, const struct fetch_identity *id)
{
	if (id == NULL)
		return true;
	if (id->chain != NULL && (x->identity.chain = X509_chain_up_ref(id->chain)) == NULL)
		return false;
	X509_up_ref(id->certificate);
	EVP_PKEY_up_ref(id->key);
	x->identity.certificate = id->certificate;
	x->identity.key = id->key;
	return true;
}

static bool
copy_fields(struct fetch *x, const struct fetch_request *req)
{
	x->extra = calloc(req->n_fields + 1, sizeof(*x->extra));
	for (size_t i = 0; x->extra != NULL && i < req->n_fields; i++) {
		/* A line break would begin another field. */
		if (strpbrk(req->fields[i], "\r\n") != NULL ||
		    !copy_text(&x->extra[i], req->fields[i]))
			return false;
		x->n_extra++;
	}
	return x->extra != NULL;
}

static bool
copy_request(struct fetch *x, const struct fetch_request *req)
{
	if (!copy_text(&x->url, req->url) || !copy_text(&x->host, req->host) ||
	    !copy_text(&x->unix_path, req->unix_path) || !copy_text(&x->etag, req->if_none_match) ||
	    !copy_bearer(x, req->bearer) || !copy_basic(x, req->basic) ||
	    !copy_identity(x, req->identity) || !copy_fields(x, req))
		return false;
	if (!copy_text(&x->post_type, req->post_type != NULL ? req->post_type : "application/json"))
		return false;
	x->local = req->local;
	x->plain = req->plain;
	x->redirects = req->redirects;
	x->anchors = req->anchors != NULL ? req->anchors : x->fetcher->anchors;
	X509_STORE_up_ref(x->anchors);
	if (req->post.p != NULL) {
		x->post = malloc(req->post.n + 1);
		if (x->post == NULL)
			return false;
		memcpy(x->post, req->post.p, req->post.n);
		x->post_len = req->post.n;
	}
	for (size_t i = 0; i < req->n_via; i++)
		if (!add_endpoint(x, req->via[i].host, req->via[i].port))
			return false;
	return (x->unix_path == NULL || x->local) && endpoint_of_url(x);
}

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
	if (!copy_request(x, req)) {
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
	if (f->anchors == NULL || f->curl == NULL) {
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
	free(f);
}
