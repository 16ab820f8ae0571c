/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vzd_auth - a flight is: the secret is read, step 1, step 2; it begins at the first of them that
 * is needed.  Each ends in one place, and so does the flight.
 */
#include "regsvc/vzd_auth.h"

#include <stdlib.h>

#include "lib/base/percent.h"
#include "lib/jose/bearer.h"
#include "regsvc/secret.h"

#define FORM_MAX (16 << 10)
#define REALM_PRESET_MS 60000    /* of step 1, where the answer does not say */
#define SERVICE_PRESET_MS 600000 /* of step 2 */

enum state { IDLE, SECRET, STEP_1, STEP_2 };

struct vzd_auth {
	struct loop *loop;
	const struct vzd_conf *conf;
	struct fetcher *fetcher;
	struct secret_source source;
	enum state state;
	struct secret_errand *secret;
	struct fetch *fetch;
	struct bearer realm, service; /* of step 1 and of step 2 */
	bool realm_fresh;                 /* got in this flight */
	unsigned generation;              /* of `service` */
	struct list waiting;
	struct task task;
};

static void read_secret(struct vzd_auth *a);

/* --- the end of a flight --- */

static void
end(struct vzd_auth *a, struct vzd_verdict verdict)
{
	struct vzd_token t = { .text = verdict.err == OK ? a->service.text : NULL,
		.generation = a->generation,
		.verdict = verdict };
	struct list told;

	a->state = IDLE;
	list_init(&told); /* who asks again from a call waits for the next flight */
	while (!list_empty(&a->waiting)) {
		struct list *n = a->waiting.next;

		list_remove(n);
		list_append(&told, n);
	}
	while (!list_empty(&told)) {
		struct vzd_auth_want *w = LIST_ENTRY(told.next, struct vzd_auth_want, node);

		list_remove(&w->node);
		w->fn(w->arg, &t);
	}
}

static void
end_with(struct vzd_auth *a, enum vzd_step step, enum err err)
{
	end(a, (struct vzd_verdict){
		   .err = err, .outcome = err == OK ? VZD_GOOD : VZD_REFUSED, .step = step });
}

/* --- step 2: exchange --- */

/* Reads the token of an answer; the verdict is counted. */
static struct vzd_verdict
take(struct vzd_auth *a, enum vzd_step step, const struct fetch_result *r, struct bearer *to,
    clock_ms preset)
{
	struct vzd_verdict v = vzd_judge(step, r);
	enum err err;
	struct buf body;

	if (v.err == OK) {
		err =
		    bearer_read(to, r->body, loop_now(a->loop), a->conf->token_margin, preset);
		if (err != OK)
			v = vzd_unusable(step, r->status);
	}
	if (r->err == OK) {
		fetch_take_body(r, &body);
		secret_wipe(&body);
	}
	if (v.err == ERR_VZD_LOGIN && step == VZD_EXCHANGE && !a->realm_fresh)
		vzd_count(&v); /* step 1 comes next */
	else
		vzd_note(&v);
	return v;
}

static void
on_exchanged(void *arg, const struct fetch_result *r)
{
	struct vzd_auth *a = arg;
	struct vzd_verdict v;

	a->fetch = NULL;
	v = take(a, VZD_EXCHANGE, r, &a->service, SERVICE_PRESET_MS);
	if (v.err == OK)
		a->generation++;
	if (v.err != ERR_VZD_LOGIN) {
		end(a, v);
		return;
	}
	bearer_drop(&a->realm);
	if (a->realm_fresh)
		end(a, v);
	else
		read_secret(a);
}

static void
exchange(struct vzd_auth *a)
{
	const struct fetch_request req = { .url = a->conf->exchange_url,
		.anchors = a->conf->anchors,
		.bearer = a->realm.text,
		.max_bytes = a->conf->answer_max,
		.timeout_ms = a->conf->timeout };

	a->state = STEP_2;
	a->fetch = fetch_start(a->fetcher, &req, on_exchanged, a);
	if (a->fetch == NULL)
		end_with(a, VZD_EXCHANGE, ERR_MEMORY);
}

/* --- step 1: credentials --- */

static void
on_logged_in(void *arg, const struct fetch_result *r)
{
	struct vzd_auth *a = arg;
	bool one_step = a->conf->exchange_url == NULL;
	struct vzd_verdict v;

	a->fetch = NULL;
	v = take(a, VZD_TOKEN, r, one_step ? &a->service : &a->realm,
	    one_step ? SERVICE_PRESET_MS : REALM_PRESET_MS);
	if (v.err != OK || one_step) {
		a->generation += v.err == OK;
		end(a, v);
		return;
	}
	a->realm_fresh = true;
	exchange(a);
}

/* application/x-www-form-urlencoded; RFC 6749 wants its encoding in HTTP Basic too (2.3.1). */
static bool
put_form(const struct vzd_auth *a, struct str secret, struct buf *b)
{
	if (!buf_put(b, STR("grant_type=client_credentials")))
		return false;
	if (a->conf->scope != NULL &&
	    !(buf_put(b, STR("&scope=")) && percent_put(b, str_z(a->conf->scope))))
		return false;
	return a->conf->client_auth == VZD_AUTH_BASIC ||
	       (buf_put(b, STR("&client_id=")) && percent_put(b, str_z(a->conf->client_id)) &&
		   buf_put(b, STR("&client_secret=")) && percent_put(b, secret));
}

static bool
put_basic(const struct vzd_auth *a, struct str secret, struct buf *b)
{
	return percent_put(b, str_z(a->conf->client_id)) && buf_put(b, STR(":")) &&
	       percent_put(b, secret) && buf_put(b, str_of("", 1));
}

static void
log_in(struct vzd_auth *a, struct str secret)
{
	struct buf form, basic;
	struct fetch_request req = { .url = a->conf->token_url,
		.anchors = a->conf->anchors,
		.post_type = "application/x-www-form-urlencoded",
		.max_bytes = a->conf->answer_max,
		.timeout_ms = a->conf->timeout };

	a->state = STEP_1;
	buf_init(&form, FORM_MAX);
	buf_init(&basic, FORM_MAX);
	/* all of the room at once, so that no copy stays behind when a buffer grows */
	if (buf_reserve(&form, FORM_MAX) != NULL && buf_reserve(&basic, FORM_MAX) != NULL &&
	    put_form(a, secret, &form) && put_basic(a, secret, &basic)) {
		req.post = buf_str(&form);
		req.basic = a->conf->client_auth == VZD_AUTH_BASIC ? buf_str(&basic).p : NULL;
		a->fetch = fetch_start(a->fetcher, &req, on_logged_in, a);
	}
	secret_wipe(&form);
	secret_wipe(&basic);
	if (a->fetch == NULL)
		end_with(a, VZD_TOKEN, ERR_MEMORY);
}

static void
on_secret(void *arg, enum err err, struct str secret)
{
	struct vzd_auth *a = arg;

	a->secret = NULL;
	if (err == OK)
		log_in(a, secret);
	else
		end_with(a, VZD_TOKEN, err);
}

static void
read_secret(struct vzd_auth *a)
{
	a->state = SECRET;
	a->secret = secret_start(a->loop, &a->source, on_secret, a);
	if (a->secret == NULL)
		end_with(a, VZD_TOKEN, ERR_MEMORY);
}

/* --- asking --- */

static void
take_off(void *arg)
{
	struct vzd_auth *a = arg;
	clock_ms now = loop_now(a->loop);

	if (a->state != IDLE || list_empty(&a->waiting))
		return;
	a->realm_fresh = false;
	if (bearer_good(&a->service, now))
		end_with(a, VZD_EXCHANGE, OK);
	else if (a->conf->exchange_url != NULL && bearer_good(&a->realm, now))
		exchange(a);
	else
		read_secret(a);
}

void
vzd_auth_get(struct vzd_auth *a, struct vzd_auth_want *w, vzd_auth_fn *fn, void *arg)
{
	list_init(&w->node);
	w->fn = fn;
	w->arg = arg;
	list_append(&a->waiting, &w->node);
	task_defer(a->loop, &a->task);
}

void
vzd_auth_cancel(struct vzd_auth_want *w)
{
	if (w->node.next != NULL)
		list_remove(&w->node);
}

void
vzd_auth_refused(struct vzd_auth *a, unsigned generation)
{
	if (generation == a->generation)
		bearer_drop(&a->service);
}

/* --- life --- */

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

void
vzd_auth_inherit(struct vzd_auth *a, struct vzd_auth *from)
{
	const struct vzd_conf *x = a->conf, *y = from->conf;

	if (!same_text(x->token_url, y->token_url) || !same_text(x->client_id, y->client_id) ||
	    !same_text(x->exchange_url, y->exchange_url) || !same_text(x->scope, y->scope))
		return;
	a->realm = from->realm;
	a->service = from->service;
	a->generation = from->generation;
	from->realm = from->service = (struct bearer){ 0 };
}

struct vzd_auth *
vzd_auth_new(struct loop *loop, const struct vzd_conf *conf, struct fetcher *fetcher)
{
	struct vzd_auth *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->loop = loop;
	a->conf = conf;
	a->fetcher = fetcher;
	a->source = (struct secret_source){ .file = conf->secret_file,
		.credential = conf->secret_credential,
		.pkcs11_uri = conf->secret_uri,
		.pkcs11_module = conf->pkcs11_module,
		.pkcs11_pin_file = conf->pkcs11_pin_file };
	list_init(&a->waiting);
	task_init(&a->task, take_off, a);
	return a;
}

void
vzd_auth_free(struct vzd_auth *a)
{
	if (a == NULL)
		return;
	task_cancel(&a->task);
	secret_cancel(a->secret);
	fetch_cancel(a->fetch);
	while (!list_empty(&a->waiting))
		list_remove(a->waiting.next);
	bearer_drop(&a->realm);
	bearer_drop(&a->service);
	free(a);
}
