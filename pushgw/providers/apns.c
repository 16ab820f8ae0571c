/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apns - Apple Push Notification service over HTTP/2 (Apple, "Sending notification requests to
 * APNs"), with a provider token or a client certificate.
 *
 * Each entry of `apps` has connections of its own, for one connection must not mix teams, but
 * shares the token with others of the same key.  No apns-collapse-id: it would tell Apple which
 * pushes belong together.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/uuid.h"
#include "lib/http/courier.h"
#include "lib/jose/bearer.h"
#include "pushgw/providers/apns_answer.h"
#include "pushgw/providers/apns_payload.h"
#include "pushgw/providers/apns_pushkey.h"
#include "pushgw/providers/apns_token.h"
#include "pushgw/providers/payload.h"
#include "pushgw/providers/retry_after.h"

#define CONNECTIONS_MAX 2 /* one is enough, but Apple may end it at any time */
#define STREAMS_MAX 1000
#define PATH "/3/device/"
#define PRIORITY_FIELD "apns-priority: 10"
#define EXPIRATION_FIELD "apns-expiration: -9223372036854775808"
#define ID_FIELD "apns-id: "
#define FIELDS_MAX 7

struct provider {
	struct loop *loop;
	const struct apns_conf *conf;
	const struct delivery_conf *delivery;
	struct courier *courier;
	struct apns_key *key; /* NULL: client certificate */
	char *topic;          /* the field; NULL: the certificate says it */
	struct list attempts;
};

struct attempt {
	struct list node; /* of the provider */
	struct provider *provider;
	struct courier_call *call;
	struct task task; /* gives `early` */
	struct attempt_result early;
	char *url;
	struct buf body;
	char priority[sizeof(PRIORITY_FIELD)], expiration[sizeof(EXPIRATION_FIELD)];
	char id[sizeof(ID_FIELD) + UUID_TEXT];
	int64_t pushkey_ts;
	clock_ms deadline;
	unsigned generation; /* of the token it was sent with */
	bool again;
	void (*fn)(void *arg, const struct attempt_result *r);
	void *arg;
};

static const struct {
	const char *field, *suffix; /* of the topic */
} push_types[] = {
	[APNS_ALERT] = { "apns-push-type: alert", "" },
	[APNS_BACKGROUND] = { "apns-push-type: background", "" },
	[APNS_VOIP] = { "apns-push-type: voip", ".voip" },
};

/* --- who is admitted --- */

static enum admission
admit(const struct app_conf *app, const struct device *d, struct buf *kept)
{
	char hex[APNS_PATH_TOKEN_MAX + 1];

	if (!apns_pushkey_hex(d->pushkey, app->apns.token, hex))
		return ADMIT_REJECT;
	return payload_filter(d->data, &app->apns.payload, PAYLOAD_NESTED, kept);
}

/* --- the end of an attempt --- */

static void
drop(struct attempt *a)
{
	list_remove(&a->node);
	task_cancel(&a->task);
	courier_cancel(a->call);
	buf_fini(&a->body);
	free(a->url);
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
on_early(void *arg)
{
	struct attempt *a = arg;
	struct attempt_result r = a->early;

	finish(a, &r);
}

static struct attempt *
end_early(struct attempt *a, const struct attempt_result *r)
{
	a->early = *r;
	task_defer(a->provider->loop, &a->task);
	return a;
}

/* --- asking --- */

static void on_answer(void *arg, const struct courier_answer *answer);

static bool
post_fields(struct attempt *a, const char *bearer)
{
	const struct provider *p = a->provider;
	const char *fields[FIELDS_MAX] = { "content-type: application/json",
		push_types[p->conf->push_type].field, a->priority, a->expiration, a->id };
	size_t n = 5;
	clock_ms now = loop_now(p->loop);
	struct courier_request req = { .url = a->url,
		.fields = fields,
		.body = buf_str(&a->body),
		.answer_max = APNS_ANSWER_MAX,
		.timeout_ms = a->deadline > now ? a->deadline - now : 1 };

	if (p->topic != NULL)
		fields[n++] = p->topic;
	if (bearer != NULL)
		fields[n++] = bearer;
	req.n_fields = n;
	a->call = courier_send(p->courier, &req, on_answer, a);
	return a->call != NULL;
}

static bool
post(struct attempt *a)
{
	struct provider *p = a->provider;
	const struct apns_moment m = { loop_now(p->loop), clock_wall_s() };
	struct apns_provider_token token;
	char *bearer;
	bool good;

	if (p->key == NULL)
		return post_fields(a, NULL);
	if (!apns_token_get(p->key, &m, &token))
		return false;
	bearer = bearer_field(token.text);
	a->generation = token.generation;
	good = bearer != NULL && post_fields(a, bearer);
	bearer_wipe(bearer);
	return good;
}

/* --- what comes of it --- */

/* Whether it is tried once more, with another token. */
static bool
try_again(struct attempt *a, struct attempt_result *r)
{
	struct provider *p = a->provider;

	if (p->key == NULL)
		return false;
	r->retry_after = apns_token_expired(p->key, a->generation, loop_now(p->loop));
	if (r->retry_after > 0 || a->again)
		return false;
	a->again = true;
	return post(a);
}

static void
on_answer(void *arg, const struct courier_answer *answer)
{
	struct attempt *a = arg;
	struct attempt_result r = { .verdict = VERDICT_FAILED,
		.status = answer->status,
		.err = answer->status != 0 ? OK : answer->err,
		.reason = "" };
	enum apns_care care = APNS_NOTHING;
	clock_ms wait;

	a->call = NULL;
	if (answer->status != 0) { /* and be it too long */
		care = apns_judge(answer->body, a->pushkey_ts, &r);
		wait = retry_after_read(answer->retry_after, clock_wall_s());
		r.retry_after = wait > r.retry_after ? wait : r.retry_after;
	}
	if (care == APNS_NEW_CONNECTION)
		courier_renew(a->provider->courier);
	if (care != APNS_NEW_TOKEN || !try_again(a, &r))
		finish(a, &r);
}

/* --- sending --- */

static void
set_fields(struct attempt *a, const struct push *push, int64_t expires)
{
	bool calm = a->provider->conf->push_type == APNS_BACKGROUND || push->prio == PUSH_LOW;
	char id[UUID_TEXT + 1];

	uuid_new(id);
	snprintf(a->id, sizeof(a->id), ID_FIELD "%s", id);
	snprintf(a->priority, sizeof(a->priority), "apns-priority: %d", calm ? 5 : 10);
	snprintf(a->expiration, sizeof(a->expiration), "apns-expiration: %" PRId64,
	    expires > 0 ? expires / 1000 : 0);
}

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
	static const struct attempt_result bad_key = { .verdict = VERDICT_DROP,
		.reason = "BadDeviceToken" },
					   too_large = { .verdict = VERDICT_DROP,
						   .reason = "PayloadTooLarge" };
	struct attempt *a = attempt_new(p, fn, arg);
	char hex[APNS_PATH_TOKEN_MAX + 1];
	enum err err;

	if (a == NULL)
		return NULL;
	if (!apns_pushkey_hex(push->pushkey, p->conf->token, hex))
		return end_early(a, &bad_key); /* since it was admitted the settings changed */
	a->pushkey_ts = push->pushkey_ts;
	set_fields(a, push, expires);
	err = apns_payload(&a->body, p->conf->push_type, push);
	if (err == ERR_TOO_LARGE)
		return end_early(a, &too_large);
	if (err == OK && asprintf(&a->url, "%s" PATH "%s", p->conf->url, hex) >= 0 && post(a))
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
	courier_free(p->courier);
	apns_key_leave(p->key);
	free(p->topic);
	free(p);
}

static bool
open_courier(struct provider *p, const struct provider_env *env)
{
	const struct fetch_identity identity = {
		.certificate = p->conf->leaf, .chain = p->conf->chain, .key = p->conf->key
	};

	p->courier = provider_courier(
	    env, CONNECTIONS_MAX, STREAMS_MAX, p->conf->leaf != NULL ? &identity : NULL);
	return p->courier != NULL;
}

/* false: out of memory. */
static bool
set_credentials(struct provider *p)
{
	const struct apns_conf *c = p->conf;

	if (c->topic != NULL &&
	    asprintf(&p->topic, "apns-topic: %s%s", c->topic, push_types[c->push_type].suffix) < 0)
		p->topic = NULL;
	if (c->leaf == NULL)
		p->key = apns_key_join(c->team_id, c->key_id, c->key);
	return (c->topic == NULL || p->topic != NULL) && (c->leaf != NULL || p->key != NULL);
}

static struct provider *
open_provider(const struct provider_env *env, const struct app_conf *app)
{
	struct provider *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->loop = env->loop;
	p->conf = &app->apns;
	p->delivery = env->delivery;
	list_init(&p->attempts);
	if (set_credentials(p) && open_courier(p, env))
		return p;
	log_error("apps: '%s': out of memory", app->id);
	close_provider(p);
	return NULL;
}

const struct provider_type provider_apns = { .name = "apns",
	.one_server = true,
	.admit = admit,
	.open = open_provider,
	.close = close_provider,
	.send = send_push,
	.cancel = drop };
