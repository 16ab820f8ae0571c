/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch - libcurl's multi interface on the loop.
 *
 * A fetch resolves one endpoint after the other and tries their addresses one after the other; one
 * attempt is one easy handle, told by CURLOPT_CONNECT_TO to go to that address.  A redirect starts
 * again with the new URL.  What curl reports is judged in a deferred task, never inside curl.
 */
#include "lib/http/fetch.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/log.h"

#define CONNECT_TIMEOUT_MS 5000 /* for one of several addresses */

struct fetcher {
	struct loop *loop;
	struct resolver *resolver;
	CURLM *multi;
	X509_STORE *anchors;
	bool private_addresses;
	struct timer timer;
	struct task kick; /* curl wants to be called at once */
	struct list fetches;
	struct list watches;
};

struct watch { /* a socket curl waits on */
	struct list node;
	struct fetcher *fetcher;
	struct event *event;
};

enum wanted { CACHE_CONTROL, EXPIRES, ETAG, WANTED };

static const char *const wanted_names[WANTED] = { "cache-control", "expires", "etag" };

struct fetch {
	struct list node;
	struct fetcher *fetcher;
	void (*fn)(void *arg, const struct fetch_result *r);
	void *arg;
	struct timer deadline;
	struct task task;
	struct resolver_req req;
	/* the request */
	char *url, *host, *unix_path, *etag;
	char *authorization; /* secret */
	char *post;
	size_t post_len;
	X509_STORE *anchors;
	struct fetch_endpoint via[FETCH_MAX_ENDPOINTS];
	size_t n_via, at_via;
	bool local;
	unsigned redirects;
	/* the attempt */
	CURL *easy;
	struct curl_slist *fields, *connect_to;
	struct address addrs[RESOLVER_MAX_ANSWERS];
	size_t n_addrs, at_addr;
	bool ended;
	CURLcode code;
	bool refused_address, too_large;
	/* the answer */
	enum err err;
	long status;
	struct buf body;
	char headers[WANTED][FETCH_HEADER_MAX];
};

static void next_endpoint(struct fetch *x);
static void next_address(struct fetch *x);

/* --- curl on the loop --- */

static void
collect(struct fetcher *f)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
		struct fetch *x = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x);
		x->code = m->data.result;
		x->ended = true;
		task_defer(f->loop, &x->task);
	}
}

static void
act(struct fetcher *f, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(f->multi, fd, what, &running);
	collect(f);
}

static void
on_timer(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_curl_timer(CURLM *multi, long ms, void *arg)
{
	struct fetcher *f = arg;

	timer_clear(&f->timer);
	if (ms == 0)
		task_defer(f->loop, &f->kick);
	else if (ms > 0)
		timer_set(f->loop, &f->timer, (clock_ms)ms);
	return 0;
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	act(arg, fd,
	    (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void
free_watch(struct watch *w)
{
	list_remove(&w->node);
	if (w->event != NULL)
		event_free(w->event);
	free(w);
}

static int
on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	struct fetcher *f = arg;
	struct watch *w = of_socket;
	short events =
	    (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));

	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			free_watch(w);
		return 0;
	}
	if (w == NULL) {
		w = calloc(1, sizeof(*w));
		if (w == NULL)
			return -1;
		list_init(&w->node);
		list_append(&f->watches, &w->node);
		curl_multi_assign(f->multi, fd, w);
	}
	if (w->event != NULL)
		event_free(w->event);
	w->event = event_new(loop_base(f->loop), fd, (short)(events | EV_PERSIST), on_socket, f);
	return w->event != NULL && event_add(w->event, NULL) == 0 ? 0 : -1;
}

/* --- one attempt --- */

/* The last check: whatever made curl choose this address, the policy applies. */
static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct fetch *x = arg;

	if (a->family == AF_UNIX
		? x->unix_path == NULL
		: !x->local && !x->fetcher->private_addresses && !address_is_public(&a->addr)) {
		x->refused_address = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct fetch *x = arg;

	if (buf_put(&x->body, str_of(data, n)))
		return n;
	x->too_large = true;
	return 0;
}

static size_t
on_header(char *data, size_t size, size_t n, void *arg)
{
	struct fetch *x = arg;
	struct str name, value;

	if (!str_cut(str_of(data, n), ':', &name, &value))
		return n;
	while (value.n > 0 && (value.p[value.n - 1] == '\r' || value.p[value.n - 1] == '\n'))
		value.n--;
	value = str_trim(value);
	for (size_t i = 0; i < WANTED; i++)
		if (value.n < FETCH_HEADER_MAX && str_eq_ci(name, str_z(wanted_names[i]))) {
			memcpy(x->headers[i], value.p, value.n);
			x->headers[i][value.n] = '\0';
		}
	return n;
}

static CURLcode
on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	struct fetch *x = arg;

	SSL_CTX_set1_cert_store(ctx, x->anchors);
	return CURLE_OK;
}

static bool
add_field(struct fetch *x, const char *name, const char *value)
{
	struct curl_slist *more;
	struct buf line;
	bool ok;

	buf_init(&line, 16384);
	ok = buf_printf(&line, "%s: %s", name, value) && buf_put(&line, str_of("", 1));
	more = ok ? curl_slist_append(x->fields, buf_str(&line).p) : NULL;
	if (ok)
		sodium_memzero(line.mem + line.off, buf_len(&line));
	buf_fini(&line);
	if (more == NULL)
		return false;
	x->fields = more;
	return true;
}

static bool
set_fields(struct fetch *x)
{
	return (x->host == NULL || add_field(x, "Host", x->host)) &&
	       (x->authorization == NULL || add_field(x, "Authorization", x->authorization)) &&
	       (x->etag == NULL || add_field(x, "If-None-Match", x->etag)) &&
	       (x->post == NULL || add_field(x, "Content-Type", "application/json"));
}

static bool
set_place(struct fetch *x)
{
	char literal[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX + 16];
	const struct address *a = &x->addrs[x->at_addr];

	if (x->unix_path != NULL)
		return curl_easy_setopt(x->easy, CURLOPT_UNIX_SOCKET_PATH, x->unix_path) ==
		       CURLE_OK;
	snprintf(text, sizeof(text), "::%s:%u", address_text(a, literal),
	    a->sa.sa_family == AF_INET6 ? ntohs(a->in6.sin6_port) : ntohs(a->in.sin_port));
	x->connect_to = curl_slist_append(NULL, text);
	return x->connect_to != NULL &&
	       curl_easy_setopt(x->easy, CURLOPT_CONNECT_TO, x->connect_to) == CURLE_OK;
}

#define SET(opt, value) (curl_easy_setopt(x->easy, CURLOPT_##opt, value) == CURLE_OK)

static bool
set_options(struct fetch *x)
{
	bool ok = SET(PRIVATE, x) && SET(URL, x->url) && SET(NOSIGNAL, 1L) && SET(PROXY, "") &&
		  SET(NOPROXY, "*") && SET(FOLLOWLOCATION, 0L) && SET(FORBID_REUSE, 1L) &&
		  SET(FRESH_CONNECT, 1L) && SET(PATH_AS_IS, 1L) &&
		  SET(HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
		  SET(PROTOCOLS_STR, x->local ? "http,https" : "https") &&
		  SET(USERAGENT, "schleuse/" PACKAGE_VERSION) &&
		  SET(SSLVERSION, CURL_SSLVERSION_TLSv1_2) && SET(SSL_VERIFYPEER, 1L) &&
		  SET(SSL_VERIFYHOST, 2L) && SET(CAINFO, NULL) && SET(CAPATH, NULL) &&
		  SET(NETRC, CURL_NETRC_IGNORED) && SET(WRITEFUNCTION, on_body) &&
		  SET(WRITEDATA, x) && SET(HEADERFUNCTION, on_header) && SET(HEADERDATA, x) &&
		  SET(OPENSOCKETFUNCTION, on_open_socket) && SET(OPENSOCKETDATA, x) &&
		  SET(CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS) && SET(HTTPHEADER, x->fields);

	/* Without TLS in this libcurl, or with another library than OpenSSL, https must fail here.
	 */
	if (ok && strncmp(x->url, "https:", 6) == 0)
		ok = SET(SSL_CTX_FUNCTION, on_ssl_ctx) && SET(SSL_CTX_DATA, x);
	if (ok && x->post != NULL)
		ok = SET(POST, 1L) && SET(POSTFIELDS, x->post) &&
		     SET(POSTFIELDSIZE, (long)x->post_len);
	return ok;
}

static void
wipe_authorization(struct fetch *x)
{
	if (x->authorization != NULL)
		sodium_memzero(x->authorization, strlen(x->authorization));
	free(x->authorization);
	x->authorization = NULL;
}

static void
wipe_slist(struct curl_slist *l)
{
	for (struct curl_slist *n = l; n != NULL; n = n->next)
		sodium_memzero(n->data, strlen(n->data));
	curl_slist_free_all(l);
}

static void
end_attempt(struct fetch *x)
{
	if (x->easy != NULL) {
		curl_multi_remove_handle(x->fetcher->multi, x->easy);
		curl_easy_cleanup(x->easy);
		x->easy = NULL;
	}
	wipe_slist(x->fields);
	curl_slist_free_all(x->connect_to);
	x->fields = x->connect_to = NULL;
	x->ended = false;
}

static void
finish(struct fetch *x, enum err err) /* tells it at the end of the turn */
{
	end_attempt(x);
	resolver_cancel(&x->req);
	timer_clear(&x->deadline);
	x->err = err;
	task_defer(x->fetcher->loop, &x->task);
}

static void
attempt(struct fetch *x)
{
	x->refused_address = x->too_large = false;
	buf_consume(&x->body, buf_len(&x->body));
	memset(x->headers, 0, sizeof(x->headers));
	x->easy = curl_easy_init();
	if (x->easy == NULL || !set_fields(x) || !set_place(x) || !set_options(x) ||
	    curl_multi_add_handle(x->fetcher->multi, x->easy) != CURLM_OK)
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

	ok = ok && (strcmp(scheme, "https") == 0 || (x->local && strcmp(scheme, "http") == 0));
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
	free(x->url);
	x->url = copy;
	free(x->host);
	x->host = NULL; /* it named the first server */
	clear_endpoints(x);
	if (!endpoint_of_url(x))
		return false;
	end_attempt(x);
	next_endpoint(x);
	return true;
}

static enum err
err_of(const struct fetch *x)
{
	switch (x->code) {
	case CURLE_OK:
		return OK;
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return ERR_TLS;
	case CURLE_OUT_OF_MEMORY:
		return ERR_MEMORY;
	case CURLE_FILESIZE_EXCEEDED:
		return ERR_TOO_LARGE;
	case CURLE_WRITE_ERROR:
		return x->too_large ? ERR_TOO_LARGE : ERR_HTTP_ANSWER;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return x->refused_address ? ERR_ADDRESS : ERR_CONNECT;
	default:
		return ERR_HTTP_ANSWER;
	}
}

static bool /* whether another address may do better */
never_connected(const struct fetch *x)
{
	double spent = 0;

	if (x->code == CURLE_COULDNT_CONNECT)
		return true;
	curl_easy_getinfo(x->easy, CURLINFO_CONNECT_TIME, &spent);
	return x->code == CURLE_OPERATION_TIMEDOUT && spent <= 0;
}

static void
judge(struct fetch *x)
{
	x->err = err_of(x);
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->status);
	if (x->err != OK && never_connected(x) && x->unix_path == NULL) {
		end_attempt(x);
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
	end_attempt(x);
	timer_clear(&x->deadline);
	task_cancel(&x->task);
	list_remove(&x->node);
	clear_endpoints(x);
	wipe_authorization(x);
	X509_STORE_free(x->anchors);
	free(x->url);
	free(x->host);
	free(x->unix_path);
	free(x->etag);
	free(x->post);
	buf_fini(&x->body);
	free(x);
}

static void
tell(struct fetch *x)
{
	const struct fetch_result r = { .err = x->err,
		.status = x->err == OK ? (int)x->status : 0,
		.body = x->err == OK ? buf_str(&x->body) : STR_NONE,
		.cache_control = x->headers[CACHE_CONTROL],
		.expires = x->headers[EXPIRES],
		.etag = x->headers[ETAG] };

	/* Nothing of the fetcher is touched after the call: it may be gone. */
	end_attempt(x);
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
copy_request(struct fetch *x, const struct fetch_request *req)
{
	if (!copy_text(&x->url, req->url) || !copy_text(&x->host, req->host) ||
	    !copy_text(&x->unix_path, req->unix_path) || !copy_text(&x->etag, req->if_none_match) ||
	    !copy_bearer(x, req->bearer))
		return false;
	x->local = req->local;
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

X509_STORE *
fetch_anchors(const char *ca_file, bool ca_system)
{
	X509_STORE *s = X509_STORE_new();

	if (s == NULL)
		return NULL;
	if (ca_system && X509_STORE_set_default_paths(s) != 1)
		log_warn("fetch: the system's CA certificates cannot be read");
	if (ca_file != NULL && X509_STORE_load_file(s, ca_file) != 1) {
		log_error(
		    "fetch: no CA certificate can be read from %s; it must be a PEM file", ca_file);
		X509_STORE_free(s);
		return NULL;
	}
	return s;
}

struct fetcher *
fetcher_new(struct loop *loop, const struct fetcher_config *cfg)
{
	struct fetcher *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->loop = loop;
	f->resolver = cfg->resolver;
	f->private_addresses = cfg->private_addresses;
	timer_init(&f->timer, on_timer, f);
	task_init(&f->kick, on_timer, f);
	list_init(&f->fetches);
	list_init(&f->watches);
	f->anchors = fetch_anchors(cfg->ca_file, cfg->ca_system);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	f->multi = curl_multi_init();
	if (f->anchors == NULL || f->multi == NULL) {
		fetcher_free(f);
		return NULL;
	}
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
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
	if (f->multi != NULL)
		curl_multi_cleanup(f->multi);
	while ((node = list_first(&f->watches)) != NULL)
		free_watch(LIST_ENTRY(node, struct watch, node));
	timer_clear(&f->timer);
	task_cancel(&f->kick);
	X509_STORE_free(f->anchors);
	free(f);
}
