/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fcm - Firebase Cloud Messaging, HTTP v1 (Google, "Send a message using FCM HTTP v1 API"), with
 * the access token of a service account.
 *
 * An attempt without a token at hand waits for one, then it asks; both in the time of one request.
 * No collapse_key: it would tell Google which pushes belong together.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/jose/bearer.h"
#include "pushgw/providers/fcm_access.h"
#include "pushgw/providers/fcm_answer.h"
#include "pushgw/providers/fcm_message.h"
#include "pushgw/providers/payload.h"
#include "pushgw/providers/retry_after.h"

#define CONNECTIONS_MAX 20 /* with HTTP/2 one is enough */
#define STREAMS_MAX 100

struct provider {
	struct loop *loop;
	const struct app_conf *app;
	const struct delivery_conf *delivery;
	struct courier *courier;
	struct fcm_access *access;
	char *url;
	struct list attempts;
};

struct attempt {
	struct list node; /* of the provider */
	struct provider *provider;
	struct fcm_wait wait; /* for a token */
	struct courier_call *call;
	struct task task; /* gives `early` */
	struct attempt_result early;
	struct buf body;
	clock_ms deadline;
	unsigned generation; /* of the token it was sent with */
	bool again;
	void (*fn)(void *arg, const struct attempt_result *r);
	void *arg;
};

/* --- who is admitted --- */

static enum admission
admit(const struct app_conf *app, const struct device *d, struct buf *kept)
{
	if (!fcm_is_token(d->pushkey))
		return ADMIT_REJECT;
	return payload_filter(d->data, &app->fcm.payload, PAYLOAD_STRINGS, kept);
}

/* --- the end of an attempt --- */

static void
drop(struct attempt *a)
{
	list_remove(&a->node);
	fcm_access_cancel(&a->wait);
	task_cancel(&a->task);
	courier_cancel(a->call);
	buf_fini(&a->body);
	free(a);
}

static void
finish(struct attempt *a, const struct attempt_result *r)
{
	void (*fn)(void *arg, const struct attempt_result *r) = a->fn;
	void *arg = a->arg;

	drop(a);
	fn(arg, r);
}

static void
fail(struct attempt *a, enum err err)
{
	const struct attempt_result r = { .verdict = VERDICT_FAILED, .err = err, .reason = "" };

	finish(a, &r);
}

static void
on_early(void *arg)
{
	struct attempt *a = arg;
	struct attempt_result r = a->early;

	finish(a, &r);
}

/* --- asking --- */

static void on_access(void *arg, const struct attempt_result *why);

static void
on_answer(void *arg, const struct courier_answer *answer)
{
	struct attempt *a = arg;
	struct provider *p = a->provider;
	struct attempt_result r = { .verdict = VERDICT_FAILED,
		.status = answer->status,
		.err = answer->status != 0 ? OK : answer->err,
		.reason = "" };
	bool new_token = false;
	clock_ms wait;

	a->call = NULL;
	if (answer->status != 0) { /* and be it too long */
		new_token = fcm_judge(answer->body, &r);
		wait = retry_after_read(answer->retry_after, clock_wall_s());
		r.retry_after = wait > 0 ? wait : r.retry_after;
		if (r.verdict == VERDICT_DELIVERED)
			fcm_access_taken(p->access, a->generation);
	}
	if (new_token && !a->again && fcm_access_refused(p->access, a->generation)) {
		a->again = true;
		fcm_access_wait(p->access, &a->wait, on_access, a);
		return;
	}
	finish(a, &r);
}

static bool
post(struct attempt *a, const char *token)
{
	struct provider *p = a->provider;
	char *bearer = bearer_field(token);
	const char *fields[] = { "Content-Type: application/json", bearer };
	const struct courier_request req = { .url = p->url,
		.fields = fields,
		.n_fields = sizeof(fields) / sizeof(*fields),
		.body = buf_str(&a->body),
		.answer_max = FCM_ANSWER_MAX,
		.timeout_ms = a->deadline - loop_now(p->loop) };

	if (bearer != NULL)
		a->call = courier_send(p->courier, &req, on_answer, a);
	bearer_wipe(bearer);
	return a->call != NULL;
}

/* false: out of memory. */
static bool
ask(struct attempt *a)
{
	struct provider *p = a->provider;
	const char *token = fcm_access_token(p->access, &a->generation);

	if (token != NULL)
		return post(a, token);
	fcm_access_wait(p->access, &a->wait, on_access, a);
	return true;
}

static void
on_access(void *arg, const struct attempt_result *why)
{
	struct attempt *a = arg;

	if (why != NULL)
		finish(a, why);
	else if (loop_now(a->provider->loop) >= a->deadline)
		fail(a, ERR_TIMEOUT);
	else if (!ask(a))
		fail(a, ERR_MEMORY);
}

/* --- sending --- */

static struct attempt *
attempt_new(struct provider *p, void (*fn)(void *arg, const struct attempt_result *r), void *arg)
{
	struct attempt *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->provider = p;
	a->fn = fn;
	a->arg = arg;
	a->deadline = loop_now(p->loop) + p->delivery->request_timeout;
	task_init(&a->task, on_early, a);
	list_append(&p->attempts, &a->node);
	return a;
}

static struct attempt *
send_push(struct provider *p, const struct push *push, int64_t expires,
    void (*fn)(void *arg, const struct attempt_result *r), void *arg)
{
	struct attempt *a = attempt_new(p, fn, arg);
	enum err err;

	if (a == NULL)
		return NULL;
	err = fcm_message(&a->body, push, provider_ttl(p->app->fcm.ttl, expires));
	if (err == ERR_TOO_LARGE) {
		a->early = (struct attempt_result){ .verdict = VERDICT_DROP,
			.reason = "INVALID_ARGUMENT" };
		task_defer(p->loop, &a->task);
		return a;
	}
	if (err == OK && ask(a))
		return a;
	drop(a);
	return NULL;
}

/* --- life --- */

static void
close_provider(struct provider *p)
{
	while (!list_empty(&p->attempts))
		drop(LIST_ENTRY(p->attempts.next, struct attempt, node));
	fcm_access_free(p->access);
	courier_free(p->courier);
	free(p->url);
	free(p);
}

static bool
open_parts(struct provider *p, const struct provider_env *env)
{
	p->courier = provider_courier(env, CONNECTIONS_MAX, STREAMS_MAX, NULL);
	if (p->courier == NULL)
		return false;
	p->access = fcm_access_new(env->loop, p->courier, p->app, env->delivery);
	return p->access != NULL;
}

static struct provider *
open_provider(const struct provider_env *env, const struct app_conf *app)
{
	struct provider *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->loop = env->loop;
	p->app = app;
	p->delivery = env->delivery;
	list_init(&p->attempts);
	if (asprintf(
		&p->url, "%s/v1/projects/%s/messages:send", app->fcm.url, app->fcm.project_id) < 0)
		p->url = NULL;
	if (p->url != NULL && open_parts(p, env))
		return p;
	log_error("apps: '%s': out of memory", app->id);
	close_provider(p);
	return NULL;
}

const struct provider_type provider_fcm = { .name = "fcm",
	.one_server = true,
	.admit = admit,
	.open = open_provider,
	.close = close_provider,
	.send = send_push,
	.cancel = drop };
