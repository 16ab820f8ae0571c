/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/webpost.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/matrix/canonical.h"
#include "pushgw/providers/endpoint.h"
#include "pushgw/providers/payload.h"
#include "pushgw/providers/retry_after.h"

#define ANSWER_MAX 4096 /* nothing in it matters */
#define CONNECTIONS_MAX 4
#define STREAMS_MAX 100
#define FIELDS_MAX 6

struct attempt {
	struct list node;
	struct provider *provider;
	struct crowd_host *host; /* NULL: nothing is sent */
	struct courier_call *call;
	struct task task; /* when nothing is sent */
	const char *reason;
	void (*fn)(void *arg, const struct attempt_result *r);
	void *arg;
};

struct str
webpost_member(struct str data, struct str name)
{
	struct str v = json_get(data, name);

	/* a journal or Redis may hold anything: it may not be ended */
	if (json_type(v) != JSON_STRING || v.n < 2 || str_chr(v, '\\') != NULL)
		return STR_NONE;
	return str_of(v.p + 1, v.n - 2);
}

/* --- what the answer means --- */

/* 401 and 403: a push service takes our credentials for others than those of the subscription, by
 * UnifiedPush's convention the endpoint is no more; but a false clock, another VAPID key or a guard
 * in front of the server has the same effect, on many. */
static const struct meaning {
	int from, to;
	enum verdict verdict;
	const char *reason;
} meanings[] = {
	{ 200, 299, VERDICT_DELIVERED, "" },
	{ 300, 399, VERDICT_DROP, "redirect" },
	{ 401, 401, VERDICT_SUSPECT, "unauthorized" },
	{ 402, 403, VERDICT_SUSPECT, "forbidden" },
	{ 404, 404, VERDICT_DEAD, "not_found" },
	{ 408, 408, VERDICT_FAILED, "timeout" },
	{ 410, 410, VERDICT_DEAD, "gone" },
	{ 413, 413, VERDICT_DROP, "too_large" },
	{ 425, 425, VERDICT_FAILED, "too_early" },
	{ 429, 429, VERDICT_BUSY, "too_many_requests" },
	{ 400, 499, VERDICT_DROP, "bad_request" },
	{ 500, 599, VERDICT_FAILED, "server_error" },
};

static void
judge(const struct courier_answer *answer, int64_t wall_s, struct attempt_result *out)
{
	*out = (struct attempt_result){ .verdict = VERDICT_FAILED,
		.status = answer->status,
		.err = answer->status != 0 ? OK : answer->err,
		.reason = "" };
	if (answer->err == ERR_ADDRESS) {
		out->verdict = VERDICT_DROP;
		out->reason = "address";
	}
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (answer->status >= meanings[i].from && answer->status <= meanings[i].to) {
			out->verdict = meanings[i].verdict;
			out->reason = meanings[i].reason;
			break;
		}
	if (out->verdict == VERDICT_BUSY || out->verdict == VERDICT_FAILED)
		out->retry_after = retry_after_read(answer->retry_after, wall_s);
}

/* --- attempts --- */

void
webpost_cancel(struct attempt *a)
{
	list_remove(&a->node);
	task_cancel(&a->task);
	courier_cancel(a->call);
	crowd_leave(&a->provider->crowd, a->host);
	free(a);
}

static void
finish(struct attempt *a, const struct attempt_result *r)
{
	void (*fn)(void *arg, const struct attempt_result *r) = a->fn;
	void *arg = a->arg;

	a->call = NULL;
	webpost_cancel(a);
	fn(arg, r);
}

static void
on_answer(void *arg, const struct courier_answer *answer)
{
	struct attempt_result r;

	judge(answer, clock_wall_s(), &r);
	finish(arg, &r);
}

static void
on_dropped(void *arg)
{
	struct attempt *a = arg;
	const struct attempt_result r = { .verdict = VERDICT_DROP, .reason = a->reason };

	finish(a, &r);
}

static struct attempt *
make(struct provider *p, void (*fn)(void *arg, const struct attempt_result *r), void *arg)
{
	struct attempt *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->provider = p;
	a->fn = fn;
	a->arg = arg;
	task_init(&a->task, on_dropped, a);
	list_append(&p->attempts, &a->node);
	return a;
}

struct attempt *
webpost_drop(struct provider *p, const char *reason,
    void (*fn)(void *arg, const struct attempt_result *r), void *arg)
{
	struct attempt *a = make(p, fn, arg);

	if (a == NULL)
		return NULL;
	a->reason = reason;
	task_defer(p->loop, &a->task);
	return a;
}

static struct courier_call *
post(struct attempt *a, const struct webpost *w, const char *url)
{
	const struct provider *p = a->provider;
	char ttl[48], topic[WEBPOST_TOPIC + 16];
	const char *fields[FIELDS_MAX] = { ttl,
		w->prio == PUSH_HIGH ? "Urgency: high" : "Urgency: low",
		w->sealed ? "Content-Type: application/octet-stream"
			  : "Content-Type: application/json" };
	struct courier_request req = { .url = url,
		.fields = fields,
		.n_fields = 3,
		.body = w->body,
		.answer_max = ANSWER_MAX,
		.timeout_ms = p->delivery->request_timeout };

	snprintf(ttl, sizeof(ttl), "TTL: %" PRIu64, (uint64_t)w->ttl / 1000);
	if (w->sealed)
		fields[req.n_fields++] = "Content-Encoding: aes128gcm";
	if (w->topic != NULL) {
		snprintf(topic, sizeof(topic), "Topic: %s", w->topic);
		fields[req.n_fields++] = topic;
	}
	if (w->authorization != NULL)
		fields[req.n_fields++] = w->authorization;
	return courier_send(p->courier, &req, on_answer, a);
}

bool
webpost_crowded(const struct provider *p, struct str url)
{
	struct endpoint e;

	return endpoint_read(&e, url) && crowd_size(&p->crowd, e.host) >= p->app->host_concurrency;
}

/* false: out of memory. */
static bool
enter(struct attempt *a, struct str url)
{
	struct endpoint e;

	if (endpoint_read(&e, url))
		a->host = crowd_enter(&a->provider->crowd, e.host);
	return a->host != NULL;
}

struct attempt *
webpost_send(struct provider *p, const struct webpost *w,
    void (*fn)(void *arg, const struct attempt_result *r), void *arg)
{
	struct attempt *a = make(p, fn, arg);
	char *url = strndup(w->url.p, w->url.n);

	if (a != NULL && url != NULL && enter(a, w->url))
		a->call = post(a, w, url);
	free(url);
	if (a != NULL && a->call == NULL) {
		webpost_cancel(a);
		return NULL;
	}
	return a;
}

enum err
webpost_seal(const struct ece_keys *to, struct str text, struct buf *out)
{
	size_t padded = (text.n + PAYLOAD_PAD - 1) / PAYLOAD_PAD * PAYLOAD_PAD;

	if (text.n > ECE_TEXT_MAX)
		return ERR_TOO_LARGE;
	if (padded > ECE_TEXT_MAX)
		padded = ECE_TEXT_MAX;
	return ece_seal(to, text, padded, out) ? OK : ERR_MEMORY;
}

/* --- life --- */

struct provider *
webpost_open(const struct provider_env *env, const struct app_conf *app)
{
	struct provider *p = calloc(1, sizeof(*p));

	if (p != NULL) {
		p->loop = env->loop;
		p->app = app;
		p->delivery = env->delivery;
		list_init(&p->attempts);
		crowd_init(&p->crowd);
		p->courier = provider_courier(env, CONNECTIONS_MAX, STREAMS_MAX, NULL);
		if (p->courier != NULL)
			return p;
		free(p);
	}
	log_error("apps: '%s': out of memory", app->id);
	return NULL;
}

void
webpost_close(struct provider *p)
{
	while (!list_empty(&p->attempts))
		webpost_cancel(LIST_ENTRY(p->attempts.next, struct attempt, node));
	courier_free(p->courier);
	crowd_fini(&p->crowd);
	vapid_free(p->vapid);
	sodium_memzero(p->topic_key, sizeof(p->topic_key));
	free(p);
}
