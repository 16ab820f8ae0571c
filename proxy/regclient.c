/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/regclient.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/regtoken.h"
#include "proxy/series.h"

#define BASIC_MAX 8192 /* user:password */
#define AGE_MAX UINT64_C(1000000000)

struct regclient {
	struct loop *loop;
	struct fetcher *fetcher;
	const struct regsvc_conf *conf;
	X509_STORE *anchors;
	struct regtoken *token; /* with oauth */
	char *basic;            /* with basic */
};

struct regcall {
	struct regclient *client;
	struct fetch *fetch;
	struct regtoken_wait wait;
	bool renewed; /* the token, because one was refused */
	void (*fn)(void *arg, const struct fetch_result *r);
	void *arg;
	char *url, *if_none_match;
	size_t max_bytes;
	clock_ms timeout;
};

const struct regsvc_conf *
regclient_conf(const struct regclient *c)
{
	return c->conf;
}

/* --- a call --- */

static bool start(struct regcall *call);

static void
call_free(struct regcall *call)
{
	free(call->url);
	free(call->if_none_match);
	free(call);
}

static void
finish(struct regcall *call, const struct fetch_result *r)
{
	metrics_inc(r->err != OK || r->status >= 500       ? S_REGSVC_FAILED
		    : r->status == 401 || r->status == 403 ? S_REGSVC_DENIED
							   : S_REGSVC_ANSWERED);
	call->fn(call->arg, r);
	call_free(call);
}

static void
fail(struct regcall *call, enum err err, int status)
{
	const struct fetch_result none = { .err = err,
		.status = status,
		.cache_control = "",
		.expires = "",
		.etag = "",
		.age = "",
		.content_type = "",
		.retry_after = "" };

	finish(call, &none);
}

static void
on_answer(void *arg, const struct fetch_result *r)
{
	struct regcall *call = arg;
	struct regclient *c = call->client;

	call->fetch = NULL;
	if (r->err != OK || r->status != 401 || c->token == NULL || call->renewed) {
		finish(call, r);
		return;
	}
	call->renewed = true;
	regtoken_refused(c->token);
	if (!start(call))
		finish(call, r);
}

static bool
ask(struct regcall *call)
{
	struct regclient *c = call->client;
	const struct fetch_request req = { .url = call->url,
		.anchors = c->anchors,
		.local = true, /* any address; it is https all the same */
		.bearer = c->token != NULL ? regtoken_now(c->token) : NULL,
		.basic = c->basic,
		.identity = c->conf->auth == REGSVC_MTLS ? &c->conf->identity : NULL,
		.if_none_match = call->if_none_match,
		.max_bytes = call->max_bytes,
		.timeout_ms = call->timeout };

	call->fetch = fetch_start(c->fetcher, &req, on_answer, call);
	return call->fetch != NULL;
}

static void
on_token(void *arg, enum err err, int status)
{
	struct regcall *call = arg;

	/* A refusal there is an answer: its status says more than that it was none we expected. */
	if (err == ERR_HTTP_ANSWER && status != 200)
		fail(call, OK, status);
	else if (err != OK)
		fail(call, err, status);
	else if (regtoken_now(call->client->token) == NULL)
		fail(call, ERR_HTTP_ANSWER, status); /* it ended before it could be used */
	else if (!ask(call))
		fail(call, ERR_MEMORY, 0);
}

static bool
start(struct regcall *call)
{
	struct regtoken *t = call->client->token;

	if (t == NULL || regtoken_now(t) != NULL)
		return ask(call);
	return regtoken_get(t, &call->wait, on_token, call);
}

static char *
url_of(const struct regsvc_conf *conf, const char *path)
{
	size_t n = strlen(conf->url) + strlen(conf->subscription) + strlen(path) + 8;
	char *url = malloc(n);

	if (url != NULL)
		snprintf(url, n, "%s/v1/%s/%s", conf->url, conf->subscription, path);
	return url;
}

struct regcall *
regclient_get(struct regclient *c, const struct regcall_request *req,
    void (*fn)(void *arg, const struct fetch_result *r), void *arg)
{
	struct regcall *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	call->client = c;
	call->fn = fn;
	call->arg = arg;
	call->max_bytes = req->max_bytes;
	call->timeout = req->timeout != 0 ? req->timeout : c->conf->timeout;
	call->url = url_of(c->conf, req->path);
	if (req->if_none_match != NULL)
		call->if_none_match = strdup(req->if_none_match);
	if (call->url != NULL && (req->if_none_match == NULL || call->if_none_match != NULL) &&
	    start(call))
		return call;
	call_free(call);
	return NULL;
}

void
regcall_cancel(struct regcall *call)
{
	if (call == NULL)
		return;
	fetch_cancel(call->fetch);
	regtoken_cancel(&call->wait);
	call_free(call);
}

/* --- answers --- */

int64_t
regclient_age(const struct fetch_result *r)
{
	uint64_t age;

	return str_to_u64(str_z(r->age), AGE_MAX, &age) ? (int64_t)age : -1;
}

static const char *
advice_by_status(int status)
{
	switch (status) {
	case 401:
		return "the registration service does not know these credentials; check "
		       "regsvc.auth, client_id, password_file or certificate";
	case 403:
		return "the registration service does not let this client; check "
		       "regsvc.subscription and the client's scopes";
	case 404:
		return "there is no such thing at the registration service; check regsvc.url and "
		       "regsvc.subscription";
	case 429:
		return "the registration service is asked too often; each proxy needs a client of "
		       "its own, or its limits must be raised";
	default:
		return "see the log of the registration service";
	}
}

const char *
regclient_advice(enum err err, int status)
{
	switch (err) {
	case OK:
	case ERR_HTTP_ANSWER:
		return advice_by_status(status);
	case ERR_TLS:
		return "check regsvc.ca_file, the name in regsvc.url and, with mtls, "
		       "regsvc.certificate";
	case ERR_DNS:
	case ERR_CONNECT:
	case ERR_TIMEOUT:
		return "check that the registration service runs, then name, network and firewall";
	default:
		return "see the reason in the table of doc/operations.md";
	}
}

/* --- the client --- */

static bool
prepare_basic(struct regclient *c)
{
	size_t n = strlen(c->conf->client_id) + c->conf->password.n + 2;

	if (n > BASIC_MAX || (c->basic = malloc(n)) == NULL)
		return false;
	snprintf(c->basic, n, "%s:" STR_FMT, c->conf->client_id, STR_ARG(c->conf->password));
	return true;
}

static bool
prepare(struct regclient *c)
{
	const struct regtoken_config tc = { c->fetcher, c->anchors, c->conf };

	switch (c->conf->auth) {
	case REGSVC_BASIC:
		return prepare_basic(c);
	case REGSVC_OAUTH:
		c->token = regtoken_new(c->loop, &tc);
		return c->token != NULL;
	default:
		return true;
	}
}

struct regclient *
regclient_new(struct loop *loop, struct fetcher *fetcher, const struct regsvc_conf *conf)
{
	struct regclient *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->fetcher = fetcher;
	c->conf = conf;
	c->anchors = fetch_anchors(conf->ca_file, conf->ca_file == NULL);
	if (c->anchors != NULL && prepare(c))
		return c;
	regclient_free(c);
	return NULL;
}

void
regclient_free(struct regclient *c)
{
	if (c == NULL)
		return;
	regtoken_free(c->token);
	if (c->basic != NULL) {
		sodium_memzero(c->basic, strlen(c->basic));
		free(c->basic);
	}
	X509_STORE_free(c->anchors);
	free(c);
}
