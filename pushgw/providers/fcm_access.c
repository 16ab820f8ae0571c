/* SPDX-License-Identifier: Apache-2.0 */
#include "pushgw/providers/fcm_access.h"

#include <sodium.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/percent.h"
#include "lib/jose/bearer.h"
#include "lib/jose/claims.h"
#include "lib/jose/jws_sign.h"
#include "lib/matrix/canonical.h"
#include "pushgw/providers/retry_after.h"

#define SCOPE "https://www.googleapis.com/auth/firebase.messaging"
#define GRANT "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
#define ASSERTION_S 3600   /* Google allows no longer life */
#define LIFETIME_MS 600000 /* where the answer does not say */
#define NEW_MS 60000       /* that long a token may be refused without ever having been taken */
#define ANSWER_MAX 32768
#define JSON_MAX 8192
#define FORM_MAX 32768

struct fcm_access {
	struct loop *loop;
	struct courier *courier;
	const struct app_conf *app;
	const struct delivery_conf *delivery;
	struct bearer token;
	clock_ms got, end; /* of the token */
	unsigned generation;
	bool proven;               /* FCM has taken it */
	struct courier_call *call; /* the exchange under way */
	struct list waiting;
	struct task task;
	clock_ms not_before; /* the next exchange */
	clock_ms pause;      /* after the last failure; 0: it went well */
	struct attempt_result why;
};

/* --- telling --- */

static void
tell(struct fcm_access *x, const struct attempt_result *why)
{
	struct list told;

	list_init(&told); /* who waits again from a call waits for the next exchange */
	while (!list_empty(&x->waiting)) {
		struct list *n = x->waiting.next;

		list_remove(n);
		list_append(&told, n);
	}
	while (!list_empty(&told)) {
		struct fcm_wait *w = LIST_ENTRY(told.next, struct fcm_wait, node);

		list_remove(&w->node);
		w->fn(w->arg, why);
	}
}

static void
tell_failure(struct fcm_access *x)
{
	struct attempt_result why = x->why;
	clock_ms now = loop_now(x->loop);

	why.retry_after = x->not_before > now ? x->not_before - now : 0;
	tell(x, &why);
}

/* --- the answer --- */

/* RFC 6749 5.2; the others of its words would be our own mistakes. */
static const char *
refusal_of(struct str body)
{
	static const char *const words[] = { "invalid_grant", "invalid_client",
		"unauthorized_client", "invalid_scope", "invalid_request", "unsupported_grant_type",
		"access_denied" };
	struct claims *answer = claims_read_object(body);
	const char *found = "";
	struct str error;

	if (claims_text(claims_get(answer, "error"), &error))
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (str_eq(error, str_z(words[i])))
				found = words[i];
	claims_free(answer);
	return found;
}

static struct attempt_result
judge(const struct courier_answer *a)
{
	struct attempt_result r = {
		.verdict = VERDICT_FAILED, .status = a->status, .err = a->err, .reason = ""
	};

	if (a->err != OK)
		return r;
	if (a->status == 200) {
		r.err = ERR_HTTP_ANSWER;
	} else if (a->status >= 400 && a->status < 500 && a->status != 429) {
		r.verdict = VERDICT_FAULT;
		r.reason = refusal_of(a->body);
	}
	return r;
}

static void
complain(const struct fcm_access *x)
{
	const char *name = x->app->id, *url = x->app->fcm.token_url;
	const struct attempt_result *why = &x->why;

	if (why->verdict == VERDICT_FAULT)
		log_error("apps: '%s': no access token: %s refuses: status=%d reason=%s; check the "
			  "clock, and whether the service account still has the key in "
			  "fcm.service_account_file",
		    name, url, why->status, why->reason);
	else
		log_warn("apps: '%s': no access token: %s fails: status=%d error=%s; it is asked "
			 "again",
		    name, url, why->status, why->err != OK ? err_name(why->err) : "none");
}

static void
fail(struct fcm_access *x, const struct attempt_result *why, clock_ms wanted)
{
	const struct delivery_conf *d = x->delivery;
	bool first = x->pause == 0;

	x->why = *why;
	x->pause = first ? d->retry_min : 2 * x->pause;
	x->pause = x->pause < d->retry_max ? x->pause : d->retry_max;
	x->not_before = loop_now(x->loop) + (wanted > x->pause ? wanted : x->pause);
	if (first)
		complain(x);
	tell_failure(x);
}

static void
adopt(struct fcm_access *x)
{
	clock_ms left = x->token.until - loop_now(x->loop);

	x->got = loop_now(x->loop);
	x->end = x->token.until + (left < FCM_ACCESS_MARGIN_MS ? left : FCM_ACCESS_MARGIN_MS);
	x->generation++;
	x->proven = false;
	if (x->pause > 0)
		log_info("apps: '%s': access tokens are given again", x->app->id);
	x->pause = x->not_before = 0;
	tell(x, NULL);
}

static void
on_answer(void *arg, const struct courier_answer *a)
{
	struct fcm_access *x = arg;
	struct attempt_result why = judge(a);
	clock_ms wanted = a->err == OK ? retry_after_read(a->retry_after, clock_wall_s()) : 0;
	clock_ms now = loop_now(x->loop);
	bool good = a->err == OK && a->status == 200;

	x->call = NULL;
	if (good) {
		good =
		    bearer_read(&x->token, a->body, now, FCM_ACCESS_MARGIN_MS, LIFETIME_MS) == OK &&
		    bearer_good(&x->token, now);
		sodium_memzero((char *)(uintptr_t)a->body.p, a->body.n);
	}
	if (good)
		adopt(x);
	else
		fail(x, &why, wanted);
}

/* --- asking --- */

static bool
put_claims(struct buf *b, const struct fcm_conf *c, int64_t now)
{
	return buf_put(b, STR("{\"iss\":")) && json_put_string(b, str_z(c->client_email)) &&
	       buf_put(b, STR(",\"scope\":\"" SCOPE "\",\"aud\":")) &&
	       json_put_string(b, str_z(c->token_url)) &&
	       buf_printf(
		   b, ",\"iat\":%lld,\"exp\":%lld}", (long long)now, (long long)now + ASSERTION_S);
}

static struct str
assertion(struct arena *a, const struct fcm_conf *c)
{
	struct str token = STR_NONE;
	struct buf header, claims;

	buf_init(&header, JSON_MAX);
	buf_init(&claims, JSON_MAX);
	if (buf_put(&header, STR("{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":")) &&
	    json_put_string(&header, str_z(c->key_id)) && buf_put(&header, STR("}")) &&
	    put_claims(&claims, c, clock_wall_s()))
		token = jws_sign_rs256(a, buf_str(&header), buf_str(&claims), c->key);
	buf_fini(&header);
	buf_fini(&claims);
	return token;
}

static struct courier_call *
post(struct fcm_access *x, struct str form)
{
	static const char *const fields[] = { "Content-Type: application/x-www-form-urlencoded" };
	const struct courier_request req = { .url = x->app->fcm.token_url,
		.fields = fields,
		.n_fields = 1,
		.body = form,
		.answer_max = ANSWER_MAX,
		.timeout_ms = x->delivery->request_timeout };

	return courier_send(x->courier, &req, on_answer, x);
}

static void
exchange(struct fcm_access *x)
{
	static const struct attempt_result memory = {
		.verdict = VERDICT_FAILED, .err = ERR_MEMORY, .reason = ""
	};
	struct arena a;
	struct buf form;
	struct str token;

	arena_init(&a, FORM_MAX);
	buf_init(&form, FORM_MAX);
	token = assertion(&a, &x->app->fcm);
	/* all of the room at once, so that no copy stays behind when the buffer grows */
	if (token.n > 0 && buf_reserve(&form, FORM_MAX) != NULL &&
	    buf_put(&form, STR("grant_type=" GRANT "&assertion=")) && percent_put(&form, token))
		x->call = post(x, buf_str(&form));
	if (form.mem != NULL)
		sodium_memzero(form.mem, form.cap);
	if (token.n > 0)
		sodium_memzero((char *)(uintptr_t)token.p, token.n);
	buf_fini(&form);
	arena_fini(&a);
	if (x->call == NULL)
		fail(x, &memory, 0);
}

static void
on_task(void *arg)
{
	struct fcm_access *x = arg;
	clock_ms now = loop_now(x->loop);

	if (bearer_good(&x->token, now))
		tell(x, NULL);
	else if (x->call == NULL && now < x->not_before)
		tell_failure(x);
	else if (x->call == NULL)
		exchange(x);
}

const char *
fcm_access_token(struct fcm_access *x, unsigned *generation)
{
	clock_ms now = loop_now(x->loop);

	*generation = x->generation;
	if (bearer_good(&x->token, now))
		return x->token.text;
	if (x->token.text == NULL || now >= x->end)
		return NULL;
	if (now >= x->not_before)
		task_defer(x->loop, &x->task); /* nobody has to wait for it yet */
	return x->token.text;
}

void
fcm_access_wait(struct fcm_access *x, struct fcm_wait *w,
    void (*fn)(void *arg, const struct attempt_result *why), void *arg)
{
	w->fn = fn;
	w->arg = arg;
	list_init(&w->node);
	list_append(&x->waiting, &w->node);
	task_defer(x->loop, &x->task);
}

void
fcm_access_cancel(struct fcm_wait *w)
{
	if (w->node.next != NULL)
		list_remove(&w->node);
}

void
fcm_access_taken(struct fcm_access *x, unsigned generation)
{
	if (generation == x->generation)
		x->proven = true;
}

bool
fcm_access_refused(struct fcm_access *x, unsigned generation)
{
	if (generation != x->generation)
		return true;
	if (!x->proven && loop_now(x->loop) - x->got < NEW_MS)
		return false;
	bearer_drop(&x->token);
	return true;
}

/* --- life --- */

struct fcm_access *
fcm_access_new(struct loop *loop, struct courier *courier, const struct app_conf *app,
    const struct delivery_conf *delivery)
{
	struct fcm_access *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->loop = loop;
	x->courier = courier;
	x->app = app;
	x->delivery = delivery;
	list_init(&x->waiting);
	task_init(&x->task, on_task, x);
	return x;
}

void
fcm_access_free(struct fcm_access *x)
{
	if (x == NULL)
		return;
	task_cancel(&x->task);
	courier_cancel(x->call);
	while (!list_empty(&x->waiting))
		list_remove(x->waiting.next);
	bearer_drop(&x->token);
	free(x);
}
